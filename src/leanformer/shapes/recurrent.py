"""The shape of a recurrent classifier, as plain data; `bilstm.json` in an artifact of format "bilstm"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from leanformer.errors import CheckpointError
from leanformer.schema import fields, number, text, whole

POOLINGS = ("none", "ends")
PARTS = ("head", "projection", "lstm", "embedding")
"""What can be trained by itself, from the top down."""

_WIDTH = whole(1, 1 << 20)
_ROWS = whole(1, 1 << 26)
BILSTM = fields(
    {
        "vocabulary": _ROWS, "embedding": _WIDTH, "units": _WIDTH, "projection": _WIDTH, "labels": _WIDTH,
        "padding_id": whole(0, 1 << 26),
    },
    {"pooling": text(100), "dropout": number(0, 1)},
    others=False,
)  # fmt: skip
"""What `bilstm.json` must look like, which may be anybody's."""


@dataclass(frozen=True)
class LstmShape:
    """What the cost depends on for embeddings, one bidirectional LSTM, a projection and logits.

    Attributes:
        embedding: width of the LSTM's input. units: per direction. projection: its width.
        labels: number of logits.
        every_token: whether each token has logits; if not, the projection is computed once per text, too.
    """

    embedding: int
    units: int
    projection: int
    labels: int
    every_token: bool = True

    def flops(self, rows: int, tokens: int) -> int:
        """Operations for `rows` rows of `tokens` tokens, padding included."""
        above = 2 * self._read(tokens) * self.projection * (2 * self.units + self.labels)
        return lstm_flops(self.embedding, self.units, rows, tokens) + rows * above

    def elements(self, tokens: int) -> int:
        """Both directions of the LSTM: input, four gates, state and cell; then the projection and its input."""
        above = self._read(tokens) * (2 * self.units + 2 * self.projection)
        return 2 * tokens * (self.embedding + 6 * self.units) + above

    def _read(self, tokens: int) -> int:
        return tokens if self.every_token else 1


def lstm_flops(width_in: int, units: int, rows: int, tokens: int, *, directions: int = 2) -> int:
    """Operations of one LSTM layer: four gates from the input and the state, per token and direction."""
    return directions * rows * tokens * 2 * 4 * units * (width_in + units)


@dataclass(frozen=True)
class BiLstmConfig:
    """The whole configuration of a recurrent classifier.

    Attributes:
        vocabulary: rows of the word table.
        embedding: its width (E).
        units: of the LSTM in each direction (H).
        projection: width of the projection, that of the teacher's states.
        labels: number of logits.
        padding_id: id of padding tokens; it has no effect on the output.
        pooling: "none" gives logits for every token; "ends" reads the final state of each direction, for a whole text.
        dropout: before the LSTM, before the projection and before the logits; used in training only.
    """

    vocabulary: int
    embedding: int
    units: int
    projection: int
    labels: int
    padding_id: int
    pooling: str = "none"
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise CheckpointError(f"unknown pooling {self.pooling!r}; one of {', '.join(POOLINGS)}")
        for name in ("vocabulary", "embedding", "units", "projection", "labels"):
            if getattr(self, name) < 1:
                raise CheckpointError(f"{name} must be at least 1, not {getattr(self, name)}")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> BiLstmConfig:
        """Raises `CheckpointError` on missing or unknown keys."""
        try:
            return cls(**value)
        except TypeError as error:
            raise CheckpointError(f"not the configuration of a recurrent classifier: {error}") from error

    def shape(self) -> LstmShape:
        """The shape on which the cost depends."""
        return LstmShape(self.embedding, self.units, self.projection, self.labels, every_token=self.pooling == "none")
