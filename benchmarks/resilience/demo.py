"""How long `leanformer demo` takes on this machine, after installation, and what it ends with: results/demo.json.

    python -m benchmarks.resilience.demo --seeds 13 1 2
    python -m benchmarks.resilience.demo --seeds 13 --held none avx2

A row for each seed, whatever it came to. With `--held avx2`, PyTorch, oneDNN, OpenBLAS and our engine are told to
use no instructions beyond AVX2 (ONNX Runtime cannot be told so): nearly what a CPU without AVX-512 would do, on one
that has it. CPU-seconds are those of all its processes, user and system: where other programs run on the same cores
they say more than the wall clock.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance, watch
from leanformer.files import write_json
from leanformer.report import Report
from leanformer.runtime.cores import allowed_cores

# What holds each library to the instructions of another CPU.
HELD = {
    "none": {},
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell", "LEANFORMER_LEVEL": "avx2",
    },
}  # fmt: skip


def cpu_seconds() -> float:
    """Of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def demo(seed: int, held: str = "none") -> dict[str, Any]:
    """One run of the demo in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "lean-demo")
        start, cpu = time.monotonic(), cpu_seconds()
        command = [sys.executable, "-m", "leanformer", "demo", "--output", str(output), "--seed", str(seed)]
        subprocess.run(command, check=True, env=os.environ | HELD[held])
        seconds, cpu = time.monotonic() - start, cpu_seconds() - cpu
        report = Report.read(output / "lean" / "report.json")
    assert report.choice is not None
    return {
        "seed": seed,
        "held_to": held,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "student_wins": "teacher" not in report.choice["rung"] and report.choice["rung"] != "our ONNX graph",
        "choice": report.choice,
        "rungs": [
            {"name": rung.name, "dev": rung.dev_quality, "quality": rung.quality, "n": rung.n, "speedup": rung.speedup}
            for rung in report.rungs
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[13, 1, 2])
    parser.add_argument("--output", type=Path, default=RESULTS / "demo.json")
    parser.add_argument("--held", nargs="+", choices=HELD, default=["none"], help="instructions to be used at most")
    arguments = parser.parse_args()
    begun = watch()
    runs = [demo(seed, held) for seed in arguments.seeds for held in arguments.held]
    write_json(arguments.output, {"runs": runs, **provenance(allowed_cores(), begun)})
    for run in runs:
        times = f"{run['seconds']:.0f} s, {run['cpu_seconds']:.0f} CPU-s"
        print(f"seed {run['seed']}, held: {run['held_to']}: {times}, {run['choice']['rung']}")


if __name__ == "__main__":
    main()
