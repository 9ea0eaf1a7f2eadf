"""Answers of any program as a teacher: soft labels or answers for rows of train, from JSON Lines.

Each line is an object with the row it answers, `text` (and `text_pair`) as in the data or `row`, its number in train
from 0, and the answer: `probabilities`, an object from label to number or a list in the order of the labels; or
`label`, `labels` or `score`. A line whose answer is null, as `leanformer label` writes it, is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.answers.form import FormTable
from leanformer.answers.labels_check import Label
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.data.reading.decoding import decode_lines
from leanformer.errors import DataError
from leanformer.strict_json import parse_json
from leanformer.task import Task, by_number
from leanformer.train.targets import labels_of

_LEAST, _NEAR_ONE, _LARGEST = 1e-6, 0.02, 1e30  # the last is far within float32
_ANSWERS = ("probabilities", "label", "labels", "score")
_Answer = tuple[Label, np.ndarray]


class _WrongError(ValueError):
    """What is wrong with a line, and the remedy."""


@dataclass(frozen=True)
class Given:
    """The rows that are learnt from, and what is learnt.

    Attributes:
        examples: rows of train, then unlabelled ones, each with an answer or else its own label; labels are the
            likeliest. probabilities: of each label `[n, outputs]`; of scores nought.
        answered: how many have an answer of the file.
    """

    examples: Examples
    probabilities: np.ndarray
    answered: int

    def logits(self, task: Task) -> np.ndarray:
        """Logits `[n, outputs]`, float32, that mean these answers to `task`, which has all of the data's labels."""
        own, chosen = self.examples.task.labels, self
        if own != task.labels:
            columns = by_number(own, task.labels) or [task.labels.index(name) for name in own]
            chosen = replace(self, probabilities=np.zeros((len(self.examples), task.outputs)))
            chosen.probabilities[:, columns] = self.probabilities
        return _FORMS[task.answer].logits(chosen, task).astype(np.float32)


def read_answers(path: Path, data: Dataset, say: Callable[[str], None] = lambda line: None) -> Given:
    """The rows of `data` to learn from, by the answers in the file.

    A row without an answer is learnt by its own label, if it has one. Answers for texts of dev and test are not used.

    Raises `DataError` naming file, line and remedy for a line that is no answer to a row, and if there are none.
    """
    form, parts = _FORMS[data.task.answer], [part for part in (data.train, data.unlabelled) if part is not None]
    inputs = [text for part in parts for text in part.inputs]
    own = () if data.train is None or data.train.labels is None else data.train.labels
    places: dict[Any, list[int]] = {}
    for number, text in enumerate(inputs):
        places.setdefault(text, []).append(number)
    held_out = {text for part in (data.dev, data.test) if part is not None for text in part.inputs}
    taken = set(data.dev_rows or ())
    rows = len(parts[0]) + len(taken) if parts else 0
    numbers = {row: place for place, row in enumerate(row for row in range(rows) if row not in taken)}
    found: dict[int, tuple[int, _Answer]] = {}
    passed_over = 0
    for line, written in decode_lines(path):
        if not written.strip():
            continue
        try:
            record = _record(written)
            if record.keys().isdisjoint(_ANSWERS):
                raise _WrongError("it has no answer", f"one of {', '.join(_ANSWERS)}, which may be null")
            if (value := next((record[key] for key in _ANSWERS if record.get(key) is not None), None)) is None:
                continue
            key, asked = _asked(record, data, numbers, taken, places, held_out)
            if not asked:
                passed_over += 1
                continue
            answer = form.read(record, value, data.task)
            for place in asked:
                if place in found:
                    raise _WrongError(f"{key} is answered in line {found[place][0]} already", "leave one of the lines")
                found[place] = line, answer
        except _WrongError as error:
            what, remedy = error.args
            raise DataError(what, path=path, line=line, remedy=remedy) from error
    if not found:
        raise DataError(
            "no answers to rows of train" + (f"; {passed_over} are to dev or test" if passed_over else ""), path=path,
            remedy='lines such as {"text": "...", "probabilities": {"LABEL": 0.9, "OTHER": 0.1}}',
        )  # fmt: skip
    used = sorted({*found, *range(len(own))})
    answers = [found[place][1] if place in found else form.of_label(own[place], data.task) for place in used]
    say(
        f"{path.name}: answers to {len(found):,} rows of {len(inputs):,}; {len(used) - len(found):,} have a label alone"
    )
    if passed_over:
        say(f"note: {path.name}: {passed_over:,} answers are to rows of dev or test, and not used")
    examples = _joined(parts, data.task).select(used)
    examples = replace(examples, labels=tuple(label for label, _ in answers))
    return Given(examples, np.array([row for _, row in answers]), len(found))


def _record(written: str) -> Mapping[str, Any]:
    try:
        record = parse_json(written.encode())
    except ValueError as error:
        raise _WrongError(f"not JSON ({error})", "one JSON object per line") from None
    if not isinstance(record, dict):
        raise _WrongError(
            f"a {type(record).__name__}, and no object", 'an object such as {"text": "...", "label": "..."}'
        )
    return record


