"""Batches: every row once an epoch, within the token budget, and without effect on the gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from leanformer.models.classifier import Classifier
from leanformer.train.feeds.batches import ABSENT, Batch, TrainingSet, folded, to_batches
from leanformer.train.feeds.by_length import ByLength
from leanformer.train.objectives.answers import raw_logit_distance, soft_cross_entropy
from leanformer.train.objectives.distillation import Distillation, LossWeights
from leanformer.train.objectives.objective import LabelLoss, Supervised
from leanformer.train.teacher_outputs import teacher_outputs
from tests.making.tiny import tiny_artifact, tiny_classifier, tiny_config

CPU = torch.device("cpu")


def training_set(count: int = 97, seed: int = 0, padding_id: int = 0) -> TrainingSet:
    generator = np.random.default_rng(seed)
    rows = [generator.integers(5, 100, size=n).astype(np.int32) for n in generator.integers(2, 30, size=count)]
    return TrainingSet(rows, generator.integers(0, 3, size=count), padding_id)


@pytest.mark.parametrize(("count", "batch_size"), [(97, 8), (8, 8), (1, 8), (1000, 4), (5, 100)])
def test_every_row_once_an_epoch(count: int, batch_size: int) -> None:
    data = training_set(count)
    for epoch in range(2):
        steps = ByLength(data, batch_size=batch_size, seed=3).steps(epoch)
        assert sorted(int(row) for step in steps for row in step) == list(range(count))
        assert len(steps) == -(-count // batch_size)
        assert max(len(step) for step in steps) <= batch_size


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    data = training_set()

    def order(seed: int, epoch: int) -> list[list[int]]:
        np.random.seed(seed * 100 + epoch)
        return [step.tolist() for step in ByLength(data, batch_size=8, seed=seed).steps(epoch)]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1) != order(2, 1) != order(1, 0)


def test_rows_of_like_length_go_together_and_steps_come_mixed() -> None:
    data = training_set(800)
    steps = ByLength(data, batch_size=16, seed=1).steps(0)
    lengths = [[len(data.rows[row]) for row in step] for step in steps]
    assert np.mean([max(length) - min(length) for length in lengths]) < 2
    means = [float(np.mean(length)) for length in lengths]
    assert means != sorted(means)
    other = ByLength(data, batch_size=16, seed=1).steps(1)
    assert {frozenset(step.tolist()) for step in steps}.isdisjoint(frozenset(step.tolist()) for step in other)


@pytest.mark.parametrize("budget", [1, 29, 60, 200, 10_000])
def test_the_token_budget_holds_and_shares_sum_to_one(budget: int) -> None:
    data = training_set(padding_id=3)
    indices = np.arange(10, 50)
    batches = list(to_batches(data, indices, token_budget=budget, device=CPU))
    for batch in batches:
        assert len(batch.rows) == 1 or batch.ids.numel() <= budget
        assert batch.share == pytest.approx(len(batch.rows) / 40)
        for ids, mask, label, row in zip(batch.ids, batch.mask, batch.labels, batch.rows, strict=True):
            n = len(data.rows[row])
            assert ids[:n].tolist() == data.rows[row].tolist() and set(ids[n:].tolist()) <= {3}
            assert mask.tolist() == [1] * n + [0] * (len(ids) - n)
            assert int(label) == data.labels[row]
    assert sorted(int(row) for batch in batches for row in batch.rows) == indices.tolist()
    assert sum(batch.share for batch in batches) == pytest.approx(1)
    assert (len(batches) == 1) == (budget == 10_000)
    assert (len(batches) == 40) == (budget == 1)
    # Blocks are as full as the budget allows: no two neighbours would have fitted into one.
    for batch, other in pairwise(batches):
        assert (len(batch.rows) + 1) * len(data.rows[other.rows[0]]) > budget


def gradient(model: Classifier, objective: Callable[[Classifier, Batch], Tensor], budget: int) -> dict[str, Tensor]:
    model.zero_grad()
    for batch in to_batches(TEXTS_AS_DATA, np.arange(24), token_budget=budget, device=CPU):
        (objective(model, batch) * batch.share).backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}


TEXTS_AS_DATA = training_set(24)
TEXTS_AS_DATA.labels[::3] = -1


@pytest.fixture(scope="module")
def objectives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, nn.Module]:
    folder = tmp_path_factory.mktemp("teacher")
    texts = [" ".join(["rain"] * (len(row) - 2)) for row in TEXTS_AS_DATA.rows]
    teacher = tiny_artifact(folder / "a", seed=5)
    outputs = teacher_outputs(teacher, texts, cache=folder, hidden=(0, 2), attention=(0, 1))
    assert outputs.lengths.tolist() == [len(row) for row in TEXTS_AS_DATA.rows]
    maps = {"hidden_map": ((0, 0), (2, 2)), "attention_map": ((0, 0), (1, 1))}
    return {
        "soft": Distillation(outputs, LossWeights(temperature=2.0)),
        "hard": Distillation(outputs, LossWeights(hard=0.7)),
        "hidden mse": Distillation(outputs, LossWeights(hidden=1.0), **maps),
        "hidden cosine": Distillation(outputs, LossWeights(hidden=1.0, hidden_kind="cosine"), **maps),
        "attention": Distillation(outputs, LossWeights(attention=1.0), **maps),
    }


@pytest.mark.parametrize("name", ["soft", "hard", "hidden mse", "hidden cosine", "attention"])
def test_blocks_add_up_to_the_whole_step(name: str, objectives: dict[str, nn.Module]) -> None:
    model = tiny_classifier(tiny_config())
    whole = gradient(model, objectives[name], 10_000)
    for budget in (1, 90):
        split = gradient(model, objectives[name], budget)
        assert split.keys() == whole.keys()
        for parameter, value in whole.items():
            assert torch.allclose(split[parameter], value, atol=1e-6, rtol=1e-4), parameter
    assert max(float(value.abs().max()) for value in whole.values()) > 1e-3


def test_cross_entropy_adds_up_too() -> None:
    labels = np.arange(24) % 3
    model, data = tiny_classifier(tiny_config()), TrainingSet(TEXTS_AS_DATA.rows, labels, 0)
    gradients = []
    for budget in (10_000, 60):
        model.zero_grad()
        batches = list(to_batches(data, np.arange(24), token_budget=budget, device=CPU))
        for batch in batches:
            (Supervised(LabelLoss("label"))(model, batch) * batch.share).backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None])
    assert len(batches) > 3
    assert all(torch.allclose(grad, other, atol=1e-6) for grad, other in zip(*gradients, strict=True))


def questions(counts: tuple[int, ...] = (2, 4, 3)) -> TrainingSet:
    """Examples of several rows each, some longer than others."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(2, 30, size=sum(counts))
    rows = [generator.integers(5, 100, size=length).astype(np.int32) for length in lengths]
    return TrainingSet(rows, np.array([1, 3, 0]), 0, {"group": np.arange(3)}, np.array(counts))


