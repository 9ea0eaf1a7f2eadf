"""Everything that README and docs show, one command after the other: what `make bench` runs.

    python -m benchmarks.run --list
    python -m benchmarks.run
    python -m benchmarks.run --only xtremedistil

Reads $LEANFORMER_DATA, writes benchmarks/results/ and then the pages. A command that ended well is not run again
(benchmarks/work/finished.json; `--again` forgets it), and one that was killed goes on from its own work folder. The
minutes are rough figures for two cores; where a command has been run here, its own time is printed instead.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.paths import ROOT, WORK
from leanformer.files import write_json

FINISHED = WORK / "finished.json"
_AFRICA = "--corpus masakhaner2 --teacher-sentences 500 --teacher-epochs 2 --dev-sentences 100 --test-sentences 400"
# Minutes, and the module below `benchmarks` with its arguments.
COMMANDS = (
    (1, "runtime.import_time"),
    (1, "runtime.kernels"),
    (5, "leaks"),
    (1, "runtime.peaks"),
    (15, "runtime.tokenizing"),
    (120, "ladders.run sst2 --recipe thorough --result thorough"),
    (60, "ladders.run sst2 --recipe fastformers --result fastformers"),
    (15, "ladders.run sst2 --recipe quick-pruned --result quick-pruned"),
    (15, "ladders.run sst2 --recipe benchmarks/recipes/pruning.yaml --result pruning"),
    (60, "ladders.run sst2"),
    (30, "ladders.run trec --recipe fastformers"),
    (45, "ladders.run banking77 --recipe fastformers"),
    (30, "ladders.run mrpc --recipe fastformers"),
    (30, "ladders.run stsb --recipe fastformers"),
    (30, "ladders.run afrisenti/hau --recipe fastformers"),
    (3, "ladders.floors"),
    (6, "data.duplicates"),
    (6, "data.selection"),
    (6, "data.label_errors"),
    (10, "data.active"),
    (10, "data.curves"),
    (12, "data.maps trec"),
    (60, "ladders.layers sst2"),
    (120, "ladders.students sst2"),
    (40, "students.starts"),
    (45, "students.copies"),
    (3, "students.summary trec"),
    (60, "trials trec"),
    (240, "ladders.run sst2 --encoder mpnet --recipe benchmarks/recipes/base.yaml"),
    (200, "students.long"),
    (240, "tiny.run trec banking77 snips ag_news afrisenti/hau sst2"),
    (15, "tiny.run --timed"),
    (10, "ladders.quality_cost sst2"),
    (12, "ladders.energy sst2"),
    (2, "ladders.ship_gate"),
    (8, "ladders.gate_forms"),
    (1, "ladders.gate_reuse"),
    (20, "ladders.busy"),
    (10, "ladders.cascade sst2"),
    (15, "peers.run sst2"),
    (10, "runtime.run"),
    (5, "runtime.workers"),
    (30, "runtime.batch_invariance"),
    (10, "runtime.memory"),
    (8, "runtime.container"),
    (60, "runtime.other_cpu"),  # needs qemu-user-static of the system, and says so where it is missing
    (90, "searches.run sst2"),
    (90, "searches.run banking77"),
    (30, "searches.on_ray"),
    (60, "serve.run"),  # needs fastapi for the services beside it
    (30, "embedders.run"),
    (60, "training.few_labels"),
    (30, "training.memory"),
    (240, "training.adapters"),
    (240, "training.teacher_answers"),
    (10, "family.latency"),
    (20, "family.run trec"),
    (15, "family.exits trec"),
    (240, "atlas.sequences"),
    (120, "atlas.tuning"),
    (180, "atlas.sparsity"),
    (8, "resilience.demo --seeds 13 --held none avx2"),
    (15, "resilience.killed"),
    (15, "resilience.documented"),
    (4, "xtremedistil.run teacher"),
    (1, "xtremedistil.run rates --strategies D1 --epochs 4 --seeds 13"),
    (7, "xtremedistil.run rates --transfer 10000 --strategies D1 --epochs 10 --rates 64:1e-3 32:6e-3"),
    (125, "xtremedistil.run strategies --transfer 10000 --epochs 3 --seeds 13 14 15"),
    (13, "xtremedistil.run strategies --transfer 10000 --epochs 20 --seeds 13 --strategies D1"),
    (44, "xtremedistil.run strategies --transfer 10000 --epochs 3 --seeds 13 14 --size 300x600 "
         "--strategies D1 D2 D4.2"),
    (125, "xtremedistil.run strategies --transfer 50000 --epochs 1 --seeds 13 14 15"),
    (38, "xtremedistil.run strategies --transfer 50000 --epochs 1 --seeds 13 14 15 --vocabulary cased "
         "--strategies D4.1 D4.2"),
    (12, "xtremedistil.run sizes --transfer 50000 --epochs 1 --strategies D3.2 --timed 500"),
    (30, "xtremedistil.run sizes --transfer 50000 --epochs 1 --strategies D4.2 --seeds 13 14 15 --timed 500 "
         "--vocabulary cased --sizes 10x25 25x50 50x100 50x200 100x200"),
    (12, "xtremedistil.run low_resource --transfer 1000 10000 --epochs 3 --strategies D3.2"),
    (13, "xtremedistil.run low_resource --transfer 50000 --epochs 1 --strategies D3.2"),
    (31, "xtremedistil.run starts --transfer 10000 --epochs 3 --seeds 13 --strategies D3.1"),
    (13, "xtremedistil.pieces --transfer 50000 --epochs 1 --seeds 13 14 15 --start random --strategies D0-S"),
    (20, "xtremedistil.pieces --transfer 50000 --epochs 1 --seeds 13 14 15 --strategies D4.2"),
    (5, f"xtremedistil.run teacher {_AFRICA}"),
    (21, f"xtremedistil.run strategies {_AFRICA} --transfer 10000 --epochs 1 --seeds 13 --strategies D1 D4.2"),
    (5, f"xtremedistil.run strategies {_AFRICA} --transfer 10000 --epochs 1 --seeds 13 --strategies D4.2 "
        "--vocabulary cased"),
    (39, "xtremedistil.task_transfer --transfer 10000 --epochs 3 --seeds 13 --target-sentences 200"),
    (5, "xtremedistil.task_transfer --target wikineural --transfer 10000 --epochs 3 --seeds 13 --target-sentences 100"),
    (32, "xtremedistil.text_students trec banking77 --seeds 13 --epochs 5"),
)  # fmt: skip
# They take seconds, and are always run.
PAGES = (
    "pages.runtime_picture",
    "pages.readme",
    "pages.cost_page",
    "pages.ladder_picture sst2 --result thorough",
    "pages.atlas",
)


def finished(path: Path) -> dict[str, float]:
    """The commands that ended well, with the minutes that each took."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def chosen(words: Iterable[str]) -> list[tuple[float, str]]:
    """The commands that hold one of the words; all where there are no words."""
    words = list(words)
    return [(minutes, command) for minutes, command in COMMANDS if not words or any(word in command for word in words)]


