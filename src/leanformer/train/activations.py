"""How much memory a block's forward and backward pass takes, for any number of rows and tokens, from three small ones.

Everything that a pass allocates is constant in the block (a gradient of a weight), proportional to its tokens (an
activation), or to rows times tokens squared (attention probabilities). So three passes over small blocks, in which each
allocation and release is seen, tell the live bytes after each operation for a block of any shape; the peak is the
largest of these.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from leanformer.train.feeds.batches import Batch, TrainingSet, to_batches


class Live(TorchDispatchMode):
    """Follows the bytes of tensors that are made inside it: `line` has those alive after each operation.

    Args:
        known: tensors that do not count, such as weights; views of them do not either.
    """

    def __init__(self, known: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.line: list[int] = []
        self._now, self._known = 0, {tensor.untyped_storage()._cdata for tensor in known}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        self.line.append(self._now)
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        place, size = storage._cdata, storage.nbytes()
        if place not in self._known:
            self._known.add(place)
            self._now += size
            weakref.finalize(storage, self._gone, place, size)

    def _gone(self, place: int, size: int) -> None:
        self._known.discard(place)
        self._now -= size


@dataclass(frozen=True)
class Curve:
    """Live bytes in a pass by operation, `[operations, 3]`: constant, times tokens, times rows x tokens squared."""

    parts: np.ndarray

    def peak(self, rows: int, tokens: int) -> int:
        """The most bytes alive at once, for a block of `rows` rows of `tokens` tokens each."""
        return int((self.parts @ _terms(rows, tokens)).max())


def _terms(rows: int, tokens: int) -> np.ndarray:
    return np.array([1.0, rows * tokens, rows * tokens**2])


def fitted(shapes: Sequence[tuple[int, int]], lines: Sequence[Sequence[int]]) -> Curve:
    """The curve through what was seen of blocks of these shapes (rows, tokens)."""
    if len({len(line) for line in lines}) > 1:  # another order of operations for another shape: peaks alone
        lines = [[max(line)] for line in lines]
    terms = np.array([_terms(*shape) for shape in shapes])
    scale = terms.max(axis=0)  # of sizes that differ by orders of magnitude
    solved = np.linalg.lstsq(terms / scale, np.array(lines, dtype=np.float64), rcond=None)[0]
    return Curve((solved / scale[:, None]).T)


def small_blocks(data: TrainingSet, device: torch.device) -> list[Batch]:
    """Blocks of two or three short rows, of different shapes as far as the rows differ in length."""
    order = np.argsort(data.lengths, kind="stable")
    lengths = data.lengths[order]
    first = int(order[0])
    picked = [first]
    for factor in (1, 2):
        longer = np.flatnonzero(lengths > factor * max(8, data.lengths[picked[-1]]))
        picked.append(int(order[longer[0]] if len(longer) else order[-1]))
    one, two, three = picked
    groups = [[one, two], [one, one, two], [one, three]]
    return [next(to_batches(data, np.array(group), token_budget=10**9, device=device)) for group in groups]


def measured(
    modules: nn.Module, blocks: Sequence[Batch], loss_of: Callable[[Batch], Tensor]
) -> tuple[Curve, Curve, Curve]:
    """What a step's first block takes, with the gradients of the weights; each further one; and a forward pass alone.

    Args:
        modules: holds all parameters; they have no gradients afterwards. loss_of: the loss of a block.
    """
    lines: list[list[list[int]]] = [[], [], []]
    for block in blocks:
        modules.zero_grad(set_to_none=True)
        for part in (0, 1):
            with _following(modules, block) as live:
                loss_of(block).backward()
            lines[part].append(live.line)
        modules.zero_grad(set_to_none=True)
        with torch.no_grad(), _following(modules, block) as live:
            loss_of(block)
        lines[2].append(live.line)
    shapes = [(int(block.ids.shape[0]), int(block.ids.shape[1])) for block in blocks]
    first, further, forward = (fitted(shapes, of) for of in lines)
    return first, further, forward


@contextmanager
def _following(modules: nn.Module, block: Batch) -> Iterator[Live]:
    known = [*modules.parameters(), *modules.buffers(), block.ids, block.mask, block.labels, *block.extra.values()]
    known += [parameter.grad for parameter in modules.parameters() if parameter.grad is not None]
    with Live(known) as live:
        yield live
