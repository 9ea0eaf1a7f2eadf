"""Training objective of a recurrent student: the teacher's inner states, its raw logits, labels; alone or combined.

After Mukherjee and Awadallah 2020 (arXiv 2004.05686). The teacher may have any architecture: the student's projection
is as wide as the teacher's states. If both use the same tokens, states are compared at every token; otherwise at the
first tokens of words, or at the first token of a text.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from leanformer.models.bilstm import BiLstm
from leanformer.train.feeds.batches import Batch
from leanformer.train.objectives.answers import is_labelled, over_asked, raw_logit_distance
from leanformer.train.objectives.distillation import mean_over_rows, teacher_logits
from leanformer.train.objectives.objective import LabelLoss, RowLoss, Sum
from leanformer.train.teacher_outputs import TeacherOutputs

PARTS = ("representation", "logits", "labels")
KINDS = ("kld", "mse")


def representation_distance(student: Tensor, teacher: Tensor, kind: str) -> Tensor:
    """Distance between states `[..., width]`, returned as `[...]`.

    "kld" is KL(softmax(teacher) || softmax(student)), each state read as a distribution over its units; "mse" is the
    mean squared difference.
    """
    if kind == "mse":
        return (student - teacher).pow(2).mean(dim=-1)
    target = F.log_softmax(teacher, dim=-1)
    return (target.exp() * (target - F.log_softmax(student, dim=-1))).sum(dim=-1)


@dataclass(frozen=True)
class StudentWeights:
    """Weights of the parts in a sum of several; a part that is not used is not computed."""

    representation: float = 1.0
    logits: float = 1.0
    labels: float = 1.0


class StudentLoss(Sum):
    """The weighted sum of some of `PARTS`.

    Args:
        parts: the parts to use; never empty.
        answer: the task's answer form. For tags, states are compared at every token that has a teacher state, and
            logits at words' first tokens. For other answers, the student's pooled state is compared with the teacher's
            first token.
        outputs: the teacher's outputs on the training rows, logits as `Encoded.of_rows` returns them; None if only
            labels are used. layer: index of the hidden state to follow; kind: one of `KINDS`.
        labels: the loss against labels; None: that of the answer form. Used only if labels are among the parts.

    Raises `ValueError` for parts that are unknown or none, or that need teacher outputs when there are none.
    """

    def __init__(
        self,
        parts: tuple[str, ...],
        *,
        answer: str,
        outputs: TeacherOutputs | None = None,
        layer: int = 0,
        kind: str = "kld",
        weights: StudentWeights | None = None,
        labels: RowLoss | None = None,
    ) -> None:
        super().__init__()
        if not parts or not set(parts) <= set(PARTS):
            raise ValueError(f"parts are some of {', '.join(PARTS)}, not {parts}")
        if outputs is None and set(parts) != {"labels"}:
            raise ValueError(f"the parts {parts} need a teacher's outputs")
        self._asked, self._outputs, self._layer, self._kind = parts, outputs, layer, kind
        self._weights = weights or StudentWeights()
        self.labels = (labels or LabelLoss(answer)) if "labels" in parts else None
        self.weighed = tuple(name for name in PARTS if name in parts and getattr(self._weights, name) > 0)

    def parts(self, model: BiLstm, batch: Batch) -> dict[str, Tensor]:
        w, losses = self._weights, dict[str, Tensor]()
        if self._asked == ("representation",):
            states = model.states(batch.ids, batch.mask).float()
            return {"representation": w.representation * self._representation(states, batch)}
        output = model.outputs(batch.ids, batch.mask)
        if "representation" in self._asked:
            losses["representation"] = w.representation * self._representation(output.states.float(), batch)
        logits = batch.of_examples(output.logits.float())
        if "logits" in self._asked:
            assert self._outputs is not None
            each = raw_logit_distance(logits, teacher_logits(self._outputs, batch, logits))
            losses["logits"] = w.logits * (over_asked(each, batch.labels) if each.ndim == 2 else each).mean()
        if self.labels is not None:
            hard = self.labels(logits, batch)
            losses["labels"] = w.labels * (is_labelled(batch.labels).float() * hard).mean()
        return losses

    def _representation(self, states: Tensor, batch: Batch) -> Tensor:
        assert self._outputs is not None
        target = self._outputs.hidden_block(self._layer, batch.rows, batch.ids.shape[1]).to(states.device)
        if states.ndim == 2:
            return representation_distance(states, target[:, 0], self._kind).mean()
        compared = self._outputs.compared(batch.rows, batch.mask)
        return mean_over_rows(representation_distance(states, target, self._kind), compared)
