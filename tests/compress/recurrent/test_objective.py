"""The losses of a recurrent student, each against its definition."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from leanformer.compress.recurrent.objective import StudentLoss, StudentWeights, representation_distance
from leanformer.tagging.ragged import ragged
from leanformer.train.feeds.batches import TrainingSet, to_batches
from leanformer.train.teacher_outputs import TeacherOutputs
from tests.making.recurrent import tiny_recurrent

LENGTHS = np.array([4, 2, 3])


def rows() -> TrainingSet:
    generator = np.random.default_rng(1)
    ids = [generator.integers(5, 40, n).astype(np.int32) for n in LENGTHS]
    labels = ragged([np.array([-2, 1, 3, -2]), np.array([-2, -1]), np.array([-2, 0, -2])])
    return TrainingSet(ids, labels, 0)


def outputs() -> TeacherOutputs:
    generator = np.random.default_rng(2)
    words = [2, 1, 1]
    logits = ragged([generator.normal(size=(n, 5)).astype(np.float32) for n in words])
    hidden = generator.normal(size=(int(LENGTHS.sum()), 32)).astype(np.float16)
    return TeacherOutputs(logits, LENGTHS, {1: hidden}, {}, {})


def alone(ids: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """One row as a block, and its mask."""
    return torch.from_numpy(ids.astype(np.int64))[None], torch.ones(1, len(ids), dtype=torch.long)


def loss_of(*parts: str, kind: str = "kld", weights: StudentWeights | None = None) -> float:
    given = outputs() if parts != ("labels",) else None
    loss = StudentLoss(parts, answer="tags", outputs=given, layer=1, kind=kind, weights=weights)
    (batch,) = to_batches(rows(), np.arange(3), token_budget=100, device=torch.device("cpu"))
    with torch.no_grad():
        return float(loss(tiny_recurrent(), batch))


def by_hand(kind: str) -> float:
    """The mean over rows of the mean over their tokens, one token after the other."""
    model, data, teacher = tiny_recurrent(), rows(), outputs()
    starts, found = np.cumsum([0, *LENGTHS]), []
    for row, ids in enumerate(data.rows):
        with torch.no_grad():
            states = model.states(
                torch.from_numpy(ids.astype(np.int64))[None], torch.ones(1, len(ids), dtype=torch.long)
            )[0]
        each = []
        for place, state in enumerate(states.double().numpy()):
            target = teacher.hidden[1][starts[row] + place].astype(np.float64)
            if kind == "mse":
                each.append(((state - target) ** 2).mean())
                continue
            p, q = (np.exp(vector) / np.exp(vector).sum() for vector in (target, state))
            each.append((p * np.log(p / q)).sum())
        found.append(np.mean(each))
    return float(np.mean(found))


@pytest.mark.parametrize("kind", ["kld", "mse"])
def test_states_are_compared_at_every_real_token(kind: str) -> None:
    assert loss_of("representation", kind=kind) == pytest.approx(by_hand(kind), rel=1e-4)


def test_representation_distance_is_a_divergence() -> None:
    generator = torch.Generator().manual_seed(1)
    ours, theirs = (torch.randn(6, 9, generator=generator) for _ in range(2))
    for kind in ("kld", "mse"):
        assert (representation_distance(ours, theirs, kind) > 0).all()
        torch.testing.assert_close(representation_distance(theirs, theirs, kind), torch.zeros(6), atol=1e-6, rtol=0)
    # As distributions, states that differ by a constant are the same.
    assert float(representation_distance(ours + 3, ours, "kld").abs().max()) < 1e-5
    expected = torch.nn.functional.kl_div(ours.log_softmax(1), theirs.log_softmax(1), log_target=True, reduction="none")
    torch.testing.assert_close(representation_distance(ours, theirs, "kld"), expected.sum(1))


def test_logits_are_compared_at_first_pieces_alone() -> None:
    model, data, teacher = tiny_recurrent(), rows(), outputs()
    found = []
    for row, (ids, labels) in enumerate(zip(data.rows, data.labels, strict=True)):
        with torch.no_grad():
            logits = model(torch.from_numpy(ids.astype(np.int64))[None], torch.ones(1, len(ids), dtype=torch.long))[
                0
            ].numpy()
        found.append((0.5 * (logits[labels > -2] - teacher.logits[row]) ** 2).sum(axis=1).mean())
    assert loss_of("logits") == pytest.approx(float(np.mean(found)), rel=1e-4)


def test_parts_add_up_by_their_weights() -> None:
    each = {name: loss_of(name) for name in ("representation", "logits", "labels")}
    weights = StudentWeights(representation=0.5, logits=2.0, labels=3.0)
    whole = loss_of("representation", "logits", "labels", weights=weights)
    assert whole == pytest.approx(0.5 * each["representation"] + 2 * each["logits"] + 3 * each["labels"], rel=1e-5)
    assert all(value > 0 for value in each.values())


def test_rows_without_a_label_teach_nothing_by_labels() -> None:
    """The middle row has none: the loss is that of the others, over all three, and its answers get no gradient."""
    data = rows()
    (batch,) = to_batches(data, np.arange(3), token_budget=100, device=torch.device("cpu"))
    answers = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(4), requires_grad=True)
    model = SimpleNamespace(outputs=lambda ids, mask: SimpleNamespace(logits=answers))
    loss = StudentLoss(("labels",), answer="tags")(model, batch)  # type: ignore[arg-type]
    loss.backward()
    each = torch.stack([
        torch.nn.functional.cross_entropy(answers[i][labels >= 0], labels[labels >= 0])
        for i, labels in enumerate(batch.labels) if (labels >= 0).any()
    ])  # fmt: skip
    torch.testing.assert_close(loss, each.sum() / 3)
    assert answers.grad is not None
    assert [bool(row.any()) for row in answers.grad] == [bool((labels >= 0).any()) for labels in batch.labels]


def test_what_cannot_be_computed_is_refused() -> None:
    with pytest.raises(ValueError, match="some of"):
        StudentLoss((), answer="tags")
    with pytest.raises(ValueError, match="some of"):
        StudentLoss(("attention",), answer="tags")
    with pytest.raises(ValueError, match="teacher's outputs"):
        StudentLoss(("labels", "logits"), answer="tags")
