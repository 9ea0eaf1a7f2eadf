"""Learning which tag follows which: a linear-chain conditional random field over a model's logits.

Lafferty, McCallum and Pereira 2001; over neural networks Collobert et al. 2011 and Lample et al. 2016. The model stays
as it is and gives each word's logits; what is learnt of steps from tag to tag becomes a part of its task
(`Task.transitions`), so that whatever decodes its logits knows it, without PyTorch.
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
from leanformer.train.feeds.batches import NOT_ASKED, Batch
from leanformer.train.objectives.objective import RowLoss
from leanformer.train.rows import CONTINUES

# What an illegal step adds, and is never trained; far below what any logits add up to.
ILLEGAL = -1e4
# Peak learning rate of transitions: they have to grow to the size of logits, in the few steps of a fine-tuning, where
# an encoder's own rate would leave them near nought.
RATE = 1e-2


class TagChain(RowLoss):
    """What a first tag, and each step from tag to tag, adds to the score of a sequence; nought at the start.

    As a loss it is that of whole sequences of tags, and what it has learnt becomes a part of the task.

    Args:
        labels: the tags, which tell the legal steps (see `tagging.viterbi.legal_steps`).
        start: what an earlier model learnt, to go on from.
        scheme: which steps are legal, see `task.Task`.

    At the start the best sequence is that of decoding without transitions.
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
        """What first tags `[labels]` and steps `[before, after]` add: `ILLEGAL` for what is not legal."""
        first = torch.where(self.may_begin, self.first, ILLEGAL)
        return first, torch.where(self.may_follow, self.steps, ILLEGAL)

    def transitions(self) -> Transitions:
        """The same as `Task.transitions`, rounded, so that the last bits of an fp32 sum do not matter."""
        with torch.no_grad():
            first, steps = self.scores()
            return tuple(tuple(round(score, 6) for score in row) for row in torch.cat([first[None], steps]).tolist())

    def learnt(self, task: Task) -> Task:
        return replace(task, transitions=self.transitions())

    def forward(self, logits: Tensor, batch: Batch) -> Tensor:
        """The loss of each row of a block, `[B]`, see `loss`."""
        return self.loss(logits, batch.labels, batch.extra.get(CONTINUES))

    def loss(self, logits: Tensor, labels: Tensor, continues: Tensor | None = None) -> Tensor:
        """Minus the log-likelihood of the labels, divided by the words of a row, `[B]`; 0 for a row of none.

        By words, so that rates and sums of losses that suit cross-entropy suit this too. A word whose tag is not known
        may have any, and what all sequences that agree with the known ones add up to is what is made likely.

        Args:
            logits: `[B, S, labels]`. labels: `[B, S]`, as `Batch` has them.
            continues: which rows are no sentence's first window, `[B]`; their first word may have any tag, and nothing
                is learnt of it as a beginning. None: none.
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
    """A chain for the tags of `task`, from what an earlier model learnt or from nought.

    Raises `LeanformerError`, naming `where` it was asked for, for a task without tags.
    """
    if not form_of(task).per_word:
        raise LeanformerError(
            f"{where}: a CRF learns which tag follows which, and a task of kind {task.kind!r} has none\n"
            "  remedy: leave `crf` out; or data whose words have tags (--task tokens)"
        )
    return TagChain(task.labels, start, task.scheme)


def asked_words(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The tokens that are asked about, side by side: logits `[B, W, labels]`, labels `[B, W]`, whether there is one."""
    asked = labels > NOT_ASKED
    width = int(asked.sum(dim=1).max()) if len(labels) else 0
    places = asked.int().argsort(dim=1, descending=True, stable=True)[:, :width]
    scores = logits.gather(1, places[:, :, None].expand(-1, -1, logits.shape[2]))
    return scores, labels.gather(1, places), asked.gather(1, places)


def log_partition(scores: Tensor, real: Tensor, first: Tensor, steps: Tensor) -> Tensor:
    """The log of the sum over all sequences of exp of their score, `[B]`, by the forward algorithm.

    Args:
        scores: logits `[B, W, labels]`, at least one word wide. real: which words there are `[B, W]`, from the left.
        first: what first tags add `[B, labels]`. steps: what steps add `[before, after]`.
    """
    total = first + scores[:, 0]
    for word in range(1, scores.shape[1]):
        onward = torch.logsumexp(total[:, :, None] + steps, dim=1) + scores[:, word]
        total = torch.where(real[:, word, None], onward, total)
    return torch.logsumexp(total, dim=1)
