"""What the teacher adds, and how small the student may be: benchmarks/results/<data set>/students.json and .md.

    python -m benchmarks.ladders.students sst2

The students of benchmarks/recipes/students.yaml; distilled against labels alone, from the same start, with a paired
bootstrap interval on test.
"""

from __future__ import annotations

import argparse
import json
import shutil

import numpy as np

from benchmarks.ladders.run import open_named, teacher_of
from benchmarks.paths import RECIPES, RESULTS, WORK
from benchmarks.provenance import provenance
from leanformer.artifact import open_artifact
from leanformer.files import write_json
from leanformer.loading import open_predictor
from leanformer.measure.speed import SpeedSettings
from leanformer.metrics.bootstrap import interval
from leanformer.predictor import logits
from leanformer.recipe.compress import compress
from leanformer.recipe.library import find_recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    name = parser.parse_args().dataset
    data = open_named(name)
    teacher = teacher_of(name, data)
    work, results = WORK / name, RESULTS / name
    recipe = find_recipe(RECIPES / "students.yaml")
    result = compress(
        str(teacher.path), data, work / "lean-students", recipe=recipe, work=work / "compress", memory=False,
        speed=SpeedSettings(rounds=1, latency_texts=30, seconds=1.0),  # quality is what is asked for here
    )  # fmt: skip
    results.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(work / "lean-students" / "report.md", results / "students.md")
    assert data.test is not None
    labels = np.asarray(data.test.labels)
    by_hash = {
        open_artifact(p).content_hash: p for p in (work / "compress" / "steps").iterdir() if not p.name.startswith(".")
    }
    right = {
        rung.name: logits(open_predictor(by_hash[rung.content_hash]), data.test.texts).argmax(axis=1) == labels
        for rung in result.report.rungs
        if rung.name.startswith("layers 2, 5, 6")
    }
    gain = right["layers 2, 5, 6, distilled"].astype(float) - right["layers 2, 5, 6, labels only"]
    low, high = interval(lambda rows: float(gain[rows].mean()), len(gain))
    report = result.report.to_json() | {
        "distilled_minus_labels_only": {"difference": float(gain.mean()), "low": low, "high": high, "n": len(gain)}
    }
    write_json(results / "students.json", report | provenance())
    print((results / "students.md").read_text(encoding="utf-8"))
    print(json.dumps(report["distilled_minus_labels_only"], indent=2))


if __name__ == "__main__":
    main()
