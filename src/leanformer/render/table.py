"""The ladder as rows of text, the same for the terminal and for Markdown."""

from __future__ import annotations

from leanformer.first_rungs import BATCHED
from leanformer.render.engines import engine_facts
from leanformer.render.floor import floor_facts
from leanformer.render.leaks import clean_mark, leak_facts
from leanformer.render.load import busy_mark, load_words
from leanformer.report import Report, Rung

HEADER = (
    "rung", "x", "over batched PyTorch", "x step", "x unpadded", "texts/s", "min to max", "p50 ms", "p95 ms", "quality",
    "95 % interval", "dev", "lost", "lost, 95 %", "agree", "MB", "USD/100M",
)  # fmt: skip


def ladder_rows(report: Report) -> list[tuple[str, ...]]:
    """One row per rung, in the order of `HEADER`; "x step" is the speedup over the rung that it builds on."""
    return [_row(rung, report) for rung in report.rungs]


def _row(rung: Rung, report: Report) -> tuple[str, ...]:
    mark = " (chosen)" if report.choice is not None and report.choice["rung"] == rung.name else ""
    return (
        rung.name + mark,
        f"{rung.speedup:.2f}",
        "-" if rung.over_batched is None else f"{rung.over_batched:.2f}",
        f"{rung.marginal:.2f}",
        "-" if rung.speedup_over_unpadded is None else f"{rung.speedup_over_unpadded:.2f}",
        number(rung.throughput_per_second) + busy_mark(report),
        spread(rung, "throughput"),
        number(rung.latency_ms_p50) + busy_mark(report),
        number(rung.latency_ms_p95),
        f"{100 * rung.quality:.2f}{clean_mark(rung)}",
        f"{100 * rung.quality_low:.1f} to {100 * rung.quality_high:.1f}",
        "-" if rung.dev_quality is None else f"{100 * rung.dev_quality:.2f}",
        f"{100 * rung.drop:+.2f}",
        f"{100 * rung.drop_low:+.1f} to {100 * rung.drop_high:+.1f}",
        f"{100 * rung.agreement:.1f}",
        f"{rung.bytes / 1e6:.1f}",
        number(rung.usd_per_100m),
    )


def spread(rung: Rung, figure: str) -> str:
    """The smallest and the largest figure of the rounds; "-" in a report of an earlier version."""
    values = list((rung.rounds or {}).get(figure, {}).values())
    return f"{number(min(values))} to {number(max(values))}" if values else "-"


def number(value: float) -> str:
    """Three significant figures, with thousands separated."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def further_scores(rung: Rung) -> list[str]:
    """The figures besides the metric, each with its interval; which there are depends on the kind of task."""
    found = []
    if rung.macro_f1 is not None and rung.macro_f1_low is not None and rung.macro_f1_high is not None:
        found.append(
            f"macro-F1 {100 * rung.macro_f1:.2f} ({100 * rung.macro_f1_low:.1f} to {100 * rung.macro_f1_high:.1f})"
        )
    if rung.matthews is not None:
        found.append(f"Matthews correlation {rung.matthews:.3f} ({rung.matthews_low:.3f} to {rung.matthews_high:.3f})")
    found += [f"{name} {value:.3f} ({low:.3f} to {high:.3f})" for name, (value, low, high) in rung.scores.items()]
    if rung.worst_class is not None and rung.worst_class_recall is not None:
        found.append(
            f"the class found least often is `{rung.worst_class}`, recall {100 * rung.worst_class_recall:.1f} %"
        )
    return found


def facts(report: Report) -> list[str]:
    """Sentences required with the figures: n, metric, machine, versions, price, how it was timed."""
    machine, first = report.machine, report.rungs[0]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    slowest = min(rung.throughput_n for rung in report.rungs)
    return [
        f"Quality is {first.metric} on {first.n} test texts, in per cent, with a 95 % bootstrap interval; "
        "points lost (negative: gained) and agreement are against the first rung, the interval paired.",
        *floor_facts(report),
        *leak_facts(report),
        f"Throughput (texts/s): {report.rungs[-1].throughput_n} test texts (slow rungs a sample, at least {slowest}), "
        f"tokenizer included, median of the rounds, rungs in turn{_words_known(report)}. Latency: one text at a time, "
        f"tokenizer included, {first.latency_n} texts.",
        f"x is throughput over the first rung ({first.name})"
        + (f", and over batched PyTorch that over {BATCHED!r}" if first.over_batched is not None else "")
        + ("" if first.intervals is None else "; each the median of the ratios of the rounds")
        + ".",
        *engine_facts(report),
        *([load_words(report)] if report.machine_load is not None else []),
        f"Machine: {machine['cpu']}, {machine['threads']} of {machine['cores']} cores, "
        f"{', '.join(machine['instruction_sets'])}; Python {machine['python']}, {versions}.",
        f"Price: {report.price['usd_per_hour']:.4g} USD per hour: {report.price['basis']}.",
    ]


def _words_known(report: Report) -> str:
    """What the word cache contained when texts were timed."""
    if report.timing is None:
        return ", word cache warm"
    before = report.timing["read_before"]
    return f", word cache as after {before:,} other texts" if before else ", word cache empty"
