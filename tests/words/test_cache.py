"""The word cache: the tokenizer's own ids for any text, and for no tokenizer whose words look at their neighbours."""

from __future__ import annotations

import json
import tempfile
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as RustTokenizer
from tokenizers.models import BPE, Unigram, WordLevel, WordPiece

from leanformer.errors import DataError, TokenizerFileError
from leanformer.tokenizer import Tokenizer
from leanformer.words.cache import WordCache
from leanformer.words.parts import dependence
from tests.making.tiny import tiny_texts, tiny_tokenizer
from tests.making.trained_tokenizers import FOREIGN, requests, trained

HOSTILE = [
    *("", " ", "  ", "\n", "\t", "\r\n", " a", "a ", "a  b", "a\nb", "a\tb", "a\x0bb", "a\x0cb", "a\x1cb", "a\x85b"),
    *("a\u00a0b", "a\u2028b", "a\u3000b", "a\u200bb", "a\u00adb", "\ufeffa", "a \u0301b", "e\u0301", "\u0301"),
    *("\x00", "\x00 a", "a\x00b", "\x7f", "\ufffd", "a\ufffdb", "[MASK]", "[mask]", "a[MASK]b", "[ MASK ]", "[UNK"),
    *("[MASK] [MASK]", "don't", "U.S.A.", "1,000.5", "a-b_c", "##a", "## a", "$5", "a`b^c~d|e<f>g", "ǅ İ ß ẞ ﬁ Ω"),
    *("雨が 降る", "雨", "한국어 텍스트", "ไทย ไม่มี", "שָׁלוֹם עולם", "\u202eabc def", "👩‍👩‍👧 🇩🇪"),
    *("\U0010ffff x", "é" * 60, "ΑΣ ΑΣ", "ΑΣ", "ſ"),
    *("a" * 47, "a" * 48, "a" * 49, "a" * 100, "a" * 101, "a" * 1024, "a" * 1025, "x" * 3000 + " rain", "rain " * 700),
    *(" " * 3000, "\n" * 3000, ("- " * 2000), "goal\n" * 600, "雨" * 2000, "é " * 900, ("a" * 60 + " ") * 40),
]  # fmt: skip
PAIRS = [("a", "b"), ("", ""), ("goal " * 9, "rain " * 9), ("goal " * 90, "rain"), ["x\ny", "[MASK] z"], ("é", "雨 a")]


@cache
def bert() -> RustTokenizer:
    return RustTokenizer.from_str(json.dumps(trained("WordPiece")))


def changed(change: Callable[[RustTokenizer], Any]) -> RustTokenizer:
    made = RustTokenizer.from_str(bert().to_str())
    made.no_padding()
    change(made)
    return made


def put(**parts: Any) -> Callable[[RustTokenizer], None]:
    """Sets parts of a tokenizer."""

    def change(made: RustTokenizer) -> None:
        for name, part in parts.items():
            setattr(made, name, part)

    return change


def bpe(made: RustTokenizer) -> None:
    letters = {letter: number for number, letter in enumerate("[UNK] [CLS] [SEP] a b e ab abe".split())}
    made.model = BPE(vocab=letters, merges=[("a", "b"), ("ab", "e")], unk_token="[UNK]")


ALONE = {
    "as trained": lambda made: None,
    "cased": put(normalizer=normalizers.BertNormalizer(lowercase=False, strip_accents=False, clean_text=False)),
    "no normaliser": put(normalizer=None),
    "a sequence": put(
        normalizer=normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.StripAccents()]),
        pre_tokenizer=pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Digits(True), pre_tokenizers.Punctuation()]
        ),
    ),
    "whitespace": put(pre_tokenizer=pre_tokenizers.Whitespace(), normalizer=normalizers.NFD()),
    "composed": put(pre_tokenizer=pre_tokenizers.WhitespaceSplit(), normalizer=normalizers.NFC()),
    "no specials around": put(post_processor=processors.TemplateProcessing(single="$A", pair="$A $B:1")),
    "second text first": put(
        post_processor=processors.TemplateProcessing(
            single="[CLS] $A:1 [SEP]:1 [SEP]", pair="[CLS] $B:1 [SEP] $A:0 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
    ),
    "bert's own": put(post_processor=processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))),
    "byte pairs": bpe,
    "an added word": lambda made: made.add_tokens(["goal", AddedToken("rain", single_word=True, lstrip=True)]),
    "a cased added word": lambda made: made.add_tokens([AddedToken("Goal", normalized=False), "don't"]),
}  # fmt: skip


