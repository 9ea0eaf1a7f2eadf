"""Learnt tag transitions: a linear-chain conditional random field over a model's logits.

Lafferty, McCallum and Pereira 2001; over neural networks Collobert et al. 2011 and Lample et al. 2016. The model itself
is unchanged and computes each word's logits; the learnt transitions become part of its task (`Task.transitions`), so
that any decoder of its logits can use them without PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from leanformer.answers.forms import form_of
from leanformer.errors import LeanformerError
from leanformer.tagging.viterbi import Transitions, legal_steps
from leanformer.task import Task
from leanformer.train.encoded import CONTINUES
from leanformer.train.feeds.batches import NOT_ASKED, Batch
from leanformer.train.objectives.objective import RowLoss

# Score of an illegal transition, never trained; far below the sum of any logits.
ILLEGAL = -1e4
# Peak learning rate of transitions: within the few steps of a fine-tuning they must reach the magnitude of logits. With
# the encoder's learning rate they would stay close to zero.
RATE = 1e-2


class TagChain(RowLoss):
    """Scores of the first tag and of each transition, added to the score of a tag sequence; initially zero.

    The loss is that of complete tag sequences, and the learnt scores become part of the task.

    Args:
        labels: the tags; they determine the legal transitions (see `tagging.viterbi.legal_steps`).
        start: transitions learnt by an earlier model, to continue from.
        scheme: the tagging scheme, which determines legal transitions, see `task.Task`.

    Initially, the best sequence is the same as in decoding without transitions.
    """

    rate = RATE
    may_begin: Tensor
    may_follow: Tensor

    def __init__(self, labels: Sequence[str], start: Transitions | None = None, scheme: str | None = None) -> None:
        super().__init__()
        first, follows = legal_steps(tuple(labels), scheme)
        learnt = torch.zeros(len(first) + 1, len(first)) if start is None else torch.tensor(start)
        self.first, self.steps = nn.Parameter(learnt[0].clone()), nn.Parameter(learnt[1:].clone())
        self.register_buffer("may_begin", torch.from_numpy(first), persistent=False)
        self.register_buffer("may_follow", torch.from_numpy(follows), persistent=False)

    def scores(self) -> tuple[Tensor, Tensor]:
        """The scores of first tags `[labels]` and transitions `[before, after]`; `ILLEGAL` for illegal ones."""
        first = torch.where(self.may_begin, self.first, ILLEGAL)
        return first, torch.where(self.may_follow, self.steps, ILLEGAL)

    def transitions(self) -> Transitions:
        """The scores as in `Task.transitions`, rounded, so that the last bits of an fp32 sum do not matter."""
        with torch.no_grad():
            first, steps = self.scores()
            return tuple(tuple(round(score, 6) for score in row) for row in torch.cat([first[None], steps]).tolist())

    def learnt(self, task: Task) -> Task:
        return replace(task, transitions=self.transitions())

    def forward(self, logits: Tensor, batch: Batch) -> Tensor:
        """The loss of each row of a block, `[B]`, see `loss`."""
        return self.loss(logits, batch.labels, batch.extra.get(CONTINUES))

    def loss(self, logits: Tensor, labels: Tensor, continues: Tensor | None = None) -> Tensor:
        """The negative log-likelihood of the labels, divided by the row's number of words, `[B]`; 0 for an empty row.

        Per word, so that learning rates and loss weights chosen for cross-entropy suit this loss too. A word with an
        unknown tag may have any tag: the likelihood is the sum over all sequences that agree with the known tags.

        Args:
            logits: `[B, S, labels]`. labels: `[B, S]`, as in `Batch`.
            continues: which rows are not a sentence's first window, `[B]`; their first word may have any tag, and
                first-tag scores are not trained on it. None: none.
        """
        scores, gold, real = asked_words(logits.float(), labels)
        if scores.shape[1] == 0:
            return logits.sum(dim=(1, 2)) * 0.0
        first, steps = self.scores()
        first = first.expand(len(scores), -1)
        if continues is not None:
            first = torch.where(continues[:, None], torch.zeros_like(first), first)
        tags = torch.arange(scores.shape[2], device=scores.device)
        other = (gold >= 0)[:, :, None] & (tags != gold[:, :, None])
        both = torch.cat([scores, scores.masked_fill(other, ILLEGAL)])
        total = log_partition(both, real.repeat(2, 1), first.repeat(2, 1), steps)
        every, right = total.chunk(2)
        count = real.sum(dim=1)
        return torch.where(count > 0, (every - right) / count.clamp_min(1), 0.0)


def tag_chain(task: Task, where: str, start: Transitions | None = None) -> TagChain:
    """A chain for the tags of `task`, starting from an earlier model's transitions or from zero.

    Raises `LeanformerError` for a task without tags; the message begins with `where`.
    """
    if not form_of(task).per_word:
        raise LeanformerError(
            f"{where}: a CRF learns which tag follows which, and a task of kind {task.kind!r} has none\n"
            "  remedy: leave `crf` out; or data whose words have tags (--task tokens)"
        )
    return TagChain(task.labels, start, task.scheme)


def asked_words(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The tokens with a target, moved to the left: logits `[B, W, labels]`, labels `[B, W]`, mask `[B, W]`."""
    asked = labels > NOT_ASKED
    width = int(asked.sum(dim=1).max()) if len(labels) else 0
    places = asked.int().argsort(dim=1, descending=True, stable=True)[:, :width]
    scores = logits.gather(1, places[:, :, None].expand(-1, -1, logits.shape[2]))
    return scores, labels.gather(1, places), asked.gather(1, places)


def log_partition(scores: Tensor, real: Tensor, first: Tensor, steps: Tensor) -> Tensor:
    """The log of the sum over all sequences of exp(score), `[B]`, by the forward algorithm.

    Args:
        scores: logits `[B, W, labels]` with W at least 1. real: mask of the words `[B, W]`, left-aligned.
        first: scores of first tags `[B, labels]`. steps: scores of transitions `[before, after]`.
    """
    total = first + scores[:, 0]
    for word in range(1, scores.shape[1]):
        onward = torch.logsumexp(total[:, :, None] + steps, dim=1) + scores[:, word]
        total = torch.where(real[:, word, None], onward, total)
    return torch.logsumexp(total, dim=1)
