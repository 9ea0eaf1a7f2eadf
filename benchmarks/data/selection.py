"""Which rows of train to leave out: semantic duplicates, easy rows, or any: benchmarks/results/data/selection.json.

    python -m benchmarks.data.selection
    python -m benchmarks.data.selection --sets trec --shares 0.5

reads $LEANFORMER_DATA. Of train (at most 4,000 rows, drawn) a share is kept: by `semantic duplicates` (SemDeDup on
vectors of MiniLM, within a label), by `adversarial filter` (AFLite on the same vectors, 16 models a round, no
threshold, so that the share is reached), by `easy rows` (its opposite: the most predictable ones), or at `random`. A
logistic regression on the vectors and a linear model on n-grams of words, both of one fixed regularisation, are trained
on what is kept and answer test, 4,000 rows at most. `gain` is in points over random rows: means over the seeds, with a
95 % interval over test texts, the seeds of a text together; `over_all` likewise over all of train. Nothing is chosen.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from benchmarks.data.frozen import ENCODER, drawn, embed, opened
from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance
from leanformer.curate.adversarial_filter import aflite, predictability
from leanformer.curate.semantic_duplicates import semantic_duplicates
from leanformer.files import write_json
from leanformer.metrics.bootstrap import interval
from leanformer.strict_json import read_json

OUTPUT = RESULTS / "data" / "selection.json"
SETS, SHARES, SEEDS = ("trec", "banking77", "ag_news"), (0.8, 0.5), (1, 2, 3)
ROWS, ROUNDS, STRENGTH = 4_000, 16, 10.0
Keep = Callable[[np.ndarray, np.ndarray, int, int], np.ndarray]


def _random(vectors: np.ndarray, labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).permutation(len(labels))[:count])


def _semantic(vectors: np.ndarray, labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    return np.flatnonzero(~semantic_duplicates(vectors, labels, share=count / len(labels), seed=seed))


def _adversarial(vectors: np.ndarray, labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    return aflite(vectors, labels, count, rounds=ROUNDS, threshold=0, strength=STRENGTH, seed=seed)


def _easy(vectors: np.ndarray, labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    scores = predictability(vectors, labels, rounds=ROUNDS, strength=STRENGTH, seed=seed)
    return np.sort(np.argsort(-scores, kind="stable")[:count])


WAYS: dict[str, Keep] = {
    "random": _random, "semantic duplicates": _semantic, "adversarial filter": _adversarial, "easy rows": _easy,
}  # fmt: skip


def answers(train: Any, labels: np.ndarray, test: Any) -> np.ndarray:
    """The classes that a logistic regression gives the rows of `test`."""
    model = LogisticRegression(C=STRENGTH, max_iter=300).fit(train, labels)
    return np.asarray(model.predict(test))


def measured(
    name: str, inputs: dict[str, tuple[Any, Any]], vectors: np.ndarray, labels: np.ndarray, gold: np.ndarray,
    shares: Sequence[float], seeds: Sequence[int],
) -> list[dict[str, Any]]:  # fmt: skip
    """The rows of a set. `inputs`: model -> what it reads of train and of test."""
    chosen = {
        (share, way): [keep(vectors, labels, round(share * len(labels)), seed) for seed in seeds]
        for share in shares
        for way, keep in WAYS.items()
    }
    rows = []
    for model, (train, test) in inputs.items():
        everything = answers(train, labels, test) == gold
        rows.append(_row(name, model, "all", 1.0, len(labels), len(np.unique(labels)), everything[None]))
        by_chance: dict[float, np.ndarray] = {}
        for (share, way), parts in chosen.items():
            right = np.stack([answers(train[part], labels[part], test) == gold for part in parts])
            classes = min(len(np.unique(labels[part])) for part in parts)
            row = _row(name, model, way, share, len(parts[0]), classes, right) | _gain(
                "over_all", right, everything[None]
            )
            if way == "random":
                by_chance[share] = right
            else:
                row |= _gain("gain", right, by_chance[share])
            rows.append(row)
    return rows


def _row(name: str, model: str, way: str, share: float, count: int, classes: int, right: np.ndarray) -> dict[str, Any]:
    return {
        "set": name, "model": model, "way": way, "share": share, "rows": count, "classes": classes,
        "n": right.shape[1], "accuracy": round(100 * float(right.mean()), 2),
    }  # fmt: skip


def _gain(word: str, right: np.ndarray, others: np.ndarray) -> dict[str, Any]:
    gains = right.mean(axis=0) - others.mean(axis=0)
    low, high = interval(lambda rows: 100 * float(gains[rows].mean()), len(gains))
    return {word: round(100 * float(gains.mean()), 2), f"{word}_low": round(low, 2), f"{word}_high": round(high, 2)}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(SETS), help="of one label a text")
    parser.add_argument("--shares", type=float, nargs="+", default=list(SHARES))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    given = parser.parse_args(arguments)
    kept = read_json(OUTPUT)["rows"] if OUTPUT.is_file() else []
    for name in given.sets:
        data = opened(name)
        assert data.train is not None and data.test is not None
        train = data.train.select(drawn(len(data.train), ROWS).tolist())
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        vectors = embed(train)
        inputs = {
            "MiniLM, frozen": (vectors, embed(data.test)),
            "n-grams": (words.fit_transform(train.texts), words.transform(data.test.texts)),
        }
        labels, gold = (np.asarray(part.labels) for part in (train, data.test))
        rows = measured(name, inputs, vectors, labels, gold, given.shares, given.seeds)
        kept = [row for row in kept if row["set"] != name] + rows
        about = {"command": "python -m benchmarks.data.selection", "encoder": ENCODER, "seeds": given.seeds}
        write_json(OUTPUT, {**about, "rows": kept, **provenance(1)})
        for row in rows:
            gain = f"{row['gain']:+.1f} ({row['gain_low']:+.1f} to {row['gain_high']:+.1f})" if "gain" in row else ""
            print(
                f"{name} {row['model']:15} {row['way']:20} {row['share']:.0%} {row['accuracy']:.1f} {gain}", flush=True
            )


if __name__ == "__main__":
    main()
