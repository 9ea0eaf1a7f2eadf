"""The PyTorch predictor: our classifiers, and any `transformers` sequence classifier in its original form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from leanformer.answers.long_texts import reading, windowed_of
from leanformer.answers.prediction import Prediction
from leanformer.artifact import AGAIN, Artifact, open_same
from leanformer.batching import check_rows
from leanformer.errors import ArtifactError
from leanformer.forking import tell_of_forks
from leanformer.formats import can, function_of
from leanformer.inputs.kinds import rows_of
from leanformer.models.bilstm import BiLstm
from leanformer.models.bilstm_store import read_bilstm
from leanformer.models.classifier import Classifier
from leanformer.models.finite import check_answers, check_finite
from leanformer.models.hf.stock import stock_class, stock_logits
from leanformer.models.scoring import score_rows
from leanformer.models.store import device_of, read_model
from leanformer.models.writing import TOKENIZER
from leanformer.predictor import EngineUsed, TellsEngine, answers
from leanformer.strict_json import read_json
from leanformer.task import Question, Task, Text
from leanformer.tokenizer import Tokenizer


class TorchPredictor(TellsEngine):
    """Scores texts with PyTorch.

    Args:
        artifact: of format "encoder", "bilstm" or "transformers".
        pad_to: pad every batch to at least this many tokens; None pads each batch to its longest row.
        batch_tokens: maximum number of tokens per batch, including padding; rows are batched by length. None runs one
            row at a time, like the simplest program.
        device: "cpu", "cuda" or "auto".

    Attributes:
        positions: the maximum input length in tokens, given by the model's positions.
    """

    def __init__(
        self,
        artifact: Artifact,
        *,
        pad_to: int | None = None,
        batch_tokens: int | None = 4096,
        device: str = "cpu",
    ) -> None:
        self.artifact, self.pad_to, self.batch_tokens = artifact, pad_to, batch_tokens
        self._task = artifact.task
        self.device = device_of(device)
        self._tokenizer = Tokenizer(artifact.file(TOKENIZER), artifact.max_tokens)
        self._model, self._padding_id, self.positions = function_of(artifact, "module")(artifact)
        self._model.to(self.device).eval()
        self._vocabulary = _vocabulary(self._model)
        outside = [
            token_id
            for token_id in self._tokenizer.special_ids
            if self._vocabulary is not None and token_id >= self._vocabulary
        ]
        if outside:
            raise ArtifactError(
                f"{artifact.file(TOKENIZER)}: it sets id {outside[0]} beside every text, and the model has "
                f"{self._vocabulary} words{AGAIN}"
            )
        tell_of_forks(self)

    def begin_in_child(self) -> None:
        """See `forking`: OpenMP would wait forever for threads that do not exist here; with one thread it does not."""
        torch.set_num_threads(1)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy as the folder and the arguments; unpickling opens the artifact again."""
        given = {"pad_to": self.pad_to, "batch_tokens": self.batch_tokens, "device": str(self.device)}
        source = (type(self), str(self.artifact.path.resolve()), self.artifact.content_hash, given)
        return _opened_again, source, {"_task": self._task}  # as `read_long` left it

    @property
    def task(self) -> Task:
        return self._task

    def read_long(self, long: str | None, overlap: int | None = None) -> None:
        """Read long texts in this way, not as the model was trained; see `answers.long_texts.reading`."""
        self._task = reading(self._task, long, overlap)
        self.__dict__.pop("_windower", None)

    @property
    def engine_used(self) -> EngineUsed:
        reason = f"format {self.artifact.format!r} runs in PyTorch"
        graph = "make a graph of it (leanformer compress; the recipe quick does not train)"
        return EngineUsed("torch", None, "fp32", reason, graph if can(self.artifact, "graph") else "")

    def predict(self, texts: Iterable[Question]) -> list[Prediction]:
        """The answer for each text or pair of texts, in order. Raises the errors of `predictor.answers`."""
        return answers(self, texts)

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        if windowed_of(self.task) is not None:
            return [window.ids for group in self.sentence_windows(texts) for window in group]
        return self._tokenizer.encode(rows_of(self.task, texts)[0])

    def forget_words(self) -> None:
        """Empty the tokenizer's word cache (`Tokenizer.forget_words`)."""
        self._tokenizer.forget_words()
        self.__dict__.pop("_windower", None)

    @cached_property
    def _windower(self) -> Any:
        windowed = windowed_of(self.task)
        assert windowed is not None, "only then are there windows"
        return windowed.tokenizer(self.artifact.file(TOKENIZER), self.artifact.max_tokens, overlap=self.task.overlap)

    def sentence_windows(self, texts: Sequence[Text]) -> list[list[Any]]:
        return list(self._windower.windows(texts))

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `[rows, outputs]`, float32; with logits per token `[all tokens, outputs]`.

        Raises `DataError` for a row that is not valid input (`batching.check_rows`), `ArtifactError` if the model
        cannot be run or its logits are not finite.
        """
        check_rows(rows, vocabulary=self._vocabulary, positions=self.positions)
        try:
            values = score_rows(
                self._model, rows, padding_id=self._padding_id, device=self.device, batch_tokens=self.batch_tokens,
                pad_to=self.pad_to,
            )  # fmt: skip
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise ArtifactError(f"{self.artifact.path}: the model cannot be run ({error}){AGAIN}") from error
        if rows and values.shape[-1] != self.task.outputs:
            raise ArtifactError(
                f"{self.artifact.path}: it gives {values.shape[-1]} numbers, and the manifest has {self.task.outputs} "
                f"outputs{AGAIN}"
            )
        check_answers(values, self.artifact.path)
        return values


def _opened_again(kind: type[TorchPredictor], path: str, content: str, given: dict[str, Any]) -> TorchPredictor:
    """Unpickle a predictor, in any process (`TorchPredictor.__reduce__`)."""
    return kind(open_same(path, content), **given)


class _Foreign(nn.Module):
    """A `transformers` model with the signature of our classifiers."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        # Families without token types have at most one, or a model that does not accept them at all.
        self.takes_types = (
            getattr(model.config, "type_vocab_size", 0) > 1 and "token_type_ids" in signature(model.forward).parameters
        )

    def forward(self, ids: Tensor, mask: Tensor, token_types: Tensor | None = None) -> Tensor:
        types = {"token_type_ids": token_types} if self.takes_types and token_types is not None else {}
        return stock_logits(self.model(input_ids=ids, attention_mask=mask, **types))


