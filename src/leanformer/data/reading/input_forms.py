"""Inputs in files: which columns hold them, and how a record becomes the text and the second part of a `Row`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from leanformer.data.reading.fields import check_text
from leanformer.inputs.input import InputTable
from leanformer.task import BUILT

# Pairs of column names that are read as `text` and `text_pair` where a row has both of them and no `text`.
PAIR_NAMES = (
    ("text_a", "text_b"),
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "passage"),
    ("text1", "text2"),
)
_NO_PAIRS = (
    "a second text ('text_pair'), but these are single texts (kind {!r})",
    "join the two texts yourself in 'text'; or, for pairs of texts, give every row both, leave --kind out, and take a "
    "model that was made for them",
)


@dataclass(frozen=True)
class InputForm:
    """Inputs of a kind in files.

    Attributes:
        columns: the keys of a record, or columns of a table, that hold one.
        ours: a record with other well-known names replaced by `columns`, where it has them; else None.
        is_there: whether a record, its names being ours, has more than a text, of this kind.
        second: what it has more, given `columns[1]`, the names of the record, its path and line. Raises `DataError`.
        problem: why what a row has more, or None, is not of this kind, in data of a kind of task, and the remedy; None
            where it is.
        question: the same of a question to a model.
        lines: whether a line of a plain text file can be one.
    """

    columns: tuple[str, ...]
    ours: Callable[[Mapping[str, Any]], dict[str, Any] | None]
    is_there: Callable[[Mapping[str, Any]], bool]
    second: Callable[[dict[str, Any], tuple[str, ...], object, int | None], str | None]
    problem: Callable[[str | None, str], tuple[str, str] | None]
    question: Callable[[str | None], tuple[str, str] | None]
    lines: bool


def with_our_names(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with well-known names of an input replaced by ours."""
    for form in INPUT_FORMS.values():
        if (ours := form.ours(record)) is not None:
            return ours
    return dict(record)


def form_of_kind(kind: str | None) -> InputForm:
    """How the inputs of a kind of task stand in files; of one that is not known yet, single texts."""
    return INPUT_FORMS["text" if kind is None else BUILT[kind].input]


def input_of_second(second: str | None) -> str:
    """The kind of input whose second part, or None, a row has."""
    return next(name for name, form in INPUT_FORMS.items() if form.question(second) is None)


def lacking_columns(names: Iterable[str], form: InputForm) -> list[str]:
    """Columns of the form that a header lacks, under our name or a well-known one."""
    there = with_our_names(dict.fromkeys(names))
    return [column for column in form.columns if column not in there]


def _pair_in_our_names(record: Mapping[str, Any]) -> dict[str, Any] | None:
    if "text" not in record:
        for first, second in PAIR_NAMES:
            if first in record and second in record:
                ours = {first: "text", second: "text_pair"}
                return {ours.get(name, name): value for name, value in record.items()}
    return None


def _has_pair(record: Mapping[str, Any]) -> bool:
    second = record.get("text_pair")
    return second is not None and bool(str(second).strip())


def _read_pair(record: dict[str, Any], names: tuple[str, ...], path: object, line: int | None) -> str:
    return check_text(record, "text_pair", names, path, line)


def _no_pair_problem(second: str | None, kind: str) -> tuple[str, str] | None:
    return None if second is None else (_NO_PAIRS[0].format(kind), _NO_PAIRS[1])


def _pair_problem(second: str | None, kind: str) -> tuple[str, str] | None:
    if second is not None:
        return None
    return (
        f"no second text ('text_pair'), but these are pairs of texts (kind {kind!r})",
        "give the row a second text, or remove it",
    )


def _no_pair_question(second: str | None) -> tuple[str, str] | None:
    if second is None:
        return None
    return "a second text ('text_pair'), and the model was made for single texts", "remove the column"


def _pair_question(second: str | None) -> tuple[str, str] | None:
    if second is not None:
        return None
    return "no second text ('text_pair'), and the model was made for pairs", "give every row a text_pair"


_SINGLE = InputForm(
    columns=("text",), ours=lambda record: None, is_there=lambda record: False, second=lambda *given: None,
    problem=_no_pair_problem, question=_no_pair_question, lines=True,
)  # fmt: skip
INPUT_FORMS: InputTable[InputForm] = InputTable(
    "leanformer/data/reading/input_forms.py",
    {
        "text": _SINGLE,
        "pair": InputForm(
            columns=("text", "text_pair"), ours=_pair_in_our_names, is_there=_has_pair, second=_read_pair,
            problem=_pair_problem, question=_pair_question, lines=False,
        ),
        "words": _SINGLE,  # of lists of words see `reading.conll`
    },
)  # fmt: skip
