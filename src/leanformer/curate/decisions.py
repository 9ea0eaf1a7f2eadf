"""Decisions about suspected labels of train, from a file of JSON Lines as the page of suspects writes it.

    {"format_version": 1, "data": "the content hash of train"}
    {"row": 12, "decision": "relabel", "label": "LOC"}
    {"row": 31, "decision": "drop"}
    {"row": 40, "decision": "keep"}

Rows are counted from 1. A label is a name, or for any number of labels a list of names. For tags, "word" says which
word is meant, from 1, and the label is its tag.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leanformer.answers.forms import form_of
from leanformer.answers.labels_check import Label
from leanformer.curate.curation import need_train
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.data.label_forms import LABEL_FORMS, join_names
from leanformer.errors import DataError
from leanformer.schema import fields, listed, text, whole
from leanformer.strict_json import parse_json, read_bounded
from leanformer.tagging.schemes import to_iob2, types_of

FORMAT_VERSION = 1
RELABEL, DROP, KEEP = "relabel", "drop", "keep"
_HEADER = fields({"format_version": whole(1, FORMAT_VERSION), "data": text(64)})
_DECISION = fields({"row": whole(1), "decision": text(20, among=(RELABEL, DROP, KEEP))}, {"word": whole(1)})
_AGAIN = "save the decisions again on the page suspects.html, or write the line as those above it"


@dataclass(frozen=True)
class Decided:
    """A data set with the decided labels, and what was decided.

    Attributes:
        data: with the new labels; all rows are there.
        relabelled, dropped: rows of train, from 0, ascending; those with a new label, and those to leave out.
        kept: the number of labels that were looked at and are right.
    """

    data: Dataset
    relabelled: tuple[int, ...]
    dropped: tuple[int, ...]
    kept: int


def decide_labels(path: Path, data: Dataset) -> Decided:
    """Read the decisions and change the labels of train; dev and test stay as they are.

    Raises `DataError`, with the line, for a file that is not one of decisions or is one about other data, for a row,
    word or label that is not there, for two decisions about one label, and for a label that would lose its last row.
    """
    train = need_train(data)
    assert train.labels is not None
    lines = _lines(path)
    _check_header(path, lines, train)
    labels = list(train.labels)
    first: dict[tuple[int, int | None], int] = {}
    relabelled: dict[int, int] = {}
    dropped: dict[int, int] = {}
    kept = 0
    for line, value in lines[1:]:
        _check(path, line, value, _DECISION, _AGAIN)
        row, word = value["row"] - 1, _word(path, line, value, train)
        if (before := first.setdefault((row, word), line)) != line:
            raise DataError(
                f"row {row + 1} was already decided in line {before}", path=path, line=line,
                remedy="remove one of the two lines",
            )  # fmt: skip
        if value["decision"] == DROP:
            dropped[row] = line
        elif value["decision"] == KEEP:
            kept += 1
        else:
            labels[row] = _relabelled(path, line, value, train, labels[row], word)
            relabelled.setdefault(row, line)
    if form_of(train.task).per_word:  # a word may now begin what goes on after it
        labels = [_legal(label, train.task.labels) if row in relabelled else label for row, label in enumerate(labels)]
    _check_left(path, train, labels, relabelled, dropped)
    changed = tuple(sorted(row for row in relabelled if row not in dropped and labels[row] != train.labels[row]))
    return Decided(
        replace(data, train=replace(train, labels=tuple(labels))), changed, tuple(sorted(dropped)), kept
    )  # fmt: skip


def _lines(path: Path) -> list[tuple[int, Any]]:
    """The number and value of each line that is not blank."""
    try:
        content = read_bounded(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot be read ({error})", path=path, remedy="give the file that the page suspects.html saved"
        ) from error
    found = []
    for line, written in enumerate(content.splitlines(), start=1):
        if written.strip():
            try:
                found.append((line, parse_json(written)))
            except ValueError as error:
                raise DataError(f"not JSON ({error})", path=path, line=line, remedy=_AGAIN) from error
    return found


def _check(path: Path, line: int, value: Any, check: Any, remedy: str) -> None:
    try:
        check(value, "it")
    except ValueError as error:
        raise DataError(str(error), path=path, line=line, remedy=remedy) from error


def _check_header(path: Path, lines: Sequence[tuple[int, Any]], train: Examples) -> None:
    line, header = lines[0] if lines else (1, {})
    _check(
        path, line, header, _HEADER, "give the file that the page suspects.html saved; its first line names the data"
    )
    if header["data"] != train.content_hash:
        raise DataError(
            f"the decisions are about other texts or labels than those of {train.source or 'train'} now", path=path,
            line=line, remedy="give the data as they were; or run `leanformer curate` again and decide on its new page",
        )  # fmt: skip


def _word(path: Path, line: int, value: Mapping[str, Any], train: Examples) -> int | None:
    """The number of the word, from 0, once row and word are known to be there."""
    if value["row"] > len(train):
        raise DataError(
            f"there is no row {value['row']}, train has {len(train)}", path=path, line=line, remedy="remove the line"
        )
    if not form_of(train.task).per_word or value["decision"] == DROP:
        return None
    assert train.labels is not None
    words = train.labels[value["row"] - 1]
    assert isinstance(words, tuple)
    if not 1 <= (word := value.get("word", 0)) <= len(words):
        raise DataError(
            f"there is no word {word} in row {value['row']}, which has {len(words)} words" if word else "no 'word'",
            path=path, line=line, remedy='say which word is meant, such as "word": 1 for the first; or remove the line',
        )  # fmt: skip
    return int(word) - 1


def _relabelled(
    path: Path, line: int, value: Mapping[str, Any], train: Examples, label: Label, word: int | None
) -> Label:
    names, per_word = train.task.labels, form_of(train.task).per_word
    several = LABEL_FORMS[train.task.answer].listed
    given: Any = value.get("label")
    wanted: Any = given if several else [given]
    try:
        listed(text(1000))(wanted, "it.label")
    except ValueError as error:
        example = f'a list of names, such as "label": ["{names[0]}"]' if several else f'a name: "label": "{names[0]}"'
        raise DataError(
            str(error).replace("it.label[0]", "it.label"), path=path, line=line, remedy=f"write {example}"
        ) from error
    if unknown := [name for name in wanted if name not in names]:
        near = difflib.get_close_matches(unknown[0], names, n=1)
        raise DataError(
            f"the label {unknown[0]!r} is not one of the {len(names)} labels: {join_names(names)}",
            path=path, line=line,
            remedy=f"write {near[0]!r} if that is meant, or another of them" if near else "write one of them",
        )  # fmt: skip
    numbers = tuple(sorted({names.index(name) for name in wanted}))
    if per_word:
        assert isinstance(label, tuple) and word is not None
        return (*label[:word], numbers[0], *label[word + 1 :])
    return numbers if several else numbers[0]


def _legal(label: Label, names: Sequence[str]) -> Label:
    assert isinstance(label, tuple)
    return tuple(names.index(tag) for tag in to_iob2([names[number] for number in label]))


def _check_left(
    path: Path, train: Examples, labels: Sequence[Label], relabelled: Mapping[int, int], dropped: Mapping[int, int]
) -> None:
    """Raise `DataError` if no row has a label any more: the task would be another one."""
    assert train.labels is not None
    left = {name for row, label in enumerate(labels) if row not in dropped for name in _names(label, train)}
    for row, line in {**relabelled, **dropped}.items():
        if gone := sorted(_names(train.labels[row], train) - left):
            raise DataError(
                f"no row would have the label {gone[0]!r} any more", path=path, line=line,
                remedy="remove the line; or correct the file of train, if the label is not wanted",
            )  # fmt: skip


def _names(label: Label, train: Examples) -> set[str]:
    """The names of a label, or of the types of tags."""
    names = {train.task.labels[number] for number in (label if isinstance(label, tuple) else (int(label),))}
    return set(types_of(names)) if form_of(train.task).per_word else names
