"""Which token of one tokenizer stands beside which of another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leanformer.compress.vocabulary.learnt_pieces import learn_pieces
from leanformer.errors import LeanformerError
from leanformer.tagging.words import join_words, words_of
from leanformer.task import Task
from leanformer.tokenizer import Tokenizer
from leanformer.train.rows import encode, paired, training_set, unlabelled_set
from tests.making.tagged import TASK, tagged_examples
from tests.making.tiny import TASK as TEXT_TASK
from tests.making.tiny import tiny_tokenizer


@pytest.fixture
def tokenizers(tmp_path: Path) -> tuple[Path, Path]:
    """Of a teacher and of a student."""
    path = tmp_path / "student.json"
    path.write_text(learn_pieces(tagged_examples(200, 1).texts, 100, cased=True).to_str(), encoding="utf-8")
    return tiny_tokenizer(tmp_path), path


@pytest.mark.parametrize("limits", [(64, 64), (12, 20)])
def test_first_pieces_of_the_same_words(tokenizers: tuple[Path, Path], limits: tuple[int, int]) -> None:
    """Also where one reads a sentence in more windows than the other."""
    texts = (*tagged_examples(30, 5).texts, join_words(["song", "\u200b\u0001", "zebra"]))
    teacher, student = (
        encode(Tokenizer(path, most), TASK, texts) for path, most in zip(tokenizers, limits, strict=True)
    )
    pairs = paired(student, teacher)
    theirs = np.concatenate(teacher.rows)
    assert len(pairs.places) == len(student.rows)
    windows = [(number, window) for number, group in enumerate(student.windows or ()) for window in group]
    told = 0
    for row, (sentence, window) in enumerate(windows):
        words = words_of(texts[sentence])
        numbers = [int(window.words[list(window.places).index(place)]) for place in pairs.places[row]]
        for number, token in zip(numbers, pairs.theirs[row], strict=True):
            first = Tokenizer(tokenizers[0], 64).encode([words[number]])[0][1]
            assert theirs[token] == first
            told += 1
    # All words but the one that the tokenizers leave nothing of.
    assert told == sum(len(words_of(text)) for text in texts) - 1


def test_first_tokens_of_the_same_texts(tokenizers: tuple[Path, Path]) -> None:
    texts = ["a song", "the match of the day was quite long", ""]
    teacher, student = (encode(Tokenizer(path, 32), TEXT_TASK, texts) for path in tokenizers)
    pairs = paired(student, teacher)
    assert [place.tolist() for place in pairs.places] == [[0], [0], [0]]
    starts = [0, len(teacher.rows[0]), len(teacher.rows[0]) + len(teacher.rows[1])]
    assert [rows.tolist() for rows in pairs.theirs] == [[start] for start in starts]


def test_the_candidates_of_a_question_are_one_example(tmp_path: Path) -> None:
    tokenizer = Tokenizer(tiny_tokenizer(tmp_path), 16)
    assert encode(tokenizer, Task("choice", ()), [("rain", ("wet", "dry")), ("goal", ("a", "b", "c"))]).examples == 2
    assert encode(tokenizer, Task("classification", ("a", "b")), ["rain", "goal", "team"]).examples == 3


def test_long_texts_are_one_example_of_several_windows(tmp_path: Path) -> None:
    tokenizer, texts = Tokenizer(tiny_tokenizer(tmp_path), 6), ["rain", "goal team ball rain and snow", "song of it"]
    encoded = encode(tokenizer, replace(TEXT_TASK, overlap=1), texts)
    assert encoded.counts is not None and encoded.counts.tolist() == [1, 2, 1] and encoded.averaged
    assert encoded.examples == 3 and len(encoded.rows) == 4
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    texts_ = [[0, 1, 2], [4.5, 5.5, 6.5], [9, 10, 11]]
    assert encoded.logits(lambda given: rows).tolist() == texts_
    # A teacher's logits are stored for each window; a student's windows are all taught with the mean.
    assert encoded.per_text(rows).tolist() == texts_
    assert encoded.of_rows(np.array(texts_))[:, 0].tolist() == [0, 4.5, 4.5, 9]
    data = training_set(encoded, np.array([0, 1, 2]), 0)
    assert len(data) == 3 and data.averaged and unlabelled_set(encoded, 0).labels.tolist() == [-1, -1, -1]
    with pytest.raises(LeanformerError, match="not built for questions with candidates\n  remedy: --long truncate"):
        encode(tokenizer, Task("choice", (), overlap=0), [("rain", ("wet", "dry"))])
