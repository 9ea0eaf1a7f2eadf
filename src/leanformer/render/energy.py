"""The cost of inference and of making the models, in rows and sentences; the two are never added up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leanformer.first_rungs import FLOOR
from leanformer.measure.cost import break_even_texts
from leanformer.render.table import number
from leanformer.report import Report, Rung

ENERGY_HEADER = ("rung", "CPU-s/1,000", "J/1,000", "gCO2e/1,000", "known how")
EFFORT_HEADER = ("step", "technique", "minutes", "CPU-minutes", "Wh", "gCO2e", "known how")
_UNKNOWN = "-"


def per_1000(energy: Mapping[str, Any] | None, key: str) -> float | None:
    """A figure of metered energy per 1,000 texts; None if there is none."""
    if energy is None or energy.get(key) is None or not energy.get("texts"):
        return None
    return float(1000 * energy[key] / energy["texts"])


def energy_rows(report: Report) -> list[tuple[str, ...]]:
    """One row per rung, in the order of `ENERGY_HEADER`; none for a report with neither time nor energy."""
    return [_energy_row(rung) for rung in report.rungs if rung.cpu_seconds_per_1000 is not None or rung.energy]


def _energy_row(rung: Rung) -> tuple[str, ...]:
    energy = rung.energy
    seconds = per_1000(energy, "cpu_seconds")
    figures = (
        rung.cpu_seconds_per_1000 if seconds is None else seconds,
        per_1000(energy, "energy_joules"),
        per_1000(energy, "carbon_grams"),
    )
    return (
        rung.name,
        *(_figure(figure) for figure in figures),
        "not metered" if energy is None else str(energy["status"]),
    )


def energy_notes(report: Report) -> list[str]:
    """Notes required with the figures: the method of each, stated once, and what the figures leave out."""
    metered = [rung.energy for rung in report.rungs if rung.energy]
    if not metered:
        return ["Energy was not metered (--energy); CPU-seconds are those of all threads, tokenizer included."]
    notes = [
        f"{str(status).capitalize()}: {how}."
        for status, how in sorted({(energy["status"], energy["method"]) for energy in metered})
    ]
    countries = sorted({str(energy["country"]) for energy in metered if energy["country"]})
    grid = f"Carbon: the grid of {', '.join(countries)}. " if countries else "Carbon is not counted without --country. "
    return [*notes, grid + "Cooling, disks and the network are in no figure; making the models is not either."]


def effort_rows(report: Report) -> list[tuple[str, ...]]:
    """One row per step that made something, the teacher's training first, in the order of `EFFORT_HEADER`."""
    return [_effort_row(effort) for effort in report.training]


def _effort_row(effort: Mapping[str, Any]) -> tuple[str, ...]:
    energy = effort["energy"]
    if energy is None:
        return (effort["step"], effort["technique"], *[_UNKNOWN] * 4, "not recorded")
    joules = energy["energy_joules"]
    return (
        effort["step"],
        effort["technique"],
        _figure(energy["wall_seconds"] / 60),
        _figure(energy["cpu_seconds"] / 60),
        _figure(None if joules is None else joules / 3600),
        _figure(energy["carbon_grams"]),
        str(energy["status"]) + ("" if effort["whole"] else ", of the last of several runs alone"),
    )


def _compressing(report: Report) -> list[dict[str, Any]]:
    """The steps of compression, without training the teacher and the models that rungs are compared with."""
    return [effort for effort in report.training if effort["step"] not in ("teacher", FLOOR)]


def spent(report: Report) -> tuple[float | None, bool]:
    """USD for the steps after the teacher at the report's price, and whether all of them are completely known.

    None if no step was recorded.
    """
    steps = _compressing(report)
    known = [step for step in steps if step["energy"] is not None]
    hours = sum(step["energy"]["wall_seconds"] for step in known) / 3600
    whole = len(known) == len(steps) and all(step["whole"] for step in known)
    return (hours * report.price["usd_per_hour"] if known else None), whole


def chosen(report: Report) -> Rung:
    """The chosen rung, or the last."""
    name = (report.choice or {}).get("rung")
    return next((rung for rung in report.rungs if rung.name == name), report.rungs[-1])


def before(report: Report) -> Rung:
    """What would run without compression: the teacher's lossless export, or else the first rung."""
    return next((rung for rung in report.rungs if rung.lossless and rung.chooseable), report.rungs[0])


def break_even(report: Report, spent_usd: float | None = None) -> list[str]:
    """After how many texts the chosen rung has paid for the compression, in USD and, if both are known, in energy.

    `spent_usd` None takes the cost of the steps at the report's price.
    """
    lean, plain = chosen(report), before(report)
    usd, whole = (spent_usd, True) if spent_usd is not None else spent(report)
    said = []
    if usd is not None:
        what = f"{'' if whole else 'at least '}{number(usd)} USD"
        said.append(_back(what, break_even_texts(usd, plain.usd_per_100m, lean.usd_per_100m), lean, plain, "cheaper"))
    joules = _spent_joules(report)
    each = [per_1000(rung.energy, "energy_joules") for rung in (plain, lean)]
    if joules is not None and each[0] is not None and each[1] is not None:
        texts = break_even_texts(joules, each[0] * 1e5, each[1] * 1e5)
        said.append(_back(f"{number(joules / 3600)} Wh", texts, lean, plain, "thriftier"))
    return said


def _spent_joules(report: Report) -> float | None:
    """Joules of all steps after the teacher; None unless all were metered completely."""
    steps = _compressing(report)
    if not steps or any(
        not step["whole"] or not step["energy"] or step["energy"]["energy_joules"] is None for step in steps
    ):
        return None
    return float(sum(step["energy"]["energy_joules"] for step in steps))


def _back(what: str, texts: float | None, lean: Rung, plain: Rung, better: str) -> str:
    if texts is None:
        return f"{what} spent on compressing do not come back: {lean.name!r} is not {better} than {plain.name!r}"
    return f"{what} spent on compressing come back after {texts:,.0f} texts ({lean.name!r} in place of {plain.name!r})"


def _figure(value: float | None) -> str:
    return _UNKNOWN if value is None else number(value)
