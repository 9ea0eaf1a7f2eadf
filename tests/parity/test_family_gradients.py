"""Training one of our models moves it as training the stock model would: the gradients are the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from leanformer.models.hf.checkpoint import FAMILIES as MAPPINGS
from leanformer.models.hf.checkpoint import read_classifier
from tests.parity.comparing import saved
from tests.parity.families import FAMILIES, inputs_for


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("name", ["roberta", "distilbert", "electra", "mpnet", "modernbert"])
def test_gradients_of_every_weight(name: str, explicit: bool, tmp_path: Path) -> None:
    """Without dropout, through both ways of computing attention; right answers have to be learnt in the same steps."""
    theirs = FAMILIES[name].model("biases" if name == "modernbert" else "plain")
    ours = read_classifier(saved(theirs, tmp_path), 3)[0].eval()
    inputs, answers = inputs_for(ours.config), torch.tensor([0, 1, 2, 0, 1])
    expected = theirs(input_ids=inputs.ids, attention_mask=inputs.mask).logits
    torch.nn.functional.cross_entropy(expected, answers).backward()
    got = ours.outputs(inputs.ids, inputs.mask, with_attentions=explicit).logits
    torch.nn.functional.cross_entropy(got, answers).backward()
    own, stock = dict(ours.named_parameters()), dict(theirs.named_parameters())
    compared = 0
    for their_name, our_names in MAPPINGS[name].names(ours.config).items():
        our_names = (our_names,) if isinstance(our_names, str) else our_names
        gradients = [own[name].grad for name in our_names]
        assert all(gradient is not None for gradient in gradients), our_names
        stacked, wanted = torch.cat(gradients), stock[their_name].grad
        torch.testing.assert_close(stacked, wanted, atol=1e-4, rtol=1e-3, msg=lambda text, n=their_name: f"{n}: {text}")
        compared += int(wanted.abs().max() > 1e-3)
    assert compared > 30, "gradients of nothing would agree with anything"
