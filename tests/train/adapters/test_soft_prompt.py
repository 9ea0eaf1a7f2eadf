"""Soft prompts are read before the text, and the text's own places stay."""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.train.adapters.soft_prompt import SoftPrompt
from tests.making.adapted import IDS, MASK, attached, base, logits, parameters, redrawn
from tests.making.tiny import tiny_classifier


def at_limit() -> tuple[Tensor, Tensor]:
    """A prompt of length 0 is none."""
    return logits(attached(SoftPrompt(0))), base()


def test_it_is_an_input_of_the_layers() -> None:
    adapter = SoftPrompt(3)
    model, plain = attached(adapter), tiny_classifier()
    redrawn(adapter, model)
    vectors = adapter.groups(model)[0].parameters[0]
    assert vectors.shape == (3, 32)

    class Given(torch.nn.Module):
        def forward(self, ids: Tensor, token_types: Tensor | None = None) -> Tensor:
            return torch.cat((vectors.expand(3, -1, -1), tiny_classifier().encoder.embeddings(IDS)), dim=1)

    plain.encoder.embeddings = Given()
    longer = torch.cat((torch.ones(3, 3, dtype=torch.bool), MASK), dim=1)
    states = plain.encoder(IDS, longer).hidden_states
    found = model.encoder(IDS, MASK)
    for ours, state in zip(found.hidden_states, states, strict=True):
        torch.testing.assert_close(ours[MASK], state[:, 3:][MASK])
    torch.testing.assert_close(logits(model), plain.head(states[-1][:, 3:], MASK).detach())


def test_padding_does_not_matter_and_token_types_are_read() -> None:
    model = attached(SoftPrompt(3))
    assert torch.allclose(model(IDS[1:2, :5], MASK[1:2, :5]), logits(model)[1:2], atol=1e-6)
    types = torch.zeros_like(IDS)
    assert torch.allclose(model(IDS, MASK, types), logits(model), atol=1e-6)
    types[:, 1:] = 1
    assert (model(IDS, MASK, types) - logits(model)).abs().max() > 1e-3


def test_parameters_are_those_of_the_formula() -> None:
    assert parameters(SoftPrompt(5)) == 5 * 32
