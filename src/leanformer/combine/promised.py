"""What steps share that let a cheaper answer stand where it is sure: the promise, and the texts to calibrate it on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leanformer.artifact import Artifact
from leanformer.cascade.calibrate import Calibration, calibrate, parted
from leanformer.cascade.promise import Promise
from leanformer.data.examples import Examples
from leanformer.data.overlap import group_rows, normalise_all
from leanformer.data.used_texts import MADE_WITH, MOST_USED, inherited, told
from leanformer.errors import DataError, GateError, LeanformerError, RecipeError
from leanformer.options import FilePath
from leanformer.step import Context, Make

_CHOSEN_ON = {
    "dev": "it was calibrated on dev, which also chose the models",
    "unlabelled": "it was calibrated on unlabelled texts, which the models may have been trained on",
}
_SPLITS = tuple(_CHOSEN_ON)


@dataclass(frozen=True)
class Promised(Make):
    """A step with a threshold of confidence that is calibrated for a promise; the checks of its options."""

    max_loss: float = 1.0  # most points of accuracy lost, or per cent of answers changed, against the larger model
    confidence: float = 0.95  # confidence of the bound
    promise: str = "accuracy"  # "accuracy", or "agreement", which needs no labels
    threshold: float | None = None  # confidence from which the small model's answer stands; None: the loosest shown
    on: str = "dev"  # without `calibrate`, the split to calibrate on, which promises nothing: "dev" or "unlabelled"
    calibrate: FilePath | None = None  # file of texts that no model was made or chosen with, to calibrate on
    fit_share: float = 0.2  # share of its rows that fixes temperatures and the walk; the rest calibrates

    def __post_init__(self) -> None:
        try:
            self.promised  # noqa: B018 (it checks what it is given)
        except LeanformerError as error:
            raise RecipeError(f"{self.technique}: max_loss, confidence, promise: {error}") from error
        self.one_of("on", _SPLITS)
        if self.calibrate is None and self.on == "unlabelled" and self.promise == "accuracy":
            raise RecipeError(
                f"{self.technique}: a promise of accuracy needs labels\n  remedy: promise: agreement, or on: dev"
            )
        if not 0 < self.fit_share < 1:
            raise RecipeError(f"{self.technique}: fit_share is a share between 0 and 1, not {self.fit_share}")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise RecipeError(f"{self.technique}: threshold is a confidence from 0 to 1, not {self.threshold}")
        super().__post_init__()

    @property
    def promised(self) -> Promise:
        return Promise(self.max_loss, self.confidence, self.promise)

    def calibrated(
        self, members: Sequence[Artifact], context: Context, scored: Callable[[Examples], Sequence[np.ndarray]],
        measure: str = "probability",
    ) -> tuple[Calibration, dict[str, Any], Examples]:  # fmt: skip
        """The calibration, what it adds to the history, and the texts used.

        Args:
            members: the artifacts that answer, the smallest first.
            scored: the logits of each answer, the cheapest first.

        Raises `GateError` if the promise cannot be made, and as `rows` does.
        """
        examples, no_promise = self.rows(context, members)
        if no_promise is not None:
            context.say(f"no promise: {no_promise}")
        promise = self.promised
        fit, held_out = parted(len(examples), self.fit_share, context.seed)
        context.say(promise.outlook(len(held_out)))
        labels = examples.targets if examples.is_labelled else None
        found = calibrate(
            scored(examples), labels, promise, fit, held_out, measure=measure, threshold=self.threshold
        )  # fmt: skip
        if found.plan is None:
            raise GateError(
                f"{self.technique}: the promise cannot be made: {found.counts.lost} lost, {found.counts.gained} gained "
                f"and {found.counts.changed} changed of {found.rows} rows, p = {found.p:.3f}; "
                f"{promise.outlook(found.rows)}"
            )
        entry = {"plan": found.plan.to_json(), "seed": context.seed, "calibration": found.to_json()}
        return found, entry | ({} if no_promise is None else {"no_promise": no_promise[:1000]}), examples

    def rows(self, context: Context, members: Sequence[Artifact]) -> tuple[Examples, str | None]:
        """The texts to calibrate on, and why they allow no promise, or None.

        Raises `DataError` if there are none, or they lack the required labels.
        """
        from leanformer.data.dataset import open_dataset

        lacking = f"there is no {'labelled ' * (self.promise == 'accuracy')}%s to calibrate on"
        if self.calibrate is None:
            examples: Examples | None = getattr(context.data, self.on)
            if examples is None or not (examples.is_labelled or self.promise == "agreement"):
                raise DataError(lacking % f"{self.on} split", path=context.data.name)
            return examples, _CHOSEN_ON[self.on]
        task = members[-1].task
        examples = open_dataset(self.calibrate, task=task).unlabelled if self.promise == "agreement" else None
        examples = examples or open_dataset(self.calibrate, task=task, single="test").test
        if examples is None:
            raise DataError(lacking % "text", path=self.calibrate)
        known = context.data.used_texts
        for member in members:
            known |= inherited(member)
        roles = known.roles_of(examples)
        fresh = [row for row, role in enumerate(roles) if role not in MADE_WITH]
        if 100 * (len(roles) - len(fresh)) > MOST_USED * len(roles):
            return examples, told(roles)
        if len(fresh) < len(roles):
            context.say(f"{told(roles)}; they are left out of the calibration")
        firsts = {rows[0] for rows in group_rows(normalise_all(examples.inputs)).values()}
        if repeats := len(examples) - len(firsts):
            context.say(f"{repeats:,} of {len(examples):,} rows repeat an earlier one and are left out as well")
        return examples.select(row for row in fresh if row in firsts), None
