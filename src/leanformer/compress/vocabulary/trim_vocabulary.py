"""Removes the vocabulary entries that the task's texts never use.

What: counts the pieces that the tokenizer produces for the training and unlabelled texts, removes all others from the
    tokenizer and the embedding table, and renumbers the rest. Predictions for the counted texts do not change by a
    bit.
Paper: Abdaoui, Pradel and Sigel 2020, Load What You Need (arXiv 2010.05609).
Helps: when the embedding table is a large part of the model: small students, and multilingual models used for one or a
    few languages. Files and memory shrink; the speed stays the same.
Hurts: words that do not occur in the counted texts are split into smaller pieces, at worst into characters; the number
    of dev texts affected is reported, and grows with fewer counted texts. The vocabulary no longer matches the
    teacher's, so hidden-state and attention losses are not available: trim after compress.distil.
Needs: torch; training or unlabelled texts like those to predict for; a WordPiece, BPE or Unigram tokenizer.
Example: {step: compress.trim_vocabulary}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.errors import DataError
from leanformer.files import write_text
from leanformer.inputs.input import parts_of
from leanformer.options import FilePath
from leanformer.shapes.planned import PlannedShape
from leanformer.step import Context, Make, record


@dataclass(frozen=True)
class TrimVocabulary(Make):
    """Keep the tokens that occur in train, unlabelled and extra texts; dev is only used to measure the effect."""

    min_count: int = 1  # drop pieces with fewer occurrences; above 1, predictions for counted texts may change
    keep: int | None = None  # keep at most this many pieces, the most frequent; None keeps all that occur
    keep_characters: bool = True  # keep unused single characters, so that a new word is split and not unknown
    extra_texts: FilePath | None = None  # a file or folder of additional texts to count, read like a data set

    technique: ClassVar[str] = "compress.trim_vocabulary"
    consumes: ClassVar[tuple[str, ...]] = ("encoder",)
    produces: ClassVar[str] = "encoder"

    def __post_init__(self) -> None:
        self.at_least(1, "min_count", "keep")
        super().__post_init__()

    def planned(self, shape: PlannedShape) -> PlannedShape:
        return shape

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        from leanformer.compress.vocabulary.seen_pieces import seen_pieces
        from leanformer.models.store import read_model, write_classifier
        from leanformer.models.surgery import keep_words
        from leanformer.models.writing import TOKENIZER
        from leanformer.train.judging import task_again

        source = artifact.file(TOKENIZER).read_text(encoding="utf-8")
        model = read_model(artifact)
        rows, texts = model.config.vocabulary, self._texts(context.data)
        cut = seen_pieces(
            source, texts, rows, min_count=self.min_count, keep=self.keep, keep_characters=self.keep_characters
        )
        counted, order = cut.counted, cut.order
        if counted.texts_changed:
            context.say(f"{counted.texts_changed} of {counted.texts} counted texts come apart differently")
        result = {"pieces": [cut.before, len(order)], "counted": counted.to_json()}
        if context.data.dev is not None:
            dev = cut.compared(_all_texts(context.data, "dev"))
            result["dev"] = dev.to_json()
            context.say(
                f"{dev.texts_changed} of {dev.texts} dev texts come apart differently; "
                f"{dev.unknown_after} of {dev.tokens_after} of their tokens are unknown, before {dev.unknown}"
            )
        if model.config.padding_id not in order:  # a row without a token in the tokenizer
            order = [*order, model.config.padding_id]
        trimmed = keep_words(model, order)
        context.say(f"{len(order)} of {rows} rows of the word table kept, for {len(texts)} texts")
        write_text(context.work / TOKENIZER, cut.written)
        return write_classifier(
            trimmed,
            output,
            task=task_again(trimmed, artifact, context, context.work / TOKENIZER),
            tokenizer=context.work / TOKENIZER,
            max_tokens=artifact.max_tokens,
            history=[*artifact.history, record(self, artifact) | {"result": result}],
        )

    def _texts(self, data: Dataset) -> list[str]:
        """The texts to count: never dev, or its figure would not represent new text; never test."""
        texts = _all_texts(data, "train") + _all_texts(data, "unlabelled")
        if self.extra_texts is not None:
            extra = open_dataset(self.extra_texts)
            texts += [text for split in ("train", "dev", "unlabelled") for text in _all_texts(extra, split)]
        if not texts:
            raise DataError(
                "there is neither a train nor an unlabelled split to count pieces in", path=data.name,
                remedy="add unlabelled.txt with texts like those to predict for",
            )  # fmt: skip
        return texts


def _all_texts(data: Dataset, split: str) -> list[str]:
    """The texts of a split, including second parts of inputs; empty if there is no such split."""
    examples = getattr(data, split)
    return [] if examples is None else [*examples.texts, *parts_of(examples.pairs or ())]
