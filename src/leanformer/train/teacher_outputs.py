"""A teacher's outputs on a set of texts: computed once, stored on disk, shared by all students distilled from it.

Logits are stored in fp32, per word if words are tagged, so that a student with another tokenizer can learn from them.
Hidden states and attention probabilities are stored for real tokens only and in fp16, whose rounding error (relative
error below 0.05 %) is far below the distance that a student is trained to reduce. States with a value beyond the range
of fp16 are stored in fp32.
Chunks are written as they are computed (see `train.chunks`), so a killed run resumes after the last complete chunk,
and a chunk damaged on disk is computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from leanformer.artifact import Artifact
from leanformer.errors import CheckpointError
from leanformer.files import alone, sha256_json
from leanformer.formats import format_of
from leanformer.kept import keep, kept
from leanformer.progress import Status
from leanformer.task import Text
from leanformer.train.chunks import Chunks
from leanformer.train.rows import Pairs
from leanformer.train.teaching import Teaching, TooNarrowError

_ABOUT = "about.json"


@dataclass(frozen=True)
class TeacherOutputs:
    """Cached outputs for each row of the texts they were computed on; if words are tagged, rows are windows.

    Attributes:
        logits: `[rows, outputs]`, float32; if words are tagged, a ragged array `[texts]` of `[words, outputs]`.
        lengths: `[rows]`, tokens per row.
        hidden: hidden-state index (0 is the embedding output) -> `[all tokens, hidden]`, float16, or float32 if values
            exceed its range.
        attention: layer index from 0 -> the flattened `[heads, tokens, tokens]` of all rows, float16.
        heads: attention heads of each layer in `attention`.
        pairs: for a student with another tokenizer, its tokens and the states they are compared with; rows are then the
            student's, except in `lengths`.
    """

    logits: np.ndarray
    lengths: np.ndarray
    hidden: dict[int, np.ndarray]
    attention: dict[int, np.ndarray]
    heads: dict[int, int]
    pairs: Pairs | None = None

    def hidden_block(self, index: int, rows: np.ndarray, width: int) -> Tensor:
        """Hidden states of some rows, zeros where there are none: `[len(rows), width, hidden]`, float32."""
        source, starts = self.hidden[index], self._token_starts()
        block = np.zeros((len(rows), width, source.shape[1]), dtype=np.float32)
        if self.pairs is not None:
            for i, row in enumerate(rows):
                block[i, self.pairs.places[row]] = source[self.pairs.theirs[row]]
            return torch.from_numpy(block)
        for i, row in enumerate(rows):
            n = self.lengths[row]
            block[i, :n] = source[starts[row] : starts[row] + n]
        return torch.from_numpy(block)

    def compared(self, rows: np.ndarray, mask: Tensor) -> Tensor:
        """Mask `[len(rows), width]` of the tokens that have a state: all real tokens (`mask`), or some of them."""
        if self.pairs is None:
            return mask
        there = torch.zeros_like(mask)
        for i, row in enumerate(rows):
            there[i, torch.from_numpy(self.pairs.places[row])] = 1
        return there

    def attention_block(self, index: int, rows: np.ndarray, width: int) -> Tensor:
        """Attention probabilities of some rows, padded with zeros: `[len(rows), heads, width, width]`, float32."""
        source, heads = self.attention[index], self.heads[index]
        starts = np.concatenate([[0], np.cumsum(heads * self.lengths.astype(np.int64) ** 2)])
        block = np.zeros((len(rows), heads, width, width), dtype=np.float32)
        for i, row in enumerate(rows):
            n = self.lengths[row]
            block[i, :, :n, :n] = source[starts[row] : starts[row + 1]].reshape(heads, n, n)
        return torch.from_numpy(block)

    def _token_starts(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(self.lengths)])


def by_logits(logits: np.ndarray) -> TeacherOutputs:
    """Outputs that are logits alone, `[rows, outputs]` float32, of a teacher whose model is not at hand."""
    return TeacherOutputs(logits, np.ones(len(logits), dtype=np.int64), {}, {}, {})


def teacher_outputs(
    teacher: Artifact,
    texts: Sequence[Text],
    *,
    cache: Path,
    hidden: Sequence[int] = (),
    attention: Sequence[int] = (),
    device: str = "auto",
    say: Callable[[str], None] = lambda line: None,
    warn: Callable[[str], None] | None = None,
) -> TeacherOutputs:
    """Compute the teacher's outputs on `texts`, or read them from the folder `cache`.

    Args:
        teacher: of format "encoder", or "transformers" if only logits are needed.
        hidden: hidden-state indices to store; attention: layer indices from 0 to store.
        warn: receives messages about damaged files in the folder, which are computed again; None: `say`.

    Raises `CheckpointError` if hidden states or attentions of an unmapped teacher are requested, or if states are not
    finite; `ArtifactError` if logits are not finite.
    """
    if (hidden or attention) and not format_of(teacher).layers:
        raise CheckpointError(
            "hidden-state and attention losses need a teacher of a mapped family; this one gives logits only\n"
            "  remedy: set hidden_weight and attention_weight to 0"
        )
    warn = say if warn is None else warn
    folder = _folder(cache, teacher, texts, hidden, attention, warn)
    # Trials that run at the same time may need the same outputs; one computes them, the others wait.
    with alone(folder / ".lock"):
        while True:
            about = _about(folder, hidden, attention, warn)
            teaching = Teaching(teacher, texts, about, device)
            chunks = Chunks(folder, teaching.layouts, warn)
            try:
                return _computed(folder, teaching, chunks, hidden, attention, say)
            except TooNarrowError as error:
                keep(folder / _ABOUT, about | {"wide": sorted({*about["wide"], *error.names})})
                chunks.forget()
                say(f"teacher outputs: {', '.join(sorted(error.names))}: beyond the range of fp16, kept in fp32")


def _computed(
    folder: Path,
    teaching: Teaching,
    chunks: Chunks,
    hidden: Sequence[int],
    attention: Sequence[int],
    say: Callable[[str], None],
) -> TeacherOutputs:
    """The outputs in their folder, after computing chunks that are missing or damaged.

    The folder may hold more than is requested. All of it is always computed, since the last bits of an array depend on
    which others are computed together with it.
    """
    wanted = ["logits", *(f"hidden_{i}" for i in hidden), *(f"attention_{i}" for i in attention)]
    if lacking := chunks.lacking(wanted):
        with chunks:
            for chunk in lacking:
                say(Status(f"teacher outputs: {teaching.compute(chunk, chunks)} of {len(teaching.lengths)} texts"))
    (folder / "complete").touch()
    return TeacherOutputs(
        logits=teaching.encoded.per_text(np.asarray(chunks.array("logits"))),
        lengths=teaching.lengths,
        hidden={i: chunks.array(f"hidden_{i}") for i in hidden},
        attention={i: chunks.array(f"attention_{i}") for i in attention},
        heads={i: teaching.heads[i] for i in attention},
    )


def _folder(
    cache: Path,
    teacher: Artifact,
    texts: Sequence[Text],
    hidden: Sequence[int],
    attention: Sequence[int],
    warn: Callable[[str], None],
) -> Path:
    """The folder of these outputs: their own, or a complete one that contains them among others."""
    of = sha256_json([teacher.content_hash, list(texts)])
    wanted = [teacher.content_hash, list(texts), sorted(hidden), sorted(attention)]
    folder = cache / f"outputs-{sha256_json(wanted)[:16]}"
    if not (folder / "done.json").is_file():
        for other in sorted(cache.glob(f"outputs-*/{_ABOUT}")):
            if other.parent == folder or not (other.parent / "complete").is_file():
                continue
            held = kept(other, warn, again="these teacher outputs are ignored")
            # With attentions requested, attention is computed differently, and logits differ in their last bits.
            if held and held["of"] == of and {*hidden} <= {*held["hidden"]} and sorted(attention) == held["attention"]:
                return other.parent
    folder.mkdir(parents=True, exist_ok=True)
    about = _about(folder, hidden, attention, warn)
    if about.get("of") != of:
        keep(folder / _ABOUT, about | {"of": of})
    return folder


def _about(
    folder: Path, hidden: Sequence[int], attention: Sequence[int], warn: Callable[[str], None]
) -> dict[str, Any]:
    """The contents of a folder: `hidden` states and `attention` by number, and the names of `wide` (fp32) arrays."""
    found = kept(folder / _ABOUT, warn, again="written again")
    return found or {"hidden": sorted(hidden), "attention": sorted(attention), "wide": []}
