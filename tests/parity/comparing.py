"""Stock `transformers` models whose every weight and option matters, and the one parity assertion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel

from leanformer.models.classifier import Classifier
from tests.making.tiny import roughen

TOLERANCE = 1e-4
# Four heads of 8, so that reading them as eight of 4 changes nothing but the result.
OPTIONS: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 24,
    "type_vocab_size": 3,
    "num_labels": 3,
    "attn_implementation": "eager",  # the one that returns attention probabilities
}


def stock_bert(seed: int = 1, *, table_scale: float = 1.0, **options: Any) -> BertForSequenceClassification:
    """A BERT in eval mode with weights of standard deviation 0.2 and random norms and biases.

    `table_scale` shrinks the embedding tables, so that an epsilon of 1e-5 makes a difference to their norm.
    """
    model = BertForSequenceClassification(BertConfig(**(OPTIONS | options)))
    roughen(model, seed)
    scale_tables(model, table_scale)
    return model.eval()


def scale_tables(model: torch.nn.Module, scale: float) -> None:
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Embedding):
                module.weight.mul_(scale)


def saved(model: PreTrainedModel, folder: Path) -> Path:
    model.save_pretrained(folder)
    return folder


@dataclass(frozen=True)
class Inputs:
    """Padded ids, mask and token types `[B, S]`; None for a family without token types."""

    ids: Tensor
    mask: Tensor
    token_types: Tensor | None


def mixed_inputs(*, padding_id: int = 0, vocabulary: int = 60, token_types: int = 3, positions: int = 24) -> Inputs:
    """Rows of 24, 1, 7, 16 and 2 tokens, with every token type."""
    generator = torch.Generator().manual_seed(7)
    lengths = (positions, 1, 7, 16, 2)
    ids = torch.randint(1, vocabulary, (len(lengths), positions), generator=generator)
    ids[ids == padding_id] = 0 if padding_id else 1
    mask = torch.stack([(torch.arange(positions) < length).long() for length in lengths])
    types = torch.randint(0, token_types, ids.shape, generator=generator) if token_types else None
    return Inputs(ids.masked_fill(mask == 0, padding_id), mask, types)


def assert_parity(ours: Classifier, theirs: PreTrainedModel, inputs: Inputs, tolerance: float = TOLERANCE) -> None:
    """Logits, every hidden state and every attention distribution agree on the real tokens.

    `theirs` is a sequence classifier, or a bare encoder, whose logits are then not compared. Both ways that our
    encoder computes attention are checked: the fused kernel and the one that returns probabilities.
    """
    with torch.no_grad():
        expected = theirs(
            input_ids=inputs.ids,
            attention_mask=inputs.mask,
            **({} if inputs.token_types is None else {"token_type_ids": inputs.token_types}),
            output_hidden_states=True,
            output_attentions=True,
        )
        explicit = ours.outputs(inputs.ids, inputs.mask, inputs.token_types, with_attentions=True)
        fused = ours.outputs(inputs.ids, inputs.mask, inputs.token_types)
    real = inputs.mask.bool()
    for name, output in (("explicit", explicit), ("fused", fused)):
        states = output.encoded.hidden_states
        assert len(states) == len(expected.hidden_states)
        for index, (state, other) in enumerate(zip(states, expected.hidden_states, strict=True)):
            _assert_close(state[real], other[real], tolerance, f"{name}: hidden state {index}")
        if "logits" in expected:
            _assert_close(output.logits, expected.logits, tolerance, f"{name}: logits")
    assert len(explicit.encoded.attentions) == len(expected.attentions)
    for index, (attention, other) in enumerate(zip(explicit.encoded.attentions, expected.attentions, strict=True)):
        assert attention.shape == other.shape, f"attentions of layer {index}: {attention.shape}, expected {other.shape}"
        queries = real[:, None, :, None].expand_as(attention)
        _assert_close(attention[queries], other[queries], tolerance, f"attentions of layer {index}")


def _assert_close(ours: Tensor, theirs: Tensor, tolerance: float, what: str) -> None:
    assert ours.shape == theirs.shape, f"{what}: shape {tuple(ours.shape)}, expected {tuple(theirs.shape)}"
    difference = float((ours - theirs).abs().max())
    assert difference <= tolerance, f"{what}: differ by {difference:.2e}, more than {tolerance:.0e}"
