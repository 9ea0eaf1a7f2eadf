"""The benchmark of embedders: its figures, and a run on a tiny encoder that is taken up again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.embedders import run
from leanformer.export.int8 import Int8
from tests.export.test_embedder import checkpoint
from tests.making.tiny import tiny_texts
from tests.measure.test_collection import collection

TEXTS = tuple(dict.fromkeys(tiny_texts(120, seed=8)[0]))


def test_figures_beside_the_teacher():
    scores = np.arange(40.0)
    theirs, ours = scores.copy(), scores.copy()
    ours[:10] = ours[:10][::-1]
    row = run.of_pairs(ours, theirs, scores)
    lost = row["lost"]
    assert lost["low"] < lost["difference"] < lost["high"] and lost["difference"] == pytest.approx(1 - row["quality"])
    best, worse = np.ones((30, 4)), np.ones((30, 4))
    worse[:10, 1] = 0
    first, second = run.of_queries(worse, best)
    assert (first["metric"], first["quality"], first["lost"]["difference"]) == ("nDCG@10", 1, 0)
    assert (second["metric"], second["n"]) == ("recall@10", 30)
    assert second["lost"]["difference"] == pytest.approx(1 / 3) and second["low"] < 2 / 3 < second["high"]


@pytest.mark.slow
def test_a_run_and_what_it_takes_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "data"
    (folder / "rawtext_en").mkdir(parents=True)
    (folder / "rawtext_en" / "texts.txt").write_text("\n".join(TEXTS))
    (folder / "stsb").mkdir()
    pairs = [{"text": a, "text_pair": b, "label": len(a)} for a, b in zip(TEXTS[:20], TEXTS[20:40], strict=True)]
    (folder / "stsb" / "test.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    collection(
        folder / "cisi", [{"_id": str(i), "text": text} for i, text in enumerate(TEXTS)],
        [{"_id": str(i), "text": TEXTS[i].split()[0]} for i in range(9)], "".join(f"{i}\t{i}\t1\n" for i in range(9)),
    )  # fmt: skip
    monkeypatch.setenv("LEANFORMER_DATA", str(folder))
    monkeypatch.setenv("LEANFORMER_ENCODERS", str(tmp_path))
    checkpoint(tmp_path / "small", pooling_mode_mean_tokens=True)
    for name in ("OUTPUT", "DETAILS", "FOLDER"):
        monkeypatch.setattr(run, name, tmp_path / name.lower())
    monkeypatch.setattr(run, "provenance", lambda threads: {"threads": threads})
    monkeypatch.setattr(run, "Int8", lambda method: Int8(method=method, max_mean_share=1.0))
    asked = "small --sets stsb cisi --layers 1 --steps 4 --threads 1 --systems".split()
    monkeypatch.setattr(sys, "argv", ["run", *asked, "teacher", "student 1", "student 1 int8"])
    run.main()
    rows = json.loads((tmp_path / "output").read_text())
    assert [(row["system"], row["set"], row["index"], row["metric"]) for row in rows if row["set"] == "stsb"] == [
        (system, "stsb", None, "Spearman") for system in ("teacher", "student 1", "student 1 int8")
    ]
    assert len(rows) == 2 + 1 + 2 + 2 * (1 + 4)
    teacher, student = (next(row for row in rows if row["system"] == name) for name in ("teacher", "student 1"))
    assert "lost" not in teacher
    assert student["lost"]["difference"] == pytest.approx(teacher["quality"] - student["quality"])
    monkeypatch.setattr(run, "on_pairs", None)
    monkeypatch.setattr(run, "on_collection", None)
    run.main()
    assert json.loads((tmp_path / "output").read_text()) == rows, "nothing is measured twice"
