"""Examples to batches: rows of similar length go together, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from leanformer.batching import pad_block
from leanformer.models.scoring import to_tensors
from leanformer.tagging.ragged import is_ragged

# The label of a token that is no word's first piece: it has no answer, and none is asked for.
NOT_ASKED = -2


@dataclass(frozen=True)
class Batch:
    """One padded block for one forward and backward pass.

    Attributes:
        ids, mask: `[B, S]`, int64.
        labels: `[B]`, int64, -1 where a row has no label; where any number of labels may apply `[B, labels]`, 0 or 1;
            for scores `[B]`, float32, not-a-number where a row has none; for tags `[B, S]`, `NOT_ASKED` on all tokens
            but words' first pieces, and there -1 where the tag is not known.
        rows: `[B]`, the rows' indices in the training set, by which cached teacher outputs are found.
        share: this block's part of the optimiser step's rows; the shares of a step sum to 1.
        types: token types of pairs of texts, `[B, S]`, int64; None for single texts.
        goes_on: see `TrainingSet`; `[B]`, boolean.
    """

    ids: Tensor
    mask: Tensor
    labels: Tensor
    rows: np.ndarray
    share: float
    types: Tensor | None = None
    goes_on: Tensor | None = None


@dataclass(frozen=True)
class TrainingSet:
    """Tokenized training rows.

    Attributes:
        rows: one int32 array of token ids per text, of ids and token types per pair (see `Tokenizer.encode`).
        labels: as `train.targets.labels_of` gives them, one row per text.
        padding_id: fills up short rows.
        groups: the number of each row's group (language), by which rows may be sampled; None where there are none.
        goes_on: whether each row is a window of a sentence that began in an earlier one; None where none is known to.
    """

    rows: Sequence[np.ndarray]
    labels: np.ndarray
    padding_id: int
    groups: np.ndarray | None = None
    goes_on: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)


def _labels(labels: np.ndarray, width: int) -> np.ndarray:
    """The labels of a block's rows; those of tokens filled up to its width."""
    if not is_ragged(labels):
        return labels
    block = np.full((len(labels), width), NOT_ASKED, dtype=np.int64)
    for index, row in enumerate(labels):
        block[index, : len(row)] = row
    return block


def epoch_steps(
    data: TrainingSet, *, batch_size: int, seed: int, epoch: int, temperature: float = 1.0
) -> list[np.ndarray]:
    """The row indices of each optimiser step of one epoch, in order; every row exactly once.

    With a `temperature` other than 1 and groups, as many rows are drawn by `drawn_by_group`.

    Rows are shuffled, cut into pools of 50 steps, sorted by length within a pool and cut into steps, whose order
    is shuffled again. Which rows meet depends on chance as well as on length, and differs between epochs. The
    result depends on nothing but the arguments.
    """
    generator = np.random.default_rng([seed, epoch])
    if data.groups is None or temperature == 1:
        order = generator.permutation(len(data))
    else:
        order = drawn_by_group(data.groups, temperature, generator)
    lengths = np.array([len(row) for row in data.rows])
    steps: list[np.ndarray] = []
    pool_size = 50 * batch_size
    for start in range(0, len(order), pool_size):
        pool = order[start : start + pool_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        steps.extend(pool[i : i + batch_size] for i in range(0, len(pool), batch_size))
    return [steps[i] for i in generator.permutation(len(steps))]


def drawn_by_group(groups: np.ndarray, temperature: float, generator: np.random.Generator) -> np.ndarray:
    """As many rows as there are, shuffled, each group with a share proportional to size^(1 / temperature).

    1 keeps the shares, larger ones even them out (Arivazhagan et al. 2019, arXiv 1907.05019). A group that is to give
    more rows than it has gives all of them as often as it must and a random part of them once more; remainders of the
    shares go to the largest ones.
    """
    sizes = np.bincount(groups)
    shares = np.where(sizes > 0, np.maximum(sizes, 1) ** (1 / temperature), 0.0)
    exact = len(groups) * shares / shares.sum()
    wanted = np.floor(exact).astype(np.int64)
    wanted[np.argsort(wanted - exact, kind="stable")[: len(groups) - int(wanted.sum())]] += 1
    drawn = []
    for group in np.flatnonzero(sizes):
        own = np.flatnonzero(groups == group)
        times, rest = divmod(int(wanted[group]), len(own))
        drawn += [own] * times + [generator.permutation(own)[:rest]]
    return generator.permutation(np.concatenate(drawn))


def to_batches(data: TrainingSet, indices: np.ndarray, *, token_budget: int, device: torch.device) -> Iterator[Batch]:
    """The blocks of one optimiser step: one, or several when padded rows would exceed `token_budget` tokens.

    The loop accumulates the gradients of the blocks by their shares, so the split changes memory, not the result.
    """
    by_length = indices[np.argsort([len(data.rows[i]) for i in indices], kind="stable")]
    start = 0
    while start < len(by_length):
        end = start + 1
        while end < len(by_length) and (end + 1 - start) * len(data.rows[by_length[end]]) <= token_budget:
            end += 1
        block = by_length[start:end]
        ids, mask, types = to_tensors(pad_block([data.rows[i] for i in block], padding_id=data.padding_id), device)
        yield Batch(
            ids=ids,
            mask=mask,
            types=types,
            labels=torch.from_numpy(_labels(data.labels[block], ids.shape[1])).to(device),
            rows=block,
            share=len(block) / len(indices),
            goes_on=None if data.goes_on is None else torch.from_numpy(data.goes_on[block]).to(device),
        )
        start = end
