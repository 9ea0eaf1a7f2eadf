"""Scaling laws: the papers' own figures, optima against a search, and what they have in common."""

from __future__ import annotations

import math

import numpy as np
import pytest

from leanformer.scaling import INFERENCE_FLOPS, LAWS, TRAINING_FLOPS, ScalingLaw, Size, cheapest

HOFFMANN, BESIROGLU, KAPLAN = LAWS


def test_compute_is_what_the_papers_count():
    """Chinchilla: 70 thousand million parameters on 1.4 million million tokens."""
    assert Size(70e9, 1.4e12).training_flops == pytest.approx(5.88e23)


def test_what_the_papers_say():
    """Hoffmann et al. advise 40e9 parameters at Gopher's budget; their constants as published, rounded, 32e9."""
    assert HOFFMANN.optimal(5.76e23).parameters == pytest.approx(32.2e9, rel=0.01)
    # Besiroglu et al.: about 20 tokens per parameter, as Chinchilla had.
    chinchilla = BESIROGLU.optimal(5.76e23)
    assert 18 < chinchilla.tokens / chinchilla.parameters < 26
    assert KAPLAN.optimal(8.64e19).parameters == pytest.approx(1.3e9)
    # Kaplan et al., equations 1.1 and 1.2: what is left where only one of the two limits.
    assert KAPLAN.loss(Size(1.5e9, 1e40)) == pytest.approx((6.4e13 / 1.5e9) ** 0.076)
    assert KAPLAN.loss(Size(1e40, 22e9)) == pytest.approx((1.8e13 / 22e9) ** 0.103)


@pytest.mark.parametrize("law", LAWS[:2], ids=lambda law: law.name)
@pytest.mark.parametrize("flops", [1e15, 1e19, 1e23])
def test_the_optimum_is_the_best_split_of_a_budget(law: ScalingLaw, flops: float):
    found = law.optimal(flops)
    assert found.training_flops == pytest.approx(flops)
    sizes = [Size(n, flops / TRAINING_FLOPS / n) for n in found.parameters * np.geomspace(0.01, 100, 2001)]
    assert min(map(law.loss, sizes)) == pytest.approx(law.loss(found), rel=1e-9)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_tokens_are_the_loss_backwards(law: ScalingLaw):
    size = Size(2e8, 7e9)
    assert law.tokens(size.parameters, law.loss(size)) == pytest.approx(size.tokens)
    assert law.tokens(1e5, 2.0) == math.inf
    assert law.loss(Size(3e8, 7e9)) < law.loss(size) > law.loss(Size(2e8, 9e9))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
@pytest.mark.parametrize("answered", [0.0, 1e9, 1e12])
def test_inference_prefers_smaller_models_on_more_tokens(law: ScalingLaw, answered: float):
    loss = law.loss(law.optimal(1e20))
    found = cheapest(law, loss, answered)
    assert law.loss(found) == pytest.approx(loss)

    def cost(size: Size) -> float:
        return size.training_flops + INFERENCE_FLOPS * size.parameters * answered

    others = [Size(n, law.tokens(n, loss)) for n in found.parameters * np.geomspace(0.05, 20, 2001)]
    assert min(map(cost, others)) == pytest.approx(cost(found), rel=1e-6)
    if answered:
        without = cheapest(law, loss, 0.0)
        assert found.parameters < without.parameters and found.tokens > without.tokens
    elif law is not KAPLAN:  # without inference, a budget's optimum is the cheapest way to its loss
        assert found.parameters == pytest.approx(law.optimal(1e20).parameters, rel=1e-3)


def test_a_loss_that_no_model_reaches_is_told():
    with pytest.raises(ValueError, match="no model reaches this loss"):
        cheapest(HOFFMANN, 1.5, 1e9)
