"""What every entry of atlas.yaml promises: it is there, it is itself, and it is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.atlas.entries import Technique, problems, read_atlas, states
from benchmarks.atlas.tasks import LISTS, nested_lists
from benchmarks.atlas.training import Sizes, parameters, shape, trained
from leanformer import catalog
from leanformer.models.attention.bias import AttentionBias, Places
from leanformer.models.attention.heads import MultiHead
from leanformer.models.attention.kinds import attention
from leanformer.models.attention.mega import moving_average
from leanformer.models.attention.performer import feature_maps
from leanformer.models.attention.rfa import waves
from leanformer.models.classifier import Classifier
from leanformer.shapes.attention import KINDS
from leanformer.shapes.encoder import EncoderConfig, LayerShape
from leanformer.shapes.mixers import REFERENCE
from tests.making.tiny import tiny_config
from tests.models.attention.mixing import dense
from tests.models.attention.test_dss import recurrence

ATLAS = read_atlas()
MIXERS = [technique for technique in ATLAS.bench("sequences") if technique.kind in REFERENCE]
IDS = [technique.kind for technique in MIXERS]
LENGTH, LONGEST = 23, 150
X = torch.randn(2, LENGTH, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 1.5
MASK = torch.arange(LENGTH) < torch.tensor([[LENGTH], [14]])
TASK = nested_lists(8, 8, 24)
SIZES = Sizes({LISTS: 2}, hidden=32, layers=2, ffn=96, batch=4)


def config_of(kind: str, options: object) -> EncoderConfig:
    assert isinstance(options, dict)
    return tiny_config(layers=(LayerShape(4, 48, attention=KINDS[kind](**options)),))


def module(kind: str, options: object) -> MultiHead:
    """The attention of a layer in fp64; maps of the same name have the same weights whatever the kind."""
    config = config_of(kind, options)
    torch.manual_seed(1)
    made = attention(config, config.layers[0]).double().eval()
    generator = torch.Generator().manual_seed(2)
    weights = {
        name: torch.randn(32, 32, generator=generator).double() / 8 for name in ("query", "key", "value", "output")
    }
    for name, weight in weights.items():
        if hasattr(made, name):
            getattr(made, name).weight.data = weight
            torch.nn.init.zeros_(getattr(made, name).bias)
    return made


@torch.no_grad()
def run(made: MultiHead, x: Tensor = X, mask: Tensor = MASK) -> Tensor:
    """Its output, with zeros for padding."""
    places = Places(AttentionBias(tiny_config()), mask, x.dtype)
    return made(x, places)[0] * mask[..., None]


SOFTMAX = run(module("softmax", {}))


def softmax_twin(made: MultiHead, mask: Tensor) -> Tensor:
    return run(module("softmax", {}), X, mask)


def from_heads(made: MultiHead, context: Tensor, mask: Tensor) -> Tensor:
    return made.output(context.transpose(1, 2).flatten(2)) * mask[..., None]


def split(made: MultiHead) -> list[Tensor]:
    return [made._split(getattr(made, name)(X)) for name in ("query", "key", "value")]


def shared_twin(made: MultiHead, mask: Tensor) -> Tensor:
    """Reformer: queries are keys of length one, and a token does not see itself."""
    query, value = made._split(made.query(X)), made._split(made.value(X))
    key = torch.nn.functional.normalize(query, dim=-1) * query.shape[-1] ** 0.5
    return from_heads(made, dense(query, key, value, mask, ~torch.eye(LENGTH, dtype=torch.bool)), mask)


def pairwise(weights: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[[MultiHead, Tensor], Tensor]:
    """The twin that computes the weight of each pair."""

    def twin(made: MultiHead, mask: Tensor) -> Tensor:
        query, key, value = split(made)
        found = weights(query, key, mask) * mask[:, None, None, :]
        return from_heads(made, found / found.sum(dim=-1, keepdim=True) @ value, mask)

    return twin


def performer_weights(query: Tensor, key: Tensor, mask: Tensor) -> Tensor:
    left, right = feature_maps(query, key, mask, 16, 0)
    return (left[..., :, None, :] * right[..., None, :, :]).sum(dim=-1)


def rfa_weights(query: Tensor, key: Tensor, mask: Tensor) -> Tensor:
    return (waves(query, 16, 0)[..., :, None, :] * waves(key, 16, 0)[..., None, :, :]).sum(dim=-1)


def aft_twin(made: MultiHead, mask: Tensor) -> Tensor:
    query, key, value = split(made)
    biases = (made.left[:, :LENGTH] @ made.right[:, :LENGTH].mT)[..., None]
    weights = torch.exp(key[..., None, :, :] + biases) * mask[:, None, None, :, None]
    return from_heads(made, query.sigmoid() * (weights * value[..., None, :, :]).sum(3) / weights.sum(3), mask)


def fourier_twin(made: MultiHead, mask: Tensor) -> Tensor:
    rows = [torch.fft.fft(torch.fft.fft(X[row, :length], dim=1), dim=0).real for row, length in ((0, LENGTH), (1, 14))]
    return torch.stack([rows[0], torch.cat((rows[1], torch.zeros(LENGTH - 14, 32).double()))])


def state_twin(made: MultiHead, mask: Tensor) -> Tensor:
    """State spaces as recurrences; S4's dense matrix has eigenvalues, in which it is diagonal."""
    value = made._split(made.value(X)) * mask[:, None, :, None]
    value = torch.nn.functional.gelu(value) if made.shape.attention.kind == "gss" else value
    arguments = made.arguments()
    if "a" in arguments:
        return (
            made.output(made.gated(dense_recurrence(value, **arguments).transpose(1, 2).flatten(2), X))
            * mask[..., None]
        )
    context = torch.stack([recurrence(row, **arguments) for row in value])
    return made.output(made.gated(context.transpose(1, 2).flatten(2), X)) * mask[..., None]


