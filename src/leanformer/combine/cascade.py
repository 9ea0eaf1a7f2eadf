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

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from leanformer.artifact import Artifact
from leanformer.cascade.confidence import MEASURES
from leanformer.combine.promised import Promised
from leanformer.options import ArtifactName
from leanformer.step import Context, record


@dataclass(frozen=True)
class Cascade(Promised):
    """Put the artifact in front of a larger one, with a threshold that bounds the loss; left out if there is none."""

    large: ArtifactName = "teacher"  # name of the step whose model answers what the smaller one is unsure of
    measure: str = "probability"  # how sure an answer is: "probability", "margin", "entropy" or "auto"

    technique: ClassVar[str] = "export.cascade"
    consumes: ClassVar[tuple[str, ...]] = ("onnx", "encoder")
    produces: ClassVar[str] = "cascade"

    def __post_init__(self) -> None:
        self.one_of("measure", (*MEASURES, "auto"))
        super().__post_init__()

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        from leanformer.cascade.store import check_members, write_cascade
        from leanformer.loading import open_predictor
        from leanformer.predictor import logits

        members = [artifact, context.artifacts[self.large]]
        check_members(members)
        found, entry, examples = self.calibrated(
            members, context,
            lambda examples: [
                logits(open_predictor(member, threads=context.threads, tuning=False), examples.inputs)
                for member in members
            ],
            self.measure,
        )  # fmt: skip
        assert found.plan is not None
        context.say(f"{100 * (1 - found.answered[0]):.1f} % of {found.rows} calibration rows go on to {self.large}")
        return write_cascade(
            members, found.plan, output, entry=record(self, artifact) | entry, calibrated=examples
        )  # fmt: skip
