"""Our server alone, beside plain ones, and under too much load: writes benchmarks/results/serve.json.

    python -m benchmarks.serve.run [--only SECTION ...] [--seconds 10] [--minutes 5] [--work FOLDER]

Reads $LEANFORMER_DATA/sst2 (its test texts, one a line, in shuffled order) and what benchmarks/ladders/run.py made of
it: MiniLM-L6 in int8 and the lean student. Load comes from another process over loopback (load.py). The sections, each
of which is stored as soon as it is finished, over what was there of it:

    connections   single texts at 1, 8, 64 and 256 connections
    saturation    lists of 32, and one text a request at 64 connections, against `leanformer bench` in one process (in
                  turn); the CPU that a request costs the server's front and its workers, which are processes, then
                  threads
    overhead      one connection against inference alone, of the same texts
    plain         FastAPI with a transformers pipeline, and with ONNX Runtime int8: a padded batch for each request, or
                  dynamic batches with one process a core
    steady        70 % of the capacity from an open loop, beside one text at a time
    overload      twice the capacity from an open loop, --minutes long: answers, waiting times, memory
    killed        the same with a worker killed every 20 s
    reload        half of the capacity with a reload every 10 s

The plain services need `pip install fastapi`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.paths import RESULTS, WORK
from benchmarks.provenance import provenance, watch
from benchmarks.serve.measure import Row, Setting, by_connections, overhead, plain, saturation
from benchmarks.serve.overload import killed, overload, reloads, steady
from leanformer.data.dataset import open_dataset
from leanformer.files import write_json
from leanformer.runtime.cores import allowed_cores
from leanformer.serve.settings import ISOLATIONS

RESULT = RESULTS / "serve.json"
SECTIONS: dict[str, Callable[[Setting], list[Row]]] = {
    "connections": by_connections,
    "saturation": saturation,
    "overhead": overhead,
    "plain": plain,
    "steady": steady,
    "overload": overload,
    "killed": killed,
    "reload": reloads,
}
# Names in the results, and the steps of the ladder that they are.
MODELS = {"MiniLM-L6 int8": "teacher-int8-*", "lean SST-2 student": "again-int8-*"}


def newest(work: Path, pattern: str) -> Path:
    """The step that was made last. Raises `SystemExit` where there is none."""
    found = sorted((work / "compress" / "steps").glob(pattern), key=lambda path: path.stat().st_mtime)
    if not found:
        raise SystemExit(f"{work}: no {pattern} in compress/steps; run python -m benchmarks.ladders.run sst2 first")
    return found[-1]


def store(path: Path, section: str, rows: list[Row]) -> None:
    """Put the rows of a section in place of those that were there; others stay, in the order of the sections."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    kept = [row for row in kept if row["section"] != section] + rows
    order = list(SECTIONS)
    write_json(path, sorted(kept, key=lambda row: order.index(row["section"])))


def command_line() -> str:
    return " ".join(
        ["python", "-m", "benchmarks.serve.run", *(os.path.basename(argument) for argument in sys.argv[1:])]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--isolation", nargs="+", choices=ISOLATIONS, default=list(ISOLATIONS))
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run but those under too much load")
    parser.add_argument("--minutes", type=float, default=5.0, help="of each run under too much load")
    parser.add_argument("--rounds", type=int, default=3, help="of the section saturation")
    parser.add_argument("--queue-tokens", type=int, default=8192, help="of the server under too much load")
    parser.add_argument("--work", type=Path, default=WORK / "sst2", help="where benchmarks.ladders.run worked")
    parser.add_argument("--data", default=os.path.join(os.environ.get("LEANFORMER_DATA", ""), "sst2"))
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    data = open_dataset(arguments.data)
    assert data.test is not None
    with tempfile.TemporaryDirectory() as scratch:
        texts = Path(scratch) / "texts.txt"
        texts.write_text("".join(" ".join(text.split()) + "\n" for text in data.test.texts), encoding="utf-8")
        setting = Setting(
            artifacts={name: newest(arguments.work, MODELS[name]) for name in arguments.models},
            teacher=arguments.work / "teacher", texts=texts, connections=arguments.connections,
            seconds=arguments.seconds, minutes=arguments.minutes, rounds=arguments.rounds,
            queue_tokens=arguments.queue_tokens, isolations=arguments.isolation,
        )  # fmt: skip
        for section in arguments.only:
            print(f"== {section}", flush=True)
            begun = watch()
            rows = SECTIONS[section](setting)
            about = {
                "section": section, "command": command_line(), "load_average": round(os.getloadavg()[0], 2),
                **provenance(allowed_cores(), begun),
            }  # fmt: skip
            store(arguments.output, section, [row | about for row in rows])
            print(f"stored in {arguments.output}", flush=True)


if __name__ == "__main__":
    main()
