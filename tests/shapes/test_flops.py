"""Counted operations against PyTorch's own counter, and against sums done by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from leanformer.batching import batches_by_length
from leanformer.shapes.encoder import LayerShape
from leanformer.shapes.flops import EncoderShape, traffic_bytes, work
from leanformer.shapes.recurrent import lstm_flops
from tests.making.tiny import tiny_classifier, tiny_config

SHAPES = {
    "uniform": tiny_config(),
    "deep": tiny_config(layers=(LayerShape(4, 48),) * 5),
    "pruned heads": tiny_config(layers=(LayerShape(1, 48), LayerShape(3, 7))),
    "wide heads": tiny_config(head_size=16, layers=(LayerShape(4, 20), LayerShape(2, 64))),
    "many labels": tiny_config(labels=77),
}


def counted(call: Callable[[], Any]) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        call()
    return counter.get_total_flops()


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("rows", "tokens"), [(1, 5), (3, 17), (8, 40)])
def test_the_count_is_pytorchs(name: str, rows: int, tokens: int):
    config = SHAPES[name]
    model = tiny_classifier(config)
    ids = torch.randint(5, config.vocabulary, (rows, tokens))

    def run() -> None:
        # In plain steps: the fused kernels of a CPU are not in the counter's table.
        with sdpa_kernel(SDPBackend.MATH):
            model(ids, torch.ones_like(ids))

    layers = tuple((layer.heads, layer.ffn) for layer in config.layers)
    shape = EncoderShape(config.hidden, config.head_size, layers, config.labels)
    assert shape.flops(rows, tokens) == pytest.approx(counted(run), rel=0.01)


def test_a_bert_of_transformers_counts_the_same():
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=50, hidden_size=24, num_hidden_layers=3, num_attention_heads=3, intermediate_size=60, num_labels=5,
        attn_implementation="eager",
    )  # fmt: skip
    model = BertForSequenceClassification(config).eval()
    ids = torch.randint(0, 50, (4, 11))
    shape = EncoderShape(24, 8, ((3, 60),) * 3, 5)
    assert shape.flops(4, 11) == counted(lambda: model(input_ids=ids, attention_mask=torch.ones_like(ids)))


def test_minilm_by_hand():
    """Per token L (8 d^2 + 4 d ff + 4 T d), head apart: MiniLM-L6 at 128 tokens, 22.4 MFLOP a token."""
    shape = EncoderShape(384, 32, ((12, 1536),) * 6)
    assert shape.flops(1, 128) / 128 == 6 * (8 * 384**2 + 4 * 384 * 1536 + 4 * 128 * 384)
    assert shape.flops(1, 128) / 128 == pytest.approx(22.4e6, rel=0.01)


def test_the_last_layer_for_one_token_alone():
    """What the exported graph leaves out is the last layer's work on all other tokens but their keys and values."""
    whole = EncoderShape(32, 8, ((4, 48), (4, 48)), 3)
    lean = EncoderShape(32, 8, ((4, 48), (4, 48)), 3, first_only=True)
    tokens = 20
    left_out = (tokens - 1) * 2 * (2 * 32 * 32 + 2 * tokens * 32 + 2 * 32 * 48)
    assert whole.flops(2, tokens) - lean.flops(2, tokens) == 2 * left_out


class Cell(nn.Module):
    """An LSTM unrolled by its formulas, because the counter does not see into the library's."""

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.of_input, self.of_state = nn.Linear(width, 4 * units), nn.Linear(units, 4 * units, bias=False)
        self.units = units

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        state = cell = inputs.new_zeros(len(inputs), self.units)
        for step in inputs.unbind(1):
            i, f, g, o = (self.of_input(step) + self.of_state(state)).chunk(4, dim=1)
            cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            state = o.sigmoid() * cell.tanh()
        return state


def test_an_unrolled_lstm_counts_the_same():
    there, back = Cell(12, 20), Cell(12, 20)
    inputs = torch.randn(3, 9, 12)
    found = counted(lambda: (there(inputs), back(inputs.flip(1))))
    assert lstm_flops(12, 20, 3, 9) == found
    library = nn.LSTM(12, 20, batch_first=True)
    with torch.no_grad():
        library.weight_ih_l0.copy_(there.of_input.weight)
        library.bias_ih_l0.copy_(there.of_input.bias)
        library.weight_hh_l0.copy_(there.of_state.weight)
        library.bias_hh_l0.zero_()
        # The reference cell is one: it computes what the library's computes.
        torch.testing.assert_close(library(inputs)[0][:, -1], there(inputs))


def test_padding_is_the_difference():
    shape = EncoderShape(32, 8, ((4, 48),), 3)
    lengths = [5, 9, 30, 31]
    sorted_batches = [[5, 9], [30, 31]]
    tight, loose = work(shape, sorted_batches), work(shape, [lengths])
    alone = work(shape, [[length] for length in lengths])
    assert alone.waste == 0 and alone.real == alone.done
    assert tight.real == loose.real == alone.real
    assert 0 < tight.waste < loose.waste < 1
    assert work(shape, [lengths], pad_to=128).waste > loose.waste
    assert loose.done == shape.flops(4, 31) == 4 * loose.per_text


def test_batches_of_the_runtime_are_counted_as_they_run():
    import numpy as np

    rows = [np.zeros(n, dtype=np.int32) for n in (3, 40, 4, 38)]
    batches = [[len(rows[i]) for i in batch] for batch in batches_by_length(rows, 80)]
    assert sorted(map(sorted, batches)) == [[3, 4], [38, 40]]
    assert work(EncoderShape(32, 8, ((4, 48),)), batches).waste < 0.06


def test_traffic_grows_with_the_batch_and_holds_the_weights_once():
    shape = EncoderShape(32, 8, ((4, 48),))
    one, four = (traffic_bytes(1000, shape, rows, 10) for rows in (1, 4))
    assert four - 1000 == 4 * (one - 1000) > 0
