"""The predictor of a cascade: the unsure rows of a batch are passed on together to the next member."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leanformer.answers.prediction import Prediction
from leanformer.artifact import Artifact, open_same
from leanformer.cascade.rows import groups_of, join, split
from leanformer.cascade.store import read_cascade
from leanformer.forking import tell_of_forks
from leanformer.predictor import EngineUsed, Predictor, TellsEngine, answers, engines_together, logits_by_chunk
from leanformer.task import Question, Task, Text


@dataclass(eq=False)
class _Batch:
    """Texts on their way through the members.

    Attributes:
        texts: all of them. left: indices of those without a final answer. result: logits `[texts, classes]`.
    """

    texts: Sequence[Text]
    left: np.ndarray
    result: np.ndarray


class CascadePredictor(TellsEngine):
    """Scores texts with a cascade; the logits of a text are those of the member whose answer is final.

    Args:
        artifact: of format "cascade".
        open_member: opens the predictor of a member.

    Attributes:
        members: number -> predictor, for the members that the plan asks.
        answered: number of final answers by each member since this predictor was created.
    """

    def __init__(self, artifact: Artifact, open_member: Callable[[Artifact], Predictor]) -> None:
        self.artifact = artifact
        self.plan, artifacts = read_cascade(artifact)
        self._asked = [number for number in range(len(artifacts)) if self.plan.asked(number)]
        groups = groups_of([artifacts[number] for number in self._asked])
        self._groups = dict(zip(self._asked, groups, strict=True))
        self.members = {number: open_member(artifacts[number]) for number in self._asked}
        self.answered = [0] * len(artifacts)
        self.begin_in_child()
        tell_of_forks(self)

    def begin_in_child(self) -> None:
        """See `forking`."""
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled and copied as its folder and its members, which are pickled likewise."""
        return _opened_again, (str(self.artifact.path.resolve()), self.artifact.content_hash, self.members)

    @property
    def task(self) -> Task:
        return self.artifact.task

    @property
    def engine_used(self) -> EngineUsed:
        """The engines of the members: each member's, after its number, if they differ."""
        members: dict[int, Any] = dict(self.members)
        return engines_together({number: member.engine_used for number, member in members.items()})

    def predict(self, texts: Iterable[Question]) -> list[Prediction]:
        """Predictions for texts, or for pairs of texts, in order. Raises what `predictor.answers` raises."""
        return answers(self, texts)

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        """One row per text; if members have different tokenizers, with the ids of each (`cascade.rows`)."""
        firsts = {group: number for number, group in reversed(self._groups.items())}
        parts = [self.members[firsts[group]].tokenize(texts) for group in sorted(firsts)]
        return [join(ids) for ids in zip(*parts, strict=True)]

    def forget_words(self) -> None:
        """Empty the word caches of all members that have one."""
        for member in self.members.values():
            if (forget := getattr(member, "forget_words", None)) is not None:
                forget()

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `[rows, classes]`, float32, of the members whose answers are final."""
        groups = len(set(self._groups.values()))
        parts = [split(row, groups) for row in rows]
        batch = _Batch((), np.arange(len(rows)), np.empty((len(rows), self.task.outputs), np.float32))
        for number in self._asked:
            if len(batch.left):
                own = [parts[index][self._groups[number]] for index in batch.left]
                self._take(batch, number, self.members[number].infer(own))
        return batch.result

    def stream(self, chunks: Iterable[Sequence[Text]]) -> Iterator[tuple[Sequence[Text], np.ndarray]]:
        """Each chunk and its logits, in order; the members process the chunks one after the other.

        Each member streams its texts, so tokenizing and inference overlap as they would without the cascade.
        """
        batches: Iterator[_Batch] = (
            _Batch(texts, np.arange(len(texts)), np.empty((len(texts), self.task.outputs), np.float32))
            for texts in chunks
        )
        for number in self._asked:
            batches = self._through(number, batches)
        return ((batch.texts, batch.result) for batch in batches)

    def _through(self, number: int, batches: Iterator[_Batch]) -> Iterator[_Batch]:
        # Batches are read ahead of their logits, and come back in the same order.
        ahead: deque[_Batch] = deque()

        def unsure() -> Iterator[list[Text]]:
            for batch in batches:
                ahead.append(batch)
                yield [batch.texts[index] for index in batch.left]

        for _, values in logits_by_chunk(self.members[number], unsure()):
            batch = ahead.popleft()
            self._take(batch, number, values)
            yield batch

    def _take(self, batch: _Batch, number: int, values: np.ndarray) -> None:
        """Store the logits of a member's final answers for the remaining rows."""
        stands = self.plan.stands(number, values)
        batch.result[batch.left[stands]] = values[stands]
        batch.left = batch.left[~stands]
        with self._lock:
            self.answered[number] += int(stands.sum())


def _opened_again(path: str, content: str, members: dict[int, Predictor]) -> CascadePredictor:
    """Recreates a predictor for `CascadePredictor.__reduce__`, in any process."""
    left = iter(members.values())
    return CascadePredictor(open_same(path, content), lambda member: next(left))
