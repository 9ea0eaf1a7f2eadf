"""How long `leanformer demo` takes on this machine, after installation, and what it ends with: results/demo.json.

    python -m benchmarks.resilience.demo --seeds 13 1 2

A row for each seed, whatever it came to. CPU-seconds are those of all its processes, user and system: where other
programs run on the same cores they say more than the wall clock.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance
from leanformer.files import write_json
from leanformer.report import Report
from leanformer.runtime.cores import allowed_cores


def cpu_seconds() -> float:
    """Of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def demo(seed: int) -> dict[str, Any]:
    """One run of the demo in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "lean-demo")
        start, cpu = time.monotonic(), cpu_seconds()
        command = [sys.executable, "-m", "leanformer", "demo", "--output", str(output), "--seed", str(seed)]
        subprocess.run(command, check=True)
        seconds, cpu = time.monotonic() - start, cpu_seconds() - cpu
        report = Report.read(output / "lean" / "report.json")
    assert report.choice is not None
    return {
        "seed": seed,
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
    arguments = parser.parse_args()
    runs = [demo(seed) for seed in arguments.seeds]
    write_json(arguments.output, {"runs": runs, **provenance(allowed_cores())})
    for run in runs:
        print(f"seed {run['seed']}: {run['seconds']:.0f} s, {run['cpu_seconds']:.0f} CPU-s, {run['choice']['rung']}")


if __name__ == "__main__":
    main()
