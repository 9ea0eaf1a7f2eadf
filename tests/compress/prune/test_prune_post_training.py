"""Post-training pruning as a step, on a tiny model that has learned its task."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.artifact import Artifact
from leanformer.compress.prune.prune import Prune
from leanformer.compress.prune.prune_post_training import PrunePostTraining
from leanformer.data.dataset import Dataset
from leanformer.errors import DataError, RecipeError
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.loading import open_predictor
from leanformer.metrics.classification import accuracy
from leanformer.metrics.probabilities import softmax
from leanformer.models.classifier import Classifier
from leanformer.models.store import read_model
from leanformer.predictor import logits
from leanformer.shapes.encoder import LayerShape
from tests.making.graphs import folder_bytes, make_context
from tests.making.tiny import tiny_artifact, tiny_config, tiny_dataset
from tests.making.trainings import SETTINGS, Run

# For the contract tests: options that run in a second, options that are refused, version and hash of the defaults.
QUICK = {"keep": 0.6, "texts": 40}
BAD = ({"keep": 1.5}, {"texts": "many"})
DEFAULTS = "1 b5d5eb4bf8f0"

DATA = replace(tiny_dataset(), test=None)
CONFIG = tiny_config(layers=(LayerShape(4, 64), LayerShape(4, 64), LayerShape(4, 64)), dropout=0.1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("trained")
    run = Run(folder, replace(SETTINGS, epochs=10))
    run.model = Classifier(CONFIG)
    run.start_fresh()
    run.fit()
    return tiny_artifact(folder / "artifact", model=run.model.eval())


def pruned(source: Artifact, folder: Path, data: Dataset = DATA, kind: Any = PrunePostTraining, **options: Any):
    step = kind(**{"multiple": 1, **options})
    return step(source, make_context(folder, source, data=data), folder / "pruned")


def distance(one: Artifact, other: Artifact) -> float:
    """Mean KL(other || one) on texts that nothing was fitted on."""
    test = tiny_dataset().test
    assert test is not None
    ours, theirs = (np.log(softmax(logits(open_predictor(x), test.texts).astype(np.float64))) for x in (one, other))
    return float((np.exp(theirs) * (theirs - ours)).sum(axis=1).mean())


def quality(one: Artifact) -> float:
    test = tiny_dataset().test
    assert test is not None
    return accuracy(logits(open_predictor(one), test.texts).argmax(axis=1), np.asarray(test.labels))


@pytest.mark.slow
def test_the_model_has_learned_its_task(trained: Artifact):
    assert quality(trained) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("keep", [0.4, 0.6])
def test_it_beats_chance_and_magnitude_without_training(trained: Artifact, tmp_path: Path, keep: float):
    ours = distance(pruned(trained, tmp_path / "ours", keep=keep), trained)
    for ranking in ("random", "magnitude"):
        control = pruned(trained, tmp_path / ranking, kind=Prune, keep=keep, ranking=ranking)
        assert ours < 0.5 * distance(control, trained)


@pytest.mark.parametrize(("tune", "keep", "share"), [("weights", 0.3, 0.1), ("weights", 0.6, 0.5), ("masks", 0.6, 0.5)])
def test_tuning_helps(trained: Artifact, tmp_path: Path, tune: str, keep: float, share: float):
    none, tuned = (distance(pruned(trained, tmp_path / t, keep=keep, tune=t), trained) for t in ("none", tune))
    assert tuned < share * none


@pytest.mark.parametrize("keep", [0.3, 0.75])
@pytest.mark.parametrize("budget", ["flops", "parameters"])
def test_the_budget_is_met(trained: Artifact, tmp_path: Path, budget: str, keep: float):
    result = pruned(trained, tmp_path, keep=keep, budget=budget)
    assert keep - 0.02 < result.history[-1]["result"]["kept"] <= keep
    shape = read_model(result).config.layers
    assert result.history[-1]["shape"] == [{"heads": layer.heads, "ffn": layer.ffn} for layer in shape]


def test_keeping_everything_changes_nothing(trained: Artifact, tmp_path: Path):
    result = pruned(trained, tmp_path, keep=1.0)
    assert read_model(result).config == read_model(trained).config
    assert distance(result, trained) < 1e-6


@pytest.mark.parametrize("tune", ["weights", "masks"])
def test_a_second_run_gives_the_same_bytes(trained: Artifact, tmp_path: Path, tune: str):
    first, second = (pruned(trained, tmp_path / name, keep=0.5, tune=tune) for name in "ab")
    assert folder_bytes(first.path) == folder_bytes(second.path)


def test_unlabelled_text_is_enough(trained: Artifact, tmp_path: Path):
    alone = replace(DATA, train=None)
    ours = distance(pruned(trained, tmp_path / "ours", alone, keep=0.5), trained)
    control = pruned(trained, tmp_path / "random", alone, Prune, keep=0.5, ranking="random")
    assert ours < 0.5 * distance(control, trained)


def test_a_pruned_model_is_exported_and_quantised(trained: Artifact, tmp_path: Path):
    """Heads that do not span the width, another number in each layer: the gates of both steps hold."""
    small = pruned(trained, tmp_path, keep=0.4)
    assert not read_model(small).config.is_uniform
    context = make_context(tmp_path / "export", small)
    graph = Onnx()(small, context, tmp_path / "graph")
    test = tiny_dataset().test
    assert test is not None
    texts = test.texts
    np.testing.assert_allclose(logits(open_predictor(graph), texts), logits(open_predictor(small), texts), atol=1e-4)
    assert Int8()(graph, context, tmp_path / "int8").format == "onnx"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 0.0}, "keep is a share"),
        ({"tune": "all"}, "tune is one of weights, masks, none"),
        ({"texts": 1}, "texts must be at least 2"),
        ({"multiple": 0}, "multiple must be at least 1"),
        ({"tune_tokens": 0}, "tune_tokens must be at least 1"),
        ({"budget": "joules"}, "budget is one of"),
        ({"latency_ms": 1.0}, "for budget latency only"),
    ],
)
def test_bad_options_are_refused_at_once(options: dict[str, Any], message: str):
    with pytest.raises(RecipeError, match=message) as caught:
        PrunePostTraining(**options)
    assert "compress.prune_post_training: " in str(caught.value)


def test_what_cannot_be_done_is_refused(trained: Artifact, tmp_path: Path):
    with pytest.raises(RecipeError, match=r"(?s)cannot be met.*remedy: keep at least 0\.\d"):
        pruned(trained, tmp_path, keep=0.01)
    with pytest.raises(DataError, match=r"(?s)neither a train nor an unlabelled split.*remedy"):
        pruned(trained, tmp_path, replace(DATA, train=None, unlabelled=None))
    with pytest.raises(RecipeError, match=r"(?s)mapped families can be pruned.*remedy"):
        pruned(replace(trained, format="transformers"), tmp_path)
    assert not (tmp_path / "pruned").exists()
