"""XtremeDistil's tables on WikiANN, in benchmarks/results/xtremedistil/, a file each.

    python -m benchmarks.xtremedistil.run teacher
    python -m benchmarks.xtremedistil.run rates --strategies D1 --epochs 4
    python -m benchmarks.xtremedistil.run strategies --transfer 10000 --epochs 3 --seeds 13 14 15
    python -m benchmarks.xtremedistil.run strategies --transfer 50000 --epochs 1 --seeds 13 14 15
    python -m benchmarks.xtremedistil.run strategies --size 300x600 --strategies D1 D2 D4.2
    python -m benchmarks.xtremedistil.run sizes
    python -m benchmarks.xtremedistil.run low_resource --transfer 1000 10000 50000
    python -m benchmarks.xtremedistil.run starts

reads $LEANFORMER_DATA/wikiann (`--corpus` takes another folder with a sub-folder for each language). Each cell is
stored when it is made, in benchmarks/work/, so that a killed run goes on and a wider one adds to what is there. The
result file holds all cells of its table, each with the command that made it; what it holds is not made again, unless
`--results` names another folder. Students are chosen on dev alone, and test
is scored once for each. Their labels are those of the transfer sentences, as in the paper's first column, unless
`--labels teacher` gives them the teacher's sentences, and transfer without labels. A small version, within minutes:

    python -m benchmarks.xtremedistil.run strategies --transfer 1000 --epochs 3 --least-steps 150 --teacher-sentences
    500
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.runtime.latency import WAYS, batch_rates
from benchmarks.xtremedistil.multilingual import lost, scores, scores_of, sentence_counts
from benchmarks.xtremedistil.published_orderings import orderings
from benchmarks.xtremedistil.taggers import Bench, parser_of
from leanformer.artifact import Artifact
from leanformer.compress.recurrent.distil import BiLstmStudent
from leanformer.data.dataset import Dataset
from leanformer.loading import open_predictor
from leanformer.models.predictor import TorchPredictor
from leanformer.runtime.predictor import LightPredictor

KINDS = ("fp32", "int8")


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


def rates(bench: Bench) -> None:
    """What the other tables' batch and rate were chosen by: on dev alone."""
    made, given = bench.teacher(), bench.given
    total, seed = given.transfer[0], given.seeds[0]
    data = bench.transfer(total)
    cells = bench.cells("rates")
    for batch, rate in given.rates:
        step = bench.step(total, strategy=given.strategies[-1], batch_size=batch, learning_rate=rate)

        def make(step: BiLstmStudent = step) -> dict[str, Any]:
            return {"dev": scores(TorchPredictor(bench.student(step, made, data, seed)), bench.dev)}

        cells.get(bench.settings(step, made, total, seed), make)
    bench.write("rates")


def sizes(bench: Bench) -> None:
    """Students of each size, and their graphs: F1 of all seeds, speed of the first."""
    made, given = bench.teacher(), bench.given
    total = given.transfer[0]
    data = bench.transfer(total)
    graphs: dict[str, dict[int, Artifact]] = {}
    step = bench.step(total, strategy=given.strategies[-1])
    for size, seed in product(given.sizes, given.seeds):
        embedding, units = (int(part) for part in size.split("x"))
        step = replace(step, embedding=embedding, units=units)
        _cell(bench, "sizes", step, made, data, total, seed)
        for kind, graph in zip(
            KINDS, bench.shelf.graphs(bench.student(step, made, data, seed), made, data), strict=True
        ):
            graphs.setdefault(f"{size} {kind}", {})[seed] = graph
    drawn = np.random.default_rng(given.seeds[0]).permutation(len(bench.test))[: given.timed]  # of all languages
    texts = [bench.test.texts[row] for row in drawn]
    trained = bench.settings(step, made, total, given.seeds[0])
    timed = {name: each[given.seeds[0]] for name, each in graphs.items()}
    settings = {
        **{name: value for name, value in trained.items() if name not in ("embedding", "units")},
        "graphs": {name: [graph.content_hash[:16] for graph in each.values()] for name, each in graphs.items()},
        "engines": {name: LightPredictor(graph, threads=bench.threads).engine for name, graph in timed.items()},
        "seeds": given.seeds, "rounds": given.rounds, "timed": len(texts), "threads": bench.threads,
    }  # fmt: skip
    speeds = bench.cells("speed", of="sizes", part="speeds")
    speeds.get(settings, lambda: _speed(bench, made, graphs, batch_rates(
        made, timed, texts, bench.work, bench.threads, given.rounds
    )))  # fmt: skip
    bench.write("sizes", speeds=speeds.all())


def _speed(
    bench: Bench, teacher: Artifact, graphs: Mapping[str, Mapping[int, Artifact]], rates: dict[str, Any]
) -> dict[str, Any]:
    """Each graph beside the teacher: F1 (means over seeds), what it loses with its interval, parameters, speed."""
    splits = {"dev": bench.dev, "test": bench.test}
    theirs = {split: sentence_counts(TorchPredictor(teacher), examples) for split, examples in splits.items()}
    reference: dict[str, Any] = {"parameters": teacher.properties["parameters"]}
    reference |= {split: scores_of(theirs[split], examples) for split, examples in splits.items()}
    found = {}
    for name, of_seeds in graphs.items():
        each: dict[str, Any] = {}
        for seed, graph in of_seeds.items():
            predictor = open_predictor(graph)
            for split, examples in splits.items():
                counts = sentence_counts(predictor, examples)
                each.setdefault(split, {})[seed] = scores_of(counts, examples) | lost(
                    counts, theirs[split], examples.languages or ()
                )
        means = {split: round(fmean(scored["mean_f1"] for scored in each[split].values()), 2) for split in splits}
        graph = next(iter(of_seeds.values()))
        found[name] = {
            "bytes": graph.bytes, "f1_clean": means["test"], "n_clean": len(bench.test),
            **{split: {"mean_f1": means[split], "n": len(examples)} for split, examples in splits.items()},
            "each": {split: {str(seed): scored for seed, scored in each[split].items()} for split in splits},
            "share": {split: round(means[split] / max(reference[split]["mean_f1"], 0.01), 4) for split in splits},
            "share_of_parameters": round(graph.properties["parameters"] / reference["parameters"], 4),
            **{f"times_{way}": round(rates[way][name]["times_teacher"], 2) for way in WAYS},
        }  # fmt: skip
    return {"teacher": reference, "graphs": found, "rates": rates}


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
    """Other starts, distances and layers beside what a student has unless told otherwise."""
    made, given = bench.teacher(), bench.given
    total = given.transfer[0]
    data = bench.transfer(total)
    for seed in given.seeds:
        changes: list[dict[str, Any]] = [{}, {"start": "random"}, {"representation": "mse"}]
        for change in (*changes, *({"layer": layer} for layer in given.layers)):
            step = bench.step(total, strategy=given.strategies[-1], **change)
            _cell(bench, "starts", step, made, data, total, seed)
    bench.write("starts")


TABLES = {table.__name__: table for table in (teacher, rates, strategies, sizes, low_resource, starts)}


def main() -> None:
    parser = parser_of(__doc__ or "")
    parser.add_argument("table", choices=TABLES)
    given = parser.parse_args()
    TABLES[given.table](Bench(given))


if __name__ == "__main__":
    main()
