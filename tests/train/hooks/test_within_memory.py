"""A run within an amount of memory: what is planned is done, told and kept, and what it takes is what was foreseen."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from leanformer.errors import LeanformerError
from leanformer.models import scoring
from leanformer.train import allocator
from leanformer.train.eight_bit import AdamW8bit
from leanformer.train.feeds.by_group import feed_of
from leanformer.train.hooks import within_memory
from leanformer.train.hooks.hook import Hook
from leanformer.train.hooks.hook import Run as RunOfHooks
from leanformer.train.hooks.within_memory import WithinMemory
from leanformer.train.loop import Plan
from leanformer.train.memory import Choice
from leanformer.train.parts import fit_with_parts
from tests.making.trainings import CPU, SETTINGS, KilledError, Run, equal

HELD = 1_000_000  # bytes of the process, in these tests


class Seen(Hook):
    """Notes what a step and a score of the run are made with."""

    name = "seen"

    def __init__(self, die_after: int = 10**9) -> None:
        self.optimizers: set[type] = set()
        self.recomputed: set[bool] = set()
        self.scored: set[int] = set()
        self.steps, self._die_after = 0, die_after

    def after_step(self, run: RunOfHooks) -> None:
        self.optimizers.add(type(run.optimizer))
        self.recomputed.add(run.model.encoder.recomputes)  # type: ignore[union-attr]
        self.steps += 1
        if self.steps > self._die_after:
            raise KilledError


def trained(run: Run, *parts: tuple[str, Any], seen: Seen | None = None, device: torch.device = CPU) -> list[str]:
    settings = replace(run.settings, parts=parts)
    said: list[str] = []

    def score() -> float:
        if seen is not None:
            seen.scored.add(scoring.MOST_TOKENS.get())
        return run.score()

    plan = Plan(settings, score, run.folder, "tiny", device, say=lambda line: said.append(str(line)))
    feed = feed_of(run.data, settings)
    fit_with_parts(run.model, run.objective, feed, plan, [] if seen is None else [seen])
    return said


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of a known size, in which nothing is set for others."""
    monkeypatch.setattr(within_memory, "resident_bytes", lambda: HELD)
    monkeypatch.setattr(within_memory, "return_freed_memory", lambda: True)


def least(run: Run) -> float:
    """The megabytes that the smallest way of the run takes, as its refusal tells them."""
    with pytest.raises(LeanformerError, match="at least") as error:
        trained(run, ("memory", "1KB"))
    return float(str(error.value).split("takes ")[1].split(" MB")[0])


def test_enough_memory_changes_nothing(tmp_path: Path) -> None:
    plain, within = Run(tmp_path / "plain"), Run(tmp_path / "within")
    trained(plain)
    seen = Seen()
    said = trained(within, ("memory", "100GB"), seen=seen)
    assert said[0].startswith("memory 100GB: blocks of 150 tokens; a peak of about") and "fastest" not in said[1]
    assert equal(plain.weights(), within.weights())
    assert seen.recomputed == {False} and AdamW8bit not in seen.optimizers and seen.scored == {150}
    assert scoring.MOST_TOKENS.get() == 8192


def test_little_memory_is_kept_to_by_all_means(tmp_path: Path) -> None:
    run, seen = Run(tmp_path), Seen()
    said = trained(run, ("memory", f"{1.01 * least(Run(tmp_path / 'other')):.3f}MB"), seen=seen)
    assert "gradient checkpointing" in said[0] and "the fastest way that fits" in said[1]
    budget = int(said[0].split("blocks of ")[1].split(" ")[0])
    assert seen.recomputed == {True} and seen.scored == {budget} and budget < 150
    assert not run.model.encoder.recomputes, "nothing stays switched on"


