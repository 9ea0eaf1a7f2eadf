"""The ship gate: what it ships, what it holds back, and what it says before it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from leanformer.errors import LeanformerError
from leanformer.measure.bounds import BROKEN, SHOWN, UNDECIDED, Bounds, Verdict
from leanformer.measure.ship_gate import forecast, judge
from leanformer.metrics.correlation import spearman
from leanformer.metrics.noninferiority import ExactLoss, noninferiority_p
from leanformer.metrics.tagging import entity_f1
from leanformer.render.verdict import verdict_lines
from leanformer.tagging.ragged import ragged
from leanformer.task import Task

TASK = Task("classification", ("a", "b", "c"))
Cases = tuple[np.ndarray, np.ndarray, np.ndarray]


def answers(n: int, lost: int, gained: int, sideways: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Model, reference and labels of three classes with exactly these differences, spread over the rows."""
    labels = np.arange(n) % 3
    ours, theirs = labels.copy(), labels.copy()
    rows = np.random.default_rng(0).permutation(n)
    a, b, c = np.split(rows[: lost + gained + sideways], [lost, lost + gained])
    ours[a] = (labels[a] + 1) % 3
    theirs[b] = (labels[b] + 1) % 3
    ours[c], theirs[c] = (labels[c] + 1) % 3, (labels[c] + 2) % 3
    return ours, theirs, labels


def verdict_on(cases: Cases, bounds: Bounds, groups: Mapping[str, Sequence[str]] | None = None) -> Verdict:
    return judge(*cases, TASK, bounds, groups)


def test_a_model_that_never_differs_ships_where_the_texts_are_enough():
    assert verdict_on(answers(299, 0, 0), Bounds()).ships
    held = verdict_on(answers(298, 0, 0), Bounds())
    assert not held.ships
    assert held.checks[0].status == UNDECIDED
    assert held.checks[0].more == 1


def test_the_counts_are_those_of_the_answers():
    check = verdict_on(answers(2000, 9, 5, sideways=7), Bounds()).checks[0]
    assert (check.n, check.lost, check.gained, check.changed) == (2000, 9, 5, 21)
    assert check.value == pytest.approx(0.002)
    assert check.p == noninferiority_p(9, 5, 2000, 0.01)
    assert check.status == SHOWN
    assert check.value < check.limit < check.bound


