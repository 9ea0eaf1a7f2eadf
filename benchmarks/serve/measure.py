"""Sections of run.py on how fast: by connections, lists against no server, overhead at one connection, plain services.

A row is `{work, connections, requests_per_second, p50_ms, p95_ms, p99_ms, system}` and more; latency is the client's.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.paths import ROOT
from benchmarks.serve.services import Service, load, ours, started
from leanformer.loading import load as load_light
from leanformer.predictor import chunked, logits_by_chunk
from leanformer.runtime.cores import allowed_cores

Row = dict[str, Any]
_TRUNCATE = ("--options", '{"truncate": true}')
LIST = 32

# A service beside ours, run as a program of its own.
PLAIN = ("-m", "benchmarks.serve.plain_services")
PLAIN_SERVICES = {
    "pipeline": "FastAPI, transformers pipeline",
    "onnx": "FastAPI, ONNX Runtime int8",
    "batched": "FastAPI, ONNX Runtime int8, dynamic batches, one process a core",
}


@dataclass(frozen=True)
class Setting:
    """What all sections are told.

    Attributes:
        artifacts: what a model is called -> its folder; the first is the one that plain services run too.
        teacher: the same as format "encoder", for the plain services.
        texts: a file with a text per line.
        isolations: what our server's workers are, in the sections saturation and overhead.
    """

    artifacts: dict[str, Path]
    teacher: Path
    texts: Path
    connections: Sequence[int]
    seconds: float
    minutes: float
    rounds: int
    queue_tokens: int
    isolations: Sequence[str] = ("process",)

    def lines(self) -> list[str]:
        return [line for line in self.texts.read_text(encoding="utf-8").splitlines() if line.strip()]


def system(name: str, isolation: str = "process") -> str:
    return f"leanformer, {name}" + (", threads" if isolation == "thread" else "")


def told(row: Row) -> None:
    figures = "  ".join(f"{name} {row[name]}" for name in ("requests_per_second", "p50_ms", "p95_ms", "p99_ms"))
    print(
        f"{row['system']:34} {row['work']:24} {row['connections']:4}  {figures}  {row.get('statuses', '')}", flush=True
    )


def by_connections(setting: Setting) -> list[Row]:
    """Single texts in a closed loop, at each number of connections."""
    rows = []
    for name, folder in setting.artifacts.items():
        with started(ours(folder), setting.texts) as service:
            rows += _closed(setting, service, system(name), _TRUNCATE)
    return rows


def saturation(setting: Setting) -> list[Row]:
    """Lists of 32 against what `leanformer bench` measures in one process, in turn; and what HTTP costs one text."""
    rows = []
    for (name, folder), isolation in product(setting.artifacts.items(), setting.isolations):
        predictor, lines = load_light(folder), setting.lines()
        list(logits_by_chunk(predictor, chunked(lines)))
        alone, lists, front, behind, singles = [], [], [], [], []
        with started(ours(folder, "--isolation", isolation), setting.texts) as service:
            for _ in range(setting.rounds):
                alone.append(_rate(predictor, lines, setting.seconds))
                found = load(
                    service.port, setting.texts, *_for(setting), "--connections", "8", "--list", str(LIST), *_TRUNCATE
                )
                lists.append(found)
                before = service.spent()
                single = load(service.port, setting.texts, *_for(setting), "--connections", "64", *_TRUNCATE)
                spent = [now - was for now, was in zip(service.spent(), before, strict=True)]
                singles.append(single)
                front.append(1000 * spent[0] / max(single["n"], 1))
                behind.append(1000 * spent[1] / max(single["n"], 1))
        per_text = [LIST * list_["requests_per_second"] for list_ in lists]
        rates = [single["requests_per_second"] for single in singles]
        cores, typical = allowed_cores(), _typical(lists)
        rows.append({
            "work": f"lists of {LIST}", "connections": 8, **typical, "system": system(name, isolation),
            "texts_per_second": round(median(per_text), 1),
            "bench_texts_per_second": round(median(alone), 1),
            # Each round's own ratio, so that drift of the machine falls on both.
            "share_of_bench": round(median(a / b for a, b in zip(per_text, alone, strict=True)), 4),
            "shares_by_round": [round(a / b, 4) for a, b in zip(per_text, alone, strict=True)],
            "single_texts_per_second": round(median(rates), 1),
            # What a core is busy with for one text that comes alone, beyond what it costs in a list.
            "http_core_ms_per_single_text": round(
                median(1000 * cores / s - 1000 * cores / t for s, t in zip(rates, per_text, strict=True)), 4
            ),
            "front_cpu_ms_per_single_text": round(median(front), 4),
            "workers_cpu_ms_per_single_text": round(median(behind), 4),
        })  # fmt: skip
        told(rows[-1])
        print({key: rows[-1][key] for key in ("share_of_bench", "shares_by_round", "http_core_ms_per_single_text")})
        shares = [a / b for a, b in zip(rates, alone, strict=True)]
        rows.append({
            "work": "one text a request", "connections": 64, **_typical(singles), "system": system(name, isolation),
            "bench_texts_per_second": round(median(alone), 1),
            "share_of_bench": round(median(shares), 4), "shares_by_round": [round(share, 4) for share in shares],
            "front_cpu_ms": round(median(front), 4), "workers_cpu_ms": round(median(behind), 4),
        })  # fmt: skip
        told(rows[-1])
        print({key: rows[-1][key] for key in ("share_of_bench", "shares_by_round", "front_cpu_ms", "workers_cpu_ms")})
    return rows


def overhead(setting: Setting) -> list[Row]:
    """One connection, one text at a time, beside the inference of the same texts in this process, block by block.

    In turn with them an HTTP server that only answers a constant (`floor`): what no service under it can go below.
    """
    rows = []
    for (name, folder), isolation in product(setting.artifacts.items(), setting.isolations):
        predictor = load_light(folder, threads=1)
        lines = setting.lines()[:1000]
        prepared = predictor.tokenize(lines)
        over, alone, stages, floor = [], [], [], []
        constant = [*PLAIN, "constant", str(folder), "PORT"]
        with (
            started(ours(folder, "--isolation", isolation), setting.texts) as service,
            started(constant, setting.texts) as nothing,
            socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection,
            socket.create_connection(("127.0.0.1", nothing.port), timeout=60) as beside,
        ):
            end, turn = time.perf_counter() + 2 * setting.seconds, 0
            while time.perf_counter() < end or not over:
                block = [(turn * 20 + i) % len(lines) for i in range(20)]
                turn += 1
                # The first of a block finds the other's weights in the caches, and is not counted.
                asked = [_ask(connection, lines[i]) for i in block][1:]
                inferred = [_timed(predictor, prepared[i]) for i in block][1:]
                floor += [_ask(beside, lines[i])[0] for i in block][1:]
                over += [ms for ms, _ in asked]
                stages += [ms - infer for ms, infer in asked]
                alone += inferred
        p50, p95, p99 = (float(value) for value in np.percentile(over, [50, 95, 99]))
        rows.append({
            "work": "overhead", "connections": 1, "requests_per_second": round(1000 * len(over) / sum(over), 2),
            "p50_ms": round(p50, 3), "p95_ms": round(p95, 3), "p99_ms": round(p99, 3), "n": len(over),
            "system": system(name, isolation),
            "inference_p50_ms": round(median(alone), 3),
            # Of the same text, so that its length falls out.
            "overhead_p50_ms": round(median(a - b for a, b in zip(over, alone, strict=True)), 3),
            "beside_infer_stage_p50_ms": round(median(stages), 3),
            "floor_p50_ms": round(median(floor), 3),
        })  # fmt: skip
        told(rows[-1])
        shown = ("inference_p50_ms", "overhead_p50_ms", "beside_infer_stage_p50_ms", "floor_p50_ms")
        print({key: rows[-1][key] for key in shown})
    return rows


def plain(setting: Setting) -> list[Row]:
    """FastAPI around a `transformers` pipeline and around ONNX Runtime on int8: the same texts on the same cores."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        # In a process of its own: torch is loaded first there, and its memory is gone before anything is timed.
        write = [sys.executable, *PLAIN, "write", str(setting.teacher), scratch]
        subprocess.run(write, check=True, cwd=ROOT)
        for kind, name in PLAIN_SERVICES.items():
            command = [*PLAIN, kind, scratch, "PORT"]
            with started(command, setting.texts) as service:
                rows += _closed(setting, service, name, ())
                found = load(service.port, setting.texts, *_for(setting), "--connections", "8", "--list", str(LIST))
                rows.append({"work": f"lists of {LIST}", "connections": 8, **found, "system": name})
                rows[-1]["texts_per_second"] = round(LIST * found["requests_per_second"], 1)
                told(rows[-1])
    return rows


