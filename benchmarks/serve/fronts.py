"""What talks HTTP in front of the same service: writes benchmarks/results/serve_fronts.json.

    python -m benchmarks.serve.fronts ARTIFACT [--data FOLDER] [--seconds 10] [--connections 64] [--rounds 3]

Needs `pip install granian`. One text a request, from another process, on the same cores:

- `short way`: `leanformer serve` as it is, uvicorn's parser with `serve/http/direct.py` behind it;
- `uvicorn`: the same ASGI application, all of whose requests take the long way;
- `granian`: that application behind granian's parser, which is written in Rust and has no place for a short way.

The fronts take turns; a row is the median of a front's rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance, watch
from benchmarks.serve.services import load, ours, started
from leanformer.data.dataset import open_dataset
from leanformer.files import write_json
from leanformer.runtime.cores import allowed_cores

RESULT = RESULTS / "serve_fronts.json"
FRONTS = ("short way", "uvicorn", "granian")
MEASURED = ("requests_per_second", "front_cpu_ms", "p50_ms", "p99_ms")


async def serve(artifact: str, port: int, front: str) -> None:
    """Serve the ASGI application of a service behind uvicorn or granian until SIGTERM."""
    import uvicorn

    from leanformer.serve.http.app import make_app
    from leanformer.serve.logs import Log
    from leanformer.serve.service import Service
    from leanformer.serve.settings import ServerSettings

    settings = ServerSettings({"model": artifact}, port=port, workers=allowed_cores(), access_log=False)
    service = Service(settings, Log())
    await service.start()
    app, ended = make_app(service), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    if front == "granian":
        from granian.constants import Interfaces
        from granian.server.embed import Server

        other = Server(app, port=port, interface=Interfaces.ASGINL, log_enabled=False)
        serving, stop = asyncio.create_task(other.serve()), other.stop
    else:
        config = uvicorn.Config(app, port=port, http="httptools", lifespan="off", access_log=False, log_config=None)
        one = uvicorn.Server(config)
        serving, stop = asyncio.create_task(one._serve()), lambda: setattr(one, "should_exit", True)
    await ended.wait()
    stop()
    with suppress(asyncio.CancelledError):
        await serving
    await service.stop()


def measured(artifact: Path, texts: Path, front: str, *options: str) -> dict[str, Any]:
    """Throughput, CPU of the front for a request, and latency, of one round."""
    command = ours(artifact) if front == FRONTS[0] else [
        "-m", "benchmarks.serve.fronts", str(artifact), "--front", front, "--port", "PORT"
    ]  # fmt: skip
    with started(command, texts) as service:
        before = service.spent()[0]
        asked = load(service.port, texts, *options)
        spent = service.spent()[0] - before
    if set(asked["statuses"]) != {"200"}:
        raise SystemExit(f"{front}: {asked['statuses']}")
    return asked | {"front_cpu_ms": 1000 * spent / asked["n"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--data", default=os.path.join(os.environ.get("LEANFORMER_DATA", ""), "sst2"))
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--front", choices=FRONTS[1:], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    artifact = arguments.artifact.resolve()
    if arguments.front:
        import uvicorn

        # The event loop of `leanformer serve`.
        with asyncio.Runner(loop_factory=uvicorn.Config(app="", loop="auto").get_loop_factory()) as runner:
            runner.run(serve(str(artifact), arguments.port, arguments.front))
        return
    begun, test = watch(), open_dataset(arguments.data).test
    assert test is not None
    options = ("--seconds", str(arguments.seconds), "--connections", str(arguments.connections))
    rounds: dict[str, list[dict[str, Any]]] = {front: [] for front in FRONTS}
    with tempfile.TemporaryDirectory() as scratch:
        texts = Path(scratch) / "texts.txt"
        texts.write_text("".join(" ".join(text.split()) + "\n" for text in test.texts), encoding="utf-8")
        for _ in range(arguments.rounds):
            for front in FRONTS:
                found = measured(artifact, texts, front, *options, "--options", '{"truncate": true}')
                print(front, {name: round(found[name], 3) for name in MEASURED}, flush=True)
                rounds[front].append(found)
    about = {"connections": arguments.connections, "rounds": arguments.rounds, **provenance(allowed_cores(), begun)}
    rows = [
        {"front": front, **{name: round(median(found[name] for found in each), 4) for name in MEASURED}, **about}
        for front, each in rounds.items()
    ]
    write_json(arguments.output, rows)


if __name__ == "__main__":
    main()
