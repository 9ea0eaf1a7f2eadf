"""What is measured: rungs with their predictors, and the PyTorch rungs at the start of every ladder."""

from __future__ import annotations

from dataclasses import dataclass

from leanformer.artifact import Artifact
from leanformer.first_rungs import BATCHED, PADDED_TO, UNPADDED, padded
from leanformer.formats import format_of
from leanformer.loading import open_predictor
from leanformer.predictor import Predictor, TellsEngine

_ENGINES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "native": "our engine"}
OPENER, UNTUNED = "leanformer.loading:open_predictor", "leanformer.loading:open_untuned"


@dataclass(frozen=True)
class Entry:
    """A rung to be measured: its name, the rung it builds on, its predictor, and whether it may be chosen."""

    name: str
    after: str | None
    artifact: Artifact
    predictor: Predictor
    runtime: str
    chooseable: bool
    lossless: bool
    # Scores dev and test in place of `predictor`, if that is the same model run in a slower way.
    scorer: Predictor | None = None
    # "module:function" or "module:Class" that opens the predictor in the fresh process for measuring memory.
    opener: str = OPENER
    # Too slow to be timed in every round, and only there for comparison.
    seldom: bool = False


def baseline_entries(teacher: Artifact, threads: int) -> list[Entry]:
    """The teacher in PyTorch, fp32: padded to 128 and one at a time; unpadded; in batches sorted by length."""
    import torch

    from leanformer.models.predictor import TorchPredictor

    torch.set_num_threads(threads)
    single, batched = TorchPredictor(teacher, batch_tokens=None), TorchPredictor(teacher)
    width = min(PADDED_TO, single.positions)
    wide = TorchPredictor(teacher, pad_to=width, batch_tokens=None)
    first = padded(width)
    foreign = format_of(teacher).foreign
    module = "PyTorch fp32, " + ("transformers" if foreign else "our module")
    one_by_one = f"{module}, one text at a time"
    # Only a model that cannot be exported may be chosen in PyTorch.
    return [
        Entry(first, None, teacher, wide, one_by_one, False, lossless=True, scorer=batched, seldom=True),
        Entry(UNPADDED, first, teacher, single, one_by_one, False, lossless=True, scorer=batched, seldom=True),
        Entry(BATCHED, UNPADDED, teacher, batched, f"{module}, batches", chooseable=foreign, lossless=True),
    ]


def open_entry(name: str, after: str | None, artifact: Artifact, threads: int, *, lossless: bool = False) -> Entry:
    """A rung of an artifact made by a step, run as it will be deployed: graphs on single-threaded workers."""
    predictor = open_predictor(artifact, threads=threads)
    return Entry(name, after, artifact, predictor, runtime_of(artifact, predictor, threads), True, lossless)


def runtime_of(artifact: Artifact, predictor: TellsEngine, threads: int) -> str:
    """What runs an artifact, and how, in words."""
    used = predictor.engine_used
    return format_of(artifact).rung.format(
        engine=_ENGINES.get(used.engine, used.engine), precision=used.precision, threads=threads
    )
