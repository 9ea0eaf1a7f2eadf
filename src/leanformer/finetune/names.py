"""The ways of making a teacher from labels, by name, and for which tasks there are more than one."""

from __future__ import annotations

from leanformer.answers.forms import form_of
from leanformer.errors import LeanformerError
from leanformer.inputs.kinds import input_of
from leanformer.task import Task

FULL, FROZEN, CONTRASTIVE, ADAPTER, AUTO = METHODS = ("full", "frozen", "contrastive", "adapter", "auto")


def check_task(task: Task, method: str, long: bool) -> None:
    """Raise `LeanformerError` unless the method can make a model for the task."""
    if method == FULL:
        return
    if not form_of(task).exclusive or input_of(task).seconds:
        raise LeanformerError(
            f"--method {method} answers single texts with one label, and this task is of kind {task.kind!r}\n"
            "  remedy: --method full"
        )
    if long:
        raise LeanformerError(f"--method {method} reads no long texts in windows\n  remedy: --method full")
