"""Every form of answer has its line in every table, and one that has none is refused wherever it is met."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import leanformer
from leanformer.answers.form import Form
from leanformer.answers.forms import (
    FORMS,
    beaten_by,
    changed,
    changed_answers,
    decide,
    form_of,
    metric_name,
    metric_of,
    probability_agreement,
    score_logits,
    to_predictions,
)  # fmt: skip
from leanformer.compress.distil.choose_layers import answer_distance
from leanformer.compress.prune.importance import row_losses
from leanformer.data.carving import strata
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.data.label_forms import LABEL_FORMS
from leanformer.data.reading.rows import mismatch
from leanformer.data.reading.settling import settle
from leanformer.data.row import Row
from leanformer.errors import LeanformerError
from leanformer.export.parity import compare, gate_examples
from leanformer.measure.lost import lost_labels
from leanformer.measure.quality import measure_quality
from leanformer.models.heads import HEADS
from leanformer.models.hf.problem_types import PROBLEMS
from leanformer.questions import check_texts
from leanformer.search.space.goals import _METRICS
from leanformer.serve.http.inputs import OPTIONS
from leanformer.serve.http.schemas import routes_of
from leanformer.task import BUILT, Kind, Task
from leanformer.train.objectives.answers import LOSSES
from leanformer.train.objectives.distillation import Distillation, LossWeights
from leanformer.train.objectives.objective import LabelLoss
from leanformer.train.targets import labels_of, with_scale, with_thresholds
from leanformer.train.teacher_outputs import TeacherOutputs

SOURCE = Path(leanformer.__file__).parent
LOGITS = np.zeros((3, 2), dtype=np.float32)
ANSWERS = np.zeros(3, dtype=np.int64)
NO_OUTPUTS = TeacherOutputs(LOGITS, ANSWERS, {}, {}, {})


def test_the_table_names_the_forms_of_all_kinds() -> None:
    assert set(FORMS) == {kind.answer for kind in BUILT.values()}
    assert all(form.name == name for name, form in FORMS.items())


def test_losses_are_those_of_the_forms_that_can_be_taught() -> None:
    assert set(LOSSES) == {name for name, form in FORMS.items() if form.taught}


def test_labels_in_rows_are_of_the_forms_that_can_be_taught() -> None:
    assert set(LABEL_FORMS) == {name for name, form in FORMS.items() if form.taught}


def test_a_server_knows_what_each_form_is_asked_for() -> None:
    assert {form.route for form in FORMS.values()} - {""} == set(OPTIONS)


def test_every_figure_can_be_a_search_s_goal() -> None:
    assert {form.metric for form in FORMS.values() if form.taught} <= set(_METRICS.values())


def test_a_form_that_leaves_something_out_cannot_be_made() -> None:
    class Half(Form):
        def decide(self, values: np.ndarray, task: Task) -> np.ndarray:
            return values

    with pytest.raises(TypeError, match=r"abstract methods '?after_training.*unknown"):
        Half("half", "predict", None, "", False, True, False)  # type: ignore[abstract]


def test_hardly_anything_outside_the_room_compares_the_form_with_a_name() -> None:
    """What matters about a form is a field of it; the lines left compare two forms, or look one up in a list."""
    compares = re.compile(
        r"(?<!for )(?<!not )answer (==|!=|in|not in) |(==|!=) [a-z_.]*\banswer\b"
        rf"|\bkind (==|!=|in|not in) ?\(?(None, )?[\"']({'|'.join(BUILT)})[\"']"
    )
    lines = [
        f"{path.relative_to(SOURCE)}: {line.strip()}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path.parent.name != "answers"
        for line in path.read_text(encoding="utf-8").splitlines()
        if compares.search(line)
    ]
    assert len(lines) <= 5, lines


def test_heads_are_those_of_all_forms() -> None:
    assert set(HEADS) == set(FORMS)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task of a kind whose answers have a form that nothing knows."""
    monkeypatch.setitem(BUILT, "made-up", Kind("text", "sorting"))
    return Task("made-up", ("a", "b"))


def unlabelled(task: Task) -> Examples:
    return Examples(task, ("x", "y", "z"), None)


@pytest.mark.parametrize(
    "ask",
    [
        lambda task: decide(LOGITS, task),
        lambda task: to_predictions(LOGITS, task),
        lambda task: metric_name(task),
        lambda task: metric_of(task),
        lambda task: score_logits(LOGITS, ANSWERS, task),
        lambda task: form_of(task).same(ANSWERS, ANSWERS),
        lambda task: changed(LOGITS, LOGITS, task),
        lambda task: probability_agreement(LOGITS, LOGITS, task),
        lambda task: changed_answers(LOGITS, LOGITS, task),
        lambda task: beaten_by(ANSWERS, ANSWERS, task),
        lambda task: measure_quality(LOGITS, ANSWERS, LOGITS, task),
        lambda task: lost_labels(ANSWERS, ANSWERS, ANSWERS, task),
        lambda task: compare(LOGITS, LOGITS, task),
        lambda task: check_texts(["a text"], task),
        lambda task: Examples(task, ("x",), (0,)),
        lambda task: strata(unlabelled(task)),
        lambda task: labels_of(unlabelled(task)),
        lambda task: with_scale(task, unlabelled(task)),
        lambda task: with_thresholds(task, LOGITS, unlabelled(task)),
        lambda task: LOSSES[task.answer],
        lambda task: HEADS[task.answer],
        lambda task: LABEL_FORMS[task.answer],
        lambda task: PROBLEMS[task.answer],
        lambda task: LabelLoss(task.answer),
        lambda task: Distillation(NO_OUTPUTS, LossWeights(), answer=task.answer),
        lambda task: row_losses(task.answer),
        lambda task: answer_distance(LOGITS, LOGITS, task.answer),
        lambda task: settle([], task.kind),
        lambda task: mismatch(Row(1, "x", label="a"), task.kind),
        lambda task: FORMS[task.answer].route,
        lambda task: gate_examples(Dataset(task, unlabelled=unlabelled(task))),
        lambda task: routes_of({"model": task}),
    ],
)
def test_a_form_that_is_not_built_is_refused(ask: Callable[[Task], object], made_up: Task) -> None:
    with pytest.raises(LeanformerError, match=r"answers of the form 'sorting' are not built; .*label.* are\n.*remedy"):
        ask(made_up)


def test_vectors_are_refused_where_labels_are_asked_for() -> None:
    vector = FORMS["vector"]
    for ask in (
        lambda: vector.metric,
        lambda: vector.draw(LOGITS, np.random.default_rng(0)),
        lambda: vector.strata(ANSWERS, (), None),
        lambda: vector.check((0,), ("x",), 1),
    ):
        with pytest.raises(LeanformerError, match="a model that gives vectors has no labels"):
            ask()
    assert not vector.changed(LOGITS, LOGITS + 1, Task("embedding", (), width=2)).any()


def test_vectors_stray_clearly_from_a_fiftieth_on() -> None:
    task, reference = Task("embedding", (), width=2), np.array([[1.0, 0.0], [2.0, 0.0]])
    assert changed_answers(reference + np.array([[0, 0.03], [0, 0.03]]), reference, task) == 0.5
