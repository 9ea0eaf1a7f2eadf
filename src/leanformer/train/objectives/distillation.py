"""Distillation: the student learns from the teacher's logits and, optionally, its inner states.

Soft cross-entropy after Hinton et al. 2015; with temperature 1 and no hard labels it is the loss of FastFormers
(Kim and Hassan 2020), whose hidden-state and attention losses are here too.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.errors import RecipeError
from leanformer.models.classifier import Classifier, ClassifierOutput
from leanformer.shapes.encoder import EncoderConfig
from leanformer.spans.best import NOWHERE
from leanformer.tagging.ragged import flat, is_ragged
from leanformer.train.feeds.batches import NOT_ASKED, Batch
from leanformer.train.objectives.answers import LOSSES, is_labelled, over_asked, raw_logit_distance
from leanformer.train.objectives.answers import soft_cross_entropy as soft_cross_entropy
from leanformer.train.objectives.objective import Sum
from leanformer.train.online_teacher import OnlineTeacher, scores_at
from leanformer.train.teacher_outputs import TeacherOutputs


def hidden_distance(student: Tensor, teacher: Tensor, mask: Tensor, kind: str) -> Tensor:
    """Distance of hidden states `[B, S, H]`, mean over each row's real tokens: "mse" or "cosine" (1 - cosine)."""
    if kind == "mse":
        distance = (student - teacher).pow(2).mean(dim=-1)
    else:
        distance = 1 - F.cosine_similarity(student, teacher, dim=-1)
    return mean_over_rows(distance, mask)


def attention_distance(student: Tensor, teacher: Tensor, mask: Tensor, kind: str = "cosine") -> Tensor:
    """Distance of attention distributions `[B, heads, S, S]`, mean over heads and each row's real query tokens.

    "cosine" is 1 - cosine; "mse" is the squared difference, mean over each row's real keys.
    """
    if kind == "mse":
        real = mask.to(student.dtype)
        each = ((student - teacher).pow(2) * real[:, None, None, :]).sum(dim=-1) / real.sum(dim=1)[:, None, None]
        return mean_over_rows(each.mean(dim=1), mask)
    distance = 1 - F.cosine_similarity(student, teacher, dim=-1)
    return mean_over_rows(distance.mean(dim=1), mask)


def mean_over_rows(distance: Tensor, mask: Tensor) -> Tensor:
    """Mean over rows of the mean of distances `[B, S]` over a row's real tokens; a row without any counts as 0.

    This is not the mean over all tokens: with that, a step split into blocks would have a different gradient than the
    same step in one block, because blocks are weighted by their number of rows.
    """
    real = mask.to(distance.dtype)
    return ((distance * real).sum(dim=1) / real.sum(dim=1).clamp_min(1)).mean()


@dataclass(frozen=True)
class LossWeights:
    """Weights and kinds of the parts of the loss.

    Attributes:
        temperature: of the soft targets.
        soft_kind: "kl", the task's own soft loss, which for a single label differs from the KL divergence by a
            constant;
            or "mse", half the squared distance of raw logits, without a temperature.
        hard: share of the loss against hard labels, 0 to 1; the soft part gets the rest. Rows without a label have only
            the soft part.
        hidden, attention: weights of those losses; 0 turns them off.
        hidden_kind, attention_kind: "mse" or "cosine"; attention also "scores", the squared difference of the scores
            before the softmax (TinyBERT), which needs a teacher that runs inside the step.
        soft: weight of the soft part; with 0, and without hard labels, only inner states are followed.
    """

    temperature: float = 1.0
    hard: float = 0.0
    hidden: float = 0.0
    attention: float = 0.0
    hidden_kind: str = "mse"
    soft_kind: str = "kl"
    attention_kind: str = "cosine"
    soft: float = 1.0