def _asked(
    record: Mapping[str, Any], data: Dataset, numbers: Mapping[int, int], taken: set[int],
    places: Mapping[Any, list[int]], held_out: set[Any],
) -> tuple[str, list[int]]:  # fmt: skip
    """What is answered, in words, and its places among the rows; none for a row that is held out."""
    if "row" in record and "text" not in record:
        row = record["row"]
        if type(row) is not int or not (row in numbers or row in taken):
            last = len(numbers) + len(taken) - 1
            raise _WrongError(f"row is {row!r:.40}, and no number from 0 to {last}", "the number of a row of train")
        return f"row {row}", [numbers[row]] if row in numbers else []
    text: Any = record.get("text")
    if not isinstance(text, str):
        raise _WrongError("it names no row: there is neither text nor row", "the text as it is in train, or its row")
    if any(part.pairs is not None for part in (data.train, data.unlabelled) if part is not None):
        text = (text, record.get("text_pair"))
    if text not in places and text not in held_out:
        raise _WrongError(
            f"no row of train or unlabelled has the text {text!r:.60}",
            "the text as it is there, or a file unlabelled.txt",
        )
    return "the text", places.get(text, [])


def _joined(parts: list[Examples], task: Task) -> Examples:
    languages = [part.languages for part in parts]
    pairs = [part.pairs for part in parts]
    return Examples(
        task, tuple(text for part in parts for text in part.texts), None,
        tuple(pair for group in pairs for pair in group or ()) if all(pairs) else None, parts[0].source,
        tuple(name for group in languages for name in group or ()) if all(languages) else None,
    )  # fmt: skip


def _number_of(name: object, task: Task) -> int:
    if str(name) not in task.labels:
        raise _WrongError(f"{name!r:.60} is no label of the data", f"one of {', '.join(task.labels[:20])}")
    return task.labels.index(str(name))


def _probabilities(value: Any, task: Task) -> np.ndarray:
    if isinstance(value, dict):
        given = {_number_of(name, task): number for name, number in value.items()}
    elif isinstance(value, list) and len(value) == task.outputs:
        given = dict(enumerate(value))
    else:
        raise _WrongError(
            f"probabilities are {value!r:.40}", f"an object from label to number, or a list of {task.outputs} numbers"
        )
    numbers = [given.get(index, 0.0) for index in range(task.outputs)]
    if not all(type(number) in (int, float) and 0 <= number <= 1 for number in numbers):
        raise _WrongError(f"probabilities are {value!r:.60}", "numbers from 0 to 1")
    return np.array(numbers, dtype=np.float64)


def _one_label(record: Mapping[str, Any], value: Any, task: Task) -> _Answer:
    if record.get("probabilities") is None:
        return _of_class(_number_of(value, task), task)
    row = _probabilities(value, task)
    if abs(row.sum() - 1) > _NEAR_ONE:
        raise _WrongError(
            f"the probabilities add up to {row.sum():.4g}", "probabilities of all labels, which add up to 1"
        )
    return int(row.argmax()), row / row.sum()


def _of_class(label: Label, task: Task) -> _Answer:
    return label, np.eye(task.outputs)[label]  # type: ignore[index]  # a number


def _any_labels(record: Mapping[str, Any], value: Any, task: Task) -> _Answer:
    if record.get("probabilities") is not None:
        row = _probabilities(value, task)
        return tuple(int(index) for index in np.flatnonzero(row > 0.5)), row
    if not isinstance(value, list):
        raise _WrongError(f"labels are {value!r:.60}, and no list", "a list of label names, which may be empty")
    return _of_set(tuple(sorted({_number_of(name, task) for name in value})), task)


def _of_set(label: Label, task: Task) -> _Answer:
    row = np.zeros(task.outputs)
    row[list(label)] = 1  # type: ignore[arg-type]
    return label, row


def _score(record: Mapping[str, Any], value: Any, task: Task) -> _Answer:
    if type(value) not in (int, float) or abs(value) > _LARGEST:
        raise _WrongError(f"the score is {value!r:.60}", f"a number of at most {_LARGEST:g}")
    return float(value), np.zeros(1)


def _log_odds(given: Given, task: Task) -> np.ndarray:
    bounded = given.probabilities.clip(_LEAST, 1 - _LEAST)
    found: np.ndarray = np.log(bounded) - np.log1p(-bounded)
    return found


@dataclass(frozen=True)
class _Form:
    read: Callable[[Mapping[str, Any], Any, Task], _Answer]
    of_label: Callable[[Label, Task], _Answer]
    logits: Callable[[Given, Task], np.ndarray]


_FORMS: FormTable[_Form] = FormTable(
    "leanformer/train/given_answers.py",
    {
        "label": _Form(_one_label, _of_class, lambda given, task: np.log(given.probabilities.clip(_LEAST))),
        "labels": _Form(_any_labels, _of_set, _log_odds),
        "score": _Form(
            _score,
            lambda label, task: (label, np.zeros(1)),
            lambda given, task: labels_of(replace(given.examples, task=task))[:, None],
        ),
    },
)
