"""Classifiers as artifacts: written, read, imported from Hugging Face folders, and refused where they must be."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    MobileBertConfig,
    MobileBertForSequenceClassification,
    PreTrainedModel,
)

from leanformer.artifact import is_artifact, open_artifact
from leanformer.errors import ArtifactError, CheckpointError, LeanformerError
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import device_of, import_checkpoint, read_model, start_classifier, write_classifier
from leanformer.predictor import logits
from leanformer.task import Task
from tests.making.checkpoints import SIZES, edit, save, save_bert
from tests.making.tiny import (
    LABELS,
    TASK,
    VOCABULARY,
    tiny_artifact,
    tiny_classifier,
    tiny_config,
    tiny_dataset,
    tiny_tokenizer,
)

TEXTS = tiny_dataset().test.texts[:20]  # type: ignore[union-attr]


def fingerprint(folder: Path) -> dict[str, str]:
    """Hash of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def transformers_logits(folder: Path, texts: tuple[str, ...]) -> np.ndarray:
    """Logits of the folder's classifier, one text at a time, without any of our code but the tokenizer file."""
    from tokenizers import Tokenizer
    from transformers import AutoModelForSequenceClassification

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True).eval()
    with torch.no_grad():
        rows = [model(torch.tensor([tokenizer.encode(text).ids])).logits[0] for text in texts]
    return torch.stack(rows).numpy()


def test_an_artifact_is_written_and_read_again(tmp_path: Path) -> None:
    model = tiny_classifier()
    history = ({"step": "made", "options": {}, "parent": None},)
    artifact = tiny_artifact(tmp_path / "a", model=model, max_tokens=20, history=history)
    again = open_artifact(tmp_path / "a")
    assert (again.format, again.task, again.max_tokens) == ("encoder", TASK, 20)
    assert again.history == history and again.content_hash == artifact.content_hash
    assert set(again.files) == {"encoder.json", "model.safetensors", "tokenizer.json"}
    assert again.properties["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    read = read_model(again)
    assert not read.training and read.config == model.config
    assert all(torch.equal(value, read.state_dict()[name]) for name, value in model.state_dict().items())


def test_equal_content_has_equal_hashes(tmp_path: Path) -> None:
    hashes = [tiny_artifact(tmp_path / name, seed=seed).content_hash for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    assert hashes[0] == hashes[1] != hashes[2]


def test_label_names_must_fit_the_logits(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"2 outputs \(classification\) for 3 logits"):
        write_classifier(
            tiny_classifier(),
            tmp_path / "a",
            task=Task("classification", ("x", "y")),
            tokenizer=tiny_tokenizer(tmp_path),
            max_tokens=8,
            history=(),
        )
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "encoder.json"])
def test_a_changed_file_is_refused(name: str, tmp_path: Path) -> None:
    path = tiny_artifact(tmp_path / "a").file(name)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=f"{name}: content differs"):
        open_artifact(tmp_path / "a")


def test_a_stock_bert_becomes_an_encoder(tmp_path: Path) -> None:
    source = save_bert(tmp_path / "stock")
    before = fingerprint(source)
    artifact = import_checkpoint(str(source), tmp_path / "a", labels=LABELS)
    assert artifact.format == "encoder" and artifact.task == TASK
    assert artifact.max_tokens == 48  # it has no more positions
    assert artifact.history[0]["options"] == {"source": "stock", "family": "bert"}
    assert np.allclose(logits(TorchPredictor(artifact), TEXTS), transformers_logits(source, TEXTS), atol=1e-4)
    assert fingerprint(source) == before
    assert {path.name for path in tmp_path.iterdir()} == {"stock", "a"}


def test_an_artifact_is_returned_as_it_is(tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path / "a")
    assert import_checkpoint(str(tmp_path / "a"), tmp_path / "b") == artifact
    assert not (tmp_path / "b").exists()


def test_an_unmapped_family_is_kept_as_it_came(tmp_path: Path) -> None:
    config = DebertaV2Config(
        **SIZES, type_vocab_size=0, relative_attention=True, pos_att_type=["p2c", "c2p"], num_labels=3
    )
    source = save(DebertaV2ForSequenceClassification(config), tmp_path / "deberta")
    (source / "modeling.py").write_text("raise SystemExit")
    (source / "pytorch_model.bin").write_bytes(b"a pickle")
    artifact = import_checkpoint(str(source), tmp_path / "a", labels=LABELS, max_tokens=30)
    assert (artifact.format, artifact.task, artifact.max_tokens) == ("transformers", TASK, 30)
    assert set(artifact.files) == {"config.json", "model.safetensors", "tokenizer.json"}
    expected = transformers_logits(source, TEXTS)
    for options in ({}, {"batch_tokens": None}, {"pad_to": 30}):
        assert np.allclose(logits(TorchPredictor(artifact, **options), TEXTS), expected, atol=1e-5)
    with pytest.raises(ArtifactError, match="no encoder weights"):
        read_model(artifact)


