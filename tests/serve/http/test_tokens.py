"""Texts to tokens and back, beside the tokenizer's own library."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from leanformer.serve.generation import Generation
from leanformer.serve.http.refused import Refused
from leanformer.serve.http.tokens import Tokens, decode, tokenize
from leanformer.serve.logs import Log
from leanformer.serve.model import open_model
from leanformer.serve.service import Service
from leanformer.serve.settings import RequestLimits, ServerSettings
from leanformer.serve.workers.scheduler import Scheduler
from tests.making.servers import Server
from tests.serve.http.test_direct import Pool

LIMITS = RequestLimits(texts=3, queue_tokens=2000, pack_tokens=2000)
TEXTS = ["rain in the town", "Ünïcode 😀 rain, \x00 and unheard-of words", "rain " * 300]


@pytest.fixture(scope="module")
def library(tiny_onnx_artifact: Path) -> Any:
    found = Tokenizer.from_file(str(tiny_onnx_artifact / "tokenizer.json"))
    found.no_truncation()
    found.no_padding()
    return found


@pytest.fixture(scope="module")
def tokens(tiny_onnx_artifact: Path) -> Tokens:
    return Tokens(tiny_onnx_artifact / "tokenizer.json")


@pytest.mark.parametrize("special", [True, False])
def test_tokens_are_those_of_the_library(tokens: Tokens, library: Any, special: bool):
    answer = asyncio.run(tokenize({"inputs": TEXTS, "add_special_tokens": special}, LIMITS, tokens))
    for text, told in zip(TEXTS, answer, strict=True):
        encoding = library.encode(text, add_special_tokens=special)
        assert [token["id"] for token in told] == encoding.ids
        assert [token["special"] for token in told] == list(map(bool, encoding.special_tokens_mask))
        for token, name, (start, stop) in zip(told, encoding.tokens, encoding.offsets, strict=True):
            places = (None, None, name) if token["special"] else (start, stop, text[start:stop])
            assert (token["start"], token["stop"], token["text"]) == places
    assert any(token["special"] for token in answer[0]) == special


@pytest.mark.parametrize("skip", [True, False])
def test_ids_become_the_text_of_the_library(tokens: Tokens, library: Any, skip: bool):
    rows = [library.encode(text).ids for text in TEXTS]
    answer = asyncio.run(decode({"ids": rows, "skip_special_tokens": skip}, LIMITS, tokens))
    assert answer == [library.decode(row, skip_special_tokens=skip) for row in rows]
    for row in (rows[0], list(map(float, rows[0]))):
        assert asyncio.run(decode({"ids": row}, LIMITS, tokens)) == [library.decode(rows[0])]
    assert tokens.largest_id == max(library.get_vocab().values())


@pytest.mark.parametrize(
    ("ask", "body", "told"),
    [
        (tokenize, {}, "inputs: missing"),
        (tokenize, {"inputs": ["a", ["b"]]}, r"inputs\[1\]: not a text"),
        (tokenize, {"inputs": "a", "prompt_name": "query"}, "prompt_name"),
        (tokenize, {"inputs": "a", "add_special_tokens": 1}, "add_special_tokens: must be true or false"),
        (tokenize, {"inputs": "rain " * 2000}, "the limit queue_tokens is 2000"),
        (decode, {"ids": []}, "ids: must be a list of token ids"),
        (decode, {"ids": [1, True]}, "ids: must be a list of token ids"),
        (decode, {"ids": [[1], []]}, "ids: must be a list of token ids"),
        (decode, {"ids": [[1], [10**9]]}, r"ids\[1\]: 1000000000 is no id of this model's vocabulary"),
        (decode, {"ids": [-1]}, "-1 is no id"),
        (decode, {"ids": [1.5]}, "ids: must be a list of token ids"),
        (decode, {"ids": [[1]] * 4}, "the limit texts is 3"),
        (decode, {"ids": [1] * 2001}, "the limit queue_tokens is 2000"),
    ],
)
def test_what_is_wrong_is_told(tokens: Tokens, ask: Any, body: dict[str, Any], told: str):
    with pytest.raises(Refused, match=told):
        asyncio.run(ask(body, LIMITS, tokens))


def test_a_model_without_tokens_is_passed_over(tiny_onnx_artifact: Path):
    service = Service(ServerSettings({}), Log())
    with_tokens = open_model("b", 1, str(tiny_onnx_artifact))
    models = {"a": replace(with_tokens, name="a", tokens=None), "b": with_tokens}
    generation = service._generation = Generation(1, models, Scheduler(10, 10), Pool(Scheduler(10, 10)))
    assert generation.tokens_of({}) is generation.tokens_of({"model": "b"}) is with_tokens.tokens
    assert service.largest_id > 0
    for name, told in (("a", "a has no tokens"), ("c", "no model of that name"), (3, "model: must be a name")):
        with pytest.raises(Refused, match=told):
            generation.tokens_of({"model": name})
    del models["b"]
    with pytest.raises(Refused, match="no model here has tokens"):
        generation.tokens_of({})


def test_a_server_has_the_routes(all_server: Server):
    told = all_server.ask("POST", "/tokenize", {"inputs": "rain", "model": "tags"})
    [row] = told.json
    assert told.status == 200 and [token["text"] for token in row if not token["special"]] == ["rain"]
    answer = all_server.ask("POST", "/decode", {"ids": [token["id"] for token in row], "model": "tags"})
    assert (answer.status, answer.json) == (200, ["rain"])


def test_only_a_few_long_requests_are_read_at_once(tokens: Tokens):
    async def ask(count: int) -> list[Any]:
        each = (tokenize({"inputs": TEXTS[2]}, LIMITS, tokens) for _ in range(count))
        return await asyncio.gather(*each, tokenize({"inputs": "rain"}, LIMITS, tokens), return_exceptions=True)

    *long, short = asyncio.run(ask(9))
    refused = [result for result in long if isinstance(result, Refused)]
    assert isinstance(short, list) and len(refused) == 5
    assert {(refusal.status, refusal.headers["retry-after"]) for refusal in refused} == {(429, "1")}
    assert all(isinstance(result, list) for result in asyncio.run(ask(4)))
