"""Word pieces of a task's own text, and the embeddings that they take over."""

from __future__ import annotations

import json

import pytest
import torch
from tokenizers import Tokenizer as RustTokenizer

from leanformer.compress.vocabulary.learnt_pieces import SPECIAL, carried_over, learn_pieces
from tests.making.trained_tokenizers import requests, trained

TEXTS = ("Das Haus der Müllers", "das Haus der Muller", "das Haus", "Müllers Haus", "Xylophon") * 5


def test_capitals_and_accents_are_kept_only_where_they_are_learnt() -> None:
    cased, uncased = (learn_pieces(TEXTS, 100, cased=number) for number in (True, False))
    assert cased.encode("Das Müllers").ids != cased.encode("das Mullers").ids
    assert uncased.encode("Das Müllers").ids == uncased.encode("das mullers").ids
    assert cased.encode("das Haus").tokens == ["[CLS]", "das", "Haus", "[SEP]"]
    assert cased.encode("das", "Haus").type_ids == [0, 0, 0, 1, 1]
    assert [cased.token_to_id(piece) for piece in SPECIAL] == [0, 1, 2, 3]


def test_no_more_than_asked_and_always_alike() -> None:
    texts = requests()
    made = [learn_pieces(texts, 300, cased=True) for _ in range(3)]
    assert made[0].get_vocab_size() == 300 and len({learnt.to_str() for learnt in made}) == 1
    assert made[0].encode("☃").tokens == ["[CLS]", "[UNK]", "[SEP]"]
    # Of a script of thousands of characters the rarest are left out; as each stands alone, it is one piece.
    texts = tuple(chr(0x4E00 + number) * (1 + number % 7) for number in range(2000))
    assert learn_pieces(texts, 400, cased=True).get_vocab_size() == len(SPECIAL) + 198
    all_of_them = learn_pieces(texts, 5000, cased=True)
    assert not any("[UNK]" in all_of_them.encode(text).tokens for text in texts)


def test_a_word_that_no_text_has_comes_apart() -> None:
    made = learn_pieces(requests(), 18000, cased=True)
    for word in ("PLEASE", "iPad", "McDonald", "Refund", "zyzzyva", "Q4-2031"):
        assert "[UNK]" not in made.encode(word).tokens


def tokenizer(texts: tuple[str, ...], count: int) -> RustTokenizer:
    return learn_pieces(texts, count, cased=False)


def test_a_piece_has_the_mean_of_what_it_comes_apart_into() -> None:
    old, new = tokenizer(TEXTS, 40), learn_pieces(TEXTS, 200, cased=True)
    table = torch.eye(old.get_vocab_size())
    found = carried_over(table, old, new, padding_id=0)
    assert found.shape == (new.get_vocab_size(), len(table))
    torch.testing.assert_close(found.sum(dim=1), torch.ones(len(found)))
    for piece in ("Haus", "Müllers"):
        parts = old.encode(piece, add_special_tokens=False).ids
        expected = table[parts].mean(dim=0)
        torch.testing.assert_close(found[new.token_to_id(piece)], expected)
    # A part of a word that goes on begins with a piece that goes on.
    inside = found[new.token_to_id("##s")]
    torch.testing.assert_close(inside, table[old.token_to_id("##s")])
    for name in ("[PAD]", "[CLS]", "[SEP]"):
        assert torch.equal(found[new.token_to_id(name)], table[old.token_to_id(name)])
    torch.testing.assert_close(found[new.token_to_id("[UNK]")], table.mean(dim=0))


@pytest.mark.parametrize(("kind", "mark"), [("WordPiece", ""), ("BPE", "\u0120"), ("Unigram", "\u2581")])
def test_pieces_are_taken_over_as_they_stand_in_a_text(kind: str, mark: str) -> None:
    """What begins a word is as it is behind a space, what goes on as it is inside a word, whatever the tokenizer."""
    old, new = RustTokenizer.from_str(json.dumps(trained(kind))), learn_pieces(requests(), 400, cased=False)
    old.no_padding()
    table, known = torch.eye(old.get_vocab_size()), old.get_vocab()
    found = carried_over(table, old, new, padding_id=0)
    begun = gone_on = 0
    for piece, number in new.get_vocab().items():
        inside = piece.startswith("##")
        theirs = (piece if not mark else piece[2:]) if inside else mark + piece
        if piece in SPECIAL or theirs not in known or len(piece.removeprefix("##")) < 2:
            continue
        used = {old.id_to_token(index) for index in found[number].nonzero().flatten().tolist()}
        if inside:
            assert not any(token.startswith(mark) if mark else not token.startswith("##") for token in used)
            gone_on += used == {theirs}
        else:
            begun += used == {theirs}
    assert begun > 20 and gone_on > 5
