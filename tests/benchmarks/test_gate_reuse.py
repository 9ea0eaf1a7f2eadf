"""Every way to reuse data that the program lists, against models with the records that the commands would write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ladders.gate_reuse import PASSED, REFUSED, TOLD, WAYS, Way, generated, try_way
from leanformer.cascade.plan import Plan
from leanformer.cascade.store import write_cascade
from leanformer.data.examples import Examples
from leanformer.data.used_texts import UsedTexts, attach
from leanformer.models.classifier import Classifier
from leanformer.models.store import write_classifier
from leanformer.task import Task
from tests.making.tiny import tiny_artifact, tiny_config, tiny_tokenizer

LABELS = ("broken", "late", "lost", "stolen")


@pytest.fixture(scope="module")
def splits() -> dict[str, list[dict[str, Any]]]:
    return generated()


def texts_of(task: Task, rows: Sequence[dict[str, Any]]) -> Examples:
    pairs = tuple(row["text_pair"] for row in rows) if task.pairs else None
    return Examples(task, tuple(row["text"] for row in rows), None, pairs)


@pytest.fixture(scope="module")
def models(
    splits: dict[str, list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, Path]]:
    """The models of the program, untrained; the gate is asked for its forecast, which runs no model."""
    folder = tmp_path_factory.mktemp("models")
    task, pair_task = Task("classification", LABELS), Task("pair", ("other", "same"))
    teacher, lean = (
        tiny_artifact(folder / name, config=tiny_config(labels=4), seed=seed, labels=LABELS)
        for seed, name in enumerate(("teacher", "lean"))
    )
    used = {
        prefix: UsedTexts.of(**{role: texts_of(kind, splits[prefix + role]) for role in ("train", "unlabelled", "dev")})
        for prefix, kind in (("", task), ("teacher-", task), ("pair-", pair_task))
    }
    teacher = attach(teacher, used["teacher-"])
    lean = attach(lean, used[""] | used["teacher-"] | UsedTexts.of(test=texts_of(task, splits["test"])))
    plan = Plan("margin", (1.0,), (0.5,))
    both = write_cascade([lean, teacher], plan, folder / "both", calibrated=texts_of(task, splits["calibration"]))
    pairs = write_classifier(
        Classifier(tiny_config(labels=2)), folder / "pairs", task=pair_task,
        tokenizer=tiny_tokenizer(folder / "tokenizer"), max_tokens=32, history=(),
    )  # fmt: skip
    pairs = attach(pairs, used["pair-"])
    return {
        "lean": (lean.path, teacher.path), "both": (both.path, teacher.path), "pairs": (pairs.path, pairs.path)
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("number", "way"), [*enumerate(WAYS)], ids=[way.name for way in WAYS])
def test_a_way_is_caught_or_told(
    number: int,
    way: Way,
    splits: dict[str, list[dict[str, Any]]],
    models: dict[str, tuple[Path, Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("sys.argv", [])
    found = try_way(way, number, splits, models[way.model], tmp_path, "--forecast")
    assert found["as_expected"], found
    assert (found["exit_status"] == 1) == (way.expected == REFUSED)


def test_there_are_twenty_ways_and_few_that_are_only_told():
    reused = [way for way in WAYS if way.expected != PASSED]
    assert len(reused) >= 20 and len({way.name for way in WAYS}) == len(WAYS)
    assert sum(way.expected == TOLD for way in reused) <= 4


def test_a_gate_that_knows_nothing_is_not_as_expected(
    splits: dict[str, list[dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sys.argv", [])
    bare = tiny_artifact(tmp_path / "bare", config=tiny_config(labels=4), labels=LABELS).path
    caught = [way for way in WAYS if way.model == "lean" and way.expected == REFUSED]
    for number, way in enumerate(caught[:3]):
        assert not try_way(way, number, splits, (bare, bare), tmp_path, "--forecast")["as_expected"]
