"""The promise of a cascade, and what rows can show: exact tests, and how many rows they need."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

from leanformer.errors import LeanformerError
from leanformer.metrics.binomial import at_most, upper_limit
from leanformer.metrics.noninferiority import fewest_texts, loss_limit, noninferiority_p
from leanformer.metrics.paired import Paired

PROMISES = ("accuracy", "agreement")


@dataclass(frozen=True)
class Promise:
    """At most `max_loss` is lost compared with the last member, on texts like those of the calibration.

    Attributes:
        max_loss: points of accuracy that may be lost, or percentage of answers that may differ.
        confidence: least probability, over the draw of the calibration rows, that no cascade beyond the bound is made.
        of: "accuracy" needs labels. "agreement" bounds the answers that differ from the last member's, whoever is
            right, and needs none; as an answer that does not differ loses nothing, it bounds the loss too.
    """

    max_loss: float = 0.5
    confidence: float = 0.95
    of: str = "accuracy"

    def __post_init__(self) -> None:
        if self.of not in PROMISES:
            raise LeanformerError(f"a promise is of {' or '.join(PROMISES)}, not of {self.of!r}")
        if not 0 < self.max_loss < 100:
            raise LeanformerError(
                f"the promised loss is a number of points between 0 and 100, not {self.max_loss}\n  remedy: no finite "
                "number of rows shows a loss of exactly 0; say how much may be lost, such as 0.5"
            )
        if not 0.5 <= self.confidence <= 0.999:
            raise LeanformerError(f"the confidence lies between 0.5 and 0.999, not at {self.confidence}")

    @property
    def bound(self) -> float:
        """The most that may be lost, as a share."""
        return self.max_loss / 100

    def p_value(self, paired: Paired) -> float:
        """p-value of the hypothesis that the promise is broken, from counts against the last member."""
        if self.of == "agreement":
            return at_most(paired.changed, paired.n, self.bound)
        return noninferiority_p(paired.lost, paired.gained, paired.n, self.bound)

    def is_shown(self, paired: Paired) -> bool:
        return self.p_value(paired) <= 1 - self.confidence

    def limit(self, paired: Paired) -> float:
        """One-sided upper limit of the loss, a share, at the promised confidence."""
        if self.of == "agreement":
            return upper_limit(paired.changed, paired.n, self.confidence)
        return loss_limit(paired.lost, paired.gained, paired.n, self.confidence)

    @property
    def fewest_rows(self) -> int:
        """Number of rows that show it if no answer differs; with fewer the promise can hardly be made."""
        if self.of == "agreement":
            return ceil(log(1 - self.confidence) / log(1 - self.bound))
        return fewest_texts(self.bound, self.confidence)

    def bearable(self, rows: int) -> int | None:
        """Most of `rows` rows that may be lost (and none gained), or differ, with the promise still shown.

        None if not even identical answers show it.
        """
        if rows < self.fewest_rows:
            return None
        count = 0
        while count < rows and self.is_shown(Paired(rows, count + 1, 0, count + 1)):
            count += 1
        return count

    def outlook(self, rows: int) -> str:
        """What `rows` calibration rows can show, in one sentence, to be reported before any answer is looked at."""
        what = (
            f"at most {self.max_loss:g} points of accuracy lost"
            if self.of == "accuracy"
            else f"at most {self.max_loss:g} % of answers changed"
        )
        start = f"{what} at {100 * self.confidence:g} % confidence takes {self.fewest_rows:,} calibration rows"
        count = self.bearable(rows)
        if count is None:
            return f"{start}, even if no answer differed; there are {rows:,}"
        differing = "may be lost with none gained" if self.of == "accuracy" else "may differ"
        return f"{start} if no answer differs; of the {rows:,} there are, {count:,} {differing}"
