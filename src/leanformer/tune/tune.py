"""The fastest way to run an artifact on this machine: candidates are checked and raced, and the choice is explained."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from leanformer.answers.form import NEAR
from leanformer.artifact import Artifact
from leanformer.errors import LeanformerError
from leanformer.runtime.predictor import LightPredictor
from leanformer.runtime.settings import DEFAULT_ENGINE, FORMAT_VERSION, machine, to_json
from leanformer.task import Text
from leanformer.tune.candidates import candidates
from leanformer.tune.opening import Candidate, least_texts, open_all, open_candidate, rate
from leanformer.tune.race import FINAL_ROUNDS, FINALISTS, RaceResult, race

LEAST_SECONDS = 2.0
_OPENING_SHARE, _TURNS = 0.4, 300


def tune(
    artifact: Artifact,
    texts: Sequence[Text],
    *,
    goal: str,
    seconds: float,
    cores: int,
    siblings: Sequence[Artifact] = (),
    turn_texts: int | None = None,
    max_changed: float = 0.01,
    seed: int = 13,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Find the fastest settings for `artifact` and return the record that `runtime.settings` reads.

    Args:
        texts: with lengths as in later use, in any order.
        goal: "throughput" (all texts at once) or "latency" (one text at a time); tokenizer included in both.
        seconds: about how long it may take; at least `LEAST_SECONDS`.
        siblings: other artifacts of the same task, such as the fp32 graph next to the int8 one. They are raced for
            comparison, but only settings for `artifact` are chosen.
        turn_texts: number of texts per turn, and so of texts that are scored at once; None: any number, so that a turn
            fits the time and has enough packs for all workers.
        max_changed: settings for which `artifact` answers a larger share of the texts differently are discarded; for
            siblings, which have another precision, the share is only reported.

    Raises `LeanformerError` for a budget that is too small to measure anything, and what opening `artifact` raises.
    """
    start = time.perf_counter()
    if not seconds >= LEAST_SECONDS:
        raise LeanformerError(f"{seconds:g} seconds are too few to tell anything\n  remedy: --seconds 60")
    bases = {id(sibling): LightPredictor(sibling, threads=cores, tuning=False) for sibling in (artifact, *siblings)}
    base = bases[id(artifact)]
    sample = list(texts)
    base.infer(base.tokenize(sample[:1]))  # so that the default engine for this graph is settled
    default, *others = [Candidate(artifact, candidate) for candidate in candidates(goal, cores, base.engine)]
    others += [
        Candidate(sibling, settings) for sibling in siblings for settings in candidates(goal, cores, DEFAULT_ENGINE)
    ]
    if turn_texts is not None:
        sample = sample[:turn_texts]
    else:
        least = least_texts(base, sample, goal)
        sample = sample[: max(least, int(rate(base, sample[:least], goal) * seconds / _TURNS))]
    reference, turn_seconds = open_candidate(default, base.with_settings(default.settings), sample, goal)
    if turn_texts is None and (needed := _needed_seconds(turn_seconds)) > seconds:
        # The first measurement was taken while the machine was idle, or long texts come later.
        sample = sample[: max(least, int(len(sample) * seconds / needed / 2))]
        reference, turn_seconds = open_candidate(default, base.with_settings(default.settings), sample, goal)
    _check_budget(turn_seconds, seconds)
    say(f"{len(others) + 1} candidates; turns of {len(sample)} texts, {turn_seconds:.2f} s with the default")
    end = start + _OPENING_SHARE * seconds
    open_all(
        artifact, others, bases, sample, goal, reference, turn_seconds, end=end, max_changed=max_changed,
        enough_packs=turn_texts is None and goal == "throughput",
    )  # fmt: skip
    entered = [other for other in others if other.runner is not None and not other.left]
    say(f"{len(entered)} of them run and answer alike")
    assert default.runner is not None
    verdict = race(
        default.runner, [other.runner for other in entered if other.runner is not None],
        seconds=max(0.0, start + seconds - time.perf_counter()), seed=seed, say=say,
    )  # fmt: skip
    for other in entered:
        other.left = other.runner.left if other.runner is not None else ""
    finalists = sorted(
        (other for other in entered if other.runner in verdict.finalists),
        key=lambda candidate: -_speedup(candidate, default),
    )
    chosen, reason = _choose(
        default, [finalist for finalist in finalists if finalist.artifact is artifact], verdict, goal
    )
    lengths = [len(row) for row in base.tokenize(sample)]
    return {
        "format_version": FORMAT_VERSION,
        "content": artifact.content_hash,
        "machine": machine(cores),
        "goal": goal,
        "choice": to_json(chosen.settings),
        "reason": reason,
        "precision": [
            *_compare_precisions(chosen, finalists, verdict, default), *_uncompared(siblings, finalists, others)
        ],
        "default": _row(default, artifact, default),
        "noise": verdict.noise,
        "final_rounds": verdict.rounds,
        "alternatives": [_row(other, artifact, default) for other in others],
        "answers": {"largest_share_changed": max_changed, "near_tie": NEAR, "texts": len(sample)},
        "data": {
            "texts": len(sample), "tokens_mean": float(np.mean(lengths)), "tokens_p50": float(np.median(lengths)),
            "tokens_p95": float(np.percentile(lengths, 95)), "tokens_max": max(lengths),
        },
        "seconds": round(time.perf_counter() - start, 1),
    }  # fmt: skip