def test_the_rows_of_an_example_stay_together() -> None:
    data = questions()
    assert len(data) == 3 and data.rows_of([1, 0]) == [2, 3, 4, 5, 0, 1]
    assert data.lengths.tolist() == [max(len(data.rows[row]) for row in data.rows_of([i])) for i in range(3)]
    assert [len(row) for row in data.joined] == [
        sum(len(data.rows[row]) for row in data.rows_of([i])) for i in range(3)
    ]
    part = data.select([2, 0])
    assert part.counts is not None and part.counts.tolist() == [3, 2] and part.labels.tolist() == [0, 1]
    assert [row.tolist() for row in part.rows] == [data.rows[row].tolist() for row in (6, 7, 8, 0, 1)]
    for budget in (8192, 90, 1):
        seen = list[int]()
        for batch in to_batches(data, np.array([0, 1, 2]), token_budget=budget, device=CPU):
            assert batch.counts is not None and len(batch.ids) == int(batch.counts.sum()) == len(batch.rows)
            assert len(batch.labels) == len(batch.counts)
            assert batch.ids.numel() <= budget or len(batch.counts) == 1
            seen += batch.rows.tolist()
        assert sorted(seen) == list(range(9))


def test_logits_of_rows_become_those_of_examples() -> None:
    logits = torch.arange(5.0)[:, None].requires_grad_()
    table = folded(logits, torch.tensor([2, 3]))
    assert table.tolist() == [[0, 1, ABSENT], [2, 3, 4]]
    assert torch.softmax(table, dim=1)[0, 2] == 0, "what is not there has no probability"
    target = folded(torch.zeros(5, 1), torch.tensor([2, 3]))
    for soft in (soft_cross_entropy, raw_logit_distance):
        assert torch.isfinite(soft(table, target, 3.0)).all()
    by_hand = torch.stack([soft_cross_entropy(logits[:2, 0][None], torch.zeros(1, 2), 2.0)[0],
                           soft_cross_entropy(logits[2:, 0][None], torch.zeros(1, 3), 2.0)[0]])  # fmt: skip
    assert torch.allclose(soft_cross_entropy(table, target, 2.0), by_hand)
    soft_cross_entropy(table, target, 1.0).sum().backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()


