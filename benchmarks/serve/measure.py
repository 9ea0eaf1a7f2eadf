"""Our server beside plain ones, under load from another process: benchmarks/results/serve.json.

    python benchmarks/serve/measure.py TEACHER ARTIFACT... --texts FILE [--seconds 10] [--connections 1 8 64 256]

TEACHER is an artifact of format "encoder"; the plain services (plain_services.py, which need `pip install fastapi`) run
it as a checkpoint and as a traced int8 graph. Each ARTIFACT is served by `leanformer serve`. The result is a list of
`{work, connections, requests_per_second, p50_ms, p95_ms, p99_ms, system}` and more; work is "texts, one by one",
"lists of 32" or "open loop at 80 %" (Poisson arrivals at 80 % of the best closed loop, latency from the time that a
request was due). For `leanformer predict` in this process, `work` is "no server": what a server's overhead is over.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULT = HERE.parent / "results" / "serve.json"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@contextlib.contextmanager
def service(*command: str) -> Iterator[int]:
    """Start a service with its port in place of "PORT", wait until it answers, and end it afterwards."""
    port = free_port()
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        [sys.executable, *(str(port) if word == "PORT" else word for word in command)], env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end = time.monotonic() + 300
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"{' '.join(command)} did not start") from None
                time.sleep(0.1)
        # A listening socket may be there before the models are.
        load(port, Path(os.environ["SERVE_TEXTS"]), "--seconds", "1")
        yield port
    finally:
        process.terminate()
        process.wait(60)


def load(port: int, texts: Path, *options: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(HERE / "load.py"), str(port), str(texts), *options], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def measure(system: str, port: int, texts: Path, connections: list[int], seconds: float, options: str) -> list[Any]:
    rows = []

    def add(work: str, count: int, *how: str) -> dict[str, Any]:
        found = load(port, texts, "--seconds", str(seconds), "--options", options, *how)
        rows.append({"work": work, "connections": count, **found, "system": system})
        figures = "  ".join(f"{name} {found[name]}" for name in ("requests_per_second", "p50_ms", "p99_ms"))
        print(f"{system:32} {work:20} {count:4}  {figures}  {found['statuses']}", flush=True)
        return found

    best = max(
        add("texts, one by one", count, "--connections", str(count))["requests_per_second"] for count in connections
    )
    for count in (1, 8):
        add("lists of 32", count, "--connections", str(count), "--list", "32")
    add("open loop at 80 %", 0, "--rate", str(0.8 * best))
    return rows


def without_server(path: Path, texts: Path, seconds: float) -> list[Any]:
    """What the same predictor does in one process, one text at a time and many at once."""
    import numpy as np

    from leanformer.loading import load as load_light

    lines = [line for line in texts.read_text(encoding="utf-8").splitlines() if line.strip()]
    rows = []
    for threads, size, work in ((1, 1, "one at a time, one thread"), (None, 1024, "many at once, all threads")):
        predictor = load_light(path, threads=threads)
        predictor.predict(lines[:64])
        spent: list[float] = []
        start = time.perf_counter()
        while time.perf_counter() < start + seconds:
            turn = len(spent) * size % max(len(lines) - size, 1)
            before = time.perf_counter()
            predictor.predict(lines[turn : turn + size])
            spent.append(time.perf_counter() - before)
        p50, p95, p99 = (float(value) * 1000 for value in np.percentile(spent, [50, 95, 99]))
        texts_per_second = len(spent) * min(size, len(lines)) / sum(spent)
        rows.append(
            {
                "work": f"no server: {work}", "connections": 0, "requests_per_second": round(texts_per_second, 2),
                "p50_ms": round(p50, 3), "p95_ms": round(p95, 3), "p99_ms": round(p99, 3), "n": len(spent),
                "system": f"leanformer {path.name}",
            }
        )  # fmt: skip
        print(f"leanformer {path.name:20} no server: {work}  {texts_per_second:.1f} texts/s  p50 {p50:.3f} ms")
    return rows


def write_plain(teacher: Path, folder: Path) -> None:
    """The teacher as a checkpoint of `transformers`, and traced and quantised as `model.onnx`."""
    sys.path.insert(0, str(HERE.parent / "peers"))
    from graphs import trace
    from onnxruntime.quantization import quantize_dynamic

    from leanformer.artifact import open_artifact
    from leanformer.models.hf.checkpoint import write_checkpoint
    from leanformer.models.store import read_model, write_tokenizer_config

    artifact = open_artifact(teacher)
    write_checkpoint(read_model(artifact), artifact.task, folder)
    (folder / "tokenizer.json").write_bytes(artifact.file("tokenizer.json").read_bytes())
    write_tokenizer_config(artifact, folder)
    trace(folder, folder / "traced.onnx")
    quantize_dynamic(folder / "traced.onnx", folder / "model.onnx")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher", type=Path)
    parser.add_argument("artifacts", type=Path, nargs="+")
    parser.add_argument("--texts", type=Path, required=True, help="a text per line")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    os.environ["SERVE_TEXTS"] = str(arguments.texts)
    from leanformer.files import write_json
    from leanformer.machine import fingerprint
    from leanformer.runtime.cores import allowed_cores

    rows: list[Any] = []
    rest = (arguments.texts, arguments.connections, arguments.seconds)
    for path in arguments.artifacts:
        rows += without_server(path, arguments.texts, arguments.seconds)
        command = ("-m", "leanformer", "serve", str(path), "--port", "PORT", "--no-access-log")
        with service(*command) as port:
            rows += measure(f"leanformer {path.name}", port, *rest, '{"truncate": true}')
    with tempfile.TemporaryDirectory() as scratch:
        write_plain(arguments.teacher, Path(scratch))
        for kind, name in (("pipeline", "FastAPI, transformers pipeline"), ("onnx", "FastAPI, ONNX Runtime int8")):
            with service(str(HERE / "plain_services.py"), kind, scratch, "PORT") as port:
                rows += measure(name, port, *rest, "{}")
    for row in rows:
        row["load_average"] = round(os.getloadavg()[0], 2)
        row["machine"] = fingerprint(allowed_cores())
    write_json(arguments.output, rows)
    print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
