"""FISH mask: the parameters with the largest Fisher information are trained (Sung et al. 2021, arXiv 2111.09839).

The information of a parameter is the mean over rows of its squared gradient at the start, with the rows' labels. The
mask stays the same throughout.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leanformer.errors import LeanformerError
from leanformer.train.adapters.adapter import Adapter
from leanformer.train.adapters.maps import HEAD
from leanformer.train.feeds.batches import TrainingSet, to_batches
from leanformer.train.hooks.hook import Hook, Run
from leanformer.train.objectives.objective import LabelLoss, Supervised
from leanformer.train.optimisers import Group


def fisher(model: nn.Module, data: TrainingSet, rows: int) -> dict[str, Tensor]:
    """Mean squared gradients of all parameters but the head's, of the first rows of `data` one by one, in eval mode."""
    training, objective, count = model.training, Supervised(LabelLoss("label")), min(rows, len(data))
    chosen = {name: parameter for name, parameter in model.named_parameters() if not name.startswith(HEAD)}
    found = {name: torch.zeros_like(parameter) for name, parameter in chosen.items()}
    model.eval()
    device = next(model.parameters()).device
    for row in torch.arange(count):
        for batch in to_batches(data, row[None].numpy(), token_budget=8192, device=device):
            gradients = torch.autograd.grad(objective(model, batch), list(chosen.values()), allow_unused=True)
            for total, gradient in zip(found.values(), gradients, strict=True):
                if gradient is not None:
                    total += gradient.square() / count
    model.train(training)
    return found


def largest(scores: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Masks of the parameters with the largest scores: this share of all."""
    flat = torch.cat([score.flatten() for score in scores.values()])
    mask = torch.zeros(len(flat), dtype=torch.bool)
    mask[flat.topk(round(share * len(flat))).indices] = True
    parts = mask.split([score.numel() for score in scores.values()])
    return {name: part.view_as(score) for (name, score), part in zip(scores.items(), parts, strict=True)}


class FishMask(Adapter, Hook):
    """Trains `share` of the parameters, chosen on the first `rows` of `data`, and the head.

    Raises `LeanformerError` for a share that is not above 0 and at most 1.
    """

    name = "fish_mask"

    def __init__(self, data: TrainingSet, share: float = 0.005, rows: int = 1024) -> None:
        if not 0 < share <= 1:
            raise LeanformerError(f"fish_mask: share is above 0 and at most 1, not {share}\n  remedy: share=0.005")
        self.data, self.share, self.rows = data, share, rows
        self.masks: dict[str, Tensor] = {}
        self._start: dict[str, Tensor] = {}
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def attach(self, model: nn.Module) -> None:
        """Choose the parameters, and hide the gradients of all others."""
        self.masks = largest(fisher(model, self.data, self.rows), self.share)
        for name, mask in self.masks.items():
            parameter = model.get_parameter(name)
            self._handles.append(parameter.register_hook(lambda gradient, mask=mask: gradient * mask))
            self._start[name] = parameter.detach().clone()

    def groups(self, model: nn.Module) -> list[Group]:
        return [Group(list(model.parameters()))]

    @torch.no_grad()
    def after_step(self, run: Run) -> None:
        """Undo weight decay where nothing is trained."""
        if run.settings.weight_decay:
            for name, mask in self.masks.items():
                parameter = run.model.get_parameter(name)
                parameter.copy_(torch.where(mask, parameter, self._start[name]))

    def merge(self, model: nn.Module) -> None:
        for handle in self._handles:
            handle.remove()

    def trained_parameters(self, model: nn.Module) -> int:
        head = sum(parameter.numel() for name, parameter in model.named_parameters() if name.startswith(HEAD))
        return head + sum(int(mask.sum()) for mask in self.masks.values())

    def task_bytes(self, model: nn.Module) -> int:
        """A value and its place for each parameter that is trained, and the head."""
        return 4 * (self.trained_parameters(model) + sum(int(mask.sum()) for mask in self.masks.values()))
