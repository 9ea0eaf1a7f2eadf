"""Adapters of linear maps: at first nothing changes, few parameters are trained, and the merged model is the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from leanformer.errors import LeanformerError
from leanformer.models.classifier import Classifier
from leanformer.train.adapters.kinds import adapter
from leanformer.train.adapters.maps import MapAdapter
from leanformer.train.hooks.averaging import Averaging
from tests.making.family_models import CASES, family_classifier
from tests.making.tiny import roughen, tiny_classifier
from tests.making.trainings import SETTINGS, KilledError, Run, equal

EVERY_MAP = "query+key+value+output+gate+up+down"
KINDS = ("lora", "dora", "ia3", f"lora:rank=2,on={EVERY_MAP}", f"dora:on={EVERY_MAP}", f"ia3:on={EVERY_MAP}")
IDS = torch.arange(1, 13).reshape(2, 6)


def logits(model: Classifier) -> Tensor:
    with torch.no_grad():
        return model(IDS, torch.ones_like(IDS))


def attached(kind: str, model: Classifier) -> MapAdapter:
    made = adapter(kind)
    assert isinstance(made, MapAdapter)
    made.attach(model)
    return made


@pytest.fixture(scope="module")
def families() -> dict[str, Classifier]:
    return {"bert": tiny_classifier()} | {" ".join(case): family_classifier(*case) for case in CASES}


@pytest.mark.parametrize("kind", KINDS)
def test_merged_is_unmerged_in_every_family(kind: str, families: dict[str, Classifier]) -> None:
    for family, model in families.items():
        start = {name: value.clone() for name, value in model.state_dict().items()}
        before, made = logits(model), attached(kind, model)
        assert torch.allclose(logits(model), before, atol=1e-6), family
        drawn = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for group in made.groups(model):
                for parameter in group.parameters:
                    parameter += 0.2 * torch.randn(parameter.shape, generator=drawn)
        unmerged = logits(model)
        made.merge(model)
        assert torch.allclose(logits(model), unmerged, atol=1e-5), family
        assert (unmerged - before).abs().max() > 1e-2
        assert model.state_dict().keys() == start.keys()
        assert all(type(module) is not nn.Linear or module.weight.requires_grad for module in model.modules())
        model.load_state_dict(start)


@pytest.mark.parametrize("kind", ["lora", "ia3"])
def test_only_its_maps_and_the_head_change(kind: str, tmp_path: Path) -> None:
    run = Run(tmp_path, replace(SETTINGS, epochs=1, checkpoint_seconds=1e9))
    run.adapter = adapter(kind)
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    run.fit()
    on = {"ia3": ("key.weight", "key.bias", "value.weight", "value.bias", "down.weight")}
    for name, value in run.model.state_dict().items():
        changed = name.startswith("head.") or name.endswith(on.get(kind, ("query.weight", "value.weight")))
        # The keys' bias adds the same to all scores of a query, so its gradient is nought but for rounding.
        assert torch.equal(value, before[name]) != changed or name.endswith("key.bias"), name
    assert all(p.requires_grad for p in run.model.parameters())


def test_parameters_are_those_of_the_formula() -> None:
    hidden, ffn, labels, layers = 32, 48, 3, 2
    head = hidden * (hidden + 1) + labels * (hidden + 1)
    own = {
        "lora:rank=4": layers * 2 * 4 * 2 * hidden, "dora:rank=4": layers * 2 * (4 * 2 * hidden + hidden),
        "ia3": layers * (2 * hidden + ffn), "lora:rank=4,on=up": layers * 4 * (hidden + ffn),
    }  # fmt: skip
    for kind, count in own.items():
        model = tiny_classifier()
        trained = [p for group in attached(kind, model).groups(model) for p in group.parameters]
        assert sum(p.numel() for p in trained) == count + head, kind
        assert {id(p) for p in trained} == {id(p) for p in model.parameters() if p.requires_grad}


def test_a_killed_run_ends_with_the_same_bytes_and_its_checkpoint_is_small(tmp_path: Path) -> None:
    def made(folder: Path) -> Run:
        run = Run(folder, replace(SETTINGS, epochs=2))
        run.adapter, run.hooks = adapter("dora"), [Averaging(0.5)]
        return run

    whole, killed, again = made(tmp_path / "whole"), made(tmp_path), made(tmp_path)
    result = whole.fit()
    assert result.adapter is whole.adapter and any("adapter: trains " in line for line in whole.said)
    left = 11

    def die(text: str) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise KilledError

    with pytest.raises(KilledError):
        killed.fit(say=die)
    stored = {name: load_file(killed.folder / f"{name}.safetensors") for name in ("model", "best", "optimizer")}
    assert not any("embeddings" in name or ".query.weight" in name for name in (*stored["model"], *stored["best"]))
    trained = sum(value.numel() for value in stored["model"].values())
    assert sum(value.numel() for value in stored["optimizer"].values()) < 2.1 * trained  # two moments and counters
    torch.manual_seed(99)  # what an adapter draws does not depend on what was drawn before
    assert again.fit().scores == result.scores and again.said[0].startswith("taken up")
    assert equal(again.weights(), whole.weights())


def test_its_own_parameters_are_kept_and_tell_the_difference() -> None:
    model = tiny_classifier()
    before = model.encoder.layers[0].attention.query.weight.detach().clone()
    made = attached("lora:rank=2", model)
    roughen(model)
    for name, parameter in model.named_parameters():
        if name.endswith("query.weight"):
            parameter.data.copy_(before)
    made.merge(model)
    own = made.trained["encoder.layers.0.attention.query"]
    after = model.encoder.layers[0].attention.query.weight
    assert torch.allclose(after - before, 2 * own["lora_b"] @ own["lora_a"], atol=1e-6)


def test_a_model_without_such_maps_is_refused() -> None:
    model = tiny_classifier()
    with pytest.raises(LeanformerError, match=r"adapter lora changes the maps gate, and this model has none"):
        adapter("lora:on=gate").attach(model)
    assert all(p.requires_grad for p in model.parameters())
