"""`leanformer.train`: fine-tunes an encoder on data, both given by name or path."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.errors import LeanformerError, need_torch
from leanformer.measure.effort import Effort, recorded
from leanformer.measure.energy import EnergySettings
from leanformer.outputs.folders import check_folder
from leanformer.outputs.work import check_work
from leanformer.progress import to_stdout
from leanformer.runtime.cores import default_threads
from leanformer.step import Context


def train(
    encoder: str | Path | Artifact,
    data: str | Path | Dataset,
    output: str | Path,
    *,
    splits: Mapping[str, str] | None = None,
    kind: str | None = None,
    epochs: int = 3,
    batch_size: int = 64,
    token_budget: int = 8192,
    memory: str | None = None,
    learning_rate: float = 5e-5,
    precision: str = "auto",
    language_temperature: float = 1.0,
    crf: bool = False,
    method: str = "full",
    adapter: str | None = None,
    keep_adapter: str | Path | None = None,
    teacher_answers: str | Path | None = None,
    fit: Mapping[str, Any] | None = None,
    max_tokens: int = 128,
    long: str | None = None,
    overlap: int | None = None,
    seed: int = 13,
    threads: int | None = None,
    device: str = "auto",
    energy: EnergySettings | bool | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] = to_stdout,
) -> Artifact:
    """Fine-tune `encoder` on `data` and write the model with the best dev score to `output`.

    A killed run resumes from its last checkpoint, in `output` plus `.work`, when it is called again.

    Args:
        encoder: encoder to start from: a Hugging Face folder, a hub name, or an artifact.
        data: a folder with train, dev and test files, one such file, "hub:NAME", or an open data set.
        output: folder to create. An artifact that is already there is replaced when training has finished.
        splits: split -> another file, as in `open_dataset`.
        kind: kind of task; None takes the one that the data show.
        epochs: passes over the training data.
        batch_size: texts per optimiser step.
        token_budget: most tokens per forward pass, padding included; larger batches are accumulated.
        memory: resident memory to fit into, such as "2GB": the size of forward passes, gradient checkpointing and
            optimiser states of 8 bits are planned for it; see docs/how-to/little-memory.md.
        learning_rate: peak learning rate.
        precision: "auto", "fp32" or "bf16".
        language_temperature: 1 uses every text once per epoch; above 1, languages are sampled more evenly.
        crf: for taggers, also learn which tag follows which, and decode with it.
        method: "full" trains the whole model. For few labels, one for each text: "frozen" fits a linear head on the
            vectors of the encoder, "contrastive" tunes the encoder on pairs of texts first, "adapter" trains a few
            parameters, and "auto" takes the best of these in cross-validation; see docs/how-to/few-labels.md. They
            have settings of their own for epochs, batch_size and learning_rate.
        adapter: train few parameters and merge them into the weights: "lora", "dora", "ia3" or "bitfit", with settings
            such as "lora:rank=16,on=query+key+value"; see docs/how-to/adapters.md. It has a learning rate of its own,
            unless `learning_rate` differs from its default, or a setting `rate` is given.
        keep_adapter: new folder for the adapter by itself, in the format of the library peft.
        teacher_answers: JSON Lines of any program's answers for rows of train and unlabelled, which are learnt instead
            of labels; see docs/how-to/teacher-answers.md.
        fit: further parts to add to the training, by name, such as {"averaging": 0.999}; see
            docs/how-to/training-options.md.
        max_tokens: longest input in tokens.
        long: how longer texts are read: whole, in "windows" whose logits are averaged, or "truncate", the default.
        overlap: tokens that a window repeats of the one before; 0 by default, and a quarter of a window for tags and
            answers in a context, which are always read in windows.
        seed: seed of everything random.
        threads: number of cores to use; None takes those that this process may use.
        device: "auto", "cpu" or "cuda".
        energy: True, or settings, to meter the energy of the training; otherwise only time is taken.
        overwrite: the folder may hold other files too; they are kept.
        say: called with each line of progress.

    Raises `LeanformerError` for anything that the user can correct. Where its message names an option of the command,
    such as `--max-tokens`, that is the argument `max_tokens`; `--split test=FILE` is `splits={"test": FILE}`, and
    `--fit averaging=0.999` is `fit={"averaging": 0.999}`.
    """
    need_torch("training")
    from leanformer.finetune.fine_tune import FineTune
    from leanformer.finetune.names import FULL
    from leanformer.train.fit_options import made_parts

    output = Path(os.path.abspath(output))
    check_folder(output, overwrite=overwrite)
    work = output.with_name(output.name + ".work")
    check_work(work, output)
    # Invalid arguments are refused before the data are read.
    if not isinstance(fit := fit or {}, Mapping):
        raise LeanformerError(f"fit is a mapping of parts to values, such as {{'averaging': 0.999}}, not {fit!r}")
    if adapter is not None:
        if "adapter" in fit:
            raise LeanformerError("the adapter is given twice\n  remedy: leave it out of `fit`")
        fit = {**fit, "adapter": adapter}
    if memory is not None:
        if "memory" in fit:
            raise LeanformerError("the memory is given twice\n  remedy: leave it out of `fit`")
        fit = {**fit, "memory": memory}
    made_parts(fit.items())
    step = FineTune(
        epochs=epochs, batch_size=batch_size, token_budget=token_budget, learning_rate=learning_rate,
        precision=precision, language_temperature=language_temperature, crf=crf, long=long, overlap=overlap,
        method=None if method == FULL else method,
        teacher_answers=None if teacher_answers is None else str(teacher_answers), **fit,
    )  # fmt: skip
    if not isinstance(data, Dataset):
        data = open_dataset(data, splits=splits, seed=seed, kind=kind)
    for note in data.notes:
        say(f"note: {note}")
    context = Context(data, {}, work, work, seed, device, threads or default_threads(), say)
    encoder = str(encoder.path if isinstance(encoder, Artifact) else encoder)
    effort = Effort("teacher", step.technique, whole=not work.exists())
    with recorded(effort, output, EnergySettings() if energy is True else energy or None):
        return step.teacher_of(
            encoder, context, output, max_tokens, None if keep_adapter is None else Path(keep_adapter)
        )
