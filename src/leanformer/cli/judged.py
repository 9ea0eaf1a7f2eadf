"""What `leanformer gate` judges: the answers of both models, and the groups of the rows."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from leanformer.cli.arguments import say
from leanformer.errors import LeanformerError


def groups_of(lean: Any, examples: Any, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The group of every example, for each grouping asked for."""
    from leanformer.answers.forms import form_of
    from leanformer.data.reading.columns import read_column
    from leanformer.metrics.slices import length_groups

    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        if name == "length":
            found[name] = length_groups(_lengths(lean, examples))
        elif name == "class":
            if not form_of(lean.task).exclusive:
                raise LeanformerError(
                    "--slice class: only rows with one label each are of a class\n"
                    "  remedy: --max-recall-drop bounds each label or type of entity"
                )
            found[name] = tuple(examples.task.labels[i] for i in examples.labels)
        elif name == "language" and examples.languages is not None:
            found[name] = examples.languages
        else:
            found[name] = read_column(examples, name)
    return found


def _lengths(lean: Any, examples: Any) -> list[int]:
    """Tokens of each input, of all its candidates together; of a sentence to be tagged, its words."""
    from leanformer.answers.forms import form_of
    from leanformer.cascade.rows import tokenizer_of
    from leanformer.inputs.kinds import rows_of

    if form_of(lean.task).per_word:
        return [len(tags) for tags in examples.labels]
    rows, counts = rows_of(lean.task, examples.inputs)
    tokens = iter(tokenizer_of(lean).encode(rows))
    return [
        sum(len(next(tokens)) for _ in range(count)) for count in (counts if counts is not None else [1] * len(rows))
    ]


def _names(lean: Any, against: str) -> dict[str, Any]:
    """How a checkpoint's labels are found: those that `lean` was made with, if it was made from one that has them."""
    from leanformer.inputs.kinds import input_of
    from leanformer.models.store import find_checkpoint, own_labels

    matched = (lean.history[0].get("options") or {}).get("labels_matched") if lean.history else None
    own, kind = own_labels(find_checkpoint(against), pairs=input_of(lean.task).paired)
    if isinstance(matched, dict) and tuple(matched) == own and tuple(matched.values()) == lean.task.labels:
        return {"named": replace(lean.task.question, kind=kind)}
    return {"labels": lean.task.labels}


def answers_of(lean: Any, against: str, examples: Any, threads: int | None) -> tuple[Any, Any, str]:
    """Answers of the model and of its teacher, as `answers.forms.decide` returns them; the teacher's content hash."""
    from leanformer.answers.forms import decide
    from leanformer.artifact import is_artifact, open_artifact
    from leanformer.cli.arguments import need_torch
    from leanformer.cli.vectors import open_embedder
    from leanformer.cosines import OfPairs, of_pairs
    from leanformer.inputs.kinds import input_of
    from leanformer.loading import open_pairs, open_predictor
    from leanformer.predictor import logits

    opened: Any = open_pairs if isinstance(lean, OfPairs) else open_predictor
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(lean, OfPairs):
            texts = [text for pair in examples.inputs for text in pair]
            teacher: Any = of_pairs(open_embedder(against, texts, Path(folder)))
        elif is_artifact(against):
            teacher = open_artifact(against)
        else:
            need_torch(f"reading {against}")
            from leanformer.models.store import import_checkpoint

            teacher = import_checkpoint(
                against, Path(folder) / "teacher", max_tokens=lean.max_tokens, pairs=input_of(lean.task).paired,
                texts=examples.inputs[:1000], **_names(lean, against),
            )  # fmt: skip
        if teacher.task.question != lean.task.question:
            raise LeanformerError(
                f"{against}: its labels {list(teacher.task.labels)} are not those of {lean.path} "
                f"({list(lean.task.labels)}), in that order\n  remedy: give the teacher that the model was made from"
            )
        say(f"scoring {len(examples)} texts with both")
        ours, theirs = (
            decide(logits(opened(model, threads=threads), examples.inputs), model.task) for model in (lean, teacher)
        )
    return ours, theirs, teacher.content_hash
