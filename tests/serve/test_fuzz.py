"""Whatever is sent, the server answers as it is described, never with 500, and goes on."""

from __future__ import annotations

import errno
import json
import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leanformer.serve.http.answers import NAMES
from leanformer.serve.http.inputs import OPTIONS
from tests.making.servers import Reply, Server
from tests.serve.conftest import MODELS
from tests.serve.drawn import conforms, valid

pytestmark = pytest.mark.slow


def fuzz(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))


ROUTES = ("", *OPTIONS)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TEXTS = st.text(min_size=1, max_size=80)
LIKELY = st.fixed_dictionaries(
    {"inputs": TEXTS | st.lists(TEXTS | st.lists(TEXTS, max_size=3), max_size=6) | VALUES},
    optional={
        "normalize": st.booleans() | VALUES,
        "top_k": st.integers(-2, 5) | VALUES,
        "raw_scores": st.booleans() | VALUES,
        "truncate": st.booleans() | VALUES,
        "exact": st.booleans() | VALUES,
        "model": st.sampled_from([*MODELS, "none", None]) | VALUES,
        "parameters": st.dictionaries(
            st.sampled_from(["top_k", "truncate", "exact", "inputs", "x"]), VALUES, max_size=3
        ),
        "more": VALUES,
    },
)


@pytest.fixture(scope="module")
def target(all_server: Server) -> Server:
    """The server, with its description."""
    all_server.description = all_server.ask("GET", "/openapi.json").json  # type: ignore[attr-defined]
    return all_server


def is_as_described(server: Server, path: str, method: str, reply: Reply) -> None:
    document = server.description  # type: ignore[attr-defined]
    answers = document["paths"][path][method]["responses"]
    assert str(reply.status) in answers, (reply.status, reply.body)
    assert reply.status < 500, reply.body
    # What is not JSON comes to those alone who ask for it, and nobody does here; but some routes have no JSON at all.
    kinds = answers[str(reply.status)]["content"]
    kind = next(iter(kinds), None) if len(kinds) == 1 else "application/json"
    assert reply.headers["content-type"].partition(";")[0] == kind
    if kind == "application/json":
        assert conforms(reply.json, kinds[kind]["schema"], document), reply.body


@fuzz(2500)
@given(route=st.sampled_from(ROUTES), body=LIKELY | VALUES)
def test_any_json(target: Server, route: str, body: Any):
    reply = target.ask("POST", f"/{route}", json.dumps(body).encode("utf-8", "surrogatepass"))
    is_as_described(target, f"/{route}", "post", reply)


@fuzz(1500)
@given(route=st.sampled_from(ROUTES), body=st.binary(max_size=300))
def test_any_bytes(target: Server, route: str, body: bytes):
    is_as_described(target, f"/{route}", "post", target.ask("POST", f"/{route}", body))


@fuzz(1000)
@given(data=st.data())
def test_whatever_the_description_allows(target: Server, data: st.DataObject):
    """Requests drawn from the OpenAPI document alone, as Schemathesis does; a body that it allows is well-formed."""
    document = target.description  # type: ignore[attr-defined]
    path = data.draw(st.sampled_from(sorted(document["paths"])))
    method, operation = data.draw(st.sampled_from(sorted(document["paths"][path].items(), key=lambda item: item[0])))
    headers = {
        parameter["name"]: str(data.draw(valid(parameter["schema"], document)))
        for parameter in operation.get("parameters", ())
        if data.draw(st.booleans())
    }
    body: bytes | None = None
    if "requestBody" in operation:
        [(kind, content)] = operation["requestBody"]["content"].items()
        headers["content-type"] = kind
        if "schema" not in content:  # lines, of which each is answered by itself
            body = data.draw(st.text(max_size=200)).encode("utf-8", "replace")
        else:
            value = data.draw(valid(content["schema"], document))
            body = json.dumps(value).encode()
            assert conforms(value, content["schema"], document), "the two halves of tests/serve/drawn.py agree"
    reply = target.ask(method.upper(), path, body, headers)
    if reply.status != 504:  # a deadline of a millisecond may be asked for, and missed
        is_as_described(target, path, method, reply)
    assert reply.status != 400, "well-formed"


