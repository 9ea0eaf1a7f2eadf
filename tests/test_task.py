"""Tasks: what a kind implies, and that manifests of any age can be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leanformer.inputs.kinds import input_of
from leanformer.task import BUILT, Kind, Task, kind_of

AB = ("a", "b")
LEARNT = Task("tokens", ("O", "B-X"), transitions=((0.5, -0.25), (1.0, 0.0), (0.0, -2.0)))


@pytest.mark.parametrize(
    ("kind", "labels", "pairs", "answer", "outputs"),
    [
        ("classification", AB, False, "label", 2),
        ("pair", AB, True, "label", 2),
        ("multilabel", AB, False, "labels", 2),
        ("similarity", (), True, "score", 1),
        ("regression", (), False, "score", 1),
    ],
)
def test_a_kind_says_what_goes_in_and_what_comes_out(
    kind: str, labels: tuple[str, ...], pairs: bool, answer: str, outputs: int
) -> None:
    task = Task(kind, labels)
    assert (input_of(task).paired, task.answer, task.outputs) == (pairs, answer, outputs)


def test_json_keeps_everything_and_adds_nothing_to_older_manifests() -> None:
    for task in (Task("multilabel", AB, thresholds=(0.25, 0.5)), Task("similarity", (), scale=(2.5, 1.5)), LEARNT):
        assert Task.from_json(json.loads(json.dumps(task.to_json()))) == task
        assert task.question == Task(task.kind, task.labels) != task
    older = {"kind": "classification", "labels": ["a", "b"]}
    assert Task.from_json(older) == Task("classification", AB)
    # Hashes of artifacts and caches are taken over this; another form would lose them all.
    assert Task("classification", AB).to_json() == older
    assert Task("tokens", ("O", "B-X")).to_json() == {"kind": "tokens", "labels": ["O", "B-X"]}
    iob1 = Task("tokens", ("O", "B-X"), scheme="IOB1")
    assert Task.from_json(iob1.to_json()) == iob1 and iob1.question == Task("tokens", ("O", "B-X"))


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "sorting", "labels": AB},
        {"kind": "pair", "labels": ("a", "a")},
        {"kind": "similarity", "labels": AB},
        {"kind": "multilabel", "labels": AB, "thresholds": (0.5,)},
        {"kind": "multilabel", "labels": AB, "thresholds": (0.5, 1.5)},
        {"kind": "multilabel", "labels": AB, "thresholds": (0.5, float("nan"))},
        {"kind": "classification", "labels": AB, "thresholds": (0.5, 0.5)},
        {"kind": "similarity", "labels": (), "scale": (0.0, 0.0)},
        {"kind": "multilabel", "labels": AB, "scale": (0.0, 1.0)},
        {"kind": "classification", "labels": AB, "transitions": LEARNT.transitions},
        {"kind": "tokens", "labels": ("O", "B-X"), "transitions": ((0.0, 0.0), (0.0, 0.0))},
        {"kind": "tokens", "labels": ("O",), "transitions": ((0.0,), (float("inf"),))},
        {"kind": "tokens", "labels": ("O", "B-X"), "scheme": "IOB2"},
        {"kind": "classification", "labels": AB, "scheme": "IOB1"},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Task(**values)


def test_every_built_kind_differs_from_the_others() -> None:
    assert len({(kind.input, kind.answer) for kind in BUILT.values()}) == len(BUILT)
    assert [kind_of(kind.input, kind.answer) for kind in BUILT.values()] == list(BUILT)
    assert kind_of("pair", "labels") is None


@pytest.mark.parametrize("kind", ["sorting", "cloze"])
def test_a_kind_that_is_not_built_is_refused_with_those_that_are(kind: str) -> None:
    with pytest.raises(ValueError, match=f"unknown task kind '{kind}'; one of classification, pair, "):
        Task(kind, ())


def test_an_input_that_is_not_built_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown input 'pictures'; one of text, pair"):
        Kind("pictures", "choice")
