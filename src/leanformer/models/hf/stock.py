"""Models of `transformers`, asked from the text, to compare an imported one with.

An imported model is compared with its own library from texts on, by the library's tokenizer: a comparison on our token
ids could not see that they are other ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import numpy as np
import torch

from leanformer.errors import CheckpointError
from leanformer.task import Text

# Of the largest logit, or of 1 where that is less. fp32 in another order strays by less than a tenth of it.
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
    """Raise `CheckpointError` where an imported model answers a text otherwise than its own library does.

    Args:
        score: texts to our logits `[texts, outputs]`; of a model that tags words to those of all tokens, end to end.
        model, tokenizer: of `transformers`.
        texts: at most 24 of them are tried, one at a time there.
    """
    chosen = list(texts)[:: max(1, len(texts) // _FEW)][:_FEW]
    ours, at = score(chosen), 0
    for text in chosen:
        first, second = (text, None) if isinstance(text, str) else text
        inputs = tokenizer(first, second, truncation=True, max_length=max_tokens, return_tensors="pt")
        taken = {name: value for name, value in inputs.items() if name in signature(model.forward).parameters}
        with torch.inference_mode():
            theirs = model(**taken).logits[0].float().numpy()
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


def stock_model(folder: Any, *, tags: bool) -> Any | None:
    """The classifier in the folder as `transformers` reads it; None where it cannot, or would draw weights."""
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    stock = AutoModelForTokenClassification if tags else AutoModelForSequenceClassification
    try:
        model, loading = stock.from_pretrained(
            folder, trust_remote_code=False, use_safetensors=True, dtype=torch.float32, local_files_only=True,
            output_loading_info=True,
        )  # fmt: skip
    except Exception:  # of files that it does not read, such as an index without metadata, there is nothing to compare
        return None
    return None if loading["missing_keys"] else model.eval()
