"""The power law is found again where errors follow it, and never goes below 0."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.metrics.power_law import fit_power_laws

SIZES = np.array([50.0, 100, 200, 400, 800])


@pytest.mark.parametrize(("limit", "factor", "exponent"), [(0.05, 2.0, 0.5), (0.0, 1.5, 0.35), (0.2, 3.0, 1.0)])
def test_what_made_the_errors_is_found(limit: float, factor: float, exponent: float) -> None:
    law = fit_power_laws(SIZES, (limit + factor * SIZES**-exponent)[None])
    assert (law.limit[0], law.factor[0], law.exponent[0]) == pytest.approx((limit, factor, exponent), abs=1e-6)
    assert law.at(5000)[0] == pytest.approx(limit + factor * 5000**-exponent)


def test_several_at_a_time_are_as_each_alone() -> None:
    errors = np.random.default_rng(1).uniform(0.1, 0.2, (6, 5)) + 2 * SIZES**-0.5
    together = fit_power_laws(SIZES, errors)
    for row, curve in enumerate(errors):
        alone = fit_power_laws(SIZES, curve[None])
        assert together.at(1000)[row] == pytest.approx(alone.at(1000)[0])


def test_no_fit_is_better() -> None:
    """Against a fine search over all three parameters, of the deviations that are to be least."""
    errors = np.array([0.31, 0.24, 0.2, 0.155, 0.14])
    law = fit_power_laws(SIZES, errors[None])

    def deviation(limit: float, factor: float, exponent: float) -> float:
        return float((((limit + factor * SIZES**-exponent - errors) / errors) ** 2).sum())

    best = min(
        deviation(limit, factor, exponent)
        for limit in np.linspace(0, 0.14, 29)
        for factor in np.linspace(0.3, 6, 58)
        for exponent in np.linspace(0.05, 1.5, 59)
    )
    assert deviation(law.limit[0], law.factor[0], law.exponent[0]) <= best


def test_errors_that_grow_or_bend_below_zero_stay_within_bounds() -> None:
    grown = fit_power_laws(SIZES, np.linspace(0.1, 0.3, 5)[None])
    assert grown.factor[0] == 0 and 0.1 < grown.at(10**6)[0] < 0.3
    steep = fit_power_laws(SIZES, np.array([[0.5, 0.4, 0.25, 0.1, 0.01]]))
    assert steep.limit[0] == 0 and steep.at(10**6)[0] >= 0
    assert np.isfinite(fit_power_laws(SIZES, np.zeros((1, 5))).at(100)).all()


def test_two_sizes_are_too_few() -> None:
    with pytest.raises(ValueError, match="three sizes"):
        fit_power_laws(np.array([1.0, 2, 2]), np.ones((1, 3)))
