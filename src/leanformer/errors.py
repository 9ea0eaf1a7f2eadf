"""Errors that a user can act on.

Every message says what was wrong, where (with file and line, if there is one) and what to do about it. The command line
prints only the message; any exception that is not a `LeanformerError` is a bug of ours.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any


class LeanformerError(Exception):
    """Base of all errors caused by the user's input."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors raised in another process (`multiprocessing`, Ray) keep their type, whatever the constructor takes."""
        return _made_again, (type(self), self.args, vars(self))


def _made_again(kind: type[LeanformerError], arguments: tuple[Any, ...], fields: dict[str, Any]) -> LeanformerError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(fields)
    return error


class DataError(LeanformerError):
    """A data file that cannot be read as examples."""

    def __init__(self, problem: str, *, path: object = None, line: int | None = None, remedy: str = "") -> None:
        where = "" if path is None else f"{path}" + ("" if line is None else f", line {line}") + ": "
        super().__init__(f"{where}{problem}" + (f"\n  remedy: {remedy}" if remedy else ""))
        self.problem, self.path, self.line, self.remedy = problem, path, line, remedy


class ArtifactError(LeanformerError):
    """A folder that is not a complete, unchanged artifact."""


class RecipeError(LeanformerError):
    """A recipe that cannot be run as written."""


class CheckpointError(LeanformerError):
    """A model checkpoint that cannot be mapped or read."""


class TokenizerFileError(ArtifactError, CheckpointError):
    """A `tokenizer.json`, of an artifact or of a checkpoint, that cannot be used."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(
            f"{path}: {problem}\n  remedy: copy or recreate the artifact, or save the tokenizer again with "
            "`save_pretrained`"
        )


class GateError(LeanformerError):
    """A step whose result deviates too far from its input."""


class MissingExtraError(LeanformerError):
    """A feature that needs an optional dependency which is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs more than the base install\n  remedy: pip install 'leanformer[{extra}]'")


def need_torch(what: str) -> None:
    """Raise `MissingExtraError` if a library of the extra `train` is not installed."""
    if any(find_spec(name) is None for name in ("torch", "transformers", "safetensors", "onnx")):
        raise MissingExtraError(what, "train")


COMPILER_REMEDY = "install a C++ compiler (apt install g++), or set CXX to one"


class MissingCompilerError(MissingExtraError):
    """A feature that is compiled on the machine where it runs, and cannot be compiled on this one."""

    def __init__(self, what: str, remedy: str = COMPILER_REMEDY) -> None:
        LeanformerError.__init__(self, f"{what}\n  remedy: {remedy}")
