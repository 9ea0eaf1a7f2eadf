"""A member of a supernet as a model of its own.

What: keeps a share of the layers, evenly spaced, and of each of them the most important heads and feed-forward units,
    which compress.supernet has put first. Nothing is trained; the result computes what the member computed in training.
Paper: Hou et al. 2020, DynaBERT (arXiv 2004.04037).
Helps: after compress.supernet: each size costs an extraction and an export.
Hurts: other models have their heads and units in no order; compress.prune ranks them itself. Shares that were not
    among those trained give poor models.
Needs: torch; a model that compress.supernet has trained; where answers have thresholds, a dev split to choose them on.
Example: {step: compress.extract, depth: 0.5, width: 0.5}
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from leanformer.artifact import Artifact
from leanformer.shapes.planned import PlannedShape
from leanformer.step import Context, Make, record


@dataclass(frozen=True)
class Extract(Make):
    """Cut a member out of the supernet; nothing is trained."""

    depth: float = 0.5  # share of the layers, one of the supernet's `depths`
    width: float = 0.5  # share of the heads and units of each layer, one of the supernet's `widths`

    technique: ClassVar[str] = "compress.extract"
    consumes: ClassVar[tuple[str, ...]] = ("encoder",)
    produces: ClassVar[str] = "encoder"

    def __post_init__(self) -> None:
        self.share("depth", "width")
        self.above(0, "depth", "width")
        super().__post_init__()

    def planned(self, shape: PlannedShape) -> PlannedShape:
        kept = max(1, round(self.depth * len(shape.layers)))
        layers = tuple(shape.layers[i * len(shape.layers) // kept] for i in range(kept))
        cut = tuple((max(1, round(self.width * heads)), max(1, round(self.width * units))) for heads, units in layers)
        return replace(shape, layers=cut)

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        from leanformer.compress.prune.prune import describe
        from leanformer.models.store import device_of, read_model, write_classifier
        from leanformer.models.subnet import extracted, member_of
        from leanformer.models.writing import TOKENIZER
        from leanformer.tokenizer import Tokenizer
        from leanformer.train.judging import Judge

        trained = [entry.get("options", {}) for entry in artifact.history if entry["step"] == "compress.supernet"]
        if not trained:
            context.say("note: the model was not trained by compress.supernet; its first heads and units are no better")
        for name in ("depth", "width"):
            share, shares = getattr(self, name), [] if not trained else trained[-1].get(f"{name}s", [])
            if shares and share not in shares:
                context.say(f"note: no member of {name} {share:g} was trained, only {', '.join(map(str, shares))}")
        whole = read_model(artifact)
        model = extracted(whole, member_of(whole.config, self.depth, self.width))
        before, after = whole.config.layers, model.config.layers
        context.say(f"{len(after)} of {len(before)} layers; {describe(before, after)}")
        task, dev, where = artifact.task, context.data.dev, device_of(context.device)
        if dev is not None and dev.is_labelled:  # thresholds, where the answer has them, are the member's own
            reader = Tokenizer(artifact.file(TOKENIZER), artifact.max_tokens)
            task = Judge(model.to(where).eval(), dev.for_task(task), reader, where).task()
        entry = record(self, artifact) | {"shape": model.config.to_json()["layers"]}
        return write_classifier(
            model.cpu(), output, task=task, tokenizer=artifact.file(TOKENIZER), max_tokens=artifact.max_tokens,
            history=[*artifact.history, entry],
        )  # fmt: skip
