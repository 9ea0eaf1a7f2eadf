"""AdapterDrop: the lowest layers have no adapter, at random in training and for good afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import Tensor

from leanformer.errors import LeanformerError
from leanformer.train.adapters.adapter_drop import AdapterDrop
from leanformer.train.adapters.pfeiffer import AdaptedNorm, Pfeiffer
from tests.making.adapted import attached, logits, redrawn
from tests.making.trainings import Run


def merged(adapter: Pfeiffer) -> Tensor:
    """The logits with parameters that all matter, after the fit."""
    model = attached(adapter)
    redrawn(adapter, model)
    adapter.merge(model)
    return logits(model)


def at_limit() -> tuple[Tensor, Tensor]:
    """With no layer dropped it is Pfeiffer's."""
    return merged(AdapterDrop(8, dropped=0)), merged(Pfeiffer(8))


def usual() -> tuple[Tensor, Tensor]:
    return merged(AdapterDrop(8, dropped=1)), merged(Pfeiffer(8))


def test_steps_differ_and_scores_are_those_of_the_end(tmp_path: Path) -> None:
    run = Run(tmp_path)
    adapter = AdapterDrop(8, dropped=1)
    run.adapter, run.hooks = adapter, [adapter]
    seen, plain = [], adapter.before_step

    def before_step(one: object) -> None:
        plain(one)  # type: ignore[arg-type]
        seen.append([norm.off for norm in adapter.norms])

    adapter.before_step = before_step  # type: ignore[method-assign]
    run.fit(score=lambda: float(adapter.norms[0].off))
    assert {tuple(each) for each in seen} == {(False, False), (True, False)}
    layers = run.model.encoder.layers
    assert not isinstance(layers[0].ffn_norm, AdaptedNorm) and isinstance(layers[1].ffn_norm, AdaptedNorm)
    assert not adapter.norms[1].off


def test_what_is_left_out_computes_as_if_taken_out() -> None:
    adapter = AdapterDrop(8, dropped=1)
    model = attached(adapter)
    redrawn(adapter, model)
    adapter.without(1)
    before = logits(model)
    adapter.merge(model)
    assert (logits(model) - before).abs().max() < 1e-6


def test_a_task_is_stored_without_the_lowest() -> None:
    sizes = []
    for dropped in (0, 1):
        adapter = AdapterDrop(8, dropped=dropped)
        model = attached(adapter)
        sizes.append(adapter.task_bytes(model))
    assert sizes[0] - sizes[1] == 4 * sum(parameter.numel() for parameter in adapter.norms[0].adapter.parameters())
    assert sizes[0] == 4 * adapter.trained_parameters(model), "all are trained"


def test_too_many_are_refused() -> None:
    with pytest.raises(LeanformerError, match="dropped is 2, and the model has 2 layers"):
        attached(AdapterDrop(dropped=2))
