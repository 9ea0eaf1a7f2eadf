"""Losses weighed by learnt uncertainties: the sum, its gradients, what it settles at, what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from leanformer.errors import LeanformerError
from leanformer.models.classifier import Classifier
from leanformer.train.feeds.batches import Batch
from leanformer.train.objectives.objective import LabelLoss, Sum, Supervised
from leanformer.train.objectives.uncertainty import RATE, Uncertainty, UncertaintyWeighted
from tests.making.trainings import SETTINGS, Run, equal


class Two(Sum):
    """Cross-entropy, the same ten times as large, and a loss without a weight."""

    weighed = ("small", "large")

    def parts(self, model: Classifier, batch: Batch) -> dict[str, Tensor]:
        loss = torch.nn.functional.cross_entropy(model(batch.ids, batch.mask), batch.labels)
        return {"small": loss, "large": 10 * loss, "none": 0 * loss}


class Constant(Sum):
    weighed = ("two", "eight")

    def parts(self, model: Any, batch: Any) -> dict[str, Tensor]:
        return {"two": torch.tensor(2.0), "eight": torch.tensor(8.0)}


def test_a_sum_is_of_its_parts_in_their_order() -> None:
    assert float(Constant()(None, None)) == 10


def test_at_the_start_it_is_the_plain_sum() -> None:
    assert float(UncertaintyWeighted(Constant())(None, None).detach()) == 10


def test_a_variance_settles_at_twice_its_loss() -> None:
    """exp(-s) L + s / 2 is least where exp(s) = 2 L."""
    objective = UncertaintyWeighted(Constant())
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.05)
    for _ in range(600):
        optimizer.zero_grad()
        objective(None, None).backward()  # type: ignore[arg-type]
        optimizer.step()
    torch.testing.assert_close(objective.log_variances.detach().exp(), torch.tensor([4.0, 16.0]), rtol=1e-2, atol=0.0)


def test_it_is_trained_at_a_rate_of_its_own_and_outlives_a_kill(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.objective = Uncertainty(True).around(Two())
    own = [group for group in run.objective.groups() if group.rate == RATE]
    assert [len(group.parameters) for group in own] == [1]
    run.fit()
    assert isinstance(run.objective, UncertaintyWeighted)
    small, large = run.objective.log_variances.tolist()
    assert small != 0 and large > small
    again = Run(tmp_path)
    again.objective = Uncertainty(True).around(Two())
    again.fit()
    assert again.said == ["taken up at epoch 4, step 0"] and equal(again.weights(), run.weights())


def test_its_rate_is_its_own_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`RATE` times the share of the peak that the schedule has come to, whatever the model's own rate."""
    rates: list[tuple[float, float]] = []
    right = torch.optim.AdamW.step

    def step(self: torch.optim.AdamW, *args: Any) -> Any:
        groups = {id(parameter): group["lr"] for group in self.param_groups for parameter in group["params"]}
        own = groups[id(run.objective.get_parameter("log_variances"))]
        rates.append((self.param_groups[0]["lr"], own))
        return right(self, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    run = Run(tmp_path, replace(SETTINGS, epochs=1))
    run.objective = Uncertainty(True).around(Two())
    run.fit()
    assert max(own for _, own in rates) == pytest.approx(RATE)
    assert [own / RATE for _, own in rates] == pytest.approx([model / SETTINGS.learning_rate for model, _ in rates])


def test_one_loss_alone_is_refused() -> None:
    with pytest.raises(LeanformerError, match=r"several losses against each other, and here there is one\n  remedy"):
        Uncertainty(True).around(Supervised(LabelLoss("label")))


@pytest.mark.parametrize("value", [False, 1, "yes"])
def test_another_value_is_refused(value: Any) -> None:
    with pytest.raises(LeanformerError, match="uncertainty is true or left out"):
        Uncertainty(value)
