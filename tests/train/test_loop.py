"""The training loop: it learns, keeps the best weights, and trains at the rates and precision it was told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from leanformer.errors import LeanformerError
from leanformer.train.precision import autocast, resolve
from leanformer.train.schedules import rate
from leanformer.train.settings import FitSettings
from tests.making.trainings import CPU, SETTINGS, Run, equal

LEARNING = replace(SETTINGS, epochs=12, precision="fp32", checkpoint_seconds=1e9)


def test_it_learns(tmp_path: Path) -> None:
    run = Run(tmp_path, LEARNING)
    run.start_fresh()
    run.model.eval()
    before = run.score()
    result = run.fit()
    losses = [float(line.split("loss ")[1].split()[0]) for line in run.said if "loss" in line]
    assert before < 0.6 and result.scores[result.best_epoch] == max(result.scores) >= 0.9
    assert len(losses) == 96 and np.mean(losses[-8:]) < 0.3 * np.mean(losses[:8])
    assert result.seconds > 0


def test_the_best_weights_on_dev_come_back(tmp_path: Path) -> None:
    run = Run(tmp_path)
    values = iter([0.5, 0.9, 0.9])

    def score() -> float:
        run.score()
        return next(values)

    result = run.fit(score=score)
    assert result.scores == (0.5, 0.9, 0.9) and result.best_epoch == 1  # the first of equals
    assert not run.model.training
    assert equal(run.model.state_dict(), run.states[1])
    assert not equal(run.states[1], run.states[2])


def test_dropout_acts_in_every_step_and_in_no_score(tmp_path: Path) -> None:
    run = Run(tmp_path)  # its model has dropout; `Run.score` refuses a model in training mode
    modes: list[bool] = []
    run.objective.register_forward_pre_hook(
        lambda module, inputs: modes.append(all(part.training for part in (*run.model.modules(), run.objective)))
    )
    run.fit()
    assert len(modes) >= 24 and all(modes)
    assert len(run.states) == 3


def test_a_finished_run_that_is_taken_up_ends_in_eval_mode(tmp_path: Path) -> None:
    """Nothing is scored then, which would put the model into it."""
    Run(tmp_path).fit()
    again = Run(tmp_path)
    again.model.train()
    again.fit()
    assert again.states == [] and not any(module.training for module in again.model.modules())


def test_every_epoch_sees_every_row_in_an_order_of_its_own(tmp_path: Path) -> None:
    run = Run(tmp_path)
    seen: list[int] = []
    run.objective.register_forward_pre_hook(lambda module, inputs: seen.extend(int(row) for row in inputs[1].rows))
    run.fit()
    epochs = [seen[start : start + 120] for start in (0, 120, 240)]
    assert len(seen) == 360 and all(sorted(epoch) == list(range(120)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_a_loss_that_is_not_a_number_ends_the_run(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with torch.no_grad():
        run.model.head.classifier.bias.fill_(float("nan"))
    with pytest.raises(LeanformerError, match=r"the loss became nan in epoch 1, step 1\n  remedy"):
        run.fit()


def test_the_rate_rises_and_falls() -> None:
    settings = FitSettings(learning_rate=1.0, warmup=0.1)
    rates = [rate(step, 100, settings) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[9] == rates[10] == max(rates) == 1.0
    assert rates[10:] == pytest.approx([(100 - step) / 90 for step in range(10, 100)])
    assert rates[99] == pytest.approx(1 / 90)
    assert rate(0, 1, settings) == 1.0
    assert rate(0, 100, replace(settings, warmup=0.0)) == 1.0


def test_the_optimizer_is_given_these_rates_and_decays_matrices_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[list[float]] = []
    right = torch.optim.AdamW.step

    def step(self: torch.optim.AdamW, *args: Any) -> Any:
        assert [group["weight_decay"] for group in self.param_groups] == [0.01, 0.0]
        assert {param.ndim for param in self.param_groups[0]["params"]} == {2}
        assert {param.ndim for param in self.param_groups[1]["params"]} == {1}
        rates.append([group["lr"] for group in self.param_groups])
        return right(self, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    run = Run(tmp_path)
    run.fit()
    assert rates == [[rate(i, 24, SETTINGS)] * 2 for i in range(24)]


def test_the_gradient_is_clipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    norms: list[float] = []
    right = torch.optim.AdamW.step

    def step(self: torch.optim.AdamW, *args: Any) -> Any:
        grads = [param.grad for group in self.param_groups for param in group["params"] if param.grad is not None]
        norms.append(float(torch.stack([grad.norm() for grad in grads]).norm()))
        return right(self, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    Run(tmp_path, replace(SETTINGS, epochs=1, clip=0.01)).fit()
    assert len(norms) == 8 and max(norms) == pytest.approx(0.01, rel=1e-3)


def test_bf16_if_forced(tmp_path: Path) -> None:
    run = Run(tmp_path, replace(LEARNING, precision="bf16"))
    run.start_fresh()
    dtypes = set()
    run.model.head.classifier.register_forward_hook(lambda module, inputs, output: dtypes.add(output.dtype))
    result = run.fit()
    assert torch.bfloat16 in dtypes
    assert {parameter.dtype for parameter in run.model.parameters()} == {torch.float32}
    assert max(result.scores) >= 0.9


def test_precision_is_resolved() -> None:
    assert resolve("fp32", CPU) == "fp32" and resolve("bf16", CPU) == "bf16"
    assert resolve("auto", CPU) in ("fp32", "bf16")
    with pytest.raises(ValueError, match="unknown precision 'fp16'"):
        resolve("fp16", CPU)
    product = torch.ones(2, 2)
    with autocast("bf16", CPU):
        assert (product @ product).dtype == torch.bfloat16
    with autocast("fp32", CPU):
        assert (product @ product).dtype == torch.float32
