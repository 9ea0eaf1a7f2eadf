"""Copies of texts in which words are replaced by similar ones: the data augmentation of TinyBERT, without its labels.

Jiao et al. 2020 (arXiv 1909.10351), algorithm 1: each word is replaced with a fixed probability by one of its nearest
neighbours. They take neighbours of GloVe, and of a masked-language model for words of one piece. Here they are
neighbours in the teacher's own table of word pieces, so nothing else is needed, and words of several pieces stay. What
a copy means is for the teacher to say: copies have no labels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from random import Random

import numpy as np

from leanformer.artifact import Artifact
from leanformer.data.examples import Examples
from leanformer.data.leaks import NEAR_LETTERS
from leanformer.data.near_repeats import near_repeats
from leanformer.data.overlap import normalise_all
from leanformer.errors import RecipeError
from leanformer.formats import format_of
from leanformer.inputs.input import changed, parts_of
from leanformer.models.store import read_model
from leanformer.models.writing import TOKENIZER
from leanformer.step import Context
from leanformer.task import Text
from leanformer.tokenizer import Tokenizer
from leanformer.tokenizer_file.read import read_tokenizer

NEIGHBOURS = 15
_WORD = re.compile(r"[^\W\d_]{2,}")
_ROWS_AT_ONCE = 512


class Substitution:
    """Replaces words by neighbours in a table of word vectors.

    Args:
        table: vectors of all tokens, float32 `[vocabulary, hidden]`.
        tokenizer: words that are one of its tokens can be replaced, and can replace others.
        texts: the texts to be copied; neighbours are looked up once for all their words.
    """

    def __init__(self, table: np.ndarray, tokenizer: Tokenizer, texts: Sequence[Text]) -> None:
        library = read_tokenizer(tokenizer.path).library
        numbers = [number for number in range(len(table)) if library.id_to_token(number) is not None]
        surfaces = [surface.strip() for surface in library.decode_batch([[number] for number in numbers])]
        words = [surface for surface in surfaces if _WORD.fullmatch(surface)]
        found = _single_tokens(words, tokenizer)
        places = {number: place for place, number in enumerate(sorted(set(found.values())))}
        self._surfaces = [""] * len(places)
        for word, number in found.items():
            self._surfaces[places[number]] = word
        vectors = table[list(places)].astype(np.float32)
        unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        parts = [part for text in texts for part in parts_of(text)]
        seen = _single_tokens(sorted({word for part in parts for word in _WORD.findall(part)}), tokenizer)
        rows = {word: places[number] for word, number in seen.items() if number in places}
        near = _nearest(unit, np.array(sorted(set(rows.values())), np.int64))
        self._neighbours = {word: near[place] for word, place in rows.items()}

    def neighbours(self, word: str) -> list[str]:
        """At most `NEIGHBOURS` words that may replace this one, the nearest first; none for a word that stays."""
        return [self._surfaces[place] for place in self._neighbours.get(word, ())]

    def copy(self, text: Text, share: float, random: Random) -> Text:
        """The text with each word that has neighbours replaced with the probability `share`."""

        def drawn(match: re.Match[str]) -> str:
            near = self._neighbours.get(match[0])
            if near is None or random.random() >= share:
                return match[0]
            return self._surfaces[near[random.randrange(len(near))]]

        return changed(text, partial(_WORD.sub, drawn))


def copies_of(
    examples: Examples, artifact: Artifact, context: Context, count: int, share: float, table: np.ndarray | None = None
) -> Examples:
    """`count` copies of each text, without labels; those that say nothing new, or are like a text of dev, are left out.

    Neighbours are looked up in `table`, float32 `[vocabulary, any width]`, or in the word vectors of `artifact`.

    Left out are copies that equal a text of `examples`, another copy, or a text of dev, and such as nearly equal one of
    dev; the latter in data of at most `leaks.NEAR_LETTERS` characters. Raises `RecipeError` if neither is there.
    """
    if table is None and not format_of(artifact).layers:
        raise RecipeError(
            "compress.distil: copies replace words by their neighbours in the table of word vectors, and the family of "
            "this model is not mapped\n  remedy: leave `copies` out, or give a teacher of a mapped family"
        )
    if table is None:
        table = read_model(artifact).encoder.embeddings.word.weight.detach().numpy()
    tokenizer = Tokenizer(artifact.file(TOKENIZER), artifact.max_tokens)
    substitution, random = Substitution(table, tokenizer, examples.inputs), Random(context.seed)
    assert context.data.dev is not None
    held_out, known = normalise_all(context.data.dev.inputs), set(normalise_all(examples.inputs))
    there, kept = known | set(held_out), dict[str, tuple[int, Text]]()
    for _ in range(count):
        made = [substitution.copy(text, share, random) for text in examples.inputs]
        for row, (key, text) in enumerate(zip(normalise_all(made), made, strict=True)):
            if key not in there:
                kept.setdefault(key, (row, text))
    if sum(map(len, kept)) + sum(map(len, held_out)) <= NEAR_LETTERS:
        near = near_repeats(list(kept), held_out)
        kept = {key: found for (key, found), is_near in zip(kept.items(), near, strict=True) if not is_near}
    context.say(f"{len(kept)} copies of {len(examples)} texts, {100 * share:g} % of the words that can be replaced")
    firsts = [text if isinstance(text, str) else text[0] for _, text in kept.values()]
    seconds = None if examples.pairs is None else tuple(text[1] for _, text in kept.values())
    return replace(
        examples.select(row for row, _ in kept.values()), texts=tuple(firsts), labels=None, pairs=seconds, lines=None
    )


def _single_tokens(words: Sequence[str], tokenizer: Tokenizer) -> dict[str, int]:
    """Word -> token, for the words that are one token."""
    (nothing,) = tokenizer.encode([""])
    special = set(nothing.tolist())
    found = {}
    for word, row in zip(words, tokenizer.encode(words), strict=True):
        if len(row) == len(nothing) + 1:
            (number,) = [token for token in row.tolist() if token not in special] or [None]
            if number is not None:
                found[word] = number
    return found


def _nearest(unit: np.ndarray, rows: np.ndarray) -> dict[int, np.ndarray]:
    """Row -> the `NEIGHBOURS` other rows whose vectors, of length 1, have the largest cosine with it."""
    count = min(NEIGHBOURS, len(unit) - 1)
    found: dict[int, np.ndarray] = {}
    for start in range(0, len(rows) if count > 0 else 0, _ROWS_AT_ONCE):
        block = rows[start : start + _ROWS_AT_ONCE]
        cosines = unit[block] @ unit.T
        cosines[np.arange(len(block)), block] = -np.inf
        best = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        order = np.argsort(-np.take_along_axis(cosines, best, axis=1), axis=1, kind="stable")
        found |= zip(block.tolist(), np.take_along_axis(best, order, axis=1), strict=True)
    return found