def dense_recurrence(value: Tensor, a: Tensor, b: Tensor, c: Tensor, step: Tensor, skip: Tensor) -> Tensor:
    found, eye = skip[:, None, :] * value, torch.eye(len(a), dtype=a.dtype)
    left = torch.linalg.inv(eye - step[..., None, None] / 2 * a)
    for way, order in ((0, range(LENGTH)), (1, range(LENGTH - 1, -1, -1))):
        state = torch.zeros(2, *step.shape, len(a), 1).double()
        for t in order:
            pushed = (eye + step[..., None, None] / 2 * a) @ state + step[..., None, None] * b[:, None] * value[
                :, :, t, :, None, None
            ]
            state = left @ pushed
            found[:, :, t] += (c[:, :, way, None] @ state)[..., 0, 0]
    return found


def mega_twin(made: MultiHead, mask: Tensor) -> Tensor:
    given = (made.share.sigmoid(), made.damping.sigmoid(), made.into, made.out)
    state = torch.zeros(2, 2, 32, 3).double()
    mean = torch.zeros_like(X)
    for way, order in ((0, range(LENGTH)), (1, range(LENGTH - 1, -1, -1))):
        for t in order:
            share, damping, into, out = (each[way] for each in given)
            state[way] = share * into * (X * mask[..., None])[:, t, :, None] + (1 - share * damping) * state[way]
            mean[:, t] += (out * state[way]).sum(dim=-1)
    torch.testing.assert_close(mean * mask[..., None], moving_average(X, mask, *given) * mask[..., None])
    mean = torch.nn.functional.silu(mean + X)
    query, key, value = (made._split(each) for each in (made.query(mean), made.key(mean), made.value(X)))
    gate = torch.nn.functional.silu(made.gate(mean))
    return made.output(dense(query, key, value, mask).transpose(1, 2).flatten(2) * gate) * mask[..., None]


TWINS: dict[str, Callable[[MultiHead, Tensor], Tensor]] = {
    "reformer": shared_twin, "performer": pairwise(performer_weights), "rfa": pairwise(rfa_weights), "aft": aft_twin,
    "fnet": fourier_twin, "s4": state_twin, "dss": state_twin, "gss": state_twin, "mega": mega_twin,
}  # fmt: skip


def at_limit(technique: Technique) -> tuple[MultiHead, Tensor]:
    """The module at its exact limit, and the mask for which it holds."""
    made = module(technique.kind, dict(technique.limited))
    if technique.kind == "linformer":
        for name in ("to_keys", "to_values"):
            getattr(made, name).data = torch.eye(64).double()[:LENGTH]
        return made, torch.ones_like(MASK)
    if technique.kind == "adaptive_entmax":
        made.sparsity.data.fill_(torch.tensor(1e-6).double().logit())
    return made, MASK


def check_limit(technique: Technique, made: MultiHead, mask: Tensor) -> None:
    twin = TWINS.get(technique.kind, softmax_twin)
    with torch.no_grad():
        expected = twin(made, mask)
    torch.testing.assert_close(run(made, X, mask), expected, rtol=0, atol=1e-5)


def check_difference(made: MultiHead) -> None:
    assert (run(made) - SOFTMAX).abs().max() > 1e-3


