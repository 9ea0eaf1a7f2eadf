"""How long `leanformer demo` takes on this machine, after installation: benchmarks/results/demo.json."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.paths import RESULTS
from leanformer.files import write_json
from leanformer.machine import fingerprint
from leanformer.report import Report
from leanformer.runtime.cores import allowed_cores


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "lean-demo")
        start = time.monotonic()
        subprocess.run([sys.executable, "-m", "leanformer.cli.main", "demo", "--output", str(output)], check=True)
        seconds = time.monotonic() - start
        report = Report.read(output / "lean" / "report.json")
    result = {
        "seconds": round(seconds, 1),
        "choice": report.choice,
        "rungs": [
            {"name": one.name, "quality": one.quality, "n": one.n, "speedup": one.speedup} for one in report.rungs
        ],
        "machine": fingerprint(allowed_cores()),
    }
    write_json(RESULTS / "demo.json", result)
    print(f"{seconds:.0f} seconds")


if __name__ == "__main__":
    main()
