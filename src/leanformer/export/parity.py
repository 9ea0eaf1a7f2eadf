"""The parity gate: how far a graph's outputs differ from those of the model it was made from."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from leanformer.answers.forms import changed, form_of
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import GateError
from leanformer.spans.best import NOWHERE
from leanformer.tagging.ragged import flat
from leanformer.task import Task


def gate_examples(data: Dataset) -> Examples | None:
    """The texts to compare on: dev; for vectors, which have no labels and so no dev split, the unlabelled texts."""
    return data.dev if form_of(data.task).taught else data.unlabelled


@dataclass(frozen=True)
class Parity:
    """Differences between two models' logits on the same texts.

    Attributes:
        n: number of texts.
        max_difference, mean_difference: of the absolute logit differences.
        reference_spread: standard deviation of the reference's logits, as a scale for the differences.
        flips: share of texts whose answer changed: another label, or a threshold crossed. Scores do not flip; for them,
            the bound on the mean difference limits the change.
    """

    n: int
    max_difference: float
    mean_difference: float
    reference_spread: float
    flips: float

    def to_json(self) -> dict[str, float]:
        return asdict(self)


def compare(logits: np.ndarray, reference: np.ndarray, task: Task) -> Parity:
    """Compare logits with those of the reference.

    They are `[n, outputs]`, or ragged `[n]` of `[words, outputs]`, in which case words are counted instead of texts.
    """
    ours, theirs = flat(logits), flat(reference)
    if not (there := theirs > NOWHERE / 2).all():
        ours, theirs = ours[there], theirs[there]  # characters at which no answer can start or end
    difference = np.abs(ours.astype(np.float64) - theirs)
    return Parity(
        n=len(logits),
        max_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        reference_spread=float(theirs.std()),
        flips=float(changed(logits, reference, task).mean()),
    )


def check(parity: Parity, *, step: str, max_difference: float | None, mean_share: float | None, flips: float) -> None:
    """Raise `GateError` if a bound is exceeded.

    Args:
        max_difference: maximum absolute logit difference; None for no bound.
        mean_share: maximum mean difference, as a share of the spread of the reference's logits; None for no bound.
        flips: maximum share of changed answers.
    """
    if not np.isfinite([parity.max_difference, parity.mean_difference]).all():
        raise GateError(
            f"{step}: the graph's logits are not finite, or PyTorch's are not, so they cannot be compared\n"
            "  remedy: look for weights that are far too large, or fine-tune the model again with a lower learning rate"
        )
    problems = []
    if max_difference is not None and parity.max_difference > max_difference:
        problems.append(f"largest logit difference {parity.max_difference:.2g} > {max_difference:g}")
    if mean_share is not None and parity.mean_difference > mean_share * parity.reference_spread:
        problems.append(
            f"mean logit difference {parity.mean_difference:.2g} > {mean_share:g} of the spread "
            f"{parity.reference_spread:.2g}"
        )
    if parity.flips > flips:
        problems.append(f"{100 * parity.flips:.2f} % of labels changed > {100 * flips:g} %")
    if problems:
        raise GateError(f"{step}: the parity gate failed on {parity.n} dev texts: {'; '.join(problems)}")
