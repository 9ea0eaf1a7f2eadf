"""A model as the server's front sees it: its name, its artifact and its tokenizer. The weights are in the workers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leanformer.artifact import open_artifact
from leanformer.cascade.rows import CascadeTokenizer, tokenizer_of
from leanformer.errors import ArtifactError
from leanformer.serve.inputs import Text, is_paired
from leanformer.serve.refused import Refused
from leanformer.task import Task
from leanformer.tokenizer import Tokenizer

# About two milliseconds of work; more of it at a time would make other requests wait for the event loop.
_INLINE_CHARACTERS = 8192


@dataclass(frozen=True, eq=False)
class Model:
    """What is needed to read requests for a model and to say what it is.

    Attributes:
        index: its place among the workers' models.
        version: content hash of the artifact.
    """

    name: str
    index: int
    version: str
    task: Task
    max_tokens: int
    tokenizer: Tokenizer | CascadeTokenizer
    facts: dict[str, Any]

    async def rows(self, texts: Sequence[Text], *, truncate: bool) -> list[np.ndarray]:
        """Token ids of each text. Raises `Refused` (422) for one that is too long and may not be cut."""
        characters = sum(len(one) if isinstance(one, str) else len(one[0]) + len(one[1]) for one in texts)
        if characters <= _INLINE_CHARACTERS:
            return self.encode(texts, truncate=truncate)
        return await asyncio.to_thread(self.encode, texts, truncate=truncate)

    def encode(self, texts: Sequence[Text], *, truncate: bool) -> list[np.ndarray]:
        """`rows`, here and now."""
        rows = self.tokenizer.encode(texts)
        if not truncate:
            for index, row in enumerate(rows):
                # Only a row that is full can have been cut; whether it was takes a second look.
                if len(row) >= self.max_tokens and self.tokenizer.count_longer([texts[index]]):
                    raise Refused(
                        422,
                        f"inputs[{index}]: more tokens than the model's max_tokens, {self.max_tokens}; "
                        'shorten it, or allow cutting with "truncate": true',
                    )
        return rows


def open_model(name: str, index: int, folder: str) -> Model:
    """Open the artifact in `folder`, its hashes checked. Raises `ArtifactError` or `CheckpointError`."""
    artifact = open_artifact(folder)
    if artifact.task.answer == "tags":
        raise ArtifactError(
            f"{folder}: a model that tags words is not served yet\n"
            "  remedy: leanformer.load(FOLDER).predict(texts), or leanformer predict FOLDER --input FILE"
        )
    return Model(
        name=name,
        index=index,
        version=artifact.content_hash,
        task=artifact.task,
        max_tokens=artifact.max_tokens,
        tokenizer=tokenizer_of(artifact),
        facts={
            "format": artifact.format,
            "precision": artifact.properties.get("precision"),
            "parameters": artifact.properties.get("parameters"),
            "bytes": artifact.bytes,
            "pairs": is_paired(artifact.task),
            "steps": [str(entry.get("step")) for entry in artifact.history],
        },
    )
