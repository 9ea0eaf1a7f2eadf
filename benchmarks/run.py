"""All benchmarks, one after the other: what `make bench` runs. Hours on two cores; every part goes on where it was.

Reads $LEANFORMER_DATA. Results go to benchmarks/results/.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMMANDS = (
    ("import_time.py",),
    ("kernels.py",),
    ("tokenizing.py",),
    ("runtime.py",),
    ("company.py",),
    ("ladder.py", "sst2"),
    ("layers.py", "sst2"),
    ("students.py", "sst2"),
    ("quality_cost.py", "sst2"),
    ("energy.py", "sst2"),
    ("cascade.py", "sst2"),
    ("peers/peers.py", "sst2"),
    ("ladder.py", "trec"),
    ("search.py", "sst2"),
    ("search.py", "banking77"),
    ("demo.py",),
    ("killed.py",),
    ("documented.py",),
    ("memory.py",),
    ("other_cpu.py",),  # needs qemu-user-static of the system, and says so where it is missing
    ("serve/run.py",),  # needs fastapi for the services beside it
)


def main() -> None:
    for command in COMMANDS:
        print(f"== {' '.join(command)}", flush=True)
        subprocess.run([sys.executable, str(HERE / command[0]), *command[1:]], check=True)


if __name__ == "__main__":
    main()