def _typical(loads: list[Row]) -> Row:
    """The load in the middle, by throughput."""
    return sorted(loads, key=lambda load: load["requests_per_second"])[len(loads) // 2]


def _for(setting: Setting) -> tuple[str, str]:
    return "--seconds", str(setting.seconds)


def _closed(setting: Setting, service: Service, name: str, options: Sequence[str]) -> list[Row]:
    rows = []
    for count in setting.connections:
        found = load(service.port, setting.texts, *_for(setting), "--connections", str(count), *options)
        rows.append({"work": "texts, one by one", "connections": count, **found, "system": name})
        told(rows[-1])
    return rows


def _rate(predictor: Any, lines: list[str], seconds: float) -> float:
    """Texts per second of the predictor alone, as `leanformer bench` counts them."""
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds or not done:
        for _ in logits_by_chunk(predictor, chunked(lines)):
            pass
        done += len(lines)
    return done / spent


def _ask(connection: socket.socket, text: str) -> tuple[float, float]:
    """Milliseconds until the answer was here, and those of its stage `infer` (0 where none is told).

    A bare socket: a client's own library would take a third of a millisecond, which is no server's.
    """
    body = json.dumps({"inputs": text, "truncate": True}).encode()
    head = "POST /predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: "
    request = head.encode() + str(len(body)).encode() + b"\r\n\r\n" + body
    answer, wanted = b"", None
    start = time.perf_counter()
    connection.sendall(request)
    while wanted is None or len(answer) < wanted:
        part = connection.recv(65536)
        if not part:
            raise SystemExit("the service closed the connection")
        answer += part
        if wanted is None and (end := answer.find(b"\r\n\r\n")) > 0:
            length = answer[:end].lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            wanted = end + 4 + int(length)
    spent = 1000 * (time.perf_counter() - start)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"at one connection: {answer[:200]!r}")
    return spent, float(answer.partition(b"infer;dur=")[2].partition(b",")[0] or 0)


def _timed(predictor: Any, row: np.ndarray) -> float:
    start = time.perf_counter()
    predictor.infer([row])
    return 1000 * (time.perf_counter() - start)
