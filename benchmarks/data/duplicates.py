"""Near duplicates and leaks that were planted, and how many are found: benchmarks/results/data/duplicates.json.

    python -m benchmarks.data.duplicates
    python -m benchmarks.data.duplicates --only planted leaks
    python -m benchmarks.data.duplicates --only time --counts 10000 100000

reads $LEANFORMER_DATA. `planted`: to texts of each set copies are added in which words were replaced at random, and
`leanformer curate`'s search runs with two thresholds, once exactly (set similarity join) and once by MinHash, which it
uses for more than 100,000 texts. Rows are by the Jaccard similarity that a copy really has (character 5-grams): found
copies, and for MinHash what its bands promise. `brute_force` are the pairs of all texts that reach the threshold, from
the whole matrix of shared grams, and `of_brute_force` the share of them that is found.

`leaks`: test texts are put into train as they are, in capitals and with one word replaced, and counted by the overlap
that every command reports (equal after normalisation) and by that of near texts. `false`: of as many test texts that
are in train neither exactly nor nearly, with their words shuffled among all of them, so that they are texts of nobody.
`again`: what a second removal of duplicates removes.

`time`: seconds and peak memory of a process that clusters so many short texts, made of the words of ag_news by their
frequency; up to 100,000 exactly, more by MinHash.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.ladders.run import data_folder
from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance
from leanformer.curate.near_duplicates import cluster_rows, kept_rows
from leanformer.data.dataset import open_dataset
from leanformer.data.grams import hashed_grams
from leanformer.data.minhash import HASHES, Bands, likely_pairs
from leanformer.data.near_repeats import JACCARD, near_pairs, near_repeats
from leanformer.data.overlap import normalise_all
from leanformer.files import write_json
from leanformer.strict_json import read_json

OUTPUT = RESULTS / "data" / "duplicates.json"
SETS = ("ag_news", "sst2", "trec")
TEXTS, COPIES = 2000, 1000
THRESHOLDS = (0.8, 0.5)
BUCKETS = ((0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.0))
COUNTS = (10_000, 100_000, 1_000_000)
Pairs = Callable[[Sequence[str], float, np.ndarray], Iterator[np.ndarray]]
WAYS: dict[str, Pairs] = {"exact": near_pairs, "minhash": likely_pairs}


def grams(text: str) -> set[str]:
    return {text[start : start + 5] for start in range(len(text) - 4)}


def similarity(text: str, other: str) -> float:
    ours, theirs = grams(text), grams(other)
    return len(ours & theirs) / max(1, len(ours | theirs))


def edited(text: str, words: Sequence[str], share: float, drawn: random.Random) -> str:
    """The text with this share of its words, at least one, replaced by others."""
    parts = text.split()
    for place in drawn.sample(range(len(parts)), max(1, round(share * len(parts)))):
        parts[place] = drawn.choice(words)
    return " ".join(parts)


def pairs_by_force(texts: Sequence[str], jaccard: float) -> set[tuple[int, int]]:
    """All pairs that reach the threshold, from the numbers of grams that any two texts share."""
    row, hashes = hashed_grams(texts)
    _, column = np.unique(hashes, return_inverse=True)
    table = csr_matrix((np.ones(len(row), np.int32), (row, column)))
    shared = (table @ table.T).tocoo()
    size = np.bincount(row, minlength=len(texts))
    union = size[shared.row] + size[shared.col] - shared.data
    near = (shared.data >= jaccard * union - 1e-9) & (shared.row < shared.col)
    return set(zip(shared.row[near].tolist(), shared.col[near].tolist(), strict=True))


def planted(name: str, texts: Sequence[str], seed: int = 13) -> list[dict[str, Any]]:
    """The rows of one set: for each threshold and way, what was found of copies of each similarity."""
    drawn = random.Random(seed)
    first = drawn.sample([text for text in texts if len(text.split()) >= 5], min(TEXTS, len(texts)))
    words = sorted({word for text in first for word in text.split()})
    sources = drawn.sample(range(len(first)), min(COPIES, len(first)))
    copies = [edited(first[row], words, drawn.uniform(0, 0.4), drawn) for row in sources]
    everything = list(dict.fromkeys([*first, *copies]))
    place = {text: row for row, text in enumerate(everything)}
    pairs = {
        (min(both), max(both)): similarity(first[row], copy)
        for row, copy in zip(sources, copies, strict=True)
        if first[row] != copy and (both := (place[first[row]], place[copy]))
    }
    rows = []
    for jaccard in THRESHOLDS:
        force = pairs_by_force(everything, jaccard)
        for way, find in WAYS.items():
            parts = list(find(everything, jaccard, np.arange(len(everything))))
            found = {(row, other) for part in parts for row, other in part.tolist()}
            rows.append({
                "set": name, "texts": len(everything), "threshold": jaccard, "way": way,
                "brute_force": len(force), "of_brute_force": round(len(found & force) / max(1, len(force)), 4),
                "not_near": len(found - force),
                "by_similarity": [_bucket(pairs, found, low, high, jaccard, way) for low, high in BUCKETS],
            })  # fmt: skip
    return rows


def _bucket(
    pairs: dict[tuple[int, int], float], found: set[tuple[int, int]], low: float, high: float, jaccard: float, way: str
) -> dict[str, Any]:
    inside = {pair: value for pair, value in pairs.items() if low <= value < high}
    reaching = {pair: value for pair, value in inside.items() if value >= jaccard}
    bands = Bands.finding(jaccard)
    promised = [bands.recall(value) if way == "minhash" else 1.0 for value in reaching.values()]
    return {
        "low": low, "high": high, "copies": len(inside), "near": len(reaching), "found": len(found & set(inside)),
        "promised": round(sum(promised), 2),
    }  # fmt: skip


def leaks(name: str, train: Sequence[str], test: Sequence[str], count: int = 300, seed: int = 13) -> dict[str, Any]:
    """Planted test texts that are noticed, in per cent, and texts of nobody that are taken for leaks."""
    drawn = random.Random(seed)
    train = normalise_all(train)
    near = near_repeats(normalise_all(test), train, JACCARD)
    clean = [text for text, leaked in zip(test, near, strict=True) if not leaked and len(text.split()) >= 3]
    words = sorted({word for text in clean for word in text.split()})
    chosen = drawn.sample(clean, min(count, len(clean)))
    kinds = {
        "exact": list(chosen),
        "recased": [text.swapcase() for text in chosen],
        "one word replaced": [edited(text, words, 0, drawn) for text in chosen],
    }
    row: dict[str, Any] = {"set": name, "n": len(chosen), "train": len(train), "threshold": JACCARD}
    ours = normalise_all(chosen)
    for kind, texts in kinds.items():
        there = [*train, *normalise_all(texts)]
        exact = set(there)
        row[kind] = {
            "exactly": round(100 * float(np.mean([text in exact for text in ours])), 1),
            "nearly": round(100 * float(near_repeats(ours, there, JACCARD).mean()), 1),
        }
    pool = [word for text in chosen for word in text.split()]
    drawn.shuffle(pool)
    shuffled, start = [], 0
    for text in chosen:
        length = len(text.split())
        shuffled.append(" ".join(pool[start : start + length]))
        start += length
    row["false"] = int(near_repeats(normalise_all(shuffled), train, JACCARD).sum())
    kept = kept_rows(cluster_rows(train, JACCARD), None, np.zeros(len(train), bool))
    left = [train[number] for number in kept]
    row["removed"] = len(train) - len(left)
    row["again"] = len(left) - len(kept_rows(cluster_rows(left, JACCARD), None, np.zeros(len(left), bool)))
    return row


def short_texts(count: int, seed: int = 1) -> list[str]:
    """So many texts of 4 to 12 words of ag_news, drawn as often as they occur there."""
    data = open_dataset(str(data_folder("ag_news")), carve=False).test
    assert data is not None
    words = [word for text in normalise_all(data.inputs) for word in text.split()]
    generator = np.random.default_rng(seed)
    lengths = generator.integers(4, 13, count)
    # Drawn text by text: an array of all words would be the peak of memory that is measured afterwards.
    return [" ".join(words[place] for place in generator.integers(0, len(words), length)) for length in lengths]


def timed(count: int) -> dict[str, Any]:
    """One row of `time`, in this process."""
    texts = short_texts(count)
    before, start, cpu = _peak(), time.monotonic(), time.process_time()
    clusters = cluster_rows(texts, JACCARD)
    return {
        "texts": count, "clusters": len(clusters), "seconds": round(time.monotonic() - start, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1), "peak_mb": round(_peak()), "peak_mb_before": round(before),
    }  # fmt: skip


def _peak() -> float:
    """MB. Not of `getrusage`, whose maximum a process inherits from the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=("planted", "leaks", "time"), default=["planted", "leaks", "time"])
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--counts", type=int, nargs="+", default=list(COUNTS))
    parser.add_argument("--time-one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.time_one:
        print(json.dumps(timed(given.time_one)))
        return
    stored = read_json(OUTPUT) if OUTPUT.is_file() else {"planted": [], "leaks": [], "time": []}
    for name in given.sets:
        data = open_dataset(str(data_folder(name)), carve=False)
        assert data.train is not None and data.test is not None
        train, test = list(data.train.inputs), list(data.test.inputs)
        if "planted" in given.only:
            rows = planted(name, normalise_all(train))
            stored["planted"] = [row for row in stored["planted"] if row["set"] != name] + rows
        if "leaks" in given.only:
            stored["leaks"] = [row for row in stored["leaks"] if row["set"] != name] + [leaks(name, train, test)]
    if "time" in given.only:
        for count in given.counts:
            program = [sys.executable, "-m", "benchmarks.data.duplicates", "--time-one", str(count)]
            row = json.loads(subprocess.run(program, capture_output=True, check=True, text=True).stdout)
            stored["time"] = [other for other in stored["time"] if other["texts"] != count] + [row]
    about = {"command": "python -m benchmarks.data.duplicates", "hashes": HASHES}
    write_json(OUTPUT, {**about, **{part: stored[part] for part in ("planted", "leaks", "time")}, **provenance(1)})
    for row in (*stored["planted"], *stored["leaks"], *stored["time"]):
        print(json.dumps(row))


if __name__ == "__main__":
    main()
