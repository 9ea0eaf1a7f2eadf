"""The result of a search: every trial, the front on dev, and how much of it another search of its size would find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from leanformer.render.markdown import table_markdown
from leanformer.render.svg import Axis, axis_for, line, mark, picture, standalone, text, tick_label

Record = Mapping[str, Any]
_WIDTH, _HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 72.0, 616.0, 16.0, 346.0
_LEARNED = (
    " This search learned from its trials, so that they are not draws alike: the curve is theirs in random order."
)
_MARKS = {"finished": "circle", "stopped early": "cross"}


def search_markdown(record: Record, chosen_from: str) -> str:
    """The front and all trials on dev, the cost, the expected best and the predictor's error."""
    goals = [goal["figure"] for goal in record["goals"]]
    spent, counts = record["spent"], record["counts"]
    states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    lost_lines = [f"**Note: {line}.**" for line in (*_lost_on_front(record), *kept_off_words(record))]
    parts = [
        f"# The search {record['name']}",
        *lost_lines,
        "\n".join(
            [
                f"- Goals: {', '.join(_goal(goal) for goal in record['goals'])}"
                + "".join(f"; {name} {value:g}" for name, value in record["bounds"].items()),
                f"- Sampler: {record['sampler']}, seed {record['seed']}; shares of the training: "
                + ", ".join(f"{share:.0%}" for share in record["shares"]),
                f"- Ended, for {record['ended']}: {states}",
                f"- Spent: {spent['wall_seconds'] / 60:.1f} minutes, {spent['cpu_seconds'] / 3600:.2f} CPU-hours"
                + (f", {spent['joules']:,.0f} J" if spent["joules"] else ""),
                f"- All figures down to the next heading were taken on dev, by which the front was chosen among "
                f"{chosen_from}: they are too good. What it is worth stands under the last heading.",
            ]
        ),
        "## The front on dev",
    ]
    if record["front"]:
        rows = [_row(record["trials"][i], goals) for i in record["front"]]
        parts += [table_markdown(("trial", *goals, "points lost", "values"), rows)]
    else:
        parts.append(
            "No finished trial keeps the bounds and finds every label that the teacher finds."
            if record.get("kept_off")
            else "No finished trial keeps the bounds."
        )
    parts += _expected(record)
    if record.get("predictor"):
        parts += ["## The latency predictor", "\n".join(f"- {word}" for word in predictor_words(record))]
    ran = [trial for trial in record["trials"] if trial["state"] not in ("skipped", "repeated")]
    rows = [(*_row(trial, goals), trial["state"], f"{trial['wall_seconds']:.0f}") for trial in ran]
    header = ("trial", *goals, "points lost", "values", "state", "seconds")
    parts += ["## All trials on dev", table_markdown(header, rows)]
    return "\n\n".join(parts) + "\n"


def kept_off_words(record: Record) -> list[str]:
    """Trials that only a lost label keeps off the front, and their loss on dev."""
    return [
        f"{_loses(record, number)}, so it is not on the front (--allow-lost-classes leaves it there)"
        for number in record.get("kept_off", ())
    ]


def _lost_on_front(record: Record) -> list[str]:
    return [
        f"{_loses(record, number)}, and is on the front all the same"
        for number in record["front"]
        if record["trials"][number]["figures"].get("lost")
    ]


def _loses(record: Record, number: int) -> str:
    return f"trial {number} loses on dev: {', '.join(record['trials'][number]['figures']['lost'])}"


def predictor_words(record: Record) -> list[str]:
    """The predictor's error, and what it saved."""
    found = record["predictor"]
    words = []
    for cell, figures in found["by_cell"].items():
        for name, figure in figures.items():
            if figure["left_out"] is None:
                words.append(f"{name}, {cell}: {figure['points']} shapes timed, too few to predict by")
            else:
                words.append(
                    f"{name}, {cell}: {_error(figure['left_out'])} on {figure['points']} shapes, each left out in turn"
                )
    for name, trial in found["ahead_of_trials"].items():
        words.append(f"{name} of {trial['trials']} trials, predicted before they were run: {_error(trial)}")
    saved = found["seconds_saved"]
    rate = "" if saved is None else f", {saved / 60:.1f} minutes if they were like the others"
    words.append(f"trials skipped by it: {found['skipped']}{rate}")
    if table := record.get("table"):
        words.append(
            f"timing {table['shapes']} shapes for it took {table['seconds'] / 60:.1f} minutes, beyond the budget"
        )
    return words


def _error(error: Mapping[str, Any]) -> str:
    tau = "" if error["kendall_tau"] is None else f", Kendall's tau {error['kendall_tau']:.2f}"
    return f"mean error {error['mape']:.1f} %{tau}"


