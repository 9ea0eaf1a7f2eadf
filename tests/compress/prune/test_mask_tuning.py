"""Least squares against numpy's, and what is done when the solution is of no use."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from leanformer.compress.prune import mask_tuning
from leanformer.compress.prune.mask_tuning import Moments, best_map, solve_masks, solve_weights, tune
from leanformer.compress.prune.scoring_set import batches_of
from leanformer.models.classifier import Classifier
from leanformer.models.surgery import narrow
from leanformer.shapes.encoder import LayerShape
from leanformer.train.feeds.batches import Batch, TrainingSet
from tests.making.tiny import tiny_classifier, tiny_config


def drawn(tokens: int, inputs: int, outputs: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """X, W, and targets that X times a changed W gives, with noise."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(tokens, inputs, generator=generator, dtype=torch.float64)
    weight = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64)
    factors = 0.5 + torch.rand(inputs, generator=generator, dtype=torch.float64)
    noise = 0.1 * torch.randn(tokens, outputs, generator=generator, dtype=torch.float64)
    return x, weight, x @ (weight * factors).T + noise


def moments(x: Tensor, target: Tensor) -> Moments:
    found = Moments.empty(x.shape[1], target.shape[1])
    for rows in (slice(0, 7), slice(7, None)):
        found.add(x[rows], target[rows])
    return found


