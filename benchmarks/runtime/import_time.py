"""How long `import leanformer` takes, in fresh interpreters, beside an interpreter that imports nothing.

    python -m benchmarks.runtime.import_time [--python ENVIRONMENT/bin/python] [--runs 20] [--output FILE]

Give `--python` the interpreter of an environment with the base install to measure that one. Written as JSON, with the
machine and the versions it was measured with. The two commands take turns, so that a machine that slows down
meanwhile slows both; the first turn only warms the file cache and is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance

MODULES = ("leanformer", "leanformer.cli.main", "leanformer.runtime")
INSIDE = """
import sys, time
wall, cpu = time.perf_counter(), time.process_time()
for name in sys.argv[1:]:
    __import__(name)
print((time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3)
"""
MACHINE = """
import importlib.metadata, json, os, platform
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
try:
    lines = open("/proc/cpuinfo", encoding="utf-8").read().splitlines()
    cpu = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
except (OSError, StopIteration):
    cpu = platform.processor()
print(json.dumps({"cpu": cpu, "cores": os.cpu_count(), "system": platform.system(), "machine": platform.machine(),
    "python": platform.python_version(), "versions": {name: version(name) for name in
    ("leanformer", "numpy", "onnxruntime", "tokenizers", "typer", "rich", "torch")}}))
"""


def measure(python: str, modules: list[str]) -> dict[str, float]:
    """One fresh interpreter: milliseconds of the import itself and of the whole process."""
    started = time.perf_counter()
    done = subprocess.run([python, "-c", INSIDE, *modules], capture_output=True, text=True, check=True)
    process_ms = (time.perf_counter() - started) * 1e3
    import_ms, import_cpu_ms = map(float, done.stdout.split())
    return {"import_ms": import_ms, "import_cpu_ms": import_cpu_ms, "process_ms": process_ms}


def importable(python: str, module: str) -> bool:
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0


def summarise(values: list[float]) -> dict[str, float]:
    return {
        "min": round(min(values), 2),
        "median": round(statistics.median(values), 2),
        "max": round(max(values), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="interpreter of the environment to measure")
    parser.add_argument("--runs", type=int, default=20, help="fresh interpreters per module")
    parser.add_argument("--output", type=Path, default=RESULTS / "import_time.json")
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error("--runs must be at least 1")

    names = ["nothing", *(name for name in MODULES if importable(arguments.python, name))]
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for turn in range(arguments.runs + 1):
        for name in names:
            one = measure(arguments.python, [] if name == "nothing" else [name])
            if turn > 0:
                runs[name].append(one)

    machine = json.loads(subprocess.run([arguments.python, "-c", MACHINE], capture_output=True, check=True).stdout)
    result = {
        "what": "milliseconds to import, in fresh interpreters",
        "runs": arguments.runs,
        "load_average_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "machine": machine,
        **provenance(),
        "modules": {
            name: {unit: summarise([taken[unit] for taken in ones]) for unit in ones[0]} for name, ones in runs.items()
        },
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for name, units in result["modules"].items():
        import_ms, process_ms = units["import_ms"]["median"], units["process_ms"]["median"]
        print(f"{name:24s} import {import_ms:8.1f} ms   process {process_ms:8.1f} ms")
    print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
