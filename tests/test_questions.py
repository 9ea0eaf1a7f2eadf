"""What is a question to a model: what people hand over is answered rightly, or refused with what to give instead."""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from leanformer.errors import DataError
from leanformer.predictor import answers
from leanformer.questions import as_questions, check_texts, is_empty
from leanformer.task import Task
from tests.making.tiny import TASK

TEXTS = ["goal match", "rain", "song"]
TAGS = Task("tokens", ("O", "B-X", "I-X"))


class Counted:
    """A model that answers nothing but how many were asked."""

    task = TASK

    def tokenize(self, texts: Any) -> list[np.ndarray]:
        return [np.array([len(text)], np.int32) for text in texts]

    def infer(self, rows: Any) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[[int(row[0]) % 3 for row in rows]]


def lists() -> Iterator[tuple[str, Any]]:
    pandas = pytest.importorskip("pandas")
    yield "tuple", tuple(TEXTS)
    yield "generator", (text for text in TEXTS)
    yield "deque", deque(TEXTS)
    yield "dict values", dict(enumerate(TEXTS)).values()
    yield "dict keys", dict.fromkeys(TEXTS).keys()
    yield "array of str", np.array(TEXTS)
    yield "array of objects", np.array(TEXTS, object)
    yield "numpy strings", [np.str_(text) for text in TEXTS]
    yield "Series", pandas.Series(TEXTS)
    yield "Series with other labels", pandas.Series(TEXTS, index=["columns", "text", "tolist"])
    yield "Series of categories", pandas.Series(TEXTS, dtype="category")
    yield "Index", pandas.Index(TEXTS)
    yield "column", pandas.DataFrame({"text": TEXTS, "when": [1, 2, 3]})["text"]


def test_every_kind_of_list_is_answered_in_its_order() -> None:
    expected = answers(Counted(), TEXTS)
    for name, given in lists():
        assert answers(Counted(), given) == expected, name


def test_columns_of_arrow_tables_are_lists() -> None:
    arrow = pytest.importorskip("pyarrow")
    for column in (arrow.array(TEXTS), arrow.chunked_array([TEXTS[:1], TEXTS[1:]])):
        assert as_questions(column) == TEXTS
    with pytest.raises(TypeError, match=r'a table \(Table\).*frame\["text"\]'):
        as_questions(arrow.table({"text": TEXTS}))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("a text", "wrap one text in a list"),
        (b"a text", r"not bytes: \[value.decode"),
        (bytearray(b"a"), "not bytearray"),
        (memoryview(b"a"), "not memoryview"),
        ({"text": ["a"]}, r"a mapping \(dict\).*row\['text'\]"),
        (OrderedDict(kind=1), r"OrderedDict.*row\['kind'\]"),
        (MappingProxyType({1: "a"}), "a mapping"),
        ({"a", "b"}, "a set has no order.*sorted"),
        (frozenset("ab"), "a set has no order"),
        (None, "not NoneType"),
        (5, "not int"),
        (2.5, "not float"),
        (np.array("a text"), "not ndarray"),
        (np.float32(1), "not float32"),
        (TASK, "not Task"),
    ],
)
def test_what_is_no_list_of_texts_is_a_type_error(given: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        answers(Counted(), given)


def test_a_table_says_which_column_to_give() -> None:
    pandas = pytest.importorskip("pandas")
    for columns, said in ((("when", "text"), "text"), (("review", "stars"), "review"), ((0, 1), "text")):
        frame = pandas.DataFrame([["a", "b"]], columns=list(columns))
        with pytest.raises(TypeError, match=re.escape(f'give one column: frame["{said}"]')):
            answers(Counted(), frame)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (None, r"text 2 is neither.*None; leave out.*dropna"),
        (float("nan"), "text 2 is neither.*nan; leave out"),
        (b"a", "text 2 is neither.*decode"),
        ({"text": "a"}, r"text 2 is neither.*row\['text'\]"),
        (3, "text 2 is neither.*3"),
        (["a"], "text 2 is neither"),
        (("a", None), "text 2 is neither"),
    ],
)
def test_an_element_that_is_no_text_is_named(item: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        answers(Counted(), ["a", item])


def test_missing_cells_of_a_table_are_named_and_the_remedy_works() -> None:
    pandas = pytest.importorskip("pandas")
    for missing in (None, float("nan"), pandas.NA):
        frame = pandas.DataFrame({"text": ["a", missing, "b"]})
        with pytest.raises(TypeError, match=r"text 2 .*dropna"):
            answers(Counted(), frame["text"])
        assert len(answers(Counted(), frame["text"].dropna())) == 2


EMPTY = [
    "",
    " ",
    "\t\r\n",
    "\u200b",
    "\x07",
    "\x00",
    "\ufeff",
    "\u00a0\u3000",
    "\u2060\u200d",
    "\u3164",
    "\u2800",
    "\u00ad",
]


@pytest.mark.parametrize("text", EMPTY)
def test_an_empty_text_is_an_error_that_names_its_place(text: str) -> None:
    assert is_empty(text)
    with pytest.raises(DataError, match=r"text 2 is empty.*\n  remedy: leave it out"):
        answers(Counted(), ["a", text])
    with pytest.raises(DataError, match="text 1: its second text is empty"):
        check_texts([("a", text)], Task("pair", ("a", "b")))
    with pytest.raises(DataError, match="text 1: its word 2 is empty"):
        check_texts([["a", text]], TAGS)
    assert len(answers(Counted(), ["a", text][:1])) == 1, "the remedy"


@pytest.mark.parametrize(
    "text", [".", "\x07a", "\u200b\u200bא", "🙂", "\u0301", "\ufffd", "0", "\U0010ffff", "\ufeffgoal"]
)
def test_a_text_that_shows_something_is_not_empty(text: str) -> None:
    assert not is_empty(text)
    check_texts([text], TASK)


def test_a_sentence_without_words_is_empty() -> None:
    with pytest.raises(DataError, match="text 1 has no words"):
        check_texts([[]], TAGS)
