"""A load generator in a process of its own: HTTP/1.1 over loopback, closed or open loop; prints JSON.

    python -m benchmarks.serve.load PORT TEXTS --connections 8 --seconds 10
    python -m benchmarks.serve.load PORT TEXTS --rate 500 --seconds 10

Closed loop: each connection sends its next request when it has the answer to its last. Open loop: requests are due at
times drawn beforehand (Poisson), whatever the server does, and latency counts from the time that a request was due, so
a server that stalls cannot hide it. The parser reads only answers with a content-length, which is what keeps it from
being the bottleneck.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import statistics
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

# Most connections of an open loop: fewer than our server's own limit, which is not what the load is about.
MOST = 1000


class Connection(asyncio.Protocol):
    """One request at a time; `finished(connection, status)` is called at its end, with status 0 where none came.

    `lost()` is called at the end of the connection.
    """

    def __init__(self, finished: Any, lost: Any = lambda: None) -> None:
        self.finished, self.lost, self.buffer, self.busy = finished, lost, b"", False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def send(self, request: bytes, due: float) -> None:
        self.due, self.busy = due, True
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, rest = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(rest) >= length:
            self.buffer, self.busy = b"", False
            if b"\r\nconnection: close" in head.lower():
                # The server will take nothing more on it (RFC 9112, 9.6), though its end may not have arrived yet.
                self.transport.close()
            self.finished(self, int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.busy:
            self.busy = False
            self.finished(self, 0)
        self.lost()


def requests(texts: list[str], size: int, seed: int, extra: dict[str, Any], path: str = "/predict") -> list[bytes]:
    """Requests of one text (size 1) or of lists of `size` texts, in a shuffled order."""
    random.Random(seed).shuffle(texts)
    result = []
    for start in range(0, max(len(texts) - size + 1, 1), size):
        inputs: Any = texts[start] if size == 1 else texts[start : start + size]
        body = json.dumps({"inputs": inputs, **extra}).encode()
        head = f"POST {path} HTTP/1.1", "host: localhost", "content-type: application/json"
        result.append("\r\n".join((*head, f"content-length: {len(body)}", "", "")).encode() + body)
    return result


async def closed(port: int, bodies: list[bytes], connections: int, seconds: float) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    turn = 0
    end = time.perf_counter() + seconds
    over = loop.create_future()
    live = connections

    def next_one(connection: Connection) -> None:
        nonlocal turn
        turn += 1
        connection.send(bodies[turn % len(bodies)], time.perf_counter())

    def finished(connection: Connection, status: int) -> None:
        nonlocal live
        now = time.perf_counter()
        statuses[status] += 1
        if status == 200:
            latencies.append(now - connection.due)
        if now < end and status and not connection.transport.is_closing():
            next_one(connection)
        else:
            live -= 1
            if not live and not over.done():
                over.set_result(None)

    opened = [await loop.create_connection(lambda: Connection(finished), "127.0.0.1", port) for _ in range(connections)]
    start = time.perf_counter()
    end = start + seconds
    for _, connection in opened:
        next_one(connection)
    await over
    return summary(latencies, statuses, time.perf_counter() - start)


async def open_loop(
    port: int, bodies: list[bytes], rate: float, seconds: float, seed: int, most: int
) -> dict[str, Any]:
    """Requests at `rate` per second on at most `most` connections."""
    loop = asyncio.get_running_loop()
    draw = random.Random(seed)
    latencies: list[float] = []
    late: list[float] = []
    statuses: Counter[int] = Counter()
    free: deque[Connection] = deque()
    tasks: set[asyncio.Task[None]] = set()
    # Requests that are due while all connections are taken wait for the next that is free, and that counts as their
    # latency. Without a bound, a server that answers too slowly is sent ever more connections, until the kernel's queue
    # of those that nobody has accepted yet runs over, and resets them: which says nothing of the server.
    waiting: deque[tuple[bytes, float]] = deque()
    outstanding = live = 0

    def finished(connection: Connection, status: int) -> None:
        nonlocal outstanding
        outstanding -= 1
        statuses[status] += 1
        if status == 200:
            latencies.append(time.perf_counter() - connection.due)
        if status and not connection.transport.is_closing():
            if waiting:
                connection.send(*waiting.popleft())
            else:
                free.append(connection)

    def lost() -> None:
        nonlocal live
        live -= 1
        if waiting:
            opened(*waiting.popleft())

    def opened(body: bytes, due: float) -> None:
        nonlocal live
        live += 1
        task = asyncio.create_task(fresh(body, due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def fresh(body: bytes, due: float) -> None:
        nonlocal outstanding
        try:
            _, connection = await loop.create_connection(lambda: Connection(finished, lost), "127.0.0.1", port)
        except OSError:
            outstanding -= 1
            statuses[0] += 1
            lost()
            return
        connection.send(body, due)

    start = due = time.perf_counter()
    sent = 0
    while due < start + seconds:
        while free and free[0].transport.is_closing():
            free.popleft()
        outstanding += 1
        late.append(time.perf_counter() - due)
        body = bodies[sent % len(bodies)]
        if free:
            free.popleft().send(body, due)
        elif live < most:
            opened(body, due)
        else:
            waiting.append((body, due))
        sent += 1
        due += draw.expovariate(rate)
        if (pause := due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        elif sent % 64 == 0:
            await asyncio.sleep(0)
    spent = time.perf_counter() - start
    limit = time.perf_counter() + 60
    while outstanding and time.perf_counter() < limit:
        await asyncio.sleep(0.01)
    statuses[0] += outstanding
    return summary(latencies, statuses, spent) | {"sent": sent, "sent_late_ms_p99": 1000 * quantile(late, 0.99)}


def open_files() -> int:
    """How many files this process may open, after asking for as many as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def quantile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=1000, method="inclusive")[round(1000 * share) - 1] if len(values) > 1 else 0.0


def summary(latencies: list[float], statuses: Counter[int], seconds: float) -> dict[str, Any]:
    """Figures of the answers with status 200; `statuses` counts all, 0 being requests that got no answer."""
    figures = {f"p{share}_ms": round(1000 * quantile(latencies, share / 100), 3) for share in (50, 95, 99)}
    return {
        "requests_per_second": round(len(latencies) / seconds, 2),
        **figures,
        "n": len(latencies),
        "statuses": {str(status): count for status, count in sorted(statuses.items()) if count},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("texts", type=Path, help="a text per line")
    parser.add_argument(
        "--connections", type=int, help=f"of an open loop, the most at once (default: {MOST}; of a closed one, 1)"
    )
    parser.add_argument("--rate", type=float, help="requests per second of an open loop; without it the loop is closed")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--list", type=int, default=1, help="texts per request")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--options", type=json.loads, default={}, help="more fields of each request, as JSON")
    parser.add_argument("--path", default="/predict")
    arguments = parser.parse_args()
    texts = [line for line in arguments.texts.read_text(encoding="utf-8").splitlines() if line.strip()]
    files = open_files() - 64
    bodies = requests(texts, arguments.list, arguments.seed, arguments.options, arguments.path)
    if arguments.rate:
        most = min(arguments.connections or MOST, files)
        work = open_loop(arguments.port, bodies, arguments.rate, arguments.seconds, arguments.seed, most)
    else:
        work = closed(arguments.port, bodies, arguments.connections or 1, arguments.seconds)
    try:
        from uvloop import new_event_loop
    except ImportError:
        from asyncio import new_event_loop
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        print(json.dumps(runner.run(work)))


if __name__ == "__main__":
    main()
