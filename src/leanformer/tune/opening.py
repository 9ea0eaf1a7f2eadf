"""Opening the candidates of a tuning: each is run once, and dropped if it cannot run or gives other answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from leanformer.answers.forms import changed_answers
from leanformer.artifact import Artifact
from leanformer.errors import ArtifactError, MissingExtraError
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from leanformer.runtime.settings import RuntimeSettings
from leanformer.task import Text
from leanformer.tune.race import Entrant

LEAST_TEXTS = 16
# If an engine's simplest settings take this many times as long as the best so far, its others are not tried.
_HOPELESS = 2.5
# With fewer packs per worker, a turn would measure waiting at its end rather than the settings.
_LEAST_PACKS = 3


@dataclass(eq=False)
class Candidate:
    """An artifact with certain settings.

    Attributes:
        changed: share of the texts that it answers differently from the default; None if that was not measured.
        left: why it was dropped; empty if it was not.
        runner: takes its turns, once it has been opened.
    """

    artifact: Artifact
    settings: RuntimeSettings
    changed: float | None = None
    left: str = ""
    runner: Entrant | None = field(default=None, repr=False)

    @property
    def precision(self) -> str:
        return str(self.artifact.properties.get("precision", "unknown precision"))


def turn(predictor: LightPredictor, texts: Sequence[Text], goal: str) -> float:
    """Milliseconds per text: of all at once, or the median of one at a time."""
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


def answers_of(predictor: LightPredictor, texts: Sequence[Text], goal: str) -> np.ndarray:
    """Logits, computed in the way that the goal measures."""
    if goal == "throughput":
        return logits(predictor, texts)
    return np.concatenate([logits(predictor, [text]) for text in texts])


def rate(predictor: LightPredictor, texts: Sequence[Text], goal: str) -> float:
    """Texts per second, roughly."""
    answers_of(predictor, texts, goal)
    start = time.perf_counter()
    answers_of(predictor, texts, goal)
    return len(texts) / (time.perf_counter() - start)


def open_candidate(
    candidate: Candidate, predictor: LightPredictor, texts: Sequence[Text], goal: str
) -> tuple[np.ndarray, float]:
    """Open it, so that it can take turns; returns its logits, and the seconds that a warm turn takes."""
    answers = answers_of(predictor, texts, goal)
    start = time.perf_counter()
    turn(predictor, texts, goal)
    took = time.perf_counter() - start
    name = f"{candidate.artifact.path}: {candidate.settings.describe(goal)}"
    candidate.runner = Entrant(name, lambda: turn(predictor, texts, goal), group=str(candidate.artifact.path))
    return answers, took


def open_all(
    artifact: Artifact, others: Sequence[Candidate], bases: dict[int, LightPredictor], texts: Sequence[Text], goal: str,
    reference: np.ndarray, turn_seconds: float, *, end: float, max_changed: float, enough_packs: bool,
) -> None:  # fmt: skip
    """Open each candidate while there is time, the simplest first, and record why others are dropped.

    Args:
        artifact: the one to tune; others are only there for comparison, whatever they answer.
        bases: by id of each artifact, a predictor whose loaded graphs are shared.
        reference, turn_seconds: the default's logits, and the time of its turn.
        end: deadline on the clock; candidates not opened by then are not tried.
        max_changed: largest share of answers in which `artifact` may differ from the reference.
        enough_packs: leave out settings for which the texts make too few packs for the workers.
    """
    dead: dict[tuple[int, str], str] = {}
    # The default has been opened already.
    looked, best = {(id(artifact), bases[id(artifact)].engine)}, turn_seconds
    rows = bases[id(artifact)].tokenize(texts)
    for other in sorted(others, key=_order(artifact, others)):
        key = (id(other.artifact), other.settings.engine)
        other.left = dead.get(key, "not tried: the time for opening was over" if time.perf_counter() > end else "")
        if other.left:
            continue
        predictor = bases[id(other.artifact)].with_settings(other.settings)
        try:
            if enough_packs and (count := len(predictor.packs(rows))) < _LEAST_PACKS * other.settings.workers:
                other.left = f"too few packs to tell ({count} in a turn of {len(rows)} texts)"
                continue
            answers, took = open_candidate(other, predictor, texts, goal)
        except (MissingExtraError, ArtifactError) as error:
            # The reason is not these settings but the engine, with this file or in this installation.
            other.left = dead[key] = f"does not run here: {str(error).splitlines()[0]}"
        except Exception as error:  # any other error of an engine ends this candidate, not the tuning
            other.left = f"failed: {type(error).__name__}: {error}"[:300]
        else:
            other.changed = changed_answers(answers, reference, other.artifact.task)
            best = min(best, took)
            if key not in looked and took > _HOPELESS * best:
                dead[key] = f"not tried: its plainest settings took {took / best:.1f} times as long as the best so far"
            looked.add(key)
            if other.changed > max_changed and other.artifact is artifact:
                other.left = f"{100 * other.changed:.2f} % of the answers change, more than {100 * max_changed:.2f} %"


def least_texts(base: LightPredictor, texts: Sequence[Text], goal: str) -> int:
    """How many texts a turn needs at least to use all workers of the default."""
    least = LEAST_TEXTS
    if goal == "throughput":
        rows = base.tokenize(texts)
        while least < len(rows) and len(base.packs(rows[:least])) < _LEAST_PACKS * base.settings.workers:
            least += LEAST_TEXTS
    return min(least, len(texts))


def _order(artifact: Artifact, others: Sequence[Candidate]) -> Callable[[Candidate], int]:
    """Sort key, the simplest first; for each candidate of another artifact, two of this one."""
    seen: dict[int, int] = {}
    places: dict[int, int] = {}
    for other in others:
        places[id(other)] = seen[id(other.artifact)] = seen.get(id(other.artifact), 0) + 1
    return lambda candidate: places[id(candidate)] * (1 if candidate.artifact is artifact else 2)
