"""A model as the server's front process sees it: name, artifact and tokenizer. The weights are in the workers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.answers.long_texts import TextTokenizer, mean_logits, reading, windowed_of
from leanformer.artifact import Artifact, open_artifact
from leanformer.cascade.rows import RowMaker, tokenizer_of
from leanformer.errors import ArtifactError
from leanformer.formats import format_of
from leanformer.inputs.kinds import input_of
from leanformer.measure.certificate import check_certificate
from leanformer.serve.figures import read_figures
from leanformer.serve.http import answers
from leanformer.serve.http.inputs import Query
from leanformer.serve.http.refused import Refused
from leanformer.serve.http.tokens import Tokens
from leanformer.spans.windows import PassageTokenizer, to_characters
from leanformer.tagging.windows import SentenceTokenizer, to_words
from leanformer.tagging.words import Sentence, as_sentence
from leanformer.task import Question, Task

TOKENIZER = "tokenizer.json"
AnyTokenizer: TypeAlias = RowMaker | SentenceTokenizer | PassageTokenizer | TextTokenizer
# About two milliseconds of work; more at once would make other requests wait for the event loop. Finding words and
# their offsets is done in Python and takes about five times as long as pieces alone.
_INLINE_CHARACTERS = {"predict": 8192, "tag": 1024, "embed": 8192, "answer": 1024}
# The same for logits: number of tagged tokens, or of numbers written out.
_INLINE_LOGITS = {"predict": math.inf, "tag": 512, "embed": 8, "answer": 512}
# Up to so many characters a query has no more tokens than that.
_QUICK_CHARACTERS = _INLINE_CHARACTERS | {"tag": 384, "answer": 384}


@dataclass(frozen=True, eq=False)
class Reading:
    """The texts of a query as a model reads them.

    Attributes:
        rows: token ids, one row per text; if long texts are read in windows, one row per window.
        sentences: for each text if words are tagged.
        windows: for each text if long ones are read in windows.
    """

    rows: list[np.ndarray]
    sentences: Sequence[Sentence] = ()
    windows: Sequence[list[Any]] = ()


@dataclass(frozen=True, eq=False)
class Model:
    """What is needed to read requests for a model, to turn its logits into answers, and to describe it.

    Attributes:
        index: its place among the workers' models.
        version: content hash of the artifact.
        tokenizer: a `SentenceTokenizer` if words are tagged, a `PassageTokenizer` if answers are in a context, a
            `TextTokenizer` if other long texts are read in windows.
        tokens: the tokenizer on whole texts; None for a model that reads characters, or as several others do.
    """

    name: str
    index: int
    version: str
    task: Task
    max_tokens: int
    tokenizer: AnyTokenizer
    facts: dict[str, Any]
    tokens: Tokens | None = None
    _cutting: dict[str, RowMaker] = field(default_factory=dict)

    @cached_property
    def route(self) -> str:
        """The route that it answers: a key of `inputs.OPTIONS`."""
        return form_of(self.task).route

    def quick(self, query: Query) -> bool:
        """Whether reading and answering take so little time that the event loop can do both."""
        texts, route = query.texts, self.route
        return len(texts) <= _INLINE_LOGITS[route] and sum(map(_characters, texts)) <= _QUICK_CHARACTERS[route]

    def long(self, query: Query) -> int:
        """The number of characters of a query that takes so long to read that it is done in a thread; else 0."""
        characters = sum(map(_characters, query.texts))
        return characters if characters > _INLINE_CHARACTERS[self.route] else 0

    def read_now(self, query: Query) -> Reading:
        """The texts as rows. Raises `Refused` (422) for a text that is too long and may not be truncated."""
        if isinstance(self.tokenizer, SentenceTokenizer):
            sentences = [as_sentence(text) for text in query.texts]  # type: ignore[arg-type]  # checked before
            windows = self.tokenizer.windows([sentence.joined for sentence in sentences])
            return Reading([window.ids for group in windows for window in group], sentences, windows)
        texts: list[Any] = query.texts
        if isinstance(self.tokenizer, PassageTokenizer | TextTokenizer):
            parts: Sequence[list[Any]] = self.tokenizer.windows(texts)
            return Reading([window.ids for group in parts for window in group], windows=parts)
        tokenizer, side = self.tokenizer, query.truncation_direction
        if side is not None:
            # Created on first use, because few clients need it.
            if side not in self._cutting:
                self._cutting[side] = tokenizer.cutting(side)
            tokenizer = self._cutting[side]
        rows = tokenizer.encode(texts)
        if not query.truncate:
            for index, row in enumerate(rows):
                # Only a full row can have been truncated; whether it was needs a second check.
                if len(row) >= self.max_tokens and self.tokenizer.count_longer([texts[index]]):
                    raise Refused(
                        422,
                        f"inputs[{index}]: more tokens than the model's max_tokens, {self.max_tokens}; "
                        'shorten it, or allow cutting with "truncate": true',
                    )
        return Reading(rows)

    async def answer(self, logits: np.ndarray, reading: Reading, query: Query) -> list[Any]:
        """The answer for each text: labels with scores, entities, or a vector."""
        if len(logits) > _INLINE_LOGITS[self.route]:
            return await asyncio.to_thread(self.answer_now, logits, reading, query)
        return self.answer_now(logits, reading, query)

    def answer_now(self, logits: np.ndarray, reading: Reading, query: Query) -> list[Any]:
        """As `answer`, but in this thread."""
        if self.route == "tag":
            joined = [sentence.joined for sentence in reading.sentences]
            words = to_words(logits, reading.windows, joined, self.task.labels)
            return answers.spans(words, reading.sentences, self.task)
        if self.route == "answer":
            return answers.of_context(to_characters(logits, reading.windows, query.texts), query, self.task)  # type: ignore[arg-type]
        if isinstance(self.tokenizer, TextTokenizer):
            logits = mean_logits(logits, reading.windows, query.texts, self.task)
        if self.route == "embed":
            return answers.vectors(logits, query)
        return answers.scores(logits, query, self.task)


def open_model(
    name: str, index: int, folder: str, certificates: Sequence[str] | None = None, long: str | None = None
) -> Model:
    """Open the artifact in `folder` and verify its hashes, and its certificate unless `certificates` is None.

    `long`: see `answers.long_texts.reading`.

    Raises `ArtifactError` or `CheckpointError`, and `LeanformerError` without a certificate.
    """
    artifact = open_artifact(folder)
    if long is not None and (format_of(artifact).members or format_of(artifact).whole_texts):
        raise ArtifactError(f"{folder}: reads texts in one way\n  remedy: leave --long out")
    if certificates is not None:
        check_certificate(artifact, certificates)
    if not form_of(artifact.task).route:
        raise ArtifactError(
            f"{folder}: tasks of kind {artifact.task.kind!r} are not served\n"
            "  remedy: leanformer predict, or leanformer.load in Python, answers them"
        )
    task = reading(artifact.task, long)
    return Model(
        name=name,
        index=index,
        version=artifact.content_hash,
        task=task,
        max_tokens=artifact.max_tokens,
        tokenizer=open_tokenizer(artifact, task),
        tokens=Tokens(artifact.file(TOKENIZER)) if TOKENIZER in artifact.files else None,
        facts={
            "route": form_of(artifact.task).route,
            "format": artifact.format,
            "precision": artifact.properties.get("precision"),
            "parameters": artifact.properties.get("parameters"),
            "bytes": artifact.bytes,
            "pairs": input_of(artifact.task).paired,
            "figures": read_figures(artifact),
            "steps": [str(entry.get("step")) for entry in artifact.history],
        },
    )


def open_tokenizer(artifact: Artifact, task: Task) -> AnyTokenizer:
    """The tokenizer for the artifact; the only place where the front process distinguishes kinds of artifacts."""
    if (windowed := windowed_of(task)) is None:
        return tokenizer_of(artifact)
    made: AnyTokenizer = windowed.tokenizer(artifact.file(TOKENIZER), artifact.max_tokens, overlap=task.overlap)
    return made


def _characters(text: Question) -> int:
    return len(text) if isinstance(text, str) else sum(map(len, text))
