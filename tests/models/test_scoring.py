"""Logits of rows in batches are those of each row alone, in the order of the rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from leanformer.models.scoring import MOST_TOKENS, score_rows
from tests.making.tiny import tiny_classifier

CPU = torch.device("cpu")
ROWS = [np.arange(5, 5 + length, dtype=np.int64) for length in (9, 2, 6, 2, 12, 1)]


class Spy(nn.Module):
    """The sum of the ids and the number of tokens of each row, or the ids of each token; notes what it was given."""

    def __init__(self, per_token: bool = False) -> None:
        super().__init__()
        self.per_token, self.shapes = per_token, list[tuple[int, ...]]()

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor | None = None) -> Tensor:
        self.shapes.append(tuple(ids.shape))
        if self.per_token:
            return torch.stack([ids * mask, mask], dim=-1)
        assert types is None or types.shape == ids.shape
        return torch.stack([(ids * mask).sum(1), mask.sum(1)], dim=-1)


@pytest.mark.parametrize("batch_tokens", [None, 1, 13, 8192])
@pytest.mark.parametrize("pad_to", [None, 16])
def test_rows_come_back_in_their_order(batch_tokens: int | None, pad_to: int | None):
    spy = Spy()
    logits = score_rows(spy, ROWS, padding_id=7, device=CPU, batch_tokens=batch_tokens, pad_to=pad_to)
    assert logits.tolist() == [[row.sum(), len(row)] for row in ROWS] and logits.dtype == np.float32
    assert all(count == 1 or count * width <= (batch_tokens or 1) for count, width in spy.shapes)
    assert pad_to is None or {width for _, width in spy.shapes} == {16}
    assert len(spy.shapes) == (len(ROWS) if batch_tokens in (None, 1) else len(spy.shapes))
    assert score_rows(spy, [], padding_id=0, device=CPU).shape == (0, 0)


def test_logits_of_tokens_stand_row_after_row():
    values = score_rows(Spy(per_token=True), ROWS, padding_id=7, device=CPU, batch_tokens=14)
    assert values.tolist() == [[number, 1] for row in ROWS for number in row]


def test_a_training_that_is_short_of_memory_lowers_the_most_tokens():
    spy = Spy()
    token = MOST_TOKENS.set(12)
    try:
        score_rows(spy, ROWS, padding_id=0, device=CPU, batch_tokens=8192)
    finally:
        MOST_TOKENS.reset(token)
    assert max(count * width for count, width in spy.shapes) <= 12


def test_pairs_have_their_token_types():
    rows = [np.stack([row, row % 2], axis=1) for row in ROWS]
    model = tiny_classifier()
    together = score_rows(model, rows, padding_id=0, device=CPU)
    alone = np.concatenate([score_rows(model, [row], padding_id=0, device=CPU) for row in rows])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    plain = score_rows(model, ROWS, padding_id=0, device=CPU)
    assert np.abs(together - plain).max() > 1e-3, "types matter"
