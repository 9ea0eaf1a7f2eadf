"""The `tokenizer.json` of the `tokenizers` library as plain data: the tokens it needs, and a copy with fewer tokens.

Removing tokens that a text does not use leaves its segmentation unchanged, for a different reason in each model:

- WordPiece takes the longest match from the left, and a longest match stays the longest. But in a word that becomes
  unknown, tokens were matched first, and without them another segmentation might succeed. They are therefore kept too
  (`attempts`).
- BPE merges the pair of lowest rank. The merges that a text uses are kept together with all the tokens they are built
  from (`with_parts`), so the lowest rank among the remaining merges is the same as before.
- Unigram takes the path with the highest sum of scores. That path stays; only others are removed. The cost of an
  unknown character depends on the lowest score in the vocabulary, so the token with this score is kept.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from leanformer.errors import GateError

KINDS = ("WordPiece", "WordLevel", "BPE", "Unigram")
_SPACE = "▁"  # how SentencePiece writes the space before a word


class Vocabulary:
    """The vocabulary of a `tokenizer.json`, given as parsed JSON.

    Attributes:
        kind: one of `KINDS`.
        ids: token of the model -> id.
        added: added token -> id; it may be a token of the model as well.

    Raises `GateError` for a tokenizer whose segmentation could not be guaranteed.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec, self._model = spec, spec["model"]
        # Files of early versions have no type; all of those with merges were BPE.
        self.kind = self._model.get("type") or ("BPE" if "merges" in self._model else "an unnamed type")
        if self.kind not in KINDS:
            raise GateError(f"compress.trim_vocabulary: a tokenizer of type {self.kind} cannot be trimmed")
        if self.kind == "BPE" and (
            self._model.get("continuing_subword_prefix") or self._model.get("end_of_word_suffix")
        ):
            raise GateError("compress.trim_vocabulary: BPE with a word prefix or suffix cannot be trimmed")
        vocabulary = self._model["vocab"]
        self.ids: dict[str, int] = (
            {piece: index for index, (piece, _) in enumerate(vocabulary)}
            if self.kind == "Unigram"
            else dict(vocabulary)
        )
        self.added: dict[str, int] = {token["content"]: int(token["id"]) for token in spec.get("added_tokens") or ()}

    def __len__(self) -> int:
        return len(self.ids.keys() | self.added.keys())

    @property
    def unknown_id(self) -> int | None:
        """The id for text that has no other token; None if everything has tokens, or if such text is dropped."""
        if self.kind == "Unigram":
            return None if self._model.get("unk_id") is None else int(self._model["unk_id"])
        token = self._model.get("unk_token")
        return None if token is None else self.ids.get(token, self.added.get(token))

    def indispensable(self) -> set[int]:
        """Ids that are never trimmed: added and special tokens, and those the model cannot work without."""
        found = {*self.added.values(), *_processor_ids(self.spec.get("post_processor"))}
        if self.unknown_id is not None:
            found.add(self.unknown_id)
        if self.spec.get("padding"):
            found.add(int(self.spec["padding"]["pad_id"]))
        if self._model.get("byte_fallback"):
            found |= {self.ids[name] for byte in range(256) if (name := f"<0x{byte:02X}>") in self.ids}
        if self.kind == "Unigram" and self._model["vocab"]:
            scores = [score for _, score in self._model["vocab"]]
            found.add(scores.index(min(scores)))
        if self.kind == "BPE" and self.unknown_id is None:
            found |= self.characters()  # a character without a token would be dropped silently
        return found

    def characters(self) -> set[int]:
        """Ids of single-character tokens, at the beginning of a word or inside it; in byte-level BPE, of bytes."""
        prefix = self._model.get("continuing_subword_prefix") or ""
        return {
            index
            for piece, index in self.ids.items()
            if len(piece.removeprefix(prefix or _SPACE)) <= 1 or piece == prefix
        }

    def attempts(self, word: str) -> list[int]:
        """The ids that WordPiece matches in a normalised word without spaces, until nothing matches."""
        prefix, start = self._model["continuing_subword_prefix"], 0
        found: list[int] = []
        if len(word) > self._model["max_input_chars_per_word"]:
            return []
        while start < len(word):
            lead = prefix if start else ""
            for end in range(len(word), start, -1):
                index = self.ids.get(lead + word[start:end])
                if index is not None:
                    break
            else:
                return found
            found.append(index)
            start = end
        return found

    def with_parts(self, kept: Iterable[int]) -> set[int]:
        """`kept` plus all tokens that its tokens are merged from; unchanged if the model has no merges."""
        result = set(kept)
        if self.kind != "BPE":
            return result
        ranks = {pair: rank for rank, pair in enumerate(_merges(self._model))}
        names, added = {index: piece for piece, index in self.ids.items()}, set(self.added.values())
        for index in sorted(result - added):
            if index in names:
                result.update(self.ids[part] for part in _merged_from(names[index], ranks) if part in self.ids)
        return result

    def trimmed(self, kept: Iterable[int]) -> tuple[dict[str, Any], list[int]]:
        """A `tokenizer.json` with only these ids, renumbered from 0 in their order, and the old id of each new id.

        Added tokens outside the model come last, because the library puts them there. `kept` must already contain
        `indispensable` and everything that `with_parts` adds.
        """
        wanted, outside = set(kept), set(self.added.values()) - set(self.ids.values())
        order = [*sorted(wanted & set(self.ids.values())), *sorted(wanted & outside)]
        new = {old: index for index, old in enumerate(order)}
        spec = copy.deepcopy(dict(self.spec))
        model = spec["model"]
        if self.kind == "Unigram":
            model["vocab"] = [entry for index, entry in enumerate(model["vocab"]) if index in wanted]
            if model.get("unk_id") is not None:
                model["unk_id"] = new[model["unk_id"]]
        else:
            pieces = sorted((index, piece) for piece, index in self.ids.items() if index in wanted)
            model["vocab"] = {piece: new[index] for index, piece in pieces}
        if self.kind == "BPE":
            model["merges"] = [
                written
                for written, (left, right) in zip(model["merges"], _merges(model), strict=True)
                if {left, right, left + right} <= model["vocab"].keys()
            ]
        for token in spec.get("added_tokens") or ():
            token["id"] = new[token["id"]]
        if spec.get("padding"):
            spec["padding"]["pad_id"] = new[spec["padding"]["pad_id"]]
        _renumber_processor(spec.get("post_processor"), new)
        return spec, order


