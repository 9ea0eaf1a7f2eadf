"""Several reports as one self-contained HTML file: no network, no script, readable on paper and on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from leanformer.render.blocks import blocks
from leanformer.render.charts import Point, drawable, latency_chart, pareto_chart
from leanformer.render.energy import chosen
from leanformer.render.losses import FLIP_HEADER, GROUP_HEADER, flip_rows, group_rows, has_loss, summary_words
from leanformer.render.several_reports import Gathered, cost_rows, step_words
from leanformer.render.svg import MARKS
from leanformer.render.table import HEADER, facts, ladder_rows
from leanformer.report import Report

# The minimum for a page of figures: even if a text were not escaped, it could load and run nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def report_page(gathered: Gathered) -> str:
    """The page. Everything that comes from data or users is escaped."""
    titles = " · ".join(report.title for report in gathered.reports.values())
    points = gathered.points()
    parts = [
        f"<h1>{escape(titles)}</h1>",
        *(_verdict(name, report) for name, report in gathered.reports.items()),
        "<h2>Quality against cost</h2>",
        _axes(points, gathered),
        "<h2>The ladder</h2>",
        *(_ladder(name, report, points, i) for i, (name, report) in enumerate(gathered.reports.items())),
        _latency(points),
        "<h2>Where quality was lost</h2>",
        *(_losses(report, points, i, gathered.texts) for i, report in enumerate(gathered.reports.values())),
        *(_blocks(name, report, gathered) for name, report in gathered.reports.items()),
        _cost(gathered),
        "<h2>How each was made</h2>",
        *(_lineage(point) for point in points),
        "<h2>Machine, data, commands</h2>",
        *(_circumstances(name, report) for name, report in gathered.reports.items()),
        f"<p class=soft>This page: <code>{escape(gathered.command)}</code></p>" if gathered.command else "",
    ]
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(titles)}</title>\n<style>\n{style}{_shown_figures(points)}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def _verdict(name: str, report: Report) -> str:
    if report.choice is None:
        return f"<p class=soft>{escape(name)}: measured side by side; nothing was chosen.</p>"
    status, reason = report.choice["status"].capitalize(), report.choice["reason"]
    return f"<p class=verdict><strong>{escape(status)}.</strong> {escape(reason[:1].upper() + reason[1:])}.</p>"


def _axes(points: Sequence[Point], gathered: Gathered) -> str:
    """One chart per measure, of which the selected one is shown; on paper all are."""
    measures = drawable(points)
    buttons = "".join(
        f'<input type="radio" name="axis" id="by-{measure.key}"{" checked" if i == 0 else ""}>'
        f'<label for="by-{measure.key}">{escape(measure.title.split(" (")[0].split(", ")[0])}</label>'
        for i, measure in enumerate(measures)
    )
    shapes = ""
    if len(gathered.reports) > 1:
        shapes = " Shapes: " + ", ".join(
            f"{MARKS[i % len(MARKS)]} {name}" for i, name in enumerate(gathered.reports)
        ) + "."  # fmt: skip
    caption = (
        "Numbers are those of the ladder below. Filled marks, joined by the line, are the Pareto front: no other rung "
        "is at least as good in both. Vertical lines: 95 % intervals of quality. Point at a mark for its recipe."
        + shapes
    )
    figures = "".join(
        f'<figure id="figure-{measure.key}">{pareto_chart(points, measure)}</figure>' for measure in measures
    )
    return f"<div class=axes>{buttons}{figures}</div><p class=caption>{escape(caption)}</p>"


def _shown_figures(points: Sequence[Point]) -> str:
    """The style that shows the chart whose button is selected."""
    return "".join(
        f"#by-{measure.key}:checked ~ #figure-{measure.key} {{ display: block; }}\n" for measure in drawable(points)
    )  # fmt: skip


def _ladder(name: str, report: Report, points: Sequence[Point], index: int) -> str:
    numbers = [point.number for point in points if point.report == index]
    rows = [(number, *row) for number, row in zip(numbers, ladder_rows(report), strict=True)]
    marked = next((i for i, rung in enumerate(report.rungs) if report.choice and rung is chosen(report)), None)
    sentences = "".join(f"<li>{escape(fact)}</li>" for fact in facts(report))
    table = _table(("#", *HEADER), rows, words=(1,), marked=marked)
    return f"<h3>{escape(name)}</h3>{table}<ul class=soft>{sentences}</ul>"


def _latency(points: Sequence[Point]) -> str:
    drawn = latency_chart(points)
    if not drawn:
        return ""
    caption = "Line: 5th to 95th percentile; bar: 20th to 80th; tick: median. One text at a time, tokenizer included."
    return f"<h2>Latency</h2><figure>{drawn}<figcaption>{caption}</figcaption></figure>"


def _losses(report: Report, points: Sequence[Point], index: int, texts: Sequence[str] | None) -> str:
    own = [point for point in points if point.report == index and has_loss(point.rung)]
    if not own:
        known = any(point.rung.loss for point in points if point.report == index)
        said = "no answer differs from the reference's" if known else "this report was written without the details"
        return f"<p class=soft>{escape(report.title)}: {said}.</p>"
    return "".join(_loss(point, texts, opened=point.rung is chosen(report)) for point in own)


def _loss(point: Point, texts: Sequence[str] | None, *, opened: bool) -> str:
    """One rung's losses, collapsed unless it is the chosen one."""
    rung, loss = point.rung, point.rung.loss or {}
    columns = [i for i, name in enumerate(FLIP_HEADER) if texts is not None or name != "text"]
    flips = [tuple(row[i] for i in columns) for row in flip_rows(rung, texts)]
    header = tuple(FLIP_HEADER[i] for i in columns)
    words = tuple(i for i, name in enumerate(header) if name not in ("row", "surely"))
    title = f"{point.number} {rung.name}: {100 * rung.drop:+.2f} points lost"
    return "".join(
        [
            f"<details{' open' if opened else ''}><summary>{escape(title)}</summary>",
            "<ul>" + "".join(f"<li>{escape(word)}</li>" for word in summary_words(rung)) + "</ul>",
            "<h3>By class, most lost first</h3>",
            _table(GROUP_HEADER, group_rows(loss["classes"], worst_first=True), words=(0,)),
            "<h3>By length in tokens</h3>",
            _table(GROUP_HEADER, group_rows(loss["lengths"], worst_first=False), words=(0,)),
            f"<h3>Changed answers ({len(flips)} of {loss['changed']}, lost ones first)</h3>",
            _table(header, flips, words=words),
            "</details>",
        ]
    )