@pytest.mark.parametrize("eight", [False, True])
def test_what_is_chosen_is_done(eight: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(within_memory, "fastest", lambda *given: Choice(40, True, eight, {"process": 1}, 1.0))
    run, plain, seen = Run(tmp_path / "one"), Run(tmp_path / "other"), Seen()
    trained(run, ("memory", "1GB"), seen=seen)
    assert seen.recomputed == {True} and seen.scored == {40} and not run.model.encoder.recomputes
    plain.settings = replace(SETTINGS, token_budget=40)
    trained(plain, *([("eight_bit_states", True)] if eight else []))
    assert seen.optimizers == {AdamW8bit if eight else torch.optim.AdamW}
    assert equal(plain.weights(), run.weights()), "the same as if it had been asked for"


def test_what_was_asked_for_is_not_undone(tmp_path: Path) -> None:
    seen = Seen()
    trained(Run(tmp_path), ("eight_bit_states", True), ("checkpointing", True), ("memory", "100GB"), seen=seen)
    assert seen.recomputed == {True} and seen.optimizers == {AdamW8bit}


@pytest.mark.parametrize("parts", [(), (("adapter", "lora"), ("averaging", 0.9))])
def test_a_killed_run_keeps_its_plan_and_ends_with_the_same_bytes(
    parts: tuple[tuple[str, Any], ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    amount = ("memory", f"{1.05 * least(Run(tmp_path / 'least')):.3f}MB")
    whole = Run(tmp_path / "whole")
    said = trained(whole, *parts, amount)
    killed = Run(tmp_path / "killed")
    with pytest.raises(KilledError):
        trained(killed, *parts, amount, seen=Seen(11))
    again = Run(tmp_path / "killed")
    monkeypatch.setattr(within_memory, "resident_bytes", lambda: HELD * 100)  # another plan, or none, if made anew
    resumed = trained(again, *parts, amount)
    plan = said[0].split("; ")[0]
    assert any(line == f"{plan}, as before" for line in resumed) and any("taken up" in line for line in resumed)
    assert equal(whole.weights(), again.weights())


def test_an_adapter_has_smaller_states_and_gradients(tmp_path: Path) -> None:
    assert least(Run(tmp_path / "lora")) > 0
    with pytest.raises(LeanformerError) as error:
        trained(Run(tmp_path / "one"), ("adapter", "lora"), ("memory", "1KB"))
    assert float(str(error.value).split("takes ")[1].split(" MB")[0]) < least(Run(tmp_path / "whole"))


def test_wrong_amounts_and_other_devices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LeanformerError, match=r"memory is an amount with its unit, such as 2GB"):
        WithinMemory("much")
    hook, run = WithinMemory("2GB"), Run(tmp_path)
    hook.around(run.objective, feed_of(run.data, SETTINGS), Plan(SETTINGS, run.score, None, "", torch.device("meta")))
    with pytest.raises(LeanformerError, match=r"runs on meta\n  remedy: --device cpu"):
        hook.begin(RunOfHooks(run.model, torch.nn.ModuleDict(), SETTINGS, None, 1))  # type: ignore[arg-type]


CODE = """
import json, sys
from pathlib import Path
import numpy as np, torch
from leanformer.models.classifier import Classifier
from leanformer.shapes.encoder import LayerShape
from leanformer.train.feeds.batches import TrainingSet
from leanformer.train.feeds.by_group import feed_of
from leanformer.train.loop import Plan
from leanformer.train.objectives.objective import LabelLoss, Supervised
from leanformer.train.parts import fit_with_parts
from leanformer.train.settings import FitSettings
from tests.making.tiny import tiny_config
torch.set_num_threads(1)
config = tiny_config(hidden=256, layers=(LayerShape(4, 1024),) * 4, vocabulary=20000, positions=128, dropout=0.1)
rng = np.random.default_rng(0)
rows = [rng.integers(9, 20000, n).astype(np.int32) for n in [5, 9, 20, *[100] * 61]]
settings = FitSettings(epochs=1, batch_size=32, token_budget=8192, precision="fp32", parts=(("memory", sys.argv[1]),))
model, said = Classifier(config), []
plan = Plan(settings, lambda: 0.0, None, "", torch.device("cpu"), say=lambda line: said.append(str(line)))
feed = feed_of(TrainingSet(rows, np.zeros(64, int), 0), settings)
fit_with_parts(model, Supervised(LabelLoss("label")), feed, plan)
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps([said[0], int(status["VmHWM"].split()[0]) * 1024]))
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not allocator.resident_bytes(), reason="told by Linux alone"
)
@pytest.mark.parametrize("amount", ["8GB", "650MB"])
def test_the_peak_of_a_process_is_what_was_foreseen(amount: str) -> None:
    made = subprocess.run([sys.executable, "-c", CODE, amount], capture_output=True, text=True, check=True)
    line, peak = json.loads(made.stdout.splitlines()[-1])
    foreseen = float(line.split("a peak of about ")[1].split(" GB")[0]) * 1e9
    assert peak == pytest.approx(foreseen, rel=0.15) and (amount != "650MB" or peak < 650e6), line
