"""Runs a teacher on texts: its logits, hidden states and attention, written to disk chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from leanformer.artifact import Artifact
from leanformer.batching import batches_by_length, pad_block
from leanformer.errors import CheckpointError
from leanformer.models.finite import check_answers
from leanformer.models.predictor import TorchPredictor
from leanformer.models.scoring import to_tensors
from leanformer.models.store import read_model
from leanformer.models.writing import TOKENIZER
from leanformer.task import Text
from leanformer.tokenizer import Tokenizer
from leanformer.train.chunks import Chunks, Layout
from leanformer.train.rows import encode

CHUNK_ROWS = 2048
_LARGEST = float(np.finfo(np.float16).max)


class TooNarrowError(Exception):
    """States with a value beyond the range of fp16; `names` are the names of their arrays."""

    def __init__(self, names: set[str]) -> None:
        super().__init__(names)
        self.names = names


class Teaching:
    """The outputs to compute for `texts`, and their positions in the arrays on disk.

    Args:
        about: `hidden` states and layers whose `attention` is stored, by number; `wide`, names of arrays stored in
            fp32.

    Attributes:
        encoded: the texts as the teacher reads them. lengths: tokens of each row, int64 `[rows]`.
        heads: attention heads of each layer whose attention is stored.
        layouts: of every array on disk: "logits", "hidden_0", "attention_0", ...
    """

    def __init__(self, teacher: Artifact, texts: Sequence[Text], about: Mapping[str, Any], device: str) -> None:
        self.teacher, self._device = teacher, device
        self.encoded = encode(Tokenizer(teacher.file(TOKENIZER), teacher.max_tokens), teacher.task, texts)
        self._slots = self.encoded.slots()
        self.lengths = np.array([len(row) for row in self.encoded.rows], dtype=np.int64)
        self._model = read_model(teacher) if about["hidden"] or about["attention"] else None
        layers = () if self._model is None else self._model.config.layers
        self.heads = {i: layers[i].heads for i in about["attention"]}
        self._tokens, self._squares = (
            np.concatenate([[0], np.cumsum(counts)]) for counts in (self.lengths, self.lengths**2)
        )
        self.layouts = self._layouts(about)

    def _layouts(self, about: Mapping[str, Any]) -> dict[str, Layout]:
        starts = list(range(0, len(self.lengths), CHUNK_ROWS))
        answers = self._slots.answers, self.teacher.task.outputs
        layouts = {"logits": Layout(answers, "float32", self._slots.borders(starts))}
        if self._model is None:
            return layouts
        borders = [*starts, len(self.lengths)]
        tokens, squares = self._tokens, self._squares
        shapes: dict[str, tuple[tuple[int, ...], np.ndarray]] = {}
        for i in about["hidden"]:
            shapes[f"hidden_{i}"] = (int(tokens[-1]), self._model.config.hidden), tokens[borders]
        for i, heads in self.heads.items():
            shapes[f"attention_{i}"] = (int(squares[-1]) * heads,), squares[borders] * heads
        for name, (shape, own) in shapes.items():
            layouts[name] = Layout(shape, "float32" if name in about["wide"] else "float16", own)
        return layouts

    @cached_property
    def _predictor(self) -> TorchPredictor:
        return TorchPredictor(self.teacher, device=self._device)

    def compute(self, chunk: int, into: Chunks) -> int:
        """Compute one chunk and record it; return the number of rows up to its end.

        Raises `TooNarrowError` for states that exceed fp16 and are not stored wide, `CheckpointError` for states and
        `ArtifactError` for logits that are not finite.
        """
        own = range(chunk * CHUNK_ROWS, min(len(self.lengths), (chunk + 1) * CHUNK_ROWS))
        first, last = (int(border) for border in self.layouts["logits"].borders[chunk : chunk + 2])
        logits = self._slots.empty(first, last, self.teacher.task)
        if self._model is None:
            values = self._predictor.infer([self.encoded.rows[i] for i in own])
            ends = np.cumsum([self.lengths[i] if self._slots.places else 1 for i in own])
            for i, part in zip(own, np.split(values, ends[:-1]), strict=True):
                self._slots.put(logits, i, part, first)
        else:
            self._fill(own, into, logits, first)
        check_answers(logits, self.teacher.path)
        into.write("logits", first, logits)
        into.done(chunk)
        return own.stop

    def _fill(self, own: range, into: Chunks, logits: np.ndarray, first: int) -> None:
        """Compute the rows `own`: states and attention to disk, logits to `logits`, which starts at answer `first`."""
        assert self._model is not None
        model, device = self._model.to(self._predictor.device), self._predictor.device
        rows, narrow = [self.encoded.rows[i] for i in own], set[str]()
        with torch.inference_mode():
            for batch in batches_by_length(rows, 4096):
                block = pad_block([rows[i] for i in batch], padding_id=model.config.padding_id)
                output = model.outputs(*to_tensors(block, device), with_attentions=bool(self.heads))
                for i, row in enumerate(batch):
                    n, at = len(rows[row]), own[row]
                    values = output.logits[i].float().cpu().numpy()
                    self._slots.put(logits, at, values if self._slots.places else values[None], first)
                    for name, layout in self.layouts.items():
                        kind, _, index = name.partition("_")
                        if kind == "hidden":
                            part = output.encoded.hidden_states[int(index)][i, :n].cpu().numpy()
                            place = int(self._tokens[at])
                        elif kind == "attention":
                            part = output.encoded.attentions[int(index)][i, :, :n, :n].reshape(-1).cpu().numpy()
                            place = int(self._squares[at]) * self.heads[int(index)]
                        else:
                            continue
                        self._check(part, name)
                        if layout.dtype == "float16" and np.abs(part).max(initial=0) > _LARGEST:
                            narrow.add(name)
                        else:
                            into.write(name, place, part)
        if narrow:
            raise TooNarrowError(narrow)

    def _check(self, values: np.ndarray, name: str) -> None:
        if np.isfinite(values).all():
            return
        kind, _, index = name.partition("_")
        what = f"hidden state {index}" if kind == "hidden" else f"attention of layer {int(index) + 1}"
        raise CheckpointError(
            f"{self.teacher.path}: the teacher's {what} is not finite on some text; nothing can be learnt from it\n"
            "  remedy: another teacher; or follow other layers (hidden_map, attention_map, layer), or its answers alone"
        )
