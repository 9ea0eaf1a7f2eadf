"""The losses of each answer form: against labels, and against a teacher's outputs.

Each function returns one loss per row, `[B]`, from logits `[B, outputs]`. For tags, the soft losses return one per
token, `[B, S]` from `[B, S, outputs]`, to be averaged over the tokens with a target (`over_asked`). For spans, logits
are `[B, S, 2]`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from leanformer.answers.form import FormTable
from leanformer.spans.best import NOWHERE
from leanformer.train.feeds.batches import ENDS, NOT_ASKED, STARTS


@dataclass(frozen=True)
class Losses:
    """`hard(logits, labels)` with labels as in `Batch`; `soft(student, teacher, temperature)` with logits.

    `distance` is the name of the soft loss minus its minimum, the teacher's own loss.
    `positions`: whether it compares distributions over the positions of a text, not over outputs.
    """

    hard: Callable[[Tensor, Tensor], Tensor]
    soft: Callable[[Tensor, Tensor, float], Tensor]
    distance: str
    positions: bool = False

    def table(self, runs: Sequence[np.ndarray]) -> Tensor:
        """Logits of each text `[k, outputs]` as the losses take them: `[all k, outputs]`, or, over `positions`,
        `[texts, most k, outputs]` with `NOWHERE` behind each."""
        values = [torch.from_numpy(np.array(run, dtype=np.float32)) for run in runs]
        return pad_sequence(values, batch_first=True, padding_value=NOWHERE) if self.positions else torch.cat(values)


def soft_cross_entropy(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """-sum softmax(teacher / T) log softmax(student / T) for each row, times T^2 (Hinton et al. 2015).

    Args:
        student, teacher: logits `[B, labels]`.

    Returns `[B]`. The factor T^2 keeps the gradient's magnitude independent of T. The loss is not divided by the number
    of classes.
    """
    target = torch.softmax(teacher / temperature, dim=-1)
    return -(target * F.log_softmax(student / temperature, dim=-1)).sum(dim=-1) * temperature**2


def raw_logit_distance(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """1/2 sum over outputs of (student - teacher)^2, on raw logits (Mukherjee and Awadallah 2020); no temperature.

    Outputs for which the teacher has `NOWHERE` are left out: places at which none of its own tokens starts or ends.
    """
    return 0.5 * (student - teacher).masked_fill(teacher <= NOWHERE / 2, 0).pow(2).sum(dim=-1)


def over_asked(each: Tensor, labels: Tensor) -> Tensor:
    """Mean of `each` `[B, S]` over the tokens of each row that have a target, `[B]`; 0 for a row without any.

    The mean is not over all tokens of the block: see `distillation.mean_over_rows`.
    """
    asked = labels > NOT_ASKED
    return each.masked_fill(~asked, 0.0).sum(dim=1) / asked.sum(dim=1).clamp_min(1)


def soft_binary_cross_entropy(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """Binary cross-entropy with the teacher's sigmoid(logit / T) as target, mean over labels, times T^2; `[B]`."""
    target = torch.sigmoid(teacher / temperature)
    each = F.binary_cross_entropy_with_logits(student / temperature, target, reduction="none")
    return each.mean(dim=-1) * temperature**2


def squared_error(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """Mean over outputs of (student - teacher)^2, `[B]`; scores have no temperature."""
    return (student - teacher).pow(2).mean(dim=-1)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels.clamp(min=0), reduction="none")


def _binary_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    target = labels.clamp(min=0).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(dim=-1)


def _squared_error(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits[:, 0] - labels.nan_to_num().to(logits.dtype)).pow(2)


def _token_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    each = F.cross_entropy(logits.transpose(1, 2), labels.clamp(min=0), reduction="none")
    return over_asked(each, labels)


def _span_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean of the cross-entropies of the start and of the end over the tokens of each row that can be one, `[B]`.

    `labels` are bits, see `train.passages.Passages`; a row without an answer that is known has the loss 0.
    """
    logits = logits.masked_fill((labels <= NOT_ASKED)[..., None], NOWHERE)
    each = []
    for column, bit in enumerate((STARTS, ENDS)):
        right = (labels.clamp(min=0) & bit) > 0
        loss = F.cross_entropy(logits[..., column], right.float().argmax(dim=1), reduction="none")
        each.append(loss * right.any(dim=1))
    return torch.stack(each).mean(dim=0)


def soft_span_cross_entropy(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """Soft cross-entropy (see `soft_cross_entropy`) over the positions of the start and of the end, their mean, `[B]`.

    Args:
        student, teacher: logits `[B, positions, 2]`; a position at which the teacher has `NOWHERE` is left out.
    """
    student = student.masked_fill(teacher <= NOWHERE / 2, NOWHERE)
    return soft_cross_entropy(student.transpose(1, 2), teacher.transpose(1, 2), temperature).mean(dim=1)


LOSSES: FormTable[Losses] = FormTable(
    "leanformer/train/objectives/answers.py",
    {
        "label": Losses(_cross_entropy, soft_cross_entropy, "KL"),
        "labels": Losses(_binary_cross_entropy, soft_binary_cross_entropy, "KL"),
        "score": Losses(_squared_error, squared_error, "squared difference"),
        # Over the candidates of each question, which form one row of a table (see `Batch.of_examples`).
        "choice": Losses(_cross_entropy, soft_cross_entropy, "KL"),
        "span": Losses(_span_cross_entropy, soft_span_cross_entropy, "KL", positions=True),
        "tags": Losses(_token_cross_entropy, soft_cross_entropy, "KL"),
    },
)


def is_labelled(labels: Tensor) -> Tensor:
    """Whether each row has a label `[B]`: -1 marks a missing class, label set or tag, NaN a missing score."""
    if labels.is_floating_point():
        return ~labels.isnan()
    return (labels if labels.ndim == 1 else labels.amax(dim=1)) >= 0
