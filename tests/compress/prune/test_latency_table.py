"""A latency table measured by a function that is handed in, read again, and used as a budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.compress.prune.latency_table import measure_latency_table, read_latency_table
from leanformer.compress.prune.prune import Prune
from leanformer.compress.prune.prune_post_training import PrunePostTraining
from leanformer.errors import RecipeError
from leanformer.models.store import read_model
from leanformer.shapes.encoder import EncoderConfig, LayerShape
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact, tiny_config

CONFIG = tiny_config(layers=(LayerShape(4, 48),) * 3)


def milliseconds(config: EncoderConfig) -> float:
    """Time as a machine might take it: heads in pairs, units in sixteens; the last layer is cheaper."""
    total = 3.0
    for i, layer in enumerate(config.layers):
        units = 0.5 * -(-layer.ffn // 16)
        total += 0.25 + 1.0 * -(-layer.heads // 2) + (units / 10 if i == len(config.layers) - 1 else units)
    return total


@pytest.fixture
def table(tmp_path: Path) -> Path:
    measured = measure_latency_table(CONFIG, milliseconds, points=48, facts={"tokens": 9})
    assert measured["tokens"] == 9
    (tmp_path / "table.json").write_text(json.dumps(measured), encoding="utf-8")
    return tmp_path / "table.json"


@pytest.mark.parametrize("depth", [1, 3, 5])
def test_the_table_gives_the_times_of_whole_models(table: Path, depth: int):
    config = tiny_config(layers=(LayerShape(4, 48),) * depth)
    costs = read_latency_table(table, config)
    generator = np.random.default_rng(1)
    for _ in range(20):
        layers = tuple(LayerShape(int(generator.integers(1, 5)), int(generator.integers(1, 49))) for _ in range(depth))
        assert costs.of(layers) == pytest.approx(milliseconds(tiny_config(layers=layers)), rel=1e-9)
    assert (costs.unit, costs.full) == ("ms", pytest.approx(milliseconds(config)))


def test_times_between_those_measured_lie_between_them(tmp_path: Path):
    measured = measure_latency_table(CONFIG, milliseconds, points=4)
    (tmp_path / "t.json").write_text(json.dumps(measured), encoding="utf-8")
    costs = read_latency_table(tmp_path / "t.json", CONFIG)
    assert all((np.diff(head) >= 0).all() for head in (*costs.heads, *costs.units))
    assert costs.full == pytest.approx(milliseconds(CONFIG))


def test_noise_never_makes_more_work_cheaper():
    generator = np.random.default_rng(0)
    measured = measure_latency_table(CONFIG, lambda config: milliseconds(config) * generator.uniform(0.5, 1.5))
    for place in ("inner", "last"):
        for part in ("heads", "ffn"):
            times = [time for _, time in measured[place][part]]
            assert times == sorted(times) and times[0] == 0


@pytest.mark.parametrize("kind", [Prune, PrunePostTraining])
@pytest.mark.parametrize(
    ("options", "most"), [({"keep": 0.75}, 0.75 * milliseconds(CONFIG)), ({"latency_ms": 8.5}, 8.5)]
)
def test_a_budget_in_milliseconds_is_met(table: Path, tmp_path: Path, kind: Any, options: dict[str, Any], most: float):
    source = tiny_artifact(tmp_path / "source", config=CONFIG)
    step = kind(budget="latency", table=str(table), texts=40, multiple=1, **options)
    result = step(source, make_context(tmp_path, source), tmp_path / "pruned")
    taken = milliseconds(read_model(result).config)
    assert most - 1.3 < taken <= most + 1e-9  # a pair of heads takes 1 ms
    assert result.history[-1]["result"]["counted"] == "ms"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a latency table"),
        ("{}", "not a latency table .KeyError"),
        ('{"hidden": 384, "head_size": 32}', "not a latency table"),
        (None, "not a latency table .FileNotFoundError"),
    ],
)
def test_a_file_that_is_no_table(tmp_path: Path, content: str | None, message: str):
    if content is not None:
        (tmp_path / "table.json").write_text(content, encoding="utf-8")
    with pytest.raises(RecipeError, match=message + r"(.|\n)*remedy: make one on this machine"):
        read_latency_table(tmp_path / "table.json", CONFIG)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (tiny_config(hidden=40), "measured at hidden 32, head_size 8; the model has hidden 40, head_size 8"),
        (tiny_config(layers=(LayerShape(5, 48),)), "measured up to 4 heads, the model has 5"),
        (tiny_config(layers=(LayerShape(4, 49),)), "measured up to 48 ffn, the model has 49"),
    ],
)
def test_a_table_of_another_model(table: Path, config: EncoderConfig, message: str):
    with pytest.raises(RecipeError, match=message):
        read_latency_table(table, config)
