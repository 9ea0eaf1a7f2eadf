"""The fastest way to run an artifact on this machine: candidates tried, checked, raced, and the choice with reasons."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from leanformer.artifact import Artifact
from leanformer.errors import ArtifactError, LeanformerError, MissingExtraError
from leanformer.measure.candidates import NEAR, candidates, changed_answers
from leanformer.measure.race import FINAL_ROUNDS, FINALISTS, Runner, Verdict, race
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from leanformer.runtime.tuning import FORMAT_VERSION, Settings, default_settings, machine, to_json
from leanformer.task import Text

LEAST_SECONDS, LEAST_TEXTS = 2.0, 16
_OPENING_SHARE, _TURNS = 0.4, 200
# An engine whose plainest settings are slower than this, beside the fastest so far, is not looked at further.
_HOPELESS = 2.5


@dataclass(eq=False)
class Candidate:
    """An artifact under some settings.

    Attributes:
        changed: share of the texts that it answers otherwise than the default does; None where that was not seen.
        left: why it is out; empty while it is not.
        runner: its turns, once it has been opened.
    """

    artifact: Artifact
    settings: Settings
    changed: float | None = None
    left: str = ""
    runner: Runner | None = field(default=None, repr=False)

    @property
    def precision(self) -> str:
        return str(self.artifact.properties.get("precision", "unknown precision"))


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
    """Find the fastest settings for `artifact` and return the record that `runtime.tuning` reads.

    Args:
        texts: of the lengths that will be asked, in any order.
        goal: "throughput" (all texts at once) or "latency" (one text at a time); tokenizer included in both.
        seconds: about how long it may take; at least `LEAST_SECONDS`.
        siblings: other artifacts of the same task, such as the fp32 graph beside the int8 one. They take part and are
            compared with, but what is chosen is how to run `artifact`.
        turn_texts: how many texts a turn has; None: as many as fit the time.
        max_changed: a candidate that answers a larger share of the texts otherwise than the default is discarded.

    Raises `LeanformerError` for a budget in which nothing could be told, and what opening `artifact` raises.
    """
    start = time.perf_counter()
    if not seconds >= LEAST_SECONDS:
        raise LeanformerError(f"{seconds:g} seconds are too few to tell anything\n  remedy: --seconds 60")
    bases = {id(one): LightPredictor(one, threads=cores, tuning=False) for one in (artifact, *siblings)}
    default, *others = [Candidate(artifact, one) for one in candidates(goal, cores)]
    others += [Candidate(one, settings) for one in siblings for settings in candidates(goal, cores)]
    sample = list(texts)
    if turn_texts is not None:
        sample = sample[:turn_texts]
    else:
        rate = _rate(bases[id(artifact)], sample[:LEAST_TEXTS], goal)
        sample = sample[: max(LEAST_TEXTS, int(rate * seconds / _TURNS))]
    reference, turn_seconds = _open(default, bases[id(artifact)], sample, goal)
    _check_budget(turn_seconds, seconds, 2 + FINALISTS)
    say(f"{len(others) + 1} candidates; turns of {len(sample)} texts, {turn_seconds:.2f} s with the default")
    end = start + _OPENING_SHARE * seconds
    _open_all(others, bases, sample, goal, reference, turn_seconds, end=end, max_changed=max_changed)
    entered = [one for one in others if one.runner is not None and not one.left]
    say(f"{len(entered)} of them run and answer alike")
    assert default.runner is not None
    verdict = race(
        default.runner, [one.runner for one in entered if one.runner is not None],
        seconds=max(0.0, start + seconds - time.perf_counter()), seed=seed, say=say,
    )  # fmt: skip
    for one in entered:
        one.left = one.runner.left if one.runner is not None else ""
    finalists = sorted(
        (one for one in entered if one.runner in verdict.finalists), key=lambda one: -_speedup(one, default)
    )
    chosen, reason = _choose(default, [one for one in finalists if one.artifact is artifact], verdict, goal)
    lengths = [len(row) for row in bases[id(artifact)].tokenize(sample)]
    return {
        "format_version": FORMAT_VERSION,
        "content": artifact.content_hash,
        "machine": machine(cores),
        "goal": goal,
        "choice": to_json(chosen.settings),
        "reason": reason,
        "precision": _compare_precisions(chosen, finalists, verdict, default),
        "default": _row(default, artifact, default),
        "noise": verdict.noise,
        "final_rounds": verdict.rounds,
        "alternatives": [_row(one, artifact, default) for one in others],
        "answers": {"largest_share_changed": max_changed, "near_tie": NEAR, "texts": len(sample)},
        "data": {
            "texts": len(sample), "tokens_mean": float(np.mean(lengths)), "tokens_p50": float(np.median(lengths)),
            "tokens_p95": float(np.percentile(lengths, 95)), "tokens_max": max(lengths),
        },
        "seconds": round(time.perf_counter() - start, 1),
    }  # fmt: skip


def _turn(predictor: LightPredictor, texts: Sequence[Text], goal: str) -> float:
    """Milliseconds a text: of all at once, or the median of one at a time."""
    if goal == "throughput":
        start = time.perf_counter()
        logits(predictor, texts)
        return 1000 * (time.perf_counter() - start) / len(texts)
    times = []
    for text in texts:
        start = time.perf_counter()
        logits(predictor, [text])
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def _answers(predictor: LightPredictor, texts: Sequence[Text], goal: str) -> np.ndarray:
    """Logits in the way that the goal asks for them."""
    if goal == "throughput":
        return logits(predictor, texts)
    return np.concatenate([logits(predictor, [text]) for text in texts])


def _rate(predictor: LightPredictor, texts: Sequence[Text], goal: str) -> float:
    """Texts per second, roughly."""
    _answers(predictor, texts, goal)
    start = time.perf_counter()
    _answers(predictor, texts, goal)
    return len(texts) / (time.perf_counter() - start)


def _open(one: Candidate, base: LightPredictor, texts: Sequence[Text], goal: str) -> tuple[np.ndarray, float]:
    """Load it, so that it can take turns; its logits, and how many seconds a turn takes when all is warm."""
    predictor = base.with_settings(one.settings)
    answers = _answers(predictor, texts, goal)
    start = time.perf_counter()
    _turn(predictor, texts, goal)
    name = f"{one.artifact.path}: {one.settings.describe(goal)}"
    one.runner = Runner(name, lambda: _turn(predictor, texts, goal), group=str(one.artifact.path))
    return answers, time.perf_counter() - start


def _open_all(
    others: Sequence[Candidate], bases: dict[int, LightPredictor], texts: Sequence[Text], goal: str,
    reference: np.ndarray, turn_seconds: float, *, end: float, max_changed: float,
) -> None:  # fmt: skip
    """Open each while there is time, the plainest first, and say of those that are out why."""
    dead: dict[tuple[int, str], str] = {}
    # The default has been looked at already.
    looked, best = {(id(others[0].artifact), default_settings(1).engine)} if others else set(), turn_seconds
    for one in sorted(others, key=_order(others)):
        key = (id(one.artifact), one.settings.engine)
        one.left = dead.get(key, "not tried: the time for opening was over" if time.perf_counter() > end else "")
        if one.left:
            continue
        try:
            answers, took = _open(one, bases[id(one.artifact)], texts, goal)
        except (MissingExtraError, ArtifactError) as error:
            # Not of these settings but of the engine, on this file or in this installation.
            one.left = dead[key] = f"does not run here: {str(error).splitlines()[0]}"
        except Exception as error:  # whatever else an engine raises is the end of this candidate and not of the tuning
            one.left = f"failed: {type(error).__name__}: {error}"[:300]
        else:
            one.changed = changed_answers(answers, reference, one.artifact.task)
            best = min(best, took)
            if key not in looked and took > _HOPELESS * best:
                dead[key] = f"not tried: its plainest settings took {took / best:.1f} times as long as the best so far"
            looked.add(key)
            if one.changed > max_changed:
                one.left = f"{100 * one.changed:.2f} % of the answers change, more than {100 * max_changed:.2f} %"


def _order(others: Sequence[Candidate]) -> Callable[[Candidate], int]:
    """Each artifact's first candidate, then each one's second, and so on."""
    seen: dict[int, int] = {}
    places: dict[int, int] = {}
    for one in others:
        places[id(one)] = seen[id(one.artifact)] = seen.get(id(one.artifact), 0) + 1
    return lambda one: places[id(one)]


def _check_budget(turn_seconds: float, seconds: float, runners: int) -> None:
    needed = FINAL_ROUNDS * runners * turn_seconds * 2
    if needed > seconds:
        raise LeanformerError(
            f"{seconds:g} seconds are too few: a turn of the default takes {turn_seconds:.2f} s, and a final of "
            f"{FINAL_ROUNDS} rounds half of the time\n  remedy: --seconds {int(needed) + 1}, or fewer --texts"
        )


def _choose(default: Candidate, own: Sequence[Candidate], verdict: Verdict, goal: str) -> tuple[Candidate, str]:
    """The best of `own` (the best first) that is faster than the default by more than the noise, or it; and why."""
    noise = f"the noise is {100 * verdict.noise:.1f} % over {verdict.rounds} rounds"
    stays = f"the default stays ({default.settings.describe(goal)})"
    if not own:
        return default, f"{stays}: nothing else came to the final; {noise}"
    winner = next((one for one in own if one.runner is not None and verdict.faster(one.runner)), None)
    best = winner or own[0]
    figures = f"{_figure(best, goal)} against {_figure(default, goal)}"
    share = f"{_speedup(best, default):.2f} times as fast"
    if winner is None:
        return default, f"{stays}: the best other, {best.settings.describe(goal)}, takes {figures}, {share}; {noise}"
    return winner, f"{best.settings.describe(goal)}: {figures} with the default, {share}; {noise}"


def _speedup(one: Candidate, default: Candidate) -> float:
    return 1.0 if one is default or one.runner is None else one.runner.speedup


def _figure(one: Candidate, goal: str) -> str:
    assert one.runner is not None
    return f"{one.runner.figure:.3f} ms a text" + (" (median, one at a time)" if goal == "latency" else "")


def _compare_precisions(
    chosen: Candidate, finalists: Sequence[Candidate], verdict: Verdict, default: Candidate
) -> list[dict[str, Any]]:
    """What the best of each sibling is like beside what was chosen, in figures and in words."""
    best: dict[int, Candidate] = {}
    for one in finalists:
        best.setdefault(id(one.artifact), one)
    found = []
    for one in best.values():
        if one.artifact is chosen.artifact:
            continue
        ratio = _speedup(chosen, default) / _speedup(one, default)
        names = f"{chosen.precision} ({chosen.artifact.path.name})", f"{one.precision} ({one.artifact.path.name})"
        if ratio > 1 + verdict.noise:
            words = f"{names[0]} is {ratio:.2f} times as fast as {names[1]} here"
        elif 1 / ratio > 1 + verdict.noise:
            words = f"{names[0]} is not faster here: {names[1]} is {1 / ratio:.2f} times as fast; use that folder"
        else:
            words = f"{names[0]} is not faster than {names[1]} here: they differ by less than the noise"
        row = {"artifact": one.artifact.path.name, "content": one.artifact.content_hash, "precision": one.precision}
        found.append(row | {"ratio": ratio, "words": words})
    return found


def _row(one: Candidate, artifact: Artifact, default: Candidate) -> dict[str, Any]:
    """A candidate as the record shows it."""
    row: dict[str, Any] = {"artifact": one.artifact.path.name} if one.artifact is not artifact else {}
    row |= {"precision": one.precision, **to_json(one.settings), "changed": one.changed}
    runner = one.runner
    if runner is not None and (runner.figures or runner.final):
        figures = runner.final or runner.figures
        row |= {
            "ms_per_text": runner.figure, "ms_per_text_spread": [min(figures), max(figures)],
            "speedup": _speedup(one, default), "rounds": len(runner.figures),
            "final_rounds": len(runner.final),
        }  # fmt: skip
    return row | ({"left": one.left} if one.left else {})
