"""Distillation into a small network on hashed n-grams.

What: trains a network that sums 8-bit embeddings of the n-grams of words and characters, one hashed table for each
    length, and puts the sums through one hidden layer. It learns from the labels or from the teacher's probabilities
    on labelled and unlabelled texts, whichever is better on dev.
Paper: Botha et al. 2017, Natural Language Processing with Small Feed-Forward Networks (arXiv 1708.00214); the sums are
    those of fastText, Joulin et al. 2017 (arXiv 1607.01759).
Helps: when a linear model on n-grams (compress.linear) is too large, because its size does not grow with the texts or
    the number of labels. It needs no tokenizer.
Hurts: it overfits sooner than a linear model; on TREC it is 3.4 points below one (1.0 to 6.0; one seed). As there,
    longer phrases and word order are lost.
Needs: torch; a labelled dev split; a task with one label for each text.
Example: {step: compress.hashed, rung: "n-grams, hashed"}
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from leanformer.answers.forms import form_of, score_logits
from leanformer.artifact import Artifact, open_artifact
from leanformer.compress.ngrams.teaching import LABELS, TEACHER, NgramStudent, taught_by, with_labels
from leanformer.data.examples import Examples
from leanformer.errors import DataError, RecipeError
from leanformer.files import sha256_json
from leanformer.linear.fit import Taught, check_task
from leanformer.options import options
from leanformer.outputs.folders import new_artifact
from leanformer.step import Context, record
from leanformer.tiny.store import in_few_bits, write_ngrams
from leanformer.train.fit_options import FitOptions

if TYPE_CHECKING:
    from leanformer.compress.ngrams.network import HashedNet


@dataclass(frozen=True)
class HashedStudent(FitOptions, NgramStudent):
    """Train a small network on hashed n-grams, on labels or on the answers of the artifact `teacher`."""

    rows: int = 16384  # of each table
    width: int = 16  # of an embedding
    units: int = 128  # of the hidden layer
    dropout: float = 0.3  # before the hidden layer and before the outputs
    epochs: int = 15
    learning_rate: float = 5e-3
    token_budget: int = 65536  # most n-grams per forward pass; larger steps are accumulated

    technique: ClassVar[str] = "compress.hashed"

    def __post_init__(self) -> None:
        self.at_least(1, "rows", "width", "units")
        self.share_below_one("dropout")
        super().__post_init__()

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        import torch

        check_task(artifact.task)
        if not form_of(artifact.task).exclusive:
            raise RecipeError(
                f"{self.technique}: it gives each text one label, and this task is of kind {artifact.task.kind!r}\n"
                "  remedy: compress.linear"
            )
        data = context.data
        if data.dev is None:
            raise DataError("there is no dev split to choose by", path=data.name, remedy="add dev.jsonl to the folder")
        sources: dict[str, Taught | None] = {}
        if data.train is not None and self.learn_from != TEACHER:
            sources[LABELS] = with_labels(data.train)
        if self.learn_from != LABELS:
            sources[TEACHER] = taught_by(
                context, use_unlabelled=self.use_unlabelled, temperature=self.temperature
            )  # fmt: skip
        torch.set_num_threads(context.threads)
        made: dict[str, tuple[float, HashedNet]] = {}
        for source, taught in sources.items():
            if taught is not None:
                made[source] = self._fit(taught, data.dev, artifact, replace(context, work=context.work / source))
                context.say(f"from {source}: {made[source][0]:.4f} on dev")
        if not made:
            raise DataError("there are no texts to train on", path=data.name, remedy="add train.jsonl to the folder")
        source = max(made, key=lambda name: made[name][0])  # ties go to the labels
        quality, net = made[source]
        result = {"learnt_from": source, "dev_quality": {name: round(value, 6) for name, (value, _) in made.items()}}
        model = in_few_bits(net.in_whole_numbers, quality, data.dev, artifact.task)
        with new_artifact(output) as temporary:
            write_ngrams(
                model, temporary, task=artifact.task, max_tokens=artifact.max_tokens,
                history=[*artifact.history, record(self, artifact) | {"seed": context.seed, "choice": result}],
            )  # fmt: skip
        return open_artifact(output)

    def _fit(self, taught: Taught, dev: Examples, artifact: Artifact, context: Context) -> tuple[float, HashedNet]:
        """The network with the best weights, and its figure on dev."""
        import torch

        from leanformer.compress.ngrams.network import PADDING, HashedNet, OfProbabilities, ids_of
        from leanformer.models.scoring import score_rows
        from leanformer.models.store import device_of
        from leanformer.train.feeds.batches import TrainingSet
        from leanformer.train.feeds.by_group import feed_of
        from leanformer.train.loop import Plan
        from leanformer.train.parts import fit_with_parts

        torch.manual_seed(context.seed)
        device = device_of(context.device)
        net = HashedNet(self.rows, self.width, self.units, artifact.task.outputs, self.dropout)
        rows = TrainingSet(ids_of(taught.inputs, self.rows), np.zeros(len(taught.inputs), np.int64), PADDING)
        asked = ids_of(dev.inputs, self.rows)

        def figure() -> float:
            logits = score_rows(net.eval(), asked, padding_id=PADDING, device=device)
            return score_logits(logits, dev.targets, artifact.task)

        settings = self.settings(
            context.seed, weight_decay=0.0, precision="fp32", epochs=self.epochs_of(len(rows))
        )  # fmt: skip
        identity = sha256_json([options(self), context.data.training_hash, taught.probabilities.tolist()])
        plan = Plan(settings, figure, context.work / "checkpoint", identity, device, say=context.say)
        fit_with_parts(net, OfProbabilities(taught.probabilities), feed_of(rows, settings), plan)
        return figure(), net.cpu()
