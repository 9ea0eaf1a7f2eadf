"""AdamW whose two moments are kept in eight bits each: a quarter of the memory of its states.

Dettmers, Lewis, Shleifer and Zettlemoyer 2022 (arXiv 2110.02861). A moment is quantised in blocks of `BLOCK` entries,
each divided by its largest, to 256 values that are dense near zero: seven decades, of which each has twice as many
values as the one below (the dynamic map). In a step a moment is taken back to fp32, updated and quantised again, some
entries at a time. Second moments above zero are not rounded to zero, as their root divides (Li, Chen and Zhu 2023,
arXiv 2309.01507). Parameters with few entries keep moments in fp32, as in the authors' library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCK = 256  # entries with one scale
LEAST = 4096  # entries from which on a parameter has moments of eight bits
_DECADES = 7
_AT_ONCE = 512 * BLOCK  # entries that are in fp32 at a time
# The value is looked up by the leading bits of the fp32 number: its exponent, nine or ten bits of the mantissa and,
# where there are negative ones, the sign. `torch.bucketize` takes a hundred times as long.
_LEFT_AWAY = {True: 14, False: 13}


@cache
def dynamic_map(signed: bool) -> Tensor:
    """The 256 values, from -1 or 0 to 1, that a quantised entry may have: fp32, ascending."""
    values = [0.0, 1.0]
    for decade in range(_DECADES):
        edges = torch.linspace(0.1, 1, 2 ** (decade + (not signed)) + 1, dtype=torch.float64)
        middles = 10.0 ** (decade - _DECADES + 1) * (edges[:-1] + edges[1:]) / 2
        values += [*middles.tolist(), *((-middles).tolist() if signed else ())]
    return torch.tensor(sorted(values), dtype=torch.float32)


@cache
def _codes(signed: bool) -> Tensor:
    """The index in the map, uint8, of the value nearest to the middle of all numbers with the same leading bits."""
    shift, known = _LEFT_AWAY[signed], dynamic_map(signed)
    bits = (torch.arange(1 << (31 - shift)) << shift) + (1 << (shift - 1))
    numbers = bits.to(torch.int32).view(torch.float32).nan_to_num(1.0, 1.0)
    numbers = torch.cat([-numbers, numbers]) if signed else numbers
    codes = torch.bucketize(numbers, (known[1:] + known[:-1]) / 2)
    if not signed:
        codes[1:].clamp_min_(1)
    return codes.to(torch.uint8)


def quantised(values: Tensor, signed: bool) -> tuple[Tensor, Tensor]:
    """Entries `[n]`, fp32, as indices in the dynamic map, uint8 `[n]`, with a scale per block, fp32 `[n / BLOCK]`.

    An entry takes the nearest value; of two that are equally near up to a thousandth of the entry, either.
    """
    blocks = functional.pad(values, (0, -len(values) % BLOCK)).view(-1, BLOCK)
    scales = blocks.abs().amax(dim=1)
    shares = blocks / scales.clamp_min(torch.finfo(torch.float32).tiny)[:, None]
    places = shares.view(torch.int32) >> _LEFT_AWAY[signed]
    if signed:  # the sign, shifted down, makes the place of a negative number negative
        places += 1 << (31 - _LEFT_AWAY[True])
    else:  # the processor may give a NaN a sign
        places &= (1 << (31 - _LEFT_AWAY[False])) - 1
    return _codes(signed).to(values.device).index_select(0, places.view(-1))[: len(values)], scales


def restored(codes: Tensor, scales: Tensor, signed: bool) -> Tensor:
    """The entries that `quantised` gave the codes and scales of, fp32 `[n]`."""
    values = dynamic_map(signed).to(codes.device).index_select(0, codes.to(torch.int32))
    whole = functional.pad(values, (0, -len(values) % BLOCK)).view(-1, BLOCK) * scales[:, None]
    return whole.view(-1)[: len(codes)]


class AdamW8bit(torch.optim.Optimizer):
    """AdamW with decoupled weight decay; a step differs from `torch.optim.AdamW` by the rounding of the moments.

    Args:
        params, lr: as of other optimisers; a group may have its own `weight_decay`.
    """

    def __init__(
        self, params: Iterable[Any], lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update the parameters that have a gradient. `closure` is not called."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, self.state[parameter] or self._started(parameter), group)

    def _started(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        """The states before the first step: all moments zero."""
        state = self.state[parameter]
        state["step"] = torch.zeros((), dtype=torch.float32)
        count, eight = parameter.numel(), parameter.numel() >= LEAST
        for name in ("exp_avg", "exp_avg_sq"):
            zero = int((dynamic_map(name == "exp_avg") == 0).nonzero()) if eight else 0
            kind = torch.uint8 if eight else torch.float32
            state[name] = torch.full((count,), zero, dtype=kind, device=parameter.device)
            if eight:
                state[f"{name}_scale"] = torch.zeros(-(-count // BLOCK), device=parameter.device)
        return state

    def _update(self, parameter: nn.Parameter, state: dict[str, Tensor], group: dict[str, Any]) -> None:
        state["step"] += 1
        steps, (first, second) = int(state["step"]), group["betas"]
        weights, gradient = parameter.view(-1), parameter.grad.reshape(-1).float()  # type: ignore[union-attr]
        root = (1 - second**steps) ** 0.5
        for start in range(0, len(weights), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            mean, square = (self._moment(state, name, part) for name in ("exp_avg", "exp_avg_sq"))
            mean.lerp_(gradient[part], 1 - first)
            square.mul_(second).addcmul_(gradient[part], gradient[part], value=1 - second)
            weights[part].mul_(1 - group["lr"] * group["weight_decay"])
            divisor = (square.sqrt() / root).add_(group["eps"])
            weights[part].addcdiv_(mean, divisor, value=-group["lr"] / (1 - first**steps))
            self._keep(state, "exp_avg", part, mean)
            self._keep(state, "exp_avg_sq", part, square)

    @staticmethod
    def _moment(state: dict[str, Tensor], name: str, part: slice) -> Tensor:
        """A moment's entries in fp32; those that are kept so are updated in place."""
        if state[name].dtype != torch.uint8:
            return state[name][part]
        return restored(state[name][part], state[f"{name}_scale"][_blocks(part)], name == "exp_avg")

    @staticmethod
    def _keep(state: dict[str, Tensor], name: str, part: slice, moment: Tensor) -> None:
        if state[name].dtype == torch.uint8:
            codes, scales = quantised(moment, name == "exp_avg")
            state[name][part], state[f"{name}_scale"][_blocks(part)] = codes, scales

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; the moments stay as they are kept, in eight bits."""
        # The base class would cast every state to the type of its parameter.
        super().load_state_dict({**state_dict, "state": {}})
        numbered = dict(enumerate(p for group in self.param_groups for p in group["params"]))
        for number, state in state_dict["state"].items():
            parameter = numbered[number]
            self.state[parameter] = {
                name: value if name == "step" else value.to(parameter.device) for name, value in state.items()
            }


def state_bytes(parameters: Iterable[Tensor]) -> int:
    """The bytes of the moments of these parameters."""
    sizes = [parameter.numel() for parameter in parameters]
    return sum(2 * (size + 4 * -(-size // BLOCK) if size >= LEAST else 4 * size) for size in sizes)


def _blocks(part: slice) -> slice:
    return slice(part.start // BLOCK, part.stop // BLOCK)
