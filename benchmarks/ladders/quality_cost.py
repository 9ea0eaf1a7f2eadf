"""What compression cost in quality, rung by rung: benchmarks/results/quality_cost.json.

    python -m benchmarks.ladders.quality_cost sst2
    python -m benchmarks.ladders.quality_cost sst2 --result fastformers

Scores the artifacts that benchmarks/ladders/run.py made (`--steps` names another folder of them) on dev and test of
$LEANFORMER_DATA; nothing is trained and nothing timed. For each rung: the paired interval of the loss, McNemar's test,
loyalty, calibration before and after temperature scaling, worst class, classes, lengths, and what typing errors and
case cost it beside what they cost its teacher.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.paths import RESULTS, WORK
from benchmarks.provenance import provenance
from leanformer.artifact import Artifact, open_artifact
from leanformer.data.dataset import open_dataset
from leanformer.files import write_json
from leanformer.loading import open_predictor
from leanformer.measure.lost_quality import describe_loss
from leanformer.measure.quality import measure_quality
from leanformer.measure.robustness import robustness
from leanformer.predictor import logits
from leanformer.report import Report


def artifacts_of(report: Report, steps: Path) -> dict[str, Artifact]:
    """Rung name -> its artifact, found by content hash; a rung whose artifact is gone is left out."""
    folders = [path for path in steps.iterdir() if (path / "leanformer.json").is_file()]
    by_hash = {
        artifact.content_hash: artifact for artifact in (open_artifact(folder, verify=False) for folder in folders)
    }
    return {rung.name: by_hash[rung.content_hash] for rung in report.rungs if rung.content_hash in by_hash}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--data", help="its folder; default: in $LEANFORMER_DATA")
    parser.add_argument("--split", action="append", default=[], help="as for the commands: train=train_phrases")
    parser.add_argument("--result", default="report", help="name of the stored ladder")
    parser.add_argument("--report", type=Path, help="default: the stored ladder")
    parser.add_argument("--texts", type=int, help="only so many texts of a split, to try it")
    parser.add_argument("--steps", type=Path, help="default: the ladder's work folder")
    parser.add_argument("--output", type=Path, default=RESULTS / "quality_cost.json")
    arguments = parser.parse_args()
    name = arguments.dataset
    report = Report.read(arguments.report or RESULTS / name / f"{arguments.result}.json")
    found = artifacts_of(report, arguments.steps or WORK / name / "compress" / "steps")
    splits = dict(pair.split("=", 1) for pair in arguments.split)
    first = next(iter(found.values()))
    folder = arguments.data or str(Path(os.environ["LEANFORMER_DATA"], name))
    data = open_dataset(folder, splits=splits, labels=first.task.labels)
    assert data.test is not None and data.dev is not None
    test, dev = (split.select(range(min(len(split), arguments.texts or len(split)))) for split in (data.test, data.dev))
    labels, dev_labels = np.asarray(test.labels), np.asarray(dev.labels)
    rungs: dict[str, Any] = {}
    reference = None
    for rung, artifact in found.items():
        predictor = open_predictor(artifact)
        scores, dev_scores = logits(predictor, test.texts), logits(predictor, dev.texts)
        reference = scores if reference is None else reference
        lengths = [len(row) for row in predictor.tokenize(test.texts)]
        loss = describe_loss(scores, reference, labels, data.task, lengths, (dev_scores, dev_labels))
        loss.pop("flips")
        rungs[rung] = {
            "content_hash": artifact.content_hash,
            **asdict(measure_quality(scores, labels, reference, data.task)),
            "loss": loss,
            "robustness": robustness(predictor, test.texts, labels),
        }
        print(rung, json.dumps(rungs[rung]["robustness"]), flush=True)
    old = json.loads(arguments.output.read_text(encoding="utf-8")) if arguments.output.is_file() else {}
    result = {
        "n": len(labels),
        "reference": next(iter(found)),
        "data": data.content_hash,
        "rungs": rungs,
        **provenance(),
    }
    key = name if arguments.result == "report" else f"{name}, {arguments.result}"
    write_json(arguments.output, old | {key: result})


if __name__ == "__main__":
    main()
