"""Memory of `leanformer predict` over a million texts, as a curve: benchmarks/results/memory.json.

    python -m benchmarks.runtime.memory [--texts 1000000] [--artifact FOLDER] [--threads N]

SST-2's training phrases, again and again in new orders, one a line in a file; the answers go to another file. The
resident set of the process is read twice a second, together with how many answers it has written. By default the model
is the smallest that benchmarks/ladders/run.py has made, which takes some minutes on two cores; the teacher takes half
an hour. A killed run begins anew: what is measured is one process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ladders.run import open_named
from benchmarks.paths import RESULTS, WORK
from benchmarks.provenance import provenance
from leanformer.artifact import open_artifact
from leanformer.files import write_json
from leanformer.runtime.cores import allowed_cores

SECONDS = 0.5
# Points of the stored curve; more would only be ink.
POINTS = 120
# Before this share of the texts the process still loads, and its allocator grows to what one chunk takes.
START = 0.1
# A process that kept every text or answer would grow by hundreds of bytes for each.
MOST_GROWTH_BYTES_PER_TEXT = 8.0


def write_texts(phrases: Sequence[str], count: int, path: Path, seed: int = 13) -> None:
    """`count` lines: all phrases in a new order, and again, until there are enough."""
    generator = np.random.default_rng(seed)
    lines = [" ".join(phrase.split()) for phrase in phrases]
    with open(path, "w", encoding="utf-8") as handle:
        while count:
            order = generator.permutation(len(lines))[:count]
            handle.writelines(lines[i] + "\n" for i in order)
            count -= len(order)


def resident_bytes(process: int) -> int | None:
    """The resident set of a process now; None where it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    lines = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(lines[0].split()[1]) * 1024 if lines else None


class LineCount:
    """How many lines a growing file has, reading only what is new."""

    def __init__(self) -> None:
        self.lines, self._read = 0, 0

    def update(self, path: Path) -> int:
        """Raises `FileNotFoundError` where there is no such file."""
        with open(path, "rb") as handle:
            handle.seek(self._read)
            new = handle.read()
        self._read += len(new)
        self.lines += new.count(b"\n")
        return self.lines


def watched(command: Sequence[str], answers: Path) -> list[tuple[float, int, int]]:
    """Seconds, answers written and resident bytes, while `answers` is not there yet or is being written.

    When it is gone again the process only gives its memory back. Raises `CalledProcessError` when the command failed.
    """
    began = time.monotonic()
    curve: list[tuple[float, int, int]] = []
    count = LineCount()
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            resident = resident_bytes(process.pid)
            try:
                done = count.update(answers)
            except FileNotFoundError:
                if count.lines:
                    break
                done = 0
            if resident:
                curve.append((time.monotonic() - began, done, resident))
            time.sleep(SECONDS)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(command))
    return curve


def growth(curve: Sequence[tuple[float, int, int]], texts: int) -> dict[str, Any]:
    """The slope of a line laid through the curve after `START`, by least squares, and whether that is flat.

    Raises `ValueError` where the curve is too short to lay a line through.
    """
    later = np.array([(done, resident) for _, done, resident in curve if done >= START * texts], dtype=float)
    if len(later) < 5 or later[-1, 0] < 2 * later[0, 0]:
        raise ValueError(f"{len(later)} samples after the first {START:.0%} of the texts say nothing; use more texts")
    slope = float(np.polyfit(later[:, 0], later[:, 1], 1)[0])
    return {
        "bytes_per_text": slope,
        "bytes_at_start": int(later[0, 1]),
        "bytes_at_end": int(later[-1, 1]),
        "bytes_peak": int(max(resident for _, _, resident in curve)),
        "most_bytes_per_text": MOST_GROWTH_BYTES_PER_TEXT,
        "flat": slope <= MOST_GROWTH_BYTES_PER_TEXT,
    }


def thinned(curve: Sequence[tuple[float, int, int]], points: int = POINTS) -> list[dict[str, float]]:
    """At most so many points, evenly taken, the last one always."""
    chosen = sorted({round(i) for i in np.linspace(0, len(curve) - 1, min(points, len(curve)))})
    return [{"seconds": round(curve[i][0], 1), "texts": curve[i][1], "resident_bytes": curve[i][2]} for i in chosen]


def smallest_made() -> Path:
    """The result of the ladder with the fewest bytes."""
    found = [path for path in sorted((WORK / "sst2").glob("lean-*")) if (path / "model.onnx").is_file()]
    if not found:
        sys.exit("error: no model to run\n  remedy: python -m benchmarks.ladders.run sst2, or --artifact FOLDER")
    return min(found, key=lambda path: (path / "model.onnx").stat().st_size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--artifact", type=Path, help="an artifact that `leanformer predict` runs")
    parser.add_argument("--threads", type=int, default=allowed_cores())
    parser.add_argument("--output", type=Path, default=RESULTS / "memory.json")
    arguments = parser.parse_args()
    data = open_named("sst2")
    assert data.train is not None
    artifact = open_artifact(arguments.artifact or smallest_made())
    with tempfile.TemporaryDirectory() as name:
        source, answers = Path(name, "texts.txt"), Path(name, "answers.jsonl")
        write_texts(data.train.texts, arguments.texts, source)
        command = [
            sys.executable, "-m", "leanformer", "predict", str(artifact.path), "--input", str(source),
            "--output", str(answers), "--threads", str(arguments.threads),
        ]  # fmt: skip
        # Until it is whole the file has this name (cli/predict.py).
        curve = watched(command, answers.with_name(f".{answers.name}.partial"))
        written = LineCount().update(answers)
    if written != arguments.texts:
        sys.exit(f"error: {written} answers for {arguments.texts} texts")
    found = growth(curve, arguments.texts)
    write_json(
        arguments.output,
        {
            "texts": arguments.texts, "content_hash": artifact.content_hash, **found, "curve": thinned(curve),
            **provenance(arguments.threads),
        },
    )  # fmt: skip
    print(
        f"{arguments.texts} texts: {found['bytes_at_start'] / 1e6:.0f} MB after {START:.0%}, "
        f"{found['bytes_at_end'] / 1e6:.0f} MB at the end, {found['bytes_per_text']:.2f} bytes a text: "
        f"{'flat' if found['flat'] else 'NOT FLAT'}"
    )
    if not found["flat"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
