"""Who is let in, what is told to whom, and what the log keeps to itself."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from leanformer.cli.serve import KEY_VARIABLE, named, read_key
from leanformer.errors import LeanformerError
from leanformer.serve.guard import OPEN_ROUTES, ROUTES
from leanformer.serve.settings import Limits, Settings
from tests.serve.serving import Server

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def locked(tiny_onnx_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a key and lets one other origin in."""
    path = tmp_path_factory.mktemp("key") / "key"
    path.write_text(KEY + "\n")
    origin = ("--cors-origin", "https://app.example")
    with Server(f"tiny={tiny_onnx_artifact}", "--workers", 1, "--key-file", path, *origin) as one:
        yield one


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_it_listens_on_loopback_unless_told(server: Server):
    assert server.event("listening")["host"] == "127.0.0.1"
    assert Settings({}).loopback
    assert not Settings({}, host="0.0.0.0").loopback


@pytest.mark.parametrize("route", [one for one in ROUTES if one not in OPEN_ROUTES])
@pytest.mark.parametrize(
    "headers", [{}, bearer(""), bearer(KEY[:-1]), bearer(KEY + "0"), {"authorization": f"Basic {KEY}"}]
)
def test_without_the_key_there_is_nothing(locked: Server, route: str, headers: dict[str, str]):
    for method in ("GET", "POST"):
        answer = locked.ask(method, route, headers=headers)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "tiny" not in answer.body.decode()


def test_with_the_key_all_is_as_usual(locked: Server):
    assert locked.predict("rain", headers=bearer(KEY)).status == 200
    assert locked.ask("GET", "/metrics", headers=bearer(KEY)).status == 200
    assert locked.predict("rain", headers={"authorization": f"bearer {KEY}"}).status == 200
    for route in OPEN_ROUTES:
        assert locked.ask("GET", route).status == 200
    assert "401" in locked.ask("GET", "/openapi.json").json["paths"]["/predict"]["post"]["responses"]


def test_the_key_is_in_no_log(locked: Server):
    locked.predict("rain", headers=bearer(KEY))
    locked.predict("rain", headers={"x-request-id": "last"} | bearer(KEY[:-1]))
    locked.event("request", request_id="last")
    assert KEY[:-1] not in "".join(locked.raw)
    assert KEY not in repr(Settings({}, key=KEY))


def test_other_origins_are_let_in_only_by_name(server: Server, locked: Server):
    ask = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    foreign = server.ask("OPTIONS", "/predict", headers={"origin": "https://app.example"} | ask)
    assert foreign.status == 405
    assert not [name for name in foreign.headers if name.startswith("access-control")]
    named_one = locked.ask("OPTIONS", "/predict", headers={"origin": "https://app.example"} | ask)
    assert named_one.headers["access-control-allow-origin"] == "https://app.example"
    other = locked.ask("OPTIONS", "/predict", headers={"origin": "https://evil.example"} | ask)
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_form_of_another_site_is_refused(server: Server, kind: str):
    assert server.ask("POST", "/predict", b'{"inputs": "rain"}', {"content-type": kind}).status == 415


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", "", "[::2]:80"])
def test_a_name_that_was_pointed_here_is_refused(server: Server, host: str):
    assert server.ask("GET", "/info", headers={"host": host}).status == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080", "[::1]"])
def test_the_names_of_loopback_are_taken(server: Server, host: str):
    assert server.ask("GET", "/info", headers={"host": host}).status == 200


def test_the_log_has_no_text(server: Server):
    secret = "hunter2"
    bodies: list[object] = [
        {"inputs": f"rain {secret}"},
        {"inputs": [f"{secret} " * 60]},
        {"inputs": {secret: 1}},
        {"inputs": "a", "model": secret},
        {"inputs": "a", "top_k": secret},
        f'{{"inputs": "{secret}'.encode(),
    ]
    for body in bodies:
        server.ask("POST", "/predict", body)
    server.ask("GET", f"/{secret}?{secret}={secret}")
    lines = json.dumps(f"rain {secret}").encode() + b"\n{" + secret.encode() + b"\n"
    server.ask("POST", "/predict/stream", lines, {"content-type": "application/x-ndjson"})
    with socket.create_connection(("127.0.0.1", server.port)) as one:
        one.sendall(secret.encode() + b"\r\n\r\n")
        assert b"400" in one.recv(1000)
    server.ask("GET", "/info", headers={"x-request-id": "after-secrets"})
    server.event("request", request_id="after-secrets")
    assert secret not in "".join(server.raw)
    assert all(set(json.loads(line)) >= {"time", "level", "event"} for line in server.raw if line)


def test_names_are_never_paths(server: Server, tiny_onnx_artifact: Path):
    for name in (str(tiny_onnx_artifact), "../tiny", "tiny/", "/etc/passwd", "tiny\0"):
        assert server.predict("rain", model=name).status == 404
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.putrequest("GET", "/..%2f..%2fetc/passwd", skip_host=True)
    connection.putheader("host", "localhost")
    connection.endheaders()
    assert connection.getresponse().status == 404
    connection.close()


def test_the_page_may_load_nothing_from_elsewhere(server: Server):
    page = server.ask("GET", "/")
    assert re.search(r"default-src 'none'", page.headers["content-security-policy"])
    assert page.headers["x-content-type-options"] == "nosniff"


def test_keys_come_from_files_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert read_key(None) is None
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    assert read_key(None) == KEY
    path = tmp_path / "key"
    for bad in ("", "short", "with a blank in it, and long", "ü" * 20):
        path.write_text(bad)
        with pytest.raises(LeanformerError, match="16 or more"):
            read_key(path)


def test_models_are_named(tmp_path: Path):
    (tmp_path / "a=b").mkdir()
    assert named(["x/lean", "second=x/lean"]) == {"lean": "x/lean", "second": "x/lean"}
    assert named([f"{tmp_path}/a=b"]) == {"a-b": f"{tmp_path}/a=b"}
    for wrong in (["x/lean", "y/lean"], ["b d=x"], ["/=x"]):
        with pytest.raises(LeanformerError):
            named(wrong)


def test_limits_that_cannot_be_meant_are_refused():
    for wrong in ({"texts": 0}, {"timeout_seconds": -1.0}, {"queue_tokens": 10, "pack_tokens": 11}):
        with pytest.raises(LeanformerError):
            Limits(**wrong)  # type: ignore[arg-type]
