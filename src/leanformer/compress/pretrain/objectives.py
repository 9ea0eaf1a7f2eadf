"""What a student learns of its teacher on raw text; one function per value of the option `objective`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import nn

from leanformer.answers.forms import form_of
from leanformer.errors import RecipeError
from leanformer.inputs.kinds import input_of
from leanformer.shapes.encoder import EncoderConfig
from leanformer.task import Task
from leanformer.train.objectives.distillation import Distillation, LossWeights, even_maps
from leanformer.train.objectives.objective import Objective
from leanformer.train.objectives.relations import Relations, usual_heads, usual_layer
from leanformer.train.objectives.vectors import Vectors
from leanformer.train.online_teacher import OnlineTeacher

if TYPE_CHECKING:
    from leanformer.compress.pretrain.pretrain import Pretrain

Made = tuple[Objective, dict[str, Any]]
"""An objective, and what was chosen for it by default, for the history."""


def relations(options: Pretrain, teacher: OnlineTeacher, student: EncoderConfig, task: Task) -> Made:
    """Relations of queries, keys and values of one layer of the teacher and the student's last (MiniLMv2)."""
    config = teacher.model.config
    depth = len(config.layers)
    layer = usual_layer(config) if options.layer is None else options.layer - 1
    if layer >= depth:
        raise RecipeError(
            f"compress.pretrain: layer {layer + 1}, and the input has {depth}\n  remedy: layer: {depth} or less"
        )
    ours, theirs = student.layers[-1].heads * student.head_size, config.layers[layer].heads * config.head_size
    usual = usual_heads(ours, theirs)
    heads = options.relation_heads or usual
    if ours % heads or theirs % heads:
        raise RecipeError(
            f"compress.pretrain: {heads} relation heads do not divide queries of {ours} (student) and {theirs} (input) "
            f"entries\n  remedy: relation_heads: {usual}"
        )
    return Relations(teacher, layer=layer, heads=heads), {"layer": layer + 1, "relation_heads": heads}


def tinybert(options: Pretrain, teacher: OnlineTeacher, student: EncoderConfig, task: Task) -> Made:
    """Embeddings, hidden states and attention scores before the softmax of evenly spaced layers (TinyBERT).

    Both are squared distances, means over layers; states of another width pass one projection, shared by all layers.
    """
    config = teacher.model.config
    hidden, attention = even_maps(student, config)
    numbers = [(student.layers[ours].heads, config.layers[theirs].heads) for ours, theirs in attention]
    if unequal := [pair for pair in numbers if pair[0] != pair[1]]:
        raise RecipeError(
            f"compress.pretrain: attention scores are compared head by head; the student has {unequal[0][0]} heads, "
            f"the input {unequal[0][1]}\n  remedy: heads: {unequal[0][1]}; or objective: relations"
        )
    projection = None if student.hidden == config.hidden else nn.Linear(student.hidden, config.hidden)
    weights = LossWeights(soft=0.0, hidden=1.0, attention=1.0, attention_kind="scores")
    made = Distillation(
        None, weights, online=teacher, hidden_map=hidden, attention_map=attention, projections=projection
    )
    return made, {"layers": [theirs + 1 for _, theirs in attention]}


def logits(options: Pretrain, teacher: OnlineTeacher, student: EncoderConfig, task: Task) -> Made:
    """The answers of a fine-tuned classifier (pre-trained distillation, Turc et al. 2019)."""
    form = form_of(task)
    if not form.taught or form.windowed is not None or input_of(task).seconds:
        raise RecipeError(
            f"compress.pretrain: a model of kind {task.kind} has no answers to single raw texts that could be learnt\n"
            "  remedy: objective: relations; or give a fine-tuned classifier of single texts"
        )
    return Distillation(None, LossWeights(), online=teacher, answer=task.answer), {}


def vectors(options: Pretrain, teacher: OnlineTeacher, student: EncoderConfig, task: Task) -> Made:
    """The vectors of an embedder, and their cosines within a block."""
    if task.width is None:
        raise RecipeError(
            f"compress.pretrain: a model of kind {task.kind} gives no vectors that could be learnt\n"
            "  remedy: objective: logits, or relations; or give an embedder"
        )
    return Vectors(teacher, 1.0 if options.in_batch is None else options.in_batch), {}


OBJECTIVES: dict[str, Callable[[Pretrain, OnlineTeacher, EncoderConfig, Task], Made]] = {
    "relations": relations,
    "tinybert": tinybert,
    "logits": logits,
    "vectors": vectors,
}
