"""Who is let in, what is told to whom, and what the log keeps to itself."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leanformer.cli.serve import KEY_VARIABLE, named, read_key
from leanformer.errors import LeanformerError
from leanformer.serve.http.access import OPEN_ROUTES
from leanformer.serve.http.guard import ROUTES
from leanformer.serve.settings import RequestLimits, ServerSettings
from tests.making.servers import Server

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
    assert ServerSettings({}).loopback
    assert not ServerSettings({}, host="0.0.0.0").loopback


@pytest.mark.parametrize("route", [route for route in ROUTES if route not in OPEN_ROUTES])
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
    assert KEY not in repr(ServerSettings({}, key=KEY))


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


def test_a_body_that_is_no_http_is_counted_once(server: Server):
    def counted() -> dict[str, float]:
        told = server.ask("GET", "/metrics").body.decode().splitlines()
        lines = [line for line in told if line.startswith("leanformer_requests_total{") and "/metrics" not in line]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    before = counted()
    head = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked"
    with socket.create_connection(("127.0.0.1", server.port)) as one:
        one.sendall(head + b"\r\n\r\n2\r\n{}\r\n")
        time.sleep(0.1)
        one.sendall(b"no length\r\n")
        assert b"HTTP/1.1 400" in one.recv(1000)
        assert one.recv(1000) == b""
    server.until(lambda: counted() != before)
    time.sleep(0.2)
    new = {name: value - before.get(name, 0) for name, value in counted().items() if value != before.get(name)}
    assert new == {'leanformer_requests_total{route="other",status="400"}': 1.0}


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
            RequestLimits(**wrong)  # type: ignore[arg-type]


@pytest.fixture
def speak(server: Server) -> Callable[[bytes], bytes]:
    """Send bytes as they are; all that is answered until the server closes the connection."""

    def spoken(sent: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(sent)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        return answer

    return spoken


CLOSE = b"connection: close\r\n\r\n"
LOCAL = b"host: localhost\r\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /info HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n", 400),
        (b"GET /info HTTP/1.1\r\nhost: evil.example\r\nhost: localhost\r\n", 400),
        (b"GET /info HTTP/1.1\r\nhost: localhost\r\nHost: localhost\r\n", 400),
        (b"GET http://evil.example/info HTTP/1.1\r\n" + LOCAL, 421),
        (b"GET HTTP://evil.example:80/info HTTP/1.1\r\n" + LOCAL, 421),
        (b"GET http://localhost/info HTTP/1.1\r\nhost: evil.example\r\n", 421),
        (b"GET http://localhost@evil.example/info HTTP/1.1\r\n" + LOCAL, 400),
        (b"GET ftp://localhost/info HTTP/1.1\r\n" + LOCAL, 400),
        (b"GET http://localhost:8080/info HTTP/1.1\r\n" + LOCAL, 200),
        (b"GET http://127.0.0.1/health HTTP/1.1\r\n" + LOCAL, 200),
        (b"GET //info HTTP/1.1\r\n" + LOCAL, 400),
        (b"GET //evil.example/info HTTP/1.1\r\n" + LOCAL, 400),
        (b"GET /info HTTP/1.1\r\n", 421),
        (b"CONNECT evil.example:443 HTTP/1.1\r\n" + LOCAL, 400),
    ],
)
def test_every_way_to_name_a_host_is_checked(speak: Callable[[bytes], bytes], head: bytes, status: int):
    assert speak(head + CLOSE).startswith(b"HTTP/1.1 %d " % status)


def test_a_path_that_looks_like_a_host_does_not_keep_the_connection(speak: Callable[[bytes], bytes]):
    assert speak(b"GET //info HTTP/1.1\r\n" + LOCAL + b"\r\n").startswith(b"HTTP/1.1 400 ")


BODY = b'content-type: application/json\r\ncontent-length: 18\r\n\r\n{"inputs": "rain"}'
OFFERS = {
    "a WebSocket": b"connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    # Java's HttpClient sends this with its first request.
    "HTTP/2": b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAABAAMAAABk\r\n",
    "an unknown one": b"connection: keep-alive, upgrade\r\nupgrade: x/1, y/2\r\n",
}


@pytest.mark.parametrize("offer", OFFERS)
def test_another_protocol_is_declined_and_the_request_answered(
    server: Server, speak: Callable[[bytes], bytes], offer: str
):
    expected = server.predict("rain").body
    asked = b"POST /predict HTTP/1.1\r\n" + LOCAL + OFFERS[offer] + BODY
    # The connection goes on in HTTP/1.1, also where the next request came in the same packet.
    answer = speak(asked + asked + b"GET /health HTTP/1.1\r\n" + LOCAL + CLOSE)
    assert answer.count(b"HTTP/1.1 200 ") == 3
    assert answer.count(expected) == 2
    assert answer.endswith(b'{"status":"alive"}')


def test_an_offer_in_pieces_is_declined_too(server: Server):
    asked = b"POST /predict HTTP/1.1\r\n" + LOCAL + OFFERS["a WebSocket"] + b"connection: close\r\n" + BODY
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(asked), 7):
            connection.sendall(asked[start : start + 7])
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200 ") and b"connection: close" in answer
    assert answer.endswith(server.predict("rain").body)


def test_asking_at_the_root_needs_the_key_and_the_page_does_not(locked: Server):
    assert locked.ask("POST", "/", {"inputs": "rain"}).status == 401
    assert locked.ask("POST", "/", {"inputs": "rain"}, bearer(KEY)).status == 200
    assert locked.ask("GET", "/").status == 200
    assert locked.ask("HEAD", "/").status in (200, 405)


def test_bytes_that_are_no_http_leave_whole_lines_in_the_log(server: Server, speak: Callable[[bytes], bytes]):
    noise = [
        b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(range(256)) + b"\r\n\r\n",
        b"\xff\xfe\x00G\x00E\x00T\r\n\r\n",
        "GET /\u2028\u0085 HTTP/1.1\r\n\r\n".encode(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b'{"event": "forged"}\n\r\n\r\n',
        b"GET /info HTTP/1.1\r\n" + LOCAL + b'x-request-id: a"\xe2\x80\xa8{"event": "forged"}\r\n' + CLOSE,
    ]
    for sent in noise:
        with contextlib.suppress(ConnectionResetError):
            speak(sent)
    server.ask("GET", "/info", headers={"x-request-id": "after-noise"})
    server.event("request", request_id="after-noise")
    text = "".join(server.raw)
    assert text.isascii()
    assert all(isinstance(json.loads(line), dict) for line in text.splitlines() if line)
    assert not [event for event in server.log if event["event"] in ("forged", "failure")]


def test_warnings_and_uncaught_exceptions_become_lines_of_the_log():
    program = (
        "import threading, warnings\n"
        "from leanformer.serve.logs import Log, log_instead\n"
        "log_instead(Log())\n"
        "warnings.warn('one line\\nand another')\n"
        "class Broken:\n    def __del__(self): raise ValueError('a secret')\n"
        "Broken()\n"
        "thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()\n"
        "raise KeyError('a secret')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["event"] for event in events] == ["library", "failure", "failure", "failure"]
    assert events[0]["message"] == "one line\nand another"
    assert [event["error"] for event in events[1:]] == ["ValueError", "ZeroDivisionError", "KeyError"]
    assert "a secret" not in done.stderr