@pytest.mark.parametrize("mapped", [True, False])
def test_a_tokenizer_of_the_older_form_is_converted(mapped: bool, tmp_path: Path) -> None:
    """Only a vocab.txt beside the weights: a tokenizer.json is made, and the source is left alone."""
    if mapped:
        model: PreTrainedModel = BertForSequenceClassification(BertConfig(**SIZES, num_labels=3))
    else:
        sizes = SIZES | {"embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16}
        model = MobileBertForSequenceClassification(MobileBertConfig(**sizes, num_labels=3))
    source = save(model, tmp_path / "source", tokenizer=False)
    (source / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    before = fingerprint(source)
    artifact = import_checkpoint(str(source), tmp_path / "a", labels=LABELS)
    assert artifact.format == ("encoder" if mapped else "transformers")
    reference = tiny_artifact(tmp_path / "reference", max_tokens=48)
    ours, theirs = TorchPredictor(artifact).tokenize(TEXTS), TorchPredictor(reference).tokenize(TEXTS)
    assert all(np.array_equal(row, other) for row, other in zip(ours, theirs, strict=True))
    if mapped:
        _, path, _, _ = start_classifier(str(source), TASK)
        assert path.read_bytes() == artifact.file("tokenizer.json").read_bytes()
    assert fingerprint(source) == before
    assert {path.name for path in tmp_path.iterdir()} == {"source", "a", "reference"}


def test_no_tokenizer_at_all(tmp_path: Path) -> None:
    source = save(BertForSequenceClassification(BertConfig(**SIZES, num_labels=3)), tmp_path / "s", tokenizer=False)
    with pytest.raises(CheckpointError, match=r"(?s)no tokenizer\.json.*remedy"):
        import_checkpoint(str(source), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_an_encoder_that_was_not_fine_tuned(tmp_path: Path) -> None:
    source = save(BertModel(BertConfig(**SIZES)), tmp_path / "s")
    with pytest.raises(CheckpointError, match=r"(?s)not a fine-tuned sequence classifier.*remedy: fine-tune it first"):
        import_checkpoint(str(source), tmp_path / "a")
    edit(source / "config.json", architectures=["BertForSequenceClassification"])
    with pytest.raises(CheckpointError, match=r"lacks the weight head\.classifier"):
        import_checkpoint(str(source), tmp_path / "a")


def test_an_unmapped_family_without_safetensors(tmp_path: Path) -> None:
    source = save(DebertaV2ForSequenceClassification(DebertaV2Config(**SIZES, num_labels=3)), tmp_path / "s")
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="no safetensors weights"):
        import_checkpoint(str(source), tmp_path / "a")
    assert not is_artifact(tmp_path / "a")


@pytest.mark.parametrize("name", ["no-such-org/no-such-model", "no-such-model"])
def test_a_hub_name_that_cannot_be_reached(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=f"(?s){name}: neither a folder nor a hub model.*remedy"):
        import_checkpoint(name, tmp_path / "a")


@pytest.mark.parametrize("name", ["./absent", "/absent/folder", "~/absent", "a/b/c"])
def test_a_folder_that_is_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        import_checkpoint(name, tmp_path / "a")


@pytest.mark.parametrize("name", ["gpu", "", "CPU", "cuda:", "cuda:x", "cuda:-1", "cuda:99", "mps"])
def test_a_device_that_there_is_not(name: str) -> None:
    with pytest.raises(LeanformerError, match=r"(?s)device .*remedy: "):
        device_of(name)


def test_the_devices_that_there_are() -> None:
    assert device_of("cpu") == torch.device("cpu")
    there = torch.cuda.is_available()
    assert device_of("auto").type == ("cuda" if there else "cpu")
    if there:
        assert device_of("cuda") == torch.device("cuda")
    else:
        with pytest.raises(LeanformerError, match="PyTorch sees no GPU here"):
            device_of("cuda")


def test_starting_from_an_artifact(tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path / "a")
    same, path, missing, positions = start_classifier(str(artifact.path), TASK)
    assert missing == [] and positions == 64 and path == artifact.file("tokenizer.json")
    assert torch.equal(same.head.classifier.weight, read_model(artifact).head.classifier.weight)
    other, _, missing, _ = start_classifier(str(artifact.path), Task("classification", ("a", "b")))
    assert missing == ["head"] and other.config == tiny_config(labels=2)
    for name, value in read_model(artifact).encoder.state_dict().items():
        assert torch.equal(value, other.encoder.state_dict()[name])


def test_names_and_shapes_are_compared_without_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Drawing on the meta device draws nothing, and takes over a second: torch imports its compiler for it."""
    artifact, drawn, normal = tiny_artifact(tmp_path / "model"), [], torch.Tensor.normal_

    def noted(weights: torch.Tensor, *arguments: float, **options: Any) -> torch.Tensor:
        drawn.append(weights.is_meta)
        return normal(weights, *arguments, **options)

    monkeypatch.setattr(torch.Tensor, "normal_", noted)
    read_model(artifact)
    assert drawn and not any(drawn)
