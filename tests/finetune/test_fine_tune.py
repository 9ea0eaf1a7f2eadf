"""Fine-tuning from end to end: an encoder and data in, an artifact out, whatever interrupted it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import BertConfig, BertModel, set_seed

from leanformer.artifact import open_artifact
from leanformer.data.dataset import Dataset
from leanformer.errors import CheckpointError, DataError, LeanformerError
from leanformer.finetune.fine_tune import fine_tune
from leanformer.metrics.classification import accuracy
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import read_model
from leanformer.predictor import logits
from leanformer.train.fit import encoder_hash
from leanformer.train.settings import FitSettings
from leanformer.train.targets import labels_of
from tests.making.tiny import TASK, VOCABULARY, tiny_artifact, tiny_dataset, tiny_tokenizer
from tests.making.trainings import KilledError

# For the contract tests: options that run in a second, options that are refused, version and hash of the defaults.
QUICK = {"epochs": 1, "batch_size": 32, "precision": "fp32"}
BAD = ({"epochs": 0}, {"crf": "yes"})
DEFAULTS = "1 a7e2de68efce"

DATA = tiny_dataset()
SETTINGS = FitSettings(epochs=12, batch_size=16, learning_rate=2e-3, precision="fp32")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare stock BERT that was never fine-tuned."""
    folder = tmp_path_factory.mktemp("encoder") / "bert"
    set_seed(1)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=24,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    tiny_tokenizer(folder)
    return folder


def run(encoder: Path, folder: Path, settings: FitSettings = SETTINGS, data: Dataset = DATA, **options: Any) -> Any:
    options = {"say": lambda line: None} | options
    return fine_tune(str(encoder), data, folder / "out", settings, work=folder / "work", device="cpu", **options)


