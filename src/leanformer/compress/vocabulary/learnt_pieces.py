"""WordPiece vocabularies learnt from a task's own text, and embeddings for them from an existing table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from tokenizers import Tokenizer as RustTokenizer
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_CONTINUING = "##"


def learn_pieces(texts: Sequence[str], count: int, *, cased: bool) -> RustTokenizer:
    """Learn at most `count` BERT-style word pieces (Schuster and Nakajima 2012) from `texts`; deterministic.

    Args:
        count: includes the special tokens, of which padding is the first, and single characters. If the characters
            would take more than half of it, the rarest are left out.
        cased: keep capitals and accents.
    """
    trained = _bert(models.WordPiece(unk_token="[UNK]"), cased)
    # The library numbers characters inside words in hash table order, and breaks ties between equally frequent pieces
    # by
    # these numbers. Listing the characters beforehand fixes the numbers.
    known = [*SPECIAL, *_characters(trained, texts, (count - len(SPECIAL)) // 2)]
    # A piece that occurs only once is not kept: a student learns nothing from it.
    trainer = trainers.WordPieceTrainer(
        vocab_size=count, min_frequency=2, special_tokens=known, limit_alphabet=0, show_progress=False
    )
    trained.train_from_iterator(texts, trainer)
    made = _bert(models.WordPiece(trained.get_vocab(), unk_token="[UNK]"), cased)
    made.add_special_tokens(list(SPECIAL))
    made.post_processor = processors.BertProcessing(*((token, SPECIAL.index(token)) for token in ("[SEP]", "[CLS]")))
    return made


def _bert(model: models.WordPiece, cased: bool) -> RustTokenizer:
    made = RustTokenizer(model)
    made.normalizer = normalizers.BertNormalizer(lowercase=not cased, strip_accents=not cased)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return made


def _characters(tokenizer: RustTokenizer, texts: Sequence[str], most: int) -> list[str]:
    """Single characters as pieces: in word-initial form and, unless they always stand alone, in continuation form.

    The most frequent come first, then the ASCII characters that no text contains; at most `most` pieces.
    """
    each = Counter[str]()
    for text in texts:
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text)):
            each.update(word)
    order = sorted(each, key=lambda character: (-each[character], character))
    order += [
        character
        for character in _ASCII
        if character not in each and tokenizer.normalizer.normalize_str(character) == character
    ]
    kept: list[str] = []
    for character in order:
        joined = tokenizer.normalizer.normalize_str(f"a{character}")
        goes_on = len(tokenizer.pre_tokenizer.pre_tokenize_str(joined)) == 1
        if len(kept) + 1 + goes_on > most:
            break
        kept += [character, _CONTINUING + character] if goes_on else [character]
    return sorted(kept, key=lambda piece: piece.startswith(_CONTINUING))


def carried_over(table: Tensor, old: RustTokenizer, new: RustTokenizer, *, padding_id: int) -> Tensor:
    """Build a table `[new pieces, width]` from another tokenizer's table `[old pieces, width]`.

    Each new piece gets the mean of the old pieces that it splits into, as the beginning or the continuation of a word
    (fast vocabulary transfer; Gee et al. 2022, arXiv 2402.09977). The unknown token, and a piece of which nothing is
    left, get the mean of the whole table. Special tokens get the row of the old token with the same role.

    Args:
        old: without truncation and padding. padding_id: in the old table.
    """
    pieces = [str(new.id_to_token(number)) for number in range(new.get_vocab_size())]
    ends = old.encode("").ids
    special = {"[PAD]": [padding_id], "[UNK]": [], "[CLS]": ends[:1], "[SEP]": ends[-1:]}
    result = table.mean(dim=0, keepdim=True).repeat(len(pieces), 1)
    known = old.get_vocab()
    for number, piece in enumerate(pieces):
        if piece in special:
            ids = special[piece]
        elif piece.startswith(_CONTINUING):
            ids = _going_on(piece.removeprefix(_CONTINUING), old, known)
        else:
            ids = _beginning(piece, old)
        if ids:
            result[number] = table[torch.as_tensor(ids)].mean(dim=0)
    return result


def _beginning(word: str, old: RustTokenizer) -> list[int]:
    """The pieces of a word that follows another word; many tokenizers write the space as part of the word."""
    before = "x "
    apart = old.encode(before + word, add_special_tokens=False)
    return [token_id for token_id, (_, end) in zip(apart.ids, apart.offsets, strict=True) if end > len(before)]


def _going_on(part: str, old: RustTokenizer, known: Mapping[str, int]) -> list[int]:
    """The pieces of a word continuation: longest match from the left if the tokenizer marks continuations."""
    text = old.normalizer.normalize_str(part).strip() if old.normalizer is not None else part
    ids, start = [], 0
    while start < len(text):
        ends = (end for end in range(len(text), start, -1) if _CONTINUING + text[start:end] in known)
        end = next(ends, None)
        if end is None:
            return _unmarked(part, old, known)
        ids.append(known[_CONTINUING + text[start:end]])
        start = end
    return ids


def _unmarked(part: str, old: RustTokenizer, known: Mapping[str, int]) -> list[int]:
    """The pieces of a word continuation if the tokenizer marks word beginnings instead; the mark is removed."""
    ids = old.encode(part, add_special_tokens=False).ids
    first = str(old.id_to_token(ids[0])) if ids else ""
    if first in _SPACES:
        return ids[1:]
    if first[:1] in _SPACES and first[1:] in known:
        return [known[first[1:]], *ids[1:]]
    return ids


_SPACES = ("\u2581", "\u0120")  # how SentencePiece and byte-level BPE write the space before a word
_ASCII = "".join(map(chr, range(33, 127)))
