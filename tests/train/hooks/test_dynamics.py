"""Training dynamics: all rows after every epoch, in eval mode, and a killed run goes on with what it has recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leanformer.metrics.probabilities import softmax
from leanformer.models.scoring import score_rows
from leanformer.train.hooks.dynamics import Dynamics
from tests.making.trainings import CPU, KilledError, Run, dying


def recorded(folder: Path) -> tuple[Run, Dynamics]:
    run = Run(folder)
    run.start_fresh()

    def probabilities() -> np.ndarray:
        assert not any(module.training for module in run.model.modules())
        return softmax(score_rows(run.model, run.data.rows, padding_id=0, device=CPU))

    hook = Dynamics(probabilities, run.data.labels)
    run.hooks = [hook]
    return run, hook


def test_each_epoch_is_recorded_with_the_weights_at_its_end(tmp_path: Path) -> None:
    run, hook = recorded(tmp_path)
    run.fit()
    assert hook.gold.shape == hook.errors.shape == hook.right.shape == (3, 120)
    labels, rows = run.data.labels, np.arange(120)
    for epoch, state in enumerate(run.states):  # the weights that were scored at its end
        run.model.load_state_dict(state)
        now = softmax(score_rows(run.model, run.data.rows, padding_id=0, device=CPU))
        np.testing.assert_allclose(hook.gold[epoch], now[rows, labels], atol=1e-6)
        np.testing.assert_allclose(hook.errors[epoch], np.linalg.norm(now - np.eye(3)[labels], axis=1), atol=1e-6)
        assert (hook.right[epoch] == (now.argmax(axis=1) == labels)).all()
    assert not np.allclose(hook.gold[0], hook.gold[2])


@pytest.mark.slow
@pytest.mark.parametrize("scores", [1, 2])
def test_a_killed_run_ends_with_the_same_records(scores: int, tmp_path: Path) -> None:
    whole, expected = recorded(tmp_path / "whole")
    whole.fit()
    killed, _ = recorded(tmp_path / "killed")
    with pytest.raises(KilledError):
        killed.fit(score=dying(scores, killed.score))
    again, hook = recorded(tmp_path / "killed")
    again.fit()
    assert any(line.startswith("taken up") for line in again.said)
    for name in ("gold", "errors", "right"):
        assert np.array_equal(getattr(hook, name), getattr(expected, name)), name


def test_before_an_epoch_there_are_no_records() -> None:
    hook = Dynamics(lambda: np.zeros((4, 2)), np.zeros(4, dtype=int))
    assert hook.gold.shape == hook.right.shape == (0, 4) and hook.state().tensors["errors"].shape == (0, 4)
