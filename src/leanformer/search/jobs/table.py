"""The initial table of a latency predictor: shapes from the space, timed on this machine with random weights.

Random weights take as long as trained ones, so a shape costs seconds here and minutes as a trial. (Pruning has a
separate table, `compress/prune/latency_table.py`: milliseconds of heads and units for one engine and batch. This one
needs the figure that is the goal of the search, with the trial's tokenizer, precision and engine.)
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import Any

from leanformer.artifact import Artifact
from leanformer.errors import LeanformerError, RecipeError
from leanformer.files import sha256_json
from leanformer.machine import fingerprint
from leanformer.progress import Status
from leanformer.search.jobs.latency import LatencyPredictor
from leanformer.search.jobs.local import JobRunner
from leanformer.search.space.holes import Choose, Hole
from leanformer.search.space.space import Filled, Space
from leanformer.search.study.journal import Journal
from leanformer.shapes.planned import PlannedShape
from leanformer.step import Context

_DRAWS = 40  # per shape wanted: a space may contain few


def fill_table(
    predictor: LatencyPredictor, space: Space, runner: JobRunner, points: int, seed: int, say: Callable[[str], None]
) -> dict[str, float]:
    """Time `points` shapes, or find them in the work folder, and add them to the predictor.

    Returns the number of `shapes`, and the `seconds` that timing them took, now or earlier.
    """
    key = [runner.teacher.content_hash, runner.dev.content_hash, asdict(runner.speed), fingerprint(runner.threads)]
    journal = Journal(runner.work / f"latency-{sha256_json(key)[:16]}.jsonl", say)
    try:
        known = {_key(event["shape"]): event for event in journal.events}
        seconds = 0.0
        shapes = _shapes(predictor, space, points, seed)
        for i, (shape, runtime) in enumerate(shapes):
            name = _key(asdict(shape))
            if name not in known:
                say(Status(f"timing shape {i + 1} of {len(shapes)}: {len(shape.layers)} layers, {shape.cell}"))
                start = time.monotonic()
                figures = _time(shape, runtime, runner)
                event = {"shape": asdict(shape), "figures": figures, "seconds": round(time.monotonic() - start, 3)}
                journal.add({"event": "timed"} | event)
                known[name] = event
            predictor.add(shape, known[name]["figures"])
            seconds += known[name]["seconds"]
    finally:
        journal.close()
    return {"shapes": len(shapes), "seconds": seconds}


def _shapes(
    predictor: LatencyPredictor, space: Space, points: int, seed: int
) -> list[tuple[PlannedShape, dict[str, Any]]]:
    """Distinct shapes drawn from the space, and how the trial would run each."""
    draw = Random(seed)
    found: dict[str, tuple[PlannedShape, dict[str, Any]]] = {}
    for _ in range(_DRAWS * points):
        if len(found) == points:
            break
        try:
            filled = space.fill(lambda hole, default: _drawn(hole, draw))
        except RecipeError:
            continue  # values that cannot be combined
        shape = predictor.shape(filled)
        if shape is not None:
            found.setdefault(_key(asdict(shape)), (shape, _engine(filled)))
    return list(found.values())


def _drawn(hole: Hole, draw: Random) -> Any:
    return draw.choice(hole.labels if isinstance(hole, Choose) else hole.grid())


def _engine(filled: Filled) -> dict[str, Any]:
    engine = filled.runtime.get("engine")
    return {} if engine is None else {"engine": engine}


def _key(shape: dict[str, Any]) -> str:
    return json.dumps(shape, sort_keys=True)


def _time(shape: PlannedShape, runtime: dict[str, Any], runner: JobRunner) -> dict[str, float]:
    """The figures of a model of this shape with random weights."""
    runner.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="timing-", dir=runner.work) as folder:
        artifact = _random_model(shape, Path(folder), runner)
        return runner.times(runner.open(artifact, runtime))


def _random_model(shape: PlannedShape, folder: Path, runner: JobRunner) -> Artifact:
    import torch

    from leanformer.export.int8 import Int8
    from leanformer.export.onnx import Onnx
    from leanformer.models.classifier import Classifier
    from leanformer.models.store import write_classifier
    from leanformer.models.writing import TOKENIZER
    from leanformer.shapes.encoder import EncoderConfig

    teacher = runner.teacher
    config = EncoderConfig.from_json(json.loads(teacher.file("encoder.json").read_text(encoding="utf-8")))
    layers = tuple(
        replace(
            config.layers[min(i, len(config.layers) - 1)], heads=heads, ffn=ffn,
            bias_columns=None if config.relative_bias is None else tuple(range(heads)),
        )
        for i, (heads, ffn) in enumerate(shape.layers)
    )  # fmt: skip
    torch.manual_seed(0)
    model = Classifier(replace(config, hidden=shape.hidden, head_size=shape.head_size, layers=layers)).eval()
    made = write_classifier(
        model, folder / "encoder", task=teacher.task, tokenizer=teacher.file(TOKENIZER), max_tokens=teacher.max_tokens,
        history=[],
    )  # fmt: skip
    context = Context(
        data=runner.data, artifacts={"teacher": made}, work=folder / "work", cache=folder / "cache", device="cpu",
        threads=runner.threads,
    )  # fmt: skip
    if shape.precision == "PyTorch":
        return made
    # The answers mean nothing, so gates are switched off.
    loose: dict[str, Any] = {"max_flips": 1.0, "max_mean_share": 1e9, "gate_texts": 8}
    made = Onnx(**loose, max_difference=1e9)(made, context, folder / "graph")
    if shape.precision.startswith("int8 "):
        made = Int8(**loose, method=shape.precision.removeprefix("int8 "))(made, context, folder / "int8")
    elif shape.precision != "fp32":
        raise LeanformerError(f"no model of precision {shape.precision} can be made to be timed")
    return made
