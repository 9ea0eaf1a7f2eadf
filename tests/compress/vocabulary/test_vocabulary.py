"""Fewer pieces, the same segmentation: every kind of tokenizer against the library that runs it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from leanformer.compress.vocabulary.pieces import attempted_pieces, compare, count_pieces, whole
from leanformer.compress.vocabulary.vocabulary import Vocabulary, _merged_from, _merges
from leanformer.errors import GateError
from tests.making.trained_tokenizers import FOREIGN, KINDS, requests, size, trained

ODD = ("", " ", "TICKET-42 and <order> and [MASK] <mask> <pad>", "x" * 120, "naïve café №5", "a\u0000b\ufeff", "🙂🙂🙂")


def trim(spec: dict[str, Any], texts: Sequence[str], *, characters: bool = False) -> tuple[dict[str, Any], list[int]]:
    """As the technique does it."""
    vocabulary, before = Vocabulary(spec), whole(json.dumps(spec))
    counts = count_pieces(before, texts, size(spec))
    kept = vocabulary.indispensable() | attempted_pieces(before, vocabulary, texts)
    kept |= vocabulary.with_parts(int(i) for i in counts.nonzero()[0])
    return vocabulary.trimmed(kept | (vocabulary.characters() if characters else set()))


def load(spec: dict[str, Any]) -> Tokenizer:
    return Tokenizer.from_str(json.dumps(spec))


def assert_same_pieces(spec: dict[str, Any], after: dict[str, Any], order: list[int], texts: Sequence[str]) -> None:
    """Names, ids and offsets, special tokens and pairs included, by the library alone."""
    one, other = load(spec), load(after)
    for text in texts:
        for given_texts in ((text,), (text, text)):
            old, new = one.encode(*given_texts), other.encode(*given_texts)
            assert old.tokens == new.tokens
            assert old.ids == [order[i] for i in new.ids]
            assert old.offsets == new.offsets


@pytest.mark.slow
@pytest.mark.parametrize("characters", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_counted_texts_keep_their_pieces(kind: str, characters: bool):
    spec = trained(kind)
    texts = [*requests(21, 2000), *requests(13)[:50], *FOREIGN[:2], *ODD]
    after, order = trim(spec, texts, characters=characters)
    assert len(order) < 0.95 * size(spec), "nothing was dropped, so nothing is shown"
    assert_same_pieces(spec, after, order, texts)


@pytest.mark.parametrize("kind", KINDS)
def test_every_piece_that_is_left_has_its_old_name(kind: str):
    spec = trained(kind)
    after, order = trim(spec, requests(21))
    one, other = load(spec), load(after)
    assert other.get_vocab_size() == len(order) == len(set(order))
    assert [other.id_to_token(i) for i in range(len(order))] == [one.id_to_token(i) for i in order]
    assert [entry["content"] for entry in after["added_tokens"]] == [entry["content"] for entry in spec["added_tokens"]]
    assert all(other.token_to_id(entry["content"]) == entry["id"] for entry in after["added_tokens"])
    assert other.token_to_id(after["padding"]["pad_token"]) == after["padding"]["pad_id"]
    assert order != sorted(range(len(order))), "no id moved, so nothing was renumbered"


@pytest.mark.slow
@given(
    texts=st.lists(
        st.one_of(
            st.text(max_size=30), st.text("abcdenst ,.", max_size=40), st.sampled_from([*requests(22, 100), *FOREIGN])
        ),
        min_size=1, max_size=6,
    ),
    kind=st.sampled_from(KINDS),
    characters=st.booleans(),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_any_texts_keep_their_pieces(texts: list[str], kind: str, characters: bool):
    spec = trained(kind)
    after, order = trim(spec, texts, characters=characters)
    before = whole(json.dumps(spec))
    same = compare(before, whole(json.dumps(after)), texts, order=order, unknown_id=Vocabulary(spec).unknown_id)
    assert same.texts_changed == 0
    assert (same.tokens, same.unknown) == (same.tokens_after, same.unknown_after)


@given(text=st.one_of(st.text(max_size=60), st.sampled_from(requests(23, 200))), kind=st.sampled_from(KINDS))
@settings(max_examples=200, deadline=None)
def test_any_other_text_still_comes_apart(text: str, kind: str):
    """Where characters are kept, a text becomes unknown only where it had been, and nothing of it vanishes."""
    spec, one, other = trimmed_with_characters(kind)
    old, new = one.encode(text, add_special_tokens=False), other.encode(text, add_special_tokens=False)
    assert all(index < other.get_vocab_size() for index in new.ids)
    unknown = {"WordPiece": "[UNK]"}.get(kind, "<unk>")
    if kind != "WordPiece":
        assert covered(old, text) == covered(new, text)
        assert (unknown in new.tokens) <= (unknown in old.tokens or unknown in text)
    elif "[UNK]" not in old.tokens:
        # Characters unknown inside a word are all that WordPiece can stumble over.
        ids = Vocabulary(spec).ids
        letters = {p.removeprefix("##") for p in old.tokens}
        if all(c in ids and f"##{c}" in ids for p in letters for c in p):
            assert "[UNK]" not in new.tokens
    if kind == "BPE":
        assert other.decode(new.ids) == one.decode(old.ids)


@cache
def trimmed_with_characters(kind: str) -> tuple[dict[str, Any], Tokenizer, Tokenizer]:
    """The whole `tokenizer.json`, its tokenizer, and the one trimmed to 60 requests."""
    spec = trained(kind)
    after, _ = trim(spec, requests(21, 60), characters=True)
    return spec, load(spec), load(after)


def covered(encoding: Any, text: str) -> set[int]:
    """The characters of `text` that some token stands for."""
    return {i for start, end in encoding.offsets for i in range(start, end)}


def test_an_unknown_word_stays_unknown(monkeypatch: pytest.MonkeyPatch):
    """With "un" gone, "unaz" would be found to be u ##naz: what was tried in vain is kept as well."""
    pieces = ["[UNK]", "un", "u", "x", "##a", "##naz", "##n", "na"]
    model = {
        "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
        "vocab": {piece: index for index, piece in enumerate(pieces)},
    }  # fmt: skip
    spec = {"model": model, "pre_tokenizer": {"type": "BertPreTokenizer"}, "added_tokens": []}
    texts = ["unaz", "u", "xnaz"]
    assert [load(spec).encode(text).tokens for text in texts] == [["[UNK]"], ["u"], ["x", "##naz"]]
    after, order = trim(spec, texts)
    assert_same_pieces(spec, after, order, texts)
    assert after["model"]["vocab"].keys() == {"[UNK]", "un", "u", "x", "##a", "##naz"}
    monkeypatch.setattr(Vocabulary, "attempts", lambda self, word: [])
    careless, _ = trim(spec, texts)
    assert load(careless).encode("unaz").tokens == ["u", "##naz"], "without the attempt the trap would not be one"


