"""Teacher outputs: what the model computes, kept on disk, and taken up where a kill left them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, DebertaV2Config, DebertaV2ForSequenceClassification

from leanformer.artifact import Artifact
from leanformer.errors import CheckpointError
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import import_checkpoint, read_model
from leanformer.predictor import logits
from leanformer.shapes.encoder import LayerShape
from leanformer.tokenizer import Tokenizer
from leanformer.train import teaching
from leanformer.train.chunks import Chunks
from leanformer.train.teacher_outputs import TeacherOutputs, teacher_outputs
from leanformer.train.teaching import Teaching
from tests.making.tiny import TASK, VOCABULARY, roughen, tiny_artifact, tiny_config, tiny_dataset, tiny_tokenizer
from tests.making.trainings import KilledError, dying

TEXTS = tiny_dataset().unlabelled.texts  # type: ignore[union-attr]
WANTED: dict[str, Any] = {"hidden": (0, 3), "attention": (1, 2)}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    config = tiny_config(layers=(LayerShape(4, 48), LayerShape(4, 48), LayerShape(2, 20)))
    return tiny_artifact(tmp_path_factory.mktemp("teacher") / "a", config=config)


def same(one: TeacherOutputs, other: TeacherOutputs) -> bool:
    return (
        np.array_equal(one.logits, other.logits)
        and np.array_equal(one.lengths, other.lengths)
        and one.hidden.keys() == other.hidden.keys()
        and all(np.array_equal(one.hidden[i], other.hidden[i]) for i in one.hidden)
        and one.attention.keys() == other.attention.keys()
        and all(np.array_equal(one.attention[i], other.attention[i]) for i in one.attention)
        and one.heads == other.heads
    )


def test_they_are_what_the_model_computes(teacher: Artifact, tmp_path: Path) -> None:
    outputs = teacher_outputs(teacher, TEXTS, cache=tmp_path, **WANTED)
    model, rows = read_model(teacher), Tokenizer(teacher.file("tokenizer.json"), 32).encode(TEXTS)
    assert outputs.lengths.tolist() == [len(row) for row in rows]
    assert outputs.heads == {1: 4, 2: 2}
    chosen = np.array([17, 3, 59, 0])
    width = int(outputs.lengths[chosen].max()) + 2
    hidden = {i: outputs.hidden_block(i, chosen, width) for i in (0, 3)}
    attention = {i: outputs.attention_block(i, chosen, width) for i in (1, 2)}
    assert hidden[3].shape == (4, width, 32) and attention[2].shape == (4, 2, width, width)
    for at, row in enumerate(chosen):
        n = len(rows[row])
        with torch.no_grad():
            ids = torch.from_numpy(rows[row]).long()[None]
            expected = model.outputs(ids, torch.ones_like(ids), with_attentions=True)
        assert np.allclose(outputs.logits[row], expected.logits[0], atol=1e-5)
        for index, block in hidden.items():
            assert torch.allclose(block[at, :n], expected.encoded.hidden_states[index][0], atol=1e-3, rtol=1e-3)
            assert torch.equal(block[at, n:], torch.zeros(width - n, 32))
        for index, block in attention.items():
            assert torch.allclose(block[at, :, :n, :n], expected.encoded.attentions[index][0], atol=1e-3)
            assert float(block[at, :, n:].abs().sum() + block[at, :, :, n:].abs().sum()) == 0


def refuse(*args: Any, **options: Any) -> Any:
    raise AssertionError("the model ran")


def test_the_second_time_no_model_runs(teacher: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    fresh = teacher_outputs(teacher, TEXTS, cache=tmp_path, say=said.append, **WANTED)
    plain = teacher_outputs(teacher, TEXTS, cache=tmp_path, say=said.append)
    assert said == ["teacher outputs: 60 of 60 texts"] * 2
    monkeypatch.setattr(TorchPredictor, "infer", refuse)
    monkeypatch.setattr(Teaching, "_fill", refuse)
    assert same(teacher_outputs(teacher, TEXTS, cache=tmp_path, say=said.append, **WANTED), fresh)
    assert same(teacher_outputs(teacher, TEXTS, cache=tmp_path, say=said.append), plain)
    assert len(said) == 2
    assert np.allclose(plain.logits, fresh.logits, atol=1e-5)


def test_other_texts_teachers_and_wishes_are_computed_anew(
    teacher: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher_outputs(teacher, TEXTS, cache=tmp_path)
    monkeypatch.setattr(TorchPredictor, "infer", refuse)
    monkeypatch.setattr(Teaching, "_fill", refuse)
    other = tiny_artifact(tmp_path / "other", seed=9, config=read_model(teacher).config)
    for arguments, options in [
        ((teacher, TEXTS[:-1]), {}),
        ((teacher, TEXTS[::-1]), {}),
        ((other, TEXTS), {}),
        ((teacher, TEXTS), {"hidden": (1,)}),
        ((teacher, TEXTS), {"attention": (1,)}),
    ]:
        with pytest.raises(AssertionError, match="the model ran"):
            teacher_outputs(*arguments, cache=tmp_path, **options)


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [WANTED, {}], ids=["states", "logits"])
@pytest.mark.parametrize("chunks", [0, 1, 4, 8])
def test_a_killed_run_is_taken_up(
    chunks: int, wanted: dict[str, Any], teacher: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teaching, "CHUNK_ROWS", 7)
    whole = teacher_outputs(teacher, TEXTS, cache=tmp_path / "whole", **wanted)
    with monkeypatch.context() as patch:
        patch.setattr(TorchPredictor, "infer", dying(chunks, TorchPredictor.infer))
        patch.setattr(Teaching, "_fill", dying(chunks, Teaching._fill))
        with pytest.raises(KilledError):
            teacher_outputs(teacher, TEXTS, cache=tmp_path / "cache", **wanted)
    [folder] = (tmp_path / "cache").iterdir()
    if chunks:
        assert list(json.loads((folder / "done.json").read_text())["chunks"]) == [str(i) for i in range(chunks)]
    said: list[str] = []
    assert same(teacher_outputs(teacher, TEXTS, cache=tmp_path / "cache", say=said.append, **wanted), whole)
    assert len(said) == 9 - chunks


def test_killed_between_an_arrays_rows_and_the_note_of_them(
    teacher: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that were written but not yet counted are written again, whatever half of them there is."""
    monkeypatch.setattr(teaching, "CHUNK_ROWS", 7)
    whole = teacher_outputs(teacher, TEXTS, cache=tmp_path / "whole", **WANTED)
    with monkeypatch.context() as patch:
        patch.setattr(Chunks, "done", dying(3, Chunks.done))
        with pytest.raises(KilledError):
            teacher_outputs(teacher, TEXTS, cache=tmp_path / "cache", **WANTED)
    [folder] = (tmp_path / "cache").iterdir()
    array = np.load(folder / "logits.npy", mmap_mode="r+")
    array[25:28] = 99
    array.flush()
    assert same(teacher_outputs(teacher, TEXTS, cache=tmp_path / "cache", **WANTED), whole)