class Distillation(Sum):
    """The weighted sum of soft, hard, hidden-state and attention losses.

    Args:
        outputs: the teacher's outputs on the training rows; logits of words as `Encoded.of_rows` returns them. None:
            all are those of the `online` teacher.
        online: a teacher that runs inside the step and reads the student's rows; hidden states and attention are its
            own, and logits where there are no `outputs`.
        answer: the task's answer form, which determines the losses (see `objectives.answers`).
        hidden_map: pairs (student hidden-state index, teacher hidden-state index), 0 being the embedding output.
        attention_map: pairs (student layer, teacher layer), from 0.
        projections: per pair of `hidden_map`, a map from the student's width to the teacher's, or one map for all
            pairs; None if the widths are equal.
        head_projections: per pair of `attention_map`, a map from the student's heads to the teacher's, likewise.
    """

    def __init__(
        self,
        outputs: TeacherOutputs | None,
        weights: LossWeights,
        *,
        online: OnlineTeacher | None = None,
        answer: str = "label",
        hidden_map: tuple[tuple[int, int], ...] = (),
        attention_map: tuple[tuple[int, int], ...] = (),
        projections: nn.ModuleList | nn.Linear | None = None,
        head_projections: nn.ModuleList | None = None,
    ) -> None:
        super().__init__()
        self._outputs, self.online, self.weights, self._losses = outputs, online, weights, LOSSES[answer]
        self._soft = raw_logit_distance if weights.soft_kind == "mse" else self._losses.soft
        self.hidden_map, self.attention_map = hidden_map, attention_map
        self.projections, self.head_projections = projections, head_projections

    def on(self, outputs: TeacherOutputs) -> Distillation:
        """The same loss, including projections, against outputs on other rows."""
        other = copy(self)
        other._outputs = outputs
        return other

    @property
    def weighed(self) -> tuple[str, ...]:  # type: ignore[override]
        w = self.weights
        weights = {"soft": w.soft * (1 - w.hard), "hard": w.hard, "hidden": w.hidden, "attention": w.attention}
        return tuple(name for name, weight in weights.items() if weight > 0)

    def parts(self, model: Classifier, batch: Batch) -> dict[str, Tensor]:
        w, by_scores = self.weights, self.weights.attention_kind == "scores"
        output = model.outputs(
            batch.ids, batch.mask, batch.types, with_attentions=w.attention > 0 and not by_scores
        )  # fmt: skip
        taught = None if self.online is None else self.online.outputs(batch)
        losses = self._of_answers(batch.of_examples(output.logits.float()), batch, taught)
        if w.hidden > 0:
            parts = []
            for i, (ours, theirs) in enumerate(self.hidden_map):
                state = output.encoded.hidden_states[ours].float()
                maps = self.projections
                if (project := maps[i] if isinstance(maps, nn.ModuleList) else maps) is not None:
                    state = project(state)
                target = self._state(theirs, batch, taught)
                parts.append(hidden_distance(state, target, batch.mask, w.hidden_kind))
            losses["hidden"] = w.hidden * torch.stack(parts).mean()
        if w.attention > 0:
            parts, kind = [], "mse" if by_scores else w.attention_kind
            for i, (ours, theirs) in enumerate(self.attention_map):
                if by_scores:
                    assert self.online is not None and taught is not None
                    attention = scores_at(model, output.encoded, ours)
                    target = self.online.scores(taught.encoded, theirs)
                else:
                    assert self._outputs is not None
                    attention = output.encoded.attentions[ours].float()
                    target = self._outputs.attention_block(theirs, batch.rows, batch.ids.shape[1]).to(attention.device)
                if self.head_projections is not None:
                    attention = self.head_projections[i](attention.movedim(1, -1)).movedim(-1, 1)
                parts.append(attention_distance(attention, target, batch.mask, kind))
            losses["attention"] = w.attention * torch.stack(parts).mean()
        return losses

    def _state(self, index: int, batch: Batch, taught: ClassifierOutput | None) -> Tensor:
        """The teacher's hidden states, `[B, S, H]`."""
        if taught is not None:
            return taught.encoded.hidden_states[index].float()
        assert self._outputs is not None
        return self._outputs.hidden_block(index, batch.rows, batch.ids.shape[1]).to(batch.ids.device)

    def _of_answers(self, logits: Tensor, batch: Batch, taught: ClassifierOutput | None) -> dict[str, Tensor]:
        """The soft and the hard part of the loss."""
        w = self.weights
        if w.soft == 0 and w.hard == 0:
            return {}
        hard = w.hard * is_labelled(batch.labels).float()
        if self._outputs is not None:
            target = teacher_logits(self._outputs, batch, logits)
        else:
            assert taught is not None
            target = batch.of_examples(taught.logits.float())
        soft = self._soft(logits, target, w.temperature)
        if soft.ndim == 2:
            soft = over_asked(soft, batch.labels)
        losses = {"soft": w.soft * ((1 - hard) * soft).mean()}
        if w.hard > 0:
            losses["hard"] = (hard * self._losses.hard(logits, batch.labels)).mean()
        return losses


