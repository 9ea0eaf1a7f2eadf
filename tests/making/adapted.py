"""Models with adapters: what they compute, and parameters that all matter."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from leanformer.models.classifier import Classifier
from leanformer.train.adapters.adapter import Adapter
from leanformer.train.hooks.hook import Run
from leanformer.train.progress import Progress
from leanformer.train.settings import FitSettings
from tests.making.tiny import tiny_classifier

IDS = torch.arange(1, 25).reshape(3, 8)
MASK = torch.arange(8) < torch.tensor([[8], [5], [7]])


@torch.no_grad()
def logits(model: nn.Module) -> Tensor:
    """Of texts of several lengths."""
    found: Tensor = model.eval()(IDS, MASK)
    return found


def attached(adapter: Adapter) -> Classifier:
    """The same model every time, with the adapter."""
    model = tiny_classifier()
    torch.manual_seed(2)
    adapter.attach(model)
    return model


@torch.no_grad()
def redrawn(adapter: Adapter, model: nn.Module, *, head: bool = False, seed: int = 3) -> None:
    """Add noise to everything that is trained, the head only if asked."""
    generator, heads = torch.Generator().manual_seed(seed), {id(p) for p in model.head.parameters()}  # type: ignore[operator]
    for group in adapter.groups(model):
        for parameter in group.parameters:
            if head or id(parameter) not in heads:
                parameter += 0.2 * torch.randn(parameter.shape, generator=generator)


def base() -> Tensor:
    """The logits of the model without an adapter."""
    return logits(tiny_classifier())


def parameters(adapter: Adapter) -> int:
    """How many are trained, without the head."""
    model = attached(adapter)
    return adapter.trained_parameters(model) - sum(parameter.numel() for parameter in model.head.parameters())


def at_step(model: nn.Module, step: int, total: int = 100, **settings: float) -> Run:
    """A run of one epoch, as a hook sees it when `step` steps are done."""
    progress = Progress("")
    progress.step = step
    return Run(model, nn.ModuleDict(), replace(FitSettings(epochs=1), **settings), progress, total)  # type: ignore[arg-type]