def _needed_seconds(turn_seconds: float) -> float:
    """A final takes at most half of it: its minimum of rounds, each with the default twice and the finalists."""
    return FINAL_ROUNDS * (2 + FINALISTS) * turn_seconds * 2


def _check_budget(turn_seconds: float, seconds: float) -> None:
    if (needed := _needed_seconds(turn_seconds)) > seconds:
        raise LeanformerError(
            f"{seconds:g} seconds are too few: a turn of the default takes {turn_seconds:.2f} s, and a final of "
            f"{FINAL_ROUNDS} rounds half of the time\n  remedy: --seconds {int(needed) + 1}, or fewer --texts"
        )


def _choose(default: Candidate, own: Sequence[Candidate], verdict: RaceResult, goal: str) -> tuple[Candidate, str]:
    """The best of `own` (sorted) that is faster than the default by more than the noise, else the default; and why."""
    noise = f"the noise is {100 * verdict.noise:.1f} % over {verdict.rounds} rounds"
    stays = f"the default stays ({default.settings.describe(goal)})"
    if not own:
        return default, f"{stays}: nothing else came to the final; {noise}"
    winner = next(
        (candidate for candidate in own if candidate.runner is not None and verdict.faster(candidate.runner)), None
    )
    best = winner or own[0]
    figures = f"{_figure(best, goal)} against {_figure(default, goal)}"
    share = f"{_speedup(best, default):.2f} times as fast"
    if winner is None:
        return default, f"{stays}: the best other, {best.settings.describe(goal)}, takes {figures}, {share}; {noise}"
    return winner, f"{best.settings.describe(goal)}: {figures} with the default, {share}; {noise}"


def _speedup(candidate: Candidate, default: Candidate) -> float:
    return 1.0 if candidate is default or candidate.runner is None else candidate.runner.speedup


def _figure(candidate: Candidate, goal: str) -> str:
    assert candidate.runner is not None
    return f"{candidate.runner.figure:.3f} ms a text" + (" (median, one at a time)" if goal == "latency" else "")


def _compare_precisions(
    chosen: Candidate, finalists: Sequence[Candidate], verdict: RaceResult, default: Candidate
) -> list[dict[str, Any]]:
    """The best of each sibling compared with the chosen settings, in figures and in words."""
    best: dict[int, Candidate] = {}
    for finalist in finalists:
        best.setdefault(id(finalist.artifact), finalist)
    found = []
    for finalist in best.values():
        if finalist.artifact is chosen.artifact:
            continue
        ratio = _speedup(chosen, default) / _speedup(finalist, default)
        names = (
            f"{chosen.precision} ({chosen.artifact.path.name})",
            f"{finalist.precision} ({finalist.artifact.path.name})",
        )
        if ratio > 1 + verdict.noise:
            words = f"{names[0]} is {ratio:.2f} times as fast as {names[1]} here"
        elif 1 / ratio > 1 + verdict.noise:
            words = f"{names[0]} is not faster here: {names[1]} is {1 / ratio:.2f} times as fast; use that folder"
        else:
            words = f"{names[0]} is not faster than {names[1]} here: they differ by less than the noise"
        if finalist.changed:
            words += f"; {100 * finalist.changed:.1f} % of the answers are others"
        row: dict[str, Any] = {
            "artifact": finalist.artifact.path.name,
            "content": finalist.artifact.content_hash,
            "precision": finalist.precision,
        }
        found.append(row | {"ratio": ratio, "changed": finalist.changed, "words": words})
    return found


def _uncompared(
    siblings: Sequence[Artifact], finalists: Sequence[Candidate], others: Sequence[Candidate]
) -> list[dict[str, Any]]:
    """Siblings without a finalist, and why: what happened to their simplest settings."""
    found = []
    for artifact in siblings:
        if any(finalist.artifact is artifact for finalist in finalists):
            continue
        first = next(other for other in others if other.artifact is artifact)
        words = f"{first.precision} ({artifact.path.name}) was not compared: {first.left}"
        row: dict[str, Any] = {
            "artifact": artifact.path.name,
            "content": artifact.content_hash,
            "precision": first.precision,
        }
        found.append(row | {"ratio": None, "words": words})
    return found


def _row(candidate: Candidate, artifact: Artifact, default: Candidate) -> dict[str, Any]:
    """A candidate as a row of the record."""
    row: dict[str, Any] = {"artifact": candidate.artifact.path.name} if candidate.artifact is not artifact else {}
    row |= {"precision": candidate.precision, **to_json(candidate.settings), "changed": candidate.changed}
    runner = candidate.runner
    if runner is not None and (runner.figures or runner.final):
        figures = runner.final or runner.figures
        row |= {
            "ms_per_text": runner.figure, "ms_per_text_spread": [min(figures), max(figures)],
            "speedup": _speedup(candidate, default), "rounds": len(runner.figures),
            "final_rounds": len(runner.final),
        }  # fmt: skip
    return row | ({"left": candidate.left} if candidate.left else {})
