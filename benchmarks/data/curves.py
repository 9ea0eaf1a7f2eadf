"""Whether a learning curve foretells the quality of all labels: benchmarks/results/data/curves.json.

    python -m benchmarks.data.curves
    python -m benchmarks.data.curves banking77 --features encoder

reads $LEANFORMER_DATA. The curve of `leanformer curve` is fitted to at most 40 % of train, and says what all of train
gives; a model is then trained on all of train. Vectors are those of MiniLM, never trained ("encoder"), or n-grams. The
command measures on dev; `test` is the same measured on test.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data.frozen import ENCODER, embed, opened
from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance
from leanformer.curate.learning_curve import Quality, learning_curve, ngram_quality, vector_quality
from leanformer.data.dataset import Dataset
from leanformer.files import write_json
from leanformer.strict_json import read_json

SETS = ("banking77", "trec", "sst2", "ag_news")
SHARES = (0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4)
DRAWS, WITHIN = 5, 1.5
FEATURES: dict[str, Callable[[Dataset], Quality]] = {
    "encoder": lambda data: vector_quality(data, embed),
    "n-grams": ngram_quality,
}
# Support vector machines on n-grams of 77 classes take minutes, so they are measured once.
SPLITS = {"encoder": ("dev", "test"), "n-grams": ("dev",)}


def foretold(data: Dataset, features: str) -> dict[str, Any]:
    """What a part of train foretells for all of it, and what all of it gives, in percent."""
    assert data.train is not None
    quality, rows = FEATURES[features](data), len(data.train)
    sizes = [round(share * rows) for share in SHARES]
    curve = learning_curve(quality, "accuracy", rows, sizes=sizes, draws=DRAWS)
    actual = 100 * quality(np.arange(rows))
    value, low, high = (100 * figure for figure in curve.at(rows))
    return {
        "rows": rows, "sizes": sizes, "means": np.round(100 * curve.means, 2).tolist(),
        "foretold": round(value, 2), "interval": [round(low, 2), round(high, 2)], "actual": round(actual, 2),
        "error": round(value - actual, 2), "within": bool(abs(value - actual) <= WITHIN),
        "in_interval": bool(low <= actual <= high),
        "error_of_no_curve": round(100 * float(curve.means[-1]) - actual, 2),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; default: all")
    parser.add_argument("--features", action="append", choices=FEATURES, help="default: both")
    parser.add_argument("--output", type=Path, default=RESULTS / "data" / "curves.json")
    given = parser.parse_args()
    if unknown := set(given.sets) - set(SETS):
        parser.error(f"there is no set {', '.join(sorted(unknown))}; one of {', '.join(SETS)}")
    sets = dict(read_json(given.output)["sets"]) if given.output.is_file() else {}
    about = {
        "command": "python -m benchmarks.data.curves", "encoder": ENCODER, "draws": DRAWS, "within": WITHIN,
        "largest_share": SHARES[-1],
    }  # fmt: skip
    for name in given.sets or SETS:
        data = opened(name)
        sets.setdefault(name, {})
        for features in given.features or FEATURES:
            for split in SPLITS[features]:
                row = foretold(replace(data, dev=getattr(data, split)), features)
                sets[name][f"{features}, {split}"] = row
                print(
                    f"{name}, {features}, {split}: {row['foretold']} foretold, {row['actual']} actual, "
                    f"error {row['error']}", flush=True,
                )  # fmt: skip
        write_json(given.output, {**about, "sets": {key: sets[key] for key in SETS if key in sets}, **provenance()})


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
