"""A generated data set, so that everything can be tried without other data.

The requests come from the grammar in `data/sample/grammar.py`. They are designed to be neither trivial nor hopeless:
words of one intent occur in requests of another, some requests are ambiguous, there are typing errors, and some labels
are wrong. A bag of words gets most of them right; a model that uses word order gets more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeVar

from leanformer.data.dataset import SPLITS, Dataset
from leanformer.data.examples import Examples
from leanformer.data.overlap import normalise_text
from leanformer.data.sample.grammar import (
    AFTER,
    AFTER_QUOTED,
    AMBIGUOUS,
    BEFORE,
    BEFORE_QUOTED,
    CLOSERS,
    CONTRASTS,
    MENTIONS,
    OPENERS,
    REQUESTS,
    SLOTS,
)
from leanformer.errors import DataError
from leanformer.files import write_text
from leanformer.task import Task

_Option = TypeVar("_Option")

LABELS = tuple(sorted(REQUESTS))
MIN_WORDS, MAX_WORDS = 5, 25


@dataclass(frozen=True)
class Difficulty:
    """What makes the texts hard, each as a share of the examples from 0 to 1.

    Attributes:
        ambiguous: requests that match two intents.
        contrast: requests that name another intent to deny it.
        distractor: requests with a clause about another intent.
        quoted: share of the distractors that repeat a complete request.
        typo: requests with a typing error.
        dropped_word: requests with a missing word.
        train_noise: wrong labels in train.
        held_out_noise: wrong labels in dev and test.
        intents: the set of labels.
    """

    ambiguous: float = 0.05
    contrast: float = 0.06
    distractor: float = 0.5
    quoted: float = 0.35
    typo: float = 0.25
    dropped_word: float = 0.15
    train_noise: float = 0.04
    held_out_noise: float = 0.015
    intents: tuple[str, ...] = LABELS

    def label_noise(self, split: str) -> float:
        return {"train": self.train_noise, "unlabelled": 0.0}.get(split, self.held_out_noise)


HARD = Difficulty()
# One intent of each pair of neighbours, and little noise: a small model learns it from a few hundred texts, so that the
# demo takes only minutes.
EASY = Difficulty(
    ambiguous=0.0, contrast=0.0, distractor=0.2, quoted=0.0, typo=0.1, dropped_word=0.05, train_noise=0.02,
    held_out_noise=0.0,
    intents=tuple(sorted(intent for intent, _ in AMBIGUOUS)),
)  # fmt: skip

_README = """This data set is generated: no person wrote these texts. It was made by Leanformer
(leanformer.data.sample.sample) from a small grammar, to try things on and to test with.

The texts are requests to the helpdesk of an invented travel shop; the label is what is asked for. About
{noise:.1%} of the train labels and {test_noise:.1%} of the dev and test labels are wrong on purpose, and {ambiguous}
requests are ambiguous{so}. Scores on it say little about real data.

