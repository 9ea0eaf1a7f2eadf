"""Long texts in windows: which there are, and the mean of their logits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leanformer.answers.long_texts import (
    TextTokenizer,
    averaged,
    cut_note,
    mean_logits,
    reading,
    windowed_of,
)
from leanformer.errors import LeanformerError
from leanformer.task import Task
from leanformer.tokenizer import Tokenizer
from tests.making.tiny import TASK, tiny_tokenizer

WHOLE = Task("classification", TASK.labels, overlap=0)
CHOICE = Task("choice", ())
LONG = "the song was very quite and we saw the band today with a drum"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.mark.parametrize("overlap", [None, 0, 3])
def test_windows_hold_every_token_in_order(path: Path, overlap: int | None) -> None:
    [short, long] = TextTokenizer(WHOLE, path, 8, overlap=overlap).windows(["the song", LONG])
    whole = Tokenizer(path, 100).encode(["the song", LONG])
    assert len(short) == 1 and np.array_equal(short[0].ids, whole[0])
    body, step = whole[1][1:-1], 6 - (overlap or 0)
    for number, window in enumerate(long):
        assert window.ids[[0, -1]].tolist() == whole[1][[0, -1]].tolist() and len(window.ids) <= 8
        assert window.ids[1:-1].tolist() == body[number * step :][:6].tolist()
    assert (len(long) - 1) * step + len(long[-1].ids) - 2 == len(body)


def test_candidates_are_read_in_windows_of_their_own(path: Path) -> None:
    text = ("the", (LONG, "goal"))
    [windows] = TextTokenizer(CHOICE, path, 10).windows([text])
    assert [window.row for window in windows] == [0] * (len(windows) - 1) + [1] and len(windows) > 2
    values = np.arange(len(windows), dtype=np.float32)[:, None]
    [found] = mean_logits(values, [windows], [text], CHOICE)
    assert found.tolist() == [np.mean(range(len(windows) - 1)), len(windows) - 1]


def test_logits_of_a_text_are_the_mean_of_its_windows(path: Path) -> None:
    windows = TextTokenizer(WHOLE, path, 8).windows(["the song", LONG, "goal"])
    values = np.random.default_rng(0).normal(size=(sum(map(len, windows)), 3)).astype(np.float32)
    found = mean_logits(values, windows, ["the song", LONG, "goal"], WHOLE)
    assert found.dtype == np.float32 and found.shape == (3, 3)
    assert np.array_equal(found[[0, 2]], values[[0, -1]]), "a text of one window has its logits, to the last bit"
    assert found[1] == pytest.approx(values[1:-1].mean(axis=0), abs=1e-6)
    assert mean_logits(values[:0], [], [], WHOLE).shape == (0, 3)


def test_the_largest_logits_have_a_mean() -> None:
    largest = np.full((2, 1), np.finfo(np.float32).max)
    assert averaged(largest, np.array([2])).tolist() == largest[:1].tolist()


def test_which_tasks_are_read_in_windows() -> None:
    assert windowed_of(TASK) is None and windowed_of(WHOLE) is not None
    for kind in ("span", "tokens"):
        task = Task(kind, () if kind == "span" else ("O", "B-X"))
        assert windowed_of(task) is not None
        assert reading(task, "windows") == task and reading(task, None, 5).overlap == 5
        with pytest.raises(LeanformerError, match="always read whole\n  remedy: leave --long out"):
            reading(task, "truncate")
    assert reading(TASK, None) == TASK == reading(WHOLE, "truncate")
    assert reading(TASK, "windows") == WHOLE == reading(TASK, None, 0) == reading(WHOLE, None)
    assert reading(TASK, "windows", 4).overlap == 4 == reading(reading(TASK, None, 4), "windows").overlap
    with pytest.raises(LeanformerError, match="windows or truncate, not 'whole'"):
        reading(TASK, "whole")
    with pytest.raises(LeanformerError, match="--overlap is that of windows\n  remedy: --long windows"):
        reading(TASK, "truncate", 3)


def test_an_overlap_that_leaves_nothing_is_refused(path: Path) -> None:
    TextTokenizer(WHOLE, path, 8, overlap=5).windows([LONG])
    with pytest.raises(LeanformerError, match="windows of 8 tokens cannot overlap by 6\n  remedy: --overlap 5 or less"):
        TextTokenizer(WHOLE, path, 8, overlap=6)


def test_cut_texts_are_counted_and_the_option_is_named(path: Path) -> None:
    tokenizer, texts = Tokenizer(path, 8), ["the song", LONG]
    said = cut_note(TASK, tokenizer, texts, "dev")
    assert said == "1 of 2 dev texts are longer than 8 tokens and are cut; --long windows reads them whole"
    assert cut_note(WHOLE, tokenizer, texts, "dev") == "" == cut_note(TASK, tokenizer, texts[:1], "dev")
    assert cut_note(CHOICE, tokenizer, [("the", (LONG, LONG))], "dev").endswith(
        "1 dev texts are longer than 8 tokens and are cut"
    )
