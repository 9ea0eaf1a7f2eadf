"""Pruning of every mapped family: scores, costs, cuts and tuning go by what the family computes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from leanformer.artifact import Artifact
from leanformer.compress.distil.distil import Distil
from leanformer.compress.prune import mask_tuning
from leanformer.compress.prune.costs import flop_costs, parameter_costs
from leanformer.compress.prune.importance import first_order_scores, gate_gradients
from leanformer.compress.prune.latency_table import measure_latency_table, read_latency_table
from leanformer.compress.prune.mask_tuning import Moments, norm_behind, residual_sum, tune
from leanformer.compress.prune.prune import Prune
from leanformer.compress.prune.prune_post_training import PrunePostTraining
from leanformer.compress.prune.scoring_set import batches_of
from leanformer.errors import RecipeError
from leanformer.export.onnx import Onnx
from leanformer.models.attention import rotary, softmax
from leanformer.models.classifier import Classifier
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import read_model
from leanformer.models.surgery import narrow
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from leanformer.shapes.encoder import EncoderConfig
from leanformer.train.feeds.batches import Batch, TrainingSet
from tests.making.family_models import CASES, family_artifact, family_classifier
from tests.making.graphs import make_context
from tests.making.tiny import tiny_dataset
from tests.parity.families import inputs_for

DATA = replace(tiny_dataset(), test=None)
TEXTS = tiny_dataset().test.texts[:20]  # type: ignore[union-attr]
STEP = 1e-5


# For what takes seconds a family: one with a final norm, gates and windows, and one like BERT.
FEW = (("roberta", "two types"), ("modernbert", "plain"))
few_families = pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=" ".join(case), marks=[] if case in FEW else pytest.mark.slow) for case in CASES],
    indirect=True,
    scope="module",
)


@pytest.fixture(scope="module", params=CASES, ids=" ".join)
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param


@pytest.fixture
def model(case: tuple[str, str]) -> Classifier:
    return family_classifier(*case)


@pytest.fixture(scope="module")
def source(case: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return family_artifact(tmp_path_factory.mktemp(case[0]) / "source", *case)


def pair_batches(config: EncoderConfig, count: int = 24, seed: int = 3) -> list[Batch]:
    """Rows of 3 to 20 tokens with types, of any length together, padded."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(3, 21, size=count)
    types = max(config.token_types, 1)
    rows = [np.stack([generator.integers(6, 60, n), generator.integers(0, types, n)], axis=1) for n in lengths]
    data = TrainingSet([row.astype(np.int32) for row in rows], generator.integers(0, 3, count), config.padding_id)
    return list(batches_of(data, batch_size=8, seed=1, device=torch.device("cpu")))


def losses(model: Classifier, batch: Batch) -> Tensor:
    """Each row's cross-entropy, in the model's precision."""
    logits = model(batch.ids, batch.mask, batch.types)
    return torch.nn.functional.cross_entropy(logits, batch.labels, reduction="none")


def slope(model: Classifier, batch: Batch, *views: Tensor) -> Tensor:
    """d loss / d factor on these weights at factor 1, for every row, by central differences."""
    kept, ends = [view.clone() for view in views], []
    with torch.no_grad():
        for factor in (1 + STEP, 1 - STEP):
            for view, old in zip(views, kept, strict=True):
                view.copy_(old * factor)
            ends.append(losses(model, batch))
        for view, old in zip(views, kept, strict=True):
            view.copy_(old)
    return (ends[0] - ends[1]) / (2 * STEP)


def double_losses(logits: Tensor, batch: Batch) -> Tensor:
    return torch.nn.functional.cross_entropy(logits, batch.labels, reduction="none")


def rotate(x: Tensor, base: float) -> Tensor:
    """As the encoder does, in the precision of `x`."""
    cos, sin = (table.to(x.dtype) for table in rotary.rotary_tables(base, x.shape[-1], x.shape[-2]))
    left, right = x.chunk(2, dim=-1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1)


