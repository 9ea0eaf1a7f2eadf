"""Inputs in files: which columns hold them, and how a record becomes the text and the second part of a `Row`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leanformer.data.reading.cells import parse_list
from leanformer.data.reading.contexts import (
    ContextText,
    Second,
    context_in_our_names,
    context_problem,
    context_question,
    has_context,
    read_answers,
    read_context,
)
from leanformer.data.reading.fields import check_text, missing_column
from leanformer.data.row import LABEL_SEPARATOR, RowLabel, describe
from leanformer.errors import DataError
from leanformer.inputs.choices import FEWEST
from leanformer.inputs.input import InputTable
from leanformer.task import BUILT

# Pairs of column names read as `text` and `text_pair` if a row has both of them and no `text`.
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
_CANDIDATES = "candidates ('choices'), but these are {}"
_CANDIDATES_ASKED = "candidates ('choices'), and the model was made for {}"
_NO_CANDIDATES = "remove the candidates; or leave --kind out, and train a model that chooses one of several"
_GIVE_CANDIDATES = (
    'give every row a list of them, "choices": ["one answer", "another"], or columns choice1, choice2, ...'
)
_NO_CONTEXT = "rename it to text_pair; or leave --kind out, and train a model that answers from a context"
_NUMBERED = re.compile(r"choice_?([0-9]{1,2})")
# Names of the question, in this order; some data sets have two of them.
_TEXTS = ("text", "premise", "question")


@dataclass(frozen=True)
class InputForm:
    """How inputs of one kind are stored in files.

    Attributes:
        columns: the keys of a record, or columns of a table, that hold an input.
        ours: a record with other well-known names replaced by `columns`, if it has them; otherwise None.
        is_there: whether a record, with our names, has the second part of this kind.
        second: the second part, given the record with our names, the original names, path and line. Raises `DataError`.
        problem: why a row's second part (or None) is not of this kind, in data of a kind of task, and the remedy; None
            if it is.
        question: the same for a question to a model.
        kind: the only kind of task with such inputs; None if there are several.
        answers: the label, given the record with our names, path and line, if it is not under `label` or `labels`;
            None if it is.
        answer_keys: the keys that `answers` looks at.
        lines: whether a line of a plain text file can be an input.
    """

    columns: tuple[str, ...]
    ours: Callable[[Mapping[str, Any]], dict[str, Any] | None]
    is_there: Callable[[Mapping[str, Any]], bool]
    second: Callable[[dict[str, Any], tuple[str, ...], object, int | None], Second]
    problem: Callable[[Second, str], tuple[str, str] | None]
    question: Callable[[Second], tuple[str, str] | None]
    lines: bool
    kind: str | None = None
    answers: Callable[[Mapping[str, Any], object, int | None], RowLabel | None] | None = None
    answer_keys: tuple[str, ...] = ()


def with_our_names(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with well-known names of an input replaced by ours."""
    for form in INPUT_FORMS.values():
        if (ours := form.ours(record)) is not None:
            return ours
    return dict(record)


def form_of_kind(kind: str | None) -> InputForm:
    """How the inputs of a kind of task are stored in files; single texts if the kind is not known yet."""
    return INPUT_FORMS["text" if kind is None else BUILT[kind].input]


def input_of_second(second: Second) -> str:
    """The kind of input, given a row's second part or None."""
    return next(name for name, form in INPUT_FORMS.items() if form.question(second) is None)


def lacking_columns(names: Iterable[str], form: InputForm) -> list[str]:
    """Columns of the form that are missing in a header, under our name and under well-known ones."""
    header: dict[str, Any] = dict.fromkeys(names)
    # If the task has no candidates, columns of candidates may exist and are ordinary ones.
    headers = [header] if form.kind else [header, without_candidates(header)]
    found = [with_our_names(variant) for variant in headers]
    return min(([column for column in form.columns if column not in there] for there in found), key=len)


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


def _no_pair_problem(second: Second, kind: str) -> tuple[str, str] | None:
    if isinstance(second, tuple):
        return _CANDIDATES.format(f"single texts (kind {kind!r})"), _NO_CANDIDATES
    return None if second is None else (_NO_PAIRS[0].format(kind), _NO_PAIRS[1])


def _pair_problem(second: Second, kind: str) -> tuple[str, str] | None:
    if isinstance(second, ContextText):
        return f"a context ('context'), but these are pairs of texts (kind {kind!r})", _NO_CONTEXT
    if isinstance(second, tuple):
        return _CANDIDATES.format(f"pairs of texts (kind {kind!r})"), _NO_CANDIDATES
    if second is not None:
        return None
    return (
        f"no second text ('text_pair'), but these are pairs of texts (kind {kind!r})",
        "give the row a second text, or remove it",
    )


def _choices_problem(second: Second, kind: str) -> tuple[str, str] | None:
    if isinstance(second, tuple):
        return None
    return f"no candidates ('choices'), but these are questions with candidates (kind {kind!r})", _GIVE_CANDIDATES


def _no_pair_question(second: Second) -> tuple[str, str] | None:
    if second is None:
        return None
    if isinstance(second, tuple):
        return _CANDIDATES_ASKED.format("single texts"), "remove the candidates"
    return "a second text ('text_pair'), and the model was made for single texts", "remove the column"


