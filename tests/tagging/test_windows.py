"""First pieces and windows, with real tokenizers of several families."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as RustTokenizer

from leanformer.errors import CheckpointError, DataError
from leanformer.tagging.windows import SentenceTokenizer, owners, to_words, window_starts
from leanformer.tagging.words import join_words, words_of
from leanformer.tokenizer import Tokenizer
from tests.making.tagged import TAGS, tagged_sentences
from tests.making.tiny import tiny_tokenizer


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_tokenizer(tmp_path_factory.mktemp("tokenizer"))


SENTENCES = [join_words(words) for words, _ in tagged_sentences(40, 5)]
LONG = join_words([word for words, _ in tagged_sentences(30, 6) for word in [*words, "unheard-of", "xyz"]])


def test_first_pieces_are_those_of_tokenized_words(path: Path) -> None:
    """As stock libraries align a sentence that comes as words."""
    rust = RustTokenizer.from_file(str(path))
    for text in [*SENTENCES, "it's un-believable xyz !! a", LONG]:
        [window] = SentenceTokenizer(path, 4096).windows([text])[0]
        stock = rust.encode(words_of(text), is_pretokenized=True)
        assert window.ids.tolist() == stock.ids
        numbers = stock.word_ids
        first = [i for i, number in enumerate(numbers) if number is not None and (i == 0 or numbers[i - 1] != number)]
        assert window.places.tolist() == first and window.words.tolist() == [numbers[i] for i in first]


def test_ids_are_those_of_the_same_text_for_every_other_task(path: Path) -> None:
    for each, ids in zip(
        SentenceTokenizer(path, 512).windows(SENTENCES), Tokenizer(path, 512).encode(SENTENCES), strict=True
    ):
        np.testing.assert_array_equal(each[0].ids, ids)


@pytest.mark.parametrize(("max_tokens", "overlap"), [(16, None), (16, 0), (16, 12), (9, 3), (3, None)])
def test_windows_lose_no_word_and_ask_each_once(path: Path, max_tokens: int, overlap: int | None) -> None:
    [whole] = SentenceTokenizer(path, 10_000).windows([LONG])[0]
    windows = SentenceTokenizer(path, max_tokens, overlap=overlap).windows([LONG])[0]
    assert len(windows) > 5
    words = np.concatenate([window.words for window in windows])
    assert words.tolist() == list(range(len(words_of(LONG))))
    asked = np.concatenate([window.ids[window.places] for window in windows])
    np.testing.assert_array_equal(asked, whole.ids[whole.places])
    for window in windows:
        assert len(window.ids) == max_tokens
        assert (window.ids[0], window.ids[-1]) == (whole.ids[0], whole.ids[-1])
    # With overlap a word that is not at either end of the sentence has company on both sides.
    if overlap is None and max_tokens == 16:
        inner = [min(place, max_tokens - 1 - place) for window in windows[1:-1] for place in window.places]
        assert min(inner) >= 2


@given(st.integers(1, 60), st.integers(1, 30), st.data())
def test_windows_cover_every_token(length: int, room: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, room - 1))
    if length <= room:
        return
    starts = window_starts(length, room, overlap)
    covered = {i for start in starts for i in range(start, start + room)}
    assert covered == set(range(length)) and starts == sorted(set(starts))


@pytest.mark.slow
@settings(max_examples=200)
@given(st.integers(2, 400), st.integers(1, 40), st.data())
def test_each_word_is_asked_where_its_shorter_side_is_longest(length: int, room: int, data: st.DataObject) -> None:
    """Against the rule as it is written down: every place held against every window."""
    if length <= room:
        return
    starts = window_starts(length, room, data.draw(st.integers(0, room - 1)))
    places = np.array(sorted(data.draw(st.sets(st.integers(0, length - 1)))), dtype=np.int64)
    begins = np.asarray(starts)[:, None]
    sides = np.minimum(places[None, :] - begins, begins + room - 1 - places[None, :])
    assert owners(places, starts, room).tolist() == sides.argmax(axis=0).tolist()


_LONG_LINE = """
import resource, sys
from leanformer.tagging.windows import SentenceTokenizer
tokenizer = SentenceTokenizer(sys.argv[1], int(sys.argv[3]))
tokenizer.windows(["the goal"])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 1200 * 2**20,) * 2)
[windows] = tokenizer.windows([" ".join(["the", "goal", "of", "it"] * (int(sys.argv[2]) // 4))])
assert sum(len(one.words) for one in windows) == int(sys.argv[2])
print(len(windows))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("words", "max_tokens"), [(400_000, 512), (400_000, 32), (200_000, 8)])
def test_a_line_of_very_many_words_takes_linear_memory(path: Path, words: int, max_tokens: int) -> None:
    """One table of all words and all windows would take gigabytes, and its like for 400,000 words 100 of them."""
    done = subprocess.run(
        [sys.executable, "-c", _LONG_LINE, str(path), str(words), str(max_tokens)],
        capture_output=True, text=True, env=os.environ | {"TOKENIZERS_PARALLELISM": "false"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > words // max_tokens


def test_words_that_nothing_is_left_of_are_outside(path: Path) -> None:
    text = join_words(["the", "\u200d", "goal", "\x01\x02", ""])
    [window] = SentenceTokenizer(path, 16).windows([text])[0]
    assert window.words.tolist() == [0, 2]
    values = np.zeros((len(window.ids), len(TAGS)), np.float32)
    values[:, 3] = 1
    [logits] = to_words(values, [[window]], [text], TAGS)
    assert logits.argmax(axis=1).tolist() == [3, 0, 3, 0, 0]


def test_sentences_without_a_word(path: Path) -> None:
    tokenizer = SentenceTokenizer(path, 16)
    for text in ("", "\u200d"):
        [window] = tokenizer.windows([text])[0]
        assert len(window.ids) == 2 and len(window.words) == 0
    [nothing] = to_words(np.zeros((2, len(TAGS)), np.float32), tokenizer.windows([""]), [""], TAGS)
    assert nothing.shape == (0, len(TAGS))


@settings(max_examples=60, deadline=None)
@given(words=st.lists(st.text(), min_size=1, max_size=12))
def test_any_words_have_their_own_first_piece_or_none(path: Path, words: list[str]) -> None:
    text = join_words(words)
    windows = SentenceTokenizer(path, 12).windows([text])[0]
    asked = np.concatenate([window.words for window in windows])
    assert (np.diff(asked) > 0).all() and (asked < len(words_of(text))).all()
    rust = RustTokenizer.from_file(str(path))
    for number, word in enumerate(words_of(text)):
        pieces = rust.encode(word, add_special_tokens=False).ids
        assert (number in asked) == bool(pieces), (words, number)


def test_what_cannot_be(path: Path) -> None:
    with pytest.raises(TypeError, match="a list"):
        SentenceTokenizer(path, 16).windows("the goal")
    with pytest.raises(TypeError, match="sentence 2 is no string"):
        SentenceTokenizer(path, 16).windows(["the", ["goal"]])  # type: ignore[list-item]
    with pytest.raises(DataError, match="sentence 1 has half of a surrogate pair"):
        SentenceTokenizer(path, 16).windows(["\ud800"])
    with pytest.raises(CheckpointError, match="2 tokens leave no room for a word"):
        SentenceTokenizer(path, 2)
