"""Parts that a fit does not train keep every bit; afterwards all are thawed."""

from __future__ import annotations

from pathlib import Path

import torch

from leanformer.train.hooks.unfreezing import Unfrozen
from tests.making.trainings import Run


def test_only_the_parts_named_are_trained(tmp_path: Path) -> None:
    run = Run(tmp_path)
    parts = {"encoder": run.model.encoder, "head": run.model.head}
    hook = Unfrozen(parts, ["head"])
    assert hook.parameters == sum(p.numel() for p in run.model.head.parameters())
    run.hooks = [hook]
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    run.fit()
    for name, value in run.model.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith("encoder."), name
    assert all(p.requires_grad for p in run.model.parameters())
