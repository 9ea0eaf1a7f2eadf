"""The commands, called in this process as the installed program calls them."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from leanformer.artifact import open_artifact
from leanformer.catalog import TECHNIQUES
from leanformer.cli.bench import bench_names
from leanformer.models.predictor import TorchPredictor
from leanformer.predictor import logits
from leanformer.report import Report
from tests.making.commands import FP32_ENGINE, Command, is_friendly, write_lines
from tests.making.reports import make_report
from tests.making.tiny import LABELS, tiny_artifact, tiny_texts

TEXTS = tiny_texts(10, seed=6)[0]


def test_techniques_are_listed(command: Command):
    status, out, _ = command("techniques")
    assert status == 0 and [line.split()[0] for line in out.splitlines()] == sorted(TECHNIQUES)


def test_a_technique_shows_its_card(command: Command):
    status, everything, _ = command("techniques", "--all")
    assert status == 0 and "attention.performer" in everything
    assert "Choromanski" in command("techniques", "attention.performer")[1]
    status, out, _ = command("techniques", "export.int8")
    assert status == 0 and "Paper: Jacob et al. 2018" in out and "max_flips: float = 0.05" in out
    is_friendly(*command("techniques", "export.int4"))


def test_inspect_tells_what_it_is(command: Command, tiny_onnx_artifact: Path, tmp_path: Path):
    shutil.copytree(tiny_onnx_artifact, tmp_path / "model")
    artifact = open_artifact(tmp_path / "model")
    make_report().write(tmp_path / "model" / "report.json")
    status, out, _ = command("inspect", tmp_path / "model")
    assert status == 0
    facts = ("onnx, fp32", "classification: music, sport, weather", artifact.content_hash, f"{artifact.bytes:,} bytes")
    for said in (*facts, "export.onnx", "parity on 40 texts", "quick on tiny", "int8 (chosen)"):
        assert said in out
    (tmp_path / "model" / "model.onnx").write_bytes(b"")
    is_friendly(*command("inspect", tmp_path / "model"))


def predictions(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_predict_takes_texts(command: Command, tiny_onnx_artifact: Path):
    status, out, err = command("predict", tiny_onnx_artifact, *TEXTS, "--threads", 1)
    assert (status, err) == (0, FP32_ENGINE)
    said = predictions(out)
    assert [prediction["text"] for prediction in said] == list(TEXTS)
    expected = logits(TorchPredictor(open_artifact(tiny_onnx_artifact.parent / "encoder")), TEXTS)
    assert [prediction["label"] for prediction in said] == [LABELS[i] for i in expected.argmax(axis=1)]
    assert all(sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5) for prediction in said)


@pytest.mark.parametrize("kind", ["txt", "jsonl", "-"])
def test_predict_reads_files_and_standard_input(
    kind: str, command: Command, tiny_onnx_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lines = "".join(f"{text}\n" for text in TEXTS)
    (tmp_path / "in.txt").write_text(lines, encoding="utf-8")
    write_lines(tmp_path / "in.jsonl", [{"text": text} for text in TEXTS])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    source = "-" if kind == "-" else tmp_path / f"in.{kind}"
    expected = command("predict", tiny_onnx_artifact, *TEXTS)[1]
    assert command("predict", tiny_onnx_artifact, "--input", source) == (0, expected, FP32_ENGINE)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    status, out, _ = command("predict", tiny_onnx_artifact, "--input", source, "--output", tmp_path / "out.jsonl")
    assert (status, out) == (0, "")
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == expected


def test_predict_writes_all_or_nothing(command: Command, tiny_onnx_artifact: Path, tmp_path: Path, monkeypatch: Any):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "out.jsonl").write_text("older\n")
    # The first chunk is written before the bad line is reached.
    monkeypatch.setattr("leanformer.cli.predict._CHUNK", 2)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"goal\nrain\nsong\n\n")))
    arguments = ("predict", tiny_onnx_artifact, "--strict", "--input", "-", "--output", tmp_path / "out" / "out.jsonl")
    is_friendly(*command(*arguments))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["out.jsonl"]
    assert (tmp_path / "out" / "out.jsonl").read_text() == "older\n"
    is_friendly(*command("predict", tiny_onnx_artifact, "goal", "--output", tmp_path / "none" / "out.jsonl"))
    is_friendly(*command("predict", tiny_onnx_artifact, "goal", "--output", tmp_path / "out"))


BAD_INPUT = {
    "wrong key": (b'{"sentence": "goal match"}\n', "no key 'text'"),
    "empty text": (b'{"text": "goal"}\n{"text": " "}\n', "line 2"),
    "broken JSON": (b'{"text": "goal"}\n{"text": \n', "line 2"),
    "wrong encoding": (b'{"text": "goal"}\n{"text": "caf\xe9"}\n', "not UTF-8 (byte 0xe9)"),
    "no object": (b'"goal"\n', "line 1"),
}


@pytest.mark.parametrize("kind", BAD_INPUT)
def test_bad_input_is_an_error_to_act_on(kind: str, command: Command, tiny_onnx_artifact: Path, tmp_path: Path):
    content, said = BAD_INPUT[kind]
    (tmp_path / "in.jsonl").write_bytes(content)
    status, out, err = command("predict", tiny_onnx_artifact, "--strict", "--input", tmp_path / "in.jsonl")
    is_friendly(status, out, err)
    assert said in err and "in.jsonl" in err and "remedy: " in err


@pytest.mark.parametrize("content", [b"goal\n\n", b"goal\ncaf\xe9\n"])
def test_bad_standard_input_is_an_error_too(
    content: bytes, command: Command, tiny_onnx_artifact: Path, monkeypatch: Any
):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    status, out, err = command("predict", tiny_onnx_artifact, "--strict", "--input", "-")
    is_friendly(status, out, err)
    assert "standard input, line 2" in err


@pytest.mark.parametrize("texts", [[""], ["goal", "  "], ["caf\udce9"], []])
def test_bad_texts_are_an_error_too(texts: list[str], command: Command, tiny_onnx_artifact: Path):
    is_friendly(*command("predict", tiny_onnx_artifact, *texts))


def test_an_unknown_label_is_named(command: Command, tiny_onnx_artifact: Path, folder: Path):
    write_lines(folder / "test.jsonl", [{"text": "goal", "label": "sport"}, {"text": "vote", "label": "politics"}])
    status, out, err = command("bench", tiny_onnx_artifact, "--data", folder)
    is_friendly(status, out, err)
    assert "test.jsonl, line 2" in err and "'politics'" in err


def test_what_is_no_artifact_is_named(command: Command, tmp_path: Path):
    for name in ("inspect", "predict"):
        status, out, err = command(name, tmp_path / "nothing", *(["goal"] if name == "predict" else []))
        is_friendly(status, out, err)
        assert str(tmp_path / "nothing") in err


def test_bench_measures(command: Command, tiny_onnx_artifact: Path, folder: Path, tmp_path: Path):
    encoder = tiny_onnx_artifact.parent / "encoder"
    common = ("--data", folder, "--rounds", 1, "--threads", 1, "--no-memory", "--usd-per-hour", 2)
    status, out, err = command("bench", encoder, tiny_onnx_artifact, *common, "--json", "--output", tmp_path / "r.json")
    assert status == 0 and "Traceback" not in err
    report = json.loads(out)
    assert json.loads(json.dumps(Report.read(tmp_path / "r.json").to_json())) == report
    assert [rung["name"] for rung in report["rungs"]] == [encoder.name, tiny_onnx_artifact.name]
    assert report["rungs"][1]["agreement"] == 1
    assert report["price"] == {"usd_per_hour": 2.0, "basis": "given by the user"}
    assert report["rungs"][1]["n"] == 60
    status, out, _ = command("bench", tiny_onnx_artifact, *common)
    assert status == 0 and "accuracy on 60 test texts" in out


def test_bench_names_artifacts_by_as_little_of_their_path_as_tells_them_apart():
    paths = [Path("/a/one/model"), Path("/a/two/model"), Path("/b/one/model")]
    assert bench_names(paths[:1]) == ["model"]
    assert bench_names(paths[:2]) == ["one/model", "two/model"]
    assert bench_names(paths) == ["a/one/model", "a/two/model", "b/one/model"]
    assert bench_names([paths[0], paths[0], paths[1]]) == ["one/model", "one/model (2)", "two/model"]


def test_bench_refuses_different_labels(command: Command, tiny_onnx_artifact: Path, folder: Path, tmp_path: Path):
    tiny_artifact(tmp_path / "other", labels=("a", "b", "c"))
    is_friendly(*command("bench", tiny_onnx_artifact, tmp_path / "other", "--data", folder))


def test_export_to_onnx(command: Command, tiny_onnx_artifact: Path, tmp_path: Path):
    assert command("export", tiny_onnx_artifact, "--output", tmp_path / "a.onnx")[0] == 0
    session = onnxruntime.InferenceSession(str(tmp_path / "a.onnx"), providers=["CPUExecutionProvider"])
    assert [input_.name for input_ in session.get_inputs()] == ["input_ids", "attention_mask"]
    encoder = tiny_onnx_artifact.parent / "encoder"
    assert command("export", encoder, "--output", tmp_path / "b.onnx", "--token-types")[0] == 0
    is_friendly(*command("export", encoder, "--output", tmp_path / "b.onnx"))
    is_friendly(*command("export", encoder, "--output", tmp_path / "c.bin", "--to", "caffe"))
    is_friendly(*command("export", tiny_onnx_artifact, "--output", tmp_path / "d", "--to", "transformers"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "b.onnx"]


def test_export_to_transformers(command: Command, tiny_onnx_artifact: Path, tmp_path: Path):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    encoder = tiny_onnx_artifact.parent / "encoder"
    assert command("export", encoder, "--output", tmp_path / "hf", "--to", "transformers")[0] == 0
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "hf")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "hf").eval()
    batch = tokenizer(list(TEXTS), padding=True, truncation=True, return_tensors="pt")
    assert not bool(batch["attention_mask"].all()), "texts of one length would test no padding"
    with torch.inference_mode():
        theirs = model(**batch).logits.numpy()
    np.testing.assert_allclose(theirs, logits(TorchPredictor(open_artifact(encoder)), TEXTS), atol=1e-5, rtol=0)
    assert [model.config.id2label[i] for i in range(3)] == list(LABELS)
    assert tokenizer.model_max_length == 32


@pytest.mark.slow
def test_compress_tells_by_its_exit_status(
    command: Command, tiny_onnx_artifact: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    encoder = tiny_onnx_artifact.parent / "encoder"
    loose = (
        "--allow-weak-teacher",  # its weights are random
        "--set",
        "int8.max_flips=1.0",
        "--set",
        "int8.max_mean_share=1e1",
        "--rounds",
        1,
        "--threads",
        1,
        "--no-memory",
    )
    common = ("compress", encoder, "--data", folder, "--output", tmp_path / "lean", "--recipe", "quick", *loose)
    status, out, err = command(*common, "--max-drop", -100)
    assert (status, "Traceback" in err) == (3, False)
    assert "Nothing within the bound" in out and f"{tmp_path / 'lean'}: onnx" in out
    status, out, err = command(*common, "--max-drop", 100)
    assert status == 0
    assert "measurements found" in err and "Chosen, not proven" in out
    assert json.loads((tmp_path / "lean" / "report.json").read_text())["recipe"]["steps"][1]["max_mean_share"] == 10
    for wrong in (
        ("--recipe", "fast"),
        ("--goal", "speed"),
        ("--set", "int8.bits=4"),
        ("--set", "int8"),
        ("--data", "nil"),
    ):
        is_friendly(*command(*common, *wrong))


@pytest.mark.parametrize(
    "arguments", [("no-such-command",), ("predict",), ("compress", "x"), ("bench", "x", "--rounds", "0")]
)
def test_wrong_usage_is_status_2(arguments: tuple[str, ...], command: Command):
    status, out, err = command(*arguments)
    assert (status, out) == (2, "")
    assert "Usage" in err and "Traceback" not in err


def test_as_a_program(tiny_onnx_artifact: Path, tmp_path: Path):
    """Once for all, in a process of its own: what comes out on which stream."""
    program = [sys.executable, "-m", "leanformer.cli.main"]
    done = subprocess.run([*program, "predict", str(tiny_onnx_artifact), "--input", "-"], input="goal\nrain 雨\n",
                          capture_output=True, text=True, encoding="utf-8", timeout=120)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, FP32_ENGINE)
    assert [prediction["text"] for prediction in predictions(done.stdout)] == ["goal", "rain 雨"]
    done = subprocess.run([*program, "inspect", str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stderr.startswith("error: ") and "Traceback" not in done.stderr
