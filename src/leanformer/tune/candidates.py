"""What `leanformer tune` tries: settings of the light runtime, the plainest first, and whether their answers hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from leanformer.predictor import decide, sigmoid, softmax
from leanformer.runtime.cores import physical_cores, places
from leanformer.runtime.predictor import ENGINES, PINNABLE
from leanformer.runtime.settings import DEFAULT_ENGINE, Settings, default_settings
from leanformer.tagging.viterbi import best_legal, word_scores
from leanformer.task import Task

PACK_TOKENS = (None, 128, 256, 64, 512, 1024, 2048)
# What two engines, or two sizes of packs, may differ by in a probability (of scores: as a share of their range).
NEAR = 0.02


def candidates(goal: str, cores: int, engine: str = DEFAULT_ENGINE) -> list[Settings]:
    """All settings worth a try with so many cores: the default, the other engines, and then ever more that is changed.

    For latency: engines and threads on one text. For throughput: engines, ways to share the cores between workers and
    their threads, sizes of packs, and pinning where it does no harm.
    """
    default = default_settings(cores, engine)
    physical = min(cores, len(physical_cores()))
    found = []
    if goal == "latency":
        threads = {1, physical, cores} | {2**i for i in range(cores.bit_length()) if 2**i <= cores}
        found = [replace(default, engine=engine, lone_threads=one) for engine in ENGINES for one in sorted(threads)]
    else:
        splits = {(cores, 1), (physical, 1), (1, cores), (1, 1)}
        splits |= {(cores // 2, 2)} if cores >= 4 else set()
        for engine in ENGINES:
            for workers, threads_each in sorted(splits, reverse=True):
                pinnable = engine in PINNABLE and places(workers, threads_each) is not None
                found += [
                    replace(
                        default, engine=engine, workers=workers, worker_threads=threads_each, pack_tokens=tokens,
                        pinned=pinned,
                    )
                    for tokens in PACK_TOKENS
                    for pinned in ((False, True) if pinnable else (False,))
                ]  # fmt: skip
    return sorted(found, key=lambda one: _departures(one, default))


def _departures(one: Settings, default: Settings) -> int:
    shared = (one.workers, one.worker_threads) != (default.workers, default.worker_threads)
    others = (one.lone_threads != default.lone_threads, one.pack_tokens != default.pack_tokens)
    return shared + sum(others) + 2 * one.pinned  # which matters least


def changed_answers(logits: np.ndarray, reference: np.ndarray, task: Task) -> float:
    """Share of rows whose answer is another one and was no near tie: what no rounding explains.

    A label changed where the reference's first two probabilities differ by more than `NEAR`; one of several labels,
    where its probability is farther than that from its threshold; a score by more than that share of their range.
    Rows that are not finite count as changed. Where words are tagged a row is a sentence; see `_tags_changed`.
    """
    if task.answer == "tags":
        return float(np.mean([_tags_changed(a, b, task) for a, b in zip(logits, reference, strict=True)]))
    ours, theirs = decide(logits, task), decide(reference, task)
    if task.answer == "score":
        changed = np.abs(ours - theirs) > NEAR * max(np.ptp(theirs), 1e-9)
    elif task.answer == "labels":
        thresholds = 0.5 if task.thresholds is None else np.asarray(task.thresholds)
        clear = np.abs(sigmoid(reference.astype(np.float64)) - thresholds) > NEAR
        changed = ((ours != theirs) & clear).any(axis=1)
    else:
        top = np.sort(softmax(reference.astype(np.float64)), axis=1)
        margin = top[:, -1] - top[:, -2] if top.shape[1] > 1 else np.ones(len(top))
        changed = (ours != theirs) & (margin > NEAR)
    return float((changed | ~np.isfinite(logits).all(axis=1)).mean())


def _tags_changed(logits: np.ndarray, reference: np.ndarray, task: Task) -> bool:
    """Whether a sentence, logits `[words, labels]`, has other tags that were no near tie.

    Tags that stand side by side are chosen together: a whole stretch of other ones is a tie where, by the reference's
    logits and if there were these two ways alone, their probabilities would differ by at most `NEAR`. Outside the
    stretch both ways agree, so that either is legal, and the reference chose the more probable one. Where transitions
    were learnt, the step out of a stretch belongs to it.
    """
    if not np.isfinite(logits).all():
        return True
    learnt = task.transitions
    ours, theirs = (best_legal(one, task.labels, learnt, task.scheme) for one in (logits, reference))
    theirs_score, ours_score = (word_scores(one, reference, task.labels, learnt, task.scheme) for one in (theirs, ours))
    apart = ours != theirs
    if learnt is not None:
        apart = apart | np.concatenate([[False], apart[:-1]])
    stretches = np.split(theirs_score - ours_score, np.flatnonzero(np.diff(apart)) + 1)
    return any(np.tanh(0.5 * one.sum()) > NEAR for one in stretches)