def _blocks(name: str, report: Report, gathered: Gathered) -> str:
    """Energy, work and all other measurements, one section each."""
    of = f" ({name})" if len(gathered.reports) > 1 else ""
    return "".join(
        f"<h2>{escape(block.title + of)}</h2>"
        + (_table(block.header, block.rows, words=block.words) if block.rows else "")
        + (
            "<ul class=soft>" + "".join(f"<li>{escape(note)}</li>" for note in block.notes) + "</ul>"
            if block.notes
            else ""
        )
        for block in blocks(report, gathered.spent_usd)
    )


def _cost(gathered: Gathered) -> str:
    if not gathered.prices:
        return ""
    header = ("#", "rung", *(f"USD/100M at {price.name}" for price in gathered.prices))
    sources = "; ".join(
        f"{price.name}: {price.usd_per_hour:g} USD per hour for {price.cores} cores, of which those used are paid"
        + (f" ({price.source})" if price.source else "")
        for price in gathered.prices
    )
    table = _table(header, cost_rows(gathered), words=(1,))
    return f"<h2>Cost</h2>{table}<p class=soft>{escape(sources)}.</p>"


def _lineage(point: Point) -> str:
    steps = point.rung.lineage
    listed = (
        "<p class=soft>not recorded</p>"
        if not steps
        else "<ol>" + "".join(f"<li><code>{escape(step_words(step))}</code></li>" for step in steps) + "</ol>"
    )
    return (
        f"<details><summary>{point.number} {escape(point.rung.name)}</summary>"
        f"<p class=soft>{escape(point.rung.runtime)}; content {escape(point.rung.content_hash)}</p>{listed}</details>"
    )


def _circumstances(name: str, report: Report) -> str:
    rows = ", ".join(f"{count:,} {split}" for split, count in report.data.get("rows", {}).items())
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    command = f"<p>Command: <code>{escape(report.command)}</code></p>" if report.command else ""
    return (
        f"<h3>{escape(name)}</h3><p>Data: {escape(str(report.data.get('name', '')))}; {escape(rows)}; content "
        f"<code>{escape(str(report.data.get('content_hash', '')))}</code></p>{command}"
        + (f"<ul>{notes}</ul>" if notes else "")
    )


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, words: Sequence[int] = (), marked: int | None = None
) -> str:
    """A table that scrolls separately on a narrow screen; columns in `words` are left-aligned."""

    def cells(kind: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{kind}{_alignment(header[i], i in words, kind)}>{escape(value)}</{kind}>"
            for i, value in enumerate(values)
        )

    body = "".join(f"<tr{' class=chosen' if i == marked else ''}>{cells('td', row)}</tr>" for i, row in enumerate(rows))
    return f"<div class=wide><table><thead><tr>{cells('th', header)}</tr></thead><tbody>{body}</tbody></table></div>"


def _alignment(name: str, words: bool, kind: str) -> str:
    if not words:
        return ""
    return ' class="words long"' if name == "text" and kind == "td" else ' class="words"'
