"""`bench` and `gate` for embedders: on pairs with scores, and on collections."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leanformer.artifact import open_artifact
from leanformer.cli.app import app
from leanformer.data.examples import Examples
from leanformer.data.used_texts import UsedTexts, attach
from leanformer.files import write_json
from leanformer.measure import speed
from tests.making.graphs import make_embedder
from tests.making.tiny import tiny_artifact, tiny_texts
from tests.measure.test_collection import collection

TEXTS = tiny_texts(60, seed=4)[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedder (encoder, onnx, int8), pairs and a collection."""
    folder = tmp_path_factory.mktemp("vectors")
    make_embedder(folder)
    make_embedder(folder / "other", hidden=16, head_size=8)
    rows = [
        {"text": first, "text_pair": second, "label": len(set(first.split()) & set(second.split()))}
        for first, second in zip(TEXTS[:30], TEXTS[30:], strict=True)
    ]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    documents = [{"_id": str(number), "text": text} for number, text in enumerate(TEXTS)]
    queries = [{"_id": f"q{number}", "text": " ".join(text.split()[:2])} for number, text in enumerate(TEXTS[:20])]
    collection(folder / "found", documents, queries, "".join(f"q{number}\t{number}\t1\n" for number in range(20)))
    return folder


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, str(result.exception or "") + result.stderr


QUICK = ("--threads", 1, "--rounds", 1, "--no-memory")


@pytest.mark.slow
def test_bench_on_pairs(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(speed, "SpeedSettings", partial(speed.SpeedSettings, seconds=0.05, latency_texts=3))
    status, out, err = run("bench", place / "onnx", place / "int8", "--data", place / "test.jsonl", "--json", *QUICK)
    assert status == 0, err
    first, second = json.loads(out)["rungs"]
    assert first["metric"] == "Spearman correlation" and first["n"] == 30
    assert second["content_hash"] != first["content_hash"] and abs(first["quality"] - second["quality"]) < 0.1


def test_bench_on_a_collection(place: Path):
    output = place / "found.json"
    arguments = ("bench", place / "onnx", place / "int8", "--data", place / "found", "--threads", 1)
    status, out, err = run(*arguments, "--output", output)
    assert status == 0 and "nDCG@10" in out, err
    found = json.loads(output.read_text())
    assert (found["documents"], found["queries"], found["index"]) == (60, 20, None)
    first, second = found["models"]
    # Every query is the beginning of a document.
    assert 0.2 < first["figures"]["MRR"]["value"] < 0.99 and "lost" not in first
    assert second["lost"]["MRR"]["value"] == pytest.approx(
        first["figures"]["MRR"]["value"] - second["figures"]["MRR"]["value"]
    )
    status, out, err = run(*arguments, "--index", place / "onnx", "--output", output, "--json")
    assert status == 0, err
    crossed = json.loads(out)
    assert crossed["index"] == str(place / "onnx")
    assert crossed["models"][0]["figures"] == first["figures"]
    assert crossed["models"][1]["figures"] != second["figures"]


def test_the_gate_judges_by_pairs(place: Path):
    asked = ("gate", place / "int8", "--against", place / "onnx", "--data", place / "test.jsonl", "--threads", 1)
    asked += ("--used", "--allow-weak-teacher", "--json")
    status, out, err = run(*asked, "--max-drop", 90)
    assert status == 0, err
    verdict = json.loads(out)
    assert verdict["ships"] and verdict["artifact"]["content_hash"] == open_artifact(place / "int8").content_hash
    assert run(*asked, "--max-drop", 0.01)[0] == 4
    status, _, err = run("gate", place / "int8", "--against", place / "onnx", "--data", place / "found")
    assert status != 0 and "judges an embedder on pairs" in err
    assert "gives no vectors" in run(*(place / "found" if part == place / "onnx" else part for part in asked))[2]


def test_the_gate_knows_texts_again_that_an_embedder_learnt_from(place: Path, tmp_path: Path):
    shutil.copytree(place / "int8", tmp_path / "int8")
    learnt = open_artifact(tmp_path / "int8")
    attach(learnt, UsedTexts.of(unlabelled=Examples(learnt.task, TEXTS[:9], None)))
    said = run("gate", learnt.path, "--against", place / "onnx", "--data", place / "test.jsonl", "--threads", 1)[2]
    assert "9 of 30 texts were used before: 9 without labels" in said


def test_what_bench_refuses(place: Path, tmp_path: Path):
    found = ("--data", place / "found", "--threads", 1)
    assert "vectors have 16 numbers" in run("bench", place / "other" / "onnx", "--index", place / "onnx", *found)[2]
    assert (
        "--index embeds documents"
        in run("bench", place / "onnx", "--index", place / "onnx", "--data", place / "test.jsonl")[2]
    )
    assert "--also is measured beside" in run("bench", place / "onnx", "--also", "a:b", *found)[2]
    labelled = tiny_artifact(tmp_path / "labelled")
    assert "gives no vectors" in run("bench", place / "onnx", labelled.path, *found)[2]
    write_json(tmp_path / "mine.json", {})
    assert "will not be overwritten" in run("bench", place / "onnx", *found, "--output", tmp_path / "mine.json")[2]
