"""Recurrent students and their graphs: made once, kept under the name of what made them, found when asked again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.compress.recurrent.distil import BiLstmStudent
from leanformer.data.dataset import Dataset
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.files import remove_folder, sha256_json
from leanformer.options import options
from leanformer.step import Context


def told(step: BiLstmStudent) -> dict[str, Any]:
    """The options that tell a student; later ones where they are used, so that what was made before them is found."""
    return {name: value for name, value in options(step).items() if name not in step.unused()}


def progress(line: str) -> None:
    """What each epoch and fit came to; not every twentieth of an epoch."""
    if "rows/s" not in line:
        print(line, flush=True)


@dataclass(frozen=True)
class Shelf:
    """Where students and graphs lie, and what they are made with."""

    work: Path
    device: str
    threads: int
    say: Callable[[str], None] = progress

    def student(self, step: BiLstmStudent, teacher: Artifact, data: Dataset, seed: int) -> Artifact:
        """A student, trained now or found."""
        key = sha256_json([told(step), teacher.content_hash, data.training_hash, seed])[:16]
        folder, running = self.work / "students" / key, self.work / "running" / key
        if is_artifact(folder):
            return open_artifact(folder)
        context = Context(
            data, {"teacher": teacher}, running, self.work / "cache", seed=seed, device=self.device,
            threads=self.threads, say=self.say,
        )  # fmt: skip
        made = step(teacher, context, folder)
        remove_folder(running)
        return made

    def graphs(self, student: Artifact, teacher: Artifact, data: Dataset) -> tuple[Artifact, Artifact]:
        """Its graph in fp32 and in int8, exported now or found."""
        folder = self.work / "graphs" / student.content_hash[:16]
        if is_artifact(folder / "int8"):
            return open_artifact(folder / "fp32"), open_artifact(folder / "int8")
        context = Context(
            data, {"teacher": teacher}, folder, folder, threads=self.threads, device="cpu", say=self.say
        )  # fmt: skip
        fp32 = Onnx()(student, context, folder / "fp32")
        return fp32, Int8()(fp32, context, folder / "int8")
