"""Optional measurements of a rung. One entry defines the option, the measurement, the report key and the display.

Functions are named as text ("module:function"), so that the table imports nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

COLUMNS, ARTIFACTS, FLAG = "columns", "artifacts", "flag"


@dataclass(frozen=True)
class Measurement:
    """One optional measurement.

    Attributes:
        option: of the command line. help: its help text.
        takes: `COLUMNS`, names of columns of the test file; `ARTIFACTS`, folders; or `FLAG`.
        answers: forms of answer for which it is defined.
        key: its name in the report. in_loss: whether it compares answers with the first rung's and is stored in
            `Rung.loss`, which only answers that are one label have; otherwise it is in `Rung.measured`.
        measures: function of a `ladder.on_request.Subject`, to JSON or None.
        shows: function of a report, to blocks.
        prepares: function of (option value, test split, threads), called once and before anything is timed.
        brings: another measurement that is made together with it.
        commands: the commands with this option.
    """

    option: str
    help: str
    takes: str
    answers: tuple[str, ...]
    key: str
    in_loss: bool
    measures: str
    shows: str
    prepares: str | None = None
    brings: str | None = None
    commands: tuple[str, ...] = ("bench", "compress")

    def function(self, role: str) -> Any:
        """The function that this entry names for `measures`, `shows` or `prepares`."""
        module, _, name = getattr(self, role).partition(":")
        return getattr(import_module(module), name)


_MEASURED, _SHOWN = "leanformer.ladder.on_request", "leanformer.render.on_request"
_ONE_LABEL, _ANY = ("label",), ("label", "labels", "score")

# In the order of the options in the help, and of the blocks in a report.
MEASUREMENTS = {
    "slices": Measurement(
        "--slice", "Report quality per value of a column of the test file, e.g. language.",
        takes=COLUMNS, answers=_ONE_LABEL, key="slices", in_loss=True, prepares=f"{_MEASURED}:slice_columns",
        measures=f"{_MEASURED}:by_slices", shows=f"{_SHOWN}:slice_blocks",
    ),
    "groups": Measurement(
        "--group", "Column that names groups of people or places: also report the gaps between them.",
        takes=COLUMNS, answers=_ONE_LABEL, key="gaps", in_loss=True, prepares=f"{_MEASURED}:group_columns",
        measures=f"{_MEASURED}:gaps", shows=f"{_SHOWN}:gap_blocks", brings="slices",
    ),
    "reseeded": Measurement(
        "--reseeded",
        "The reference trained with another seed, to tell churn between seeds from the effect of compression.",
        takes=ARTIFACTS, answers=_ONE_LABEL, key="exemplars", in_loss=True, prepares=f"{_MEASURED}:reseeded_answers",
        measures=f"{_MEASURED}:seed_churn", shows=f"{_SHOWN}:churn_blocks", commands=("bench",),
    ),
    "robustness": Measurement(
        "--robustness", "Also score the test texts with typos and with changed case.",
        takes=FLAG, answers=_ANY, key="robustness", in_loss=False,
        measures=f"{_MEASURED}:robustness_of", shows=f"{_SHOWN}:robustness_blocks",
    ),
    "stability": Measurement(
        "--stability", "Compare answers for single texts, batches, padding, thread counts and engines.",
        takes=FLAG, answers=_ANY, key="stability", in_loss=False,
        measures=f"{_MEASURED}:stability_of", shows=f"{_SHOWN}:stability_blocks",
    ),
}  # fmt: skip


def rung_keys() -> list[str]:
    """Keys of the measurements stored directly in a rung; a report has all of them, null if not requested."""
    return [entry.key for entry in MEASUREMENTS.values() if not entry.in_loss]