def test_the_loss_of_a_question_is_over_its_own_candidates() -> None:
    """However a step is cut into blocks, and whatever stands beside a question, its loss is the same."""
    torch.manual_seed(0)
    model, data = tiny_classifier(tiny_config(labels=1)).eval(), questions()
    objective = Supervised(LabelLoss("choice"))
    alone = [
        float(objective(model, batch).detach())
        for number in range(3)
        for batch in to_batches(data, np.array([number]), token_budget=8192, device=CPU)
    ]
    (together,) = to_batches(data, np.array([0, 1, 2]), token_budget=8192, device=CPU)
    assert float(objective(model, together).detach()) == pytest.approx(float(np.mean(alone)), abs=1e-5)
    logits = model(together.ids, together.mask, together.types)[:, 0]
    first = together.rows.tolist().index(0)
    expected = torch.nn.functional.cross_entropy(logits[first : first + 2][None], torch.tensor([1]))
    assert alone[0] == pytest.approx(float(expected), abs=1e-5)


def documents() -> TrainingSet:
    """Texts of one, three and five windows."""
    return replace(questions((1, 3, 5)), labels=np.array([1, 2, 0]), averaged=True)


def test_the_windows_of_a_text_have_one_loss_of_their_mean_logits() -> None:
    model, data = tiny_classifier(tiny_config()).eval(), documents()
    objective, gradients = Supervised(LabelLoss("label")), []
    for budget in (10_000, 5 * int(data.lengths.max())):
        model.zero_grad()
        batches = list(to_batches(data, np.arange(3), token_budget=budget, device=CPU))
        for batch in batches:
            (objective(model, batch) * batch.share).backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None])
    assert len(batches) > 1
    model.zero_grad()
    losses = []
    for number in range(3):
        rows = [torch.from_numpy(data.rows[row].astype(np.int64))[None] for row in data.rows_of([number])]
        mean = torch.cat([model(row, torch.ones_like(row)) for row in rows]).mean(dim=0, keepdim=True)
        losses.append(torch.nn.functional.cross_entropy(mean, torch.tensor([int(data.labels[number])])))
    torch.stack(losses).mean().backward()
    by_hand = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert max(float(value.abs().max()) for value in by_hand) > 1e-3
    for found in gradients:
        assert all(torch.allclose(ours, theirs, atol=1e-6) for ours, theirs in zip(found, by_hand, strict=True))


def test_of_a_text_with_too_many_windows_evenly_spaced_ones_are_taken() -> None:
    data = documents()
    data, longest = replace(data, rows=[row[:2] for row in data.rows]), int(data.lengths.max())
    taken = {}
    for batch in to_batches(data, np.arange(3), token_budget=3 * 2, device=CPU):
        assert batch.counts is not None and batch.averaged and batch.ids.numel() <= 3 * 2
        for run in np.split(batch.rows, np.cumsum(batch.counts.numpy())[:-1]):
            taken[int(np.searchsorted([1, 4, 9], run[0], side="right"))] = run.tolist()
    assert taken == {0: [0], 1: [1, 2, 3], 2: [4, 6, 8]}
    assert data.select([2]).averaged
    for batch in to_batches(questions((1, 3, 5)), np.arange(3), token_budget=longest, device=CPU):
        assert batch.counts is not None and int(batch.counts.sum()) == len(batch.rows)
        assert len(batch.rows) in (1, 3, 5), "candidates are never left out"
