"""The `tokenizer.json` of the `tokenizers` library as plain data: which pieces it needs, and one with fewer of them.

Removing pieces that a text does not use leaves its segmentation alone, for a different reason in each model:

- WordPiece takes the longest match from the left; a match that was the longest stays it. But a word that becomes
  unknown was tried piece by piece first, and without those pieces another way through it might be found. They are
  therefore kept too (`attempts`).
- BPE merges the pair of lowest rank. The merges that a text uses are kept with all that they are made from
  (`with_parts`), so the lowest rank among those left is the one it was before.
- Unigram takes the path with the highest sum of scores; the path stays, and others only go. What an unknown character
  costs depends on the lowest score of the vocabulary, so the piece that has it stays.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from leanformer.errors import GateError

KINDS = ("WordPiece", "WordLevel", "BPE", "Unigram")
_SPACE = "▁"  # how SentencePiece writes the space before a word


class Vocabulary:
    """The pieces of a `tokenizer.json`, given as parsed JSON.

    Attributes:
        kind: one of `KINDS`.
        ids: piece of the model -> id.
        added: added token -> id; it may be a piece of the model as well.

    Raises `GateError` for a tokenizer whose segmentation we could not vouch for.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec, self._model = spec, spec["model"]
        # Files of early versions name no type; all of those with merges were BPE.
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
        """The id of what cannot be written in pieces; None where everything can, or where it is dropped."""
        if self.kind == "Unigram":
            return None if self._model.get("unk_id") is None else int(self._model["unk_id"])
        token = self._model.get("unk_token")
        return None if token is None else self.ids.get(token, self.added.get(token))

    def indispensable(self) -> set[int]:
        """Ids that no trimming may touch: added and special tokens, and what the model cannot do without."""
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
            found |= self.characters()  # a character without a piece would vanish without a trace
        return found

    def characters(self) -> set[int]:
        """Ids of the pieces that are one character, at the beginning of a word or inside it; of bytes in byte BPE."""
        prefix = self._model.get("continuing_subword_prefix") or ""
        return {
            index
            for piece, index in self.ids.items()
            if len(piece.removeprefix(prefix or _SPACE)) <= 1 or piece == prefix
        }

    def attempts(self, word: str) -> list[int]:
        """WordPiece's attempt on a normalised word without spaces: the ids taken until nothing matched."""
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
        """`kept` with everything that their pieces are merged from; the same set where the model does not merge."""
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
        """A `tokenizer.json` with these ids alone, renumbered from 0 in their order.

        Added tokens outside the model come last, because that is where the library puts them. Also returns the old
        id of each new one. The caller has put `indispensable` into `kept`, and everything that `with_parts` adds.
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
    """The merges in order of rank; files hold them as pairs, older ones as two words with a space between."""
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"])
    return [(left, right) for left, right in pairs]


def _merged_from(piece: str, ranks: Mapping[tuple[str, str], int]) -> set[str]:
    """Every symbol that occurs on the way from the characters of `piece` to it, itself included.

    What happens inside a piece does not depend on the word around it: no merge crosses its borders, or it would not
    have become a piece.
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
    """The post-processor, or the parts of a sequence of them. Raises `GateError` for one that we do not know."""
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
