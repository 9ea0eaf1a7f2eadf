"""Corpora of many languages for taggers: who may learn from what, and scores by language.

Sentences that occur more than once are removed before anything is drawn: each is kept where it counts most, in test
before dev before train, so that no test sentence is in dev or train and no transfer sentence among the teacher's. Of
each language a teacher has the first part of the shuffled training sentences, and those for transfer are from the rest.
A smaller sample is the beginning of a larger one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.answers.forms import decide
from leanformer.curate.duplicates import first_rows
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.examples import Examples
from leanformer.data.overlap import normalise_all
from leanformer.metrics.tagging import by_group, entity_counts, f1, mean_and_deviation
from leanformer.predictor import Predictor, logits
from leanformer.tagging.schemes import tag_names, types_of
from leanformer.task import Task

SEED = 13
LARGE = ("de", "en", "es", "fr", "nl", "pl", "pt", "ru")


@dataclass(frozen=True)
class Corpus:
    """Languages of one corpus, each with train, dev and test, shuffled.

    Attributes:
        own: how many training sentences of each language are the teacher's; the rest is for transfer.
        repeats: sentences of each split that were removed since they occur earlier: in a split that counts more, in
            another language, or in the same file.
    """

    name: str
    task: Task
    parts: dict[str, Dataset]
    own: dict[str, int]
    repeats: dict[str, int]

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self.parts)

    def teachers(self, each: int | None = None) -> Examples:
        """What a teacher is trained on: at most `each` sentences of a language."""
        return self._joined("train", {language: (0, min(count, each or count)) for language, count in self.own.items()})

    def transfer(self, total: int) -> Examples:
        """`total` sentences that no teacher was trained on, of all languages in equal parts.

        A language that has not as many gives all; what lacks is then lacking.
        """
        bounds = {}
        for number, language in enumerate(self.languages):
            share = total // len(self.languages) + (number < total % len(self.languages))
            bounds[language] = (self.own[language], self.own[language] + share)
        return self._joined("train", bounds)

    def split(self, name: str, each: int) -> Examples:
        """The first `each` sentences of every language's dev or test."""
        return self._joined(name, dict.fromkeys(self.languages, (0, each)))

    def _joined(self, split: str, bounds: dict[str, tuple[int, int]]) -> Examples:
        texts: list[str] = []
        labels: list[Any] = []
        languages: list[str] = []
        for language, (start, end) in bounds.items():
            part: Examples = getattr(self.parts[language], split).for_task(self.task)
            drawn = np.random.default_rng(SEED).permutation(len(part))[start:end]
            chosen = part.select(int(i) for i in drawn)
            assert chosen.labels is not None
            texts += chosen.texts
            labels += chosen.labels
            languages += [language] * len(chosen)
        return Examples(self.task, tuple(texts), tuple(labels), source=split, languages=tuple(languages))


def open_corpus(
    name: str, languages: tuple[str, ...] | None, own: int, unseen: Collection[str] = (), *, keep_repeats: bool = False
) -> Corpus:
    """A corpus below $LEANFORMER_DATA, a sub-folder a language, without its repeats.

    Args:
        languages: None takes all that have the three splits.
        own: sentences of each language that are the teacher's, at most half of them.
        unseen: normalised sentences of another corpus, removed from dev and train: students are tested on them.
        keep_repeats: whether to leave the files as they are, as older tables did.
    """
    root = Path(os.environ.get("LEANFORMER_DATA", ""), name)
    if not os.environ.get("LEANFORMER_DATA") or not root.is_dir():
        sys.exit(f"set LEANFORMER_DATA to a folder that holds {name}/ with a sub-folder for each language")
    files = [f"{split}.tsv" for split in ("train", "dev", "test")]
    whole = [path.name for path in sorted(root.iterdir()) if all((path / name).is_file() for name in files)]
    chosen = languages or tuple(whole)
    if unknown := set(chosen) - set(whole):
        sys.exit(f"{root} has no language {', '.join(sorted(unknown))}; there are {', '.join(whole)}")
    parts = {language: open_dataset(str(root / language), kind="tokens") for language in chosen}
    types = sorted({kind for part in parts.values() for kind in types_of(part.task.labels)})
    task = Task("tokens", tag_names(types))
    repeats = dict[str, int]()
    if not keep_repeats:
        parts, repeats = without_repeats(parts, unseen)
    sizes = {language: len(part.train or ()) for language, part in parts.items()}
    return Corpus(name, task, parts, {language: min(own, size // 2) for language, size in sizes.items()}, repeats)


def without_repeats(
    parts: Mapping[str, Dataset], unseen: Collection[str] = ()
) -> tuple[dict[str, Dataset], dict[str, int]]:
    """The languages, in order, without the sentences that occur earlier, and how many those are of each split.

    Two sentences are the same if they differ in case, white space and compatible characters alone.
    """
    seen, clean, removed = set[str](), dict(parts), dict[str, int]()
    for split in ("test", "dev", "train"):
        if split == "dev":
            seen |= set(unseen)
        removed[split] = 0
        for language, part in clean.items():
            examples: Examples = getattr(part, split)
            sentences = normalise_all(examples.texts)
            rows = first_rows(sentences, None, seen)
            seen.update(sentences)
            removed[split] += len(sentences) - len(rows)
            clean[language] = replace(part, **{split: examples.select(rows)})
    return clean, removed


def unlabelled(examples: Examples) -> Examples:
    return replace(examples, labels=None)


def sentence_counts(predictor: Predictor, examples: Examples) -> np.ndarray:
    """Entities of each sentence, int64 `[n, 3]`: right ones, those predicted, those of the targets."""
    found = decide(logits(predictor, examples.inputs), predictor.task)
    return entity_counts(found, examples.for_task(predictor.task).targets, predictor.task.labels).sum(axis=1)


def lost(student: np.ndarray, teacher: np.ndarray, languages: Sequence[str], draws: int = 1000) -> dict[str, float]:
    """How much mean F1 over languages a student loses, in points, with the paired interval (95 %).

    Args:
        student, teacher: `sentence_counts` of the same sentences, `[n, 3]`.
        draws: samples of the bootstrap. Each draws sentences of every language with replacement, for both models.
    """
    names = np.asarray(languages, dtype=object)
    generator = np.random.default_rng(SEED)
    difference, samples = [], []
    for language in sorted(set(languages)):
        rows = np.flatnonzero(names == language)
        difference.append(float(f1(teacher[rows].sum(axis=0)) - f1(student[rows].sum(axis=0))))
        weights = generator.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=draws)
        samples.append(f1(weights @ teacher[rows]) - f1(weights @ student[rows]))
    low, high = 100 * np.quantile(np.mean(samples, axis=0), (0.025, 0.975))
    return {"lost": round(100 * float(np.mean(difference)), 2), "low": round(low, 2), "high": round(high, 2)}


def scores(predictor: Predictor, examples: Examples) -> dict[str, Any]:
    """Entity F1 over words, in points: of each language, their mean and deviation, and pooled."""
    return scores_of(sentence_counts(predictor, examples), examples)


def scores_of(counts: np.ndarray, examples: Examples) -> dict[str, Any]:
    """The same of `sentence_counts`."""
    assert examples.languages is not None
    each = by_group(counts[:, None], examples.languages)
    mean, deviation = mean_and_deviation(list(each.values()))
    return {
        "mean_f1": round(100 * mean, 2), "deviation": round(100 * deviation, 2),
        "pooled_f1": round(100 * float(f1(counts.sum(axis=0))), 2),
        "by_language": {name: round(100 * value, 2) for name, value in each.items()}, "n": len(examples),
    }  # fmt: skip