def _pair_question(second: Second) -> tuple[str, str] | None:
    if isinstance(second, ContextText):
        return "a context ('context'), and the model was made for pairs", _NO_CONTEXT
    if isinstance(second, str):
        return None
    if second is not None:
        return _CANDIDATES_ASKED.format("pairs"), "give every row a text_pair in place of candidates"
    return "no second text ('text_pair'), and the model was made for pairs", "give every row a text_pair"


def _choices_question(second: Second) -> tuple[str, str] | None:
    if isinstance(second, tuple):
        return None
    return "no candidates ('choices'), and the model chooses one of several", _GIVE_CANDIDATES


def _choices_in_our_names(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """`choice1`, `choice2`, ... as `choices`; the text is taken from `text` or `premise`, and `question`."""
    columns = candidate_columns(tuple(record))
    numbered = {int(found[1]): name for name in columns if (found := _NUMBERED.fullmatch(name))}
    if "choices" not in record and len(numbered) < FEWEST:
        return None
    texts = [record[name] for name in _TEXTS if name in record]
    if not texts or ("choices" in record and "question" not in record and "text" in record):
        return None
    used = {*_TEXTS, "choices", *numbered.values()}
    ours = {name: value for name, value in record.items() if name not in used}
    written = [text for text in texts if not isinstance(text, str) or text.strip()]
    joined = all(isinstance(text, str) for text in written)
    ours["text"] = " ".join(text.strip() for text in written) if joined else next(iter(written))
    ours["choices"] = record["choices"] if "choices" in record else [record[numbered[i]] for i in sorted(numbered)]
    return ours


@lru_cache(maxsize=256)
def candidate_columns(names: tuple[Any, ...]) -> tuple[str, ...]:
    """Those of the names that are columns of candidates."""
    return tuple(name for name in names if isinstance(name, str) and (name == "choices" or _NUMBERED.fullmatch(name)))


def name_candidates(names: Iterable[Any]) -> bool:
    """Whether columns with these names hold candidates."""
    found = candidate_columns(tuple(names))
    return "choices" in found or len(found) >= FEWEST


def without_candidates(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without columns that hold candidates."""
    columns = candidate_columns(tuple(record))
    return {name: value for name, value in record.items() if name not in columns}


def _has_choices(record: Mapping[str, Any]) -> bool:
    given = record.get("choices")
    choices = _listed(given)
    # A cell with a single item may be anything.
    several = isinstance(choices, list) and (len(choices) >= FEWEST or not isinstance(given, str))
    return several and isinstance(record.get("text"), str)


def _listed(value: Any) -> Any:
    """Candidates as a list, without trailing empty ones.

    A cell is split at "|", or parsed as a list in the notation of JSON, pandas or NumPy.
    """
    if isinstance(value, str):
        value = _written_list(value)
    if not isinstance(value, list | tuple):
        return value
    value = [choice.strip() if isinstance(choice, str) else choice for choice in value]
    while value and value[-1] in (None, ""):
        value.pop()
    return value


def _written_list(cell: str) -> Any:
    if not cell.lstrip().startswith("["):
        return cell.split(LABEL_SEPARATOR)
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        found = parse_list(cell)
    if found is None:
        return cell.split(LABEL_SEPARATOR) if LABEL_SEPARATOR in cell else cell
    return found


def _read_choices(record: dict[str, Any], names: tuple[str, ...], path: object, line: int | None) -> tuple[str, ...]:
    if "choices" not in record:
        raise missing_column("choices", names, path=path, line=line)
    choices = _listed(record["choices"])
    if not isinstance(choices, list) or len(choices) < FEWEST:
        what = f"a list of {len(choices)}" if isinstance(choices, list) else describe(choices)
        raise DataError(
            f"'choices' is {what}, but a question has at least {FEWEST} candidates", path=path, line=line,
            remedy=_GIVE_CANDIDATES,
        )  # fmt: skip
    named = {f"choice {number}": choice for number, choice in enumerate(choices, start=1)}
    return tuple(check_text(named, name, names, path, line) for name in named)


_SINGLE = InputForm(
    columns=("text",), ours=lambda record: None, is_there=lambda record: False, second=lambda *given: None,
    problem=_no_pair_problem, question=_no_pair_question, lines=True,
)  # fmt: skip
INPUT_FORMS: InputTable[InputForm] = InputTable(
    "leanformer/data/reading/input_forms.py",
    {
        "text": _SINGLE,
        "choices": InputForm(
            columns=("text", "choices"), ours=_choices_in_our_names, is_there=_has_choices, second=_read_choices,
            problem=_choices_problem, question=_choices_question, lines=False, kind="choice",
        ),
        "context": InputForm(
            columns=("text", "context"), ours=context_in_our_names, is_there=has_context, second=read_context,
            problem=context_problem, question=context_question, lines=False, kind="span",
            answers=read_answers, answer_keys=("answers", "is_impossible"),
        ),
        "pair": InputForm(
            columns=("text", "text_pair"), ours=_pair_in_our_names, is_there=_has_pair, second=_read_pair,
            problem=_pair_problem, question=_pair_question, lines=False,
        ),
        "words": _SINGLE,  # for lists of words see `reading.conll`
    },
)  # fmt: skip
