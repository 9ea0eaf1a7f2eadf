"""Weights that are not finite are refused where they are read, with the first one's name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from leanformer.artifact import Artifact, open_artifact, write_manifest
from leanformer.errors import ArtifactError, CheckpointError, LeanformerError
from leanformer.models.bilstm_store import read_bilstm
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import import_checkpoint, read_model, start_classifier
from leanformer.predictor import logits
from leanformer.train.teacher_outputs import teacher_outputs
from tests.making.checkpoints import save_bert
from tests.making.recurrent import recurrent_artifact
from tests.making.tiny import LABELS, TASK, tiny_artifact, tiny_classifier

NAME = "bert.encoder.layer.1.output.dense.weight"


def _break(path: Path, name: str, value: float, dtype: torch.dtype = torch.float32) -> None:
    weights = {key: tensor.to(dtype) for key, tensor in load_file(path).items()}
    weights[name].view(-1)[3] = value
    save_file(weights, path)


@pytest.mark.parametrize(
    ("value", "dtype", "what"),
    [
        (float("nan"), torch.float32, "NaN"),
        (float("inf"), torch.float16, "infinite"),
        (float("-inf"), torch.float32, "infinite"),
        (float("nan"), torch.bfloat16, "NaN"),
        (1e300, torch.float64, "infinite"),  # it is in fp32, which all models here are run in
    ],
    ids=str,
)
def test_a_checkpoint(value: float, dtype: torch.dtype, what: str, tmp_path: Path) -> None:
    source = save_bert(tmp_path / "s")
    _break(source / "model.safetensors", NAME, value, dtype)
    message = rf"(?s)model.safetensors: the weight {NAME} is not finite: 1 of its \d+ numbers is {what}.*remedy: "
    for load in (
        lambda: import_checkpoint(str(source), tmp_path / "a", labels=LABELS),
        lambda: start_classifier(str(source), TASK),
    ):
        with pytest.raises(CheckpointError, match=message):
            load()
    assert not (tmp_path / "a").exists()


def test_a_shard(tmp_path: Path) -> None:
    source = save_bert(tmp_path / "s")
    weights = load_file(source / "model.safetensors")
    shards = {name: f"model-{1 + ('layer.1' in name):05}-of-00002.safetensors" for name in weights}
    for shard in set(shards.values()):
        save_file({name: weights[name] for name, other in shards.items() if other == shard}, source / shard)
    (source / "model.safetensors").unlink()
    (source / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    assert import_checkpoint(str(source), tmp_path / "whole").task == TASK
    _break(source / shards[NAME], NAME, float("nan"))
    with pytest.raises(CheckpointError, match=f"model-00002-of-00002.safetensors: the weight {NAME} is not finite"):
        import_checkpoint(str(source), tmp_path / "a")


def _rewritten(artifact: Artifact, name: str) -> Artifact:
    """The artifact with a NaN in a weight and a manifest that fits it."""
    _break(artifact.file("model.safetensors"), name, float("nan"))
    write_manifest(
        artifact.path, format=artifact.format, task=artifact.task, max_tokens=artifact.max_tokens,
        history=artifact.history, properties=artifact.properties,
    )  # fmt: skip
    return open_artifact(artifact.path)


def test_an_encoder_of_ours(tmp_path: Path) -> None:
    name = "encoder.layers.0.ffn.up.weight"
    artifact = _rewritten(tiny_artifact(tmp_path / "a"), name)
    with pytest.raises(ArtifactError, match=rf"(?s)model.safetensors: the weight {name} is not finite.*remedy"):
        read_model(artifact)
    with pytest.raises(LeanformerError, match="not finite"):
        TorchPredictor(artifact)


def test_a_recurrent_model_of_ours(tmp_path: Path) -> None:
    whole = recurrent_artifact(tmp_path / "a")
    name = next(iter(load_file(whole.file("model.safetensors"))))
    with pytest.raises(ArtifactError, match=rf"the weight {name} is not finite"):
        read_bilstm(_rewritten(whole, name))


def test_answers_that_overflow(tmp_path: Path) -> None:
    """Each weight is finite, and what they give is not."""
    model = tiny_classifier()
    with torch.no_grad():
        model.head.classifier.weight.fill_(3e38)
        model.head.classifier.bias.fill_(3e38)
    artifact = tiny_artifact(tmp_path / "a", model=model)
    with pytest.raises(ArtifactError, match=r"(?s)the model's answers are not finite, \d of 2 rows.*remedy"):
        logits(TorchPredictor(artifact), ["the song", "a goal"])
    for hidden in ((), (1,)):
        with pytest.raises(ArtifactError, match="the model's answers are not finite"):
            teacher_outputs(artifact, ["the song", "a goal"], cache=tmp_path / "cache", hidden=hidden, device="cpu")
