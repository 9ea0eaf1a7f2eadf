"""Tiny real things, made on the spot: a tokenizer, an encoder classifier, an artifact, a data set.

Small enough that a test can make, run and train them in well under a second, and large enough that nothing is
degenerate: several layers, several heads, texts of mixed lengths. Import as `from tests.making.tiny import ...`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer as RustTokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.inputs.kinds import input_of
from leanformer.models.classifier import Classifier
from leanformer.models.store import write_classifier
from leanformer.shapes.encoder import EncoderConfig, LayerShape
from leanformer.task import Task

# Threads only wait for one another on tensors this small; and equal bytes need an equal number of threads.
torch.set_num_threads(1)

LABELS = ("music", "sport", "weather")
TASK = Task("classification", LABELS)
TOPICS = {
    "music": "song band guitar drum concert melody choir violin piano album".split(),
    "sport": "goal match team race ball coach league runner score referee".split(),
    "weather": "rain storm cloud wind snow sunny frost thunder fog hail".split(),
}
FILLERS = "the a was is very it we saw today and then after this that quite not with of in last".split()
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCABULARY = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *(letter for letter in _LETTERS if letter != "a"),  # "a" is a word already
    *(f"##{letter}" for letter in _LETTERS),
    *(".", ",", "!", "?", "'"),
    *(word for words in TOPICS.values() for word in words),
    *FILLERS,
)


def tiny_tokenizer(folder: Path) -> Path:
    """Write a WordPiece `tokenizer.json` with BERT's normaliser and post-processor into `folder`; its path."""
    ids = {token: index for index, token in enumerate(VOCABULARY)}
    tokenizer = RustTokenizer(WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def tiny_config(**changes: Any) -> EncoderConfig:
    """Two layers of 4 heads and 48 units, hidden 32, no dropout; `changes` replaces any field."""
    fields: dict[str, Any] = {
        "vocabulary": len(VOCABULARY),
        "hidden": 32,
        "head_size": 8,
        "layers": (LayerShape(4, 48), LayerShape(4, 48)),
        "positions": 64,
        "token_types": 2,
        "activation": "gelu",
        "norm_epsilon": 1e-12,
        "dropout": 0.0,
        "attention_dropout": 0.0,
        "padding_id": 0,
        "labels": len(LABELS),
    }
    return EncoderConfig(**(fields | changes))


def roughen(model: torch.nn.Module, seed: int = 1) -> None:
    """Redraw every parameter in place so that each one matters: std 0.2, LayerNorm weights around 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            drawn = torch.randn(parameter.shape, generator=generator) * 0.2
            is_norm_weight = parameter.ndim == 1 and name.endswith("weight")
            parameter.copy_(drawn + 1 if is_norm_weight else drawn)


def tiny_classifier(config: EncoderConfig | None = None, seed: int = 1) -> Classifier:
    """A classifier in eval mode whose weights all matter (see `roughen`)."""
    model = Classifier(config or tiny_config())
    roughen(model, seed)
    return model.eval()


def tiny_artifact(
    folder: Path,
    *,
    config: EncoderConfig | None = None,
    seed: int = 1,
    labels: Sequence[str] | None = None,
    max_tokens: int = 32,
    history: Sequence[Mapping[str, Any]] = (),
    model: Classifier | None = None,
) -> Artifact:
    """An artifact of format "encoder" in the new folder `folder`: `model`, or else a `tiny_classifier`.

    Without `labels` it has `LABELS`, or for another number of logits "label0", "label1", ...
    """
    model = model or tiny_classifier(config, seed)
    count = model.config.labels
    names = labels or (LABELS if count == len(LABELS) else [f"label{i}" for i in range(count)])
    with tempfile.TemporaryDirectory() as temporary:
        return write_classifier(
            model,
            folder,
            task=Task("classification", tuple(names)),
            tokenizer=tiny_tokenizer(Path(temporary)),
            max_tokens=max_tokens,
            history=history,
        )


def tiny_texts(count: int, seed: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Texts of 3 to 13 words, each with two to four words of its label's topic among fillers; their labels.

    Only six words of a topic occur, so that a hundred texts are enough to learn them all.
    """
    generator = np.random.default_rng(seed)
    texts, labels = [], []
    for index in range(count):
        label = index % len(LABELS)
        words = [str(word) for word in generator.choice(TOPICS[LABELS[label]][:6], size=generator.integers(2, 5))]
        words += [str(word) for word in generator.choice(FILLERS, size=generator.integers(1, 10))]
        generator.shuffle(words)
        texts.append(" ".join(words) + ".")
        labels.append(label)
    return tuple(texts), tuple(labels)


def tiny_kind_dataset(kind: str, sizes: Sequence[int] = (240, 60, 60, 60)) -> Dataset:
    """Generated examples of a kind, learnable by a tiny model: train, dev, test and unlabelled of the given sizes.

    "pair": two texts of any topics; the label is the topic of the second, which token types or positions tell.
    "multilabel": a text of none, one or several topics; its labels are those topics.
    "similarity" and "regression": 1 to 5, more with each word of music in the (second) text.
    """
    labels = () if kind in ("similarity", "regression") else LABELS
    task = Task(kind, labels)
    parts = {}
    for seed, (split, count) in enumerate(zip(("train", "dev", "test", "unlabelled"), sizes, strict=True)):
        generator = np.random.default_rng([seed, len(kind)])
        rows = [_kind_example(generator, kind) for _ in range(count)]
        parts[split] = Examples(
            task,
            tuple(first for first, _, _ in rows),
            None if split == "unlabelled" else tuple(label for _, _, label in rows),
            tuple(second for _, second, _ in rows) if input_of(task).paired else None,
            source=split,
        )
    return Dataset(task=task, name=f"tiny {kind}", **parts)


def _kind_example(generator: np.random.Generator, kind: str) -> tuple[str, str, Any]:
    """A first text, a second one and the label."""

    def text_of(topics: Sequence[int], words_known: int = 4) -> str:
        words = [str(generator.choice(TOPICS[LABELS[topic]][:words_known])) for topic in topics]
        words += [str(word) for word in generator.choice(FILLERS[:6], size=generator.integers(1, 4))]
        generator.shuffle(words)
        return " ".join(words)

    if kind == "pair":
        first, second = (int(integer) for integer in generator.integers(0, 3, size=2))
        return text_of([first, first]), text_of([second, second]), second
    if kind == "multilabel":
        topics = np.flatnonzero(generator.random(3) < 0.45).tolist()
        return text_of([topic for topic in topics for _ in range(3)], 2), "", tuple(topics)
    level = int(generator.integers(0, 5))
    text = text_of([0] * level + [1] * (4 - level))
    return (text_of([2]), text, 1.0 + level) if kind == "similarity" else (text, "", 1.0 + level)


def tiny_dataset() -> Dataset:
    """120 train, 40 dev, 60 test and 60 unlabelled texts of three topics, learnable from single words."""
    parts = {}
    for seed, (split, count) in enumerate({"train": 120, "dev": 40, "test": 60, "unlabelled": 60}.items()):
        texts, labels = tiny_texts(count, seed)
        parts[split] = Examples(TASK, texts, None if split == "unlabelled" else labels, source=split)
    return Dataset(task=TASK, name="tiny", **parts)
