"""`leanformer curate`: duplicates, leaks and conflicting labels of a data set, and the data without them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leanformer.cli.arguments import DataArgument, KindOption, SplitOption, pairs, say
from leanformer.errors import LeanformerError

if TYPE_CHECKING:
    from leanformer.data.dataset import Dataset


def curate(
    data: DataArgument,
    output: Annotated[Path, typer.Option(help="New folder for the report, and with --apply for the data.")],
    apply: Annotated[
        bool, typer.Option("--apply", help="Also write the data without duplicates and leaks; dev and test are copied.")
    ] = False,
    conflicting: Annotated[
        str | None,
        typer.Option(help="With --apply, what to keep of duplicates with different labels: first, none or keep (all)."),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Report groups, such as authors, that are in more than one split."),
    ] = None,
    licence: Annotated[str, typer.Option(help="Licence of the data, for the card.")] = "",
    source: Annotated[str, typer.Option(help="Where the data are from, for the card.")] = "",
    split: SplitOption = None,
    kind: KindOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier output that also holds other files; those are kept.")
    ] = False,
) -> None:
    """Report duplicates, conflicting labels and leaks in DATA, with a card; nothing is removed without --apply."""
    from leanformer.curate.curation import find, removal
    from leanformer.curate.near_duplicates import CONFLICTING
    from leanformer.curate.written import write_report, write_splits
    from leanformer.data.dataset import open_dataset
    from leanformer.data.reading.grouping import read_groups, read_languages
    from leanformer.files import write_text
    from leanformer.outputs.folders import check_folder, new_output
    from leanformer.outputs.place import check_apart
    from leanformer.render.curation import curation_markdown, found_lines, removed_line

    if conflicting is not None and conflicting not in CONFLICTING:
        raise LeanformerError(
            f"--conflicting {conflicting}: not one of {', '.join(CONFLICTING)}\n  remedy: --conflicting first"
        )
    if conflicting is not None and not apply:
        raise LeanformerError(f"--conflicting {conflicting}: nothing is removed without --apply\n  remedy: add --apply")
    check_apart(output, [data])
    _check_outside(output, data)
    check_folder(output, curation=True, overwrite=overwrite, say=say)
    splits = pairs(split, "--split")
    opened = open_dataset(data, splits=splits, kind=kind, carve=False)
    for note in opened.notes:
        say(f"note: {note}")
    groups = None if group is None else _by_row(read_groups(data, group, splits=splits, kind=kind), opened)
    known = opened.train is not None and opened.train.languages is not None
    languages = None if known else _by_row(read_languages(data, splits=splits, kind=kind), opened)
    findings = find(opened, groups=groups, column=group, languages=languages, licence=licence, source=source)
    applied = removal(opened, findings, conflicting or "first") if apply else None
    with new_output(output, say) as temporary:
        if applied is not None:
            write_splits(temporary, opened, applied.kept, kind)
        write_report(temporary, findings, applied, opened.notes)
        write_text(temporary / "report.md", curation_markdown(findings, applied))
    print("\n".join(found_lines(findings)))
    if applied is not None:
        print(removed_line(findings, applied))
    say(f"{output / 'report.md'}, report.json and clusters.jsonl written")


def _check_outside(output: Path, data: str) -> None:
    """Raise `LeanformerError` if the output would be in the folder that is read."""
    if os.path.isdir(data) and Path(os.path.realpath(output)).is_relative_to(os.path.realpath(data)):
        beside = Path(os.path.realpath(data)).with_name(f"{Path(os.path.realpath(data)).name}-clean")
        raise LeanformerError(
            f"{output}: is in the data folder {data}, which is read\n  remedy: a folder beside it: --output {beside}"
        )


def _by_row(values: Mapping[str, Mapping[int, str]], data: Dataset) -> dict[str, list[str | None]]:
    """Split -> the value of each row, given those of lines."""
    parts = {split: getattr(data, split) for split in values}
    return {split: [values[split].get(line) for line in part.lines] for split, part in parts.items()}
