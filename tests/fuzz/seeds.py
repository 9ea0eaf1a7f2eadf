"""Whole artifacts of every format to be mutated: tiny, made on the spot, and the same each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from leanformer.artifact import Artifact
from leanformer.cascade.plan import Plan
from leanformer.cascade.store import write_cascade
from leanformer.data.dataset import Dataset
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.models.store import write_classifier
from leanformer.task import Task
from tests.making.graphs import make_context, make_embedder, make_onnx, make_tagger
from tests.making.recurrent import recurrent_artifact, tiny_recurrent
from tests.making.tagged import tagged_dataset
from tests.making.tiny import LABELS, tiny_classifier, tiny_config, tiny_kind_dataset, tiny_tokenizer

_LOOSE = Int8(max_flips=1.0, max_mean_share=1.0)


def _int8(artifact: Artifact, folder: Path, data: Dataset | None = None) -> Artifact:
    return _LOOSE(artifact, make_context(folder / "c", artifact, data=data), folder / "int8")


def _classifier(folder: Path) -> dict[str, Artifact]:
    encoder, graph = make_onnx(folder)
    return {"encoder": encoder, "onnx fp32": graph, "onnx int8": _int8(graph, folder)}


def _recurrent(folder: Path) -> dict[str, Artifact]:
    made: dict[str, Artifact] = {}
    for pooling, data in (("ends", None), ("none", tagged_dataset())):
        own = folder / pooling
        model = recurrent_artifact(own / "bilstm", model=tiny_recurrent(pooling=pooling))
        graph = Onnx()(model, make_context(own, model, data=data), own / "onnx")
        made |= {f"bilstm {pooling}": model, f"bilstm {pooling} int8": _int8(graph, own, data)}
    return made


def _of_kind(kind: str) -> Callable[[Path], dict[str, Artifact]]:
    def make(folder: Path) -> dict[str, Artifact]:
        labels = () if kind == "similarity" else LABELS
        scale, thresholds = ((3.0, 1.5), None) if not labels else (None, (0.4, 0.5, 0.6))
        task = Task(kind, labels, thresholds=thresholds, scale=scale)
        model = tiny_classifier(tiny_config(labels=task.outputs))
        encoder = write_classifier(
            model, folder / "encoder", task=task, tokenizer=tiny_tokenizer(folder / "tokenizer"), max_tokens=32,
            history=[],
        )  # fmt: skip
        data = tiny_kind_dataset(kind, sizes=(40, 40, 8, 8))
        graph = Onnx()(encoder, make_context(folder, encoder, data=data), folder / "onnx")
        return {kind: encoder, f"{kind} int8": _int8(graph, folder, data)}

    return make


def _tagger(folder: Path) -> dict[str, Artifact]:
    tagger, graph, int8 = make_tagger(folder)
    return {"tagger": tagger, "tagger fp32": graph, "tagger int8": int8}


def _embedder(folder: Path) -> dict[str, Artifact]:
    encoder, graph, int8 = make_embedder(folder)
    return {"embedder": encoder, "embedder fp32": graph, "embedder int8": int8}


def _cascade(folder: Path) -> dict[str, Artifact]:
    members = [make_onnx(folder / f"model{seed}", seed=seed)[1] for seed in (11, 14)]
    small = _int8(members[0], folder / "small")
    return {"cascade": write_cascade([small, members[1]], Plan("margin", (1.5,), (0.2,)), folder / "cascade")}


_MAKERS: tuple[Callable[[Path], dict[str, Artifact]], ...] = (
    _classifier, _recurrent, _of_kind("similarity"), _of_kind("multilabel"), _tagger, _embedder, _cascade,
)  # fmt: skip


def make_seeds(folder: Path, *, few: bool = False) -> dict[str, Path]:
    """Name -> folder of each artifact; with `few` of classifiers alone."""
    found: dict[str, Path] = {}
    for number, make in enumerate(_MAKERS[:1] if few else _MAKERS):
        found |= {name: artifact.path for name, artifact in make(folder / str(number)).items()}
    return found
