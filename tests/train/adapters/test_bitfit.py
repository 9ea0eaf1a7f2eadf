"""BitFit: biases and the head are trained and nothing else; the model is what it was before and plain afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from leanformer.errors import LeanformerError
from leanformer.train.adapters.bitfit import BitFit
from leanformer.train.hooks.averaging import Averaging
from tests.making.tiny import tiny_classifier
from tests.making.trainings import KilledError, Run, equal


def test_biases_and_the_head_are_trained_and_nothing_else(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.adapter = BitFit()
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    run.fit()
    for name, value in run.model.state_dict().items():
        # The keys' bias adds the same to all scores of a query, so its gradient is nought but for rounding.
        trained = name.endswith("bias") or name.startswith("head.")
        assert trained or torch.equal(value, before[name]), name
        assert not trained or "key" in name or not torch.equal(value, before[name]), name
    assert all(p.requires_grad for p in run.model.parameters())


def test_its_parameters_are_counted() -> None:
    model = tiny_classifier()
    config = model.config
    trained = sum(p.numel() for group in BitFit().groups(model) for p in group.parameters)
    layers = sum(4 * config.hidden + layer.ffn + config.hidden + 2 * config.hidden for layer in config.layers)
    head = config.hidden * (config.hidden + 1) + config.labels * (config.hidden + 1)
    assert trained == config.hidden + layers + head
    assert trained < 0.5 * sum(p.numel() for p in model.parameters())


def test_at_the_start_the_model_computes_what_it_did() -> None:
    model, ids = tiny_classifier(), torch.arange(1, 9)[None]
    expected = model(ids, torch.ones_like(ids))
    BitFit().attach(model)
    assert torch.equal(model(ids, torch.ones_like(ids)), expected)


def test_what_was_frozen_before_stays_frozen() -> None:
    model, bitfit = tiny_classifier(), BitFit()
    model.encoder.embeddings.word.requires_grad_(False)
    bitfit.attach(model)
    bitfit.merge(model)
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    assert frozen == ["encoder.embeddings.word.weight"]


def test_it_learns_and_a_killed_run_ends_with_the_same_bytes(tmp_path: Path) -> None:
    whole = Run(tmp_path / "whole")
    whole.adapter, whole.hooks = BitFit(), [Averaging(0.5)]
    result = whole.fit()
    losses = [float(line.split("loss ")[1].split()[0]) for line in whole.said if "loss" in line]
    assert np.mean(losses[-8:]) < np.mean(losses[:8])
    killed = Run(tmp_path)
    killed.adapter, killed.hooks = BitFit(), [Averaging(0.5)]

    def die(text: str) -> None:
        killed.said.append(text)
        if len(killed.said) > 12:
            raise KilledError

    with pytest.raises(KilledError):
        killed.fit(say=die)
    again = Run(tmp_path)
    again.adapter, again.hooks = BitFit(), [Averaging(0.5)]
    assert again.fit().scores == result.scores and again.said[0].startswith("taken up")
    assert equal(again.weights(), whole.weights())


def test_a_model_without_biases_is_refused() -> None:
    model = nn.Module()
    model.encoder, model.head = nn.Linear(3, 3, bias=False), nn.Linear(3, 2)
    with pytest.raises(LeanformerError, match=r"this model has none\n  remedy"):
        BitFit().attach(model)
