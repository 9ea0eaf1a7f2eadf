"""The memory of a pass over a large block, from three small ones: compared with what the large one really takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from leanformer.models.classifier import Classifier
from leanformer.train.activations import Live, fitted, measured, small_blocks
from leanformer.train.adapters.kinds import adapter
from leanformer.train.feeds.batches import Batch, TrainingSet, to_batches
from leanformer.train.objectives.objective import LabelLoss, Supervised
from tests.making.family_models import family_classifier
from tests.making.tiny import tiny_classifier, tiny_config

CPU = torch.device("cpu")
LENGTHS = (3, 5, 9, 14, 20, 24)


def rows_of(lengths: tuple[int, ...]) -> TrainingSet:
    return TrainingSet([np.full(n, 9, np.int32) for n in lengths], np.zeros(len(lengths), np.int64), 0)


def block_of(data: TrainingSet, rows: list[int]) -> Batch:
    [block] = to_batches(data, np.array(rows), token_budget=10**6, device=CPU)
    return block


def test_live_bytes_follow_what_is_made_and_what_is_released() -> None:
    weight = torch.ones(1000)
    with Live([weight]) as live:
        view = weight.view(10, 100)
        one = view * 2
        two = one + one
        del one
        two.add_(1)
        del two
        torch.zeros(5)
    assert live.line == [0, 4000, 8000, 4000, 20]


def model_of(kind: str) -> Classifier:
    if kind != "bert" and kind != "lora" and kind != "checkpointing":
        return family_classifier(kind)
    model = tiny_classifier(tiny_config(dropout=0.1, attention_dropout=0.1))
    if kind == "lora":
        adapter("lora").attach(model)
    model.encoder.recomputes = kind == "checkpointing"
    return model


@pytest.mark.parametrize("kind", ["bert", "checkpointing", "lora", "mpnet", "modernbert"])
def test_the_peak_of_a_large_block_is_foreseen(kind: str) -> None:
    model, data = model_of(kind).train(), rows_of(LENGTHS)
    objective = Supervised(LabelLoss("label"))
    curves = measured(model, small_blocks(data, CPU), lambda block: objective(model, block))
    large = block_of(data, [0, *[5] * 20])
    assert all(parameter.grad is None for parameter in model.parameters())
    for curve in curves[:2]:
        known: list[Tensor] = [*model.parameters(), large.ids, large.mask, large.labels]
        known += [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        with Live(known) as live:
            objective(model, large).backward()
        assert curve.peak(21, 24) == pytest.approx(max(live.line), rel=0.02)
    with torch.no_grad(), Live([*model.parameters(), large.ids, large.mask, large.labels]) as live:
        objective(model, large)
    assert curves[2].peak(21, 24) == pytest.approx(max(live.line), rel=0.02)


def test_checkpointing_takes_less_and_scoring_the_least() -> None:
    model, data = tiny_classifier(tiny_config(dropout=0.1)).train(), rows_of(LENGTHS)
    objective = Supervised(LabelLoss("label"))
    peaks = []
    for on in (False, True):
        model.encoder.recomputes = on
        curves = measured(model, small_blocks(data, CPU), lambda block: objective(model, block))
        peaks.append([curve.peak(64, 24) for curve in curves])
    assert peaks[1][0] < 0.8 * peaks[0][0] and peaks[0][2] == peaks[1][2] < peaks[1][0]


@pytest.mark.parametrize(("lengths", "shapes"), [
    (LENGTHS, [(2, 9), (3, 9), (2, 20)]), ((7, 7, 7), [(2, 7), (3, 7), (2, 7)]), ((4, 12), [(2, 12), (3, 12), (2, 12)]),
])  # fmt: skip
def test_small_blocks_differ_in_shape_and_have_padding(lengths: Any, shapes: Any) -> None:
    found = small_blocks(rows_of(lengths), CPU)
    assert [tuple(block.ids.shape) for block in found] == shapes
    assert len(set(lengths)) == 1 or all(not bool(block.mask.all()) for block in found)


def test_a_curve_through_points() -> None:
    shapes = [(2, 10), (3, 10), (2, 30)]
    lines = [[1000 + 8 * n * s + 4 * n * s * s, 5000 + n * s] for n, s in shapes]
    assert fitted(shapes, lines).peak(50, 100) == pytest.approx(1000 + 8 * 5000 + 4 * 500_000, abs=1)
    assert fitted(shapes, lines).peak(1, 4) == pytest.approx(5004, abs=1), "another operation has the peak there"
    other = fitted(shapes, [lines[0], lines[1], lines[2][:1]])
    assert other.peak(1, 4) == pytest.approx(5004, rel=0.5), "peaks alone, where the operations differ"


def test_modules_that_are_no_encoder_are_followed_too() -> None:
    net = nn.Linear(9, 9)
    data = rows_of(LENGTHS)
    first, further, _ = measured(net, small_blocks(data, CPU), lambda block: net(block.ids.float()[:, :9]).sum())
    assert first.peak(2, 9) >= 4 * 90 and further.peak(2, 9) > 0