@pytest.mark.slow
def test_from_end_to_end(encoder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    artifact = run(encoder, tmp_path, say=said.append)
    assert said[0].startswith("starting at random: head.pooler.weight")
    assert said[1] == "120 training texts, 40 dev texts, classification, 3 labels"
    assert artifact.task == TASK and artifact.format == "encoder"
    assert artifact.max_tokens == 24  # it has no more positions
    [entry] = artifact.history
    scores = entry["result"]["dev_accuracy"]
    assert entry["step"] == "train.fine_tune" and entry["parent"] is None
    assert entry["options"]["encoder"] == "bert" and entry["options"]["learning_rate"] == 2e-3
    assert entry["data"] == {"name": "tiny", "training_hash": DATA.training_hash}
    assert len(scores) == 12 and max(scores) == scores[entry["result"]["best_epoch"] - 1] >= 0.9
    # The predictor gives on dev just the score that the best epoch was said to have.
    assert DATA.dev is not None and DATA.test is not None
    for examples, least in ((DATA.dev, max(scores)), (DATA.test, 0.85)):
        predicted = logits(TorchPredictor(artifact), examples.texts).argmax(axis=1)
        assert accuracy(predicted, np.array(examples.labels)) >= least - 1e-9
    training = json.loads((tmp_path / "out" / "training.json").read_text())
    assert training["dev_accuracy"] == scores and training["seconds"] > 0
    assert "training.json" not in artifact.files
    assert open_artifact(tmp_path / "out").content_hash == artifact.content_hash
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def test_killed_and_taken_up_again(encoder: Path, tmp_path: Path) -> None:
    settings = replace(SETTINGS, epochs=2)
    whole = run(encoder, tmp_path / "whole", settings)
    for lines in (9, 4):

        def die(line: str, left: list[int] = [lines]) -> None:  # noqa: B006 - counts the lines of this run
            left[0] -= 1
            if left[0] < 0:
                raise KilledError

        with pytest.raises(KilledError):
            run(encoder, tmp_path, replace(settings, checkpoint_seconds=0.0), say=die)
        assert not (tmp_path / "out").exists() and (tmp_path / "work").exists()
    said: list[str] = []
    again = run(encoder, tmp_path, settings, say=said.append)
    assert any(line.startswith("taken up at epoch") for line in said)
    assert again.content_hash == whole.content_hash
    assert again.history[0]["result"] == whole.history[0]["result"]
    assert not (tmp_path / "work").exists()


def test_other_data_is_another_run(encoder: Path, tmp_path: Path) -> None:
    """What was left behind of a killed run on other data, or another length, is not taken up."""
    settings = replace(SETTINGS, epochs=1, checkpoint_seconds=0.0)

    def die(line: str) -> None:
        if line.startswith("epoch 1/1  50"):
            raise KilledError

    with pytest.raises(KilledError):
        run(encoder, tmp_path, settings, say=die)
    assert DATA.train is not None
    fewer = replace(DATA, train=DATA.train.select(range(119)))
    for data, options in ((fewer, {}), (DATA, {"max_tokens": 20}), (DATA, {})):
        said: list[str] = []

        def listen(line: str, said: list[str] = said) -> None:
            said.append(line)
            die(line)

        with pytest.raises(KilledError):
            run(encoder, tmp_path, settings, data, say=listen, **options)
        assert not any(line.startswith("taken up") for line in said)


def test_from_one_of_our_artifacts(tmp_path: Path) -> None:
    start = tiny_artifact(tmp_path / "start", seed=4)
    before = read_model(start)
    artifact = run(start.path, tmp_path, replace(SETTINGS, epochs=1, learning_rate=1e-9))
    assert encoder_hash(read_model(start)) == encoder_hash(before)
    # At a rate of almost nothing the weights stay what they were, the head included, for it is the same task.
    assert np.allclose(
        logits(TorchPredictor(artifact), ["rain and fog"]), logits(TorchPredictor(start), ["rain and fog"]), atol=1e-4
    )
    assert open_artifact(start.path).content_hash == start.content_hash


def test_data_without_dev(encoder: Path, tmp_path: Path) -> None:
    for missing, said in (("train", "needs a labelled train split"), ("dev", "no dev split")):
        with pytest.raises(DataError, match=f"(?s)tiny: .*{said}.*remedy: give a {missing} file"):
            run(encoder, tmp_path, data=replace(DATA, **{missing: None}))
    assert not (tmp_path / "out").exists()


def test_the_rows_of_a_dev_made_here_lie_beside_the_artifact(encoder: Path, tmp_path: Path) -> None:
    settings = replace(SETTINGS, epochs=1)
    artifact = run(encoder, tmp_path, settings, replace(DATA, dev_rows=(3, 8)))
    beside = json.loads((tmp_path / "out" / "dev_rows.json").read_text())
    assert beside == {"taken_from": "train", "rows": [3, 8]}
    assert "dev_rows.json" not in artifact.files
    # A new one that needs no such list does not keep the old.
    assert run(encoder, tmp_path, settings).content_hash == artifact.content_hash
    assert not (tmp_path / "out" / "dev_rows.json").exists()


def test_foreign_files_in_the_work_folder_are_left(encoder: Path, tmp_path: Path) -> None:
    (tmp_path / "work" / "notes").mkdir(parents=True)
    (tmp_path / "work" / "notes" / "mine.txt").write_text("mine")
    run(encoder, tmp_path, replace(SETTINGS, epochs=1))
    assert [path.name for path in (tmp_path / "work").rglob("*")] == ["notes", "mine.txt"]


@pytest.mark.parametrize("below", ["", "encoder"])
def test_the_encoder_is_not_overwritten(below: str, tmp_path: Path) -> None:
    start = tiny_artifact(tmp_path / "out" / below)
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with pytest.raises(LeanformerError, match="is or holds the encoder"):
        fine_tune(str(start.path), DATA, tmp_path / "link", SETTINGS, work=tmp_path / "work", device="cpu")
    assert open_artifact(start.path) == start
    assert not (tmp_path / "work").exists()


def test_texts_that_get_cut_are_counted(encoder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    run(encoder, tmp_path, replace(SETTINGS, epochs=1), say=said.append)
    assert not any("are cut" in line for line in said)
    assert DATA.train is not None and DATA.dev is not None
    run(encoder, tmp_path, replace(SETTINGS, epochs=1), say=said.append, max_tokens=10)
    # Every word and the full stop is a token, and there are [CLS] and [SEP].
    long = [sum(len(text.split()) + 3 > 10 for text in part.texts) for part in (DATA.train, DATA.dev)]
    assert 0 < long[0] < 120 and 0 < long[1] < 40
    for split, count, of in (("train", long[0], 120), ("dev", long[1], 40)):
        note = f"note: {count} of {of} {split} texts are longer than 10 tokens and are cut"
        assert f"{note}; --long windows reads them whole" in said


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_said_at_once(device: str, encoder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(LeanformerError, match=f"(?s){device}.*remedy: "):
        fine_tune(
            str(encoder), DATA, tmp_path / "out", SETTINGS, work=tmp_path / "work", device=device, say=said.append
        )
    assert said == [] and not (tmp_path / "work").exists()


def test_an_encoder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        run(tmp_path / "absent", tmp_path)


def test_labels_of_examples() -> None:
    assert DATA.train is not None and DATA.unlabelled is not None
    assert labels_of(DATA.train).tolist() == list(DATA.train.labels or ())
    assert labels_of(DATA.unlabelled).tolist() == [-1] * 60
    assert labels_of(DATA.unlabelled).dtype == np.int64


def test_the_hash_of_an_encoder_covers_weights_and_shape(tmp_path: Path) -> None:
    hashes = {encoder_hash(read_model(tiny_artifact(tmp_path / str(seed), seed=seed))) for seed in (1, 2)}
    model = read_model(tiny_artifact(tmp_path / "again", seed=1))
    assert len(hashes) == 2 and encoder_hash(model) in hashes
    model.config = replace(model.config, activation="relu")
    assert encoder_hash(model) not in hashes