def read_encoder(artifact: Artifact) -> tuple[nn.Module, int, int]:
    """The model of an encoder artifact, its padding id, and the maximum input length that its positions allow."""
    model = read_model(artifact)
    return model, model.config.padding_id, model.config.positions


def read_recurrent(artifact: Artifact) -> tuple[nn.Module, int, int]:
    """The same for a recurrent classifier, which accepts any length."""
    model = read_bilstm(artifact)
    return model, model.config.padding_id, artifact.max_tokens


def read_foreign(artifact: Artifact) -> tuple[nn.Module, int, int]:
    """The same for a checkpoint in its original form, read by `transformers`."""
    _check_foreign_files(artifact)
    try:
        foreign, loading = stock_class(artifact.task).from_pretrained(
            artifact.path, trust_remote_code=False, use_safetensors=True, dtype=torch.float32, local_files_only=True,
            output_loading_info=True,
        )  # fmt: skip
        positions = int(getattr(foreign.config, "max_position_embeddings", artifact.max_tokens))
        padding_id = int(foreign.config.pad_token_id or 0)
    except Exception as error:  # transformers raises many kinds: invalid JSON, no weights, sizes that differ
        raise ArtifactError(f"{artifact.path}: transformers cannot read it ({error}){AGAIN}") from error
    if missing := sorted(loading["missing_keys"]):
        raise ArtifactError(
            f"{artifact.path}: weights are missing, the first is {missing[0]}; transformers would draw them at random\n"
            "  remedy: save the whole model with `save_pretrained`, not what it was wrapped in or built into"
        )
    check_finite(dict(foreign.named_parameters()), artifact.path, ArtifactError)
    return _Foreign(foreign), padding_id, positions


def _check_foreign_files(artifact: Artifact) -> None:
    """Raise `ArtifactError` for files that would make transformers read others outside the artifact."""
    if "adapter_config.json" in artifact.files:
        raise ArtifactError(f"{artifact.path}: an adapter, whose model is elsewhere{AGAIN}")
    for name in artifact.files:
        if not name.endswith(".index.json"):
            continue
        try:
            value = read_json(artifact.file(name))
            named = set(value["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise ArtifactError(f"{artifact.file(name)}: not an index of weights ({error}){AGAIN}") from error
        if strange := sorted(str(file) for file in named if file not in artifact.files):
            raise ArtifactError(f"{artifact.file(name)}: the artifact has no file {strange[0]!r:.100}{AGAIN}")


def _vocabulary(model: nn.Module) -> int | None:
    """Number of rows of the model's word table."""
    if isinstance(model, Classifier | BiLstm):
        return model.config.vocabulary
    table = model.model.get_input_embeddings() if isinstance(model, _Foreign) else None
    return getattr(table, "num_embeddings", None)
