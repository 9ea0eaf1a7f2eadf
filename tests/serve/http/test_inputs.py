"""Bodies read and refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from leanformer.serve.http.answers import scores
from leanformer.serve.http.inputs import Query, fit, read_json, read_query
from leanformer.serve.http.refused import Refused
from leanformer.serve.settings import RequestLimits
from leanformer.serve.workers.wire import Answer, pack_answer, pack_ask, unpack_answer, unpack_ask
from leanformer.task import Task

LIMITS = RequestLimits(texts=3, text_characters=10)
SINGLE, PAIR = Task("classification", ("a", "b")), Task("pair", ("a", "b"))


def refused(body: object) -> Refused:
    with pytest.raises(Refused) as caught:
        fit(read_query(body, LIMITS), SINGLE)
    return caught.value


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("text", "object"),
        ([], "object"),
        ({}, "inputs: missing"),
        ({"inputs": None}, "inputs:"),
        ({"inputs": 3}, "inputs:"),
        ({"inputs": {}}, "inputs:"),
        ({"inputs": []}, "not empty"),
        ({"inputs": ""}, "empty text"),
        ({"inputs": " \n\t"}, "empty text"),
        ({"inputs": ["a", ""]}, "inputs[1]: an empty text"),
        ({"inputs": ["a"] * 4}, "4 texts; the limit texts is 3"),
        ({"inputs": "a" * 11}, "11 characters; the limit text_characters is 10"),
        ({"inputs": ["a", "b" * 11]}, "inputs[1]: 11 characters"),
        ({"inputs": "\ud800"}, "surrogate"),
        ({"inputs": ["a", 1]}, "inputs[1]: not a text"),
        ({"inputs": [["a", "b", "c"]]}, "3 items"),
        ({"inputs": [[]]}, "0 items"),
        ({"inputs": [["a", "b"]]}, "inputs[0]: a pair"),
        ({"inputs": [[["a"]]]}, "not a text"),
        ({"inputs": "a", "topk": 1}, "unknown field 'topk'"),
        ({"inputs": "a", "top_k": 0}, "top_k"),
        ({"inputs": "a", "top_k": True}, "top_k"),
        ({"inputs": "a", "top_k": 1.5}, "top_k"),
        ({"inputs": "a", "truncate": "yes"}, "truncate: must be true or false"),
        ({"inputs": "a", "raw_scores": 1}, "raw_scores"),
        ({"inputs": "a", "exact": []}, "exact"),
        ({"inputs": "a", "model": 1}, "model"),
        ({"inputs": "a", "parameters": []}, "parameters"),
        ({"inputs": "a", "parameters": {"inputs": "b"}}, "parameters: unknown field 'inputs'"),
        ({"inputs": "a", "parameters": {"top_k": -1}}, "top_k"),
        ({"inputs": "a", "parameters": {"top_k": -1}, "top_k": 1}, "top_k"),
        ({"inputs": "a", "parameters": {"exact": 1}, "exact": True}, "exact"),
    ],
)
def test_what_is_wrong_is_named(body: object, told: str):
    error = refused(body)
    assert error.status == 422
    assert told in error.message


def test_a_whole_number_may_be_written_with_a_point():
    query = read_query({"inputs": "a", "top_k": 3.0}, LIMITS)
    assert (query.top_k, type(query.top_k)) == (3, int)


def test_an_option_beside_the_inputs_has_the_last_word():
    assert read_query({"inputs": "a", "parameters": {"top_k": 2}, "top_k": 1}, LIMITS).top_k == 1


def test_a_refusal_does_not_repeat_the_text():
    for body in ({"inputs": ["secret", ""]}, {"inputs": "secret secret secret"}, {"inputs": [["secret", "secret"]]}):
        assert "secret" not in refused(body).message


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'{"inputs": "\xff"}', b"[" * 100_000, b'{"inputs": "a"} more', b"\xef\xbb\xbf{}"]
)
def test_what_is_not_json_is_refused(body: bytes):
    with pytest.raises(Refused) as caught:
        read_json(body)
    assert caught.value.status == 400


def test_pairs_as_in_text_embeddings_inference():
    def texts(value: object, task: Task) -> tuple[list[object], bool]:
        query = fit(read_query({"inputs": value}, LIMITS), task)
        return list(query.texts), query.single

    assert texts([["a", "b"], ["c", "d"]], PAIR) == ([("a", "b"), ("c", "d")], False)
    assert texts(["a", "b"], PAIR) == ([("a", "b")], True)
    assert texts(["a", "b"], SINGLE) == (["a", "b"], False)
    assert texts([["a"], ["b"]], SINGLE) == (["a", "b"], False)
    assert texts("a", SINGLE) == (["a"], True)
    for wrong in ("a", ["a"], ["a", "b", "c"], [["a"]], [["a", "b"], "c"]):
        with pytest.raises(Refused, match="pairs"):
            texts(wrong, PAIR)


def test_equal_scores_keep_the_order_of_the_task():
    [row] = scores(np.zeros((1, 3), dtype=np.float32), Query(["x"]), Task("classification", ("c", "a", "b")))
    assert [score["label"] for score in row] == ["c", "a", "b"]
    json.dumps(row, allow_nan=False)


@pytest.mark.parametrize("columns", [None, 2])
def test_frames_say_what_was_said(columns: int | None):
    generator = np.random.default_rng(0)
    shapes = [(n,) if columns is None else (n, columns) for n in (1, 7, 128)]
    rows = [generator.integers(0, 30_000, shape, dtype=np.int32) for shape in shapes]
    ask = unpack_ask(pack_ask(7, 1, True, rows)[4:])
    assert (ask.pack, ask.model, ask.exact) == (7, 1, True)
    assert all(np.array_equal(a, b) for a, b in zip(ask.rows, rows, strict=True))
    logits = generator.normal(size=(3, 5)).astype(np.float32)
    back = unpack_answer(pack_answer(Answer(9, 0.25, logits))[4:])
    assert (back.pack, back.seconds, back.failure) == (9, 0.25, None)
    np.testing.assert_array_equal(back.logits, logits)
    assert unpack_answer(pack_answer(Answer(9, 0.0, None, "Broken: ü"))[4:]).failure == "Broken: ü"