def whole_words(made: RustTokenizer) -> None:
    made.model = WordLevel({"[UNK]": 0, "a": 1, "goal": 2}, unk_token="[UNK]")


ALONE["whole words"] = whole_words
TOGETHER = {
    "the normaliser Strip": put(normalizer=normalizers.Sequence([normalizers.NFC(), normalizers.Strip()])),
    "the normaliser Replace": put(normalizer=normalizers.Replace("a b", "c")),
    "the normaliser Prepend": put(normalizer=normalizers.Prepend("_")),
    "the pre-tokenizer Metaspace": put(pre_tokenizer=pre_tokenizers.Metaspace()),
    "the pre-tokenizer ByteLevel": put(pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "the pre-tokenizer Punctuation": put(
        pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.Punctuation(), pre_tokenizers.WhitespaceSplit()])
    ),
    "the pre-tokenizer Split": put(
        pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Split("a", "removed")])
    ),
    "the pre-tokenizer is missing": put(pre_tokenizer=None),
    "the model Unigram": put(model=Unigram([("<unk>", 0.0), ("a", -1.0)], unk_id=0)),
    "the model's dropout": put(model=BPE(vocab={"a": 0}, merges=[], dropout=0.1)),
    "the post-processor RobertaProcessing": put(
        post_processor=processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2))
    ),
    "the added token 'New York'": lambda made: made.add_tokens(["New York"]),
    "the added token 'a\\nb'": lambda made: made.add_tokens(["a\nb"]),
    "the added token 'ｘ'": lambda made: made.add_tokens(["ｘ"]),
}


def saved(made: RustTokenizer, folder: Path) -> Path:
    made.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def same(ours: Tokenizer, theirs: Tokenizer, texts: list[Any]) -> None:
    """First windows, all windows and how many are longer: with words that are new, met before, and known."""
    assert ours._words is not None and theirs._words is None
    for _ in range(3):
        for row, expected in zip(ours.encode(texts), theirs.encode(texts), strict=True):
            assert row.dtype == np.int32 and row.flags.writeable
            np.testing.assert_array_equal(row, expected)
        for windows, expected in zip(ours.windows(texts), theirs.windows(texts), strict=True):
            for row, other in zip(windows, expected, strict=True):
                np.testing.assert_array_equal(row, other)
        assert ours.count_longer(texts) == theirs.count_longer(texts)


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize(
    ("most", "overlap"),
    [(8, 0), pytest.param(13, 5, marks=pytest.mark.slow), (128, 0), pytest.param(512, 64, marks=pytest.mark.slow)],
)
def test_ids_are_the_tokenizers(name: str, most: int, overlap: int, tmp_path: Path) -> None:
    made = changed(ALONE[name])
    assert dependence(made) is None
    path = saved(made, tmp_path)
    ours, theirs = (Tokenizer(path, most, overlap=overlap, cache=each) for each in (True, False))
    # The library itself gives up on long pairs in windows that overlap.
    same(ours, theirs, [*HOSTILE, *FOREIGN, *requests()[:30], *([] if overlap else PAIRS)])


