"""`leanformer plan`: the table and the file; GPUs that are assumed, cores that are measured; what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanformer.scaling import LAWS
from leanformer.train import training_rate
from tests.making.commands import Command, is_friendly

A100 = ("--gpus", 8, "--gpu-tflops", 312)


def test_gpus_are_taken_at_their_word(command: Command, tmp_path: Path):
    output = tmp_path / "plan.json"
    given = ("plan", *A100, "--hours", 24, "--usd-per-hour", 20, "--parameters", "1.5B", "--answered", "2e12")
    code, out, err = command(*given, "--output", output)
    assert code == 0, err
    assert "998,400 GFLOP/s of training (8 x 312 TFLOP/s x 0.4, not measured)" in out
    assert "24 hours: 8.63e+19 operations, 480 USD (given by the user)" in out
    planned = json.loads(output.read_text(encoding="utf-8"))
    assert planned["flops"] == pytest.approx(8 * 312e12 * 0.4 * 24 * 3600)
    assert [(size["law"], size["what"]) for size in planned["sizes"]] == [
        (law.name, what)
        for law in LAWS
        for what in ("best for this budget", "as given", "same loss, least with answers")
    ]
    for place in range(0, 9, 3):
        best, given_size, answering = planned["sizes"][place : place + 3]
        assert given_size["parameters"] == 1.5e9 and given_size["training_bytes"] == 24e9
        assert given_size["training_flops"] == pytest.approx(planned["flops"])
        assert answering["loss"] == pytest.approx(best["loss"])
        assert given_size["answering_flops"] == pytest.approx(2 * 1.5e9 * 2e12)
    assert all(f"{law.name:16}best for this budget" in out for law in LAWS)
    assert command(*given, "--output", output)[0] == 0, "a plan may be replaced"
    assert "USD" not in command("plan", *A100)[1], "nobody told the price of a GPU"
    row = next(line for line in command("plan", *A100, "--parameters", "1")[1].splitlines() if "as given" in line)
    assert len(row.split("as given")[1].split()) == 6, "columns stay apart, whatever the figures"


@pytest.mark.slow
def test_this_machine_is_measured(command: Command, monkeypatch: pytest.MonkeyPatch):
    def quickly(*, threads: int) -> training_rate.TrainingRate:
        assert threads == 1
        return measured(threads=1, seconds=0)

    measured = training_rate.measure_training
    monkeypatch.setattr(training_rate, "measure_training", quickly)
    code, out, err = command("plan", "--hours", 1, "--threads", 1)
    assert code == 0, err
    assert "the best of AdamW's steps with 2 layers of 768 on 16 texts of 64 tokens" in out
    assert "* outside the sizes that the law was fitted to" in out and "0.0423 USD" in out


def test_what_cannot_be_planned_is_refused(command: Command):
    for arguments, said in (
        (("--gpus", 1), "--gpus: the peak of a GPU is not known"),
        (("--gpu-tflops", 312), "--gpu-tflops: there is no GPU"),
        (("--utilisation", 0.5), "--utilisation: there is no GPU"),
        ((*A100, "--parameters", "many"), "--parameters many: not a number such as 85M or 1.5B"),
        ((*A100, "--answered", "0"), "--answered 0: not a number"),
    ):
        refused = command("plan", *arguments)
        is_friendly(*refused)
        assert said in refused[2]
