"""What every technique of the sparsity bench promises: an exact limit, and to do something in its usual setting."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from benchmarks.atlas.compressing import APPLY, Case, EnoughError, Until, each
from benchmarks.atlas.entries import Technique, read_atlas
from benchmarks.atlas.finetuned import toy_start
from benchmarks.atlas.sparsity import PLAIN, USUAL, options_of, plain_of
from leanformer import catalog
from leanformer.compress.quantise.binary import binary
from leanformer.compress.quantise.i_bert import ERF, gelu, whole
from leanformer.compress.quantise.ternary import ternary
from leanformer.models.classifier import Classifier
from leanformer.train.hooks.projected import Projected
from leanformer.train.objectives.imitation import Imitation
from leanformer.train.online_teacher import OnlineTeacher
from tests.making.tiny import roughen

ATLAS = read_atlas()
TECHNIQUES = [technique for technique in ATLAS.bench("sparsity") if technique.code]
CPU = torch.device("cpu")


def made(seed: int) -> Classifier:
    """A toy model whose weights are large enough to matter."""
    model = toy_start(13).make(seed)
    roughen(model)
    return model


@cache
def case() -> Case:
    """A model after a few steps."""
    empty = Case(replace(toy_start(13), make=made), made(13), 13, steps=6, batch=8, rate=3e-3, texts=16)
    return replace(empty, teacher=empty.trained())


def logits(model: Classifier) -> Tensor:
    rows = case().begun.test.rows[:8]
    with torch.no_grad():
        return torch.cat([model(ids, ids > 0) for ids in (torch.tensor(row)[None].long() for row in rows)])


def applied(technique: Technique, options: dict[str, object], given: Case | None = None) -> Tensor:
    torch.manual_seed(0)
    found = APPLY[technique.kind](given or case(), **options)
    answers = logits(found.model)
    for undo in found.undo:
        undo()
    return answers


def limit_of(technique: Technique) -> Tensor:
    toy = options_of(technique, quick=True)
    limited = {key: math.inf if value == ".inf" else value for key, value in technique.limited.items()}
    return applied(technique, toy | limited)


def twice(function: Callable[[Tensor], object]) -> Callable[[Technique], tuple[Tensor, Tensor]]:
    """A model whose weights have the values already stays as it is."""

    def both(technique: Technique) -> tuple[Tensor, Tensor]:
        model = case().copy()
        each(model, lambda _, weight: function(weight))  # type: ignore[arg-type, return-value]
        return applied(technique, {}, replace(case(), teacher=model)), logits(model)

    return both


def imitated(*hooks: Projected) -> Tensor:
    """Distillation as usual, with these hooks."""
    objective = Imitation(OnlineTeacher(case().teacher, CPU))
    return logits(case().trained(*hooks, model=case().copy(), objective=objective))


def polynomial(_: Technique) -> tuple[Tensor, Tensor]:
    """The polynomial of I-BERT in floating point."""
    x, (a, b, c) = torch.linspace(-5, 5, 501).double(), ERF
    inner = (x.abs() / math.sqrt(2)).clamp(max=-b)
    expected = x / 2 * (1 + x.sign() * (a * (inner + b).square() + c))
    q, scale = whole(x, 24)
    found, unit = gelu(q, scale)
    return found * unit, expected


LIMITS: dict[str, Callable[[Technique], tuple[Tensor, Tensor]]] = {
    "ternary": twice(ternary), "binary": twice(binary), "i_bert": polynomial,
    "xtc": lambda technique: (limit_of(technique), imitated()),
    "bit": lambda technique: (limit_of(technique), imitated(Projected(lambda weight: binary(weight).weight))),
}  # fmt: skip


def check_difference(ours: Tensor, theirs: Tensor) -> None:
    assert (ours - theirs).abs().max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: technique.kind)
def test_the_limit_is_exact_and_the_usual_setting_differs(technique: Technique):
    assert technique.limit, "an entry says what it is in a limit"
    if technique.kind in LIMITS:
        ours, expected = LIMITS[technique.kind](technique)
    else:
        ours, expected = limit_of(technique), logits(case().teacher)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)
    usual = applied(technique, options_of(technique, quick=True))
    check_difference(usual, logits(case().teacher))
    if technique.kind in ("xtc", "bit"):
        check_difference(usual, expected)


def test_a_technique_that_is_switched_off_fails():
    with pytest.raises(AssertionError):
        check_difference(logits(case().teacher), logits(case().copy()))


@pytest.mark.slow
@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: technique.kind)
def test_it_is_smaller_than_the_model_in_fp16_and_the_plain_way_has_about_as_many_bytes(technique: Technique):
    dense = 16 * sum(part.weight.numel() for part in case().teacher.encoder.layers.modules() if hasattr(part, "weight")
                     and part.weight.ndim == 2)  # fmt: skip
    found = APPLY[technique.kind](case(), **options_of(technique, quick=True))
    plain = APPLY[plain_of(technique.kind, quick=True)[0]](case(), **plain_of(technique.kind, quick=True)[1])
    for undo in (*found.undo, *plain.undo):
        undo()
    sizes = [each.bits if each.table is None else each.table for each in (found, plain)]
    if technique.kind in ("soft_movement", "l0"):  # their size is a result
        assert found.bits <= dense
        return
    assert found.table is not None or found.bits < dense
    # Scales and outliers weigh more in a toy.
    assert 0.6 < sizes[1] / sizes[0] < 1.6


def test_a_stabilised_ticket_rewinds_the_whole_model():
    start = case().begun.make(13)
    with suppress(EnoughError):
        case().trained(Until(3), model=start)
    expected = logits(case().trained(model=start))
    found = APPLY["stabilised_lottery"](case(), density=1.0, share=0.5, signs=False)
    torch.testing.assert_close(logits(found.model), expected, rtol=0, atol=1e-5)
    check_difference(logits(found.model), logits(case().teacher))


def test_every_technique_is_in_the_atlas_and_in_the_catalogue():
    listed = {name: code for name, code in catalog.REFERENCE.items() if not name.startswith(("attention.", "adapter."))}
    expected = {each.code.partition(":")[0].removeprefix("leanformer."): each.code for each in TECHNIQUES}
    assert listed == expected and len(listed) == len(TECHNIQUES)
    assert all(10 < len(catalog.title(name)) < 120 for name in listed)
    kinds = {technique.kind for technique in TECHNIQUES}
    assert kinds == set(USUAL) == set(PLAIN) and kinds <= set(APPLY)
