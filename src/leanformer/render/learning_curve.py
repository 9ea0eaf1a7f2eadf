"""A learning curve as lines for the terminal, and what it says in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leanformer.curate.learning_curve import LearningCurve

_ADVICE = {
    "label": "label more: at least {points} {are} to be gained",
    "compress": "compress now: less than {points} {are} to be gained",
    "unclear": "not clear: the gain may be more or less than {points}; more --draws narrow the interval",
}


def curve_lines(curve: LearningCurve, more: int, worth: float) -> list[str]:
    """A table of sizes with the mean, lowest and highest of the draws and the fitted value; then the answer.

    `worth` is in points, percentages of the metric.
    """
    lines = [f"{'rows':>10}  {curve.metric + ' on dev':>18}  {'lowest':>7}  {'highest':>7}  {'fitted':>7}"]
    for place, size in enumerate(curve.sizes):
        scores = 100 * curve.scores[:, place]
        lines.append(
            f"{size:>10,}  {scores.mean():>18.1f}  {scores.min():>7.1f}  {scores.max():>7.1f}  "
            f"{100 * curve.at(size)[0]:>7.1f}"
        )
    now, then = curve.at(curve.rows)[0], curve.at(curve.rows + more)
    gain, low, high = (100 * value for value in curve.gain(more))
    singular = f"{worth:g}" == "1"
    advice = _ADVICE[curve.advice(more, worth / 100)].format(
        points=f"{worth:g} point{'' if singular else 's'}", are="is" if singular else "are"
    )
    return [
        *lines,
        f"{more:,} more labels would raise {curve.metric} on dev from {100 * now:.1f} to about {100 * then[0]:.1f}: by "
        f"{gain:.1f} points (95 % interval {low:.1f} to {high:.1f}, over draws of the training rows)",
        advice,
    ]
