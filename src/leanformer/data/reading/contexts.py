"""Questions with a context and their answers in files: the columns, and where the answers stand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from leanformer.answers.labels_check import Label
from leanformer.data.reading.fields import check_text
from leanformer.data.row import Row, RowLabel, Table, describe
from leanformer.errors import DataError

Second = str | tuple[str, ...] | None
"""What an example has beside its text: a second text, a context, candidates, or nothing."""
_GIVE_CONTEXT = "give every row a question and the context that the answer is a piece of: 'question' and 'context'"


class ContextText(str):
    """A second text that is the context of a question."""

    __slots__ = ()


def context_in_our_names(record: Mapping[str, Any]) -> dict[str, Any] | None:
    if "context" not in record or "question" not in record or "text" in record:
        return None
    return {{"question": "text"}.get(name, name): value for name, value in record.items()}


def has_context(record: Mapping[str, Any]) -> bool:
    """A context beside a question; with a label it is a second text like any other."""
    return isinstance(record.get("context"), str) and not {"text_pair", "choices", "label", "labels"} & record.keys()


def read_context(record: dict[str, Any], names: tuple[str, ...], path: object, line: int | None) -> ContextText:
    return ContextText(check_text(record, "context", names, path, line))


def context_problem(second: Second, kind: str) -> tuple[str, str] | None:
    if isinstance(second, ContextText):
        return None
    return f"no context ('context'), but these are questions with a context (kind {kind!r})", _GIVE_CONTEXT


def context_question(second: Second) -> tuple[str, str] | None:
    if isinstance(second, ContextText):
        return None
    return "no context ('context'), and the model answers from one", _GIVE_CONTEXT


def read_answers(record: Mapping[str, Any], path: object, line: int | None) -> tuple[tuple[str, int], ...] | None:
    """The right answers of a question, each with its first character; none if there is no answer.

    `answers` is a list of objects with `text` and `start` (or `answer_start`), or an object of two lists, as the
    library `datasets` has it; in a table, either of them as JSON.
    """
    given = record.get("answers")
    if isinstance(given, str) and given.strip():
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            given = [given]
    if given is None or given == "":
        return () if record.get("is_impossible") is True else None
    if isinstance(given, Mapping) and {"text", "answer_start"} <= given.keys():
        texts, starts = given["text"], given["answer_start"]
        same = isinstance(texts, list) and isinstance(starts, list) and len(texts) == len(starts)
        given = [dict(zip(("text", "start"), pair, strict=True)) for pair in zip(texts, starts)] if same else [given]  # noqa: B905
    found = []
    for answer in given if isinstance(given, list) else [given]:
        text, start = (
            (answer.get("text"), answer.get("start", answer.get("answer_start")))
            if isinstance(answer, Mapping) else (None, None)
        )  # fmt: skip
        if not isinstance(text, str) or not text or not isinstance(start, int) or isinstance(start, bool):
            raise DataError(
                f"'answers' holds {describe(answer)}, and an answer has a text and a start", path=path, line=line,
                remedy='write every answer with its first character in the context, from 0: "answers": [{"text": '
                '"Ada", "start": 7}]; an empty list says that there is none',
            )  # fmt: skip
        found.append((text, start))
    return tuple(dict.fromkeys(found))


def spans_problem(label: RowLabel, kind: str) -> tuple[str, str] | None:
    if isinstance(label, tuple):
        return None
    return (
        f"the label is {label!r}, but answers in the context were expected (kind {kind!r})",
        'write a list: "answers": [{"text": "Ada", "start": 7}]',
    )


def read_spans(table: Table, row: Row, index: Mapping[str, int]) -> Label:
    """The first character and the end of each right answer, which must stand in the context where it is said to."""
    answers: Any = row.label or ()  # `spans_problem` comes first
    context, spans = str(row.pair), []
    for text, start in answers:
        end = start + len(text)
        if start < 0 or context[start:end] != text:
            place = context.find(text)
            raise table.error(
                f"the answer {text!r:.60} does not stand in the context at its start, {start}, "
                + (f"but at {place}" if place >= 0 else "nor anywhere else"), row,
                remedy="count the start in characters (Unicode code points) of the context, from 0, and write the "
                "answer letter for letter",
            )  # fmt: skip
        spans.append((start, end))
    return tuple(spans)


def require_answers(tables: Mapping[str, Table], given: Sequence[str] | None) -> tuple[str, ...]:
    """No names. Raises `DataError` for a question without an answer if every question of train has one."""
    train = tables.get("train")
    if train is None or not train.rows or not all(row.label for row in train.rows):
        return ()
    for split in ("dev", "test"):
        for row in tables[split].rows if split in tables else ():
            if row.label == ():
                raise tables[split].error(
                    "the question has no answer, and each of train has one, so that no model could learn to give none",
                    row, remedy="remove it, give its answer, or add questions without an answer to train",
                )  # fmt: skip
    return ()
