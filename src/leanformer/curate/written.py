"""The output folder of `leanformer curate`: the report, the clusters and, if they are asked for, the cleaned splits."""

from __future__ import annotations

import json
import shutil
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from leanformer.curate.curation import Removal, place
from leanformer.curate.data_map import DataMap
from leanformer.curate.findings import Findings
from leanformer.data.dataset import SPLITS, Dataset, open_dataset
from leanformer.data.examples import Examples
from leanformer.data.leaks import NEARLY
from leanformer.data.reading.decoding import decode_lines
from leanformer.errors import DataError, LeanformerError
from leanformer.files import write_json, write_text
from leanformer.inputs.kinds import input_of
from leanformer.tagging.words import words_of

FORMAT_VERSION = 1


def write_report(folder: Path, findings: Findings, applied: Removal | None, notes: Sequence[str] = ()) -> None:
    """Write `report.json`, `clusters.jsonl` and, if labels were checked, `suspects.jsonl` into the existing folder.

    `applied` is what was removed, if the cleaned splits are written, too. `notes` are those of the data set.
    """
    value = {
        "format_version": FORMAT_VERSION,
        "near": NEARLY,
        "notes": list(notes),
        **findings.to_json(),
        "applied": None if applied is None else applied.to_json(),
    }
    write_json(folder / "report.json", value)
    _write_lines(folder / "clusters.jsonl", (cluster.to_json() for cluster in findings.clusters))
    if findings.labels is not None:
        _write_lines(folder / "suspects.jsonl", (suspect.to_json() for suspect in findings.labels.suspects))


def write_map(folder: Path, train: Examples, mapped: DataMap) -> None:
    """Write `map.jsonl` into the existing folder: line, text, label and measures of each row of train that was mapped.

    Raises `DataError` if the map is of other rows.
    """
    if mapped.data != train.content_hash:
        raise DataError("the map is of other rows", path=train.source, remedy="map these rows again")
    rows = (place(train, "train", row) for row in range(len(train)))
    _write_lines(
        folder / "map.jsonl",
        ({"row": at.row + 1, "line": at.line, "text": at.text, "label": at.label, **mapped.row(at.row)} for at in rows),
    )


def write_splits(
    folder: Path,
    data: Dataset,
    kept: Mapping[str, Sequence[int]],
    kind: str | None = None,
    relabelled: Collection[int] = (),
) -> None:
    """Write the splits of a data set into the existing folder, and open them again to compare.

    A split from a file is written in the format of the file, with its further columns; without rows to remove it is a
    copy. A split of several files, or of a hub data set, is written as JSON Lines.

    Args:
        kept: split -> the rows to keep (from 0, ascending); splits that are not named are copied.
        kind: the kind with which the data set was opened; None if it was detected.
        relabelled: rows of train whose label is not the one in the file. JSON Lines keep their other columns; a file of
            another format becomes JSON Lines of texts and labels.

    Raises `DataError` if no row of train is left, or if the written files would not be read as the same examples.
    """
    wanted: dict[str, Examples | None] = {}
    for split in SPLITS:
        examples: Examples | None = getattr(data, split)
        rows = range(len(examples)) if examples is not None and split not in kept else kept.get(split, ())
        wanted[split] = None
        if examples is None:
            continue
        if not rows and split == "train":
            raise DataError(
                "every row of train would be removed",
                path=examples.source,
                remedy="leave --apply out; or, if all are in clusters with different labels, --conflicting first",
            )
        if rows:
            wanted[split] = examples.select(rows)
            _write_split(folder, split, examples, rows, relabelled if split == "train" else ())
    try:
        again = open_dataset(folder, kind=kind, carve=False)
    except LeanformerError as error:
        raise _changed(data, str(error).splitlines()[0].replace(f"{folder}/", "")) from error
    if again.task != data.task:
        raise _changed(data, "they would be of another task, or have other labels")
    for split, part in wanted.items():
        read = getattr(again, split)
        if (None if part is None else part.content_hash) != (None if read is None else read.content_hash):
            raise _changed(data, f"other texts or labels would be read from {split}")


def _changed(data: Dataset, why: str) -> DataError:
    return DataError(
        f"the files without the removed rows would be read differently ({why})",
        path=data.name if data.train is None else data.train.source,
        remedy="leave --apply out, and remove rows by clusters.jsonl; or write the data as JSON Lines first",
    )  # fmt: skip


def _write_split(
    folder: Path, split: str, examples: Examples, rows: Sequence[int], relabelled: Collection[int]
) -> None:
    source = Path(examples.source)
    as_lines = source.suffix.lower() == ".jsonl"
    if examples.lines is None or not source.is_file() or (relabelled and not as_lines):
        _write_lines(folder / f"{split}.jsonl", (record(examples, row) for row in rows))
        return
    target = folder / f"{split}{source.suffix.lower()}"
    if len(rows) == len(examples) and not relabelled:
        shutil.copyfile(source, target)
        return
    kept = set(rows)
    # Line ends are those of the source.
    with open(target, "w", encoding="utf-8", newline="") as handle:
        for line, text in decode_lines(source):
            if (row := _row_of(line, examples, split)) is None or row in kept:
                handle.write(text if row is None or row not in relabelled else _with_label(text, examples, row))


def _with_label(text: str, examples: Examples, row: int) -> str:
    """The line with the label of the row, and its other columns as they are."""
    new = record(examples, row)
    given = json.loads(text)
    labels = {key: value for key, value in new.items() if key in ("label", "labels", "tags")}
    merged = given | labels if labels.keys() <= given.keys() else new
    return json.dumps(merged, ensure_ascii=False) + text[len(text.rstrip("\r\n")) :]


def _row_of(line: int, examples: Examples, split: str) -> int | None:
    """The row that a line of the source belongs to; None for a header and the like."""
    lines, suffix = examples.lines or (), Path(examples.source).suffix.lower()
    of_words = input_of(examples.task).name == "words"
    if suffix == ".csv" or (suffix == ".tsv" and not of_words):
        row = bisect_left(lines, line)  # of a row of a table the last line is known
        return None if row == len(lines) or (row == 0 and line < lines[0]) else row
    row = bisect_right(lines, line) - 1  # of others the first
    each = suffix == ".jsonl" or (suffix == ".txt" and (split == "unlabelled" or not of_words))
    return None if row < 0 or (each and lines[row] != line) else row


def record(examples: Examples, row: int) -> dict[str, Any]:
    """A row as the object of a line of JSON Lines, from which the same row is read."""
    task, text = examples.task, examples.texts[row]
    value: dict[str, Any] = {"words": words_of(text)} if input_of(task).name == "words" else {"text": text}
    if examples.pairs is not None:
        second = examples.pairs[row]
        value |= {"text_pair": second} if isinstance(second, str) else {"choices": list(second)}
    if examples.languages is not None and examples.languages[row]:
        value["language"] = examples.languages[row]
    if examples.labels is not None:
        label = examples.labels[row]
        if isinstance(label, tuple):
            value["tags" if "words" in value else "labels"] = [task.labels[number] for number in label]
        else:
            value["label"] = task.labels[label] if task.labels and isinstance(label, int) else label
    return value


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
