"""What a model is asked to do: the kind of task and the names of its labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KINDS = ("classification", "pair", "span", "tokens", "similarity", "choice")


@dataclass(frozen=True)
class Task:
    """A task: its kind and, in the order of the logits, its label names.

    Raises `ValueError` on an unknown kind, or on duplicate or missing label names.
    """

    kind: str
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown task kind {self.kind!r}; one of {', '.join(KINDS)}")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"duplicate label names in {self.labels}")

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "labels": list(self.labels)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Task:
        return cls(kind=value["kind"], labels=tuple(value["labels"]))
