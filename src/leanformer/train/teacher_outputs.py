"""What a teacher computes on a set of texts: computed once, kept on disk, shared by all that distil from it.

Logits are kept in fp32, where words are tagged those of words, so that a student with another tokenizer can learn from
them. Hidden states and attention probabilities are kept for real tokens only and in fp16,
whose rounding (relative error below 0.05 %) is far under the distance that a student is trained to close.
Chunks are written as they are computed, so a killed run goes on from the last whole chunk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from leanformer.artifact import Artifact
from leanformer.batching import batches_by_length, pad_block
from leanformer.errors import CheckpointError
from leanformer.files import alone, sha256_json, write_json
from leanformer.models.classifier import Classifier
from leanformer.models.finite import check_answers
from leanformer.models.predictor import TorchPredictor
from leanformer.models.scoring import to_tensors
from leanformer.models.store import read_model
from leanformer.models.writing import TOKENIZER
from leanformer.tagging.windows import nothing_left
from leanformer.task import Text
from leanformer.tokenizer import Tokenizer
from leanformer.train.rows import Pairs, Slots, encode

_CHUNK_ROWS = 2048


@dataclass(frozen=True)
class TeacherOutputs:
    """Cached outputs, row by row of the texts (where words are tagged, of their windows) they were computed on.

    Attributes:
        logits: `[rows, outputs]`, float32; where words are tagged a ragged array `[texts]` of `[words, outputs]`.
        lengths: `[rows]`, tokens per row.
        hidden: hidden-state index (0 is the embedding output) -> `[all tokens, hidden]`, float16.
        attention: layer index from 0 -> the flattened `[heads, tokens, tokens]` of all rows, float16.
        heads: attention heads of each layer in `attention`.
        pairs: for a student that reads other pieces, which of its tokens have which states beside them; rows are then
            the student's, but for `lengths`.
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
        """Which tokens of some rows, `[len(rows), width]`, have a state: all that are real (`mask`), or some."""
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


def teacher_outputs(
    teacher: Artifact,
    texts: Sequence[Text],
    *,
    cache: Path,
    hidden: Sequence[int] = (),
    attention: Sequence[int] = (),
    device: str = "auto",
    say: Callable[[str], None] = lambda line: None,
) -> TeacherOutputs:
    """Compute, or find in the folder `cache`, the teacher's outputs on `texts`.

    Args:
        teacher: of format "encoder", or "transformers" when only logits are wanted.
        hidden: hidden-state indices to keep; attention: layer indices from 0 to keep.

    Raises `CheckpointError` when hidden states or attentions of a foreign teacher are asked for.
    """
    if teacher.format != "encoder" and (hidden or attention):
        raise CheckpointError(
            "hidden-state and attention losses need a teacher of a mapped family; this one gives logits only\n"
            "  remedy: set hidden_weight and attention_weight to 0"
        )
    folder = _folder(cache, teacher, texts, hidden, attention)
    # Trials that run at the same time may come to the same outputs; one computes them, the others wait.
    with alone(folder / ".lock"):
        return _computed(folder, teacher, texts, hidden, attention, device, say)


def _computed(
    folder: Path,
    teacher: Artifact,
    texts: Sequence[Text],
    hidden: Sequence[int],
    attention: Sequence[int],
    device: str,
    say: Callable[[str], None],
) -> TeacherOutputs:
    """The outputs in their folder, with what was not there yet."""
    tokenizer = Tokenizer(teacher.file(TOKENIZER), teacher.max_tokens)
    encoded = encode(tokenizer, teacher.task, texts)
    rows, slots = encoded.rows, encoded.slots()
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    predictor = TorchPredictor(teacher, device=device)
    model = read_model(teacher) if hidden or attention else None
    arrays, heads = _arrays(folder, teacher, lengths, slots.answers, hidden, attention, model)
    done_file = folder / "done.json"
    done = json.loads(done_file.read_text(encoding="utf-8"))["rows"] if done_file.is_file() else 0
    for start in range(done, len(rows), _CHUNK_ROWS):
        chunk = rows[start : start + _CHUNK_ROWS]
        if model is None:
            values = predictor.infer(chunk)
            ends = np.cumsum([len(row) if slots.places else 1 for row in chunk])
            for i, each in enumerate(np.split(values, ends[:-1])):
                slots.put(arrays["logits"], start + i, each)
        else:
            _fill(
                arrays, heads, model.to(predictor.device), chunk, start, lengths, slots, predictor.device, teacher.path
            )
        for array in arrays.values():
            array.flush()
        write_json(done_file, {"rows": start + len(chunk)})
        say(f"teacher outputs: {start + len(chunk)} of {len(rows)} texts")
    (folder / "complete").touch()
    return TeacherOutputs(
        logits=encoded.per_text(np.asarray(arrays["logits"])),
        lengths=lengths,
        hidden={i: arrays[f"hidden_{i}"] for i in hidden},
        attention={i: arrays[f"attention_{i}"] for i in attention},
        heads=heads,
    )


