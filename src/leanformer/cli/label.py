"""`leanformer label`: which rows of an unlabelled pool to label next, and when to stop."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from leanformer.cli.arguments import EncoderOption, KindOption, SeedOption, SplitOption, embed_with, pairs, say
from leanformer.errors import LeanformerError


def label(
    pool: Annotated[Path, typer.Argument(metavar="POOL", help="File of unlabelled rows (.txt, .jsonl, .csv, .tsv).")],
    count: Annotated[int, typer.Option(min=1, help="Rows to choose.")] = 50,
    data: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Data set with labelled rows; its dev and test rows are not chosen."),
    ] = None,
    labelled: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Rows of an earlier round with their labels; once per round, in order."),
    ] = None,
    encoder: EncoderOption = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="How rows are chosen; default: kmeans until rows of two labels are labelled, then margin."),
    ] = None,
    audit: Annotated[int, typer.Option(min=0, help="Rows to draw at random beside them, to measure the model.")] = 0,
    cost: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column of the pool with the cost of a row; default: its words."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="JSON Lines file to write; default: standard output.")] = None,
    status: Annotated[Path | None, typer.Option(help="JSON file for what is known so far, for programs.")] = None,
    split: SplitOption = None,
    kind: KindOption = None,
    seed: SeedOption = 13,
) -> None:
    """Choose the rows of POOL to label next, and say whether to stop.

    Each line of the output is a row with "label": null. Fill in the labels, and give the file back with --labelled.
    """
    from leanformer.curate.active.proposal import propose
    from leanformer.curate.active.strategies import STRATEGIES
    from leanformer.data.dataset import open_dataset
    from leanformer.files import new_file, write_json
    from leanformer.outputs.written import check_file, is_status, is_unanswered
    from leanformer.render.labelling import round_lines

    if strategy is not None and strategy not in STRATEGIES:
        raise LeanformerError(f"--strategy {strategy}: not one of {', '.join(STRATEGIES)}\n  remedy: --strategy margin")
    if output is not None and status is not None and os.path.realpath(output) == os.path.realpath(status):
        raise LeanformerError(
            f"--status {status}: is the file of --output, whose rows would be lost\n"
            f"  remedy: --status {status.with_name(status.name + '.status')}"
        )
    inputs = [pool, *(labelled or ())]
    if output is not None:
        check_file(output, "rows of `leanformer label` without labels", is_unanswered, inputs)
    if status is not None:
        check_file(status, "a status of `leanformer label`", is_status, inputs)
    opened = None if data is None else open_dataset(data, splits=pairs(split, "--split"), kind=kind, carve=False)
    proposal = propose(
        pool, count=count, data=opened, labelled=labelled or (), strategy=strategy, audit=audit, cost=cost, kind=kind,
        embed=embed_with(encoder), seed=seed,
    )  # fmt: skip
    lines = [json.dumps(row, ensure_ascii=False) for row in proposal.rows]
    if output is None:
        print("\n".join(lines))
    else:
        with new_file(output) as temporary, open(temporary, "w", encoding="utf-8") as handle:
            handle.writelines(line + "\n" for line in lines)
    if status is not None:
        write_json(status, proposal.status)
    for line in round_lines(proposal.status):
        say(line)