@pytest.mark.parametrize("reason", TOGETHER)
def test_other_tokenizers_are_left_alone(reason: str, tmp_path: Path) -> None:
    made = changed(TOGETHER[reason])
    assert dependence(made) == reason
    tokenizer = Tokenizer(saved(made, tmp_path), 32)
    assert tokenizer._words is None
    assert [row.tolist() for row in tokenizer.encode(["a b", "a"])] == [
        encoding.ids for encoding in made.encode_batch(["a b", "a"])
    ]


def test_what_is_refused_would_differ() -> None:
    """Several of the refused tokenizers do give other ids, so that refusing them is more than caution."""
    differ = set()
    for reason, change in TOGETHER.items():
        made = changed(change)
        for text in ("a b", "New York", "a\nb", "a  b c", "x ! y"):
            words = text.replace("\n", " ").split(" ")
            parts = [token_id for word in words for token_id in made.encode(word, add_special_tokens=False).ids]
            if parts != made.encode(text, add_special_tokens=False).ids:
                differ.add(reason.split()[-1])
    assert {"Replace", "Prepend", "Metaspace", "ByteLevel", "missing", "York'", "'a\\nb'"} <= differ


@cache
def both(most: int, overlap: int) -> tuple[Tokenizer, Tokenizer]:
    with tempfile.TemporaryDirectory() as folder:
        path = saved(bert(), Path(folder))
        ours, theirs = (Tokenizer(path, most, overlap=overlap, cache=each) for each in (True, False))
    assert ours._words is not None
    ours._words._words = 40  # so that words are forgotten all the time
    return ours, theirs


PIECES = st.sampled_from(
    [*"ab.,'-[]#\n\t\r\x00\x1c\u00a0\u0301\u200b雨éİΣ", " ", "  ", "[MASK]", "[SEP]", "train", "The", "ü"]
)
# Without halves of surrogate pairs, which have a test of their own.
TEXT = st.one_of(st.text(st.characters(codec="utf-8"), max_size=60), st.lists(PIECES, max_size=60).map("".join))


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    texts=st.lists(TEXT, max_size=6),
    pairs=st.lists(st.tuples(TEXT, TEXT), max_size=3),
    shape=st.sampled_from([(3, 0), (5, 1), (9, 6), (40, 0), (64, 20)]),
)
def test_any_texts_have_the_tokenizers_ids(texts: list[Any], pairs: list[Any], shape: tuple[int, int]) -> None:
    ours, theirs = both(*shape)
    if shape[1] == 0:
        texts += pairs
    same(ours, theirs, texts)


@pytest.mark.parametrize("one_core", [True, False])
@pytest.mark.parametrize(
    "texts",
    [
        ["rain", "a \ud83d"],
        ["rain", "\udc00" * 2000],
        ["rain " * 900 + "\ud83d"],
        [*tiny_texts(2000, seed=1)[0], "rain\udfff", None],
        ["rain", ("a", "\ud83d"), "\ud83d"],
        ["rain", None],
        ["rain", b"rain", "\ud83d"],
        ["rain", 3],
        [("a", None)],
        [("a", "b", "c")],
        "rain",
    ],
)
def test_errors_are_the_same_with_the_same_numbers(texts: Any, one_core: bool, tmp_path: Path) -> None:
    path = tiny_tokenizer(tmp_path)
    told = []
    for options in ({"cache": False}, {"one_core": one_core}):
        tokenizer = Tokenizer(path, 16, **options)
        assert tokenizer.remembers_words is ("cache" not in options)
        for ask in (tokenizer.encode, tokenizer.windows, tokenizer.count_longer):
            with pytest.raises((TypeError, DataError)) as error:
                ask(texts)
            told.append((type(error.value), str(error.value)))
    assert len(set(told)) == 1