def test_a_broken_bound_is_told_from_an_undecided_one():
    broken = verdict_on(answers(2000, 90, 10), Bounds()).checks[0]
    assert (broken.status, broken.more) == (BROKEN, None)
    near = verdict_on(answers(2000, 40, 18), Bounds()).checks[0]
    assert (near.status, near.more) == (UNDECIDED, None), "1.1 points lost: more texts would not show less than 1"
    unsure = verdict_on(answers(2000, 40, 30), Bounds()).checks[0]
    assert unsure.status == UNDECIDED
    assert unsure.more is not None
    grown = 2000 + unsure.more
    assert verdict_on(answers(grown, 40 * grown // 2000, 30 * grown // 2000), Bounds()).ships


def test_changed_answers_are_bounded_whoever_is_right():
    """Ten answers go from one wrong class to another: accuracy is untouched, and a strict bound still holds it back."""
    cases = answers(1000, 0, 0, sideways=10)
    assert verdict_on(cases, Bounds(max_drop=1.0)).ships
    verdict = verdict_on(cases, Bounds(max_drop=1.0, max_flips=1.0))
    assert [check.status for check in verdict.checks] == [SHOWN, UNDECIDED]
    assert verdict_on(cases, Bounds(max_flips=2.0)).ships
    assert verdict_on(cases, Bounds(max_flips=0.3)).checks[1].status == BROKEN
    assert 0.01 < verdict.checks[1].limit < 0.02


def test_one_bad_group_is_enough_to_hold_it():
    ours, theirs, labels = answers(3000, 0, 0)
    groups = {"region": tuple("north" if i % 3 else "south" for i in range(3000))}
    ours[np.arange(0, 120, 3)] += 1  # forty texts of the south, in 3,000 no more than 1.33 points
    ours %= 3
    bounds = Bounds(max_drop=2.0, slices={"region": 2.0})
    verdict = verdict_on((ours, theirs, labels), bounds, groups)
    assert [(check.name, check.status) for check in verdict.checks] == [
        ("accuracy", SHOWN), ("region north", SHOWN), ("region south", BROKEN),
    ]  # fmt: skip
    assert not verdict.ships
    assert verdict_on((ours, theirs, labels), Bounds(max_drop=2.0)).ships, "without the group nobody would have seen it"


def test_each_grouping_has_the_bound_that_was_asked_for_it():
    """Of 500 texts in two groups none differs: enough for 1 point in all of them, and in 250 for 2 points and not 1."""
    cases, groups = answers(500, 0, 0), {"region": tuple("north" if i % 2 else "south" for i in range(500))}
    for points, status in ((1.0, UNDECIDED), (2.0, SHOWN)):
        checks = verdict_on(cases, Bounds(max_drop=1.0, slices={"region": points}), groups).checks
        assert [check.status for check in checks] == [SHOWN, status, status]
        assert [check.bound for check in checks] == pytest.approx([0.01, points / 100, points / 100])


def test_it_says_beforehand_what_cannot_be_shown():
    (said,) = forecast(np.arange(250) % 3, TASK, Bounds(max_drop=1.0))
    assert "cannot show" in said and "299" in said
    (said,) = forecast(np.arange(1821) % 3, TASK, Bounds(max_drop=1.0))
    assert "can show" in said and "2.7 %" in said
    lengths = ["9"] * 30 + ["10"] * 370
    bounds = Bounds(max_drop=5.0, max_flips=0.5, slices={"length": 5.0})
    said = forecast(np.arange(400) % 3, TASK, bounds, {"length": lengths})
    assert len(said) == 4
    assert "cannot" in said[1] and "598" in said[1]
    assert said[2].startswith("length 9: 30 texts cannot") and said[3].startswith("length 10: 370 texts can show")


def test_what_two_good_models_may_differ_in_is_what_the_test_bears():
    """At the share named, about four simulated models in five ship; with twice as many differences far fewer."""
    n, margin = 900, 0.02
    share = ExactLoss(0, 0, n).bearable(margin, 0.95, 0.8)
    assert share is not None
    generator = np.random.default_rng(1)
    rates = []
    for differing in (share, 2 * share):
        drawn = generator.multinomial(n, [differing / 2, differing / 2, 1 - differing], size=150)
        rates.append(np.mean([noninferiority_p(int(b), int(c), n, margin) <= 0.05 for b, c, _ in drawn]))
    assert 0.7 < rates[0] < 0.92
    assert rates[1] < rates[0] - 0.1


@pytest.mark.parametrize(
    "options",
    [{"max_drop": 0.0}, {"max_drop": -1.0}, {"max_drop": float("nan")}, {"confidence": 1.0}, {"confidence": 0.3},
     {"max_flips": 0.0}, {"slices": {"length": 0.0}}, {"max_recall_drop": 0.0}, {"figures": {"macro-F1": -1.0}}],
)  # fmt: skip
def test_bounds_that_cannot_be_meant_are_refused(options: dict[str, float]):
    with pytest.raises(LeanformerError):
        Bounds(**options)  # type: ignore[arg-type]


def test_the_words_name_what_failed_and_what_would_help():
    lines = verdict_lines(verdict_on(answers(2000, 40, 30), Bounds()))
    assert lines[0].startswith("HOLD") and "accuracy" in lines[0]
    assert "40 lost and 30 gained of 2000" in lines[1] and "more texts would show it" in lines[1]
    assert verdict_lines(verdict_on(answers(2000, 3, 3), Bounds()))[0].startswith("SHIP")
    assert "more texts will not help" in verdict_lines(verdict_on(answers(2000, 90, 10), Bounds()))[1]


def test_the_verdict_is_plain_json():
    import json

    value = json.loads(json.dumps(verdict_on(answers(500, 3, 3), Bounds(slices={}, max_flips=5.0)).to_json()))
    assert value["ships"] is True
    assert [check["name"] for check in value["checks"]] == ["accuracy", "changed answers"]


def test_what_is_said_of_single_bounds_is_corrected_and_shipping_is_not():
    """Three bounds are each shown with 1,000 texts at p = 0.02 or so; one that is broken makes that p too large."""
    cases = answers(400, 0, 0)
    groups = {"half": tuple("ab"[i % 2] for i in range(400))}
    bounds = Bounds(max_drop=1.0, slices={"half": 1.6})
    verdict = verdict_on(cases, bounds, groups)
    assert verdict.ships and [check.status for check in verdict.checks] == [SHOWN] * 3
    assert all(0.0166 < check.p < 0.05 for check in verdict.checks)
    ours, theirs, labels = cases
    ours = np.where((np.arange(400) % 2 == 1) & (np.arange(400) < 80), (labels + 1) % 3, labels)
    held = verdict_on((ours, theirs, labels), bounds, groups)
    assert [check.status for check in held.checks] == [BROKEN, UNDECIDED, BROKEN]
    north = held.checks[1]
    assert north.p < 0.05 < north.p_holm, "shown by itself, and one of three"
    lines = verdict_lines(held)
    assert lines[0] == "HOLD: not shown at 95 % confidence: accuracy, half b"
    assert "shown by itself, but not together with the other bounds (Holm)" in lines[2]


TAGS = Task("tokens", ("O", "B-X", "I-X", "B-Y", "I-Y"))


def tagged(n: int) -> np.ndarray:
    """Sentences of 6 words: an X of two words, and in one of ten a Y."""
    return ragged([np.array([0, 1, 2, 0, 3 if row % 10 == 0 else 0, 0]) for row in range(n)])


def without(tags: np.ndarray, tag: int, rows: Sequence[int]) -> np.ndarray:
    chosen = {*rows}
    return ragged([np.where(row == tag, 0, row) if number in chosen else row for number, row in enumerate(tags)])


def test_entities_are_judged_by_sentence_and_a_type_that_vanishes_breaks_its_recall():
    targets = tagged(2000)
    few = without(targets, 3, range(0, 100, 10))  # ten of 200 Y
    verdict = judge(few, targets, targets, TAGS, Bounds(max_drop=2.0))
    assert verdict.ships
    assert [figure.name for figure in verdict.figures] == ["F1 of X", "F1 of Y"]
    check = verdict.checks[0]
    assert (check.name, check.lost, check.gained, check.changed, check.exact) == ("entity F1", 10, 0, 10, False)
    assert (check.model, check.reference) == (pytest.approx(entity_f1(few, targets, TAGS.labels)), 1.0)
    assert check.value == pytest.approx(1 - entity_f1(few, targets, TAGS.labels))
    bounds = Bounds(max_drop=20.0, max_recall_drop=10.0)
    checks = {check.name: check for check in judge(few, targets, targets, TAGS, bounds).checks}
    assert checks["recall of X"].status == SHOWN
    assert checks["recall of Y"].value == pytest.approx(0.05) and checks["recall of Y"].n == 200
    none = judge(without(targets, 3, range(2000)), targets, targets, TAGS, bounds)
    assert not none.ships
    assert [check.status for check in none.checks] == [SHOWN, SHOWN, BROKEN]


def test_rows_of_a_document_are_one_unit():
    """Forty lost entities in forty sentences of ten documents say less than forty in sentences of their own."""
    targets = tagged(1000)
    ours = without(targets, 1, range(40))
    alone = judge(ours, targets, targets, TAGS, Bounds(max_drop=6.0))
    documents = [str(row // 4) for row in range(1000)]
    together = judge(ours, targets, targets, TAGS, Bounds(max_drop=6.0), documents=documents)
    assert alone.checks[0].value == together.checks[0].value
    assert together.checks[0].p > 3 * alone.checks[0].p
    exact = judge(*answers(400, 4, 0), TASK, Bounds(max_drop=4.0, max_flips=5.0), documents=documents[:400])
    assert [check.exact for check in exact.checks] == [False, False]


def test_several_labels_have_a_micro_f1_and_bounds_on_further_figures():
    task = Task("multilabel", ("a", "b", "rare"))
    targets = (np.random.default_rng(1).random((3000, 3)) < [0.5, 0.4, 0.03]).astype(int)
    ours = targets.copy()
    ours[:, 2] = 0
    bounds = Bounds(max_drop=3.0, figures={"macro-F1": 3.0, "F1 of a": 1.0}, max_recall_drop=5.0)
    verdict = judge(ours, targets, targets, task, bounds)
    statuses = {check.name: check.status for check in verdict.checks}
    assert statuses == {
        "micro-F1": SHOWN, "macro-F1": BROKEN, "F1 of a": SHOWN, "recall of a": SHOWN, "recall of b": SHOWN,
        "recall of rare": BROKEN,
    }  # fmt: skip
    figures = {figure.name: figure for figure in verdict.figures}
    assert figures["F1 of rare"].loss == 1.0 and "macro-F1" not in figures
    assert any(line.startswith("  F1 of b, not bounded: +0.00 points lost") for line in verdict_lines(verdict))


def test_scores_are_judged_by_spearman_and_errors_in_their_own_unit():
    task, generator = Task("similarity", ()), np.random.default_rng(2)
    targets = generator.normal(size=1500)
    theirs = targets + 0.3 * generator.normal(size=1500)
    ours = theirs + 0.05 * generator.normal(size=1500)
    verdict = judge(ours, theirs, targets, task, Bounds(max_drop=1.0, figures={"mean absolute error": 0.02}))
    assert verdict.ships
    spearman_check, error = verdict.checks
    assert spearman_check.value == pytest.approx(spearman(theirs, targets) - spearman(ours, targets))
    assert error.value == pytest.approx(np.abs(ours - targets).mean() - np.abs(theirs - targets).mean())
    assert (spearman_check.lost, spearman_check.changed, error.points) == (None, None, False)
    line = verdict_lines(verdict)[2]
    assert line.startswith("  mean absolute error: shown") and "allowed 0.02" in line and "worse" in line
    said = forecast(targets[:60], task, Bounds(max_drop=1.0))
    assert "60 texts cannot show a loss below 1 points" in said[0]


@pytest.mark.parametrize(
    ("task", "bounds", "said"),
    [
        (Task("similarity", ()), Bounds(max_flips=1.0), "answers that are numbers do not flip"),
        (Task("similarity", ()), Bounds(max_recall_drop=1.0), "no class has a recall"),
        (Task("choice", ()), Bounds(max_recall_drop=1.0), "no class has a recall"),
        (Task("similarity", ()), Bounds(figures={"macro-F1": 1.0}), "name one of mean absolute error"),
        (TASK, Bounds(figures={"accuracy": 1.0}), "name one of macro-F1"),
        (Task("choice", ()), Bounds(figures={"accuracy": 1.0}), "there is no other"),
    ],
)
def test_bounds_that_a_form_does_not_have_are_refused_before_any_answer(task: Task, bounds: Bounds, said: str):
    targets = np.arange(20) % 3 if task.labels or task.kind == "choice" else np.arange(20.0)
    with pytest.raises(LeanformerError, match=said):
        forecast(targets, task, bounds)


def test_a_class_without_rows_is_not_shown():
    verdict = verdict_on((np.zeros(500, int), np.zeros(500, int), np.zeros(500, int)), Bounds(max_recall_drop=5.0))
    assert [(check.status, check.limit) for check in verdict.checks[2:]] == [(UNDECIDED, None)] * 2
    assert not verdict.ships
    assert (
        "no limit with so few texts" in verdict_lines(verdict)[3] and "add texts that can" in verdict_lines(verdict)[3]
    )
    assert "none of them can lose anything" in forecast(np.zeros(500, int), TASK, Bounds(max_recall_drop=5.0))[2]


def test_what_a_forecast_calls_enough_is_enough():
    """As many rows as it takes if no answer changed, and one row less."""
    targets = tagged(100)
    (said,) = forecast(targets, TAGS, Bounds(max_drop=2.0))
    takes = int(said.split("that takes ")[1].split(";")[0])
    for n, ships in ((takes + 2, True), (takes - 5, False)):
        assert judge(tagged(n), tagged(n), tagged(n), TAGS, Bounds(max_drop=2.0)).ships is ships


def test_more_rows_of_the_kind_that_was_seen_decide_it():
    targets = tagged(600)
    ours = without(targets, 1, range(12))
    check = judge(ours, targets, targets, TAGS, Bounds(max_drop=2.4)).checks[0]
    assert check.status == UNDECIDED and check.more
    grown = 600 + check.more
    lost = round(grown * 12 / 600)
    assert judge(without(tagged(grown), 1, range(lost)), tagged(grown), tagged(grown), TAGS, Bounds(max_drop=2.4)).ships