def test_what_bpe_pieces_are_made_of_is_kept():
    spec = trained("BPE")
    texts = list(requests(21, 100))
    vocabulary = Vocabulary(spec)
    counts = count_pieces(whole(json.dumps(spec)), texts, size(spec))
    seen = {int(i) for i in counts.nonzero()[0]}
    parts = vocabulary.with_parts(seen) - seen
    assert parts, "every part was a piece of its own"
    careless, order = vocabulary.trimmed(seen | vocabulary.indispensable())
    changed = compare(whole(json.dumps(spec)), whole(json.dumps(careless)), texts, order=order, unknown_id=None)
    assert changed.texts_changed > 0, "without the parts nothing would be missed"
    after, _ = vocabulary.trimmed(seen | parts | vocabulary.indispensable())
    vocab, merges = after["model"]["vocab"], _merges(after["model"])
    assert merges and all({left, right, left + right} <= vocab.keys() for left, right in merges)
    assert [m for m in _merges(spec["model"]) if m in set(merges)] == merges, "the ranks are in another order"


@given(word=st.text("abc", min_size=1, max_size=12), seed=st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_merging_by_hand_is_what_the_library_does(word: str, seed: int):
    """The library's pieces, taken apart by us, are built of its own merges; those merges alone give them again."""
    from random import Random

    random, symbols, merges = Random(seed), list("abc"), []
    for _ in range(25):
        pair = (random.choice(symbols), random.choice(symbols))
        if pair not in merges and len(pair[0] + pair[1]) < 6:
            merges.append(pair)
            symbols.append(pair[0] + pair[1])
    vocab = {piece: index for index, piece in enumerate(dict.fromkeys(symbols))}
    spec = {"model": {"type": "BPE", "vocab": vocab, "merges": [list(merge) for merge in merges]}, "added_tokens": []}
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    pieces = load(spec).encode(word).tokens
    needed = set().union(*(_merged_from(piece, ranks) for piece in pieces))
    assert set(pieces) <= needed <= vocab.keys()
    after, order = Vocabulary(spec).trimmed({vocab[piece] for piece in needed})
    assert load(after).encode(word).tokens == pieces
    assert len(order) == len(needed)


def test_an_unknown_character_costs_unigram_what_it_did():
    """Its price is the lowest score of the vocabulary less 10; the piece with that score is kept though unseen."""
    scores = {"<unk>": 0.0, "ab": -20.0, "cd": -20.0, "bcd": -5.0, "z": -30.0, "x": -3.0}
    spec = {"model": {"type": "Unigram", "unk_id": 0, "vocab": [list(item) for item in scores.items()],
                      "byte_fallback": False}, "added_tokens": []}  # fmt: skip
    texts = ["abcd", "bcd"]
    assert load(spec).encode("abcd").tokens == ["ab", "cd"]
    assert_same_pieces(spec, *trim(spec, texts), texts)
    careless, _ = Vocabulary(spec).trimmed({0, 1, 2, 3})
    assert load(careless).encode("abcd").tokens == ["a", "bcd"], "without the piece the trap would not be one"


def test_merges_written_as_words_are_read():
    spec = trained("BPE")
    words = spec | {"model": spec["model"] | {"merges": [" ".join(merge) for merge in spec["model"]["merges"]]}}
    texts = list(requests(21, 50))
    assert_same_pieces(words, *trim(words, texts), texts)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("model", "type"), "Clever", "of type Clever"),
        (("model", "end_of_word_suffix"), "</w>", "prefix or suffix"),
        (("post_processor", "type"), "Clever", "post-processor of type Clever"),
    ],
)
def test_what_we_cannot_vouch_for_is_refused(path: tuple[str, str], value: str, message: str):
    spec = trained("BPE")
    spec[path[0]][path[1]] = value
    with pytest.raises(GateError, match=message):
        Vocabulary(spec).indispensable()


def test_post_processors_in_a_row_are_renumbered():
    spec = trained("BPE")
    spec["post_processor"] = {"type": "Sequence", "processors": [spec["post_processor"]]}
    moved = {"</s>": 700, "<s>": 701}  # so that their ids change
    ids = spec["model"]["vocab"]
    other = {index: piece for piece, index in ids.items()}
    for name, index in moved.items():
        ids[other[index]], ids[name] = ids[name], index
    for entry in spec["added_tokens"]:
        entry["id"] = moved.get(entry["content"], entry["id"])
    spec["padding"]["pad_id"] = ids["<pad>"]
    first = spec["post_processor"]["processors"][0]
    first["sep"], first["cls"] = ["</s>", 700], ["<s>", 701]
    after, order = trim(spec, requests(21, 20))
    assert load(after).encode("hello").ids[0] == load(after).token_to_id("<s>") != 701
    assert_same_pieces(spec, after, order, requests(21, 20))