def test_a_lost_file_is_computed_again(teacher: Artifact, tmp_path: Path) -> None:
    whole = teacher_outputs(teacher, TEXTS, cache=tmp_path, **WANTED)
    kept = np.array(whole.hidden[3])
    [folder] = tmp_path.iterdir()
    (folder / "hidden_3.npy").unlink()
    assert np.array_equal(teacher_outputs(teacher, TEXTS, cache=tmp_path, **WANTED).hidden[3], kept)
    assert np.abs(kept).max() > 0


def test_a_foreign_teacher_gives_logits_only(tmp_path: Path) -> None:
    sizes = BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    ).to_diff_dict()
    sizes = {key: value for key, value in sizes.items() if key.endswith(("_size", "_layers", "_heads"))}
    model = DebertaV2ForSequenceClassification(DebertaV2Config(**sizes, num_labels=3))
    roughen(model)
    model.save_pretrained(tmp_path / "s")
    tiny_tokenizer(tmp_path / "s")
    teacher = import_checkpoint(str(tmp_path / "s"), tmp_path / "a", labels=TASK.labels)
    assert teacher.format == "transformers"
    outputs = teacher_outputs(teacher, TEXTS, cache=tmp_path / "cache")
    assert np.allclose(outputs.logits, logits(TorchPredictor(teacher), TEXTS), atol=1e-6)
    assert outputs.hidden == {} and outputs.attention == {}
    for wanted in ({"hidden": (0,)}, {"attention": (0,)}):
        with pytest.raises(CheckpointError, match="remedy: set hidden_weight and attention_weight to 0"):
            teacher_outputs(teacher, TEXTS, cache=tmp_path / "cache", **wanted)


def test_a_teacher_with_dropout_is_asked_without_it(tmp_path: Path) -> None:
    """Tiny models have none, and so could not tell."""
    plain = tiny_config(layers=(LayerShape(4, 48),) * 3)
    dropping = tiny_config(layers=(LayerShape(4, 48),) * 3, dropout=0.4, attention_dropout=0.4)
    expected = teacher_outputs(tiny_artifact(tmp_path / "plain", config=plain), TEXTS, cache=tmp_path / "a", **WANTED)
    teacher = tiny_artifact(tmp_path / "dropping", config=dropping)
    assert same(teacher_outputs(teacher, TEXTS, cache=tmp_path / "b", **WANTED), expected)
    alone = teacher_outputs(teacher, TEXTS, cache=tmp_path / "c")
    np.testing.assert_allclose(alone.logits, expected.logits, atol=1e-5)
