"""Sets of word pieces beside each other: what is learnt, and what is counted."""

from __future__ import annotations

from pathlib import Path

from pieces import counts, learnt

from leanformer.data.examples import Examples
from tests.tagged import TASK

TEXTS = ("Das Haus der Müllers", "das Haus der Muller", "das Haus", "Müllers Haus") * 5


def test_capitals_and_accents_tell_words_apart_only_where_they_are_learnt() -> None:
    cased, uncased = (learnt(TEXTS, 80, cased=one) for one in (True, False))
    assert cased.encode("Das Müllers").ids != cased.encode("das Mullers").ids
    assert uncased.encode("Das Müllers").ids == uncased.encode("das mullers").ids
    assert cased.encode("das Haus").tokens == ["[CLS]", "das", "Haus", "[SEP]"]
    assert cased.token_to_id("[PAD]") == 0 and cased.get_vocab_size() <= 80


def test_pieces_are_counted_by_language(tmp_path: Path) -> None:
    learnt(TEXTS, 80, cased=False).save(str(tmp_path / "tokenizer.json"))
    examples = Examples(TASK, ("das haus", "das жук"), None, languages=("de", "ru"))
    found = counts(tmp_path / "tokenizer.json", examples)
    assert found["de"] == {"pieces": 1.0, "unknown": 0.0, "n": 2}
    assert found["ru"] == {"pieces": 1.0, "unknown": 50.0, "n": 2}
