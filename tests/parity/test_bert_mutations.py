"""Proof that the parity assertion can fail: every mapped weight and option is broken once on our side.

A wrong mapping that this file does not catch would also pass `test_bert.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from leanformer.models import encoder as encoder_module
from leanformer.models.classifier import Classifier
from leanformer.models.encoder import Encoder, Layer
from leanformer.models.heads import PooledHead
from leanformer.models.hf import bert
from leanformer.models.hf.checkpoint import read_classifier
from leanformer.shapes.encoder import LayerShape
from tests.parity.comparing import assert_parity, mixed_inputs, saved, stock_bert

# Every matrix 32 x 32 and every table 32 rows long, so that any two can be exchanged without a shape error.
SQUARE = {"intermediate_size": 32, "vocab_size": 32, "max_position_embeddings": 32, "type_vocab_size": 32}
SQUARE |= {"num_labels": 32}
CAUGHT = "differ by|attentions of layer"


def check(folder: Path, options: dict[str, Any]) -> None:
    """Read the checkpoint with whatever is broken now and compare it with stock BERT."""
    theirs = stock_bert(**options)
    ours, missing = read_classifier(folder, theirs.config.num_labels)
    assert missing == []
    config = theirs.config
    inputs = mixed_inputs(
        vocabulary=config.vocab_size, token_types=config.type_vocab_size, positions=config.max_position_embeddings
    )
    assert_parity(ours.eval(), theirs, inputs)


@pytest.fixture(scope="module")
def square(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = saved(stock_bert(**SQUARE), tmp_path_factory.mktemp("square"))
    check(folder, SQUARE)  # unbroken, it is right
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = saved(stock_bert(), tmp_path_factory.mktemp("plain"))
    check(folder, {})
    return folder


def partner(entry: str, group: list[str]) -> str:
    """The next of the group, around the corner, so that every member is exchanged."""
    assert len(group) > 1, f"nothing to exchange {entry} with"
    return group[(group.index(entry) + 1) % len(group)]


@pytest.mark.parametrize("entry", bert._EMBEDDINGS)
def test_an_embedding_weight_under_another_name(entry: str, square: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = [embedding for embedding in bert._EMBEDDINGS if ("LayerNorm" in embedding) == ("LayerNorm" in entry)]
    other = partner(entry, group)
    swapped = {entry: bert._EMBEDDINGS[other], other: bert._EMBEDDINGS[entry]}
    monkeypatch.setattr(bert, "_EMBEDDINGS", bert._EMBEDDINGS | swapped)
    with pytest.raises(AssertionError, match=CAUGHT):
        check(square, SQUARE)


@pytest.mark.parametrize("entry", bert._LAYER)
def test_a_layer_weight_under_another_name(entry: str, square: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = [name for name in bert._LAYER if ("LayerNorm" in name) == ("LayerNorm" in entry)]
    other = partner(entry, group)
    swapped = {entry: bert._LAYER[other], other: bert._LAYER[entry]}
    monkeypatch.setattr(bert, "_LAYER", bert._LAYER | swapped)
    with pytest.raises(AssertionError, match=CAUGHT):
        check(square, SQUARE)


def all_names() -> list[str]:
    """Our name of every weight of a model with the depth of `stock_bert`."""
    return list(bert.names(bert.read_config({"num_hidden_layers": 3}, 3)).values())


def test_all_names_are_all_weights(plain: Path) -> None:
    assert sorted(all_names()) == sorted(read_classifier(plain, 3)[0].state_dict())


@pytest.mark.parametrize("name", all_names())
def test_a_single_wrong_weight(name: str, plain: Path) -> None:
    """Every tensor by itself, weight and bias of every layer: redrawn, it is missed."""
    theirs = stock_bert()
    ours = read_classifier(plain, 3)[0].eval()
    tensor = ours.state_dict()[name]
    tensor.copy_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(3)) * 0.2)
    if name.endswith("key.bias"):
        # Adds the same number to all scores of a query, so that the softmax takes it away again: no output can
        # show it, and the mapping is compared with the stored tensor instead.
        assert_parity(ours, theirs, mixed_inputs())
        [stored] = [foreign for foreign, native in bert.names(ours.config).items() if native == name]
        assert not torch.equal(tensor, theirs.state_dict()[stored])
        assert torch.equal(read_classifier(plain, 3)[0].state_dict()[name], theirs.state_dict()[stored])
        return
    with pytest.raises(AssertionError, match=CAUGHT):
        assert_parity(ours, theirs, mixed_inputs())


@pytest.mark.parametrize("pair", [("head.pooler", "head.classifier"), ("encoder.layers.0.", "encoder.layers.2.")])
def test_exchanged_parts(pair: tuple[str, str], square: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right, (one, other) = bert.names, pair

    def exchanged(config: Any) -> dict[str, str]:
        swap = {one: other, other: one}
        return {
            theirs: next((ours.replace(old, new) for old, new in swap.items() if ours.startswith(old)), ours)
            for theirs, ours in right(config).items()
        }

    monkeypatch.setattr(bert, "names", exchanged)
    with pytest.raises(AssertionError, match=CAUGHT):
        check(square, SQUARE)


@pytest.mark.parametrize("options", [{}, {"hidden_act": "gelu_new"}, {"hidden_act": "relu"}], ids=str)
@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu"])
def test_another_activation(
    options: dict[str, Any], activation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved(stock_bert(**options), tmp_path / "stock")
    if bert.options.ACTIVATIONS[options.get("hidden_act", "gelu")] == activation:
        return check(folder, options)
    break_config(monkeypatch, activation=activation)
    with pytest.raises(AssertionError, match=CAUGHT):
        check(folder, options)


@pytest.mark.parametrize(("right", "wrong"), [(1e-12, 1e-5), (1e-5, 1e-12), (1e-2, 1e-5)])
def test_another_epsilon(right: float, wrong: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"layer_norm_eps": right, "table_scale": 0.01}
    folder = saved(stock_bert(**options), tmp_path / "stock")
    check(folder, options)
    break_config(monkeypatch, norm_epsilon=wrong)
    with pytest.raises(AssertionError, match=CAUGHT):
        check(folder, options)


@pytest.mark.parametrize("name", ["embeddings.norm", "layers.0.attention_norm", "layers.2.ffn_norm"])
def test_another_epsilon_in_one_norm(name: str, tmp_path: Path) -> None:
    theirs = stock_bert(layer_norm_eps=1e-2)
    ours = read_classifier(saved(theirs, tmp_path / "stock"), 3)[0].eval()
    assert_parity(ours, theirs, mixed_inputs())
    ours.encoder.get_submodule(name).eps = 1e-12
    with pytest.raises(AssertionError, match=CAUGHT):
        assert_parity(ours, theirs, mixed_inputs())


@pytest.mark.parametrize("heads", [1, 2, 8, 16])
def test_another_number_of_heads(heads: int, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_config(monkeypatch, head_size=32 // heads, layers=(LayerShape(heads, 40),) * 3)
    with pytest.raises(AssertionError, match=CAUGHT):
        check(plain, {})


def break_config(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    right = bert.read_config
    monkeypatch.setattr(bert, "read_config", lambda theirs, labels: replace(right(theirs, labels), **changes))


def ignore_token_types(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Encoder.forward
    monkeypatch.setattr(Encoder, "forward", lambda self, ids, mask, types=None, **o: right(self, ids, mask, **o))


def ignore_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Encoder.forward
    monkeypatch.setattr(
        Encoder, "forward", lambda self, ids, mask, types=None, **o: right(self, ids, torch.ones_like(mask), types, **o)
    )


def move_positions(by: int) -> Callable[[pytest.MonkeyPatch], None]:
    def mutate(monkeypatch: pytest.MonkeyPatch) -> None:
        def embed(self: Any, ids: Tensor, types: Tensor | None = None) -> Tensor:
            positions = self.position.weight.roll(by, dims=0)[: ids.shape[1]] if by else 0
            return self.norm(self.word(ids) + positions + self.token_type(types))

        monkeypatch.setattr(encoder_module.Embeddings, "forward", embed)

    return mutate


def norm_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(self: Layer, x: Tensor, bias: Tensor | None, *, with_probabilities: bool = False) -> Any:
        attended, probabilities = self.attention(self.attention_norm(x), bias, with_probabilities=with_probabilities)
        x = x + attended
        return x + self.ffn(self.ffn_norm(x)), probabilities

    monkeypatch.setattr(Layer, "forward", forward)


def no_residual(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(self: Layer, x: Tensor, bias: Tensor | None, *, with_probabilities: bool = False) -> Any:
        attended, probabilities = self.attention(x, bias, with_probabilities=with_probabilities)
        x = self.attention_norm(attended)
        return self.ffn_norm(x + self.ffn(x)), probabilities

    monkeypatch.setattr(Layer, "forward", forward)


def scale_fused_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    right = F.scaled_dot_product_attention
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda q, k, v, attn_mask: right(q * 1.1, k, v, attn_mask))


def scale_explicit_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    right = torch.softmax  # transformers uses the one in torch.nn.functional
    monkeypatch.setattr(torch, "softmax", lambda scores, dim: right(scores * 1.1, dim=dim))


def pool_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    right = PooledHead.forward
    monkeypatch.setattr(
        PooledHead, "forward", lambda self, hidden, mask: right(self, hidden.mean(dim=1, keepdim=True), mask)
    )


def pool_without_tanh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PooledHead, "forward", lambda self, hidden, mask: self.classifier(self.pooler(hidden[:, 0])))


def forget_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Classifier.outputs

    def outputs(self: Classifier, *args: Any, **options: Any) -> Any:
        # The last layer answers with its own input.
        last = self.encoder.layers[-1]
        monkeypatch.setattr(last, "forward", lambda x, bias, **o: (x, Layer.forward(last, x, bias, **o)[1]))
        return right(self, *args, **options)

    monkeypatch.setattr(Classifier, "outputs", outputs)


@pytest.mark.parametrize(
    "mutate",
    [
        ignore_token_types,
        ignore_mask,
        pytest.param(move_positions(0), id="ignore_positions"),
        pytest.param(move_positions(2), id="positions_from_2"),
        norm_first,
        no_residual,
        scale_fused_scores,
        scale_explicit_scores,
        pool_the_mean,
        pool_without_tanh,
        forget_a_layer,
    ],
)
def test_another_computation(
    mutate: Callable[[pytest.MonkeyPatch], None], plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    with pytest.raises(AssertionError, match=CAUGHT):
        check(plain, {})
