"""Gradient scores against finite differences, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from leanformer.compress.prune.importance import first_order_scores, gate_gradients, row_losses
from leanformer.compress.prune.scoring_set import batches_of
from leanformer.models.classifier import Classifier
from leanformer.shapes.encoder import LayerShape
from leanformer.train.feeds.batches import Batch, TrainingSet
from tests.making.tiny import tiny_classifier, tiny_config

CPU = torch.device("cpu")
CONFIG = tiny_config(layers=(LayerShape(4, 10), LayerShape(2, 6)))
STEP = 1e-5


@pytest.fixture(scope="module")
def model() -> Classifier:
    return tiny_classifier(CONFIG).double()


@pytest.fixture(scope="module")
def data() -> TrainingSet:
    generator = np.random.default_rng(3)
    rows = [generator.integers(5, 90, size=n).astype(np.int32) for n in (3, 9, 5, 12, 4, 7, 8)]
    return TrainingSet(rows, generator.integers(0, 3, size=7), 0)


def batches(data: TrainingSet, size: int = 3) -> list[Batch]:
    return list(batches_of(data, batch_size=size, seed=1, device=CPU))


def losses(model: Classifier, batch: Batch) -> torch.Tensor:
    """Each row's cross-entropy in float64, written out."""
    with torch.no_grad():
        logits = model(batch.ids, batch.mask)
    return torch.stack([row.logsumexp(0) - row[label] for row, label in zip(logits, batch.labels, strict=True)])


def double_losses(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(logits, batch.labels, reduction="none")


def columns_of_head(model: Classifier, layer: int, head: int) -> torch.Tensor:
    size = model.config.head_size
    return model.encoder.layers[layer].attention.output.weight[:, head * size : (head + 1) * size]


def columns_of_unit(model: Classifier, layer: int, unit: int) -> torch.Tensor:
    return model.encoder.layers[layer].ffn.down.weight[:, unit]


def slope(model: Classifier, batch: Batch, *views: torch.Tensor) -> torch.Tensor:
    """d loss / d factor on these weights at factor 1, for every row, by central differences."""
    saved, ends = [view.clone() for view in views], []
    for factor in (1 + STEP, 1 - STEP):
        with torch.no_grad():
            for view, old in zip(views, saved, strict=True):
                view.copy_(old * factor)
        ends.append(losses(model, batch))
    with torch.no_grad():
        for view, old in zip(views, saved, strict=True):
            view.copy_(old)
    return (ends[0] - ends[1]) / (2 * STEP)


def places(config) -> Iterator[tuple[int, int, int]]:
    for i, layer in enumerate(config.layers):
        yield i, layer.heads, layer.ffn


def test_gate_gradients_are_finite_differences_of_every_row(model: Classifier, data: TrainingSet):
    found = gate_gradients(model, batches(data), double_losses)
    for i, heads, units in places(CONFIG):
        assert found.heads[i].shape == (7, heads) and found.units[i].shape == (7, units)
        for head in range(heads):
            expected = torch.cat([slope(model, batch, columns_of_head(model, i, head)) for batch in batches(data)])
            torch.testing.assert_close(found.heads[i][:, head].double(), expected, rtol=1e-4, atol=1e-6)
        for unit in range(units):
            expected = torch.cat([slope(model, batch, columns_of_unit(model, i, unit)) for batch in batches(data)])
            torch.testing.assert_close(found.units[i][:, unit].double(), expected, rtol=1e-4, atol=1e-6)


def test_first_order_scores_are_finite_differences_of_every_batch(model: Classifier, data: TrainingSet):
    """Absolute values of each batch's mean loss, summed: nothing of one batch is left when the next one comes."""
    found = first_order_scores(model, batches(data), double_losses)
    tokens = sum(len(row) for row in data.rows)
    for i, heads, units in places(CONFIG):
        raw = torch.stack(
            [
                sum(slope(model, batch, columns_of_head(model, i, h)).mean().abs() for batch in batches(data))
                for h in range(heads)
            ]
        )
        torch.testing.assert_close(found.heads[i], raw / raw.norm(), rtol=1e-4, atol=1e-6)
        up = model.encoder.layers[i].ffn.up
        expected = torch.stack(
            [
                sum(slope(model, batch, up.weight[u], up.bias[u : u + 1]).mean().abs() for batch in batches(data))
                / tokens
                for u in range(units)
            ]
        )
        torch.testing.assert_close(found.units[i], expected, rtol=1e-4, atol=1e-8)


def test_scores_of_batches_add_up(model: Classifier, data: TrainingSet):
    """Two batches scored together are the sum of each scored alone; leaking gradients would add the first twice."""
    together = batches(data, 4)
    assert len(together) == 2
    alone = [first_order_scores(model, [batch], double_losses) for batch in together]
    tokens = [int(batch.mask.sum()) for batch in together]
    for i in range(2):
        expected = sum(importance.units[i] * n for importance, n in zip(alone, tokens, strict=True)) / sum(tokens)
        torch.testing.assert_close(
            first_order_scores(model, together, double_losses).units[i], expected, rtol=1e-10, atol=0
        )


def test_gate_gradients_do_not_depend_on_the_batches(model: Classifier, data: TrainingSet):
    def by_row(size: int) -> torch.Tensor:
        order = torch.from_numpy(np.concatenate([batch.rows for batch in batches(data, size)]))
        return gate_gradients(model, batches(data, size), double_losses).units[0][order.argsort()]

    torch.testing.assert_close(by_row(1), by_row(7), rtol=1e-4, atol=1e-6)


def test_the_model_is_left_as_it_was(model: Classifier, data: TrainingSet):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first_order_scores(model, batches(data), double_losses)
    gate_gradients(model, batches(data), double_losses)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_loss_that_fails_leaves_no_gate_behind(model: Classifier, data: TrainingSet):
    def fails(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        gate_gradients(model, batches(data), fails)
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_silent_head_and_unit_score_nothing(data: TrainingSet):
    model = tiny_classifier(CONFIG)
    with torch.no_grad():
        columns_of_head(model, 0, 2).zero_()
        columns_of_unit(model, 1, 3).zero_()
    scores = first_order_scores(model, batches(data), row_losses("label"))
    assert scores.heads[0].argmin() == 2 and scores.heads[0][2] == 0
    assert scores.units[1].argmin() == 3 and scores.units[1][3] == 0
