"""The ways of making a teacher, by name, and the tasks that they know."""

from __future__ import annotations

import pytest

from leanformer.errors import LeanformerError
from leanformer.finetune.names import METHODS, check_task
from leanformer.task import Task


@pytest.mark.parametrize("kind", ["classification", "pair", "multilabel", "tokens", "regression", "choice", "span"])
def test_only_single_texts_with_one_label_have_more_than_one(kind: str):
    task = Task(kind, ("B-X", "O") if kind not in ("regression", "choice", "span") else ())
    check_task(task, "full", long=True)
    for method in METHODS[1:]:
        if kind == "classification":
            check_task(task, method, long=False)
            with pytest.raises(LeanformerError, match=r"(?s)no long texts in windows.*remedy: --method full"):
                check_task(task, method, long=True)
        else:
            with pytest.raises(LeanformerError, match=rf"(?s)--method {method}.*{kind!r}.*remedy: --method full"):
                check_task(task, method, long=False)
