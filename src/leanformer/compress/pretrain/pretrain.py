"""Pre-training of a small encoder by distillation on raw text.

What: a student of any depth and width learns, on text without labels, how a layer of the input model relates tokens to
    each other; or its hidden states and attention scores; or its answers, or an embedder's vectors. The teacher runs
    inside the training step. The result is a start for students of any task, and of an embedder a smaller one.
Paper: Wang, Bao, Huang, Dong and Wei 2021, MiniLMv2 (arXiv 2012.15828); Jiao et al. 2020, the general stage of TinyBERT
    (arXiv 1909.10351); Turc, Chang, Lee and Toutanova 2019, pre-trained distillation (arXiv 1908.08962); Vujanic and
    Rueckstiess 2025, LEAF, whose students' queries fit the teacher's index (arXiv 2509.12539).
Helps: when students of a shape that no checkpoint has are to be made, for several tasks: it is done once. FastFormers
    calls the start from a general distilled model critical.
Hurts: it takes hours rather than minutes to pay for itself; of a teacher with the wanted width, its own layers
    (compress.distil with a number of layers) are a strong start already.
Needs: torch; an encoder of a mapped family; thousands of raw texts.
Example: {step: compress.pretrain, shape: 3x384, texts: null, steps: 2000}
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from leanformer.artifact import Artifact
from leanformer.files import sha256_json
from leanformer.options import FilePath, later
from leanformer.shapes.planned import PlannedShape
from leanformer.step import Context, Make, record
from leanformer.train.fit_options import PRECISIONS

OBJECTIVES = ("relations", "tinybert", "logits", "vectors")
INITIAL = ("layers", "random")


@dataclass(frozen=True)
class Pretrain(Make):
    """Pre-train a student of the input artifact on raw text; what it reads is the input, its shape is smaller."""

    shape: str | None = None  # layers and width, such as "3x384", or layers alone; null keeps the input's
    heads: int | None = None  # attention heads per layer; null: as many as the input has
    ffn: int | None = None  # feed-forward units per layer; null: as the input, or four times another width
    initial: str = "layers"  # "layers" of the input where widths are equal, otherwise random; or "random"
    objective: str = "relations"  # "relations" of tokens (MiniLMv2), "tinybert", "logits" (Turc), or "vectors" (LEAF)
    in_batch: float | None = later()  # weight of the cosines between texts of a block, with "vectors"; 1 by default
    layer: int | None = None  # layer of the input, from 1, whose relations are followed; null: the last, of 24 the 21st
    relation_heads: int | None = None  # null: as many as divide both widths, of at least 16 entries of the input's
    texts: FilePath | None = None  # file or folder of raw texts; null: train and unlabelled texts of the data
    steps: int = 2000  # optimiser steps
    batch_size: int = 64  # texts per optimiser step
    learning_rate: float = 3e-4  # at its peak
    warmup: float = 0.06  # share of the steps in which the rate rises
    weight_decay: float = 0.01  # of AdamW, on matrices only
    token_budget: int = 8192  # most tokens per forward pass; larger steps are accumulated
    precision: str = "auto"  # "auto", "fp32" or "bf16"
    max_tokens: int = 128  # most tokens of a text while pre-training; longer raw texts are split

    technique: ClassVar[str] = "compress.pretrain"
    consumes: ClassVar[tuple[str, ...]] = ("encoder",)
    produces: ClassVar[str] = "encoder"

    def __post_init__(self) -> None:
        self.at_least(1, "heads", "ffn", "layer", "relation_heads", "batch_size", "token_budget")
        self.at_least(0, "steps", "weight_decay", "in_batch")
        self.at_least(2, "max_tokens")
        self.above(0, "learning_rate")
        self.share_below_one("warmup")
        self.one_of("objective", OBJECTIVES)
        self.one_of("initial", INITIAL)
        self.one_of("precision", PRECISIONS)
        self.need(
            self.in_batch is None or self.objective == "vectors",
            f"in_batch is for the objective vectors, not {self.objective}\n  remedy: leave it out",
        )
        well_formed = self.shape is None or re.fullmatch(r"[1-9]\d*(x[1-9]\d*)?", str(self.shape))
        self.need(bool(well_formed), f"shape is LAYERSxWIDTH or LAYERS, not {self.shape!r}")
        super().__post_init__()

    def sizes(self, layers: int, hidden: int) -> tuple[int, int]:
        """Layers and width of the student, given those of the input."""
        if self.shape is None:
            return layers, hidden
        depth, _, width = str(self.shape).partition("x")
        return int(depth), int(width or hidden)

    def planned(self, shape: PlannedShape) -> PlannedShape | None:
        layers, hidden = self.sizes(len(shape.layers), shape.hidden)
        heads, ffn = shape.layers[0]
        heads, ffn = self.heads or heads, self.ffn or (ffn if hidden == shape.hidden else 4 * hidden)
        return replace(shape, hidden=hidden, head_size=hidden // heads, layers=((heads, ffn),) * layers)

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        from leanformer.compress.pretrain.work import Work
        from leanformer.data.used_texts import attach, inherited
        from leanformer.files import remove_folder
        from leanformer.models.store import write_classifier
        from leanformer.models.writing import TOKENIZER
        from leanformer.train.fit import encoder_hash

        work = Work(self, artifact, context)
        identity = [
            record(replace(self, texts=None), artifact), encoder_hash(work.student), work.texts_hash, context.seed,
        ]  # fmt: skip
        after = before = -work.score()
        context.say(f"loss on {len(work.held_out)} held-out texts before: {before:.4f}")
        if self.steps:
            after = work.fit(context.work / "checkpoint", sha256_json(identity), before, context.say)
            context.say(f"loss on {len(work.held_out)} held-out texts after {self.steps} steps: {after:.4f}")
        result = {
            "texts": len(work.train), "held_out": len(work.held_out), "loss_before": round(before, 6),
            "loss": round(after, 6), **work.how,
        }  # fmt: skip
        entry = record(self, artifact) | {
            "seed": context.seed, "result": result, "shape": work.student.config.to_json()["layers"],
        }  # fmt: skip
        made = write_classifier(
            work.student.eval(), output, task=work.task, tokenizer=artifact.file(TOKENIZER),
            max_tokens=artifact.max_tokens, history=[*artifact.history, entry],
        )  # fmt: skip
        remove_folder(context.work / "checkpoint")
        return attach(made, work.used | inherited(artifact))
