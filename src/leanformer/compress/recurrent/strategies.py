"""Options of a recurrent student: the strategies of XtremeDistil (the losses, their order, and the parts that each fit
trains), and the vocabularies.

Names are the paper's (Mukherjee and Awadallah 2020, arXiv 2004.05686).
"""

from __future__ import annotations

from dataclasses import dataclass

from leanformer.shapes.recurrent import PARTS

LEARNT = ("cased", "uncased")  # vocabularies learnt for the student
_BELOW = ("projection", "lstm", "embedding")


@dataclass(frozen=True)
class Stage:
    """One fit.

    Attributes:
        name: unique within its strategy.
        losses: some of `compress.recurrent.objective.PARTS`.
        trains: some of `shapes.recurrent.PARTS`; the others are frozen.
    """

    name: str
    losses: tuple[str, ...]
    trains: tuple[str, ...] = PARTS

    @property
    def by_loss(self) -> bool:
        """Whether the best epoch has the lowest dev loss against the teacher, rather than the best dev figure.

        Without a label loss the figure is uninformative: an untrained head may predict no entity at all.
        """
        return "labels" not in self.losses

    @property
    def labelled_only(self) -> bool:
        """Whether texts without a label are of no use in this fit."""
        return self.losses == ("labels",)


def _unfrozen(name: str, losses: tuple[str, ...]) -> tuple[Stage, ...]:
    """Train the head alone, then unfreeze one more part at a time, from the top down (Howard and Ruder 2018)."""
    return tuple(Stage(f"{name}, {PARTS[count - 1]}", losses, PARTS[:count]) for count in range(1, len(PARTS) + 1))


_STATES = Stage("representation", ("representation",), _BELOW)
_BOTH = ("labels", "logits")
STRATEGIES: dict[str, tuple[Stage, ...]] = {
    # Labels of one language; labels of all languages.
    "D0": (Stage("labels", ("labels",)),),
    "D0-S": (Stage("labels", ("labels",)),),
    # Labels and logits together; and the teacher's states.
    "D1": (Stage("labels and logits", _BOTH),),
    "D2": (Stage("labels, logits and representation", (*_BOTH, "representation")),),
    # The teacher's states first, then labels and logits; the same with gradual unfreezing.
    "D3.1": (_STATES, Stage("labels and logits", _BOTH)),
    "D3.2": (_STATES, *_unfrozen("labels and logits", _BOTH)),
    # States, then logits, then labels; the same with gradual unfreezing: nine fits.
    "D4.1": (_STATES, Stage("logits", ("logits",)), Stage("labels", ("labels",))),
    "D4.2": (_STATES, *_unfrozen("logits", ("logits",)), *_unfrozen("labels", ("labels",))),
}


def needs(strategy: str, part: str) -> bool:
    """Whether any fit of the strategy uses this loss."""
    return any(part in stage.losses for stage in STRATEGIES[strategy])
