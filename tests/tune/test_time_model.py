"""The model of time: it finds what times are made of, is measured once, and knows which machine it is for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leanformer.artifact import Artifact
from leanformer.shapes.flops import EncoderShape
from leanformer.tune import time_model as module
from leanformer.tune.random_model import shape_of
from leanformer.tune.time_model import Point, TimeModel, drawn_shapes, features, solve, time_model
from tests.making.tiny import tiny_artifact, tiny_config

BASE = EncoderShape(384, 32, ((12, 1536),) * 6, labels=2, first_only=True)
SHAPES = [
    ((heads, units),) * depth
    for depth, heads, units in (
        (6, 12, 1536), (3, 6, 768), (2, 3, 384), (4, 9, 1000), (1, 12, 64), (5, 2, 1200), (6, 4, 200), (2, 12, 1536),
    )
]  # fmt: skip


def true_ms(layers: tuple[tuple[int, int], ...], tokens: int) -> float:
    """A time that is made of some of the features."""
    weights = np.array([0.02, 1e-4, 0.004, 0.0, 2e-8, 0.0, 3e-9, 3e-9, 1e-8])
    return float(np.array(features(replace(BASE, layers=layers, attention=()), tokens)) @ weights)


def points(noise: float = 0.0) -> list[Point]:
    random = np.random.default_rng(3)
    return [
        Point(shape, tokens, true_ms(shape, tokens) * float(np.exp(noise * random.normal())))
        for shape in SHAPES for tokens in (8, 32, 128)
    ]  # fmt: skip


def test_it_predicts_shapes_and_lengths_that_were_not_timed():
    model = TimeModel.of(BASE, points(), {})
    for layers, tokens in ((((5, 700),) * 3, 20), (((1, 64), (12, 1536)), 64)):
        assert model.predict(layers, tokens) == pytest.approx(true_ms(layers, tokens), rel=0.02)
    assert model.left_out_error() < 0.05
    assert TimeModel.of(BASE, points(0.5), {}).left_out_error() > 0.1


def test_no_work_takes_less_than_no_time():
    rows = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    falling = solve(rows, np.array([3.0, 2.0, 1.0]))
    assert falling[1] == 0 and falling[0] > 0
    np.testing.assert_allclose(solve(rows, np.array([3.0, 5.0, 7.0])), [1.0, 2.0], rtol=1e-4)


def test_of_the_last_layer_only_the_first_token_is_counted():
    whole, first = (features(replace(BASE, first_only=only), 50) for only in (False, True))
    assert whole[4:6] == first[4:6] and whole[6] > first[6] and whole[7] == pytest.approx(6 / (5 + 1 / 50) * first[7])


def test_it_is_the_same_read_again():
    model = TimeModel.of(BASE, points(), {"precision": "int8 mixed"})
    again = TimeModel.from_json(model.to_json())
    assert again.about == model.about and again.points == model.points and np.array_equal(again.weights, model.weights)


def test_shapes_are_drawn_within_the_whole_and_without_repeats():
    whole = tiny_config()
    shapes = drawn_shapes(whole, 10, 13)
    assert len(set(shapes)) == 10 and shapes[0] == ((4, 48), (4, 48)) and shapes == drawn_shapes(whole, 10, 13)
    assert all(1 <= heads <= 4 and 1 <= units <= 48 for shape in shapes for heads, units in shape)
    assert len(drawn_shapes(whole, 10_000, 13)) == 2 * 4 * 6  # all that there are


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("encoder") / "encoder", config=tiny_config())


def test_it_is_measured_once_for_a_machine_and_a_precision(
    encoder: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "SHAPES", 3)
    monkeypatch.setattr(module, "ROUNDS", 1)
    options = {"precision": "int8 mixed", "cores": 1}
    model = time_model(encoder, tmp_path, **options)
    assert {point.tokens for point in model.points} == {8, 16, 32} and len(model.points) == 9
    assert all(point.ms > 0 for point in model.points) and model.predict(((2, 16),), 20) > 0
    assert model.about["precision"] == "int8 mixed" and model.about["engine"] in ("native", "onnxruntime")

    def refused(*arguments: object, **given: object) -> None:
        raise InterruptedError

    monkeypatch.setattr(module, "timed", refused)
    again = time_model(encoder, tmp_path, **options)
    assert again.path == model.path and np.array_equal(again.weights, model.weights)
    for other in ({"precision": "fp32"}, {"cores": 2}):
        with pytest.raises(InterruptedError):
            time_model(encoder, tmp_path, **options | other)
    model.path.write_text(model.path.read_text().replace("tokens", "tokenz", 1))
    said: list[str] = []
    with pytest.raises(InterruptedError):
        time_model(encoder, tmp_path, **options, say=said.append)
    assert "timed again" in said[0]
    assert shape_of(encoder).hidden == 32
