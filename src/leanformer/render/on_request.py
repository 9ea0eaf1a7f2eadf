"""The optional measurements as blocks: slices, gaps, seed churn, robustness and stability."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from leanformer.render.block import ReportBlock
from leanformer.render.losses import GROUP_HEADER, group_rows
from leanformer.render.table import number
from leanformer.report import Report, Rung

GAP_HEADER = ("rung", "column", "opportunity", "reference", "parity", "reference", "smallest group")
ROBUSTNESS_HEADER = (
    "rung",
    "change",
    "quality",
    "lost by it",
    "the reference loses",
    "answers changed",
    "texts touched",
)
STABILITY_HEADER = ("rung", "run", "answers changed", "largest logit difference", "bit for bit the same")
_UNKNOWN = "-"


def _losses(report: Report, key: str) -> Iterator[tuple[Rung, Any]]:
    """Each rung with this part of its loss, if its answers differ from the first rung's."""
    for rung in report.rungs:
        if rung.loss and rung.loss.get(key) and rung.loss["changed"]:
            yield rung, rung.loss[key]


def slice_names(report: Report) -> list[str]:
    """The columns by which quality was split."""
    return list(dict.fromkeys(name for _, found in _losses(report, "slices") for name in found))


def slice_rows(report: Report, column: str) -> list[tuple[str, ...]]:
    """Every rung's groups of one column, those that lost most first."""
    return [
        (rung.name, *row)
        for rung, found in _losses(report, "slices")
        for row in group_rows(found.get(column, ()), worst_first=True)
    ]


def gap_rows(report: Report) -> list[tuple[str, ...]]:
    """Largest gaps between the groups of a column, with those of the reference, in points."""

    def points(value: float | None) -> str:
        return _UNKNOWN if value is None else f"{100 * value:.1f}"

    return [
        (
            rung.name,
            name,
            points(gaps["this"]["opportunity"]),
            points(gaps["reference"]["opportunity"]),
            points(gaps["this"]["parity"]),
            points(gaps["reference"]["parity"]),
            str(gaps["this"]["fewest"]),
        )
        for rung, found in _losses(report, "gaps")
        for name, gaps in found.items()
    ]


def churn_words(report: Report) -> list[str]:
    """One sentence per rung: texts that compression changed, compared with those that another seed changes."""
    return [
        f"{rung.name}: {churn['count']} texts are answered otherwise than by most of the {churn['uncompressed']} "
        f"uncompressed models; other seeds alone change {number(churn['churn'])}. "
        + (
            f"Compression's are the {number(churn['excess'])} beyond."
            if churn["excess"] > 0
            else "That is no more than theirs."
        )
        for rung, churn in _losses(report, "exemplars")
        if churn["churn"] is not None
    ]


def robustness_rows(report: Report) -> list[tuple[str, ...]]:
    """Every rung under every perturbation, with the first rung's loss for comparison; rungs of one model once."""
    reference, seen = report.rungs[0].measured.get("robustness", {}), set()
    rows: list[tuple[str, ...]] = []
    for rung in report.rungs:
        if "robustness" not in rung.measured or rung.content_hash in seen:
            continue
        seen.add(rung.content_hash)
        for name, effect in rung.measured["robustness"].items():
            changed = _UNKNOWN if effect["changed"] is None else f"{100 * effect['changed']:.1f} %"
            theirs = reference[name]["lost"] if name in reference else effect["lost"]
            rows.append(
                (
                    rung.name,
                    name,
                    f"{100 * effect['quality']:.2f}",
                    f"{100 * effect['lost']:+.2f}",
                    f"{100 * theirs:+.2f}",
                    changed,
                    f"{100 * effect['touched']:.0f} %",
                )
            )
    return rows


def stability_rows(report: Report) -> list[tuple[str, ...]]:
    """Every rung, run in every other way."""
    rows: list[tuple[str, ...]] = []
    for rung in report.rungs:
        for name, way in rung.measured.get("stability", {}).get("ways", {}).items():
            if "unavailable" in way:
                rows.append((rung.name, name, "not run", _UNKNOWN, way["unavailable"]))
                continue
            changed = _UNKNOWN if way["changed"] is None else f"{100 * way['changed']:.1f} %"
            rows.append((rung.name, name, changed, f"{way['largest']:.1e}", "yes" if way["identical"] else "no"))
    return rows


def stability_notes(report: Report) -> list[str]:
    """A note on the number of texts and the reference."""
    counts = {rung.measured["stability"]["n"] for rung in report.rungs if "stability" in rung.measured}
    return [
        f"The same {count} test texts in another way than the rung itself runs them (all handed over at once)."
        for count in counts
    ]


def slice_blocks(report: Report) -> list[ReportBlock]:
    """A table per column."""
    return [
        ReportBlock(f"By {name}", ("rung", *GROUP_HEADER), slice_rows(report, name), words=(0, 1))
        for name in slice_names(report)
    ]


def gap_blocks(report: Report) -> list[ReportBlock]:
    """One table for all columns."""
    return [ReportBlock("Gaps between groups", GAP_HEADER, gap_rows(report), words=(0, 1))]


def churn_blocks(report: Report) -> list[ReportBlock]:
    """Sentences only."""
    return [ReportBlock("Seed churn", notes=churn_words(report))]


def robustness_blocks(report: Report) -> list[ReportBlock]:
    """One table for all perturbations."""
    return [ReportBlock("Robustness", ROBUSTNESS_HEADER, robustness_rows(report), words=(0, 1))]


def stability_blocks(report: Report) -> list[ReportBlock]:
    """One table for all ways to run each rung."""
    return [
        ReportBlock(
            "Stability of answers", STABILITY_HEADER, stability_rows(report), stability_notes(report), (0, 1, 4)
        )
    ]
