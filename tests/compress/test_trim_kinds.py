"""Trimmed vocabularies for pairs, for every kind of task, and for families whose tables are laid out otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer as RustTokenizer

from leanformer.artifact import Artifact
from leanformer.compress.vocabulary.trim_vocabulary import TrimVocabulary
from leanformer.data.dataset import Dataset
from leanformer.export.onnx import Onnx
from leanformer.inputs.kinds import input_of
from leanformer.models.hf.checkpoint import read_classifier, write_checkpoint
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import read_model
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from tests.compress.test_pruning_kinds import KINDS, artifact_of
from tests.making.family_models import family_artifact
from tests.making.graphs import make_context
from tests.making.tiny import tiny_kind_dataset

FAMILIES = [("roberta", "two types"), ("xlm-roberta", "plain"), ("electra", "plain"), ("modernbert", "mean")]


def trimmed(source: Artifact, data: Dataset, folder: Path, **options: object) -> Artifact:
    return TrimVocabulary(**options)(source, make_context(folder, source, data=data), folder / "trimmed")


def few(kind: str) -> Dataset:
    """So few texts that most pieces of a tokenizer go."""
    return replace(tiny_kind_dataset(kind, (10, 20, 20, 4)), test=None)


@pytest.mark.parametrize("kind", KINDS)
def test_answers_to_counted_texts_stay_to_the_bit(kind: str, tmp_path: Path):
    data = few(kind)
    source = artifact_of(data, tmp_path)
    small = trimmed(source, data, tmp_path)
    assert small.task == source.task  # with thresholds and scale
    assert read_model(small).config.vocabulary < read_model(source).config.vocabulary
    for part in (data.train, data.unlabelled):
        assert part is not None
        before, after = (logits(TorchPredictor(artifact, device="cpu"), part.inputs) for artifact in (source, small))
        assert np.array_equal(before, after)
    counted = small.history[-1]["result"]["counted"]
    assert counted["texts"] == 14 * (2 if input_of(data.task).paired else 1) and counted["texts_changed"] == 0


@pytest.mark.parametrize("case", FAMILIES, ids=" ".join)
def test_every_layout_of_tables(case: tuple[str, str], tmp_path: Path):
    """Positions counted from the padding id, narrow tables with a projection; on pairs, and on to graph and stock."""
    data = few("pair")
    source = family_artifact(tmp_path / "source", *case, task=data.task)
    small = trimmed(source, data, tmp_path)
    ours, theirs = read_model(small).config, read_model(source).config
    assert ours.vocabulary < theirs.vocabulary - 20  # the bytes of byte-level tokenizers all stay
    assert replace(ours, vocabulary=theirs.vocabulary) == theirs
    assert data.train is not None
    inputs = data.train.inputs
    before, after = (logits(TorchPredictor(artifact, device="cpu"), inputs) for artifact in (source, small))
    assert np.array_equal(before, after) and before.std() > 0.05
    graph = Onnx()(small, make_context(tmp_path / "onnx", small, data=data), tmp_path / "graph")
    np.testing.assert_allclose(logits(LightPredictor(graph, threads=1), inputs), before, atol=1e-4)
    write_checkpoint(read_model(small), small.task, tmp_path / "stock")
    assert read_classifier(tmp_path / "stock", 3)[0].config == ours


def test_both_texts_of_further_pairs_are_counted(tmp_path: Path):
    data = few("pair")
    source = artifact_of(data, tmp_path)
    (tmp_path / "more.jsonl").write_text('{"text": "hail", "text_pair": "fog"}\n', encoding="utf-8")
    (tmp_path / "more.txt").write_text("thunder\n", encoding="utf-8")
    (tmp_path / "scored.jsonl").write_text(
        "".join(json.dumps({"text": "frost", "text_pair": "album", "label": 0.25 * i}) + "\n" for i in range(4)),
        encoding="utf-8",
    )
    words = {"none": set(), "more.jsonl": {"hail", "fog"}, "more.txt": {"thunder"}, "scored.jsonl": {"frost", "album"}}
    for name, expected in words.items():
        extra = None if name == "none" else str(tmp_path / name)
        small = trimmed(source, data, tmp_path / name.replace(".", "-"), extra_texts=extra)
        kept = set(RustTokenizer.from_file(str(small.file("tokenizer.json"))).get_vocab())
        assert kept & set().union(*words.values()) == expected
