"""Tiny tagging tasks, made on the spot: sentences of two types of entity in two languages, and a tagger."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.models.classifier import Classifier
from leanformer.models.heads import token_head
from leanformer.models.store import write_classifier
from leanformer.tagging.schemes import tag_names
from leanformer.tagging.words import join_words
from leanformer.task import Task
from tests.making.tiny import FILLERS, TOPICS, roughen, tiny_config, tiny_tokenizer

TAGS = tag_names(["MUS", "SPO"])
TASK = Task("tokens", TAGS)
_TYPES = {"MUS": "music", "SPO": "sport"}


def tagged_sentences(count: int, seed: int) -> list[tuple[list[str], list[str]]]:
    """Words and IOB2 tags: fillers, and between them entities of one to three words that tell their type.

    The first word of an entity is one of two that no other place has, so that a tiny model can learn where it begins.
    """
    generator = np.random.default_rng(seed)
    result = []
    for _ in range(count):
        words: list[str] = []
        tags: list[str] = []
        for _ in range(int(generator.integers(1, 4))):
            fillers = [str(word) for word in generator.choice(FILLERS[:6], size=generator.integers(1, 4))]
            kind = str(generator.choice(list(_TYPES)))
            names = TOPICS[_TYPES[kind]]
            entity = [str(generator.choice(names[:2]))]
            entity += [str(word) for word in generator.choice(names[2:5], size=generator.integers(0, 3))]
            words += fillers + entity
            tags += ["O"] * len(fillers) + [f"{'I' if i else 'B'}-{kind}" for i in range(len(entity))]
        result.append((words, tags))
    return result


def tagged_examples(count: int, seed: int, *, labelled: bool = True, task: Task = TASK) -> Examples:
    """Sentences as examples, the languages "aa" and "bb" in turn."""
    sentences = tagged_sentences(count, seed)
    return Examples(
        task,
        tuple(join_words(words) for words, _ in sentences),
        tuple(tuple(task.labels.index(tag) for tag in tags) for _, tags in sentences) if labelled else None,
        source=f"seed {seed}",
        languages=tuple("ab"[i % 2] * 2 for i in range(count)),
    )


def tagged_dataset() -> Dataset:
    """240 train, 60 dev, 60 test and 60 unlabelled sentences."""
    return Dataset(
        task=TASK,
        train=tagged_examples(240, 1),
        dev=tagged_examples(60, 2),
        test=tagged_examples(60, 3),
        unlabelled=tagged_examples(60, 4, labelled=False),
        name="tagged",
    )


def write_columns(folder: Path, *, sizes: tuple[int, int, int] = (120, 30, 30)) -> Path:
    """The same task as CoNLL columns: one sub-folder a language, train, dev and test .tsv in each."""
    for number, language in enumerate(("aa", "bb")):
        for part, (split, count) in enumerate(zip(("train", "dev", "test"), sizes, strict=True)):
            lines = [
                "".join(f"{word}\t{tag}\n" for word, tag in zip(words, tags, strict=True))
                for words, tags in tagged_sentences(count, 10 * number + part)
            ]
            (folder / language).mkdir(parents=True, exist_ok=True)
            (folder / language / f"{split}.tsv").write_text("\n".join(lines))
    return folder


def tiny_tagger(seed: int = 3, **changes: object) -> Classifier:
    """A tagger in eval mode whose weights all matter."""
    model = Classifier(token_head(tiny_config(labels=len(TAGS), **changes)))
    roughen(model, seed)
    with torch.no_grad():  # or it would give nearly all words the same tag
        model.head.classifier.weight.mul_(4)
        model.head.classifier.bias.zero_()
    return model.eval()


def tagger_artifact(folder: Path, *, model: Classifier | None = None, max_tokens: int = 32) -> Artifact:
    """An artifact of format "encoder" in the new folder `folder` that tags words."""
    with tempfile.TemporaryDirectory() as temporary:
        return write_classifier(
            model or tiny_tagger(), folder, task=TASK, tokenizer=tiny_tokenizer(Path(temporary)),
            max_tokens=max_tokens, history=[],
        )  # fmt: skip
