"""Token pruning: the score, who stays, and that a removed token is as good as one that nobody sees."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from leanformer.errors import LeanformerError
from leanformer.models.token_pruning import attention_received, kept_tokens, pruned_states
from leanformer.shapes.encoder import LayerShape, RelativeBias
from tests.making.tiny import VOCABULARY, tiny_classifier, tiny_config

CONFIG = tiny_config(layers=(LayerShape(4, 48), LayerShape(3, 40), LayerShape(4, 32)))


def some_rows() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    lengths = torch.tensor([24, 9, 3, 1])
    ids = torch.randint(5, len(VOCABULARY), (4, 24), generator=generator)
    mask = torch.arange(24) < lengths[:, None]
    return ids.masked_fill(~mask, 0), mask


def test_the_score_is_what_others_give():
    one = torch.tensor([[0.5, 0.25, 0.25, 0.0], [0.125, 0.75, 0.125, 0.0], [0.5, 0.0, 0.5, 0.0], [0.9, 0.1, 0.0, 0.0]])
    two = torch.tensor([[0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    mask = torch.tensor([[True, True, True, False]])
    found = attention_received(torch.stack([one, two])[None], mask)
    # Without what a token gives itself, and without the padding's row.
    assert torch.allclose(found, torch.tensor([[(0.125 + 0.5) / 2, (0.25 + 2) / 2, (0.25 + 0.125) / 2, 0.0]]))


def test_the_best_go_on_and_those_that_stay():
    scores = torch.tensor([[0.0, 3.0, 1.0, 1.0, 9.0], [0.0, 2.0, 0.0, 0.0, 0.0]])
    mask = torch.tensor([[True] * 4 + [False], [True, True, False, False, False]])
    stays = torch.tensor([[True, False, False, False, False]] * 2)
    expected = {
        1: [[1, 0, 0, 0, 0], [1, 0, 0, 0, 0]], 2: [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0]],
        3: [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0]], 9: [[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]],
    }  # fmt: skip
    for count, rows in expected.items():
        assert kept_tokens(scores, mask, stays, count).int().tolist() == rows, count
    all_stay = mask.clone()
    assert torch.equal(kept_tokens(scores, mask, all_stay, 1), mask)


@pytest.mark.parametrize("counts", [(16, 8, 4), (2, 2, 1), (24, 5, 5)])
def test_removed_is_hidden(counts: tuple[int, ...]):
    model, (ids, mask) = tiny_classifier(CONFIG), some_rows()
    with torch.inference_mode():
        removed = pruned_states(model, ids, mask, counts)
        hidden = pruned_states(model, ids, mask, counts, compacted=False)
        assert torch.equal(removed.places[removed.mask], hidden.places[hidden.mask])
        assert torch.allclose(removed.states[removed.mask], hidden.states[hidden.mask], atol=1e-5)
        logits = model.head(removed.states, removed.mask)
        assert torch.allclose(logits, model.head(hidden.states, hidden.mask), atol=1e-5)
        assert not torch.allclose(logits[0], model(ids, mask)[0], atol=1e-3), "tokens were removed, and matter"
    lengths = mask.sum(dim=1)
    assert removed.mask.sum(dim=1).tolist() == [min(int(n), min(counts)) for n in lengths]
    assert removed.states.shape[1] == min(counts) and bool((removed.places[:, 0] == 0).all())


@pytest.mark.parametrize("given", [{"counts": (24, 24, 24)}, {"counts": (1, 1, 1), "stays": True}])
def test_with_nothing_removed_it_is_the_model(given: dict[str, Any]):
    model, (ids, mask) = tiny_classifier(CONFIG), some_rows()
    stays = mask if given.get("stays") else None
    with torch.inference_mode():
        found = pruned_states(model, ids, mask, given["counts"], stays=stays)
        assert torch.allclose(model.head(found.states, found.mask), model(ids, mask), atol=1e-5)
    assert torch.equal(found.mask, mask)


def test_tokens_to_be_tagged_stay():
    model, (ids, mask) = tiny_classifier(CONFIG), some_rows()
    stays = torch.zeros_like(mask)
    stays[0, [5, 17]] = True
    with torch.inference_mode():
        found = pruned_states(model, ids, mask, (4, 3, 2), stays=stays)
    assert found.places[0][found.mask[0]].tolist() == [0, 5, 17]


def test_what_cannot_be_pruned_is_refused():
    ids, mask = some_rows()
    for config in (tiny_config(norm_first=True), tiny_config(relative_bias=RelativeBias(8, 16, 4))):
        with pytest.raises(LeanformerError, match="post-norm encoders with learnt positions"):
            pruned_states(tiny_classifier(config), ids, mask, (4, 4))
    for counts in ((4,), (4, 0, 4)):
        with pytest.raises(LeanformerError, match="as many counts"):
            pruned_states(tiny_classifier(CONFIG), ids, mask, counts)
