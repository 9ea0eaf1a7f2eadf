"""A stock folder of every mapped family becomes an artifact, a graph, an int8 graph and a stock folder again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from typer.testing import CliRunner

from leanformer.artifact import Artifact
from leanformer.cli.app import app
from leanformer.compress.distil.distil import Distil
from leanformer.errors import ArtifactError
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.export.standard import write_standard_onnx
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import import_checkpoint, read_model, start_classifier
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from tests.making.foreign_tokenizers import train_tokenizer
from tests.making.graphs import make_context
from tests.making.tiny import TASK, tiny_dataset
from tests.parity.families import FAMILIES, LENGTH

KINDS = {
    "roberta": "byte-level", "xlm-roberta": "unigram", "camembert": "unigram", "distilbert": "wordpiece",
    "electra": "wordpiece", "mpnet": "byte-level", "modernbert": "byte-level",
}  # fmt: skip
TEXTS = tiny_dataset().test.texts[:24]  # type: ignore[union-attr]


@pytest.fixture(
    # Those that are slow here share their mapping with RoBERTa.
    params=[
        pytest.param(name, marks=pytest.mark.slow if name in ("xlm-roberta", "camembert") else ()) for name in KINDS
    ],
    scope="module",
)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def stock(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stock classifier with the tokenizer of its family's kind; it reads some of the texts only in part."""
    folder = tmp_path_factory.mktemp(name)
    size = train_tokenizer(KINDS[name], folder)
    labels = {"id2label": dict(enumerate(TASK.labels)), "label2id": {label: i for i, label in enumerate(TASK.labels)}}
    FAMILIES[name].model("plain", vocab_size=size, **labels).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def encoder(stock: Path, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return import_checkpoint(str(stock), tmp_path_factory.mktemp("encoder") / "a", labels=TASK.labels)


def stock_logits(folder: Path) -> np.ndarray:
    """One text at a time by transformers alone; only the special tokens of the tokenizer have to be named for it."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    rows = []
    for text in TEXTS:
        ids = tokenizer(text, truncation=True, max_length=LENGTH)["input_ids"]
        with torch.no_grad():
            rows.append(model(input_ids=torch.tensor([ids])).logits[0])
    return torch.stack(rows).numpy()


@pytest.mark.slow
def test_from_stock_to_int8(name: str, encoder: Artifact, tmp_path: Path, stock: Path) -> None:
    assert (encoder.format, encoder.task, encoder.max_tokens) == ("encoder", TASK, LENGTH)
    assert read_model(encoder).config.family == name
    (stock / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    expected = stock_logits(stock)
    assert len(set(expected.argmax(axis=1))) > 1 or expected.std() > 0.1
    for options in ({}, {"batch_tokens": None}, {"pad_to": LENGTH}):
        np.testing.assert_allclose(logits(TorchPredictor(encoder, **options), TEXTS), expected, atol=1e-4)
    context = make_context(tmp_path, encoder)
    fp32 = Onnx()(encoder, context, tmp_path / "onnx")  # with the step's own gate
    np.testing.assert_allclose(logits(LightPredictor(fp32, threads=1), TEXTS), expected, atol=1e-4)
    int8 = Int8(max_flips=1.0, max_mean_share=0.3)(fp32, context, tmp_path / "int8")
    difference = np.abs(logits(LightPredictor(int8, threads=1), TEXTS) - expected)
    assert 0 < difference.mean() < 0.3 * expected.std()


@pytest.mark.slow
def test_and_to_a_stock_folder_again(encoder: Artifact, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["export", str(encoder.path), "--to", "transformers", "--output", str(tmp_path / "out")]
    )
    assert result.exit_code == 0, result.output
    np.testing.assert_allclose(stock_logits(tmp_path / "out"), logits(TorchPredictor(encoder), TEXTS), atol=1e-4)
    # A padded batch of pairs: the tokenizer gives the model what it takes, and no more.
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    pairs = tokenizer(["rain", "the band was"], ["snow and hail", "a goal"], padding=True, return_tensors="pt")
    ours, types = read_model(encoder), pairs.get("token_type_ids")
    assert (types is not None) is ours.config.reads_token_types
    with torch.no_grad():
        expected = model(**pairs).logits
        got = ours(pairs["input_ids"], pairs["attention_mask"], types)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)


def test_token_types_are_an_input_where_they_matter(encoder: Artifact, tmp_path: Path) -> None:
    if read_model(encoder).config.reads_token_types:
        write_standard_onnx(encoder, tmp_path / "typed.onnx", token_types=True)  # compares itself with PyTorch
        inputs = [input_.name for input_ in ort.InferenceSession(tmp_path / "typed.onnx").get_inputs()]
        assert inputs == ["input_ids", "attention_mask", "token_type_ids"]
    else:
        with pytest.raises(ArtifactError, match=r"has no token types\n  remedy: export it without"):
            write_standard_onnx(encoder, tmp_path / "typed.onnx", token_types=True)
        write_standard_onnx(encoder, tmp_path / "plain.onnx")
        assert [path.name for path in tmp_path.iterdir()] == ["plain.onnx"]


STUDENTS = {
    "modernbert": {"layers": (1, 4), "heads": 2, "ffn": 20},
    "mpnet": {"layers": 2, "heads": 3, "ffn": 11},
    "electra": {"layers": 2, "hidden": 16, "heads": 2},
}


def test_a_student_is_cut_trained_and_exported(name: str, encoder: Artifact, tmp_path: Path) -> None:
    if name not in STUDENTS:
        pytest.skip("the same road as one of the others")
    context = make_context(tmp_path, encoder)
    student = Distil(epochs=1, trial_texts=0, **STUDENTS[name])(encoder, context, tmp_path / "student")
    config = read_model(student).config
    assert config.family == name and len(config.layers) == 2
    if name == "modernbert":
        assert [layer.window for layer in config.layers] == [None, None]
    fp32 = Onnx()(student, context, tmp_path / "onnx")
    ours = logits(LightPredictor(fp32, threads=1), TEXTS)
    np.testing.assert_allclose(ours, logits(TorchPredictor(student), TEXTS), atol=1e-4)


def test_a_classifier_can_start_from_it(name: str, stock: Path) -> None:
    model, tokenizer, missing, positions = start_classifier(str(stock), TASK)
    assert (positions, missing, tokenizer.name) == (LENGTH, [], "tokenizer.json")
    assert model.config.family == name
