"""What a recurrent student may be: the strategies of XtremeDistil (what it is fitted to, in which order, and which of
its parts each fit trains), and the vocabularies of its own.

Names are the paper's (Mukherjee and Awadallah 2020, arXiv 2004.05686).
"""

from __future__ import annotations

from dataclasses import dataclass

from leanformer.shapes.recurrent import PARTS

LEARNT = ("cased", "uncased")  # vocabularies of pieces that the student has of its own
_BELOW = ("projection", "lstm", "embedding")


@dataclass(frozen=True)
class Stage:
    """One fit.

    Attributes:
        name: what tells it from the others of its strategy.
        losses: of `objectives.student.PARTS`.
        trains: of `shapes.recurrent.PARTS`; the others are frozen.
    """

    name: str
    losses: tuple[str, ...]
    trains: tuple[str, ...] = PARTS

    @property
    def by_loss(self) -> bool:
        """Whether its best epoch is the one of least loss on dev against the teacher, rather than best dev figure.

        Where no label is learnt from, the figure says little: a head alone may give no entity at all.
        """
        return "labels" not in self.losses

    @property
    def labelled_only(self) -> bool:
        """Whether texts without a label have nothing to say here."""
        return self.losses == ("labels",)


def _unfrozen(name: str, losses: tuple[str, ...]) -> tuple[Stage, ...]:
    """The head alone, then one more part at a time, from the top down (Howard and Ruder 2018)."""
    return tuple(Stage(f"{name}, {PARTS[count - 1]}", losses, PARTS[:count]) for count in range(1, len(PARTS) + 1))


_STATES = Stage("representation", ("representation",), _BELOW)
_BOTH = ("labels", "logits")
STRATEGIES: dict[str, tuple[Stage, ...]] = {
    # Labels of one language; labels of all.
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
    """Whether some fit of the strategy has this part in its loss."""
    return any(part in stage.losses for stage in STRATEGIES[strategy])
