"""Students one text at a time and in batches of 32, beside their teacher as it comes out of the box."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer

from benchmarks.runtime.interleaved import Runner, in_turn
from leanformer.artifact import Artifact
from leanformer.files import new_folder
from leanformer.models.hf.checkpoint import write_checkpoint
from leanformer.models.store import read_model, write_tokenizer_config
from leanformer.models.writing import TOKENIZER
from leanformer.runtime.predictor import LightPredictor

BATCH = 32
WAYS = ("batches_of_32", "all_at_once", "one")
TEACHER = "teacher, PyTorch fp32, padded batches of 32"


def out_of_the_box(teacher: Artifact, work: Path, threads: int) -> Callable[[Sequence[str]], np.ndarray]:
    """The teacher as `transformers` runs it: fp32, texts in the order given, each batch padded to its longest."""
    folder = work / f"stock-{teacher.content_hash[:16]}"
    if not folder.is_dir():
        with new_folder(folder) as temporary:
            write_checkpoint(read_model(teacher), teacher.task, temporary)
            shutil.copyfile(teacher.file(TOKENIZER), temporary / TOKENIZER)
            write_tokenizer_config(teacher, temporary)
    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tags = teacher.task.answer == "tags"
    stock = AutoModelForTokenClassification if tags else AutoModelForSequenceClassification
    model = stock.from_pretrained(folder, dtype=torch.float32).eval()

    def run(texts: Sequence[str]) -> np.ndarray:
        found = []
        for start in range(0, len(texts), BATCH):
            batch = tokenizer(
                list(texts[start : start + BATCH]), padding=True, truncation=True, max_length=teacher.max_tokens,
                return_tensors="pt",
            )  # fmt: skip
            with torch.inference_mode():
                logits = model(**batch).logits
                found.append((logits.flatten(0, 1) if tags else logits).numpy())
        return np.concatenate(found)

    return run


def in_batches(predictor: LightPredictor, texts: Sequence[str]) -> np.ndarray:
    """The same batches, in the same order."""
    parts = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    return np.concatenate([predictor.infer(predictor.tokenize(part)) for part in parts])


def batch_rates(
    teacher: Artifact, graphs: Mapping[str, Artifact], texts: Sequence[str], work: Path, threads: int, rounds: int
) -> dict[str, Any]:
    """Texts per second in batches of 32, all at once, and milliseconds of a text alone, tokenizer included.

    All runners are timed in turn in each round, ours with an empty word cache, and once more with the words of these
    texts in it ("warm"). `times_teacher` compares the medians of the rounds with those of the teacher in batches of 32,
    or with its milliseconds for a text alone.
    """
    stock = out_of_the_box(teacher, work, threads)
    light = {name: LightPredictor(graph, threads=threads) for name, graph in graphs.items()}
    result: dict[str, Any] = {"texts": len(texts), "threads": threads}

    def whole(predictor: LightPredictor) -> Callable[[Sequence[str]], np.ndarray]:
        return lambda some: predictor.infer(predictor.tokenize(some))

    def batched(predictor: LightPredictor) -> Callable[[Sequence[str]], np.ndarray]:
        return lambda some: in_batches(predictor, some)

    for name, make, alone in zip(WAYS, (batched, whole, whole), (False, False, True), strict=True):
        students = [
            Runner(student, make(predictor), ours=True, renew=predictor.forget_words)
            for student, predictor in light.items()
        ]
        runners = [Runner(TEACHER, stock), *students]
        rates = in_turn(runners, texts, rounds=rounds, seconds=6.0, one_at_a_time=alone, say=print)
        base = rates[TEACHER]
        result[name] = {
            runner: asdict(timed) | {
                "times_teacher": median(base.ms) / median(timed.ms)
                if alone
                else median(timed.per_second) / median(base.per_second)
            }
            for runner, timed in rates.items()
        }  # fmt: skip
    return result
