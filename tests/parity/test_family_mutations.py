"""Proof that the parity of the families can fail: every weight and option is broken once on our side.

A mistake that this file does not catch would also pass `test_families.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from transformers import PreTrainedModel
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

from leanformer.export.graphs.encoder_graph import encoder_graph
from leanformer.models.attention.bias import bucket_of_distances, relative_buckets
from leanformer.models.classifier import Classifier
from leanformer.models.hf.checkpoint import read_classifier
from leanformer.shapes.encoder import EncoderConfig, RelativeBias
from tests.parity.comparing import assert_parity, saved
from tests.parity.families import FAMILIES, inputs_for

CAUGHT = "differ by|attentions of layer"
# The variant of each family in which as much as possible has a weight.
FULLEST = {"roberta": "two types", "distilbert": "plain", "electra": "plain", "mpnet": "plain", "modernbert": "biases"}


def pair(name: str, variant: str, folder: Path) -> tuple[Classifier, PreTrainedModel]:
    """Ours and theirs, which agree."""
    theirs = FAMILIES[name].model(variant)
    ours = read_classifier(saved(theirs, folder), theirs.config.num_labels)[0].eval()
    assert_parity(ours, theirs, inputs_for(ours.config))
    return ours, theirs


def is_caught(ours: Classifier, theirs: PreTrainedModel) -> bool:
    try:
        assert_parity(ours, theirs, inputs_for(ours.config))
    except AssertionError as error:
        return any(sign in str(error) for sign in CAUGHT.split("|"))
    return False


def cannot_matter(name: str, ours: Classifier) -> bool:
    """A key's bias adds the same number to all scores of a query, which the softmax takes away; unless it is turned."""
    return name.endswith("key.bias") and ours.config.layers[0].rotary_base is None


