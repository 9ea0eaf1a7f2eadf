"""Figures of taggers: languages with their mean, word pieces, and the ladder's numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from seqeval.metrics import f1_score
from tokenizers import Tokenizer as RustTokenizer

from leanformer.answers.forms import decide
from leanformer.measure.piece_f1 import piece_f1, piece_tags
from leanformer.measure.quality import measure_quality
from leanformer.models.predictor import TorchPredictor
from leanformer.predictor import logits
from leanformer.tagging.ragged import ragged
from tests.making.tagged import TASK, tagged_examples, tagger_artifact

EXAMPLES = tagged_examples(40, 31)


def noisy(seed: int, share: float) -> np.ndarray:
    """Logits whose best legal tags are right but for a share of words."""
    generator = np.random.default_rng(seed)
    parts = []
    for tags in EXAMPLES.targets:
        values = np.eye(len(TASK.labels), dtype=np.float32)[tags]
        wrong = generator.random(len(tags)) < share
        values[wrong] = generator.random((int(wrong.sum()), len(TASK.labels))) * 1.5
        parts.append(values)
    return ragged(parts)


def names(tags: np.ndarray) -> list[list[str]]:
    return [[TASK.labels[int(i)] for i in tag] for tag in tags]


def test_quality_with_each_language_and_their_mean() -> None:
    ours, theirs = noisy(1, 0.3), noisy(2, 0.1)
    assert EXAMPLES.languages is not None
    found = measure_quality(ours, EXAMPLES.targets, theirs, TASK, languages=EXAMPLES.languages)
    answers, gold = decide(ours, TASK), EXAMPLES.targets
    assert found.quality == pytest.approx(f1_score(names(gold), names(answers)))
    assert found.quality_low < found.quality < found.quality_high
    before = f1_score(names(gold), names(decide(theirs, TASK)))
    assert found.drop == pytest.approx(before - found.quality) and found.drop_low < found.drop < found.drop_high
    each = []
    for language in ("aa", "bb"):
        rows = [i for i, code in enumerate(EXAMPLES.languages) if code == language]
        each.append(f1_score(names(gold[rows]), names(answers[rows])))
        value, low, high = found.scores[f"F1 in {language}"]
        assert value == pytest.approx(each[-1]) and low < value < high
    assert found.scores["mean of F1 over 2 languages"][0] == pytest.approx(np.mean(each))
    assert found.scores["standard deviation of F1 over 2 languages"][0] == pytest.approx(np.std(each))
    assert {"precision", "recall", "F1 of MUS", "F1 of SPO"} <= set(found.scores)
    words = np.concatenate([a == b for a, b in zip(answers, decide(theirs, TASK), strict=True)])
    assert found.agreement == pytest.approx(words.mean())
    assert found.probability_agreement is not None and 0 < found.probability_agreement < 1
    same = measure_quality(ours, EXAMPLES.targets, ours, TASK)
    assert same.drop == same.drop_low == same.drop_high == 0 and same.agreement == 1
    assert not any("language" in name for name in same.scores)


def test_word_pieces_are_scored_as_words_of_their_own(tmp_path: Path) -> None:
    artifact = tagger_artifact(tmp_path / "a", max_tokens=16)
    predictor = TorchPredictor(artifact)
    # Words that come apart into letters, in a sentence long enough for several windows.
    texts = tuple(text.replace("goal", "goalies").replace("the", "thyme") for text in EXAMPLES.texts[:8])
    examples = type(EXAMPLES)(TASK, texts, EXAMPLES.labels[:8])  # type: ignore[index]
    found, gold = piece_tags(predictor, examples)
    rust = RustTokenizer.from_file(str(artifact.file("tokenizer.json")))
    for text, tags, pieces in zip(texts, examples.targets, gold, strict=True):
        spread = []
        for word, tag in zip(text.split(" "), tags, strict=True):
            name = TASK.labels[int(tag)]
            count = len(rust.encode(word, add_special_tokens=False).ids)
            spread += [name, *["O" if name == "O" else f"I-{name[2:]}"] * (count - 1)]
        assert [TASK.labels[i] for i in pieces] == spread
    assert sum(map(len, gold)) > sum(map(len, examples.targets)) + 10
    assert [len(tags) for tags in found] == [len(tags) for tags in gold]
    assert piece_f1(predictor, examples) == pytest.approx(f1_score(names(gold), names(found)))
    # The pieces' own logits are asked, not the word's tag spread over them.
    assert logits(predictor, texts).shape == (8,)