def test_words_are_forgotten_before_there_are_too_many(tmp_path: Path) -> None:
    path = tiny_tokenizer(tmp_path)
    ours, theirs = Tokenizer(path, 64, one_core=True), Tokenizer(path, 64, cache=False)
    assert ours._words is not None
    ours._words._words = most = 100
    generator = np.random.default_rng(5)
    for _ in range(40):
        texts = [" ".join(f"w{integer}" for integer in generator.integers(0, 5000, 8)) for _ in range(30)]
        for row, expected in zip(ours.encode(texts), theirs.encode(texts), strict=True):
            np.testing.assert_array_equal(row, expected)
        assert len(ours._words._known) <= most and len(ours._words._met) <= 2 * most
    for _ in range(3):
        ours.encode(["a" * 49 + " " + "b" * 48])
    assert "b" * 48 in ours._words._known and max(map(len, ours._words._known)) == WordCache.LONGEST_KEPT


def test_long_words_of_strangers_take_no_memory(tmp_path: Path) -> None:
    ours = Tokenizer(tiny_tokenizer(tmp_path), 64)
    assert ours._words is not None
    ours.encode(["a b"])
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(60):
            ours.encode([f"{number}-{place}".ljust(1000, "x") for place in range(100)])
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(ours._words._met) >= 6000
    assert held < 6000 * 200, "less than the words themselves"


def test_several_threads_share_it(tmp_path: Path) -> None:
    path = tiny_tokenizer(tmp_path)
    ours = Tokenizer(path, 16)
    assert ours._words is not None
    ours._words._words = 64
    texts = [" ".join(f"{word}{n % 90}" for word in text.split()) for n, text in enumerate(tiny_texts(1500, seed=2)[0])]
    expected = [row.tolist() for row in Tokenizer(path, 16, cache=False).encode(texts)]

    def read(start: int) -> bool:
        order = [*range(start, len(texts)), *range(start)]
        rows = [
            row
            for begin in range(0, len(order), 50)
            for row in ours.encode([texts[i] for i in order[begin : begin + 50]])
        ]
        return all(row.tolist() == expected[i] for i, row in zip(order, rows, strict=True))

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(read, range(0, 1500, 250)))


def test_most_texts_never_reach_the_tokenizer(tmp_path: Path) -> None:
    """That it is the cache that answers: with the tokenizer taken away, known words still have ids."""
    ours = Tokenizer(tiny_tokenizer(tmp_path), 16)
    texts = list(tiny_texts(200, seed=3)[0])
    for _ in range(3):
        expected = [row.tolist() for row in ours.encode(texts)]
    ours._tokenizer = ours._words._tokenizer = None  # type: ignore[union-attr]
    assert [row.tolist() for row in ours.encode(texts[::-1])] == expected[::-1]


def test_forgotten_words_are_asked_for_again(tmp_path: Path) -> None:
    ours = Tokenizer(tiny_tokenizer(tmp_path), 16)
    texts = list(tiny_texts(200, seed=3)[0])
    words = ours._words
    assert words is not None
    for _ in range(3):
        expected = [row.tolist() for row in ours.encode(texts)]
    assert words._known and words._met
    ours.forget_words()
    assert not words._known and not words._met
    library, words._tokenizer = words._tokenizer, None
    with pytest.raises(TokenizerFileError, match="encode_batch_fast"):
        ours.encode(texts)
    words._tokenizer = library
    assert [row.tolist() for row in ours.encode(texts)] == expected
    without = Tokenizer(tiny_tokenizer(tmp_path), 16, cache=False)
    without.forget_words()
    assert [row.tolist() for row in without.encode(texts)] == expected


def test_a_tokenizer_that_does_something_else_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts are read one by one; what they do together is compared before the cache is used."""
    import leanformer.words.cache as module

    made = changed(put(post_processor=processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="$A $B", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )))  # fmt: skip
    made.enable_truncation(max_length=32)
    assert WordCache.of(made, 32) is not None
    made.pre_tokenizer = pre_tokenizers.ByteLevel()
    monkeypatch.setattr(module, "dependence", lambda tokenizer: None)
    assert WordCache.of(made, 32) is None
    assert isinstance(made.model, WordPiece)