@pytest.mark.parametrize("groups", [12, 4, 1])
@pytest.mark.parametrize("ridge", [1e-8, 0.3])
def test_masks_are_those_of_numpy(groups: int, ridge: float):
    x, weight, target = drawn(40, 12, 5)
    size = 12 // groups
    outputs = [x[:, g * size : (g + 1) * size] @ weight[:, g * size : (g + 1) * size].T for g in range(groups)]
    design = np.stack([output.reshape(-1).numpy() for output in outputs], axis=1)
    damping = ridge * (design**2).sum() / groups
    rows = np.concatenate([design, np.sqrt(damping) * np.eye(groups)])
    wanted = np.concatenate([target.reshape(-1).numpy(), np.sqrt(damping) * np.ones(groups)])
    expected = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    np.testing.assert_allclose(solve_masks(moments(x, target), weight, groups, ridge).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("ridge", [1e-8, 0.3])
def test_weights_are_those_of_numpy(ridge: float):
    x, weight, target = drawn(40, 12, 5)
    damping = ridge * float((x**2).sum()) / 12
    rows = np.concatenate([x.numpy(), np.sqrt(damping) * np.eye(12)])
    wanted = np.concatenate([target.numpy(), np.sqrt(damping) * weight.T.numpy()])
    expected = np.linalg.lstsq(rows, wanted, rcond=None)[0].T
    np.testing.assert_allclose(solve_weights(moments(x, target), weight, ridge).numpy(), expected, rtol=1e-6)


def test_the_error_is_the_squared_distance():
    x, weight, target = drawn(40, 12, 5)
    assert moments(x, target).error(weight) == pytest.approx(float((target - x @ weight.T).pow(2).sum()), rel=1e-9)
    parts = moments(x[:20], target[:20]) + moments(x[20:], target[20:])
    assert parts.error(weight) == pytest.approx(moments(x, target).error(weight), rel=1e-9)


@pytest.mark.parametrize("kind", ["masks", "weights"])
def test_a_better_map_is_taken(kind: str):
    x, weight, target = drawn(400, 12, 5)
    fit, held_out = moments(x[:200], target[:200]), moments(x[200:], target[200:])
    found = best_map(fit, held_out, weight, 12, kind)
    assert held_out.error(found) < 0.1 * held_out.error(weight)


def test_the_best_ridge_is_solved_again_on_all_texts():
    x, weight, target = drawn(60, 12, 5)
    fit, held_out = moments(x[:30], target[:30]), moments(x[30:], target[30:])
    found = best_map(fit, held_out, weight, 12, "weights")
    errors = {ridge: held_out.error(solve_weights(fit, weight, ridge)) for ridge in mask_tuning.RIDGES}
    torch.testing.assert_close(
        found, solve_weights(fit + held_out, weight, min(errors, key=lambda ridge: errors[ridge]))
    )


@pytest.mark.parametrize("kind", ["masks", "weights"])
def test_what_only_fits_its_own_texts_is_not(kind: str):
    """The held-out texts want the map as it is, the others something else."""
    x, weight, target = drawn(400, 12, 5)
    fit, held_out = moments(x[:200], target[:200]), moments(x[200:], x[200:] @ weight.T)
    assert torch.equal(best_map(fit, held_out, weight, 12, kind), weight)


@pytest.mark.parametrize("kind", ["masks", "weights"])
def test_factors_beyond_ten_are_not(kind: str):
    x, weight, _ = drawn(400, 12, 5)
    fit, held_out = (moments(x[half], 30 * x[half] @ weight.T) for half in (slice(0, 200), slice(200, None)))
    assert torch.equal(best_map(fit, held_out, weight, 12, kind), weight)
    within = [moments(x[half], 8 * x[half] @ weight.T) for half in (slice(0, 200), slice(200, None))]
    assert not torch.equal(best_map(*within, weight, 12, kind), weight)


def test_a_map_that_nothing_goes_into_stays():
    weight = torch.ones(3, 4, dtype=torch.float64)
    empty = Moments.empty(4, 3)
    for kind in ("masks", "weights"):
        assert torch.equal(best_map(empty, empty, weight, 4, kind), weight)


CONFIG = tiny_config(layers=(LayerShape(4, 48),) * 3)


@pytest.fixture
def batches() -> list[Batch]:
    generator = np.random.default_rng(2)
    rows = [generator.integers(5, 90, size=n).astype(np.int32) for n in generator.integers(3, 20, size=200)]
    data = TrainingSet(rows, np.zeros(200, dtype=np.int64), 0)
    return list(batches_of(data, batch_size=16, seed=1, device=torch.device("cpu")))


def halved(model: Classifier) -> Classifier:
    return narrow(model, [torch.arange(2)] * 3, [torch.arange(24)] * 3)


def distance(one: Classifier, other: Classifier, batches: list[Batch]) -> float:
    """Mean squared distance of the last layer's first token, which the head reads."""
    with torch.no_grad():
        states = [[m.outputs(b.ids, b.mask).encoded.last[:, 0] for b in batches] for m in (one, other)]
    return float((torch.cat(states[0]) - torch.cat(states[1])).pow(2).mean())


def test_tuning_brings_the_model_nearer(batches: list[Batch]):
    """On texts that it was not tuned on; and the weights themselves more than a factor each."""
    whole = tiny_classifier(CONFIG)
    tuned_on, fresh = batches[:8], batches[8:]
    distances = [distance(halved(whole), whole, fresh)]
    for kind in ("masks", "weights"):
        pruned = halved(whole)
        tune(pruned, whole, tuned_on, kind)
        distances.append(distance(pruned, whole, fresh))
    assert distances[0] > distances[1] > distances[2]


def test_every_layer_is_reconstructed_better_and_says_so(batches: list[Batch]):
    said: list[str] = []
    whole = tiny_classifier(CONFIG)
    tune(halved(whole), whole, batches, "masks", say=said.append)
    assert len(said) == 3
    for line in said:
        before, after = (float(part.split()[-1]) for part in line.split(","))
        assert after < before


def test_an_unpruned_model_stays_as_it_is(batches: list[Batch]):
    whole = tiny_classifier(CONFIG)
    same = narrow(whole, [torch.arange(4)] * 3, [torch.arange(48)] * 3)
    tune(same, whole, batches, "weights")
    assert distance(same, whole, batches) < 1e-8


def test_the_whole_model_is_left_alone(batches: list[Batch]):
    whole = tiny_classifier(CONFIG)
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    tune(halved(whole), whole, batches, "weights")
    assert all(torch.equal(value, before[name]) for name, value in whole.state_dict().items())
    assert not any(module._forward_pre_hooks for module in whole.modules())


def test_padding_counts_for_nothing(batches: list[Batch], monkeypatch: pytest.MonkeyPatch):
    """The tokens that reach the sums are the real ones, and in the last layer the first of each text."""
    seen: list[int] = []
    add = Moments.add

    def counting(self: Moments, x: Tensor, target: Tensor) -> None:
        seen.append(len(x))
        add(self, x, target)

    monkeypatch.setattr(mask_tuning.Moments, "add", counting)
    whole = tiny_classifier(CONFIG)
    tune(halved(whole), whole, batches, "masks")
    tokens, texts = sum(int(batch.mask.sum()) for batch in batches), sum(len(batch.ids) for batch in batches)
    assert sum(seen) == 2 * (2 * tokens + texts)


def test_solutions_are_judged_on_texts_that_they_were_not_fitted_on(
    batches: list[Batch], monkeypatch: pytest.MonkeyPatch
):
    """Every second text is held out: with two texts that change places, so do what is fitted on and what judges."""
    parts: list[tuple[Moments, Moments]] = []

    def keeping(fit: Moments, held_out: Moments, weight: Tensor, groups: int, kind: str) -> Tensor:
        parts.append((fit, held_out))
        return weight

    monkeypatch.setattr(mask_tuning, "best_map", keeping)
    whole, batch = tiny_classifier(CONFIG), batches[0]
    for order in ([0, 1], [1, 0]):
        two = Batch(batch.ids[order], batch.mask[order], batch.labels[order], batch.rows[order], 1.0)
        tune(halved(whole), whole, [two], "masks")
    (fit, held_out), (other_fit, other_held_out) = parts[0], parts[len(parts) // 2]
    assert fit.squares == pytest.approx(other_held_out.squares) and held_out.squares == pytest.approx(other_fit.squares)
    assert fit.squares != pytest.approx(held_out.squares) and min(fit.squares, held_out.squares) > 0
