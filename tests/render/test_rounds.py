"""The block of the rounds, and the spread in the ladder."""

from __future__ import annotations

from leanformer.render.markdown import report_markdown
from leanformer.render.page import report_page
from leanformer.render.rounds import ROUNDS_HEADER, rounds_notes, rounds_rows
from leanformer.render.several_reports import Gathered
from leanformer.render.table import HEADER, facts, ladder_rows
from leanformer.report import Report
from tests.making.reports import make_report, make_rung


def timed() -> Report:
    rounds = {
        "throughput": {"1": 900.0, "2": 1100.0, "3": 1000.0}, "warm": {"1": 1300.0}, "inference": {"1": 1500.0},
        "latency": {"1": 2.5, "2": 2.0},
    }  # fmt: skip
    intervals = {"speedup": [9.5, 10.5], "over_batched": [3.0, 3.25], "marginal": [1.0, 1.5]}
    rung = make_rung(
        "small", throughput_per_second=1000.0, throughput_median=1000.0, throughput_warm=1300.0, over_batched=3.1,
        rounds=rounds, intervals=intervals,
    )  # fmt: skip
    return make_report(rung, timing={"rounds": 3, "read_before": 1000})


def test_a_row_has_median_spread_and_intervals():
    (row,) = rounds_rows(timed())
    assert dict(zip(ROUNDS_HEADER, row, strict=True)) == {
        "rung": "small", "rounds": "3", "texts/s": "1,000", "min to max": "900 to 1,100", "word cache warm": "1,300",
        "without tokenizer": "23,457", "x, 95 %": "9.50 to 10.50", "over batched PyTorch, 95 %": "3.00 to 3.25",
        "x step, 95 %": "1.00 to 1.50", "p50 ms, min to max": "2 to 2.5",
    }  # fmt: skip


def test_the_ladder_has_the_spread_and_both_speedups():
    row = dict(zip(HEADER, ladder_rows(timed())[0], strict=True))
    assert (row["texts/s"], row["min to max"], row["over batched PyTorch"]) == ("1,000", "900 to 1,100", "3.10")
    assert HEADER.index("over batched PyTorch") == HEADER.index("x") + 1, "the two stand beside one another"


def test_the_block_stands_in_the_written_forms():
    for text in (report_markdown(timed()), report_page(Gathered({"a": timed()}))):
        assert "Rounds" in text and "900 to 1,100" in text and rounds_notes(timed())[0] in text


def test_how_it_was_timed_is_told():
    said = " ".join(facts(timed()))
    assert "median of the rounds" in said and "word cache as after 1,000 other texts" in said and "best" not in said
    assert "word cache empty" in " ".join(facts(make_report(timing={"rounds": 3, "read_before": 0})))


def test_a_report_of_an_earlier_version_has_no_rounds():
    report = make_report()
    assert rounds_rows(report) == [] and rounds_notes(report) == []
    assert "## Rounds" not in report_markdown(report)
    assert dict(zip(HEADER, ladder_rows(report)[0], strict=True))["min to max"] == "-"
    assert "word cache warm" in " ".join(facts(report))
