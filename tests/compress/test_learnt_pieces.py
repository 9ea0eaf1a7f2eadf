"""Word pieces of a task's own text, and the embeddings that they take over."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer as RustTokenizer

from leanformer.compress.learnt_pieces import SPECIAL, carried_over, learn_pieces
from tests.compress.trained_tokenizers import requests

TEXTS = ("Das Haus der Müllers", "das Haus der Muller", "das Haus", "Müllers Haus", "Xylophon") * 5


def test_capitals_and_accents_are_kept_only_where_they_are_learnt() -> None:
    cased, uncased = (learn_pieces(TEXTS, 100, cased=one) for one in (True, False))
    assert cased.encode("Das Müllers").ids != cased.encode("das Mullers").ids
    assert uncased.encode("Das Müllers").ids == uncased.encode("das mullers").ids
    assert cased.encode("das Haus").tokens == ["[CLS]", "das", "Haus", "[SEP]"]
    assert cased.encode("das", "Haus").type_ids == [0, 0, 0, 1, 1]
    assert [cased.token_to_id(one) for one in SPECIAL] == [0, 1, 2, 3]


def test_no_more_than_asked_and_always_alike() -> None:
    texts = requests()
    made = [learn_pieces(texts, 300, cased=True) for _ in range(3)]
    assert made[0].get_vocab_size() == 300 and len({one.to_str() for one in made}) == 1
    assert made[0].encode("☃").tokens == ["[CLS]", "[UNK]", "[SEP]"]
    # Of a script of thousands of characters the rarest are left out.
    many = learn_pieces([chr(0x4E00 + number) * (1 + number % 7) for number in range(2000)], 400, cased=True)
    assert many.get_vocab_size() <= 400


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
