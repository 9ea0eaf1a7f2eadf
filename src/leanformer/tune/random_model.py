"""Models with random weights, exported like trained ones: they take as long, and are made in a moment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import LeanformerError
from leanformer.shapes.encoder import EncoderConfig
from leanformer.shapes.head import HeadShape
from leanformer.step import Context
from leanformer.task import Task

# The gates compare answers, and these mean nothing.
_LOOSE: dict[str, Any] = {"max_flips": 1.0, "max_mean_share": 1e9, "gate_texts": 2}
_WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "d")
_TEXTS = ("a b c d a b", "b", "c a", "d d d d", "a c", "b d a", "c c", "d a b c")


def shape_of(artifact: Artifact) -> EncoderConfig:
    """The configuration of an artifact of format "encoder"."""
    return EncoderConfig.from_json(json.loads(artifact.file("encoder.json").read_text(encoding="utf-8")))


def random_model(
    artifact: Artifact, layers: Sequence[tuple[int, int]], folder: Path, *, precision: str, threads: int
) -> Artifact:
    """A graph of the family and the widths of `artifact`, with these heads and units of each layer, below `folder`.

    It has a tokenizer and a word table of a few words; the time of a row depends on neither. A head that gives
    something for each token, or a vector, is replaced by one that averages the tokens.

    Args:
        precision: "fp32", or "int8" and its method, as manifests have it.

    Raises `LeanformerError` for another precision.
    """
    import torch

    from leanformer.export.int8 import Int8
    from leanformer.export.onnx import Onnx
    from leanformer.models.classifier import Classifier
    from leanformer.models.heads import HEADS
    from leanformer.models.store import write_classifier

    whole = shape_of(artifact)
    shapes = []
    for place, (heads, units) in enumerate(layers):
        index = min(place, len(whole.layers) - 1)
        columns = None if whole.relative_bias is None else tuple(range(heads))
        shapes.append(replace(whole.layers[index], heads=heads, ffn=units, bias_columns=columns))
    task = Task("classification", ("0", "1"))
    if pooled := HEADS[task.answer].fits(whole.head):
        task = replace(task, labels=tuple(str(label) for label in range(max(2, whole.labels))))
    head = whole.head if pooled else HeadShape(pooling="mean")
    config = replace(
        whole, layers=tuple(shapes), vocabulary=len(_WORDS), padding_id=0, labels=len(task.labels), head=head
    )
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    made = write_classifier(
        Classifier(config).eval(), folder / "encoder", task=task, tokenizer=_tokenizer(folder),
        max_tokens=artifact.max_tokens, history=[],
    )  # fmt: skip
    examples = Examples(task, _TEXTS, tuple(number % 2 for number in range(len(_TEXTS))))
    context = Context(
        Dataset(task, train=examples, dev=examples), {"teacher": made}, folder / "work", folder / "cache", device="cpu",
        threads=threads,
    )  # fmt: skip
    made = Onnx(**_LOOSE, max_difference=1e9)(made, context, folder / "graph")
    if precision.startswith("int8 "):
        return Int8(**_LOOSE, method=precision.removeprefix("int8 "))(made, context, folder / "int8")
    if precision != "fp32":
        raise LeanformerError(f"no model of precision {precision} can be made to be timed")
    return made


def _tokenizer(folder: Path) -> Path:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from tokenizers.processors import TemplateProcessing

    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(_WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"
