"""Picking: the best within the bounds, the nearest where there is none, times taken once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leanformer.artifact import Artifact
from leanformer.errors import LeanformerError
from leanformer.kept import keep
from leanformer.measure.speed import SpeedSettings
from leanformer.task import Task
from leanformer.tokenizer import Tokenizer
from leanformer.tune import pick as module
from leanformer.tune.family import Family, read_family
from leanformer.tune.pick import Bounds, TimedMember, choose, deliver, pick, typical_texts, whole_words
from tests.making.graphs import make_int8
from tests.making.tiny import tiny_artifact, tiny_kind_dataset
from tests.tune.test_family import MEMBER, written


def timed(name: str, latency_ms: float, quality: float, size: int) -> TimedMember:
    return TimedMember(replace(MEMBER, name=name, quality=quality, drop=100 * (0.9 - quality), bytes=size), latency_ms,
                       1000 / latency_ms)  # fmt: skip


MEMBERS = [
    timed("s", 0.1, 0.80, 10),
    timed("m", 0.2, 0.88, 20),
    timed("l", 0.4, 0.895, 40),
    timed("slow", 0.5, 0.895, 40),
]


@pytest.mark.parametrize(
    ("bounds", "chosen"),
    [
        (Bounds(latency_ms=0.3), "m"), (Bounds(latency_ms=0.1), "s"), (Bounds(latency_ms=9), "l"),
        (Bounds(bytes=39), "m"), (Bounds(throughput=2400), "l"), (Bounds(throughput=2600), "m"),
        (Bounds(max_drop=2.1), "m"), (Bounds(max_drop=99), "s"), (Bounds(max_drop=1, latency_ms=0.45), "l"),
        (Bounds(bytes=25, throughput=6000), "s"), (Bounds(max_drop=100 * (0.9 - 0.88) - 1e-12, bytes=30), "m"),
    ],
    ids=str,
)  # fmt: skip
def test_the_best_within_the_bounds(bounds: Bounds, chosen: str):
    picked = choose(MEMBERS, bounds)
    assert picked.chosen.member.name == chosen
    assert picked.reason.startswith("the fastest" if bounds == Bounds(max_drop=bounds.max_drop) else "the best on dev")


@pytest.mark.parametrize(
    ("bounds", "nearest"),
    [
        (Bounds(latency_ms=0.05), "s"), (Bounds(max_drop=0.1), "l"), (Bounds(bytes=5), "s"),
        (Bounds(latency_ms=0.15, max_drop=1), "s|m|l"),
    ],
    ids=str,
)  # fmt: skip
def test_where_none_keeps_them_the_nearest_is_named(bounds: Bounds, nearest: str):
    with pytest.raises(LeanformerError, match=f"no member keeps at most .*; the nearest, '({nearest})', takes .* ms"):
        choose(MEMBERS, bounds)


@pytest.mark.parametrize("bounds", [Bounds(), Bounds(latency_ms=0), Bounds(bytes=-1), Bounds(throughput=float("nan"))])
def test_bounds_that_mean_nothing_are_refused(bounds: Bounds, tmp_path: Path):
    with pytest.raises(LeanformerError, match=r"nothing to pick by|not a bound"):
        pick(written(tmp_path), bounds, cores=1)


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    folder = tmp_path_factory.mktemp("family")
    artifact = make_int8(folder / "made")
    (folder / "members").mkdir()
    artifact.path.rename(folder / "members" / "0")
    written(folder, replace(MEMBER, content_hash=artifact.content_hash))
    return read_family(folder)


def test_times_are_taken_once_on_a_machine_and_the_model_is_delivered(
    family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "SPEED", SpeedSettings(rounds=1, latency_texts=8, seconds=0.01))
    first = pick(family, Bounds(latency_ms=1000), cores=1)
    assert 0 < first.chosen.latency_ms != MEMBER.latency_ms and first.chosen.throughput_per_second > 0

    def refused(*arguments: object, **given: object) -> None:
        raise InterruptedError

    monkeypatch.setattr(module, "measure_speed", refused)
    assert pick(family, Bounds(latency_ms=1000), cores=1) == first
    with pytest.raises(InterruptedError):
        pick(family, Bounds(latency_ms=1000), cores=2)
    # What is kept beside a family may come from anywhere, like the family.
    for path in (family.path / "tuning").glob("family-*.json"):
        value = json.loads(path.read_text(encoding="utf-8"))
        for wrong in ({"times": [[0, 0]]}, {"times": [[1.0]]}, {"times": "1"}, {"format_version": 1}):
            keep(path, {key: part for key, part in value.items() if key not in ("times", "sha256")} | wrong)
            with pytest.raises(InterruptedError):
                pick(family, Bounds(latency_ms=1000), cores=1)
    made = deliver(family, first.chosen.member, tmp_path / "picked", lambda line: None)
    assert made.content_hash == first.chosen.member.content_hash and (tmp_path / "picked" / "beside.json").is_file()


def test_texts_are_as_long_as_those_of_dev(tmp_path: Path):
    artifact = tiny_artifact(tmp_path / "tiny")
    texts = typical_texts(artifact, (3, 12, 30), 12, seed=1)
    tokenizer = Tokenizer(artifact.file("tokenizer.json"), 32)
    assert [len(row) for row in tokenizer.encode(texts)] == [3, 12, 30] * 4
    assert len(typical_texts(artifact, (1 << 53,), 1, seed=1)[0]) < 1 << 20, "no more than memory holds"
    assert texts == typical_texts(artifact, (3, 12, 30), 12, seed=1) != typical_texts(artifact, (3, 12, 30), 12, seed=2)
    assert {"rain", "the"} <= set(whole_words(artifact.file("tokenizer.json")))


def test_texts_are_of_the_kind_that_the_model_reads(tmp_path: Path):
    pair = replace(tiny_artifact(tmp_path / "tiny"), task=tiny_kind_dataset("pair").task)
    assert isinstance(pair, Artifact)
    texts = typical_texts(pair, (12,), 4, seed=1)
    assert all(isinstance(text, tuple) and [len(part.split()) for part in text] == [5, 5] for text in texts)
    assert np.unique([text[0] for text in texts]).size == 4
    choice = replace(pair, task=Task("choice", ()))
    ((text, candidates),) = typical_texts(choice, (12,), 1, seed=1)
    assert [len(part.split()) for part in (text, *candidates)] == [5, 5, 5], "a row is the text with one candidate"
