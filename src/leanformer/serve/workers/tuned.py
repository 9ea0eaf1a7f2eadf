"""How a server uses the result of `leanformer tune`: single-threaded worker processes, each with the tuned engine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from leanformer.artifact import Artifact, open_artifact
from leanformer.formats import can
from leanformer.loading import open_predictor
from leanformer.predictor import Predictor
from leanformer.runtime.cores import allowed_cores
from leanformer.runtime.predictor import ENGINES, LightPredictor
from leanformer.runtime.settings import read_tuning


def open_tuned(artifact: Artifact, *, tuning: bool) -> Predictor:
    """A predictor on one thread, with the engine and pack size that were tuned for all cores of this machine."""

    def graph(artifact: Artifact) -> LightPredictor:
        if not tuning or (tuned := read_tuning(artifact, allowed_cores(), ENGINES)) is None:
            return LightPredictor(artifact, threads=1, tuning=tuning)
        settings = replace(tuned.settings, workers=1, worker_threads=1, lone_threads=1, pinned=False)
        predictor = LightPredictor(artifact, threads=1, settings=settings)
        predictor.tuning = tuned  # so that it falls back to the default if that engine no longer runs
        return predictor

    return open_predictor(artifact, threads=1, graph=graph)


def worker_count(folders: Iterable[str], tuning: bool) -> int:
    """The most workers that an artifact was tuned for; an artifact without such tuning counts as one per core."""
    cores = allowed_cores()
    counts = set()
    for folder in folders:
        # Errors of an artifact are reported when it is actually opened.
        artifact = open_artifact(folder, verify=False)
        found = read_tuning(artifact, cores, ENGINES) if tuning and can(artifact, "light") else None
        throughput = found is not None and found.record["goal"] == "throughput"
        counts.add(found.settings.workers if found and throughput and found.settings.worker_threads == 1 else cores)
    return max(counts)
