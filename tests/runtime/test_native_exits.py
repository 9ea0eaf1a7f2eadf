"""Texts that leave the native engine between two layers: the right ones, with the right answers, and nobody else's."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from leanformer.artifact import Artifact
from leanformer.cascade.confidence import confidence
from leanformer.exits import Exits, read_exits
from leanformer.models.exits import AllAnswers, ExitHeads
from leanformer.models.scoring import score_rows
from leanformer.models.store import read_model
from leanformer.runtime.engines.native_engine import NativeEngine
from leanformer.runtime.native.exits import Leaving, add_heads
from leanformer.runtime.native.reader import Reader, UnsupportedGraphError
from leanformer.runtime.onnx_file import OnnxFile
from leanformer.runtime.predictor import LightPredictor
from leanformer.shapes.head import HeadShape
from tests.making.exits import encoder_with_exits, int8_of, random_exits
from tests.making.native import needs_compiler, usable_levels
from tests.making.tiny import VOCABULARY

pytestmark = needs_compiler
ODD: dict[str, Any] = {"hidden": 40, "head_size": 12}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Artifact, Artifact]:
    """An encoder with exits, its int8 graph, and the int8 graph of the same encoder without."""
    folder = tmp_path_factory.mktemp("exits")
    encoder, plain = encoder_with_exits(folder, **ODD)
    return encoder, int8_of(encoder, folder / "with"), int8_of(plain, folder / "without")


def some_rows(count: int = 60, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    lengths = [1, 2, 32, *generator.integers(1, 33, count - 3)]
    return [generator.integers(0, len(VOCABULARY), n).astype(np.int32) for n in lengths]


def engine(artifact: Artifact, exits: Exits | None, **given: Any) -> NativeEngine:
    leaving = None if exits is None else Leaving(exits)
    return NativeEngine(artifact.file("model.onnx"), artifact.properties, leaving=leaving, **given)


def together(engine: NativeEngine, rows: list[np.ndarray]) -> np.ndarray:
    return engine.run(rows, [list(range(len(rows)))])


def by_exit(artifact: Artifact, rows: list[np.ndarray]) -> list[np.ndarray]:
    """Logits of each exit on every row, and of the last layer."""
    exits = read_exits(artifact)
    asked = [*(exits.only(number) for number in range(len(exits.layers))), None]
    return [together(engine(artifact, each), rows) for each in asked]


def middling(values: list[np.ndarray], exits: Exits) -> Exits:
    """Rules with which some rows leave at every exit, and some at none."""
    thresholds = [float(np.quantile(confidence(value, "probability", 0.7), 0.6)) for value in values[:-1]]
    return exits.asking([0.7] * len(thresholds), thresholds)


def test_without_exits_the_bits_are_those_of_the_model_without(made: tuple[Artifact, Artifact, Artifact]):
    _, graph, plain = made
    rows = some_rows()
    expected = together(engine(plain, None), rows)
    assert np.array_equal(together(engine(graph, None), rows), expected)
    # Exits that nobody is asked at are in memory, and change nothing.
    exits = read_exits(graph)
    silent = exits.asking([1.0] * 3, [None] * 3)
    assert np.array_equal(together(engine(graph, silent), rows), expected)
    # Where nobody is sure enough they are computed, and change nothing either.
    unsure = engine(graph, exits.asking([1e6] * 3, [1.0] * 3))
    assert np.array_equal(together(unsure, rows), expected)
    assert unsure._leaving is not None and unsure._leaving.answered == [0, 0, 0, len(rows)]


def test_an_exit_answers_as_its_head_in_pytorch(made: tuple[Artifact, Artifact, Artifact]):
    encoder, graph, _ = made
    rows = some_rows()
    model, exits = read_model(encoder), read_exits(encoder)
    heads = ExitHeads.of(model, exits)
    expected = score_rows(
        AllAnswers(model, heads), rows, padding_id=model.config.padding_id, device=torch.device("cpu")
    ).reshape(len(rows), 4, -1)  # fmt: skip
    for number, found in enumerate(by_exit(graph, rows)):
        theirs = expected[:, number]
        off = np.abs(found - theirs).mean() / theirs.std()
        assert off < 0.08, (number, off)  # as far as int8 is off at the last layer
        assert np.corrcoef(found.ravel(), theirs.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("level", usable_levels())
def test_everyone_gets_the_answer_of_the_first_exit_that_is_sure(made: tuple[Artifact, Artifact, Artifact], level: str):
    _, graph, _ = made
    rows = some_rows()
    exits = read_exits(graph)
    values = [together(engine(graph, each, level=level), rows) for each in
              (*(exits.only(number) for number in range(3)), None)]  # fmt: skip
    asked = middling(values, exits)
    runs = engine(graph, asked, level=level)
    found = together(runs, rows)
    first = np.full(len(rows), 3)
    for number in (2, 1, 0):
        sure = confidence(values[number], "probability", 0.7) >= float(asked.thresholds[number] or 0)
        first[sure] = number
    assert len(set(first.tolist())) == 4  # some leave at each
    assert np.array_equal(found, np.stack([values[number][row] for row, number in enumerate(first)]))
    assert runs._leaving is not None
    assert runs._leaving.answered == np.bincount(first, minlength=4).tolist()


def test_company_and_threads_change_no_bit(made: tuple[Artifact, Artifact, Artifact]):
    _, graph, _ = made
    rows = some_rows()
    asked = middling(by_exit(graph, rows), read_exits(graph))
    runs = engine(graph, asked)
    alone = np.concatenate([runs.run(rows, [[number]]) for number in range(len(rows))])
    assert np.array_equal(together(runs, rows), alone)
    assert np.array_equal(together(runs.together(2), rows), alone)
    order = np.random.default_rng(5).permutation(len(rows)).tolist()
    assert np.array_equal(runs.run(rows, [order]), alone[order])
    parts = [(lines, runs.run(rows, lines)) for lines in runs.cut(rows, 50)]
    assert len(parts) > 3
    for lines, part in parts:
        assert np.array_equal(part, alone[[row for line in lines for row in line]])


def test_means_are_those_of_a_model_that_pools_them(tmp_path: Path):
    """A head behind the layer before a mean-pooled last layer: both kinds of pooling stand in one model."""
    encoder, plain = encoder_with_exits(tmp_path, head=HeadShape(pooling="mean"))
    graph, without = int8_of(encoder, tmp_path / "with"), int8_of(plain, tmp_path / "without")
    rows = some_rows()
    assert np.array_equal(together(engine(graph, None), rows), together(engine(without, None), rows))
    values = by_exit(graph, rows)
    found = together(engine(graph, middling(values, read_exits(graph))), rows)
    assert not np.array_equal(found, values[-1])
    assert all(any(np.array_equal(row, value[i]) for value in values) for i, row in enumerate(found))


def test_the_predictor_lets_texts_leave_and_counts_them(made: tuple[Artifact, Artifact, Artifact]):
    _, graph, plain = made
    rows = some_rows()
    exits = middling(by_exit(graph, rows), read_exits(graph))
    predictor = LightPredictor(graph, threads=1, engine="native", exits=exits)
    expected = together(engine(graph, exits), rows)
    assert np.array_equal(predictor.infer(rows), expected)
    counts = predictor.left_at
    assert counts is not None and sum(counts) == len(rows) and all(counts)
    copied = pickle.loads(pickle.dumps(predictor))
    assert np.array_equal(copied.infer(rows), expected) and copied.left_at == counts
    # Not calibrated, or not wanted, or another engine: all layers, and nobody is counted.
    base = LightPredictor(plain, threads=1, engine="native").infer(rows)
    for given in ({"exits": True}, {"exits": False}):
        silent = LightPredictor(graph, threads=1, engine="native", **given)
        assert np.array_equal(silent.infer(rows), base) and silent.left_at is None
    other = LightPredictor(graph, threads=1, engine="onnxruntime", exits=exits)
    theirs = LightPredictor(plain, threads=1, engine="onnxruntime").infer(rows)
    assert np.array_equal(other.infer(rows), theirs) and other.left_at is None
    # Windows of a text would leave apart from each other.
    windowed = LightPredictor(graph, threads=1, engine="native", exits=exits, windows=4)
    assert np.array_equal(windowed.infer(rows), base) and windowed.left_at is None
    predictor.read_long("windows", 4)
    assert np.array_equal(predictor.infer(rows), base)


def test_exits_of_another_model_are_refused():
    with pytest.raises(ValueError, match="without thresholds"):
        Leaving(random_exits())
    for exits in (random_exits(layers=(1, 4)), random_exits(hidden=32), random_exits(labels=5)):
        with pytest.raises(UnsupportedGraphError, match="early exits"):
            add_heads(Reader(OnnxFile({}, [], []), 8), exits, 40, 3, 4)
