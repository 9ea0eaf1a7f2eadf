"""Which test texts are in the training data, exactly or nearly: benchmarks/results/leaks.json.

    python -m benchmarks.leaks
    python -m benchmarks.leaks trec banking77

Reads the data sets of README and docs from $LEANFORMER_DATA, as their ladders do; no model is needed. `exact` counts
test texts that stand in train (case, white space and compatible characters aside), `near` those too that nearly equal
one there. The corpora of taggers are counted as their tables draw from them, without repeats, and as the files are.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.ladders.run import TEACHERS, data_folder
from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance
from benchmarks.xtremedistil.multilingual import LARGE, open_corpus
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.examples import Examples
from leanformer.data.leaks import NEARLY, find_leaks
from leanformer.data.overlap import count_contained, normalise_all
from leanformer.files import write_json
from leanformer.strict_json import read_json


def counted(data: Dataset, what: str) -> dict[str, Any]:
    """The counts of one data set, however large it is. Raises `ValueError` where it has no test or no training texts.

    `what` is compared, in words.
    """
    found = find_leaks(data, "test", near_letters=10**12)
    if found is None:
        raise ValueError(f"{data.name} has nothing to compare")
    rows = {name: len(part) for name in found.compared if (part := getattr(data, name)) is not None}
    return {**found.to_json(), "rows": rows, "what": what}


def texts(name: str, splits: dict[str, str]) -> dict[str, Any]:
    """A data set of texts, or pairs of them, as a ladder reads it."""
    train = splits.get("train", "train")
    return counted(open_dataset(str(data_folder(name)), splits=splits), f"test with {train}")


def drawn(name: str, languages: tuple[str, ...] | None, own: int, each: int, transfer: int) -> dict[str, Any]:
    """A corpus as the tables of XtremeDistil draw from it: what a teacher and its students are trained on."""
    corpus = open_corpus(name, languages, own)
    data = Dataset(
        corpus.task, train=corpus.teachers(), test=corpus.split("test", each),
        unlabelled=replace(corpus.transfer(transfer), labels=None), name=name,
    )  # fmt: skip
    what = f"test of {len(corpus.languages)} languages with the sentences of the teacher (train) and of its students"
    return counted(data, what) | {"repeats_removed": corpus.repeats}


def drawn_before(name: str, languages: tuple[str, ...], own: int, each: int, transfer: int) -> dict[str, Any]:
    """A corpus as older tables drew from it, with its repeats: who shares sentences with whom."""
    corpus = open_corpus(name, languages, own, keep_repeats=True)
    test, teachers, students = (
        normalise_all(part.texts) for part in (corpus.split("test", each), corpus.teachers(), corpus.transfer(transfer))
    )
    return {
        "n": len(test), "in_teacher": count_contained(test, teachers), "in_transfer": count_contained(test, students),
        "exact": count_contained(test, [*teachers, *students]),
        "transfer_in_teacher": count_contained(students, teachers),
        "rows": {"train": len(teachers), "unlabelled": len(students)},
        "what": f"test of {len(corpus.languages)} languages with the sentences of older tables",
    }  # fmt: skip


def as_it_is(name: str, languages: tuple[str, ...]) -> dict[str, Any]:
    """The files of a corpus, whole: test of all languages with train of all."""
    parts = [open_dataset(str(data_folder(name) / language), kind="tokens") for language in languages]
    task = parts[0].task
    train, test = (joined([getattr(part, split).for_task(task) for part in parts]) for split in ("train", "test"))
    return counted(Dataset(task, train=train, test=test, name=name), f"test of {len(parts)} languages with train")


def joined(parts: list[Examples]) -> Examples:
    """Examples of one task as one."""
    texts = tuple(text for part in parts for text in part.texts)
    return Examples(parts[0].task, texts, tuple(label for part in parts for label in part.labels or ()))


# The numbers of sentences are those of the tables (`benchmarks/run.py`).
SETS: dict[str, Callable[[], dict[str, Any]]] = {
    **{name: partial(texts, name, teacher["splits"]) for name, teacher in TEACHERS.items()},  # type: ignore[arg-type]
    "sst2, whole sentences": partial(texts, "sst2", {}),
    "snips": partial(texts, "snips", {}),
    "wikiann": partial(drawn, "wikiann", LARGE, 8000, 1000, 50_000),
    "wikiann, as the files are": partial(as_it_is, "wikiann", LARGE),
    "wikiann, as drawn before": partial(drawn_before, "wikiann", LARGE, 8000, 1000, 50_000),
    "masakhaner2": partial(drawn, "masakhaner2", None, 500, 400, 10_000),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; default: all")
    parser.add_argument("--output", type=Path, default=RESULTS / "leaks.json")
    given = parser.parse_args()
    if unknown := set(given.sets) - set(SETS):
        parser.error(f"there is no set {', '.join(sorted(unknown))}; one of {', '.join(SETS)}")
    sets = dict(read_json(given.output)["sets"]) if given.output.is_file() else {}
    for name in given.sets or SETS:
        sets[name] = row = SETS[name]()
        nearly = f", {row['near']:,} nearly" if "near" in row else ""
        print(f"{name}: {row['exact']:,} of {row['n']:,} in train{nearly} ({row['what']})", flush=True)
        ordered = {known: sets[known] for known in SETS if known in sets}
        about = {"command": "python -m benchmarks.leaks", "nearly": NEARLY}
        write_json(given.output, {**about, "sets": ordered, **provenance()})


if __name__ == "__main__":
    main()
