"""How leaks are told: in words and beside the figures, and not at all in tables where there are none."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from leanformer.artifact import write_manifest
from leanformer.render.card import model_card
from leanformer.render.leaks import clean_mark, leak_blocks, leak_facts
from leanformer.render.markdown import report_markdown
from leanformer.render.page import report_page
from leanformer.render.several_reports import Gathered
from leanformer.render.terminal import print_report
from leanformer.report import Report
from leanformer.task import Task
from tests.making.reports import make_report, make_rung

CLEAN = {
    "n_clean": 53, "quality_clean": 0.8765, "drop_clean": 0.0234, "drop_clean_low": -0.011, "drop_clean_high": 0.045,
    "n_distinct": 41, "quality_distinct": 0.8012,
}  # fmt: skip
NONE = {"n_clean": 60, "quality_clean": 0.9123, "n_distinct": 60, "quality_distinct": 0.9123}
NEARLY = "(character 5-grams, Jaccard >= 0.8)"


def report_of(fields: dict[str, Any], test: dict[str, Any] | None, dev: dict[str, Any] | None = None) -> Report:
    rungs = (make_rung("first", **fields), make_rung("int8", **fields))
    return make_report(*rungs, data={"name": "tiny", "rows": {"test": 60}, "leaks": {"test": test, "dev": dev}})


def counts(exact: int, near: int | None, *compared: str, n: int = 60) -> dict[str, Any]:
    return {"n": n, "exact": exact, "near": near, "compared": list(compared or ("train",))}


LEAKY = report_of(CLEAN, counts(7, 19), counts(2, None, n=30))


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (counts(0, 0), f"No test text is in train, and none nearly equals a text there {NEARLY}."),
        (counts(0, 4), f"No test text is in train; 4 of 60 nearly equal a text there or are the same {NEARLY}."),
        (counts(0, 0, "train", "unlabelled", "dev"), "No test text is in train or dev, which was taken out of it or the"
         f" unlabelled texts, and none nearly equals a text there {NEARLY}."),
        (counts(0, None), "No test text is in train; near repeats were not looked for in more than 5,000,000"
         " characters."),
        (None, "Whether test texts are in the training data is not known: there was neither train nor unlabelled text"
         "."),
    ],
)  # fmt: skip
def test_no_leak_is_one_line_and_nothing_in_the_tables(test: dict[str, Any] | None, said: str):
    fields = NONE if test is not None and not test["near"] else {"n_clean": None if test is None else 60}
    report = report_of(fields, test)
    assert leak_facts(report) == [said]
    assert "clean" not in report_markdown(report) and leak_blocks(report) == []
    assert clean_mark(report.rungs[0]) == ""


def test_leaks_are_counted_in_words():
    (said,) = leak_facts(LEAKY)
    assert said == (
        "7 of 60 test texts are also in train; 19 of 60 nearly equal a text there or are the same "
        f'{NEARLY}. "Clean" is the figure on the other 53. Of dev, 2 of 30 texts are in train.'
    )
    (said,) = leak_facts(report_of(CLEAN, counts(7, 7)))
    assert said.startswith(f"7 of 60 test texts are also in train, and none else nearly equals a text there {NEARLY}. ")


def test_every_view_has_the_clean_score(tmp_path: Path):
    task = Task("classification", ("a", "b"))
    artifact = write_manifest(tmp_path, format="onnx", task=task, max_tokens=48, history=())
    written = StringIO()
    print_report(LEAKY, Console(file=written, width=400))
    card = model_card(artifact, LEAKY)
    page = report_page(Gathered({"tiny": LEAKY}))
    for shown in (report_markdown(LEAKY), page, written.getvalue(), card):
        assert "91.23 (clean 87.65)" in shown
        assert "7 of 60 test texts are also in train" in " ".join(shown.split())
    # Unlabelled texts that a student is trained on are no train split.
    assert (
        "91.23 % on 60 test texts (89.1 to 93.4), 87.65 on the 53 of them that are not among the training texts;"
        in card
    )
    assert "91.23 % accuracy (clean 87.65)" in page  # where a mark of the picture is pointed at
    assert "| first | 91.23 | 87.65 | +2.34 | -1.1 to +4.5 | 80.12 |" in report_markdown(LEAKY)


def test_near_repeats_alone_have_their_score():
    report = report_of({**NONE, "n_distinct": 41, "quality_distinct": 0.8012}, counts(0, 19))
    assert clean_mark(report.rungs[0]) == ""
    assert "| first | 91.23 | 91.23 | - | - | 80.12 |" in report_markdown(report)


def test_where_all_of_test_leaks_there_is_no_score():
    report = report_of({"n_clean": 0, "n_distinct": 0}, counts(60, 60))
    assert "91.23 (clean -)" in report_markdown(report)
    assert '"Clean" is the figure on the other 0.' in leak_facts(report)[0]


def test_an_earlier_report_tells_its_count_alone():
    def earlier(overlap: dict[str, int]) -> list[str]:
        return leak_facts(make_report(data={"name": "tiny", "overlap": overlap}))

    assert earlier({"test_in_train": 7, "dev_in_train": 1}) == [
        "7 of 60 test texts are also in train; this report has no score without them."
    ]
    assert earlier({"test_in_train": 1})[0].startswith("1 of 60 test texts is also in train;")
    assert earlier({"test_in_train": 0}) == ["No test text is in train."]
    assert earlier({}) == []


def test_a_report_keeps_it(tmp_path: Path):
    LEAKY.write(tmp_path / "report.json")
    read = Report.read(tmp_path / "report.json")
    assert read.rungs[0].n_clean == 53 and read.rungs[0].quality_distinct == 0.8012
    assert report_markdown(read) == report_markdown(LEAKY)
