"""The choice between ways of making a teacher, by cross-validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.finetune.choose import CHOICE, FLOOR, FOLDS, MOST_TOKENS, Candidate, Choice, choose
from tests.making.tiny import tiny_dataset

DATA = replace(tiny_dataset(), dev=None)


@dataclass
class Guesser:
    """Right for so many texts in ten of those that it was not made with, and for all that it was made with."""

    known: Examples
    tenths: int

    def answers(self, examples: Examples, device: str) -> np.ndarray:
        right = np.array([hash_of(text) < self.tenths or text in self.known.texts for text in examples.texts])
        return np.where(right, examples.targets, (examples.targets + 1) % 3)


@dataclass
class Knowing:
    """Right for these texts."""

    known: set[str]

    def answers(self, examples: Examples, device: str) -> np.ndarray:
        right = np.array([text in self.known for text in examples.texts])
        return np.where(right, examples.targets, (examples.targets + 1) % 3)


@pytest.fixture
def no_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leanformer.finetune.choose.floor_answers", lambda known, asked, seed: np.zeros(len(asked)))


def hash_of(text: str) -> int:
    return sum(map(ord, text)) % 10


def guesser(tenths: int, made: list[int] | None = None) -> Callable[[Dataset], Any]:
    def tune(data: Dataset) -> Any:
        assert data.train is not None
        if made is not None:
            made.append(len(data.train))
        return Guesser(data.train, tenths)

    return tune


def chosen(folder: Path, data: Dataset = DATA, identity: str = "", **candidates: Candidate) -> Choice:
    return choose(
        data, candidates, identity=identity, seed=1, device="cpu", work=folder, say=lambda line: None
    )  # fmt: skip


def test_the_best_on_texts_held_out_is_taken(tmp_path: Path):
    made: list[int] = []
    choice = chosen(tmp_path, a=Candidate(guesser(3)), b=Candidate(guesser(8, made)), c=Candidate(guesser(5)))
    assert choice.method == "b" and choice.why == "the most held-out texts right"
    assert DATA.train is not None
    expected = np.mean([hash_of(text) < 8 for text in DATA.train.texts])
    assert choice.scores["b"] == pytest.approx(expected, abs=1e-4), "texts that it was made with do not count"
    assert made == [96] * FOLDS, "repeated texts apart, four fifths of 120"
    assert choice.scores[FLOOR] > 0.8 and list(choice.scores) == [FLOOR, "a", "b", "c"]
    assert choice.to_json()["cross_validated"] == choice.scores


@pytest.mark.parametrize(("lost", "method"), [(0, "b"), (20, "a")])
def test_a_simpler_one_is_taken_if_the_difference_is_noise(lost: int, method: str, tmp_path: Path, no_floor: None):
    """A difference of three texts out of 120 is 1.7 standard errors if nothing else differs, and 0.5 if 40 do."""
    assert DATA.train is not None
    texts = list(dict.fromkeys(DATA.train.texts))
    first = set(texts[:60])
    second = (first - set(texts[:lost])) | set(texts[60 : 60 + lost + 3])
    tune = {name: lambda data, right=right: Knowing(right) for name, right in (("a", first), ("b", second))}
    choice = chosen(tmp_path, **{name: Candidate(each) for name, each in tune.items()})
    assert choice.scores["b"] > choice.scores["a"] and choice.method == method
    assert choice.why == (
        "the most held-out texts right" if method == "b" else "as good as b within the noise, and simpler"
    )


def test_what_was_tried_before_a_kill_is_not_tried_again(tmp_path: Path, no_floor: None):
    def killed(data: Dataset) -> Any:
        raise KeyboardInterrupt

    first: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        chosen(tmp_path, a=Candidate(guesser(8, first)), b=Candidate(killed))
    chosen(tmp_path, a=Candidate(guesser(8, first)), b=Candidate(guesser(5)))
    assert len(first) == FOLDS and (tmp_path / CHOICE).is_file()
    chosen(tmp_path, identity="other data", a=Candidate(guesser(8, first)), b=Candidate(guesser(5)))
    assert len(first) == 2 * FOLDS


def test_all_have_the_folds_of_the_most_expensive_one(tmp_path: Path, no_floor: None):
    made: dict[str, list[int]] = {"a": [], "b": []}
    chosen(
        tmp_path, a=Candidate(guesser(5, made["a"])), b=Candidate(guesser(5, made["b"]), MOST_TOKENS // 3),
    )  # fmt: skip
    assert made["a"] == made["b"] == [80] * 3, "each learns from as many rows as its rivals"


def test_long_texts_are_no_reason_to_leave_out_the_comparison(
    tmp_path: Path, no_floor: None, monkeypatch: pytest.MonkeyPatch
):
    made: list[int] = []
    candidates = {"a": Candidate(guesser(8, made)), "b": Candidate(guesser(5, made), MOST_TOKENS)}
    assert chosen(tmp_path, **candidates).method == "a" and made == [60] * 4
    monkeypatch.setattr("leanformer.finetune.choose.ENOUGH", 119)
    choice = chosen(tmp_path, **candidates)
    assert choice.method == "b" and choice.scores == {} and len(made) == 4
    assert choice.why == "120 texts are enough for it, and too many to try all methods"


def test_few_texts_of_a_class(tmp_path: Path, no_floor: None):
    assert DATA.train is not None
    by_class = [np.flatnonzero(DATA.train.targets == label) for label in range(3)]
    one, two = (
        replace(DATA, train=DATA.train.select([int(row) for rows in by_class for row in rows[:count]]))
        for count in (1, 2)
    )
    assert chosen(tmp_path, one, a=Candidate(guesser(1)), b=Candidate(guesser(9))).method == "a"
    choice = chosen(tmp_path, two, a=Candidate(guesser(1)), b=Candidate(guesser(10), least=3))
    assert choice.method == "a" and "b" not in choice.scores
    same = replace(two.train, texts=tuple(two.train.texts[row // 2 * 2] for row in range(len(two.train))))
    assert chosen(tmp_path, replace(DATA, train=same), a=Candidate(guesser(1)), b=Candidate(guesser(10))).scores == {}
