"""The network on hashed n-grams in PyTorch, and the same in whole numbers."""

from __future__ import annotations

import numpy as np
import torch

from leanformer.compress.ngrams.network import GROUPS, PADDING, HashedNet, OfProbabilities, ids_of
from leanformer.models.scoring import score_rows
from leanformer.tiny.rows import CharacterTokenizer
from leanformer.train.feeds.batches import Batch
from tests.making.ngrams import ODD_TEXTS
from tests.making.tiny import tiny_texts

TEXTS = [*tiny_texts(20, seed=4)[0], *(text for text in ODD_TEXTS if "\ud800" not in text)]


def net(seed: int = 0) -> HashedNet:
    torch.manual_seed(seed)
    return HashedNet(rows=40, width=4, units=8, outputs=3, dropout=0.0).eval()


def test_whole_numbers_compute_what_the_network_does():
    """Rows, sums and lengths are those of `tiny/model.py`; what differs is the rounding of the tables."""
    network = net()
    expected = score_rows(network, ids_of(TEXTS, 40), padding_id=PADDING, device=torch.device("cpu"))
    errors = {}
    for bits in (8, 16):
        found = network.in_whole_numbers(bits).logits(CharacterTokenizer().encode(TEXTS))
        errors[bits] = np.abs(found - expected).max()
    scale = np.abs(expected - expected.mean(axis=0)).max()
    assert scale > 0.1 and errors[16] < 1e-3 * scale and errors[16] < errors[8] < 0.05 * scale


def test_ids_ascend_by_group_and_a_text_without_words_has_the_padding():
    first, empty = ids_of(["rain and snow", "  "], 40)
    assert (np.diff((first - 1) // 40) >= 0).all() and set((first - 1) // 40) == set(range(len(GROUPS)))
    assert empty.tolist() == [PADDING]


def test_padding_changes_nothing():
    network, rows = net(), ids_of(["rain", "a much longer text about rain and snow", ""], 40)
    alone = [score_rows(network, [row], padding_id=PADDING, device=torch.device("cpu")) for row in rows]
    together = score_rows(network, rows, padding_id=PADDING, device=torch.device("cpu"))
    assert np.allclose(np.concatenate(alone), together, atol=1e-6)
    assert not np.allclose(alone[0], alone[2])


def test_the_loss_is_the_cross_entropy_of_the_rows_probabilities():
    network, probabilities = net(), np.array([[0.2, 0.8, 0.0], [1.0, 0.0, 0.0], [0.1, 0.1, 0.8]])
    rows = ids_of(["rain", "snow"], 40)
    width = max(map(len, rows))
    ids = torch.from_numpy(np.array([np.pad(row, (0, width - len(row))) for row in rows])).long()
    batch = Batch(ids, (ids != PADDING).long(), torch.zeros(2), np.array([2, 0]), 1.0)
    loss = OfProbabilities(probabilities)(network, batch)
    logs = torch.log_softmax(network(ids, batch.mask), dim=-1).detach().numpy()
    assert np.isclose(float(loss.detach()), -(probabilities[[2, 0]] * logs).sum(axis=1).mean(), atol=1e-6)
    loss.backward()
    assert network.table.grad is not None and float(network.table.grad[PADDING].abs().max()) == 0
