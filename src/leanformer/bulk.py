"""Rows of an input, each answered or refused separately: an invalid row does not stop the others."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from leanformer.answers.prediction import to_record
from leanformer.errors import DataError, LeanformerError
from leanformer.predictor import CHUNK, Predictor, answers, answers_by_chunk, chunked
from leanformer.questions import check_texts
from leanformer.task import Question, Task

# Fields of an answer; columns of the input cannot be kept under these names.
OWN_NAMES = (
    "row", "text", "text_pair", "choices", "choice", "label", "labels", "score", "probabilities", "spans", "vector",
    "question", "answer", "start", "end", "others", "error",
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A row of an input.

    Attributes:
        number: of the row, from 1, including blank ones.
        question: the input for the model; None if the row has none.
        problem: why it cannot be answered; None if no reason is known.
        kept: columns to copy into the answer.
        where: position in a file for messages, such as "rows.csv, line 3"; "" without a file.
    """

    number: int
    question: Question | None
    problem: DataError | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""


def numbered(questions: Iterable[Question]) -> Iterator[Asked]:
    """Questions as numbered rows."""
    return (Asked(number, question) for number, question in enumerate(questions, start=1))


def answer_rows(predictor: Predictor, rows: Iterable[Asked], size: int = CHUNK) -> Iterator[dict[str, Any]]:
    """One record per row, in order: `{"row", kept columns, text, answer}`, or with `error` in place of the answer.

    Rows are scored `size` at a time, and about three times as many are in memory. Exceptions of `rows` itself are
    raised here, after the records of the rows before.
    """
    chunks: Iterator[list[Asked]] = iter(chunked(_looked_at(rows, predictor.task), size))
    waiting: deque[list[Asked]] = deque()
    failures: list[Exception] = []

    def questions() -> Iterator[list[Question]]:
        while not failures:
            try:
                waiting.append(next(chunks))
            except StopIteration:
                return
            except Exception as error:  # whatever it is, earlier rows get their answers first
                failures.append(error)
                return
            yield [row.question for row in waiting[-1] if row.problem is None and row.question is not None]

    while True:
        try:
            for _, found in answers_by_chunk(predictor, questions()):
                left = iter(found)
                for row in waiting.popleft():
                    yield _refused(row) if row.problem is not None else _answered(row, next(left))
        except (DataError, TypeError):
            if not waiting:
                raise
            # Chunks come back in order, so the first waiting one is the one that could not be scored.
            yield from _apart(predictor, waiting.popleft())
            chunks = chain(list(waiting), chunks)
            waiting.clear()
            continue
        break
    if failures:
        raise failures[0]


@dataclass
class Tally:
    """Counts rows, and those without an answer.

    Attributes:
        first: the error of the first row without an answer.
    """

    rows: int = 0
    without: int = 0
    first: str = ""

    def count(self, record: Mapping[str, Any]) -> None:
        self.rows += 1
        if "error" in record:
            self.without += 1
            self.first = self.first or f"row {record['row']:,}: {record['error']}"

    def check(self) -> None:
        """Raises `LeanformerError` if no row has an answer."""
        if self.without and self.without == self.rows:
            rows = "the only row has no answer" if self.rows == 1 else f"none of {self.rows:,} rows has an answer"
            raise LeanformerError(f"{rows}; {self.first}\n  remedy: --strict says where it is and what to do")


def to_line(record: Mapping[str, Any]) -> str:
    """A record as a line of JSON, with non-ASCII characters if they can be encoded as UTF-8, otherwise escaped."""
    line = json.dumps(record, ensure_ascii=False)
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        # The text of a refused row, or a kept column, may contain half of a surrogate pair.
        return json.dumps(record)
    return line


def strictly(rows: Iterable[Asked]) -> Iterator[Asked]:
    """The rows up to the first one with a known problem, which is raised."""
    for row in rows:
        if row.problem is not None:
            raise row.problem
        yield row


def text_fields(question: Question | None) -> dict[str, Any]:
    """The part of a record that repeats the question (see `prediction.to_record`)."""
    if question is None:
        return {}
    if isinstance(question, str):
        return {"text": question}
    if isinstance(question, tuple):
        text, second = question
        return {"text": text, "text_pair": second} if isinstance(second, str) else {"text": text, "choices": [*second]}
    return {"text": " ".join(question)}


def check_kept(names: Iterable[str]) -> None:
    """Raises `LeanformerError` for a name under which no column can be kept."""
    for name in names:
        if name in OWN_NAMES:
            raise LeanformerError(
                f"--keep {name}: an answer has a {name!r} of its own\n  remedy: --keep {name}=given_{name}"
            )


def _looked_at(rows: Iterable[Asked], task: Task) -> Iterator[Asked]:
    for row in rows:
        if row.problem is None and row.question is not None:
            try:
                check_texts([row.question], task)
            except (DataError, TypeError) as error:
                row = replace(row, problem=_of_one(error, row))
        yield row


def _of_one(error: DataError | TypeError, row: Asked) -> DataError:
    """Turn an error about "text 1" of a list into one about this row."""
    problem, _, remedy = str(error).partition("\n  remedy: ")
    problem = problem.replace("text 1: its", "its").replace("text 1 ", "the text ")
    return DataError(problem, path=row.where or f"row {row.number}", remedy=remedy)


def _apart(predictor: Predictor, rows: Sequence[Asked]) -> Iterator[dict[str, Any]]:
    """The records of rows of which at least one is invalid for the model; it is found by bisection."""
    asked = [row for row in rows if row.problem is None and row.question is not None]
    try:
        found = iter(answers(predictor, [row.question for row in asked if row.question is not None]))
    except (DataError, TypeError) as error:
        if len(rows) == 1:
            yield _refused(replace(rows[0], problem=_of_one(error, rows[0])))
            return
        middle = len(rows) // 2
        yield from _apart(predictor, rows[:middle])
        yield from _apart(predictor, rows[middle:])
        return
    for row in rows:
        yield _refused(row) if row.problem is not None else _answered(row, next(found))


def _answered(row: Asked, answer: Any) -> dict[str, Any]:
    assert row.question is not None, "a row without a problem has a question"
    return {"row": row.number, **row.kept, **to_record(row.question, answer)}


def _refused(row: Asked) -> dict[str, Any]:
    problem = row.problem.problem if row.problem is not None else ""
    return {"row": row.number, **row.kept, **text_fields(row.question), "error": problem}
