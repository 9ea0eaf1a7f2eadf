"""A cascade on one data set: what was promised on dev, and what came of it on test: benchmarks/results/search/.

    python -m benchmarks.ladders.cascade sst2 [--small FOLDER] [--large FOLDER] [--work FOLDER] [--max-loss 1.0]

The small model is the int8 student and the large one the teacher's int8 graph of the ladder (benchmarks/ladders/run.py
SET --recipe fastformers), found in its work folder by what the manifests say. The promise, the small model and the
measure are fixed by the options before anything is calibrated; one cascade is calibrated, on dev, and test is read
once. Beside it stand both members and the PyTorch teacher, timed in turn.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.ladders.run import TEACHERS, open_named
from benchmarks.paths import RESULTS, WORK
from benchmarks.provenance import provenance
from leanformer.answers.forms import metric_name
from leanformer.artifact import MANIFEST, Artifact, open_artifact
from leanformer.cascade.calibrate import calibrate, parted
from leanformer.cascade.predictor import CascadePredictor
from leanformer.cascade.promise import Promise
from leanformer.cascade.store import write_cascade
from leanformer.data.dataset import Dataset
from leanformer.files import write_json
from leanformer.ladder.entries import baseline_entries, open_entry
from leanformer.ladder.ladder import measure_ladder
from leanformer.loading import open_predictor
from leanformer.measure.speed import SpeedSettings
from leanformer.metrics.paired import compare
from leanformer.predictor import logits
from leanformer.render.cascade import calibration_lines, went_on
from leanformer.runtime.cores import allowed_cores

LARGE = ("train.fine_tune", "export.onnx", "export.int8")
SMALL = ("train.fine_tune", "compress.distil", "export.onnx", "export.int8")


def found(work: Path, steps: Sequence[str], task: Any) -> Artifact:
    """The newest artifact below the ladder's steps that exactly these steps led to, with the packed int8 of now."""
    candidates = []
    for path in sorted(
        (work / "compress" / "steps").glob(f"*/{MANIFEST}"), key=lambda manifest: manifest.stat().st_mtime
    ):
        one = open_artifact(path.parent, verify=False)
        is_int8 = one.properties.get("precision") == "int8 mixed"
        if tuple(entry["step"] for entry in one.history) == tuple(steps) and is_int8 and one.task.question == task:
            candidates.append(one)
    if not candidates:
        sys.exit(f"no artifact made by {', '.join(steps)} below {work}: run benchmarks.ladders.run first, or name it")
    return open_artifact(candidates[-1].path)


def outcome(
    promise: Promise, data: Dataset, members: Sequence[Artifact], cascade: CascadePredictor, threads: int
) -> dict[str, Any]:
    """What the cascade does on test against its last member, and where the texts went."""
    assert data.test is not None
    labels = data.test.targets
    answers = [logits(open_predictor(member, threads=threads), data.test.inputs).argmax(axis=1) for member in members]
    before = list(cascade.answered)
    ours = logits(cascade, data.test.inputs).argmax(axis=1)
    counts = compare(ours, answers[-1], labels)
    routed = [now - then for now, then in zip(cascade.answered, before, strict=True)]
    lost = counts.changed / counts.n if promise.of == "agreement" else counts.loss
    return {
        "counts": asdict(counts),
        "lost_points": 100 * lost,
        "promise_kept": lost <= promise.bound,
        "answered": routed,
        "accuracy": {
            "small": float((answers[0] == labels).mean()),
            "large": float((answers[-1] == labels).mean()),
            "cascade": float((ours == labels).mean()),
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=sorted(TEACHERS))
    parser.add_argument("--work", type=Path, help="the ladder's work folder of this set; default: this checkout's")
    parser.add_argument("--small", type=Path)
    parser.add_argument("--large", type=Path)
    parser.add_argument("--max-loss", type=float, default=1.0)
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--promise", default="accuracy")
    parser.add_argument("--measure", default="probability")
    parser.add_argument("--fit-share", type=float, default=0.2)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one throughput turn of one model")
    parser.add_argument("--seed", type=int, default=13)
    arguments = parser.parse_args()
    data = open_named(arguments.dataset)
    assert data.dev is not None and data.test is not None
    work, threads = arguments.work or WORK / arguments.dataset, allowed_cores()
    teacher = open_artifact(work / "teacher")
    members = [
        open_artifact(given) if given else found(work, steps, data.task.question)
        for given, steps in ((arguments.small, SMALL), (arguments.large, LARGE))
    ]
    promise = Promise(arguments.max_loss, arguments.confidence, arguments.promise)
    fit, held_out = parted(len(data.dev), arguments.fit_share, arguments.seed)
    outlook = promise.outlook(len(held_out))
    print(outlook, flush=True)
    values = [logits(open_predictor(member, threads=threads), data.dev.inputs) for member in members]
    calibration = calibrate(values, data.dev.targets, promise, fit, held_out, measure=arguments.measure)
    result: dict[str, Any] = {
        "data": arguments.dataset,
        "members": [
            {"steps": [e["step"] for e in member.history], "content_hash": member.content_hash} for member in members
        ],
        "outlook": outlook,
        "calibration": calibration.to_json(),
    }
    target = RESULTS / "search" / f"cascade-{arguments.dataset}.json"
    if calibration.plan is None:
        write_json(target, result | {"outcome": None} | provenance())
        print("the promise cannot be made with these rows")
        return 0
    print("\n".join(calibration_lines(calibration.plan.to_json(), result["calibration"])), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        cascade = write_cascade(members, calibration.plan, Path(scratch) / "cascade")
        # The fastest way to run the teacher with PyTorch; sst2/fastformers.md has the slower ones.
        first = replace(baseline_entries(teacher, threads)[-1], after=None)
        named = zip(("small", "large"), members, strict=True)
        entries = [first, *(open_entry(name, first.name, member, threads) for name, member in named)]
        entries.append(open_entry("cascade", "large", cascade, threads))
        predictor = entries[-1].predictor
        assert isinstance(predictor, CascadePredictor)
        result["outcome"] = outcome(promise, data, members, predictor, threads)
        write_json(target, result)
        report = measure_ladder(
            entries, data, title=f"cascade on {arguments.dataset}", metric=metric_name(data.task), threads=threads,
            speed=SpeedSettings(latency_texts=60, seconds=arguments.seconds), memory=False, seed=arguments.seed,
            say=lambda line: print(line, flush=True),
        )  # fmt: skip
    rungs = {rung.name: rung for rung in report.rungs}
    teacher_rung, ours = rungs[first.name], rungs["cascade"]
    result["target"] = {
        "share_of_teacher_accuracy": ours.quality / teacher_rung.quality,
        "times_teacher_throughput": {
            name: ours.throughput_median / rungs[name].throughput_median for name in rungs if name != "cascade"
        },
    }
    # Others at work slow the ways unequally; a figure taken beside them is not one of a quiet machine.
    result["load_average_1_minute"] = os.getloadavg()[0]
    result["report"] = report.to_json()
    result |= provenance()
    write_json(target, result)
    print(f"went on, on test: {went_on(result['outcome']['answered'])}")
    for key in ("outcome", "target"):
        print(key, result[key])
    for rung in report.rungs:
        print(f"{rung.name}: {100 * rung.quality:.2f} %, {rung.throughput_median:.0f} texts/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