@pytest.mark.slow
def test_scores_are_finite_differences(model: Classifier, monkeypatch: pytest.MonkeyPatch):
    """Of a unit all rows that go into it are scaled, the gate's too; token types reach the model."""
    monkeypatch.setattr(softmax, "rotate", rotate)  # the model's own turns in single precision
    model = model.double()
    (batch,) = pair_batches(model.config, 6)
    per_row, scores = (of(model, [batch], double_losses) for of in (gate_gradients, first_order_scores))
    for i, layer in enumerate(model.encoder.layers):
        weight = layer.attention.output.weight
        heads = torch.stack([slope(model, batch, weight[:, h * 8 : h * 8 + 8]) for h in range(4)], dim=1)
        torch.testing.assert_close(per_row.heads[i].double(), heads, rtol=1e-4, atol=1e-6)
        raw = heads.mean(dim=0).abs()
        torch.testing.assert_close(scores.heads[i], raw / raw.norm(), rtol=1e-3, atol=1e-6)
        for unit in (0, 17, 39):
            found = slope(model, batch, layer.ffn.down.weight[:, unit])
            torch.testing.assert_close(per_row.units[i][:, unit].double(), found, rtol=1e-4, atol=1e-6)
            maps = [linear for linear in (layer.ffn.up, layer.ffn.gate) if linear is not None]
            rows = [tensor[unit : unit + 1] for m in maps for tensor in (m.weight, m.bias) if tensor is not None]
            expected = slope(model, batch, *rows).mean().abs() / batch.mask.sum()
            torch.testing.assert_close(scores.units[i][unit], expected, rtol=1e-3, atol=1e-8)


def test_parameter_costs_are_what_narrowing_saves(model: Classifier):
    costs, depth = parameter_costs(model.config), len(model.config.layers)
    smaller = narrow(model, [torch.tensor([3, 1])] * depth, [torch.arange(7)] * depth)
    before, after = (sum(p.numel() for p in classifier.parameters()) for classifier in (model, smaller))
    assert before - after == costs.full - costs.of(smaller.config.layers) > 0


@pytest.mark.parametrize("first_token_only", [True, False])
def test_flop_costs_are_what_narrowing_saves(model: Classifier, first_token_only: bool):
    costs, depth = flop_costs(model.config, 9, first_token_only=first_token_only), len(model.config.layers)
    smaller = narrow(model, [torch.tensor([3, 1])] * depth, [torch.arange(7)] * depth).config
    before, after = (config.shape(first_token_only=first_token_only).flops(1, 9) for config in (model.config, smaller))
    assert before - after == costs.full - costs.of(smaller.layers) > 0


def test_a_unit_of_the_last_layer_is_cheap_where_one_token_is_read(model: Classifier):
    costs = flop_costs(model.config, 10)
    share = costs.units[-1][-1] / costs.units[0][-1]
    assert share == (1.0 if model.config.head.pooling == "mean" else 0.1)


def test_the_blocks_that_are_tuned_are_the_model(model: Classifier):
    """Walked block by block, as tuning does: padding, windows, relative biases, norms on either side."""
    inputs = inputs_for(model.config)
    with torch.no_grad():
        states = model.outputs(inputs.ids, inputs.mask, inputs.token_types).encoded.hidden_states
        x = model.encoder.embeddings(inputs.ids, inputs.token_types)
        for i, layer in enumerate(model.encoder.layers):
            for block in ("attention", "ffn"):
                x = norm_behind(layer, block, residual_sum(model, layer, block, x, inputs.mask))
            if model.encoder.final_norm is None or i < len(states) - 2:
                torch.testing.assert_close(x, states[i + 1], rtol=1e-5, atol=1e-5)
        if model.encoder.final_norm is not None:
            torch.testing.assert_close(model.encoder.final_norm(x), states[-1], rtol=1e-5, atol=1e-5)


def answers(model: Classifier, batches: list[Batch]) -> Tensor:
    with torch.no_grad():
        return torch.cat([model(batch.ids, batch.mask, batch.types) for batch in batches])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["weights", "masks"])
