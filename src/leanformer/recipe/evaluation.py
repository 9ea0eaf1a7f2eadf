"""The splits to choose and to report on; made from unlabelled text and the teacher's answers where labels lack."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError
from leanformer.loading import open_predictor
from leanformer.predictor import logits


@dataclass(frozen=True)
class Prepared:
    """Data with dev and test splits, and what quality on them means."""

    data: Dataset
    metric: str


def prepare(data: Dataset, teacher: Artifact, *, seed: int, threads: int) -> Prepared:
    """Data in the teacher's label order; labelled by the teacher where there are only unlabelled texts.

    With labelled splits the metric is accuracy; without a dev and a test split among them `DataError` is raised. With
    unlabelled text alone, a fifth of it (at most 2,000 texts) becomes dev and as much test, with the teacher's
    answers as labels; the metric is then agreement with the teacher.
    """
    if data.train is None and data.dev is None and data.test is None:
        if data.unlabelled is None or len(data.unlabelled) < 20:
            raise DataError("at least 20 unlabelled texts are needed to compare models on", path=data.name)
        return Prepared(_from_teacher(data.unlabelled, data, teacher, seed, threads), "agreement with the teacher")
    # Said before the recipe runs, not after it.
    for split, purpose in (("dev", "choose by"), ("test", "report on")):
        if getattr(data, split) is None:
            raise DataError(
                f"there is no {split} split to {purpose}",
                path=data.name,
                remedy=f"give a folder with {split}.jsonl in it, or name another file there: --split {split}=FILE",
            )
    return Prepared(_in_order(data, teacher), "accuracy")


def _from_teacher(texts: Examples, data: Dataset, teacher: Artifact, seed: int, threads: int) -> Dataset:
    size = min(2000, len(texts) // 5)
    order = np.random.default_rng(seed).permutation(len(texts))
    predictor = open_predictor(teacher, threads=threads)

    def labelled(rows: np.ndarray) -> Examples:
        chosen = [texts.texts[i] for i in rows]
        answers = logits(predictor, chosen).argmax(axis=1)
        return Examples(teacher.task, tuple(chosen), tuple(int(i) for i in answers), source=texts.source)

    rest = tuple(texts.texts[i] for i in sorted(order[2 * size :]))
    note = f"no labels: {size} texts each were set aside as dev and test, with the teacher's answers as labels"
    return Dataset(
        task=teacher.task,
        dev=labelled(order[:size]),
        test=labelled(order[size : 2 * size]),
        unlabelled=Examples(teacher.task, rest, None, source=texts.source),
        name=data.name,
        notes=(*data.notes, note),
    )


def _in_order(data: Dataset, teacher: Artifact) -> Dataset:
    """The same data with labels numbered as the teacher's logits are."""
    if data.task == teacher.task:
        return data
    if set(data.task.labels) - set(teacher.task.labels):
        raise DataError(
            f"the data's labels {list(data.task.labels)} are not the model's {list(teacher.task.labels)}",
            path=data.name,
        )
    number = [teacher.task.labels.index(name) for name in data.task.labels]

    def moved(examples: Examples | None) -> Examples | None:
        if examples is None:
            return None
        labels = None if examples.labels is None else tuple(number[i] for i in examples.labels)
        return replace(examples, task=teacher.task, labels=labels)

    return replace(
        data, task=teacher.task, train=moved(data.train), dev=moved(data.dev), test=moved(data.test),
        unlabelled=moved(data.unlabelled),
    )  # fmt: skip


def known_labels(model: str) -> list[str] | None:
    """The label names of an artifact, for data that has no training split to take them from; None for other models.

    The names of a foreign checkpoint may be placeholders, which `models.store` matches with those of the data.
    """
    if is_artifact(model):
        return list(open_artifact(model, verify=False).task.labels)
    return None
