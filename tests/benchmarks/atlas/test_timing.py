"""Lengths are timed from short to long until time or memory runs out."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks.atlas import timing
from benchmarks.atlas.timing import main, options_at, timed


def test_a_line_for_each_length():
    found = timed("longformer", {"window": 4}, (8, 16), width=32, heads=4, seconds=5.0)
    assert [line["tokens"] for line in found] == [8, 16] and all(line["ms"] > 0 for line in found)


def test_a_length_that_takes_too_long_is_the_last():
    assert [line["tokens"] for line in timed("softmax", {}, (8, 16), width=32, heads=4, seconds=0.0)] == [8]


def test_memory_that_runs_out_is_told(monkeypatch: pytest.MonkeyPatch):
    def fails(config: object, layer: object) -> object:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(timing, "attention", fails)
    assert timed("softmax", {}, (8, 16), width=32, heads=4, seconds=5.0) == [
        {"tokens": 8, "ms": None, "why": "not enough memory"}
    ]


def test_clusters_grow_with_the_length():
    assert options_at("routing", {}, 1024) == {"clusters": 32} and options_at("routing", {"clusters": 3}, 64) == {
        "clusters": 3
    }
    assert options_at("softmax", {}, 1024) == {}


def test_the_program_prints_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(timing.resource, "setrlimit", lambda *_: None)
    threads = torch.get_num_threads()
    main(["strided", "--options", '{"stride": 4}', "--lengths", "16"])
    assert torch.get_num_threads() == 1 == threads
    assert json.loads(capsys.readouterr().out)[0]["tokens"] == 16
