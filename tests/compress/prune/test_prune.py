"""Pruning by importance as a step: what goes, what stays, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from leanformer.artifact import Artifact, open_artifact
from leanformer.compress.prune import importance
from leanformer.compress.prune.costs import CostTable, flop_costs
from leanformer.compress.prune.importance import Scores
from leanformer.compress.prune.prune import Prune, best
from leanformer.compress.prune.prune_post_training import PrunePostTraining
from leanformer.compress.prune.ranking import magnitude_scores, random_scores, worth_their_cost
from leanformer.data.dataset import Dataset
from leanformer.errors import DataError, RecipeError
from leanformer.models.classifier import Classifier
from leanformer.models.store import read_model
from leanformer.models.surgery import narrow
from leanformer.shapes.encoder import LayerShape
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact, tiny_classifier, tiny_config, tiny_dataset

# For the contract tests: options that run in a second, options that are refused, version and hash of the defaults.
QUICK = {"keep": 0.6, "texts": 40}
BAD = ({"keep": 0}, {"heads": "few"})
DEFAULTS = "1 5e6affdf7bb7"

CONFIG = tiny_config(layers=(LayerShape(4, 48), LayerShape(3, 40)))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("source") / "source", config=CONFIG)


def pruned(source: Artifact, folder: Path, data: Dataset | None = None, seed: int = 13, **options: Any) -> Artifact:
    context = make_context(folder, source, data=data or replace(tiny_dataset(), test=None), seed=seed)
    return Prune(**{"texts": 60, **options})(source, context, folder / "pruned")


def logits(model: Classifier) -> Tensor:
    ids = torch.randint(1, 100, (3, 12), generator=torch.Generator().manual_seed(5))
    mask = (torch.arange(12) < torch.tensor([[12], [5], [1]])).long()
    with torch.no_grad():
        return model(ids * mask, mask)


def silenced(model: Classifier, heads: Sequence[set[int]], units: Sequence[set[int]]) -> Classifier:
    """The model with these heads and units masked: nothing that they give is read."""
    with torch.no_grad():
        for layer, dead_heads, dead_units in zip(model.encoder.layers, heads, units, strict=True):
            for head in dead_heads:
                layer.attention.output.weight[:, head * 8 : (head + 1) * 8] = 0
            layer.ffn.down.weight[:, sorted(dead_units)] = 0
    return model


@pytest.mark.parametrize("options", [{"keep": 1.0}, {"heads": 3, "ffn": 40}, {"ffn": 40}])
def test_what_is_said_is_what_is_kept(source: Artifact, tmp_path: Path, options: dict[str, Any]):
    shape = read_model(pruned(source, tmp_path, **options)).config.layers
    expected = {
        "keep": CONFIG.layers,
        "heads": (LayerShape(3, 40), LayerShape(3, 40)),
        "ffn": (LayerShape(4, 40), LayerShape(3, 40)),
    }[next(iter(options))]
    assert shape == expected


def test_keeping_everything_changes_no_logit(source: Artifact, tmp_path: Path):
    after = read_model(pruned(source, tmp_path, keep=1.0))
    torch.testing.assert_close(logits(after), logits(read_model(source)), rtol=1e-5, atol=1e-5)
    # Heads and units were put in order all the same.
    assert not torch.equal(after.encoder.layers[0].ffn.up.bias, read_model(source).encoder.layers[0].ffn.up.bias)


def test_heads_and_units_that_do_nothing_go_first(tmp_path: Path):
    """And with them gone the model computes what it did."""
    heads, units = ({1, 2}, {0}), (set(range(5, 29)), set(range(0, 40, 2)))
    model = silenced(tiny_classifier(CONFIG), heads, units)
    before = logits(model)
    source = tiny_artifact(tmp_path / "source", model=model)
    after = read_model(pruned(source, tmp_path, heads=2, ffn=20))
    assert after.config.layers == (LayerShape(2, 20), LayerShape(2, 20))
    fewer = read_model(pruned(source, tmp_path / "b", ffn=24, heads=2))  # 24 live units in the first layer
    torch.testing.assert_close(logits(fewer), before, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(logits(after), before, atol=1e-3)


@pytest.mark.parametrize("ranking", ["importance", "magnitude", "random"])
def test_sliced_is_masked(source: Artifact, tmp_path: Path, ranking: str):
    """The whole model with the other heads and units masked gives the logits of the sliced one."""
    after = read_model(pruned(source, tmp_path, ranking=ranking, keep=0.55))
    whole = read_model(source)
    heads, units = [], []
    for old, new in zip(whole.encoder.layers, after.encoder.layers, strict=True):
        kept_units = [int((old.ffn.up.bias == bia).nonzero()) for bia in new.ffn.up.bias]
        first = new.attention.value.bias[:: CONFIG.head_size]
        kept_heads = [int((old.attention.value.bias == bias).nonzero()) // CONFIG.head_size for bias in first]
        units.append(set(range(old.ffn.up.out_features)) - set(kept_units))
        heads.append(set(range(old.attention.heads)) - set(kept_heads))
    assert sum(map(len, units)) > 5
    torch.testing.assert_close(logits(after), logits(silenced(whole, heads, units)), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(logits(after), logits(read_model(source)), atol=1e-2)


@pytest.mark.parametrize("keep", [0.4, 0.7])
@pytest.mark.parametrize("budget", ["flops", "parameters"])
def test_the_budget_is_met_and_recorded(source: Artifact, tmp_path: Path, budget: str, keep: float):
    result = pruned(source, tmp_path, budget=budget, keep=keep, multiple=1)
    entry = result.history[-1]
    assert keep - 0.02 < entry["result"]["kept"] <= keep
    assert entry["result"]["counted"] == ("FLOPs" if budget == "flops" else "parameters")
    assert entry["shape"] == [{"heads": s.heads, "ffn": s.ffn} for s in read_model(result).config.layers]
    assert open_artifact(result.path).content_hash == result.content_hash


def test_unlabelled_text_is_enough(source: Artifact, tmp_path: Path):
    """Also where the model is the teacher, whose own soft answers would have no gradient."""
    data = replace(tiny_dataset(), test=None, train=None)
    result = read_model(pruned(source, tmp_path, data, keep=0.5))
    by_chance = read_model(pruned(source, tmp_path / "random", data, keep=0.5, ranking="random"))
    distances = [float((logits(artifact) - logits(read_model(source))).norm()) for artifact in (result, by_chance)]
    assert distances[0] < distances[1]


def test_dev_and_test_are_never_read(source: Artifact, tmp_path: Path):
    data = replace(tiny_dataset(), test=None)
    assert data.dev is not None
    turned = replace(data, dev=data.dev.select(reversed(range(20))))
    first, second = (pruned(source, tmp_path / name, dataset) for name, dataset in (("a", data), ("b", turned)))
    assert first.content_hash == second.content_hash
    with pytest.raises(DataError, match="neither a train nor an unlabelled split"):
        pruned(source, tmp_path / "c", replace(data, train=None, unlabelled=None))


def test_the_random_control_is_drawn_by_the_seed(source: Artifact, tmp_path: Path):
    hashes = [
        pruned(source, tmp_path / f"{i}", seed=seed, ranking="random").content_hash for i, seed in enumerate((1, 1, 2))
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_controls_favour_no_layer_and_neither_kind():
    costs = flop_costs(CONFIG, 9)
    for scores in (random_scores(CONFIG, 1), magnitude_scores(tiny_classifier(CONFIG))):
        worth = worth_their_cost(scores, costs)
        for head, table in zip((*worth.heads, *worth.units), (*costs.heads, *costs.units), strict=True):
            assert float(head.sum()) == pytest.approx(float(table[-1]))


def test_the_best_come_first():
    assert best(torch.tensor([1.0, 3.0, 2.0, 3.0]), 3).tolist() == [1, 3, 2]


def test_the_longest_chain_of_prunings_is_written_down(source: Artifact, tmp_path: Path):
    once = pruned(source, tmp_path / "a", keep=0.7)
    twice = pruned(once, tmp_path / "b", keep=0.7)
    assert [entry["step"] for entry in twice.history] == ["compress.prune"] * 2
    assert twice.history[-1]["parent"] == once.content_hash


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 4}, "heads 4, but layer 2 has only 3\n  remedy: at most 3"),
        ({"ffn": 48}, "ffn 48, but layer 2 has only 40"),
        ({"keep": 0.01}, "cannot be met"),
        ({"budget": "latency", "table": "no-such-table.json"}, "no-such-table.json: not a latency table"),
    ],
)
def test_what_cannot_be_done_is_refused(source: Artifact, tmp_path: Path, options: dict[str, Any], message: str):
    with pytest.raises(RecipeError) as caught:
        pruned(source, tmp_path, **options)
    assert message in str(caught.value)
    assert not (tmp_path / "pruned").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 0.0}, "keep is a share"),
        ({"keep": 1.1}, "keep is a share"),
        ({"heads": 0}, "heads must be at least 1"),
        ({"ffn": 0}, "ffn must be at least 1"),
        ({"texts": 0}, "texts must be at least 1"),
        ({"budget": "bytes"}, "budget is one of flops, parameters, latency"),
        ({"ranking": "age"}, "ranking is one of importance, magnitude, random"),
        ({"budget": "latency"}, "needs a `table`"),
        ({"table": "x.json"}, "for budget latency only"),
        ({"latency_ms": 2.0}, "for budget latency only"),
        ({"budget": "latency", "table": "x.json", "latency_ms": 0.0}, "latency_ms must be above 0"),
    ],
)
def test_bad_options_are_refused_at_once(options: dict[str, Any], message: str):
    with pytest.raises(RecipeError, match=message) as caught:
        Prune(**options)
    assert "compress.prune: " in str(caught.value)


def test_a_family_that_is_not_mapped_is_refused_with_a_remedy(source: Artifact, tmp_path: Path):
    foreign = replace(source, format="transformers")
    with pytest.raises(RecipeError, match=r"(?s)mapped families can be pruned.*remedy: distil it"):
        pruned(foreign, tmp_path)


def test_narrowing_keeps_the_given_order():
    model = tiny_classifier(CONFIG)
    kept = narrow(model, [torch.tensor([2, 0])] * 2, [torch.tensor([7, 3])] * 2)
    assert torch.equal(kept.encoder.layers[0].ffn.up.bias, model.encoder.layers[0].ffn.up.bias[[7, 3]])


@pytest.mark.parametrize("step", [Prune, PrunePostTraining])
def test_dropout_plays_no_part_in_what_is_removed(tmp_path: Path, step: type[Prune | PrunePostTraining]):
    """Tiny models have none, and so could not tell."""
    weights = []
    for name, share in (("plain", 0.0), ("dropping", 0.4)):
        config = replace(CONFIG, dropout=share, attention_dropout=share)
        artifact = tiny_artifact(tmp_path / name / "source", config=config)
        context = make_context(tmp_path / name, artifact, data=replace(tiny_dataset(), test=None))
        made = step(keep=0.6, texts=40)(artifact, context, tmp_path / name / "pruned")
        weights.append(read_model(made).state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_a_head_that_costs_more_must_be_worth_more():
    """Whatever the scale of the scores: all heads of a layer are worth what they cost, and so are its units."""
    costs = CostTable((np.array([0.0, 10.0, 20.0]),), (np.array([0.0, 1.0, 2.0]),), 0.0, "FLOPs")
    scores = Scores((torch.tensor([1.0, 3.0]),), (torch.tensor([500.0, 1500.0]),))
    worth = worth_their_cost(scores, costs)
    torch.testing.assert_close(worth.heads[0], torch.tensor([5.0, 15.0]))
    torch.testing.assert_close(worth.units[0], torch.tensor([0.5, 1.5]))


def test_the_scale_of_the_scores_decides_nothing(source: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Scores of units have another unit than those of heads: what a layer keeps is a matter of each one's own."""
    shapes = []
    for scale in (1e-9, 1.0, 1e9):

        def scores(model: Classifier, batches: object, loss: object, scale: float = scale) -> Scores:
            layers = model.config.layers
            return Scores(
                tuple(0.5 ** torch.arange(layer.heads).double() for layer in layers),
                tuple(scale * 0.97 ** torch.arange(layer.ffn).double() for layer in layers),
            )

        monkeypatch.setattr(importance, "first_order_scores", scores)
        shapes.append(read_model(pruned(source, tmp_path / f"{scale:g}", keep=0.6)).config.layers)
    assert shapes[0] == shapes[1] == shapes[2] != CONFIG.layers
    assert all(1 < layer.heads < 4 and 8 < layer.ffn < 48 for layer in shapes[0][:1])