def plan(commands: Iterable[tuple[float, str]], done: dict[str, float]) -> str:
    """A line for each command and the sum of what is still to run."""
    lines, rest = list[str](), 0.0
    for minutes, command in commands:
        state = f"done in {done[command]:.0f}" if command in done else f"about {minutes:.0f}"
        rest += 0 if command in done else minutes
        lines.append(f"{state:>12} min  python -m benchmarks.{command}")
    return "\n".join([*lines, f"still to run: about {rest / 60:.1f} hours on two cores"])


def run(command: str) -> None:
    """Run one command. Raises `CalledProcessError` where it fails."""
    print(f"== python -m benchmarks.{command}", flush=True)
    subprocess.run([sys.executable, "-m", *f"benchmarks.{command}".split()], cwd=ROOT, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the commands and what they take; run none")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="the commands that hold one of these")
    parser.add_argument("--again", action="store_true", help="run those that are finished, too")
    arguments = parser.parse_args()
    commands, done = chosen(arguments.only), {} if arguments.again else finished(FINISHED)
    print(plan(commands, done), flush=True)
    if arguments.list:
        return
    for _, command in commands:
        if command not in done:
            start = time.monotonic()
            run(command)
            minutes = (time.monotonic() - start) / 60
            write_json(FINISHED, finished(FINISHED) | {command: round(minutes, 1)})
    for command in PAGES:
        run(command)


if __name__ == "__main__":
    main()
