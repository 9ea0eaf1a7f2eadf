"""Operations, padding, memory traffic and parameters of a report's rungs, as rows and sentences."""

from __future__ import annotations

from leanformer.render.table import number
from leanformer.report import Report, Rung

WORK_HEADER = (
    "rung", "MFLOP/text", "padding", "MB moved/text", "of the peak", "parameters, M", "without embeddings",
    "peak memory, MB",
)  # fmt: skip
_UNKNOWN = "-"


def work_rows(report: Report) -> list[tuple[str, ...]]:
    """Operations, padding, traffic and parameters of each rung; none if no rung's operations were counted."""
    if all(rung.traffic_bytes_per_text is None for rung in report.rungs):
        return []
    return [_work_row(rung) for rung in report.rungs]


def _work_row(rung: Rung) -> tuple[str, ...]:
    def scaled(value: float | None, unit: float) -> str:
        return _UNKNOWN if value is None else number(value / unit)

    return (
        rung.name,
        scaled(rung.flops_per_text, 1e6),
        "unknown" if rung.padding_waste is None else f"{100 * rung.padding_waste:.0f} %",
        scaled(rung.traffic_bytes_per_text, 1e6),
        _UNKNOWN if rung.peak_share is None else f"{100 * rung.peak_share:.0f} %",
        scaled(rung.parameters, 1e6),
        scaled(rung.parameters_without_embeddings, 1e6),
        scaled(rung.peak_memory_bytes, 1e6),
    )


def work_notes(report: Report) -> list[str]:
    """How the figures were obtained."""
    notes = [
        "Operations are counted from the shape, padding included (of packs, whose padding is not known, the texts' own "
        "tokens); what is moved is a lower estimate for one text of mean length."
    ]
    if report.peak is not None:
        rate = f"{report.peak['flops_per_second'] / 1e9:,.0f} GFLOP/s fp32"
        notes.append(f"The peak is {rate}: {report.peak['method']}; int8 may lie above it.")
    return notes
