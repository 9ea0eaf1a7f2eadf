"""Rows are drawn by class, batches are the same for every technique, and training learns."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.atlas.finetuned import divided, fine_tune, right, toy_start
from leanformer.train.adapters.kinds import adapter
from tests.making.tiny import tiny_dataset


def test_so_many_rows_of_each_class_are_drawn_and_the_rest_is_left():
    examples = tiny_dataset().train
    assert examples is not None
    few, rest = divided(examples, 4, seed=1)
    assert np.bincount(few.targets).tolist() == [4, 4, 4] and len(few) + len(rest) == len(examples)
    assert not set(few.texts) & (set(rest.texts) - set(few.texts)) and set(few.texts) <= set(examples.texts)
    assert few.texts != divided(examples, 4, seed=2)[0].texts
    assert len(divided(examples, None, seed=1)[0]) == len(examples)


def test_it_learns_its_rows_and_a_seed_gives_the_same_model():
    begun = toy_start(1)
    models = []
    for _ in range(2):
        model = begun.make(5)
        fine_tune(model, begun, rate=3e-3, steps=60, seed=5)
        models.append(model)
    assert all(torch.equal(weight, other) for weight, other in zip(*(m.parameters() for m in models), strict=True))
    assert right(models[0], begun.train).count("1") > 8 > right(begun.make(5), begun.train).count("1")


def test_an_adapter_is_merged():
    begun = toy_start(1)
    model = begun.make(5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fine_tune(model, begun, rate=3e-3, steps=3, seed=5, adapter=adapter("lora"))
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {f"encoder.layers.{n}.attention.{part}.weight" for n in (0, 1) for part in ("query", "value")} | {
        name for name in before if name.startswith("head.")
    }
