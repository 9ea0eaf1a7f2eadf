"""Distillation into a linear model on n-grams.

What: trains a linear model on the n-grams of words and characters, from the labels and from the teacher's
    probabilities on labelled and unlabelled texts; kinds of n-grams, regularisation and which of the two teaches better
    are chosen on dev. Weights are stored in 8 bits if that loses nothing on dev, otherwise in 16.
Paper: Hinton, Vinyals and Dean 2015, Distilling the Knowledge in a Neural Network (arXiv 1503.02531); the model is that
    of Wang and Manning 2012, Baselines and Bigrams (ACL 2012).
Helps: when single words or phrases decide (intents, topics, languages). It is made in seconds, is run without PyTorch
    and without ONNX Runtime, and reads whole texts. Unlabelled texts of the task may help when there are few labels.
Hurts: where the order of words or their meaning in context decides (negation, paraphrases); pairs of texts and tags of
    words are not supported.
Needs: scikit-learn; a labelled dev split; a teacher that gives each text one label, any labels or a score.
Example: {step: compress.linear, rung: "n-grams, linear"}
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from leanformer.answers.forms import form_of
from leanformer.artifact import Artifact, open_artifact
from leanformer.compress.ngrams.teaching import LABELS, TEACHER, NgramStudent, taught_by
from leanformer.errors import DataError, RecipeError
from leanformer.linear.fit import Fitted, check_task, fit_linear
from leanformer.outputs.folders import new_artifact
from leanformer.step import Context, record
from leanformer.tiny.store import write_linear


@dataclass(frozen=True)
class LinearStudent(NgramStudent):
    """Train a linear model on n-grams, on labels or on the answers of the artifact `teacher`."""

    technique: ClassVar[str] = "compress.linear"

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        check_task(artifact.task)
        if self.learn_from == TEACHER and not form_of(artifact.task).exclusive:
            raise RecipeError(
                f"{self.technique}: a teacher's answers are learnt where they are one label, and this task is of kind "
                f"{artifact.task.kind!r}\n  remedy: learn_from: labels"
            )
        data = replace(context.data, test=None)
        if data.train is None and self.learn_from == LABELS:
            raise DataError(
                "there are no labelled training texts", path=data.name, remedy="add train.jsonl, or learn_from: teacher"
            )
        made: dict[str, Fitted] = {}
        if data.train is not None and self.learn_from != TEACHER:
            made[LABELS] = fit_linear(data, seed=context.seed)
        if self.learn_from != LABELS:
            taught = taught_by(context, use_unlabelled=self.use_unlabelled, temperature=self.temperature)
            if taught is not None:
                made[TEACHER] = fit_linear(data, seed=context.seed, taught=taught)
        if not made:
            raise DataError("there are no texts to train on", path=data.name, remedy="add train.jsonl to the folder")
        for source, fitted in made.items():
            kinds = " and ".join(fitted.kinds)
            context.say(f"from {source}: {fitted.dev_quality:.4f} on dev, {kinds}, C {fitted.strength:g}")
        source = max(made, key=lambda name: made[name].dev_quality)  # ties go to the labels
        best = made[source]
        result = {
            "learnt_from": source, "ngrams": list(best.kinds), "C": best.strength,
            "dev_quality": {name: round(fitted.dev_quality, 6) for name, fitted in made.items()},
        }  # fmt: skip
        assert data.dev is not None
        history = [*artifact.history, record(self, artifact) | {"choice": result}]
        with new_artifact(output) as temporary:
            write_linear(best.predictor, temporary, data.dev, max_tokens=artifact.max_tokens, history=history)
        return open_artifact(output)