@pytest.mark.parametrize("technique", MIXERS, ids=IDS)
def test_the_limit_is_exact_and_the_usual_setting_differs(technique: Technique):
    assert technique.limit, "an entry says what it is in a limit"
    check_limit(technique, *at_limit(technique))
    if not technique.limit.endswith("always"):  # softmax attention itself, but for memory: test_tiled.py
        check_difference(module(technique.kind, dict(technique.toy)))


def test_a_technique_that_is_switched_off_fails():
    with pytest.raises(AssertionError):
        check_difference(module("softmax", {}))


@pytest.mark.parametrize("technique", [each for each in MIXERS if each.kind in TWINS], ids=lambda each: each.kind)
def test_a_twin_is_not_softmax(technique: Technique):
    made, mask = at_limit(technique)
    with torch.no_grad():
        assert (TWINS[technique.kind](made, mask) - SOFTMAX).abs().max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("technique", MIXERS, ids=IDS)
def test_it_trains_in_the_encoder(technique: Technique):
    config = shape(TASK, SIZES, technique.kind, technique.toy)
    model, _ = trained(config, TASK, SIZES, 13)
    torch.manual_seed(13)
    before = dict(Classifier(config).named_parameters())
    still = {name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])}
    assert still <= {"encoder.embeddings.position.weight"} and len(before) > 10
    assert abs(parameters(config) / parameters(shape(TASK, SIZES, "softmax", {})) - 1) < 0.02


@pytest.mark.parametrize("technique", MIXERS, ids=IDS)
def test_padding_does_not_matter(technique: Technique):
    made = module(technique.kind, dict(technique.toy))
    whole = run(made)
    torch.testing.assert_close(run(made, X[1:, :14], MASK[1:, :14])[0], whole[1, :14])
    torch.testing.assert_close(run(made, torch.where(MASK[..., None], X, 9.0)), whole)
    longer = torch.nn.functional.pad(X, (0, 0, 0, 18), value=5.0)
    torch.testing.assert_close(run(made, longer, torch.nn.functional.pad(MASK, (0, 18)))[:, :LENGTH], whole)


@pytest.mark.parametrize("technique", MIXERS, ids=IDS)
def test_the_count_is_pytorchs(technique: Technique):
    made, config = module(technique.kind, dict(technique.toy)), config_of(technique.kind, dict(technique.toy))
    for length in (LENGTH, 16):
        run(made, X[:1, :length], MASK[:1, :length])  # what is computed once for all texts
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            run(made, X[:1, :length], MASK[:1, :length])
        assert counter.get_total_flops() == pytest.approx(4 * config.shape().head_flops(0, length), rel=0.01)


@pytest.mark.parametrize("technique", [each for each in ATLAS.techniques if each.code], ids=lambda each: each.name)
def test_it_is_a_small_file_and_no_step(technique: Technique):
    assert technique.lines <= LONGEST
    assert technique.code not in catalog.TECHNIQUES.values() and not technique.missing


def test_every_reference_kind_is_in_the_atlas_and_in_the_catalogue():
    listed = {name: code for name, code in catalog.REFERENCE.items() if name.startswith("attention.")}
    assert {f"attention.{technique.kind}": technique.code for technique in MIXERS} == listed
    assert all(10 < len(catalog.title(name)) < 120 for name in catalog.REFERENCE)
    assert {technique.kind for technique in MIXERS} == set(REFERENCE)


def test_every_row_says_something_and_all_of_it_is_there():
    assert problems(ATLAS) == []
    assert [row.row for row in ATLAS.rows] == list(range(1, 164))
    absent = next(row for row in ATLAS.rows if row.absent)
    empty = replace(ATLAS, rows=(*ATLAS.rows[:1], replace(absent, absent=""), replace(ATLAS.rows[3], results=())))
    told = [sentence for sentence in problems(empty) if f"row {absent.row} " in sentence or "row 4 " in sentence]
    assert len(told) == 2
    wrong = replace(ATLAS, rows=(replace(ATLAS.rows[0], by=("compress.magic",), results=("no.json",)), *ATLAS.rows[1:]))
    assert problems(wrong) == ["row 1: no compress.magic", "row 1: no result no.json"]


def test_a_measured_row_changes_its_state(tmp_path: Path):
    (tmp_path / "atlas").mkdir()
    (tmp_path / "atlas" / "sequences.json").write_text('{"rows": [{"seed_rows": [27]}], "cells": []}')
    assert states(ATLAS, tmp_path)[27] == "measured as reference"
    assert states(ATLAS, tmp_path)[28] == "reference, not measured"


def test_no_shipped_recipe_uses_a_reference_technique():
    text = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parents[2].glob("recipes/**/*.yaml"))
    assert text and not [name for name in REFERENCE if f"kind: {name}" in text]
