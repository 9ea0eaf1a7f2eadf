"""`leanformer curate`: duplicates, leaks and conflicting labels of a data set, and the data without them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leanformer.cli.arguments import DataArgument, KindOption, SplitOption, embed_with, need_torch, pairs, say
from leanformer.errors import LeanformerError, MissingExtraError

if TYPE_CHECKING:
    from leanformer.curate.findings import Findings, LabelCheck
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
    no_labels: Annotated[bool, typer.Option("--no-labels", help="Do not look for wrong labels in train.")] = False,
    encoder: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Look for them with the vectors of an encoder (folder or hub name)."),
    ] = None,
    decisions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --apply: decisions about labels, as the page suspects.html saves them."
        ),
    ] = None,
    map_with: Annotated[
        str | None,
        typer.Option(
            "--map", metavar="MODEL", help="Draw a data map: fine-tune this encoder (folder or hub name) on train."
        ),
    ] = None,
    map_epochs: Annotated[
        int | None, typer.Option(min=3, help="With --map: epochs of that training; default 6.")
    ] = None,
    licence: Annotated[str, typer.Option(help="Licence of the data, for the card.")] = "",
    source: Annotated[str, typer.Option(help="Where the data are from, for the card.")] = "",
    split: SplitOption = None,
    kind: KindOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier output that also holds other files; those are kept.")
    ] = False,
) -> None:
    """Report duplicates, leaks and wrong labels in DATA, with a card; nothing is changed without --apply."""
    from leanformer.curate.curation import find, need_train, removal
    from leanformer.curate.decisions import decide_labels
    from leanformer.curate.label_errors import can_check
    from leanformer.curate.near_duplicates import CONFLICTING
    from leanformer.curate.written import write_map, write_report, write_splits
    from leanformer.data.dataset import open_dataset
    from leanformer.data.reading.grouping import read_groups, read_languages
    from leanformer.files import write_text
    from leanformer.outputs.folders import check_folder, new_output
    from leanformer.outputs.place import check_apart
    from leanformer.render.curation import curation_markdown, found_lines, removed_line
    from leanformer.render.data_map import map_svg
    from leanformer.render.suspects import suspects_page

    if conflicting is not None and conflicting not in CONFLICTING:
        raise LeanformerError(
            f"--conflicting {conflicting}: not one of {', '.join(CONFLICTING)}\n  remedy: --conflicting first"
        )
    if conflicting is not None and not apply:
        raise LeanformerError(f"--conflicting {conflicting}: nothing is removed without --apply\n  remedy: add --apply")
    if decisions is not None and not apply:
        raise LeanformerError(f"--decisions {decisions}: nothing is changed without --apply\n  remedy: add --apply")
    if encoder is not None and (no_labels or decisions is not None):
        raise LeanformerError("--encoder: wrong labels are not looked for here\n  remedy: leave it out")
    if map_epochs is not None and map_with is None:
        raise LeanformerError(f"--map-epochs {map_epochs}: there is no map without --map\n  remedy: add --map MODEL")
    if map_with is not None and decisions is not None:
        raise LeanformerError("--map: the labels are about to change\n  remedy: map the data that --apply writes")
    check_apart(output, [data, *([] if decisions is None else [decisions])])
    _check_outside(output, data)
    check_folder(output, curation=True, overwrite=overwrite, say=say)
    splits = pairs(split, "--split")
    opened = open_dataset(data, splits=splits, kind=kind, carve=False)
    for note in opened.notes:
        say(f"note: {note}")
    if decisions is not None and not can_check(opened.task):
        raise LeanformerError(
            f"--decisions {decisions}: labels of kind {opened.task.kind!r} are no names\n  remedy: leave it out"
        )
    decided = None if decisions is None else decide_labels(decisions, opened)
    opened = opened if decided is None else decided.data
    groups = None if group is None else _by_row(read_groups(data, group, splits=splits, kind=kind), opened)
    known = opened.train is not None and opened.train.languages is not None
    languages = None if known else _by_row(read_languages(data, splits=splits, kind=kind), opened)
    if map_with is not None:
        _check_map(opened, map_with)
    findings = find(opened, groups=groups, column=group, languages=languages, licence=licence, source=source)
    if decided is None and not no_labels:
        findings = replace(findings, labels=_checked(opened, findings, encoder))
    if map_with is not None:
        findings = _mapped(opened, findings, map_with, map_epochs)
    dropped, relabelled = ((), ()) if decided is None else (decided.dropped, decided.relabelled)
    applied = removal(opened, findings, conflicting or "first", dropped, relabelled) if apply else None
    with new_output(output, say) as temporary:
        if applied is not None:
            write_splits(temporary, opened, applied.kept, kind, relabelled)
        write_report(temporary, findings, applied, opened.notes)
        write_text(temporary / "report.md", curation_markdown(findings, applied))
        if findings.labels is not None:
            write_text(temporary / "suspects.html", suspects_page(findings))
        if findings.map is not None:
            write_map(temporary, need_train(opened), findings.map)
            write_text(temporary / "map.svg", map_svg(findings.map))
    print("\n".join(found_lines(findings)))
    if applied is not None:
        print(removed_line(findings, applied))
    more = " and clusters.jsonl" if findings.labels is None else ", clusters.jsonl, suspects.jsonl and suspects.html"
    more += "" if findings.map is None else ", map.jsonl and map.svg"
    say(f"{output / 'report.md'}, report.json{more} written")


def _checked(data: Dataset, findings: Findings, encoder: str | None) -> LabelCheck | None:
    """What the search for wrong labels finds; None, and a note, where there can be none."""
    from leanformer.curate.label_errors import can_check, label_errors

    if not can_check(data.task):
        say(f"note: wrong labels are not looked for: those of kind {data.task.kind!r} are no names")
        return None
    embed = embed_with(encoder)
    if encoder is None or embed is None:
        try:
            return label_errors(data, findings.clusters)
        except MissingExtraError as error:
            say(f"note: wrong labels are not looked for: {error}")
            return None
    from leanformer.curate.curation import need_train

    vectors = embed(need_train(data))
    return label_errors(data, findings.clusters, vectors=vectors, features=Path(encoder).name)


def _check_map(data: Dataset, encoder: str) -> None:
    """Raise what opening the encoder raises, before the search for duplicates and wrong labels takes its time."""
    need_torch("a data map")
    from leanformer.curate.mapping import can_map
    from leanformer.models.store import start_classifier

    if can_map(data.task):
        start_classifier(encoder, data.task)


def _mapped(data: Dataset, findings: Findings, encoder: str, epochs: int | None) -> Findings:
    """The findings with a map of train; as they are, with a note, where labels cannot be mapped."""
    from leanformer.curate.mapping import EPOCHS, can_map, data_map, with_map

    if not can_map(data.task):
        say(f"note: no data map: of labels of kind {data.task.kind!r} there is none, only of one class for each row")
        return findings
    mapped = data_map(data, encoder, findings.clusters, epochs=EPOCHS if epochs is None else epochs, say=say)
    return with_map(findings, data, mapped)


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
