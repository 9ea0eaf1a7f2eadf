"""How sure an early exit must be for a text to leave there, calibrated for a promise.

What: finds the confidence from which the answers of the exits that compress.exits has trained stand, as export.cascade
    does for a smaller model: the loosest for which the loss against the last layer is bounded. Texts that are sure
    enough leave between two layers, and the pack closes up, so that the layers that follow have less to compute. It is
    calibrated with the engine native, which is the one that lets texts leave.
Paper: Liu et al. 2020, FastBERT (arXiv 2004.02178), on exits; Angelopoulos et al. 2021 (arXiv 2110.01052) on the test.
Helps: int8 graphs of models with many layers; one text a call as well as many. `predict --no-exits` runs all layers,
    and gives the same bits as the model without exits.
Hurts: how much time is saved depends on how many texts are easy; those that go through all layers get slower by the
    heads. Engines other than native run all layers. To bound half a point takes about 750 rows: none may differ of the
    598 that `fit_share` leaves.
Needs: an int8 graph of a model that had compress.exits right before export.onnx; a C++ compiler or the wheel's
    library; a file of texts that no model was made or chosen with.
Example: {step: export.exits, max_loss: 1.0, rung: exits}
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from leanformer.answers.long_texts import windowed_of
from leanformer.artifact import Artifact, open_artifact, write_manifest
from leanformer.combine.promised import Promised
from leanformer.data.examples import Examples
from leanformer.errors import RecipeError
from leanformer.exits import DESCRIPTION, HEADS, Exits, has_exits, read_exits, write_exits
from leanformer.outputs.folders import new_artifact
from leanformer.shapes.planned import PlannedShape
from leanformer.step import Context, record


@dataclass(frozen=True)
class CalibrateExits(Promised):
    """Let texts leave at early exits from a confidence on that bounds the loss; left out if there is none."""

    promise: str = "agreement"  # "agreement", which needs no labels, or "accuracy"

    technique: ClassVar[str] = "export.exits"
    consumes: ClassVar[tuple[str, ...]] = ("onnx",)
    produces: ClassVar[str] = "onnx"

    def planned(self, shape: PlannedShape) -> PlannedShape:
        return shape

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        from leanformer.data.used_texts import UsedTexts, attach, inherited

        if not has_exits(artifact):
            raise RecipeError(
                f"{self.technique}: {artifact.path} has no exits\n  remedy: compress.exits right before export.onnx; "
                "a step in between that changes the model leaves them out"
            )
        if not str(artifact.properties.get("precision", "")).startswith("int8"):
            raise RecipeError(
                f"{self.technique}: only the engine native lets texts leave, and it runs int8 graphs\n"
                "  remedy: export.int8 before it"
            )
        if windowed_of(artifact.task) is not None:
            raise RecipeError(
                f"{self.technique}: long texts are read in windows, each of which would leave on its own\n"
                "  remedy: leave it out"
            )
        exits = read_exits(artifact)
        found, added, examples = self.calibrated(
            [artifact], context, lambda examples: exit_logits(artifact, exits, examples, context.threads)
        )
        assert found.plan is not None
        left = [
            f"{100 * share:.1f} % behind layer {layer}"
            for layer, share in zip(exits.layers, found.answered, strict=False)
        ]
        context.say(f"of {found.rows} calibration rows {', '.join(left)} leave")
        with new_artifact(output) as temporary:
            for name in artifact.files:
                if name not in (DESCRIPTION, HEADS):
                    (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(artifact.file(name), temporary / name)
            write_exits(exits.asking(found.plan.temperatures, found.plan.thresholds), temporary)
            made = write_manifest(
                temporary, format=artifact.format, task=artifact.task, max_tokens=artifact.max_tokens,
                history=(*artifact.history, record(self, artifact) | added), properties=artifact.properties,
            )  # fmt: skip
            attach(made, inherited(artifact) | UsedTexts.of(calibration=examples))
        return open_artifact(output)


def exit_logits(artifact: Artifact, exits: Exits, examples: Examples, threads: int) -> list[np.ndarray]:
    """Logits `[n, labels]` of each exit, the earliest first, and of the last layer, with the engine native."""
    from leanformer.predictor import logits
    from leanformer.runtime.predictor import LightPredictor

    asked: list[bool | Exits] = [*(exits.only(number) for number in range(len(exits.layers))), False]
    return [
        logits(LightPredictor(artifact, threads=threads, engine="native", exits=rules), examples.inputs)
        for rules in asked
    ]
