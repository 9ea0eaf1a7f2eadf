"""Smaller models cut out of larger ones compute what the cut says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from leanformer.errors import CheckpointError
from leanformer.models.classifier import Classifier
from leanformer.models.store import read_model
from leanformer.models.surgery import (
    fresh_with_reduced_embeddings,
    keep_layers,
    largest_heads,
    largest_units,
    narrow,
)
from leanformer.shapes.encoder import LayerShape
from tests.making.tiny import tiny_artifact, tiny_classifier, tiny_config

DEEP = tiny_config(layers=(LayerShape(4, 48), LayerShape(4, 40), LayerShape(4, 48), LayerShape(4, 36)))


def inputs() -> tuple[Tensor, Tensor]:
    """Rows of 12, 5 and 1 tokens."""
    ids = torch.randint(1, 100, (3, 12), generator=torch.Generator().manual_seed(5))
    mask = (torch.arange(12) < torch.tensor([[12], [5], [1]])).long()
    return ids * mask, mask


def logits(model: Classifier) -> Tensor:
    with torch.no_grad():
        return model(*inputs())


@pytest.mark.parametrize("layers", [(0, 3), (1, 2), (2,), (0, 1, 2, 3)])
def test_keeping_layers_is_skipping_the_others(layers: tuple[int, ...]) -> None:
    model = tiny_classifier(DEEP)
    smaller = keep_layers(model, layers)
    assert smaller.config.layers == tuple(DEEP.layers[i] for i in layers)
    got = logits(smaller)
    model.encoder.layers = torch.nn.ModuleList(model.encoder.layers[i] for i in layers)
    assert torch.equal(got, logits(model))


def test_the_kept_layers_are_copies() -> None:
    model = tiny_classifier(DEEP)
    before = logits(model)
    with torch.no_grad():
        for parameter in keep_layers(model, (0, 2)).parameters():
            parameter.zero_()
    assert torch.equal(logits(model), before)


@pytest.mark.parametrize("layers", [(), (2, 1), (1, 1), (4,), (-1,)])
def test_layers_that_are_not_there(layers: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="not rising indices below 4"):
        keep_layers(tiny_classifier(DEEP), layers)


@pytest.mark.parametrize("training", [True, False])
def test_a_cut_model_stays_in_its_mode(training: bool) -> None:
    model = tiny_classifier(DEEP).train(training)
    everything = [torch.arange(4)] * 4, [torch.arange(shape.ffn) for shape in DEEP.layers]
    assert keep_layers(model, (0,)).training is training
    assert narrow(model, *everything).head.dropout.training is training


def test_narrowing_to_everything_changes_nothing() -> None:
    model = tiny_classifier(DEEP)
    same = narrow(model, [torch.arange(4)] * 4, [torch.arange(shape.ffn) for shape in DEEP.layers])
    assert same.config == model.config
    assert torch.equal(logits(same), logits(model))


def test_the_order_of_heads_and_units_does_not_matter() -> None:
    model = tiny_classifier(DEEP)
    mixed = narrow(model, [torch.tensor([2, 0, 3, 1])] * 4, [torch.arange(shape.ffn).flip(0) for shape in DEEP.layers])
    assert not torch.equal(mixed.encoder.layers[0].ffn.up.weight, model.encoder.layers[0].ffn.up.weight)
    assert torch.allclose(logits(mixed), logits(model), atol=1e-5)


HEADS = [torch.tensor(kept) for kept in ([0, 3], [1], [0, 1, 2], [2, 3])]
UNITS = [torch.arange(0, 48, 2), torch.arange(7), torch.arange(5, 48), torch.tensor([35])]


def test_narrowing_is_silencing_what_is_left_out() -> None:
    """Zero the outgoing weights of the other heads and units in the full model: the same logits."""
    model = tiny_classifier(DEEP)
    smaller = narrow(model, HEADS, UNITS)
    assert smaller.config.layers == tuple(LayerShape(len(h), len(u)) for h, u in zip(HEADS, UNITS, strict=True))
    full = logits(model)
    with torch.no_grad():
        for layer, heads, units in zip(model.encoder.layers, HEADS, UNITS, strict=True):
            for head in set(range(4)) - set(heads.tolist()):
                layer.attention.output.weight[:, head * 8 : (head + 1) * 8] = 0
            silent = torch.ones(layer.ffn.up.out_features, dtype=torch.bool)
            silent[units] = False
            layer.ffn.down.weight[:, silent] = 0
    assert torch.allclose(logits(smaller), logits(model), atol=1e-5)
    assert not torch.allclose(logits(smaller), full, atol=1e-2)


def test_a_narrow_model_is_saved_and_read_again(tmp_path: Path) -> None:
    smaller = narrow(tiny_classifier(DEEP), HEADS, UNITS)
    assert not smaller.config.is_uniform
    again = read_model(tiny_artifact(tmp_path / "narrow", model=smaller))
    assert again.config == smaller.config
    assert torch.equal(logits(again), logits(smaller.eval()))


def test_no_head_is_no_layer() -> None:
    with pytest.raises(CheckpointError, match="at least one head"):
        narrow(tiny_classifier(DEEP), [torch.tensor([], dtype=torch.long), *HEADS[1:]], UNITS)


def test_the_largest_heads_and_units_are_found_and_kept_in_order() -> None:
    model = tiny_classifier(DEEP)
    with torch.no_grad():
        attention, ffn = model.encoder.layers[1].attention, model.encoder.layers[1].ffn
        # Large on one side only counts for nothing where the other side is silent.
        attention.value.weight[8:16] *= 100
        attention.output.weight[:, 8:16] = 0
        attention.value.weight[24:32] *= 5
        attention.output.weight[:, 0:8] *= 4
        ffn.up.weight[30] *= 10
        ffn.down.weight[:, 4] *= 9
        ffn.up.weight[6] *= 1000
        ffn.down.weight[:, 6] = 0
    assert largest_heads(model, 1, 2).tolist() == [0, 3]
    assert largest_heads(model, 1, 1).tolist() == [3]
    assert largest_units(model, 1, 2).tolist() == [4, 30]
    assert 6 not in largest_units(model, 1, 39).tolist()
    assert largest_units(model, 1, 40).tolist() == list(range(40))
    assert largest_units(model, 0, 1).tolist() != [30]


@pytest.mark.parametrize("width", [4, 16, 32])
def test_reduced_embeddings_are_the_best_of_their_rank(width: int) -> None:
    source = tiny_classifier(seed=3)
    config = replace(tiny_config(hidden=width, head_size=4), layers=(LayerShape(1, 8),))
    torch.manual_seed(0)
    student = fresh_with_reduced_embeddings(config, source)
    table, reduced = source.encoder.embeddings.word.weight.detach(), student.encoder.embeddings.word.weight.detach()
    assert reduced.shape == (config.vocabulary, width)
    assert float(reduced.std()) == pytest.approx(0.02, rel=1e-3)
    # The best linear reconstruction of the source's table from the reduced one.
    rebuilt = reduced @ torch.linalg.lstsq(reduced.double(), table.double()).solution.float()
    U, S, V = torch.linalg.svd(table, full_matrices=False)
    best = U[:, :width] * S[:width] @ V[:width]
    assert float((table - rebuilt).norm()) == pytest.approx(float((table - best).norm()), rel=1e-3, abs=1e-4)


def test_reduced_embeddings_keep_distances_up_to_their_scale() -> None:
    source = tiny_classifier(seed=3)
    student = fresh_with_reduced_embeddings(tiny_config(), source)
    theirs = torch.cdist(*[source.encoder.embeddings.word.weight.detach()] * 2)
    ours = torch.cdist(*[student.encoder.embeddings.word.weight.detach()] * 2)
    assert torch.allclose(ours / ours.max(), theirs / theirs.max(), atol=1e-3)


def test_a_wider_student_keeps_random_columns() -> None:
    source = tiny_classifier(seed=3)
    wide = tiny_config(hidden=48, head_size=12)
    torch.manual_seed(4)
    plain = Classifier(wide).encoder.embeddings.word.weight
    torch.manual_seed(4)
    table = fresh_with_reduced_embeddings(wide, source).encoder.embeddings.word.weight
    assert torch.equal(table[:, 32:], plain[:, 32:])
    assert not torch.isclose(table[1:, :32], plain[1:, :32]).all(dim=1).any()
