"""Models of equal size, trained on equal batches."""

from __future__ import annotations

import torch

from benchmarks.atlas.tasks import LISTS, nested_lists
from benchmarks.atlas.training import Sizes, padded, parameters, right, shape, trained

TASK = nested_lists(8, 4, 20)
SIZES = Sizes({LISTS: 60}, hidden=32, ffn=64, layers=1, batch=8, rate=5e-3)


def test_it_learns_and_a_seed_gives_the_same_model():
    config = shape(TASK, SIZES, "softmax", {})
    hits = [right(trained(config, TASK, SIZES, seed)[0], TASK.train) for seed in (1, 1)]
    assert hits[0] == hits[1] and hits[0].count("1") > 4, "chance is one or two"


def test_kinds_have_equal_parameters():
    softmax, mixed = (shape(TASK, SIZES, kind, {}) for kind in ("softmax", "fnet"))
    assert mixed.layers[0].ffn > softmax.layers[0].ffn == 64
    assert abs(parameters(mixed) - parameters(softmax)) < 2 * mixed.unit_parameters


def test_answers_keep_the_order_of_the_rows():
    rows = [([2, 3], 0), ([4, 5, 6], 1), ([7], 0)]
    ids, labels = padded(rows)
    assert ids.tolist() == [[2, 3, 0], [4, 5, 6], [7, 0, 0]] and labels.tolist() == [0, 1, 0]

    def model(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        assert mask.tolist() == (ids != 0).tolist()
        return torch.nn.functional.one_hot((ids[:, 0] == 4).long(), 2).float()

    assert right(model, rows, batch=2) == "111" and right(model, [*rows, ([4], 0)], batch=2) == "1110"