@pytest.mark.slow
@pytest.mark.parametrize("name", FULLEST)
def test_every_single_weight_is_missed(name: str, tmp_path: Path) -> None:
    ours, theirs = pair(name, FULLEST[name], tmp_path)
    generator = torch.Generator().manual_seed(3)
    for weight, tensor in ours.state_dict().items():
        kept = tensor.clone()
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.2)
        assert is_caught(ours, theirs) is not cannot_matter(weight, ours), weight
        tensor.copy_(kept)
    assert not is_caught(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("name", FULLEST)
def test_every_two_weights_exchanged_are_missed(name: str, tmp_path: Path) -> None:
    """What a wrong line in the table of names would do. Each weight is exchanged with the next of its shape."""
    ours, theirs = pair(name, FULLEST[name], tmp_path)
    state = ours.state_dict()
    by_shape: dict[tuple[int, ...], list[str]] = {}
    for weight, tensor in state.items():
        by_shape.setdefault(tuple(tensor.shape), []).append(weight)
    tried = 0
    for group in by_shape.values():
        for first, second in pairwise(group):
            kept = state[first].clone()
            state[first].copy_(state[second])
            state[second].copy_(kept)
            assert is_caught(ours, theirs), f"{first} and {second}"
            state[second].copy_(state[first])
            state[first].copy_(kept)
            tried += 1
    assert tried > 10 and not is_caught(ours, theirs)


def broken(ours: Classifier, config: EncoderConfig) -> Classifier:
    """The same weights, as far as they fit, under another configuration."""
    model = Classifier(config)
    wanted, given = model.state_dict(), ours.state_dict()
    for key, value in given.items():
        if key in wanted and wanted[key].ndim == value.ndim:
            rows = min(len(value), len(wanted[key]))
            if wanted[key].shape[1:] == value.shape[1:]:
                wanted[key][:rows] = value[:rows]
    model.load_state_dict(wanted)
    return model.eval()


def head(**changes: Any) -> Callable[[EncoderConfig], EncoderConfig]:
    return lambda config: replace(config, head=replace(config.head, **changes))


def options(**changes: Any) -> Callable[[EncoderConfig], EncoderConfig]:
    return lambda config: replace(config, **changes)


def layers(**changes: Any) -> Callable[[EncoderConfig], EncoderConfig]:
    """In all layers; what a layer does not have, such as the window of a global one, stays away."""

    def change(config: EncoderConfig) -> EncoderConfig:
        shapes = [
            replace(layer, **{key: value for key, value in changes.items() if getattr(layer, key) is not None})
            for layer in config.layers
        ]
        return replace(config, layers=tuple(shapes))

    return change


def halve_heads(config: EncoderConfig) -> EncoderConfig:
    shapes = tuple(replace(layer, heads=layer.heads * 2) for layer in config.layers)
    return replace(config, head_size=config.head_size // 2, layers=shapes)


def exchange_angles(config: EncoderConfig) -> EncoderConfig:
    bases = {layer.rotary_base for layer in config.layers}
    assert len(bases) == 2
    shapes = [replace(layer, rotary_base=(bases - {layer.rotary_base}).pop()) for layer in config.layers]
    return replace(config, layers=tuple(shapes))


def move_windows(config: EncoderConfig) -> EncoderConfig:
    """Each layer takes the kind of the one before."""
    shapes = config.layers
    moved = [replace(shape, window=shapes[i - 1].window) for i, shape in enumerate(shapes)]
    return replace(config, layers=tuple(moved))


def permute_columns(config: EncoderConfig) -> EncoderConfig:
    last = replace(config.layers[-1], bias_columns=(1, 0, 2, 3))
    return replace(config, layers=(*config.layers[:-1], last))


def no_offset(config: EncoderConfig) -> EncoderConfig:
    return replace(config, position_offset=0, positions=config.positions + config.position_offset)


ALL = {
    "relu": options(activation="relu"),
    "gelu_tanh": options(activation="gelu_tanh"),
    "epsilon": options(norm_epsilon=1e-2),
    "smaller heads": halve_heads,
    "head without activation of its own": head(activation="gelu_tanh"),
    "mean": head(pooling="mean"),
    "head norm": lambda config: replace(config, head=replace(config.head, norm=not config.head.norm)),
}
BROKEN: dict[str, dict[str, Callable[[EncoderConfig], EncoderConfig]]] = {
    "roberta": ALL
    | {"no offset": no_offset, "norm first": options(norm_first=True), "no types": options(token_types=0)},
    "distilbert": ALL | {"tanh": head(activation="tanh"), "no positions": options(position_table=False)},
    "electra": ALL | {"tanh": head(activation="tanh"), "offset": options(position_offset=1)},
    "mpnet": {key: change for key, change in ALL.items() if key != "smaller heads"}
    | {
        "no offset": no_offset,
        "no biases": options(relative_bias=None),
        "nearer": options(relative_bias=RelativeBias(32, 64, 4)),
        "fewer buckets": options(relative_bias=RelativeBias(16, 128, 4)),
        "other columns": permute_columns,
    },
    "modernbert": ALL
    | {
        "exchanged angles": exchange_angles,
        "no angles": layers(rotary_base=None),
        "wider windows": layers(window=5),
        "narrower windows": layers(window=3),
        "no windows": layers(window=None),
        "moved windows": move_windows,
        "no gate": options(gated_ffn=False),
        "norm in the first layer": layers(attention_norm=True),
        "no attention biases": options(attention_bias=False),
        "no feed-forward biases": options(ffn_bias=False),
        "no norm biases": options(norm_bias=False),
        "no head bias": head(bias=False),
        "positions": options(position_table=True),
    },
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "case"), [(name, case) for name, cases in BROKEN.items() for case in cases])
def test_every_option_is_missed(name: str, case: str, tmp_path: Path) -> None:
    ours, theirs = pair(name, FULLEST[name], tmp_path)
    other = broken(ours, BROKEN[name][case](ours.config))
    assert is_caught(other, theirs)
    # The graph of the broken model is broken in the same way: it follows the option, and its parity test can fail.
    inputs = inputs_for(ours.config)
    session = ort.InferenceSession(encoder_graph(other).SerializeToString(), providers=["CPUExecutionProvider"])
    graph = session.run(["logits"], {"input_ids": inputs.ids.numpy(), "attention_mask": inputs.mask.numpy()})[0]
    with torch.no_grad():
        np.testing.assert_allclose(graph, other(inputs.ids, inputs.mask).numpy(), atol=1e-4, rtol=0)
        assert np.abs(graph - theirs(input_ids=inputs.ids, attention_mask=inputs.mask).logits.numpy()).max() > 1e-4


def test_nothing_broken_is_nothing_missed(tmp_path: Path) -> None:
    for name in BROKEN:
        ours, theirs = pair(name, FULLEST[name], tmp_path / name)
        assert not is_caught(broken(ours, ours.config), theirs)


def test_buckets_are_those_of_the_original_at_every_distance() -> None:
    shape = RelativeBias(32, 128, 1)
    distances = torch.arange(-600, 601)
    expected = MPNetEncoder.relative_position_bucket(distances, num_buckets=32)
    assert torch.equal(bucket_of_distances(601, shape), expected)
    square = relative_buckets(40, shape)
    assert torch.equal(square[3], bucket_of_distances(40, shape)[36:76])
