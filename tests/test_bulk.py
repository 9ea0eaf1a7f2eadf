"""Rows are answered or refused one by one: whatever is wrong with some, the others have the answers they would have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from leanformer.bulk import Asked, Tally, answer_rows, check_kept, numbered, strictly, to_line
from leanformer.errors import DataError, LeanformerError
from leanformer.task import Task
from tests.making.tiny import TASK


class Picky:
    """Tells the number in a text, and takes none with "bad" in it, as a tokenizer that finds it too late."""

    def __init__(self, task: Task = TASK, stream: bool = False) -> None:
        self.task, self.calls = task, 0
        if stream:
            self.stream = self._stream

    def tokenize(self, texts: Sequence[Any]) -> list[np.ndarray]:
        self.calls += 1
        texts = [text if isinstance(text, str) else text[1] for text in texts]
        for number, text in enumerate(texts, start=1):
            if "bad" in text:
                raise DataError(f"text {number} has half of a surrogate pair", remedy="mend it")
        return [np.array([int(text.split()[-1]) % 3], np.int32) for text in texts]

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[[int(row[0]) for row in rows]].reshape(len(rows), 3)

    def _stream(self, chunks: Iterable[Sequence[Any]]) -> Iterator[tuple[Sequence[Any], np.ndarray]]:
        """Three chunks ahead, as the light predictor reads them."""
        held: list[Sequence[Any]] = []
        for chunk in chunks:
            held.append(chunk)
            if len(held) == 3:
                yield held[0], self.infer(self.tokenize(held.pop(0)))
        for chunk in held:
            yield chunk, self.infer(self.tokenize(chunk))


BAD = {3, 4, 11, 20}


def rows(count: int = 23) -> list[Asked]:
    found = []
    for number in range(1, count + 1):
        text = f"bad {number}" if number in BAD else f"text {number}"
        problem = DataError("an empty text", path="a.csv", line=number + 1) if number % 7 == 0 else None
        found.append(Asked(number, text, problem, {"id": f"n{number}"}, f"a.csv, line {number + 1}"))
    return found


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_each_row_has_its_line_whatever_the_others_are(size: int, stream: bool) -> None:
    found = list(answer_rows(Picky(stream=stream), iter(rows()), size))
    assert [row["row"] for row in found] == list(range(1, 24))
    assert [row["id"] for row in found] == [f"n{number}" for number in range(1, 24)]
    for row in found:
        if row["row"] % 7 == 0:
            assert row["error"] == "an empty text" and "label" not in row
        elif row["row"] in BAD:
            assert row["error"] == "the text has half of a surrogate pair" and row["text"] == f"bad {row['row']}"
        else:
            assert row["label"] == TASK.labels[row["row"] % 3] and "error" not in row


def test_one_bad_row_costs_few_calls() -> None:
    model = Picky()
    assert (
        sum("error" in row for row in answer_rows(model, numbered(["bad 1", *(f"t {n}" for n in range(255))]), 256))
        == 1
    )
    assert model.calls < 30


def test_nothing_in_nothing_out_and_all_bad() -> None:
    assert list(answer_rows(Picky(), [])) == []
    assert [row["error"] for row in answer_rows(Picky(), numbered(["", "\u200b"]))] == [
        "the text is empty",
        r"the text is empty ('\u200b')",
    ]
    assert all("error" in row for row in answer_rows(Picky(), numbered(["bad"] * 5), 2))


def test_what_is_no_question_is_said_in_its_place() -> None:
    pairs = Picky(Task("pair", TASK.labels))
    errors = [row["error"] for row in answer_rows(pairs, numbered(["a 1", ("a", ""), ("a", "b 1")])) if "error" in row]
    assert errors[0].startswith("the text is a single text") and errors[1].startswith("its second text is empty")


def test_what_the_input_raises_comes_after_the_rows_before() -> None:
    def broken() -> Iterator[Asked]:
        yield from rows(4)
        raise DataError("the file ends in the middle")

    found = answer_rows(Picky(), broken(), 2)
    assert [next(found)["row"] for _ in range(4)] == [1, 2, 3, 4]
    with pytest.raises(DataError, match="in the middle"):
        next(found)


def test_what_is_no_fault_of_a_text_is_raised() -> None:
    class Broken(Picky):
        def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
            raise MemoryError("no memory")

    with pytest.raises(MemoryError):
        list(answer_rows(Broken(), rows()))


def test_strictly_the_first_stops_it() -> None:
    with pytest.raises(DataError, match=r"a.csv, line 8: an empty text"):
        list(strictly(rows()))


def test_only_so_many_rows_are_held() -> None:
    taken = 0

    def counted() -> Iterator[Asked]:
        nonlocal taken
        for row in rows(200):
            taken += 1
            yield row

    found = answer_rows(Picky(stream=True), counted(), 4)
    for number in range(1, 100):
        next(found)
        assert taken <= number + 4 * 4


def test_names_of_our_own_are_not_taken() -> None:
    check_kept(["id", "when"])
    for name in ("row", "text", "label", "error", "probabilities"):
        with pytest.raises(LeanformerError, match=f"--keep {name}=given_{name}"):
            check_kept([name])


def test_a_tally_is_an_error_only_where_nothing_has_an_answer() -> None:
    tally = Tally()
    tally.check()
    tally.count({"row": 1, "error": "no"})
    with pytest.raises(LeanformerError, match="the only row has no answer; row 1: no"):
        tally.check()
    tally.count({"row": 2, "label": "x"})
    tally.check()
    assert tally == Tally(2, 1, "row 1: no")


def test_a_line_can_be_written_whatever_is_in_it() -> None:
    assert to_line({"text": "café"}) == '{"text": "café"}'
    assert to_line({"text": "caf\ud800"}) == r'{"text": "caf\ud800"}'
