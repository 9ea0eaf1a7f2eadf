"""What a recurrent student is trained with: the teacher's inner states, its raw logits, labels; alone or together.

After Mukherjee and Awadallah 2020 (arXiv 2004.05686). The teacher may be of any architecture: the student's projection
is as wide as the teacher's states. Where both read the same pieces, states are compared at every token; else at the
first pieces of words, or at the first token of a text.
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
    """Distance of states `[..., width]`, `[...]`.

    "kld" is KL(softmax(teacher) || softmax(student)), each state read as a distribution over its units; "mse" is the
    mean squared difference.
    """
    if kind == "mse":
        return (student - teacher).pow(2).mean(dim=-1)
    target = F.log_softmax(teacher, dim=-1)
    return (target.exp() * (target - F.log_softmax(student, dim=-1))).sum(dim=-1)


@dataclass(frozen=True)
class StudentWeights:
    """The weights of the parts where several are summed; a part that is not asked for is not computed."""

    representation: float = 1.0
    logits: float = 1.0
    labels: float = 1.0


class StudentLoss(Sum):
    """The weighted sum of some of `PARTS`.

    Args:
        parts: which; never empty.
        answer: the form of the task's answer. Of tags, states are compared at every token that has one beside it and
            logits at words' first pieces; of other answers, the student's pooled state with the teacher's first token.
        outputs: the teacher's, on the rows that are trained on, logits as `Encoded.of_rows` gives them; None where
            labels alone are asked for. layer: which of its hidden states; kind: one of `KINDS`.
        labels: the loss against labels; None: that of the answer's form. It has a part only where labels are among
            the parts.
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
