"""Tensors that a hook trains itself, so that they take no part in the clipping of the model's gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.train.hooks.hook import HookState, Run


class Apart:
    """Adam for the tensors of a hook, at a peak rate of their own that follows the schedule of the run.

    The tensors are no parameters of the model: neither its optimiser nor its weight decay sees them.
    """

    def __init__(self, rate: float) -> None:
        self.rate, self.tensors = rate, list[Tensor]()
        self._optimizer: torch.optim.Adam | None = None

    def add(self, value: Tensor) -> Tensor:
        """A tensor with this first value, that is trained from now on."""
        self.tensors.append(value.clone().requires_grad_(True))
        return self.tensors[-1]

    def step(self, run: Run) -> None:
        """One step of Adam; tensors without a gradient stay."""
        assert run.optimizer is not None
        group = run.optimizer.param_groups[0]
        self._adam().param_groups[0]["lr"] = self.rate * group["lr"] / run.settings.learning_rate
        self._adam().step()
        self._adam().zero_grad()

    def _adam(self) -> torch.optim.Adam:
        self._optimizer = self._optimizer or torch.optim.Adam(self.tensors, lr=self.rate)
        return self._optimizer

    def state(self) -> HookState:
        """The tensors, and what Adam knows of them."""
        found = {f"{index}.value": tensor.detach() for index, tensor in enumerate(self.tensors)}
        for index, own in self._adam().state_dict()["state"].items():
            found |= {f"{index}.{name}": torch.as_tensor(part) for name, part in own.items()}
        return HookState(found, {})

    def load_state(self, state: HookState) -> None:
        """Restore both."""
        kept: dict[int, dict[str, Tensor]] = {}
        for key, tensor in state.tensors.items():
            index, _, name = key.partition(".")
            if name == "value":
                self.tensors[int(index)].data.copy_(tensor)
            else:
                kept.setdefault(int(index), {})[name] = tensor
        adam = self._adam()
        adam.load_state_dict({"state": kept, "param_groups": adam.state_dict()["param_groups"]})
