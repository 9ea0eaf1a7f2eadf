"""Problem types and classes: the names that `transformers` has for answer forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from leanformer.answers.form import FormTable
from leanformer.errors import CheckpointError
from leanformer.inputs.kinds import INPUTS
from leanformer.task import BUILT
from leanformer.task import kind_of as built_kind


@dataclass(frozen=True)
class Problem:
    """The name that `transformers` has for an answer form of a sequence classifier, and its numbers of logits.

    `stock` is the ending of its classes for the form; those other than sequence classifiers have no problem type.
    """

    name: str
    fewest: int
    most: float = inf
    stock: str = "ForSequenceClassification"


PROBLEMS = FormTable(
    "leanformer/models/hf/problem_types.py",
    {
        "label": Problem("single_label_classification", 2),
        "labels": Problem("multi_label_classification", 0),
        "score": Problem("regression", 1, 1),
        "tags": Problem("", 1, stock="ForTokenClassification"),
        "span": Problem("", 2, 2, stock="ForQuestionAnswering"),
    },
)


def is_stock_of(form: str, config: Mapping[str, Any]) -> bool:
    """Whether a `config.json` names the class of `transformers` for an answer form."""
    problem = PROBLEMS.get(form)
    return problem is not None and any(name.endswith(problem.stock) for name in config.get("architectures") or ())


def form_named(config: Mapping[str, Any]) -> str:
    """The answer form of the class in a `config.json`, if it is not a sequence classifier's; otherwise ""."""
    return next((form for form, problem in PROBLEMS.items() if not problem.name and is_stock_of(form, config)), "")


def kind_of(config: Mapping[str, Any], logits: int, *, pairs: bool, source: object) -> str:
    """The kind of task in the `config.json` of a fine-tuned model.

    Without a problem type, the kind is the one that `transformers` would train: one logit is a score, several are a
    single label. Raises `CheckpointError` if there is no matching kind.
    """
    own = {kind.answer: name for name, kind in BUILT.items()}.get(form_named(config))
    if own is not None and (not pairs or INPUTS[BUILT[own].input].paired):
        return own
    problem = config.get("problem_type") or ("regression" if logits == 1 else "single_label_classification")
    answer, form = next(
        ((name, problem_type) for name, problem_type in PROBLEMS.items() if problem_type.name == problem), ("", None)
    )
    kind = built_kind("pair" if pairs else "text", answer)
    if kind is None or form is None or not form.fewest <= logits <= form.most:
        raise CheckpointError(
            f"{source}: problem_type {problem!r} with {logits} logits{' on pairs of texts' if pairs else ''} is not "
            "built\n  remedy: give a model that chooses one label of several, any number of them (for single texts), "
            "or gives one score"
        )
    return kind
