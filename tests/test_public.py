"""The public names of the package, used as a person would: strings and paths in, a model that answers out."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

import leanformer
from leanformer.artifact import Artifact
from leanformer.cascade.store import write_cascade
from leanformer.data.dataset import Dataset
from leanformer.models.store import import_checkpoint
from tests.making.cascades import PLAN, make_members
from tests.making.graphs import make_embedder
from tests.making.recurrent import recurrent_artifact
from tests.making.tiny import LABELS, VOCABULARY, roughen, tiny_artifact, tiny_dataset, tiny_tokenizer

TEXTS = ["rain and snow", "we saw the band and a choir"]
QUICK = {"seed": 5, "threads": 1, "device": "cpu", "say": lambda line: None}


def write_data(data: Dataset, folder: Path) -> None:
    folder.mkdir()
    for split in ("train", "dev", "test", "unlabelled"):
        examples = getattr(data, split)
        labels = examples.labels or [None] * len(examples)
        rows = [
            {"text": text} | ({} if label is None else {"label": data.task.labels[label]})
            for text, label in zip(examples.texts, labels, strict=True)
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/, encoder/ and teacher/, the last made by `leanformer.train` from strings."""
    folder = tmp_path_factory.mktemp("public")
    write_data(tiny_dataset(), folder / "data")
    tiny_artifact(folder / "encoder")
    artifact = leanformer.train(
        str(folder / "encoder"), str(folder / "data"), str(folder / "teacher"),
        epochs=2, batch_size=12, learning_rate=3e-3, max_tokens=32, **QUICK,
    )  # fmt: skip
    assert isinstance(artifact, Artifact) and artifact.history[-1]["options"]["epochs"] == 2
    assert artifact.history[-1]["options"]["seed"] == 5
    return folder


def test_train_keeps_its_effort_and_leaves_no_work_folder(trained: Path):
    assert (trained / "teacher" / "effort.json").is_file()
    assert not (trained / "teacher.work").exists()


def test_compress_takes_strings_and_recipe_options(trained: Path):
    outcome = leanformer.compress(
        str(trained / "teacher"), str(trained / "data"), str(trained / "lean"),
        options={"int8.max_flips": 1.0, "int8.max_mean_share": 10.0},
        max_drop=100, memory=False, allow_weak_teacher=True, allow_lost_classes=True,
        speed=leanformer.SpeedSettings(rounds=1, latency_texts=6, seconds=0.01), **QUICK,
    )  # fmt: skip
    assert isinstance(outcome, leanformer.Compressed)
    steps = {step["name"]: step for step in outcome.report.recipe["steps"]}
    assert outcome.report.recipe["name"] == "quick" and steps["int8"]["max_flips"] == 1.0
    predictions = leanformer.load(trained / "lean", threads=1).predict(TEXTS)
    assert [prediction.label in LABELS for prediction in predictions] == [True, True]


def test_compress_and_train_refuse_unknown_options_before_any_work(trained: Path):
    place = (str(trained / "teacher"), str(trained / "data"), trained / "out")
    with pytest.raises(leanformer.LeanformerError, match="no shipped recipe is called 'fast'"):
        leanformer.compress(*place, recipe="fast")
    with pytest.raises(leanformer.LeanformerError, match="unknown device 'tpu'"):
        leanformer.compress(*place, device="tpu")
    with pytest.raises(leanformer.LeanformerError, match="task is of kind classification"):
        leanformer.compress(*place, kind="pair")
    with pytest.raises(leanformer.LeanformerError, match="one of auto, fp32, bf16"):
        leanformer.train(*place, precision="fp8")
    assert not (trained / "out").exists() and not (trained / "out.work").exists()


def test_load_opens_every_format(trained: Path, tmp_path: Path):
    encoder, graph, _ = make_embedder(tmp_path / "vectors")
    config = DebertaV2Config(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=64, id2label=dict(enumerate(LABELS)), pad_token_id=0,
        label2id={name: i for i, name in enumerate(LABELS)},
    )  # fmt: skip
    torch.manual_seed(0)
    foreign = DebertaV2ForSequenceClassification(config)
    roughen(foreign, seed=3)
    foreign.save_pretrained(tmp_path / "deberta")
    tiny_tokenizer(tmp_path / "deberta")
    artifacts = {
        "encoder": leanformer.open_artifact(trained / "teacher"),
        "bilstm": recurrent_artifact(tmp_path / "recurrent"),
        "transformers": import_checkpoint(str(tmp_path / "deberta"), tmp_path / "foreign", max_tokens=32),
        "cascade": write_cascade(make_members(tmp_path / "members"), PLAN, tmp_path / "cascade"),
        "onnx": graph,
    }
    for format, artifact in artifacts.items():
        assert artifact.format == format
        for place in (str(artifact.path), artifact.path, artifact):
            answers = leanformer.load(place, threads=1).predict(TEXTS)
            assert len(answers) == 2 and all(isinstance(answer, leanformer.Prediction) for answer in answers), format
    assert leanformer.load(artifacts["bilstm"]).predict(TEXTS)[0].tags is not None
    vectors = [leanformer.load(artifact).predict(TEXTS)[0].vector for artifact in (encoder, graph)]
    assert vectors[0] == pytest.approx(vectors[1], abs=1e-4)


def in_a_fresh_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_packages_and_functions_of_one_name_do_not_hide_each_other():
    """Importing `leanformer.train.loop` sets `leanformer.train`, whether before or after the function was used."""
    code = (
        "import leanformer, inspect\n"
        "{0}\n"
        "import leanformer.train.loop as loop, leanformer.compress\n"
        "from leanformer.compress.distil.distil import Distil\n"
        "assert loop.fit and Distil\n"
        "assert list(inspect.signature(leanformer.train).parameters)[:3] == ['encoder', 'data', 'output']\n"
        "assert list(inspect.signature(leanformer.compress).parameters)[:3] == ['model', 'data', 'output']\n"
        "import pickle; assert pickle.loads(pickle.dumps(leanformer.train)) is leanformer.train\n"
        "try: leanformer.train('e', 'nowhere', 'out')\n"
        "except leanformer.LeanformerError as error: print(error)\n"
    )
    for first in ("", "assert callable(leanformer.train) and callable(leanformer.compress)"):
        assert "nowhere" in in_a_fresh_process(code.format(first))


def test_every_public_name_is_there_and_documented():
    assert sorted(leanformer.__all__) == [name for name in dir(leanformer) if name != "__version__"]
    for name in leanformer.__all__:
        value = getattr(leanformer, name)
        assert inspect.getdoc(value), name
    with pytest.raises(AttributeError, match="no attribute 'fine_tuned'"):
        leanformer.fine_tuned  # noqa: B018


def test_importing_the_package_imports_no_library_and_none_of_its_modules():
    code = "import leanformer, sys; print(*sorted(name for name in sys.modules if name.startswith('leanformer')))"
    assert in_a_fresh_process(code).split() == ["leanformer", "leanformer.compress", "leanformer.train"]
