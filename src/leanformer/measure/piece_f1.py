"""Entity F1 over word pieces as XtremeDistil scores it (Mukherjee and Awadallah 2020), reported with F1 over words.

Each piece of a word is treated as a separate word, pieces after the first as inside the same entity, and the model
predicts a tag for every piece. A model trained on first pieces alone, as ours are, has never learnt to tag the others;
and where its word tags are copied to their pieces, the figure equals that over words. So this metric is for models
from elsewhere, and for comparing with figures that were computed this way.
"""

from __future__ import annotations

import numpy as np

from leanformer.data.examples import Examples
from leanformer.metrics.tagging import entity_f1
from leanformer.predictor import Tagger
from leanformer.tagging.ragged import ragged
from leanformer.tagging.viterbi import decode


def piece_f1(predictor: Tagger, examples: Examples) -> float:
    """Micro-averaged entity F1 over word pieces; words without any piece left are skipped."""
    found, gold = piece_tags(predictor, examples)
    return entity_f1(found, gold, predictor.task.labels)


def piece_tags(predictor: Tagger, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Predicted tags (best legal sequence by the logits) and gold tags of each sentence's pieces; both ragged."""
    labels = predictor.task.labels
    windows = predictor.sentence_windows(examples.texts)
    values = predictor.infer([window.ids for group in windows for window in group])
    # Pieces after B-X or I-X are I-X, pieces after O are O.
    behind = np.array(
        [labels.index(f"I-{label[2:]}") if label.startswith("B-") else i for i, label in enumerate(labels)]
    )
    logits, gold, start = [], [], 0
    for tags, group in zip(examples.for_task(predictor.task).targets, windows, strict=True):
        own: list[np.ndarray] = [np.zeros((0, len(labels)), np.float32)]
        right: list[int] = []
        for window in group:
            for place, end, word in zip(window.places, window.ends, window.words, strict=True):
                own.append(values[start + place : start + end])
                right += [int(tags[word]), *[int(behind[tags[word]])] * int(end - place - 1)]
            start += len(window.ids)
        logits.append(np.concatenate(own))
        gold.append(np.array(right, dtype=np.int64))
    return decode(logits, labels), ragged(gold)
