"""Which way of making a teacher suits the labels at hand: stratified cross-validation on train."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.data.overlap import group_rows, normalise_all
from leanformer.files import sha256_json
from leanformer.finetune.tuned import Tuned
from leanformer.kept import keep, kept
from leanformer.linear.features import learn_features
from leanformer.linear.fit import FITS, MOST_WEIGHTS, sparse_rows
from leanformer.linear.ngrams import CHARACTERS, WORDS

FLOOR = "linear n-grams"
CHOICE = "choice.json"  # in the work folder, while it is made
FOLDS = 5
MOST_TOKENS = 200_000  # trained in the folds of a method; minutes on two cores, with an encoder of MiniLM's size
ENOUGH = 500  # texts that a whole model may learn from without a comparison, if there is no time for one
NOISE = 0.5  # standard errors of a difference that are no reason to take the less simple method


@dataclass(frozen=True)
class Candidate:
    """A way to make a teacher.

    Attributes:
        tune: makes one of a data set. tokens: that it trains for that.
        least: it is tried if a class has so many different texts.
    """

    tune: Callable[[Dataset], Tuned]
    tokens: int = 0
    least: int = 2

    @property
    def folds(self) -> int:
        """How many folds there is time for; below 2 there is none for a comparison."""
        return int(min(FOLDS, MOST_TOKENS // max(1, self.tokens)))


@dataclass(frozen=True)
class Choice:
    """The name of the candidate to take, why, and the share of right answers of each that was tried."""

    method: str
    why: str
    scores: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        return {"chosen": self.method, "why": self.why, "cross_validated": dict(self.scores)}


def choose(
    data: Dataset,
    candidates: Mapping[str, Candidate],
    *,
    identity: str,
    seed: int,
    device: str,
    work: Path,
    say: Callable[[str], None],
) -> Choice:
    """The candidate with the most right answers for rows of `data.train` that it was not trained on.

    A simpler one, which is an earlier one, is preferred if it is not worse by more than `NOISE` standard errors. All
    are tried in the same folds, as many as there is time for with each: more folds would leave a method more rows to
    learn from than its rivals. If there is no time to try the last on more than `ENOUGH` texts, it is taken. Without
    two different texts of a class there is nothing to try, and it is the first.

    Args:
        identity: hash of all that the scores depend on; scores kept in `work` under another are not used.
    """
    assert data.train is not None
    train, last = data.train, list(candidates)[-1]
    groups = _groups(train)
    most = max(len(np.unique(groups[train.targets == label])) for label in np.unique(train.targets))
    if most < 2:
        first = next(iter(candidates))
        return Choice(first, "no class has two different texts, so there is nothing to compare it by", {})
    if candidates[last].folds < 2 and len(train) > ENOUGH:
        return Choice(last, f"{len(train):,} texts are enough for it, and too many to try all methods", {})
    tried = [name for name, candidate in candidates.items() if most >= candidate.least]
    count = min(most, max(2, min(candidates[name].folds for name in tried)))
    folds, identity = _folds(train, groups, count, seed), sha256_json([identity, count])
    path, right = work / CHOICE, dict[str, np.ndarray]()
    known = kept(path, say, again="tried again") or {}
    done: dict[str, list[int]] = known.get("right", {}) if known.get("identity") == identity else {}
    for name in (FLOOR, *tried):
        if name not in done:
            tune = None if name == FLOOR else candidates[name].tune
            done[name] = _right(data, folds, tune, seed, device).astype(int).tolist()
            keep(path, {"identity": identity, "right": done})
        right[name] = np.array(done[name], dtype=float)
        say(f"{name}: {100 * right[name].mean():.1f} % right of {len(train):,} texts held out in turn")
    best = max(tried, key=lambda name: right[name].mean())
    for name in tried:
        behind = right[best] - right[name]
        if behind.mean() <= NOISE * behind.std(ddof=1) / np.sqrt(len(behind)):
            break
    why = "the most held-out texts right" if name == best else f"as good as {best} within the noise, and simpler"
    return Choice(name, why, {key: round(float(values.mean()), 4) for key, values in right.items()})


def _groups(train: Examples) -> np.ndarray:
    """A number for each row `[n]`, equal for the same text."""
    groups = np.empty(len(train), dtype=np.int64)
    for number, rows in enumerate(group_rows(normalise_all(train.inputs)).values()):
        groups[rows] = number
    return groups


def _folds(train: Examples, groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each row `[n]`; classes are spread evenly, and a group is in one fold."""
    from sklearn.model_selection import StratifiedGroupKFold

    fold = np.zeros(len(train), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class with fewer texts than folds
        parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(groups, train.targets, groups)
        for number, (_, held) in enumerate(parts):
            fold[held] = number
    return fold


def _right(
    data: Dataset, folds: np.ndarray, tune: Callable[[Dataset], Tuned] | None, seed: int, device: str
) -> np.ndarray:
    """Whether each text of train is answered right `[n]` by a model of the other folds; `tune` None is the floor."""
    train = data.train
    assert train is not None
    right = np.zeros(len(train), dtype=bool)
    for fold in np.unique(folds):
        own, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        known, asked = train.select(own), train.select(held)
        if len(np.unique(known.targets)) == 1:
            answers = np.full(len(asked), known.targets[0])
        elif tune is None:
            answers = floor_answers(known, asked, seed)
        else:
            answers = tune(replace(data, train=known)).answers(asked, device)
        right[held] = answers == asked.targets
    return right


def floor_answers(known: Examples, asked: Examples, seed: int) -> np.ndarray:
    """The answers of a linear model on n-grams, with both kinds and C = 1."""
    task = known.task
    features = learn_features(known.inputs, False, least=1, most=max(1, MOST_WEIGHTS // task.outputs))
    columns = features.columns((WORDS, CHARACTERS))
    matrix, other = (sparse_rows(features, part.inputs)[:, columns] for part in (known, asked))
    weights = FITS[task.answer](matrix, form_of(task).learnt(known.targets, task), task.outputs, 1.0, seed)
    return form_of(task).decide(np.asarray(other @ weights), task)
