"""The picture of a measured ladder for README: docs/pictures/NAME-report.svg, from benchmarks/results/NAME/.

    python -m benchmarks.pages.ladder_picture sst2 --result thorough

The chart is the report page's own (`leanformer report`), with the rungs named below it. With `--check` nothing is
written; the exit status tells whether the picture shows what the results say.
"""

from __future__ import annotations

import argparse
import sys
from html import escape

from benchmarks.paths import ROOT
from leanformer.files import write_text
from leanformer.render.charts import MEASURES, pareto_chart
from leanformer.render.several_reports import Gathered
from leanformer.render.svg import standalone
from leanformer.report import Report

WIDTH, CHART, LINE = 640, 400, 20


def drawn(report: Report, name: str) -> str:
    """The chart of quality against throughput and a line for each rung, as one SVG file."""
    points = Gathered({name: report}).points()
    chart = pareto_chart(points, MEASURES[0])
    lines = [
        f"{point.number}: {point.rung.name}: {100 * point.rung.quality:.2f} %, "
        f"{point.rung.throughput_per_second:,.0f} texts/s, {point.rung.bytes / 1e6:.1f} MB"
        for point in points
    ]
    threads, cpu = report.machine["threads"], report.machine["cpu"]
    lines.append(f"{report.title}; {report.rungs[0].n:,} test texts, {threads} threads of {cpu}")
    named = "".join(
        f'<text x="16" y="{CHART + LINE * (i + 1)}" text-anchor="start">{escape(line)}</text>'
        for i, line in enumerate(lines)
    )
    return standalone(chart, named, width=WIDTH, chart_height=CHART, height=CHART + LINE * len(lines) + 12)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--result", default="report", help="name of the stored ladder")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    report = Report.read(ROOT / "benchmarks" / "results" / arguments.dataset / f"{arguments.result}.json")
    path = ROOT / "docs" / "pictures" / f"{arguments.dataset}-report.svg"
    made = drawn(report, arguments.dataset)
    if arguments.check:
        return int(not path.is_file() or path.read_text(encoding="utf-8") != made)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
