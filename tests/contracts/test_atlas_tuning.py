"""What every way of fine-tuning in atlas.yaml promises: an exact limit, and to train only what it says.

A test file of a reference adapter may have `at_limit()`, both sides of its limit, and `usual()`, its usual setting and
what it differs from. Without them the limit is the base model: an adapter that has not been trained changes nothing.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import pytest
import torch
from torch import Tensor

from benchmarks.atlas.entries import Technique, read_atlas
from benchmarks.atlas.finetuned import fine_tune, right, toy_start
from benchmarks.atlas.tuning import CONTROL, made
from leanformer import catalog
from leanformer.train.adapters.kinds import ADAPTERS
from leanformer.train.hooks.hook import Hook
from leanformer.train.objectives.objective import LabelLoss, ObjectivePart, Supervised
from tests.making.adapted import attached, base, logits, redrawn

ATLAS = read_atlas()
TECHNIQUES = [each for each in ATLAS.bench("tuning") if each.code and each.kind != CONTROL]
REFERENCES = [each for each in TECHNIQUES if each.kind not in ADAPTERS]
START = toy_start(13)


def pair(technique: Technique, function: str) -> tuple[Tensor, Tensor]:
    """What the technique's test file gives, or the base model and the adapter before and after its parameters move."""
    name = f"tests.train.adapters.test_{technique.kind}"
    module = import_module(name) if find_spec(name) else None
    if module is not None and hasattr(module, function):
        return getattr(module, function)()  # type: ignore[no-any-return]
    adapter = made(technique, technique.toy, START)
    assert adapter is not None
    model = attached(adapter)
    if function == "usual":
        redrawn(adapter, model, head=technique.kind == "head_only")
    return logits(model), base()


def check_difference(ours: Tensor, theirs: Tensor) -> None:
    assert (ours - theirs).abs().max() > 1e-3


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda each: each.kind)
def test_the_limit_is_exact_and_the_usual_setting_differs(technique: Technique):
    assert technique.limit, "an entry says what it is in a limit"
    ours, expected = pair(technique, "at_limit")
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)
    check_difference(*pair(technique, "usual"))


def test_a_technique_that_is_switched_off_fails():
    with pytest.raises(AssertionError):
        check_difference(base(), base())


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda each: each.kind)
def test_it_trains_what_it_says_and_nothing_else(technique: Technique):
    model, adapter = START.make(1), made(technique, technique.toy, START)
    before = {name: (parameter, parameter.detach().clone()) for name, parameter in model.named_parameters()}
    tensors = set(model.state_dict())
    kept: list[int] = []

    class Seen(Hook):
        def begin(self, run: object) -> None:
            kept.extend(id(p) for group in adapter.groups(model) for p in group.parameters)  # type: ignore[union-attr]

    objective = Supervised(LabelLoss("label"))
    fine_tune(
        model, START, rate=0.01, steps=3, seed=1, adapter=adapter,
        objective=adapter.around(objective) if isinstance(adapter, ObjectivePart) else objective,
        hooks=[Seen(), *([adapter] if isinstance(adapter, Hook) else [])],
    )  # fmt: skip
    assert adapter is not None
    assert adapter.merges == (set(model.state_dict()) == tensors), "a merged model is a plain one, and no other is"
    moved = {name for name, (parameter, value) in before.items() if not torch.equal(parameter, value)}
    assert {"head.classifier.weight", "head.classifier.bias"} <= moved
    if not adapter.merges:
        assert {id(before[name][0]) for name in moved} <= set(kept)
    assert not any(name.startswith("encoder.embeddings") for name in moved) or technique.kind in WHOLE
    assert all(parameter.requires_grad for parameter, _ in before.values()), "all is thawed at the end"
    assert set(right(model, START.test)) <= {"0", "1"}


# They choose among all parameters, those of the embeddings too; a bias of the embeddings' norm is one of BitFit's.
WHOLE = {"bitfit", "fish_mask"}


def test_every_reference_adapter_is_in_the_atlas_and_in_the_catalogue():
    listed = {name: code for name, code in catalog.REFERENCE.items() if name.startswith("adapter.")}
    assert {f"adapter.{technique.kind}": technique.code for technique in REFERENCES} == listed
    assert all(10 < len(catalog.title(name)) < 120 for name in listed)
    assert all(len(technique.rates) == 3 for technique in ATLAS.bench("tuning") if technique.code)


def test_a_reference_adapter_is_no_option():
    assert not {technique.kind for technique in REFERENCES} & set(ADAPTERS)
