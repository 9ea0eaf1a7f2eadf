"""Bodies and raw bytes sent to a real server: it answers as described, never with 500, in finite numbers, and goes on.

    python -m tests.fuzz.bodies --count 10000 --seed 0 --passes 4 --json found.json

The requests of a seed are always the same. With several passes they are sent again and again: the words in them are
remembered after the first, so that memory which goes on growing is lost. Exit status 1 when something was found.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import random
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from tests.making.graphs import make_embedder, make_onnx, make_tagger
from tests.making.servers import Server

MODELS = ("tiny", "tags", "vectors")
ROUTES = ("/", "/predict", "/tag", "/embed")
JSON, LINES = "application/json", "application/x-ndjson"
# 503 and 504 are answers, too: a request may itself ask for a deadline of a millisecond.
_FINE = {200, 400, 401, 404, 405, 408, 411, 413, 414, 415, 421, 422, 429, 431, 503, 504}
_PROMISED = ("failure", "worker_lost", "pack_failed")
_HEAD = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


@dataclass
class Found:
    """What a run saw.

    Attributes:
        statuses: how many answers had each status; "none" where the connection was closed without one.
        findings: requests whose answer is not as described, each with why.
        resident_mb: memory of the front, and of its workers together, at even distances over the run.
    """

    count: int
    seed: int
    statuses: dict[str, int] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    resident_mb: list[tuple[float, float]] = field(default_factory=list)


def text(draw: random.Random) -> str:
    """Words the models know, letters of all planes, controls, and what is long or empty."""
    kinds: list[Callable[[], str]] = [
        lambda: " ".join(draw.choice(("rain", "storm", "goal", "song", "match")) for _ in range(draw.randrange(1, 40))),
        lambda: "".join(chr(draw.randrange(0x110000)) for _ in range(draw.randrange(30))),
        lambda: "".join(chr(draw.randrange(0x20)) for _ in range(draw.randrange(10))),
        lambda: draw.choice(("", " ", "\u200b", "\ufeff", "\x00", "\ud800", "e\u0301" * 300, "[CLS]", "[PAD] " * 50)),
        lambda: draw.choice("aé界\U0001f3b8") * draw.choice((1, 100, 5_000, 50_000, 50_001)),
    ]
    return draw.choices(kinds, (6, 4, 1, 2, 1))[0]()


def value(draw: random.Random, depth: int = 0) -> Any:
    """Any JSON value."""
    kinds: list[Callable[[], Any]] = [
        lambda: None,
        lambda: draw.random() < 0.5,
        lambda: draw.choice((0, 1, -1, 2**31, 2**63, 10**400, draw.randrange(-5, 5))),
        lambda: draw.choice((0.0, 1e-320, 1e308, -0.5, math.inf, math.nan)),
        lambda: text(draw),
    ]
    if depth < 4:
        kinds += [
            lambda: [value(draw, depth + 1) for _ in range(draw.randrange(5))],
            lambda: {text(draw)[:20]: value(draw, depth + 1) for _ in range(draw.randrange(4))},
        ]
    return draw.choice(kinds)()


def body(draw: random.Random) -> Any:
    """Something like a request: the right fields, with right and wrong values."""
    fields = ("top_k", "raw_scores", "truncate", "exact", "normalize", "model", "parameters", "options", "inputs",
              "truncation_direction", "function_to_apply", "aggregation_strategy", "dimensions", "x")  # fmt: skip
    likely: dict[str, Any] = {
        "top_k": draw.choice((1, 3, 0, 2.0)), "model": draw.choice((*MODELS, None, "none")),
        "parameters": {draw.choice(fields): value(draw)}, "options": {"wait_for_model": True},
        "truncation_direction": draw.choice(("Left", "Right")), "function_to_apply": "softmax",
        "aggregation_strategy": "simple", "inputs": text(draw),
    }  # fmt: skip
    inputs: list[Callable[[], Any]] = [
        lambda: text(draw),
        lambda: [text(draw) for _ in range(draw.choice((0, 1, 2, 9, 60, 513)))],
        lambda: [[text(draw) for _ in range(draw.randrange(4))] for _ in range(draw.randrange(4))],
        lambda: value(draw),
    ]
    result = {"inputs": draw.choices(inputs, (4, 3, 2, 2))[0]()}
    for name in draw.sample(fields, draw.randrange(4)):
        result[name] = likely.get(name, True) if draw.random() < 0.6 else value(draw)
    return result


def spoiled(draw: random.Random, whole: bytes) -> bytes:
    """Bytes with some of them changed, lost or doubled."""
    data = bytearray(whole)
    for _ in range(draw.randrange(1, 4)):
        place = draw.randrange(len(data) + 1)
        change = draw.randrange(4)
        if change == 0:
            data[place:place] = draw.randbytes(draw.randrange(1, 20))
        elif change == 1:
            del data[place : place + draw.randrange(1, 20)]
        elif change == 2:
            data[place:place] = data[place : place + 40]
        else:
            del data[place:]
    return bytes(data)


def requests(count: int, seed: int) -> Iterator[tuple[str, bytes, str]]:
    """So many requests: a route, a body and its type; a route of "raw" stands for bytes that are sent as they are."""
    draw = random.Random(seed)
    for _ in range(count):
        kind = draw.random()
        content = json.dumps(body(draw) if draw.random() < 0.8 else value(draw)).encode("utf-8", "surrogatepass")
        if kind < 0.15:
            content = spoiled(draw, content)
        if kind > 0.9:
            length = draw.choice((str(len(content)), "-1", "99999999999", "0", "x")).encode()
            yield "raw", spoiled(draw, _HEAD + b"content-length: " + length + b"\r\n\r\n" + content), ""
        elif kind > 0.8:
            lines = [content, json.dumps(text(draw)).encode(), spoiled(draw, content), b""]
            draw.shuffle(lines)
            yield draw.choice(ROUTES[1:]) + "/stream", b"\n".join(lines), LINES
        else:
            yield draw.choice(ROUTES), content, draw.choice((JSON,) * 20 + ("text/plain", "", "application/json;x"))


def finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list | dict):
        return all(map(finite, value.values() if isinstance(value, dict) else value))
    return True


def wrong_with(route: str, status: int, content: bytes) -> str | None:
    """Why an answer is not as described, or None."""
    if status not in _FINE:
        return f"status {status}"
    try:
        answers = [json.loads(line) for line in content.splitlines()] if "stream" in route else [json.loads(content)]
    except ValueError:
        return "an answer that is no JSON"
    if not all(map(finite, answers)):
        return "a number that is not finite"
    for answer in answers:
        failed = isinstance(answer, dict) and "error" in answer
        if (status != 200 and not failed) or (failed and not {"error", "error_type"} <= set(answer)):
            return "an error without its kind"
        if failed and answer["error_type"] == "internal":
            return "an internal error"
    return None


def speak(port: int, sent: bytes) -> bytes:
    """All that is answered to some bytes after which nothing more comes."""
    answer = b""
    # The server may close the connection on what it has seen so far, and then nothing more can be sent.
    with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        with contextlib.suppress(OSError):
            line.sendall(sent)
            line.shutdown(socket.SHUT_WR)
        while part := line.recv(1 << 16):
            answer += part
    return answer


def resident_mb(server: Server) -> tuple[float, float]:
    """Memory of the server's front, and of its workers together."""
    return _resident(server.process.pid), round(sum(map(_resident, server.workers)), 1)