def _expected(record: Record) -> list[str]:
    found = record["expected"]
    if found is None:
        return []
    curve, count = found["curve"], found["trials"]
    shown = sorted({1, 2, 5, 10, 20, 50, 100, count} & set(range(1, count + 1)))
    rows = [
        (str(n), _figure(found["figure"], curve[n - 1]), f"{n * found['seconds_per_trial'] / 60:.1f}") for n in shown
    ]
    return [
        "## Expected best by budget",
        f"The best {found['figure']} on dev to be expected of so many of the {count} trials, drawn at random (Dodge "
        "et al. 2019; without replacement, so unbiased). A trial that was stopped early counts with what it came to."
        + ("" if record["sampler"] == "random" else _LEARNED),
        "![expected best by number of trials](expected.svg)",
        table_markdown(("trials", found["figure"], "minutes"), rows),
    ]  # fmt: skip


def _goal(goal: Mapping[str, Any]) -> str:
    return f"{'most' if goal['maximise'] else 'least'} {goal['figure']}"


def _row(trial: Mapping[str, Any], goals: Sequence[str]) -> tuple[str, ...]:
    figures = trial["figures"]
    drop = figures.get("drop")
    values = ", ".join(f"{name}={_plain(value)}" for name, value in trial["params"].items())
    return (
        str(trial["trial"]),
        *(_figure(name, figures.get(name)) for name in goals),
        "" if drop is None else f"{drop:.2f}",
        values,
    )


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name == "quality":
        return f"{100 * value:.2f} %"
    return f"{value / 1e6:.2f} MB" if name == "bytes" else f"{value:.4g}"


def expected_chart(record: Record) -> str:
    """The expected best by number of trials, as an SVG file; empty for fewer than two trials."""
    found = record["expected"]
    if found is None or found["trials"] < 2:
        return ""
    scale = 100 if found["figure"] == "quality" else 1
    curve = [scale * value for value in found["curve"]]
    x, y = Axis(1, len(curve), _LEFT, _RIGHT), axis_for(curve, _BOTTOM, _TOP)
    body = _axes(x, y, "trials", found["figure"] + (", %" if scale == 100 else ""))
    path = " ".join(f"{x.at(i):.1f},{y.at(value):.1f}" for i, value in enumerate(curve, start=1))
    body.append(f'<polyline points="{path}" class="ink" fill="none"/>')
    chart = picture(_WIDTH, _HEIGHT, body, "Expected best by number of trials")
    seconds = found["seconds_per_trial"]
    below = f"expected best {found['figure']} on dev of so many trials; a trial took {seconds:.0f} s on average"
    return _file(chart, below)


def trials_chart(record: Record) -> str:
    """The first goal against the second, on dev, as an SVG file: filled marks are the front, crosses stopped early.

    Empty if there is only one goal, or nothing to plot.
    """
    if len(record["goals"]) < 2:
        return ""
    first, second = record["goals"][:2]
    shown = [
        trial
        for trial in record["trials"]
        if trial["state"] in _MARKS
        and all(trial["figures"].get(goal["figure"]) is not None for goal in (first, second))
    ]
    if not shown:
        return ""
    scales = [100 if goal["figure"] == "quality" else 1 for goal in (first, second)]
    ys, xs = (
        [scale * trial["figures"][goal["figure"]] for trial in shown]
        for goal, scale in zip((first, second), scales, strict=True)
    )
    x = axis_for(xs, _LEFT, _RIGHT, positive=second["figure"] != "quality")
    y = axis_for(ys, _BOTTOM, _TOP, positive=first["figure"] != "quality")
    body = _axes(x, y, *(goal["figure"] + (", %" if scale == 100 else "")
                         for goal, scale in zip((second, first), reversed(scales), strict=True)))  # fmt: skip
    for trial, across, up in zip(shown, xs, ys, strict=True):
        hover = f"trial {trial['trial']}: " + ", ".join(f"{k}={_plain(v)}" for k, v in trial["params"].items())
        drawn = mark(_MARKS[trial["state"]], x.at(across), y.at(up), filled=trial["trial"] in record["front"], size=5)
        body.append(f"<g><title>{escape(hover)}</title>{drawn}</g>")
    chart = picture(_WIDTH, _HEIGHT, body, f"{first['figure']} against {second['figure']}")
    return _file(chart, "all trials on dev; filled: the front; crosses: stopped early")


def _axes(x: Axis, y: Axis, across: str, up: str) -> list[str]:
    """A grid with its numbers, and the names of both axes."""
    grid = 'class="grid"'
    body = [
        line(_LEFT, y.at(t), _RIGHT, y.at(t), grid) + text(_LEFT - 8, y.at(t) + 4, tick_label(t), anchor="end")
        for t in y.ticks()
    ]
    body += [
        line(x.at(t), _TOP, x.at(t), _BOTTOM, grid) + text(x.at(t), _BOTTOM + 20, tick_label(t)) for t in x.ticks()
    ]
    body.append(text((_LEFT + _RIGHT) / 2, _HEIGHT - 12, across + (", logarithmic" if x.logarithmic else "")))
    middle = (_TOP + _BOTTOM) / 2
    return [*body, text(16, middle, up, style=f'transform="rotate(-90 16 {middle:g})"')]


def _file(chart: str, below: str) -> str:
    words = text(16, _HEIGHT + 18, below, anchor="start")
    return standalone(chart, words, width=_WIDTH, chart_height=_HEIGHT, height=_HEIGHT + 32)
