"""Data maps and planted label errors: how well each measure finds them: benchmarks/results/data/maps.json.

    python -m benchmarks.data.maps trec
    python -m benchmarks.data.maps trec --rows 1000 --seeds 1

reads $LEANFORMER_DATA. In train of a set (at most --rows rows, drawn) a tenth of the labels is replaced by another one,
as in `benchmarks.data.label_errors`, with three seeds, and a map is drawn as by `leanformer curate --map`. Rows are
ranked by each measure, hard ones first. `average_precision` is that of the ranking, `precision` that of its first
tenth; `seeds_agree` is Spearman's correlation of the measure between two trainings on the same labels (seeds 13, 14).
Controls: a random order, and the probability of the label by linear models on n-grams in cross-validation, which is
what `leanformer curate` ranks suspects by. Planted errors alone count as wrong. Nothing is chosen by these figures. A
map of 2,000 short texts takes some minutes of one core; each is kept when it is made, so a killed run goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.data.label_errors import SHARE, Labels, average_precision, drawn, grouped, minilm, probabilities
from benchmarks.ladders.run import data_folder
from benchmarks.paths import RESULTS, WORK
from benchmarks.provenance import provenance
from benchmarks.xtremedistil.cell_store import Cells
from leanformer.curate.confident import self_confidence
from leanformer.curate.curation import find
from leanformer.curate.data_map import HARD
from leanformer.curate.mapping import EPOCHS, data_map
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.examples import Examples
from leanformer.files import write_json
from leanformer.metrics.correlation import spearman
from leanformer.progress import Status
from leanformer.strict_json import read_json

OUTPUT = RESULTS / "data" / "maps.json"
SEEDS, TRAININGS = (1, 2, 3), (13, 14)
CONTROLS = ("random order", "linear on n-grams, in folds")


def ranked(hardness: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    """How well the wrong rows are found where hardness is high."""
    first = np.argsort(-hardness, kind="stable")[: round(SHARE * len(wrong))]
    return {
        "average_precision": average_precision(-hardness, wrong), "precision": float(wrong[first].mean()),
    }  # fmt: skip


def with_labels(train: Examples, given: np.ndarray) -> Dataset:
    """A data set of train alone, with these labels."""
    return Dataset(train.task, train=replace(train, labels=tuple(int(label) for label in given)), name="planted")


class Maps:
    """The maps of one data set.

    Args:
        train: its rows. encoder: folder of what is trained. work: where cells are kept. epochs: of each map.
    """

    def __init__(self, name: str, train: Examples, encoder: str, work: Path, epochs: int = EPOCHS) -> None:
        self.name, self.train, self.encoder, self.epochs = name, train, encoder, epochs
        self.labels, self.cells = Labels.of(train), Cells(work, 1)
        torch.set_num_threads(1)

    def hardness(self, seed: int, training: int) -> dict[str, np.ndarray]:
        """Measure -> hardness of each row, with labels that were replaced with `seed`."""
        data = with_labels(self.train, self.labels.flipped(seed).given)
        assert data.train is not None
        settings = {
            "set": self.name, "epochs": self.epochs, "seed": seed, "training": training, "data": data.train.content_hash
        }  # fmt: skip

        def made() -> dict[str, Any]:
            clusters = find(data).clusters
            mapped = data_map(data, self.encoder, clusters, epochs=self.epochs, seed=training, say=_say)
            return {name: [round(float(value), 5) for value in values] for name, values in mapped.hardness.items()}

        cell = self.cells.get(settings, made)
        return {name: np.array(cell[name]) for name in HARD}

    def row(self, seeds: Sequence[int]) -> dict[str, Any]:
        """The figures of the set: means over seeds, and each seed's."""
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in (*HARD, *CONTROLS)}
        for seed in seeds:
            noisy = self.labels.flipped(seed)
            wrong = noisy.given != self.labels.given
            for name, values in self.hardness(seed, TRAININGS[0]).items():
                runs[name].append(ranked(values, wrong))
            # Names are those of CONTROLS, in order.
            order = np.random.default_rng([seed, 1]).random(len(wrong))
            runs[CONTROLS[0]].append(ranked(order, wrong))
            folds = probabilities(self.train, noisy, None, grouped(self.train))
            runs[CONTROLS[1]].append(ranked(-self_confidence(folds, noisy.given), wrong))
        first, second = (self.hardness(seeds[0], training) for training in TRAININGS)
        measures = {
            name: {key: round(float(np.mean([run[key] for run in each])), 4) for key in each[0]}
            | {"seeds": each}
            | ({"seeds_agree": round(spearman(first[name], second[name]), 3)} if name in HARD else {})
            for name, each in runs.items()
        }  # fmt: skip
        agreement = {name: round(spearman(first[name], first["confidence"]), 3) for name in HARD}
        return {
            "rows": len(self.train), "labels": self.labels.classes, "epochs": self.epochs, "seeds": list(seeds),
            "measures": measures, "agree_with_confidence": agreement,
            "cpu_seconds": round(float(np.mean([cell["cpu_seconds"] for cell in self.cells.all()])), 1),
        }  # fmt: skip


def _say(line: str) -> None:
    if not isinstance(line, Status):
        print(line, flush=True)


def shown(name: str, row: Mapping[str, Any]) -> list[str]:
    """The figures of a set as lines."""
    return [
        f"{name}, {measure}: average precision {figures['average_precision']:.3f}, precision of the first tenth "
        f"{figures['precision']:.3f}"
        for measure, figures in row["measures"].items()
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="SET", help="of one label a text, such as trec")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    given = parser.parse_args(arguments)
    stored = read_json(OUTPUT) if OUTPUT.is_file() else {"sets": {}, "cells": []}
    sets, cells = dict(stored["sets"]), [cell for cell in stored["cells"] if cell["settings"]["set"] not in given.sets]
    for name in given.sets:
        train = open_dataset(str(data_folder(name)), carve=False).train
        if train is None:
            parser.error(f"{name} has no train split")
        maps = Maps(name, drawn(train, given.rows), minilm(), WORK / "maps" / name)
        sets[name] = maps.row(given.seeds)
        # What a cell holds of each row is not stored: with the data it can be made again.
        cells += [{key: value for key, value in cell.items() if key not in HARD} for cell in maps.cells.all()]
        print("\n".join(shown(name, sets[name])), flush=True)
        about = {"command": "python -m benchmarks.data.maps", "share": SHARE, "encoder": "all-MiniLM-L6-v2"}
        write_json(OUTPUT, {**about, "sets": sets, "cells": cells, **provenance(1, whole=["training"])})


if __name__ == "__main__":
    main()
