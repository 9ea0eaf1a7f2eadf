"""Texts that lose their beginning: the same with the word cache, in windows, and wherever the tokenizer goes on to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer as RustTokenizer

from leanformer.artifact import Artifact
from leanformer.compress.recurrent.start import start_student
from leanformer.compress.vocabulary.trim_vocabulary import TrimVocabulary
from leanformer.export.onnx import Onnx
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import read_model, write_classifier, write_tokenizer_config
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from leanformer.tokenizer import Tokenizer, truncation_side
from tests.making.graphs import make_context
from tests.making.tiny import TASK, tiny_classifier, tiny_texts, tiny_tokenizer

TEXTS = (*tiny_texts(40, seed=3)[0], "", "rain", "song " * 50 + "rain goal " * 20, ("goal match " * 600) + "storm")
PAIRS = [("rain", "song band drum goal match team"), ("rain storm cloud wind snow frost", "goal"), ("a", "b")]


def left(folder: Path) -> Path:
    path = tiny_tokenizer(folder)
    tokenizer = RustTokenizer.from_file(str(path))
    tokenizer.enable_truncation(512, direction="left")
    tokenizer.save(str(path))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("overlap", [0, 2])
@pytest.mark.parametrize("max_tokens", [5, 8, 40])
def test_the_beginning_goes(max_tokens: int, overlap: int, tmp_path: Path) -> None:
    path = left(tmp_path)
    library = RustTokenizer.from_file(str(path))
    library.enable_truncation(max_tokens, stride=overlap, direction="left")
    cached, plain = (
        Tokenizer(path, max_tokens, overlap=overlap),
        Tokenizer(path, max_tokens, overlap=overlap, cache=False),
    )
    assert cached.remembers_words and not plain.remembers_words
    for _ in range(3):  # words are remembered from their second time on
        for tokenizer in (cached, plain):
            for text, row, windows in zip(TEXTS, tokenizer.encode(TEXTS), tokenizer.windows(TEXTS), strict=True):
                one = library.encode(text)
                assert row.tolist() == one.ids
                assert [window.tolist() for window in windows] == [one.ids, *(part.ids for part in one.overflowing)]
            pairs = [] if overlap else PAIRS  # each of the two may be cut to less than an overlap
            for pair, row in zip(pairs, tokenizer.encode(pairs), strict=True):
                one = library.encode(*pair)
                assert [row[:, 0].tolist(), row[:, 1].tolist()] == [one.ids, one.type_ids]
            assert tokenizer.count_longer(TEXTS) == sum(bool(library.encode(text).overflowing) for text in TEXTS)


def test_a_file_that_says_nothing_is_cut_at_the_end(tmp_path: Path) -> None:
    path = tiny_tokenizer(tmp_path)
    assert truncation_side(RustTokenizer.from_file(str(path))) == "right"
    (row,) = Tokenizer(path, 5).encode(["song goal rain storm"])
    assert row.tolist() == RustTokenizer.from_file(str(path)).encode("song goal rain").ids


@pytest.fixture
def encoder(tmp_path: Path) -> Artifact:
    return write_classifier(
        tiny_classifier(), tmp_path / "encoder", task=TASK, tokenizer=left(tmp_path / "left"), max_tokens=8, history=()
    )


def test_it_goes_through_export_and_trimming(encoder: Artifact, tmp_path: Path) -> None:
    expected = logits(TorchPredictor(encoder), TEXTS)
    right = write_classifier(
        read_model(encoder), tmp_path / "right", task=TASK, tokenizer=tiny_tokenizer(tmp_path / "r"), max_tokens=8,
        history=(),
    )  # fmt: skip
    assert np.abs(expected - logits(TorchPredictor(right), TEXTS)).max() > 0.1, "or the comparison shows nothing"
    context = make_context(tmp_path, encoder)
    onnx = Onnx()(encoder, context, tmp_path / "onnx")
    assert logits(LightPredictor(onnx, threads=1), TEXTS) == pytest.approx(expected, abs=1e-4)
    trimmed = TrimVocabulary()(encoder, context, tmp_path / "trimmed")
    few = context.data.train.texts[:20]  # type: ignore[union-attr]  # whose words are all kept
    assert logits(TorchPredictor(trimmed), few) == pytest.approx(logits(TorchPredictor(encoder), few), abs=1e-4)
    assert truncation_side(RustTokenizer.from_file(str(trimmed.file("tokenizer.json")))) == "left"


@pytest.mark.parametrize("vocabulary", ["all", "seen", "cased"])
def test_a_recurrent_student_reads_the_same_end(vocabulary: str, encoder: Artifact, tmp_path: Path) -> None:
    torch.manual_seed(1)
    start = start_student(
        read_model(encoder), encoder, TEXTS, embedding=8, units=8, dropout=0.0, start="embeddings",
        vocabulary=vocabulary, keep_characters=True, work=tmp_path / "work", pieces=200,
    )  # fmt: skip
    assert truncation_side(RustTokenizer.from_file(str(start.tokenizer))) == "left"


def test_transformers_is_told(encoder: Artifact, tmp_path: Path) -> None:
    write_tokenizer_config(encoder, tmp_path)
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["truncation_side"] == "left"