def test_tuning_brings_every_family_nearer(model: Classifier, kind: str):
    """In the residual stream of every layer, which is what is fitted; and an unpruned model stays as it is."""
    batches, depth = pair_batches(model.config, 160), len(model.config.layers)
    small = narrow(model, [torch.tensor([3, 0, 2])] * depth, [torch.arange(0, 40, 2)] * depth)
    before = (answers(small, batches) - answers(model, batches)).pow(2).mean()
    said: list[str] = []
    tune(small, model, batches, kind, say=said.append)
    after = (answers(small, batches) - answers(model, batches)).pow(2).mean()
    assert after < before
    errors = [[float(part.split()[-1]) for part in line.split(",")] for line in said]
    assert all(tuned <= untuned for untuned, tuned in errors)  # the last one may have too few tokens to go by
    assert all(tuned < untuned for untuned, tuned in errors[:-1])
    same = narrow(model, [torch.tensor([2, 0, 3, 1])] * depth, [torch.arange(40).flip(0)] * depth)
    tune(same, model, batches, kind)
    torch.testing.assert_close(answers(same, batches), answers(model, batches), rtol=1e-4, atol=1e-4)


def test_tuning_reads_token_types_where_the_family_has_them(model: Classifier):
    typed, depth = pair_batches(model.config), len(model.config.layers)
    flat = [replace(batch, types=torch.zeros_like(batch.ids)) for batch in typed]
    tuned = [narrow(model, [torch.arange(3)] * depth, [torch.arange(20)] * depth) for _ in range(2)]
    for small, batches in zip(tuned, (typed, flat), strict=True):
        tune(small, model, batches, "weights")
    weights = [classifier.encoder.layers[0].ffn.down.weight for classifier in tuned]
    assert torch.equal(*weights) is not model.config.reads_token_types


def test_of_the_last_layer_those_tokens_count_that_are_read(model: Classifier, monkeypatch: pytest.MonkeyPatch):
    seen: list[int] = []
    add = Moments.add

    def counting(self: Moments, x: Tensor, target: Tensor) -> None:
        seen.append(len(x))
        add(self, x, target)

    monkeypatch.setattr(mask_tuning.Moments, "add", counting)
    batches, depth = pair_batches(model.config), len(model.config.layers)
    tune(narrow(model, [torch.arange(2)] * depth, [torch.arange(9)] * depth), model, batches, "masks")
    tokens, texts = sum(int(batch.mask.sum()) for batch in batches), sum(len(batch.ids) for batch in batches)
    read = tokens if model.config.head.pooling == "mean" else texts
    assert sum(seen) == 2 * ((depth - 1) * tokens + read)


def step(kind: type, source: Artifact, folder: Path, **options: object) -> Artifact:
    given = {"texts": 40, "multiple": 1, **options}
    return kind(**given)(source, make_context(folder, source, data=DATA), folder / "pruned")


@pytest.mark.parametrize("kind", [Prune, PrunePostTraining])
@few_families
def test_keeping_everything_changes_nothing(source: Artifact, kind: type, tmp_path: Path):
    same = step(kind, source, tmp_path, keep=1.0)
    before, after = (logits(TorchPredictor(artifact), TEXTS) for artifact in (source, same))
    np.testing.assert_allclose(after, before, atol=1e-4)
    ours, theirs = read_model(same).config, read_model(source).config
    # Heads are put in order by one of them, and take their columns of relative biases along.
    assert [replace(layer, bias_columns=None) for layer in ours.layers] == list(theirs.layers)
    assert replace(ours, layers=theirs.layers) == theirs


def rows_of(small: Tensor, whole: Tensor) -> set[int]:
    """Which rows of `whole` are not in `small`."""
    kept = {int((whole == row).all(dim=1).nonzero()) for row in small}
    return set(range(len(whole))) - kept