def teacher_logits(outputs: TeacherOutputs, batch: Batch, logits: Tensor) -> Tensor:
    """The teacher's logits in the shape of the student's; `NOWHERE` at tokens without a target."""
    values = outputs.logits[batch.rows]
    if not is_ragged(values):
        return batch.of_examples(torch.from_numpy(values).to(logits.device))
    block = torch.full_like(logits, NOWHERE)
    block[batch.labels > NOT_ASKED] = torch.from_numpy(flat(values).astype(np.float32)).to(logits.device)
    return block


def default_hidden_map(student: EncoderConfig, teacher: EncoderConfig) -> tuple[tuple[int, int], ...]:
    """Embedding output to embedding output, last hidden state to last hidden state (FastFormers)."""
    return ((0, 0), (len(student.layers), len(teacher.layers)))


def even_attention_map(student: EncoderConfig, teacher: EncoderConfig) -> tuple[tuple[int, int], ...]:
    """Student layer i follows teacher layer i * k + k - 1, where k = teacher depth / student depth (FastFormers).

    Raises `RecipeError` if the teacher's depth is not a multiple of the student's.
    """
    k, rest = divmod(len(teacher.layers), len(student.layers))
    if rest:
        raise RecipeError(
            f"the attention loss needs a teacher depth ({len(teacher.layers)}) that is a multiple of the student's "
            f"({len(student.layers)})\n  remedy: another number of layers, or attention_map by hand"
        )
    return tuple((i, i * k + k - 1) for i in range(len(student.layers)))


def even_maps(
    student: EncoderConfig, teacher: EncoderConfig
) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    """Hidden states and attentions of every student layer, as in TinyBERT (Jiao et al. 2020, arXiv 1909.10351).

    The embeddings follow the embeddings, and the layers `even_attention_map`. Raises `RecipeError` as that does.
    """
    attention = even_attention_map(student, teacher)
    return ((0, 0), *((ours + 1, theirs + 1) for ours, theirs in attention)), attention


def last_maps(
    student: EncoderConfig, teacher: EncoderConfig, count: int
) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    """The last `count` + 1 hidden states and the last `count` attentions of both, matched one to one from the top, as
    in XtremeDistilTransformers (Mukherjee, Awadallah and Gao 2021, arXiv 2106.04563).

    Raises `RecipeError` if one of the two has fewer layers.
    """
    ours, theirs = len(student.layers), len(teacher.layers)
    if count > min(ours, theirs):
        raise RecipeError(f"inner_layers {count}, but the student has {ours} layers and the teacher {theirs}")
    hidden = tuple((ours - i, theirs - i) for i in range(count, -1, -1))
    return hidden, tuple((ours - i, theirs - i) for i in range(count, 0, -1))


def check_maps(
    student: EncoderConfig,
    teacher: EncoderConfig,
    hidden_map: tuple[tuple[int, int], ...],
    attention_map: tuple[tuple[int, int], ...],
    *,
    projection: bool,
) -> None:
    """Raise `RecipeError` for an index out of range, or for widths or head counts that differ without a projection."""
    for ours, theirs in hidden_map:
        if not (0 <= ours <= len(student.layers) and 0 <= theirs <= len(teacher.layers)):
            raise RecipeError(f"hidden_map pair ({ours}, {theirs}) points past the last layer")
    if hidden_map and student.hidden != teacher.hidden and not projection:
        raise RecipeError(
            f"the hidden-state loss compares widths {student.hidden} (student) and {teacher.hidden} (teacher)\n"
            "  remedy: set projection: true, or hidden_weight: 0"
        )
    for ours, theirs in attention_map:
        if not (0 <= ours < len(student.layers) and 0 <= theirs < len(teacher.layers)):
            raise RecipeError(f"attention_map pair ({ours}, {theirs}) points past the last layer")
        if student.layers[ours].heads != teacher.layers[theirs].heads and not projection:
            raise RecipeError(
                f"the attention loss needs equal head counts, student layer {ours + 1} has "
                f"{student.layers[ours].heads}, teacher layer {theirs + 1} has {teacher.layers[theirs].heads}\n"
                "  remedy: set projection: true or attention_weight: 0, or keep the heads"
            )
