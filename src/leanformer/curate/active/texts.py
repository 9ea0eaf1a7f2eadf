"""All texts of a round of active learning: which are labelled, which can be chosen, and which are left out."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np

from leanformer.curate.active.head import fit_head
from leanformer.curate.active.pool import Pool, Round
from leanformer.curate.active.stopping import ROUNDS, agreements
from leanformer.data.dataset import Dataset
from leanformer.data.near_repeats import near_repeats
from leanformer.data.overlap import normalise_all
from leanformer.inputs.input import parts_of
from leanformer.task import Task

# Number of texts on which the answers of two rounds are compared.
FIXED = 1000


class Texts:
    """All texts, each once: those of train, then those of the pool, then those of rounds from elsewhere.

    Attributes:
        inputs: one of each text. candidates: the rows that can be chosen, ascending.
        left_out: reason -> lines of the pool: in dev or test, labelled already, a repeat.
    """

    def __init__(self, pool: Pool, task: Task, data: Dataset | None, rounds: Sequence[Round]) -> None:
        self.pool = pool
        splits = [] if data is None else [part for part in (data.dev, data.test) if part is not None]
        evaluated = [key for part in splits for key in normalise_all(part.inputs)]
        self._row: dict[str, int] = {}
        self.inputs: list[Any] = []
        self._labels: list[list[tuple[int, int]]] = [[]]
        if data is not None and data.train is not None:
            train = data.train
            self._labels[0] = self._add(normalise_all(train.inputs), train.inputs, train.labels or ())
        leaked = near_repeats(pool.keys, evaluated) if evaluated else np.zeros(len(pool.keys), dtype=bool)
        self._line_of: dict[int, int] = {}
        self.left_out: dict[str, list[int]] = {"evaluated": [], "labelled": [], "repeated": []}
        fresh = []
        for place, key in enumerate(pool.keys):
            if leaked[place]:
                self.left_out["evaluated"].append(pool.lines[place])
            elif key in self._row:
                repeated = self._row[key] in self._line_of
                self.left_out["repeated" if repeated else "labelled"].append(pool.lines[place])
            else:
                row = self._new(key, pool.inputs[place])
                self._line_of[row] = place
                fresh.append(row)
        self._fixed = sorted(fresh, key=lambda row: sha256(pool.keys[self._line_of[row]].encode()).digest())[:FIXED]
        for labelled in rounds:
            self._labels.append(self._add(labelled.keys, labelled.inputs, labelled.labels(task)))
        done = {row for labels in self._labels for row, _ in labels}
        self.left_out["labelled"] += [pool.lines[self._line_of[row]] for row in fresh if row in done]
        self.candidates = np.array([row for row in fresh if row not in done], dtype=np.int64)

    def _new(self, key: str, text: Any) -> int:
        self._row[key] = len(self.inputs)
        self.inputs.append(text)
        return self._row[key]

    def _add(self, keys: Sequence[str], inputs: Sequence[Any], labels: Sequence[Any]) -> list[tuple[int, int]]:
        texts = zip(keys, inputs, strict=True)
        rows = [self._row[key] if key in self._row else self._new(key, text) for key, text in texts]
        return list(zip(rows, labels, strict=True))

    def labelled(self, rounds: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and classes of train and of the first `rounds` rounds; of a text with several labels, the last."""
        last = {row: label for labels in self._labels[: rounds + 1] for row, label in labels}
        return np.array(list(last), dtype=np.int64), np.array(list(last.values()), dtype=np.int64)

    def agreements(self, vectors: np.ndarray, task: Task) -> list[float]:
        """Between the models of the last rounds, on fixed texts of the pool."""
        answers = []
        rounds = len(self._labels) - 1
        for number in range(max(0, rounds - ROUNDS), rounds + 1):
            rows, classes = self.labelled(number)
            if len(np.unique(classes)) > 1 and self._fixed:
                head = fit_head(vectors[rows], classes, len(task.labels))
                answers.append(head.answers(vectors[self._fixed]))
        return agreements(answers, len(task.labels))

    def at(self, rows: np.ndarray) -> list[int]:
        """The places of rows in the pool."""
        return [self._line_of[row] for row in rows.tolist()]

    def record(self, row: int) -> dict[str, Any]:
        """Line, id and text of a row of the pool."""
        line, text = self.pool.lines[self._line_of[row]], self.inputs[row]
        given = self.pool.records.get(line, {})
        parts = dict(zip(("text", "text_pair"), parts_of(text), strict=False))
        return {"line": line} | ({"id": given["id"]} if "id" in given else {}) | parts