@fuzz(400)
@given(
    route=st.sampled_from(tuple(OPTIONS)),
    lines=st.lists(st.binary(max_size=60) | LIKELY.map(lambda value: json.dumps(value).encode()), max_size=8),
)
def test_any_lines(target: Server, route: str, lines: list[bytes]):
    reply = target.ask("POST", f"/{route}/stream", b"\n".join(lines), {"content-type": "application/x-ndjson"})
    assert reply.status == 200
    given_lines = b"\n".join(lines).split(b"\n")
    if not given_lines[-1]:
        given_lines.pop()  # nothing follows the last line's end
    answers = [json.loads(line) for line in reply.body.splitlines()]
    assert [answer["index"] for answer in answers] == list(range(len(given_lines)))
    assert all((NAMES[route] in answer) != ("error" in answer) for answer in answers)
    assert not [answer for answer in answers if answer.get("error_type") == "internal"]


WHOLE = (
    b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 18\r\n\r\n"
    b'{"inputs": "rain"}'
)


@fuzz(1000)
@given(end=st.integers(0, len(WHOLE)), noise=st.binary(max_size=40), place=st.integers(0, len(WHOLE)))
def test_broken_and_truncated_requests(target: Server, end: int, noise: bytes, place: int):
    assert b" 500 " not in spoken(target, (WHOLE[:place] + noise + WHOLE[place:])[:end])


def spoken(server: Server, sent: bytes) -> bytes:
    """The first line of the answer to some bytes, or nothing where the connection was closed on them."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as one:
        answer = b""
        try:
            one.sendall(sent)
            one.shutdown(socket.SHUT_WR)
            while part := one.recv(4096):
                answer += part
        except OSError as error:
            if error.errno not in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN):
                raise
    return answer.partition(b"\r\n")[0]


HEAD = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
OVERSIZED = {
    "a length that is a lie": (HEAD + b"content-length: 99999999999\r\n\r\n{", (b"413",)),
    "a body": (HEAD + b"content-length: 1048577\r\n\r\n" + b" " * 1048577, (b"413",)),
    "a body in chunks": (
        HEAD + b"transfer-encoding: chunked\r\n\r\n" + (b"10000\r\n" + b" " * 65536 + b"\r\n") * 17 + b"0\r\n\r\n",
        (b"413",),
    ),
    "a header": (HEAD + b"x-long: " + b"x" * 300_000 + b"\r\n\r\n", (b"400", b"431")),
    "many headers": (HEAD + b"x: y\r\n" * 50_000 + b"\r\n", (b"400", b"431")),
    "an address": (b"GET /" + b"x" * 300_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n", (b"400", b"404", b"414")),
    "a length that is none": (HEAD + b"content-length: -1\r\n\r\n", (b"400",)),
}


@pytest.mark.parametrize("what", OVERSIZED)
def test_oversized_requests(target: Server, what: str):
    sent, expected = OVERSIZED[what]
    line = spoken(target, sent)
    # A client that still sends when it is refused may see its connection broken off before the answer.
    assert not line or any(status in line for status in expected), line
    assert target.ask("GET", "/health").status == 200


@pytest.mark.parametrize(
    ("inputs", "limit"),
    [(["x"] * 513, "texts is 512"), ("x" * 50_001, "text_characters is 50000"), ([["x"] * 30_000], None)],
)
@pytest.mark.parametrize("route", ROUTES)
def test_oversized_inputs(target: Server, route: str, inputs: Any, limit: str | None):
    reply = target.ask("POST", f"/{route}", {"inputs": inputs})
    assert reply.status in (413, 422), reply.body
    assert limit is None or limit in reply.json["error"]


def test_after_all_that_it_is_well(target: Server):
    assert target.predict("rain").status == 200
    assert target.figure("leanformer_queue_tokens") == 0
    assert target.figure("leanformer_worker_restarts_total") == 0
    assert not [line for line in target.log if line["event"] in ("failure", "worker_lost", "pack_failed")]
