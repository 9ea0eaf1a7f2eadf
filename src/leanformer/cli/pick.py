"""`leanformer pick`: the member of a family that keeps a bound on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leanformer.cli.arguments import OverwriteOption, ThreadsOption, output_folder, say


def pick(
    family: Annotated[
        Path, typer.Argument(metavar="FAMILY", help="Folder that `leanformer compress --recipe family` wrote.")
    ],
    latency_ms: Annotated[
        float | None, typer.Option(help="At most so many milliseconds for one text, on this machine.")
    ] = None,
    bytes_: Annotated[float | None, typer.Option("--bytes", help="At most so many bytes.")] = None,
    throughput: Annotated[
        float | None, typer.Option(help="At least so many texts per second, on this machine.")
    ] = None,
    max_drop: Annotated[
        float | None, typer.Option(help="At most so many points lost against the teacher on dev.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="New folder for the picked model.")] = None,
    threads: ThreadsOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Pick the best member of FAMILY within the bounds, timed on this machine.

    The members are timed once and the times kept in FAMILY/tuning. With --max-drop alone, the fastest member is picked.
    """
    from leanformer.outputs.place import check_apart
    from leanformer.render.family import pick_lines
    from leanformer.runtime.cores import default_threads
    from leanformer.tune.family import read_family
    from leanformer.tune.pick import Bounds, deliver
    from leanformer.tune.pick import pick as run

    if output is not None:
        output = output_folder(output, overwrite=overwrite)
        check_apart(output, [family])
    opened = read_family(family)
    bounds = Bounds(latency_ms, bytes_, throughput, max_drop)
    picked = run(opened, bounds, cores=threads or default_threads(), say=say)
    for line in pick_lines(opened, picked):
        print(line)
    if output is not None:
        print(f"{output}: {deliver(opened, picked.chosen.member, output, say).bytes / 1e6:.1f} MB")
    else:
        print(f"in {family / picked.chosen.member.folder}")
