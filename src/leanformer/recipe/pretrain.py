"""`leanformer pretrain`: an encoder and raw texts to a small encoder that students start from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.errors import need_torch
from leanformer.files import sha256_json
from leanformer.kept import keep, kept
from leanformer.measure.effort import Effort, recorded
from leanformer.outputs.folders import check_folder, new_output
from leanformer.outputs.place import check_apart
from leanformer.outputs.work import check_work
from leanformer.progress import to_stdout
from leanformer.runtime.cores import default_threads
from leanformer.step import Context


def pretrain(
    like: str | Path,
    texts: str | Path,
    output: str | Path,
    *,
    minutes: float | None = None,
    seed: int = 13,
    threads: int | None = None,
    device: str = "auto",
    overwrite: bool = False,
    say: Callable[[str], None] = to_stdout,
    **options: Any,
) -> Artifact:
    """Pre-train a small encoder on raw `texts` after the encoder `like`, and write it to the new folder `output`.

    A killed run resumes from its last checkpoint, in `output` plus `.work`, when it is called again.

    Args:
        like: the encoder to learn from, and for equal widths to start from: a Hugging Face folder, a hub name, or an
            artifact, whose task is kept.
        texts: a file or folder of raw texts.
        minutes: as many optimiser steps as this machine does in about that time, in place of `steps`; they are counted
            once, so that a resumed run does not differ.
        options: those of `compress.pretrain`, such as `shape="3x384"`.

    Raises `LeanformerError` for anything that the user can correct.
    """
    need_torch("pre-training")
    from leanformer.compress.pretrain.corpus import read_texts
    from leanformer.compress.pretrain.pretrain import Pretrain
    from leanformer.compress.pretrain.work import Work
    from leanformer.models.sentence_encoder import import_sentence_encoder

    output = Path(os.path.abspath(output))
    work = output.with_name(output.name + ".work")
    check_folder(output, overwrite=overwrite)
    check_work(work, output)
    check_apart(output, [str(like), texts])
    step = Pretrain(texts=str(texts), **options)
    effort = Effort("start", step.technique, whole=not work.exists())
    output.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as scratch,
        recorded(effort, output, None),
    ):
        place = Path(scratch)
        if is_artifact(like):
            teacher = open_artifact(like)
        else:
            few = read_texts(Path(texts))[:1000]
            teacher = import_sentence_encoder(str(like), few, place, fallback="mean", say=say)
        context = Context(
            Dataset(teacher.task, name=str(texts)), {"teacher": teacher}, work, work, seed, device,
            threads or default_threads(), say,
        )  # fmt: skip
        if minutes is not None:
            # Counted once: with another number a resumed run would begin again.
            counted = work / f"measured-{sha256_json([options, minutes, seed, teacher.content_hash])[:16]}.json"
            if (found := kept(counted, say, again="the steps are counted again")) is None:
                say("measuring the time of a step")
                quiet = replace(context, say=lambda line: None)
                seconds = Work(step, teacher, quiet).seconds_per_step(place / "timing")
                found = {"steps": max(1, round(60 * minutes / seconds))}
                keep(counted, found)
            step = replace(step, steps=found["steps"])
            say(f"{step.steps} steps, about {minutes:g} minutes on this machine")
        made = step(teacher, context, place / "start")
        with new_output(output, say) as temporary:
            for path in made.path.iterdir():
                path.rename(temporary / path.name)
        for path in work.glob("measured-*.json"):
            path.unlink()
        with suppress(OSError):
            work.rmdir()
    return open_artifact(output)
