"""What a search tells of itself: how many trials, the expected best, and the pages made of it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from leanformer.render.search import expected_chart, search_markdown, trials_chart
from leanformer.search.jobs.executor import Job, Result
from leanformer.search.study.budget import SearchBudget
from leanformer.search.study.record import chosen_from, describe_search, expected
from leanformer.search.study.study import Study
from leanformer.search.study.trial import FINISHED
from tests.making.searches import SIMPLE, figures, option, pretended
from tests.search.study.test_study import HALVED, run

FACTS = {"sampler": "random", "seed": 13, "metric": "accuracy", "teacher_quality": 0.95, "table": None}


def record_of(study: Study) -> dict[str, object]:
    return describe_search(study, SearchBudget(trials=12), "12 trials are done", FACTS)


def test_every_winner_says_among_how_many(tmp_path: Path):
    study = run(tmp_path, HALVED, trials=12)
    words = chosen_from(record_of(study))
    done = len(study.of_state(FINISHED))
    assert words.startswith(f"12 trials on dev ({done} finished, {12 - done} stopped early")


def test_the_record_is_json_and_makes_pages(tmp_path: Path):
    record = record_of(run(tmp_path, HALVED, trials=12))
    assert json.loads(json.dumps(record)) == record
    for chart in (expected_chart(record), trials_chart(record)):
        ElementTree.fromstring(chart)
    text = search_markdown(record, chosen_from(record))
    assert "## The front on dev" in text and "| trials | quality | minutes |" in text
    assert text.count("student.layers=") >= 12


def test_the_curve_is_of_quality_and_ends_at_the_best(tmp_path: Path):
    study = run(tmp_path, trials=10)
    found = expected(study)
    assert found is not None
    qualities = [trial.figures["quality"] for trial in study.of_state(FINISHED)]
    assert found["figure"] == "quality" and found["trials"] == 10
    assert found["curve"][-1] == pytest.approx(max(qualities))
    assert found["curve"][0] == pytest.approx(sum(qualities) / 10)
    assert found["seconds_per_trial"] == pytest.approx(10)


def test_the_curve_of_a_cost_falls(tmp_path: Path):
    found = expected(run(tmp_path, SIMPLE.replace("  maximise: accuracy\n", ""), trials=6))
    assert found is not None and found["figure"] == "bytes"
    assert found["curve"] == sorted(found["curve"], reverse=True) and found["curve"][-1] == 1000


def test_a_search_without_any_figure_still_has_a_record(tmp_path: Path):
    def lacking(job: Job) -> Result:
        made = figures(quality=0.5, bytes=1000 * option(job, "student", "layers"))
        return pretended(job) | {"figures": made | {"parameters": None}}

    study = run(
        tmp_path, "goals: {minimise: parameters}\n" + SIMPLE.partition("bytes\n")[2], trials=3, function=lacking
    )
    assert expected(study) is None
    record = record_of(study)
    assert expected_chart(record) == trials_chart(record) == ""
    assert "## All trials on dev" in search_markdown(record, chosen_from(record))
