"""Speed and memory of a real tiny predictor: what is counted, never how fast it was."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from leanformer.artifact import open_artifact
from leanformer.measure.memory import measure_memory
from leanformer.measure.speed import SpeedSettings, measure_speed
from leanformer.runtime.predictor import LightPredictor
from tests.making.tiny import tiny_texts

OPENER = "leanformer.loading:open_predictor"
TEXTS = tiny_texts(90, seed=2)[0]


class Noted(LightPredictor):
    """A real predictor that writes down what it is asked."""

    def __init__(self, name: str, calls: list[tuple[str, tuple[str, ...]]], artifact: Path) -> None:
        super().__init__(open_artifact(artifact), threads=1)
        self.name, self.calls = name, calls

    def tokenize(self, texts: Sequence[str]) -> list[np.ndarray]:
        self.calls.append((self.name, tuple(texts)))
        return super().tokenize(texts)


def test_each_gets_its_figures(tiny_onnx_artifact: Path):
    said: list[str] = []
    artifact = open_artifact(tiny_onnx_artifact)
    predictors = [LightPredictor(artifact, threads=1), LightPredictor(artifact, threads=1, exact=True)]
    settings = SpeedSettings(rounds=2, latency_texts=21, seconds=0.05)
    speeds = measure_speed(predictors, TEXTS, settings, say=said.append)
    assert len(speeds) == 2
    for speed in speeds:
        assert 0 < speed.latency_ms_p50 <= speed.latency_ms_p95 <= speed.latency_ms_p99
        assert speed.tokenizer_ms_p50 > 0
        # No order is asked of two rates: each is measured by itself, and on a busy machine either may win.
        assert speed.throughput_median == speed.throughput_per_second > 0
        assert speed.inference_per_second > 0 and speed.throughput_warm > 0
        assert speed.latency_n == 21
        assert 64 <= speed.throughput_n <= len(TEXTS)
    assert len(said) == 2


def test_they_take_turns_on_the_same_texts(tiny_onnx_artifact: Path):
    calls: list[tuple[str, tuple[str, ...]]] = []
    predictors = [Noted(name, calls, tiny_onnx_artifact) for name in "ab"]
    measure_speed(predictors, TEXTS, SpeedSettings(rounds=3, latency_texts=12, seconds=100))
    singles = {name: [texts[0] for who, texts in calls if who == name and len(texts) == 1] for name in "ab"}
    whole = {name: [texts for who, texts in calls if who == name and len(texts) == len(TEXTS)] for name in "ab"}
    assert singles["a"] == singles["b"]
    assert len(singles["a"]) == 12 + 3 * 5, "each text once, and five to warm up in each round"
    assert whole["a"] == whole["b"] and len(set(whole["a"])) == 1
    assert sorted(whole["a"][0]) == sorted(TEXTS)
    assert whole["a"][0] != tuple(TEXTS), "shuffled, so that a sample is a fair one"


def test_the_seed_decides_the_order(tiny_onnx_artifact: Path):
    orders = []
    for seed in (1, 1, 2):
        calls: list[tuple[str, tuple[str, ...]]] = []
        settings = SpeedSettings(rounds=1, latency_texts=5, seconds=100)
        measure_speed([Noted("a", calls, tiny_onnx_artifact)], TEXTS, settings, seed=seed)
        orders.append([texts for _, texts in calls])
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.skipif(sys.platform == "win32", reason="the system does not tell")
def test_peak_memory_is_that_of_a_small_process(tiny_onnx_artifact: Path):
    artifact = open_artifact(tiny_onnx_artifact)
    small = measure_memory(artifact, TEXTS[:20], OPENER, 1)
    assert isinstance(small, int)
    assert 10e6 < small < 250e6, "numpy, ONNX Runtime, tokenizers and a tiny graph; with torch it would be more"


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the system hands the parent's peak down")
def test_the_parents_memory_is_not_counted(tiny_onnx_artifact: Path):
    ballast = np.ones(60_000_000)  # 480 MB, every page written
    peak = measure_memory(open_artifact(tiny_onnx_artifact), TEXTS[:5], OPENER, 1)
    assert ballast.nbytes > 4e8
    assert peak is not None
    assert peak < 300e6


def test_the_measured_process_does_not_import_torch(tiny_onnx_artifact: Path, tmp_path: Path):
    """The same module, run as `measure_memory` runs it, with what it loaded printed at the end."""
    (tmp_path / "texts.json").write_text(json.dumps(list(TEXTS[:5])))
    code = (
        "import json, sys; from leanformer.measure.memory import _main; _main(*sys.argv[1:]); "
        "print(json.dumps([n for n in ('torch', 'transformers', 'onnx') if n in sys.modules]))"
    )
    command = [sys.executable, "-c", code, OPENER, str(tiny_onnx_artifact), str(tmp_path / "texts.json"), "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    peak, heavy = done.stdout.strip().splitlines()
    assert int(peak) > 10e6
    assert heavy == "[]"


def test_a_process_that_fails_gives_no_figure(tiny_onnx_artifact: Path):
    assert measure_memory(open_artifact(tiny_onnx_artifact), TEXTS[:5], "leanformer.loading:no_such_opener", 1) is None
