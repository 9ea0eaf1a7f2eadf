"""The same model run by `transformers`, to compare an imported model with.

The comparison starts from texts and uses the library's own tokenizer: a comparison on our token ids would not reveal
that the ids differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import numpy as np
import torch

from leanformer.errors import CheckpointError
from leanformer.models.hf.problem_types import PROBLEMS
from leanformer.task import Task, Text

# Relative to the largest logit, or to 1 if that is less. fp32 sums in another order differ by less than a tenth of it.
_SHARE = 2e-3
_FEW = 24


def compare_from_text(
    score: Callable[[Sequence[Text]], np.ndarray],
    model: Any,
    tokenizer: Any,
    texts: Sequence[Text],
    *,
    max_tokens: int,
    source: object,
) -> None:
    """Raise `CheckpointError` if an imported model gives other logits for a text than its own library.

    Args:
        score: texts to our logits `[texts, outputs]`; if there are logits for every token `[all tokens, outputs]`.
        model, tokenizer: of `transformers`.
        texts: at most 24 of them are compared; `transformers` runs them one at a time.
    """
    chosen = list(texts)[:: max(1, len(texts) // _FEW)][:_FEW]
    ours, at = score(chosen), 0
    for text in chosen:
        first, second = (text, None) if isinstance(text, str) else text
        inputs = tokenizer(first, second, truncation=True, max_length=max_tokens, return_tensors="pt")
        taken = {name: value for name, value in inputs.items() if name in signature(model.forward).parameters}
        with torch.inference_mode():
            theirs = stock_logits(model(**taken))[0].float().numpy()
        theirs = theirs.reshape(-1, ours.shape[1])
        found, at = ours[at : at + len(theirs)], at + len(theirs)
        bound = _SHARE * max(1.0, float(np.abs(theirs).max()))
        if found.shape != theirs.shape or not np.abs(found - theirs).max() <= bound:
            raise CheckpointError(
                f"{source}: the imported model answers {text!r:.60} otherwise than transformers: logits "
                f"{np.round(found[0], 3).tolist()} and not {np.round(theirs[0], 3).tolist()}\n"
                "  remedy: save it again with the transformers that is installed here (from_pretrained, "
                "save_pretrained), model and tokenizer; if it stays so, the model has an option that is not mapped"
            )


def stock_class(task: Task) -> Any:
    """The class of `transformers` that reads models of the task."""
    import transformers

    return getattr(transformers, f"AutoModel{PROBLEMS[task.answer].stock}")


def stock_logits(output: Any) -> torch.Tensor:
    """The logits of a model of `transformers`; of the start and of the end if it finds answers in a context."""
    return torch.stack([output.start_logits, output.end_logits], dim=-1) if "start_logits" in output else output.logits


def stock_model(folder: Any, task: Task) -> Any | None:
    """The model in the folder, as read by `transformers`; None if that fails or leaves weights uninitialised."""
    try:
        model, loading = stock_class(task).from_pretrained(
            folder, trust_remote_code=False, use_safetensors=True, dtype=torch.float32, local_files_only=True,
            output_loading_info=True,
        )  # fmt: skip
    except Exception:  # nothing to compare if it cannot read the files, such as an index without metadata
        return None
    return None if loading["missing_keys"] else model.eval()