def _resident(pid: int) -> float:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return round(int(line.split()[1]) / 1024, 1)


def run(server: Server, count: int, seed: int, *, passes: int = 1, looks: int = 20) -> Found:
    """Send `count` requests, so many times over, and tell what was seen."""
    found = Found(0, seed)
    connection = server.connect()
    again = chain.from_iterable(requests(count, seed) for _ in range(passes))
    for number, (route, content, kind) in enumerate(again):
        if number % max(1, count * passes // looks) == 0:
            found.resident_mb.append(resident_mb(server))
        found.count += 1
        if route == "raw":
            answer = speak(server.port, content)
            first = answer.partition(b"\r\n")[0].split()
            status = int(first[1]) if len(first) > 1 and first[1].isdigit() else 0
            why = None if status == 0 or status in _FINE else f"status {status}"
        else:
            try:
                reply = server.ask("POST", route, content, {"content-type": kind}, connection)
                status, why = reply.status, wrong_with(route, reply.status, reply.body)
            except OSError as error:
                status, why = 0, f"no answer: {type(error).__name__}"
                connection = server.connect()
        name = str(status or "none")
        found.statuses[name] = found.statuses.get(name, 0) + 1
        if why is not None:
            found.findings.append({"number": number, "route": route, "why": why, "body": repr(content[:200])})
    connection.close()
    found.resident_mb.append(resident_mb(server))
    if server.predict("rain").status != 200:
        found.findings.append({"why": "the server does not answer any more"})
    found.findings += [{"why": "the log tells of it", **event} for event in server.log if event["event"] in _PROMISED]
    found.findings += [
        {"why": "a line of the log is no JSON", "line": line} for line in server.raw if not _is_event(line)
    ]
    return found


def _is_event(line: str) -> bool:
    with contextlib.suppress(ValueError):
        return not line or isinstance(json.loads(line), dict)
    return False


@contextlib.contextmanager
def target(folder: Path, *options: object) -> Iterator[Server]:
    """A server with a model for each route, made on the spot."""
    makers = (make_onnx, make_tagger, make_embedder)
    for name in MODELS:
        (folder / name).mkdir()
    paths = [make(folder / name)[1].path for name, make in zip(MODELS, makers, strict=True)]
    with Server(*(f"{name}={path}" for name, path in zip(MODELS, paths, strict=True)), *options) as server:
        yield server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000, help="how many requests")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--passes", type=int, default=1, help="how many times each is sent")
    parser.add_argument("--json", type=Path, help="where to write what was seen")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, target(Path(folder), "--workers", 1) as server:
        found = run(server, chosen.count, chosen.seed, passes=chosen.passes)
    summary = json.dumps(asdict(found), indent=1)
    print(summary)
    if chosen.json is not None:
        chosen.json.write_text(summary + "\n", encoding="utf-8")
    sys.exit(1 if found.findings else 0)


if __name__ == "__main__":
    main()