def _merges(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The merges in order of rank; files store them as pairs, older files as two words separated by a space."""
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"])
    return [(left, right) for left, right in pairs]


def _merged_from(piece: str, ranks: Mapping[tuple[str, str], int]) -> set[str]:
    """Every symbol that occurs when `piece` is merged from its characters, including `piece` itself.

    The merges inside a token do not depend on the surrounding word: no merge crosses its boundary, otherwise it would
    not have become a token.
    """
    symbols = list(piece)
    found = set(symbols)
    while len(symbols) > 1:
        last = len(ranks)
        rank, at = min((ranks.get((symbols[i], symbols[i + 1]), last), i) for i in range(len(symbols) - 1))
        if rank == last:
            break
        symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]
        found.add(symbols[at])
    return found


def _processors(processor: Mapping[str, Any] | None) -> Iterator[Any]:
    """Yield the post-processor, or the parts of a sequence. Raises `GateError` for an unknown type."""
    if processor is None:
        return
    kind = processor["type"]
    if kind == "Sequence":
        for part in processor["processors"]:
            yield from _processors(part)
    elif kind in ("BertProcessing", "RobertaProcessing", "TemplateProcessing", "ByteLevel"):
        yield processor
    else:
        raise GateError(f"compress.trim_vocabulary: a post-processor of type {kind} may hold ids that we do not know")


def _processor_ids(processor: Mapping[str, Any] | None) -> set[int]:
    found: set[int] = set()
    for part in _processors(processor):
        if part["type"] == "TemplateProcessing":
            found.update(index for token in part["special_tokens"].values() for index in token["ids"])
        elif part["type"] != "ByteLevel":
            found |= {part["cls"][1], part["sep"][1]}
    return found


def _renumber_processor(processor: Mapping[str, Any] | None, new: Mapping[int, int]) -> None:
    for part in _processors(processor):
        if part["type"] == "TemplateProcessing":
            for token in part["special_tokens"].values():
                token["ids"] = [new[index] for index in token["ids"]]
        elif part["type"] != "ByteLevel":
            for role in ("cls", "sep"):
                part[role] = [part[role][0], new[part[role][1]]]
