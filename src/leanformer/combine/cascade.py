"""A small model first, and a larger one for the texts it is unsure of.

What: the current model answers when its confidence is above a threshold; an earlier artifact of the recipe answers the
    rest. The threshold is calibrated so that the loss against the larger model is bounded, on texts of a file of their
    own (`calibrate`). Without one they are those of dev, which also chose the models: the bound is then no promise.
Paper: Varshney and Baral 2022 (arXiv 2210.05528) on cascades; Angelopoulos et al. 2021 (arXiv 2110.01052) on the test.
Helps: when the small model is several times as fast and confident on most texts: most of its speed, most of the larger
    model's quality.
Hurts: a text that is passed on is computed by both models, so the slowest texts get slower (the p95 of single texts is
    the larger model's). Few held-out texts can show little: half a point takes about 750. If many cascades are
    calibrated and compared on dev, the bound of the winner is too optimistic: confirm it on test.
Needs: numpy; a task with one label per text; a file of labelled texts that no model was made or chosen with, or of
    unlabelled ones for the bound on agreement.
Example: {step: export.cascade, large: teacher, max_loss: 1.0, rung: cascade}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from leanformer.artifact import Artifact
from leanformer.cascade.confidence import MEASURES
from leanformer.cascade.promise import Promise
from leanformer.data.examples import Examples
from leanformer.data.overlap import group_rows, normalise_all
from leanformer.data.used_texts import MADE_WITH, MOST_USED, inherited, told
from leanformer.errors import DataError, GateError, LeanformerError, RecipeError
from leanformer.options import ArtifactName, FilePath
from leanformer.step import Context, Make, record

_NAME = "export.cascade"
_CHOSEN_ON = {
    "dev": "it was calibrated on dev, which also chose the models",
    "unlabelled": "it was calibrated on unlabelled texts, which the models may have been trained on",
}
_SPLITS = tuple(_CHOSEN_ON)


@dataclass(frozen=True)
class Cascade(Make):
    """Put the artifact in front of a larger one, with a threshold that bounds the loss; left out if there is none."""

    large: ArtifactName = "teacher"  # name of the step whose model answers what the smaller one is unsure of
    max_loss: float = 1.0  # most points of accuracy lost, or per cent of answers changed, against the larger model
    confidence: float = 0.95  # confidence of the bound
    promise: str = "accuracy"  # "accuracy", or "agreement", which needs no labels
    threshold: float | None = None  # confidence from which the small model's answer stands; None: the loosest shown
    measure: str = "probability"  # how sure an answer is: "probability", "margin", "entropy" or "auto"
    on: str = "dev"  # without `calibrate`, the split to calibrate on, which promises nothing: "dev" or "unlabelled"
    calibrate: FilePath | None = None  # file of texts that no model was made or chosen with, to calibrate on
    fit_share: float = 0.2  # share of its rows that fixes temperatures and the walk; the rest calibrates

    technique: ClassVar[str] = _NAME
    consumes: ClassVar[tuple[str, ...]] = ("onnx", "encoder")
    produces: ClassVar[str] = "cascade"

    def __post_init__(self) -> None:
        try:
            self._promise  # noqa: B018 (it checks what it is given)
        except LeanformerError as error:
            raise RecipeError(f"{_NAME}: max_loss, confidence, promise: {error}") from error
        self.one_of("measure", (*MEASURES, "auto"))
        self.one_of("on", _SPLITS)
        if self.calibrate is None and self.on == "unlabelled" and self.promise == "accuracy":
            raise RecipeError(f"{_NAME}: a promise of accuracy needs labels\n  remedy: promise: agreement, or on: dev")
        if not 0 < self.fit_share < 1:
            raise RecipeError(f"{_NAME}: fit_share is a share between 0 and 1, not {self.fit_share}")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise RecipeError(f"{_NAME}: threshold is a confidence from 0 to 1, not {self.threshold}")
        super().__post_init__()

    @property
    def _promise(self) -> Promise:
        return Promise(self.max_loss, self.confidence, self.promise)

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        from leanformer.cascade.calibrate import calibrate, parted
        from leanformer.cascade.store import check_members, write_cascade
        from leanformer.loading import open_predictor
        from leanformer.predictor import logits

        members = [artifact, context.artifacts[self.large]]
        check_members(members)
        examples, no_promise = self._rows(context, members)
        if no_promise is not None:
            context.say(f"no promise: {no_promise}")
        promise = self._promise
        fit, held_out = parted(len(examples), self.fit_share, context.seed)
        context.say(promise.outlook(len(held_out)))
        values = [
            logits(open_predictor(member, threads=context.threads, tuning=False), examples.inputs) for member in members
        ]
        found = calibrate(
            values, examples.targets if examples.is_labelled else None, promise, fit, held_out, measure=self.measure,
            threshold=self.threshold,
        )  # fmt: skip
        if found.plan is None:
            raise GateError(
                f"{_NAME}: the promise cannot be made: {found.counts.lost} lost, {found.counts.gained} gained and "
                f"{found.counts.changed} changed of {found.rows} rows, p = {found.p:.3f}; {promise.outlook(found.rows)}"
            )
        context.say(f"{100 * (1 - found.answered[0]):.1f} % of {found.rows} calibration rows go on to {self.large}")
        entry: dict[str, Any] = record(self, artifact) | {
            "plan": found.plan.to_json(), "seed": context.seed, "calibration": found.to_json(),
        }  # fmt: skip
        entry |= {} if no_promise is None else {"no_promise": no_promise[:1000]}
        return write_cascade(members, found.plan, output, entry=entry, calibrated=examples)

    def _rows(self, context: Context, members: Sequence[Artifact]) -> tuple[Examples, str | None]:
        """The texts to calibrate on, and why they allow no promise, or None.

        Raises `DataError` if there are none, or they lack the required labels.
        """
        from leanformer.data.dataset import open_dataset

        lacking = f"there is no {'labelled ' * (self.promise == 'accuracy')}%s to calibrate a cascade on"
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
