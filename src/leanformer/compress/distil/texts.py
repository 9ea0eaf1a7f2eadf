"""Options for the texts that a student is distilled on, and the texts themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from leanformer.artifact import Artifact
from leanformer.errors import DataError
from leanformer.options import FilePath, later
from leanformer.step import Context
from leanformer.train.fit_options import TextOptions

if TYPE_CHECKING:
    from leanformer.data.dataset import Dataset
    from leanformer.data.examples import Examples
    from leanformer.train.pool import TextPool

_COPIED_SHARE = 0.4  # as TinyBERT


@dataclass(frozen=True)
class DistilledTexts(TextOptions):
    """Which texts a student learns from: splits, copies of them, or those that another program has answered."""

    copies: int | None = later()  # of each training text, with words replaced by similar ones (TinyBERT)
    copied_share: float | None = later()  # of the words that are replaced in a copy; 0.4 by default
    teacher_answers: FilePath | None = field(
        default=None, metadata={"later": True}
    )  # JSON Lines of any program's answers, instead of the teacher's

    group: ClassVar[str] = "texts"

    def __post_init__(self) -> None:
        self.at_least(1, "copies")
        self.share("copied_share")
        self.need(bool(self.copies) or self.copied_share is None, "copied_share is for `copies`, which is not given")
        super().__post_init__()

    def splits(self, data: Dataset, *, unlabelled: bool) -> list[Examples]:
        """Train and, if both the option and `unlabelled` say so, unlabelled. Raises `DataError` if there is neither."""
        parts = [data.train] if data.train is not None else []
        if self.use_unlabelled and unlabelled and data.unlabelled is not None:
            parts.append(data.unlabelled)
        if not parts:
            raise DataError("nothing to distil on: neither a train nor an unlabelled split", path=data.name)
        return parts

    def pool(self, splits: list[Examples], artifact: Artifact, context: Context) -> TextPool:
        """All texts of the splits, then copies of the first one's."""
        from leanformer.compress.distil.substitution import copies_of
        from leanformer.train.pool import pooled

        copies = []
        if self.copies:
            share = _COPIED_SHARE if self.copied_share is None else self.copied_share
            copies.append(copies_of(splits[0], artifact, context, self.copies, share))
        return pooled([*splits, *copies], artifact.task)
