"""Word pieces of a task's own text, and what a table of embeddings knows of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from tokenizers import Tokenizer as RustTokenizer
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_CONTINUING = "##"


def learn_pieces(texts: Sequence[str], count: int, *, cased: bool) -> RustTokenizer:
    """At most `count` word pieces as BERT has them (Schuster and Nakajima 2012), learnt from `texts`; always alike.

    Args:
        count: special ones, of which padding is the first, and single characters included. The rarest characters are
            left out where these would take more than half of it.
        cased: keep capitals and accents.
    """
    trained = _bert(models.WordPiece(unk_token="[UNK]"), cased)
    # The library numbers characters inside words in the order of a hash table, and pieces that are as frequent as each
    # other in the order of these numbers. Named beforehand, they are numbered by us.
    known = [*SPECIAL, *_characters(trained, texts, (count - len(SPECIAL)) // 4)]
    # What one word has once is no piece: a student learns nothing of it.
    trainer = trainers.WordPieceTrainer(
        vocab_size=count, min_frequency=2, special_tokens=known, limit_alphabet=0, show_progress=False
    )
    trained.train_from_iterator(texts, trainer)
    made = _bert(models.WordPiece(trained.get_vocab(), unk_token="[UNK]"), cased)
    made.add_special_tokens(list(SPECIAL))
    made.post_processor = processors.BertProcessing(*((one, SPECIAL.index(one)) for one in ("[SEP]", "[CLS]")))
    return made


def _bert(model: models.WordPiece, cased: bool) -> RustTokenizer:
    made = RustTokenizer(model)
    made.normalizer = normalizers.BertNormalizer(lowercase=not cased, strip_accents=not cased)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return made


def _characters(tokenizer: RustTokenizer, texts: Sequence[str], most: int) -> list[str]:
    """The most frequent characters, as pieces that begin a word and, where they do, as such that go on."""
    each, inside = Counter[str](), set[str]()
    for text in texts:
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text)):
            each.update(word)
            inside.update(word[1:])
    kept = sorted(each, key=lambda one: (-each[one], one))[: max(1, most)]
    return [*kept, *(_CONTINUING + one for one in kept if one in inside)]


def carried_over(table: Tensor, old: RustTokenizer, new: RustTokenizer, *, padding_id: int) -> Tensor:
    """A table `[pieces of new, width]` from one of another tokenizer, `[pieces of old, width]`.

    Each new piece has the mean of the old pieces that it comes apart into (fast vocabulary transfer; Gee et al. 2022,
    arXiv 2402.09977); one that nothing is left of, and the unknown one, the mean of all. The special ones are those of
    the same use.

    Args:
        old: without truncation and padding. padding_id: of the old table.
    """
    pieces = [str(new.id_to_token(number)) for number in range(new.get_vocab_size())]
    bare = [one.removeprefix(_CONTINUING) for one in pieces]
    ends = old.encode("").ids
    special = {"[PAD]": [padding_id], "[UNK]": [], "[CLS]": ends[:1], "[SEP]": ends[-1:]}
    result = table.mean(dim=0, keepdim=True).repeat(len(pieces), 1)
    for number, (piece, apart) in enumerate(zip(pieces, old.encode_batch(bare, add_special_tokens=False), strict=True)):
        ids = special.get(piece, apart.ids)
        if piece.startswith(_CONTINUING):
            ids = _continuing(ids, old)
        if ids:
            result[number] = table[torch.as_tensor(ids)].mean(dim=0)
    return result


def _continuing(ids: list[int], old: RustTokenizer) -> list[int]:
    """Pieces of a part of a word: the first is one that goes on, if the tokenizer tells these apart."""
    inside = old.token_to_id(f"{_CONTINUING}{old.id_to_token(ids[0])}") if ids else None
    return ids if inside is None else [inside, *ids[1:]]
