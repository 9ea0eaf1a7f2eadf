"""Which layers a student keeps: planted layers that do nothing must go first."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from leanformer.compress.distil import choose_layers as module
from leanformer.compress.distil.choose_layers import choose_layers
from leanformer.models.classifier import Classifier
from leanformer.models.scoring import score_rows
from leanformer.models.surgery import keep_layers
from leanformer.shapes.encoder import LayerShape
from tests.making.tiny import tiny_classifier, tiny_config


def teacher_with_idle_layers(depth: int, idle: set[int]) -> Classifier:
    """Layers in `idle` add nothing to the residual stream, and no norm scales or shifts it."""
    model = tiny_classifier(tiny_config(layers=(LayerShape(4, 48),) * depth), seed=3)
    with torch.no_grad():
        for index, layer in enumerate(model.encoder.layers):
            for norm in (layer.attention_norm, layer.ffn_norm):
                norm.weight.fill_(1.0)
                norm.bias.zero_()
            if index in idle:
                for linear in (layer.attention.output, layer.ffn.down):
                    linear.weight.zero_()
                    linear.bias.zero_()
    return model


def rows(count: int = 24) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(5, 60, size=generator.integers(3, 12)).astype(np.int32) for _ in range(count)]


@pytest.mark.parametrize("idle", [{1, 3}, {0, 2}, {2, 3}])
def test_idle_layers_go_first(idle: set[int]) -> None:
    kept = choose_layers(teacher_with_idle_layers(4, idle), 2, rows())
    assert set(kept) == {0, 1, 2, 3} - idle


def test_greedy_search_finds_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_SUBSETS", 1)
    said: list[str] = []
    kept = choose_layers(teacher_with_idle_layers(5, {1, 2}), 3, rows(), say=said.append)
    assert kept == (0, 3, 4)
    assert "one at a time" in said[0]


def test_all_layers_and_impossible_numbers() -> None:
    teacher = teacher_with_idle_layers(3, set())
    assert choose_layers(teacher, 3, rows()) == (0, 1, 2)
    for keep in (0, 4):
        with pytest.raises(ValueError, match="of 3 layers"):
            choose_layers(teacher, keep, rows())


def test_the_teacher_is_left_as_it_was() -> None:
    teacher = teacher_with_idle_layers(3, {1})
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    choose_layers(teacher, 2, rows())
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())


def test_candidates_are_compared_question_by_question() -> None:
    """One logit a row says nothing by itself; what counts is its share among those of its question."""
    torch.manual_seed(0)
    teacher, counts = tiny_classifier(tiny_config(labels=1)).eval(), np.array([2, 4, 3])
    generator, said = np.random.default_rng(0), list[str]()
    mine = [generator.integers(5, 60, size=size).astype(np.int32) for size in generator.integers(3, 12, size=9)]
    (layer,) = choose_layers(teacher, 1, mine, answer="choice", counts=counts, say=said.append)

    def shares(model: Classifier) -> list[np.ndarray]:
        logits = score_rows(model, mine, padding_id=0, device=torch.device("cpu"))[:, 0].astype(np.float64)
        return [np.exp(run - run.max()) / np.exp(run - run.max()).sum() for run in np.split(logits, [2, 6])]

    def distance(number: int) -> float:
        pairs = zip(shares(teacher), shares(keep_layers(teacher, (number,)).eval()), strict=True)
        return float(np.mean([(p * np.log(p / q)).sum() for p, q in pairs]))

    distances = [distance(number) for number in range(len(teacher.config.layers))]
    assert layer == int(np.argmin(distances)) and min(distances) > 0
    assert f"KL {min(distances):.3f}" in said[-1] and "KL 0.000" not in said[-1]
