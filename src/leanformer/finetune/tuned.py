"""What every way of making a teacher returns, and the answers that it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.answers.forms import decide
from leanformer.data.examples import Examples
from leanformer.models.classifier import Classifier
from leanformer.models.scoring import score_rows
from leanformer.models.store import device_of
from leanformer.task import Task
from leanformer.tokenizer import Tokenizer
from leanformer.train.adapters.adapter import Adapter
from leanformer.train.given_answers import Given
from leanformer.train.rows import encode
from leanformer.train.settings import FitSettings


@dataclass(frozen=True)
class Place:
    """Where and how a teacher is made.

    Attributes:
        settings: of the loop. max_tokens: the longest input in tokens. work: folder of checkpoints. say: is told how
            far it is. answers: of a program, for the rows of train, to learn from instead of labels.
    """

    settings: FitSettings
    max_tokens: int
    work: Path | None
    device: str
    say: Callable[[str], None]
    answers: Given | None = None


@dataclass(frozen=True)
class Tuned:
    """A model for a task, in memory.

    Attributes:
        tokenizer: its `tokenizer.json`. tokens: the longest input in tokens.
        result: what its history tells of the fit, such as the figure on dev. seconds: that the fit took.
        options: further settings for the history. adapter: what was trained, if not the whole model.
    """

    model: Classifier
    tokenizer: Path
    tokens: int
    task: Task
    result: Mapping[str, Any]
    seconds: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)
    adapter: Adapter | None = None

    def answers(self, examples: Examples, device: str) -> np.ndarray:
        """Its answers for the examples, as `answers.forms.decide` gives them."""
        rows, where = encode(Tokenizer(self.tokenizer, self.tokens), self.task, examples.inputs), device_of(device)
        model = self.model.to(where).eval()
        padding = model.config.padding_id
        return decide(rows.logits(lambda ids: score_rows(model, ids, padding_id=padding, device=where)), self.task)