seed {seed}; rows: {sizes}
"""


def generate_sample(
    seed: int = 13, train: int = 4000, dev: int = 500, test: int = 1000, unlabelled: int = 4000,
    difficulty: Difficulty = HARD,
) -> Dataset:  # fmt: skip
    """Generate a data set of helpdesk requests in 12 intents; the sizes are numbers of rows.

    The same arguments give the same texts everywhere. No text is in two splits or twice in one, even after
    normalisation. A split of size 0 is None. Raises `ValueError` for a negative size.
    """
    sizes = {"train": train, "dev": dev, "test": test, "unlabelled": unlabelled}
    if min(sizes.values()) < 0:
        raise ValueError(f"a split cannot have {min(sizes.values())} rows")
    task = Task("classification", difficulty.intents)
    seen: set[str] = set()
    parts: dict[str, Examples] = {}
    # Test first, so that it does not depend on the size of train.
    for split in ("test", "dev", "train", "unlabelled"):
        if sizes[split]:
            draw, noise = Random(f"leanformer sample {seed} {split}"), difficulty.label_noise(split)
            texts, labels = _generate_split(draw, sizes[split], seen, difficulty, noise)
            parts[split] = Examples(
                task=task,
                texts=texts,
                labels=None if split == "unlabelled" else labels,
                source=f"generated, seed {seed}, {split}",
            )
    return Dataset(
        task=task,
        train=parts.get("train"),
        dev=parts.get("dev"),
        test=parts.get("test"),
        unlabelled=parts.get("unlabelled"),
        name="sample",
        notes=(f"generated from a grammar with seed {seed}",),
    )


def write_sample(
    folder: Path | str, seed: int = 13, train: int = 4000, dev: int = 500, test: int = 1000, unlabelled: int = 4000,
    difficulty: Difficulty = HARD,
) -> Dataset:  # fmt: skip
    """Write the generated data set to `folder`, one JSON Lines file per split and a README.txt; return it.

    Raises `DataError` if one of these files already exists with other content; nothing is written then.
    """
    folder = Path(folder)
    dataset = generate_sample(seed, train, dev, test, unlabelled, difficulty)
    parts: dict[str, Examples | None] = {split: getattr(dataset, split) for split in SPLITS}
    sizes = ", ".join(f"{split} {len(part)}" for split, part in parts.items() if part is not None)
    contents = {f"{split}.jsonl": _to_json_lines(part) for split, part in parts.items() if part is not None}
    contents["README.txt"] = _README.format(
        noise=difficulty.train_noise, test_noise=difficulty.held_out_noise, seed=seed, sizes=sizes,
        ambiguous="some" if difficulty.ambiguous else "no",
        so=", so no model can be right about all" if difficulty.ambiguous or difficulty.held_out_noise else "",
    )  # fmt: skip
    for name, content in contents.items():
        path = folder / name
        if path.exists() and path.read_bytes() != content.encode():
            raise DataError("exists already, with other content", path=path, remedy="give a new folder, or remove it")
    for name, content in contents.items():
        write_text(folder / name, content)
    return dataset


def _to_json_lines(examples: Examples) -> str:
    lines = []
    for row, text in enumerate(examples.texts):
        record = {"text": text}
        if examples.labels is not None:
            record["label"] = examples.task.labels[examples.targets[row]]
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    return "".join(lines)


def _generate_split(
    draw: Random, size: int, seen: set[str], difficulty: Difficulty, noise: float
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    texts: list[str] = []
    labels: list[int] = []
    while len(texts) < size:
        intent, text = _generate_request(draw, difficulty)
        key = normalise_text(text)
        if key in seen or not MIN_WORDS <= len(text.split()) <= MAX_WORDS:
            continue
        seen.add(key)
        label = difficulty.intents.index(intent)
        if draw.random() < noise:
            label = (label + 1 + _below(draw, len(difficulty.intents) - 1)) % len(difficulty.intents)
        texts.append(text)
        labels.append(label)
    return tuple(texts), tuple(labels)


def _generate_request(draw: Random, difficulty: Difficulty) -> tuple[str, str]:
    """One request with the intent that was meant."""
    intent = _pick(draw, difficulty.intents)
    kind = draw.random()
    if kind < difficulty.ambiguous:
        pair = _pick(draw, sorted(AMBIGUOUS))
        intent = _pick(draw, pair)
        parts = [_pick(draw, AMBIGUOUS[pair])]
    elif kind < difficulty.ambiguous + difficulty.contrast:
        parts = [_pick(draw, CONTRASTS[intent])]
    else:
        parts = [_pick(draw, REQUESTS[intent])]
        if draw.random() < difficulty.distractor:
            parts = _add_distractor(draw, intent, parts[0], difficulty)
    text = _fill(draw, " ".join(parts))
    if draw.random() < 0.4:
        text = f"{_pick(draw, OPENERS)}, {text}"
    if draw.random() < 0.4:
        text = f"{text}, {_pick(draw, CLOSERS)}"
    words = text.split()
    if draw.random() < difficulty.dropped_word:
        del words[_below(draw, len(words))]
    if draw.random() < difficulty.typo:
        place = _below(draw, len(words))
        words[place] = _mistype(draw, words[place])
    return intent, " ".join(words)


def _add_distractor(draw: Random, intent: str, request: str, difficulty: Difficulty) -> list[str]:
    """The request with a clause before or after it about another intent."""
    other = _pick(draw, [label for label in difficulty.intents if label != intent])
    quoted = draw.random() < difficulty.quoted
    mention = _pick(draw, (REQUESTS if quoted else MENTIONS)[other])
    if draw.random() < 0.5:
        return [_pick(draw, BEFORE_QUOTED if quoted else BEFORE).replace("{other}", mention), request]
    return [request, _pick(draw, AFTER_QUOTED if quoted else AFTER).replace("{other}", mention)]


def _fill(draw: Random, template: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda slot: _pick(draw, SLOTS[slot[1]]), template)


def _mistype(draw: Random, word: str) -> str:
    """The word with a letter dropped, doubled, or swapped with the next; short words stay as they are."""
    if len(word) < 4:
        return word
    place = 1 + _below(draw, len(word) - 2)
    head, letter, tail = word[:place], word[place], word[place + 1 :]
    return _pick(draw, (head + tail, head + letter * 2 + tail, head + tail[:1] + letter + tail[1:]))


def _pick(draw: Random, options: Sequence[_Option]) -> _Option:
    return options[_below(draw, len(options))]


def _below(draw: Random, limit: int) -> int:
    # Only `random()` is guaranteed to give the same numbers in every Python version; `choice` is not.
    return int(draw.random() * limit)
