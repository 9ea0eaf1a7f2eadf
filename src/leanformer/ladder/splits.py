"""The splits for choosing and reporting; without labels, made from unlabelled text and the teacher's answers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from leanformer.answers.forms import decide, form_of, metric_name
from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError
from leanformer.inputs.kinds import input_of
from leanformer.loading import open_predictor
from leanformer.predictor import logits
from leanformer.tagging.schemes import types_of
from leanformer.task import Task, by_number

_WITH_TEACHER = " with the teacher"
# Keyed by the answers of the data and of the model: a checkpoint that does not state its task is read as
# `transformers` reads it, and --kind concerns the data.
_KIND_REMEDIES = {
    (
        "labels",
        "label",
    ): 'if the model was trained to give any number of labels, say so in its config.json: "problem_type": '
    '"multi_label_classification"; if not, give data with one label a row',
    ("label", "labels"): "give data with a list of labels a row, or --kind multilabel if these are such data",
    (
        "score",
        "label",
    ): 'if the model was trained to give a score, say so in its config.json: "problem_type": "regression"; '
    "if the numbers are classes, --kind classification",
    ("label", "score"): "if the labels are scores, --kind regression (of pairs: --kind similarity)",
}


@dataclass(frozen=True)
class Prepared:
    """Data with dev and test splits, and what quality on them means."""

    data: Dataset
    metric: str

    @property
    def labelled_dev(self) -> Examples | None:
        """Dev, if its labels do not come from the teacher; otherwise None."""
        return None if self.metric.endswith(_WITH_TEACHER) else self.data.dev


def prepare(data: Dataset, teacher: Artifact, *, seed: int, threads: int) -> Prepared:
    """Data in the teacher's label order, labelled by the teacher if there are only unlabelled texts.

    With labelled splits the metric is that of the task (`forms.metric_name`), and `DataError` is raised unless dev and
    test are among them. With unlabelled text alone, a fifth of it (at most 2,000 texts) becomes dev and another fifth
    test, with the teacher's answers as labels; the metric is then agreement with the teacher.
    """
    theirs, ours = (input_of(task).plural for task in (teacher.task, data.task))
    if theirs != ours:
        raise DataError(
            f"the data are {ours} ({data.task.kind}), and the model was made for {theirs} ({teacher.task.kind})",
            path=data.name,
        )
    if data.train is None and data.dev is None and data.test is None:
        if data.unlabelled is None or len(data.unlabelled) < 20:
            raise DataError("at least 20 unlabelled texts are needed to compare models on", path=data.name)
        agreement = "agreement" if form_of(teacher.task).exclusive else metric_name(teacher.task)
        metric = agreement + _WITH_TEACHER
        return Prepared(_from_teacher(data.unlabelled, data, teacher, seed, threads), metric)
    # Reported before the recipe runs, not after it.
    for split, purpose in (("dev", "choose by"), ("test", "report on")):
        if getattr(data, split) is None:
            raise DataError(
                f"there is no {split} split to {purpose}",
                path=data.name,
                remedy=f"give a folder with {split}.jsonl in it, or name another file there: --split {split}=FILE",
            )
    return Prepared(_in_order(data, teacher), metric_name(teacher.task))


def _from_teacher(texts: Examples, data: Dataset, teacher: Artifact, seed: int, threads: int) -> Dataset:
    size = min(2000, len(texts) // 5)
    order = np.random.default_rng(seed).permutation(len(texts))
    predictor = open_predictor(teacher, threads=threads)

    def labelled(rows: np.ndarray) -> Examples:
        chosen = replace(texts.select(int(i) for i in rows), task=teacher.task)
        answers = decide(logits(predictor, chosen.inputs), teacher.task)
        return replace(chosen, labels=form_of(teacher.task).labels(answers))

    rest = replace(texts.select(int(i) for i in sorted(order[2 * size :])), task=teacher.task)
    note = f"no labels: {size} texts each were set aside as dev and test, with the teacher's answers as labels"
    return Dataset(
        task=teacher.task,
        dev=labelled(order[:size]),
        test=labelled(order[size : 2 * size]),
        unlabelled=rest,
        name=data.name,
        notes=(*data.notes, note),
    )


def _in_order(data: Dataset, teacher: Artifact) -> Dataset:
    """The same data, with labels numbered like the teacher's logits."""
    if data.task == teacher.task:
        return data
    if data.task.answer != teacher.task.answer:
        raise DataError(
            f"the data are of kind {data.task.kind!r} and the model of kind {teacher.task.kind!r}",
            path=data.name,
            remedy=_KIND_REMEDIES.get(
                (data.task.answer, teacher.task.answer), "give data of the model's kind, or say what it is with --kind"
            ),
        )
    same = by_number(data.task.labels, teacher.task.labels) is not None
    if form_of(data.task).per_word:
        same = set(types_of(data.task.labels)) <= set(types_of(teacher.task.labels))
    if not same and set(data.task.labels) - set(teacher.task.labels):
        raise DataError(
            f"the data's labels {list(data.task.labels)} are not the model's {list(teacher.task.labels)}",
            path=data.name,
        )

    def moved(examples: Examples | None) -> Examples | None:
        return None if examples is None else examples.for_task(teacher.task)

    return replace(
        data, task=teacher.task, train=moved(data.train), dev=moved(data.dev), test=moved(data.test),
        unlabelled=moved(data.unlabelled),
    )  # fmt: skip


def known_task(model: str) -> Task | None:
    """The task of an artifact, for reading data that may not show its kind or all labels; None for other models.

    Label names of a foreign checkpoint may be placeholders, which `models.store` matches with those of the data.
    """
    if is_artifact(model):
        return open_artifact(model, verify=False).task
    return None