def test_sliced_is_masked(source: Artifact, tmp_path: Path):
    after, whole = read_model(step(Prune, source, tmp_path, keep=0.55)), read_model(source)
    silent = 0
    with torch.no_grad():
        for new, old in zip(after.encoder.layers, whole.encoder.layers, strict=True):
            for head in {row // 8 for row in rows_of(new.attention.value.weight, old.attention.value.weight)}:
                old.attention.output.weight[:, head * 8 : head * 8 + 8] = 0
            units = sorted(rows_of(new.ffn.up.weight, old.ffn.up.weight))
            old.ffn.down.weight[:, units] = 0
            silent += len(units)
    assert silent > 5
    batches = pair_batches(whole.config)
    torch.testing.assert_close(answers(after, batches), answers(whole, batches), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(answers(after, batches), answers(read_model(source), batches), atol=1e-2)


@pytest.mark.slow
@few_families
def test_within_the_budget_exported_and_distilled_again(source: Artifact, tmp_path: Path):
    """The line that the recipes walk, whatever the family; layers keep their kinds."""
    small = step(PrunePostTraining, source, tmp_path, keep=0.6)
    config, whole = read_model(small).config, read_model(source).config
    entry = small.history[-1]
    assert 0.55 < entry["result"]["kept"] <= 0.6
    assert entry["shape"] == json.loads(json.dumps(config.to_json()["layers"]))
    for layer, before in zip(config.layers, whole.layers, strict=True):
        assert replace(layer, heads=4, ffn=40, bias_columns=None) == before
    context = make_context(tmp_path / "again", source, data=DATA)
    student = Distil(layers=None, epochs=1, batch_size=16, hidden_weight=0.1)(small, context, tmp_path / "student")
    assert read_model(student).config == config
    graph = Onnx()(student, context, tmp_path / "graph")
    ours, theirs = logits(LightPredictor(graph, threads=1), TEXTS), logits(TorchPredictor(student), TEXTS)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.slow
@few_families
def test_inner_states_and_trials_of_layers(source: Artifact, tmp_path: Path):
    """Attention and hidden states of a model without some of its units; and fewer of its layers, found by trial."""
    small = step(Prune, source, tmp_path, ffn=20)
    hashes = set()
    for name, options in {
        "plain": {},
        "attention": {"attention_weight": 0.5},
        "hidden": {"hidden_weight": 0.5},
    }.items():
        context = make_context(tmp_path / name, source, data=DATA)
        again = Distil(layers=None, epochs=1, batch_size=32, **options)(small, context, tmp_path / name / "student")  # type: ignore[arg-type]
        hashes.add(again.content_hash)
    assert len(hashes) == 3
    said: list[str] = []
    context = make_context(tmp_path / "trial", source, data=DATA, say=said.append)
    fewer = Distil(layers=2, trial_texts=16, epochs=1, batch_size=32)(small, context, tmp_path / "trial" / "student")
    assert [line for line in said if "tried on 16 texts" in line]
    kept, layers = list(read_model(fewer).config.layers), read_model(small).config.layers
    assert len(kept) == 2 and all(layer in layers for layer in kept)


def test_equal_widths_in_every_layer(source: Artifact, tmp_path: Path):
    config = read_model(step(Prune, source, tmp_path, heads=2, ffn=20)).config
    assert {(layer.heads, layer.ffn) for layer in config.layers} == {(2, 20)}
    assert [layer.window for layer in config.layers] == [layer.window for layer in read_model(source).config.layers]


def flops_as_time(config: EncoderConfig) -> float:
    Classifier(replace(config, vocabulary=8, padding_id=0))  # a shape that can be built
    return config.shape(first_token_only=True).flops(1, 9) / 1e3


def test_a_latency_table_of_every_family(model: Classifier, tmp_path: Path):
    """Narrow models of one and two layers can be built; what they took adds up to the whole one."""
    path = tmp_path / "table.json"
    path.write_text(json.dumps(measure_latency_table(model.config, flops_as_time, points=3)), encoding="utf-8")
    costs = read_latency_table(path, model.config)
    assert costs.full == pytest.approx(flops_as_time(model.config))
    other = replace(model.config, gated_ffn=not model.config.gated_ffn)
    with pytest.raises(RecipeError, match="measured at hidden 32, head_size 8"):
        read_latency_table(path, other)
    pooling = "mean" if model.config.head.pooling == "first" else "first"
    with pytest.raises(RecipeError, match="pooling mean"):
        read_latency_table(path, replace(model.config, head=replace(model.config.head, pooling=pooling)))
