"""What the rungs of a ladder are timed on, and what is told of how."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import leanformer.ladder.timing as timing
from leanformer.ladder.entries import baseline_entries
from leanformer.ladder.timing import Choosing, RungStanding, other_texts, time_rungs
from leanformer.measure import speed
from leanformer.measure.load import Load
from leanformer.measure.speed import SpeedSettings
from tests.making.graphs import make_onnx
from tests.making.tiny import tiny_dataset


def test_others_are_texts_of_other_splits_and_none_that_is_asked():
    data = tiny_dataset()
    assert data.test is not None and data.train is not None
    found = other_texts(data, data.test, seed=1)
    assert found and not set(found) & set(data.test.inputs)
    known = {text for split in (data.train, data.dev, data.unlabelled) if split for text in split.inputs}
    assert set(found) <= known and len(found) <= timing.READ_BEFORE
    assert found == other_texts(data, data.test, seed=1) != other_texts(data, data.test, seed=2)
    assert len(other_texts(data, data.test, seed=1, most=7)) == 7
    leaked = replace(data, dev=data.test)
    assert not set(other_texts(leaked, data.test, seed=1)) & set(data.test.inputs)
    alone = replace(data, train=None, dev=None, unlabelled=None)
    assert other_texts(alone, data.test, seed=1) == []


class Busy:
    """A machine of which others take a third."""

    def __init__(self, cores: int) -> None:
        self.cores = cores

    def load(self) -> Load:
        return Load(True, 0.33, 10.0, 0.0, (1.0, 3.0), 30.0, self.cores, 2)


@pytest.fixture
def timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[timing.Timing, list[str]]:
    monkeypatch.setattr(speed, "_SETTLE_SECONDS", 0)
    monkeypatch.setattr(timing, "LoadWatch", Busy)
    data, said = tiny_dataset(), list[str]()
    assert data.test is not None
    entries = baseline_entries(make_onnx(tmp_path)[0], 1)
    standings = [RungStanding(entry.name, 0.9, (), entry.chooseable, True) for entry in entries]
    settings = SpeedSettings(rounds=5, latency_texts=5, seconds=0.001)
    found = time_rungs(
        entries, standings, data, data.test, settings, threads=1, choosing=Choosing(), seed=1, say=said.append
    )
    return found, said


def test_slow_rungs_are_timed_in_every_other_round(timed: tuple[timing.Timing, list[str]]):
    found, _ = timed
    assert [sorted(each.rounds["throughput"]) for each in found.speeds] == [
        ["1", "3", "5"], ["1", "3", "5"], ["1", "2", "3", "4", "5"],
    ]  # fmt: skip
    assert found.settings["rounds"] == 5 and found.settings["read_before"] > 0
    assert (
        found.ratios[2]["over_batched"] == found.ratios[0]["speedup"] == found.ratios[1]["speedup_over_unpadded"] == 1
    )


def test_a_busy_machine_is_told_at_once(timed: tuple[timing.Timing, list[str]]):
    found, said = timed
    assert found.load["busy"] and found.load["load_average"] == [1.0, 3.0]
    assert any(line.startswith("note: the machine was busy") and "33 %" in line for line in map(str, said))


class AskedError(Exception):
    pass


@pytest.mark.parametrize("choosing", [None, Choosing("latency", 2.0, True)])
def test_the_rungs_are_timed_after_other_texts_and_until_the_choice_is_sure(
    choosing: Choosing | None, monkeypatch: pytest.MonkeyPatch
):
    def measure_speed(predictors: object, texts: object, settings: object, **options: object) -> None:
        raise AskedError(options)

    monkeypatch.setattr(timing, "measure_speed", measure_speed)
    data = tiny_dataset()
    assert data.test is not None
    standings = [RungStanding("a", 0.9, (), True, True)]
    with pytest.raises(AskedError) as caught:
        time_rungs([], standings, data, data.test, SpeedSettings(), threads=1, choosing=choosing, seed=3, say=print)
    (options,) = caught.value.args
    assert options["others"] == other_texts(data, data.test, 3) and options["seed"] == 3
    contest = options["contest"]
    assert contest == (None if choosing is None else timing.RungContest("latency", standings, 2.0, True))
