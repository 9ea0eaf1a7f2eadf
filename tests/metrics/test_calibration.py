"""Calibration error worked by hand, and a temperature that is known."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.metrics.calibration import calibration_error, fit_temperature, log_loss, scaled_probabilities


def test_the_error_by_hand():
    """Two bins of ten hold rows: confidences 0.95, 0.95 (one right) and 0.65, 0.65, 0.65 (all right)."""
    confidence = np.array([0.95, 0.95, 0.65, 0.65, 0.65])
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    labels = np.array([0, 1, 0, 0, 0])
    expected = 2 / 5 * abs(0.95 - 0.5) + 3 / 5 * abs(0.65 - 1)
    assert calibration_error(probabilities, labels, bins=10) == pytest.approx(expected)


def test_confidence_that_is_always_right_has_no_error():
    assert calibration_error(np.eye(3)[[0, 1, 2]], np.array([0, 1, 2])) == 0
    assert calibration_error(np.eye(3)[[0, 1, 2]], np.array([1, 2, 0])) == 1


def drawn(temperature: float, n: int = 5_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are too sure by the factor `temperature`, with labels drawn from the true probabilities."""
    generator = np.random.default_rng(3)
    true = generator.normal(size=(n, 4)) * 2
    shares = scaled_probabilities(true).cumsum(axis=1)
    labels = (generator.random((n, 1)) > shares).sum(axis=1).clip(0, 3)
    return true * temperature, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found_and_mends(temperature: float):
    logits, labels = drawn(temperature)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.08)
    grid = np.exp(np.linspace(np.log(0.2), np.log(5), 60))
    assert log_loss(logits, labels, found) <= min(log_loss(logits, labels, float(t)) for t in grid) + 1e-9
    after = calibration_error(scaled_probabilities(logits, found), labels)
    assert after < 0.03
    if temperature != 1:
        assert calibration_error(scaled_probabilities(logits), labels) > 2 * after


def test_log_loss_by_hand():
    logits = np.log(np.array([[0.7, 0.3], [0.2, 0.8]]))
    assert log_loss(logits, np.array([0, 0])) == pytest.approx(-(np.log(0.7) + np.log(0.2)) / 2)
