"""What the tests of search share: spaces written to files, results without training, a tiny search."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leanformer.search.jobs.executor import Job, Result
from leanformer.search.space.read import read_space
from leanformer.search.space.space import Space

SIMPLE = """\
name: simple
goals:
  maximise: accuracy
  minimise: bytes
steps:
  - step: compress.distil
    name: student
    uses: teacher
    layers: {choose: [2, 1]}
    learning_rate: {range: [1e-4, 1e-2], log: true}
    epochs: 3
  - step: export.onnx
"""


def write_space(folder: Path, text: str = SIMPLE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "space.yaml").write_text(text, encoding="utf-8")
    return folder / "space.yaml"


def space_of(folder: Path, text: str = SIMPLE) -> Space:
    return read_space(write_space(folder, text))


def option(job: Job, step: str, name: str) -> Any:
    return next(entry[name] for entry in job["recipe"]["steps"] if entry["name"] == step)


def figures(**given: float) -> dict[str, float]:
    """All figures of a result; `given` replaces any."""
    base: dict[str, float] = {
        "quality": 0.9, "drop": 0.0, "latency_ms_p50": 1.0, "latency_ms_p95": 2.0, "latency_ms_p99": 3.0,
        "throughput_per_second": 100.0, "cpu_seconds_per_1000": 1.0, "bytes": 1000, "parameters": 10,
        "flops_per_text": 1e6,
    }  # fmt: skip
    return base | given


def pretended(job: Job) -> Result:
    """What a job might give, computed from its options: best at a learning rate of 1e-3, larger with more layers."""
    rate, layers = option(job, "student", "learning_rate"), option(job, "student", "layers")
    quality = 0.95 - 0.1 * math.log10(rate / 1e-3) ** 2 - 0.05 * (2 - layers) - 0.1 * (1 - job["share"])
    made = figures(quality=quality, drop=100 * (0.95 - quality), bytes=1000 * layers, latency_ms_p95=1.0 * layers)
    return {"figures": made, "content_hash": f"{rate} {layers}", "wall_seconds": 10 * job["share"], "cpu_seconds": 1.0}


def plain(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(value.items())