def _folder(
    cache: Path, teacher: Artifact, texts: Sequence[Text], hidden: Sequence[int], attention: Sequence[int]
) -> Path:
    """Where these outputs are kept: their own folder, or one that holds them with others and is complete."""
    about = {"of": sha256_json([teacher.content_hash, list(texts)])}
    wanted = [teacher.content_hash, list(texts), sorted(hidden), sorted(attention)]
    folder = cache / f"outputs-{sha256_json(wanted)[:16]}"
    if not (folder / "done.json").is_file():
        for other in sorted(cache.glob("outputs-*/about.json")):
            held = json.loads(other.read_text(encoding="utf-8"))
            # Attention is computed in another way where it is asked for, and logits differ in their last bits then.
            more = {*hidden} <= {*held["hidden"]} and sorted(attention) == held["attention"]
            if held["of"] == about["of"] and more and (other.parent / "complete").is_file():
                return other.parent
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "about.json", about | {"hidden": sorted(hidden), "attention": sorted(attention)})
    return folder


def _arrays(
    folder: Path,
    teacher: Artifact,
    lengths: np.ndarray,
    answers: int,
    hidden: Sequence[int],
    attention: Sequence[int],
    model: Classifier | None,
) -> tuple[dict[str, np.memmap], dict[int, int]]:
    """The arrays on disk, opened if they are there and made if not."""
    shapes: dict[str, tuple[tuple[int, ...], str]] = {"logits": ((answers, teacher.task.outputs), "float32")}
    heads: dict[int, int] = {}
    if model is not None:
        heads = {i: model.config.layers[i].heads for i in attention}
        shapes |= {f"hidden_{i}": ((int(lengths.sum()), model.config.hidden), "float16") for i in hidden}
        squares = int((lengths**2).sum())
        shapes |= {f"attention_{i}": ((squares * heads[i],), "float16") for i in attention}
    done = folder / "done.json"
    if fresh := not (done.is_file() and all((folder / f"{name}.npy").is_file() for name in shapes)):
        for stale in (done, folder / "complete"):  # what they count as done is not all there
            stale.unlink(missing_ok=True)
    arrays = {}
    for name, (shape, dtype) in shapes.items():
        arrays[name] = open_memmap(folder / f"{name}.npy", mode="w+" if fresh else "r+", dtype=dtype, shape=shape)
    if fresh and teacher.task.answer == "tags":
        arrays["logits"][:] = nothing_left(teacher.task.labels)  # of words that the teacher's tokenizer drops
    return arrays, heads


def _fill(
    arrays: dict[str, np.memmap],
    heads: dict[int, int],
    model: Classifier,
    rows: Sequence[np.ndarray],
    first: int,
    lengths: np.ndarray,
    slots: Slots,
    device: torch.device,
    source: Path,
) -> None:
    """Compute one chunk of rows, the first of which is row number `first`, into all arrays."""
    tokens = np.concatenate([[0], np.cumsum(lengths)])
    squares = np.concatenate([[0], np.cumsum(lengths**2)])
    with torch.inference_mode():
        for batch in batches_by_length(rows, 4096):
            block = pad_block([rows[i] for i in batch], padding_id=model.config.padding_id)
            output = model.outputs(*to_tensors(block, device), with_attentions=bool(heads))
            for i, row in enumerate(batch):
                n, at = len(rows[row]), first + row
                values = output.logits[i].float().cpu().numpy()
                check_answers(values, source)
                slots.put(arrays["logits"], at, values if slots.places else values[None])
                for name, array in arrays.items():
                    kind, _, index = name.partition("_")
                    if kind == "hidden":
                        array[tokens[at] : tokens[at] + n] = (
                            output.encoded.hidden_states[int(index)][i, :n].cpu().numpy()
                        )
                    elif kind == "attention":
                        flat = output.encoded.attentions[int(index)][i, :, :n, :n].reshape(-1).cpu().numpy()
                        start = squares[at] * heads[int(index)]
                        array[start : start + len(flat)] = flat
