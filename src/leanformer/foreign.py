"""A predictor class supplied by the user, named "module:Class", tested on a few texts before it is measured."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.artifact import Artifact, is_artifact
from leanformer.errors import LeanformerError
from leanformer.inputs.kinds import input_of, rows_of
from leanformer.predictor import Predictor


def open_foreign(name: str, artifact: Artifact, *, threads: int) -> Predictor:
    """Open a user's predictor class, given as "module:Class", and test it on a few texts.

    The module is searched on the Python path and then in the current folder, and never in an artifact. The class is
    called as `Class(folder, threads=threads)` with the artifact's folder; how it uses the folder is up to the class.

    Raises `LeanformerError` for a module or class that does not exist or fails, a class that is not a `Predictor`, and
    one whose task or logits differ from the artifact's.
    """
    kind = _class(name)
    called = f"{name.partition(':')[2]}(folder, threads={threads})"
    made = _call(name, called, lambda: kind(str(artifact.path), threads=threads))
    task = artifact.task
    tags = form_of(task).windowed is not None
    wanted = ("task", "tokenize", "infer", *(("sentence_windows",) if tags else ()))
    lacking = [attribute for attribute in wanted if not hasattr(made, attribute)]
    if lacking:
        raise LeanformerError(
            f"{name} is not a predictor: it has no {', '.join(lacking)}\n"
            "  remedy: a property task, methods tokenize(texts) and infer(rows), as leanformer.predictor.Predictor says"
            + (", and sentence_windows(sentences), as Tagger does" if tags else "")
        )
    if getattr(made.task, "question", None) != task.question:
        raise LeanformerError(
            f"{name}: its task is not the artifact's\n  theirs: {made.task}\n  ours: {task}\n"
            "  remedy: take the task of open_artifact(folder), labels in the same order"
        )
    texts = input_of(task).samples
    values = _call(name, "infer(tokenize(texts))", lambda: made.infer(made.tokenize(texts)))
    shape, expected = getattr(values, "shape", None), len(rows_of(task, texts)[0])
    if tags:
        windows = _call(name, "sentence_windows(texts)", lambda: made.sentence_windows(texts))
        expected = _call(
            name, "sentence_windows(texts)", lambda: sum(len(window.ids) for sentence in windows for window in sentence)
        )
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f" or shape != (expected, task.outputs):
        found = f"{values.dtype} {list(values.shape)}" if isinstance(values, np.ndarray) else type(values).__name__
        raise LeanformerError(
            f"{name}: infer gave {found} for 3 texts, and not logits [{expected}, {task.outputs}] "
            f"({', '.join(task.labels)})\n"
            f"  remedy: a float numpy array, a row for each {'token of each window' if tags else 'text'} and a column "
            "for each of the task's outputs"
        )
    return made  # type: ignore[no-any-return]


def _class(name: str) -> Any:
    """The class called "module:Class"."""
    module, _, attribute = name.partition(":")
    if not module or not attribute.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise LeanformerError(f"{name!r} names no class\n  remedy: write module:Class, e.g. my_predictors:Mine")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        # Last, so that no file in the current folder shadows a library.
        sys.path.append(str(Path.cwd()))
    # The top package of a dotted name is found without running any code.
    top = module.partition(".")[0]
    spec = find_spec(top)
    if spec is None:
        raise LeanformerError(
            f"{name}: there is no module {top!r} on the Python path\n"
            "  remedy: go to the folder that holds it, or put that on PYTHONPATH"
        )
    for place in (spec.origin, *(spec.submodule_search_locations or ())):
        inside = [] if place is None else [parent for parent in Path(place).resolve().parents if is_artifact(parent)]
        if inside:
            raise LeanformerError(
                f"{name}: {place} lies in the artifact {inside[0]}, and code of an artifact is never run\n"
                "  remedy: put your module elsewhere"
            )
    try:
        found = _call(name, f"import {module}", lambda: import_module(module))
    except LeanformerError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and cause.name and f"{module}.".startswith(f"{cause.name}."):
            raise LeanformerError(f"{name}: there is no module {cause.name!r}\n  remedy: correct the name") from cause
        raise
    if not callable(getattr(found, attribute, None)):
        own = [key for key, var in vars(found).items() if isinstance(var, type) and var.__module__ == module]
        raise LeanformerError(
            f"{name}: {module} has no class {attribute}\n  remedy: one of its own classes: {', '.join(own) or 'none'}"
        )
    return getattr(found, attribute)


def _call(name: str, what: str, run: Callable[[], Any]) -> Any:
    """The result of foreign code, or its error with its location as a `LeanformerError`."""
    try:
        return run()
    except LeanformerError:
        raise
    except Exception as error:  # foreign code may raise anything
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise LeanformerError(
            f"{name}: {what} raised {type(error).__name__}: {error} ({last.filename}, line {last.lineno})"
        ) from error
