"""Where the server's front spends its CPU, by a sampling profiler: writes benchmarks/results/serve_profile.json.

    python -m benchmarks.serve.profile ARTIFACT [--data FOLDER] [--seconds 10] [--connections 64]

Needs `pip install py-spy`. The test texts of a data set ($LEANFORMER_DATA/sst2), one a request, from another process,
after as long to learn their words. A row is `{part, share, samples}` and what it was measured on; a sample counts for
the first part that has a function of its stack.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance, watch
from benchmarks.serve.services import load, ours, started
from leanformer.data.dataset import open_dataset
from leanformer.files import write_json
from leanformer.runtime.cores import allowed_cores

RESULT = RESULTS / "serve_profile.json"
PARTS = {
    "tokenising": ("Model.read_now",),
    "reading the body": ("read_asked", "read_json"),
    "logits to an answer": ("Model.answer_now", "written ("),
    "sending the answer": ("Flight._write", "RequestResponseCycle.send"),
    "metrics and log": ("Records.add", "Service.count", "Log."),
    "queue, and pipe to the workers": ("Scheduler.submit", "Scheduler.dispatch"),
    "pipe from the workers": ("WorkerPool._listen",),
    "the long way": ("Guard.", "starlette"),
    "the short way": ("Direct.", "Flight."),
    "parsing HTTP": ("Connection.", "uvicorn/protocols"),
}
# Of threads that wait, which the profiler takes for work.
_IDLE = ("_worker (concurrent/futures", "select (")


def shares(stacks: str) -> dict[str, int]:
    """Samples by part, from the lines of the profiler: frames, the outermost first, and a count."""
    found: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        if not any(idle in stack.rpartition(";")[2] for idle in _IDLE):
            part = next((name for name, marks in PARTS.items() if any(mark in stack for mark in marks)), "event loop")
            found[part] += int(count)
    return dict(found.most_common())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--data", default=os.path.join(os.environ.get("LEANFORMER_DATA", ""), "sst2"))
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    options = ("--connections", str(arguments.connections), "--options", '{"truncate": true}')
    begun = watch()
    test = open_dataset(arguments.data).test
    assert test is not None
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        texts = Path(scratch) / "texts.txt"
        texts.write_text("".join(" ".join(text.split()) + "\n" for text in test.texts), encoding="utf-8")
        service = stack.enter_context(started(ours(arguments.artifact.resolve()), texts))
        load(service.port, texts, "--seconds", str(arguments.seconds), *options)
        stacks = Path(scratch) / "stacks"
        command = [
            str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(service.process.pid), "--rate", "500",
            "--duration", str(int(arguments.seconds)), "--format", "raw", "--output", str(stacks),
        ]  # fmt: skip
        profiler = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        asked = load(service.port, texts, "--seconds", str(arguments.seconds + 1), *options)
        if profiler.wait():
            raise SystemExit(profiler.communicate()[1].decode())
        found = shares(stacks.read_text(encoding="utf-8"))
    about = {"connections": arguments.connections, "requests_per_second": asked["requests_per_second"]}
    about |= provenance(allowed_cores(), begun)
    total = sum(found.values())
    rows = [
        {"part": part, "share": round(count / total, 4), "samples": count, **about} for part, count in found.items()
    ]
    for row in rows:
        print(f"{100 * row['share']:5.1f} %  {row['part']}")
    write_json(arguments.output, rows)


if __name__ == "__main__":
    main()
