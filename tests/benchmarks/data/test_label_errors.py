"""The figures of planted errors: they are those of their definitions, on small sets made here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data import label_errors
from benchmarks.data.label_errors import Labels, average_precision, by_sentence, drawn
from leanformer.data.examples import Examples
from tests.making.tagged import tagged_examples, tagged_sentences
from tests.making.tiny import TASK, tiny_texts

NAMES = TASK.labels


def test_average_precision_by_hand() -> None:
    """Ranked by score: wrong, right, wrong, right. Precision is 1 at the first wrong one and 2/3 at the second."""
    assert average_precision(np.array([0.9, 0.1, 0.5, 0.3]), np.array([False, True, True, False])) == pytest.approx(
        5 / 6
    )


def test_a_tenth_is_another_label() -> None:
    texts, labels = tiny_texts(200, 5)
    clean = Labels.of(Examples(TASK, texts, labels))
    noisy = clean.flipped(1)
    assert (noisy.given != clean.given).sum() == 20 and (noisy.given != clean.flipped(2).given).any()
    assert set(noisy.given) == {0, 1, 2} and (clean.given == labels).all(), "the original is as it was"
    words = Labels.of(tagged_examples(10, 1))
    assert words.owners is not None and len(words.owners) == len(words.given) == words.flipped(1).given.size


def test_rows_dropped_at_random_are_not_those_that_were_flipped() -> None:
    texts, labels = tiny_texts(300, 5)
    clean = Labels.of(Examples(TASK, texts, labels))
    rows = label_errors.drawn_at_random(300, 60, 1)
    assert len(set(rows)) == 60 and (clean.flipped(1).given != clean.given)[rows].mean() < 0.25


def test_a_sentence_is_as_suspect_as_its_worst_word() -> None:
    scores, wrong = np.array([0.9, 0.2, 0.4, 0.8, 0.3]), np.array([False, True, False, False, False])
    found = by_sentence(scores, wrong, np.array([0, 0, 1, 1, 2]))
    assert found == {"sentence_average_precision": 1.0, "sentence_base_rate": pytest.approx(1 / 3)}


def test_the_control_has_seen_the_labels_that_it_judges() -> None:
    """Vectors by which each row can be known again: without folds no label is doubted, with folds all are guessed."""
    texts, labels = tiny_texts(60, 5)
    train = Examples(TASK, texts, labels)
    noisy, vectors = Labels.of(train).flipped(1), 10 * np.eye(60, dtype=np.float32)
    assert (label_errors.in_sample(train, noisy, vectors).argmax(axis=1) == noisy.given).all()
    values = label_errors.probabilities(train, noisy, vectors, np.arange(60))
    assert (values.argmax(axis=1) == noisy.given).mean() < 0.6


def test_a_sample_keeps_the_order() -> None:
    texts, labels = tiny_texts(50, 5)
    part = drawn(Examples(TASK, texts, labels), 20)
    places = [texts.index(text) for text in part.texts]
    assert len(part) == 20 and places == sorted(places)


@pytest.mark.slow
def test_a_run_gives_all_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "trec").mkdir()
    for split, count, seed in (("train", 300, 5), ("test", 100, 6)):
        rows = [{"text": text, "label": NAMES[label]} for text, label in zip(*tiny_texts(count, seed), strict=True)]
        (tmp_path / "trec" / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "wikiann" / "en").mkdir(parents=True)
    sentences = [{"words": words, "tags": tags} for words, tags in tagged_sentences(120, 4)]
    (tmp_path / "wikiann" / "en" / "train.jsonl").write_text("\n".join(map(json.dumps, sentences)))
    (tmp_path / "noisy_news_hau_yor" / "yor").mkdir(parents=True)
    texts, labels = tiny_texts(200, 7)
    rows = [
        {"text": text, "label": NAMES[(label + (row % 8 == 0)) % 3], "label_true": NAMES[label]}
        for row, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    (tmp_path / "noisy_news_hau_yor" / "yor" / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setenv("LEANFORMER_DATA", str(tmp_path))
    monkeypatch.setattr(label_errors, "SEEDS", (1, 2))
    output = tmp_path / "label_errors.json"
    sets = ["trec", "wikiann/en", "noisy_news_hau_yor/yor"]
    monkeypatch.setattr(sys, "argv", ["label_errors", *sets, "--features", "n-grams", "--output", str(output)])
    label_errors.main()
    written = json.loads(output.read_text())["sets"]
    assert list(written) == sets
    mean = written["trec"]["features"]["n-grams"]["mean"]
    assert mean["base_rate"] == 0.1 and mean["average_precision"] > 0.8 and mean["right_suggestions"] > 0.9
    assert 0.1 < mean["in_sample"] <= 1
    systems = written["trec"]["effect"]["systems"]
    assert set(systems) == {
        "noisy", "clean", "dropped (n-grams)", "relabelled (n-grams)", "dropped at random, as many as by n-grams"
    }  # fmt: skip
    assert systems["noisy"]["over_noisy"] == 0 and systems["clean"]["low"] <= systems["clean"]["accuracy"]
    tags = written["wikiann/en"]["features"]["n-grams"]["mean"]
    assert tags["sentence_average_precision"] > tags["sentence_base_rate"] and "effect" not in written["wikiann/en"]
    news = written["noisy_news_hau_yor/yor"]["features"]["n-grams"]
    assert news["wrong"] == 25 and news["recall"] > 0.7 and news["average_precision"] > 0.7
    assert "trec, n-grams: average precision" in capsys.readouterr().out


def test_the_errors_that_people_confirmed_are_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "label_errors_20news"
    folder.mkdir()
    texts, labels = tiny_texts(100, 7)
    rows = []
    for row, (text, label) in enumerate(zip(texts, labels, strict=True)):
        wrong = row % 10 == 0
        probs = np.full(3, 0.1)
        probs[label] = 0.8
        extra = {"checked": wrong or row == 5, "verdict": "guess" if wrong else "given", "probs": probs.tolist()}
        rows.append({"text": text, "label": NAMES[(label + wrong) % 3], **extra})
    (folder / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = label_errors.known("label_errors_20news", tmp_path, ["n-grams"])
    assert found["checked_by_people"] == 11
    own = found["features"]["the authors' probabilities"]
    assert own["average_precision"] == 1.0 and own["wrong"] == 10 and set(found["features"]) == {
        "the authors' probabilities", "n-grams"
    }  # fmt: skip
