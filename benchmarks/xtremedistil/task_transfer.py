"""Task transfer against none: a narrow Transformer distilled on WikiANN, then fine-tuned on another corpus of names.

    python -m benchmarks.xtremedistil.task_transfer --target masakhaner2 --seeds 13 14 15

Both sides have the same shape, start from the same word table (the teacher's, reduced by SVD), and are fine-tuned alike
on the same sentences of the target; one has followed its teacher's states and logits on the source before. Writes
benchmarks/results/xtremedistil/task_transfer.json; cells are stored as they are made.
"""

from __future__ import annotations

import argparse
from copy import copy
from pathlib import Path
from typing import Any

import torch

from benchmarks.xtremedistil.multilingual import open_corpus
from benchmarks.xtremedistil.taggers import Bench, parser_of
from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.compress.distil.distil import Distil
from leanformer.data.dataset import Dataset
from leanformer.data.overlap import normalise_all
from leanformer.files import sha256_json
from leanformer.finetune.fine_tune import fine_tune
from leanformer.models import surgery
from leanformer.models.store import read_model, write_classifier
from leanformer.models.writing import TOKENIZER
from leanformer.options import options
from leanformer.step import Context
from leanformer.train.settings import FitSettings

STATES: dict[str, Any] = {
    "soft_weight": 0.0, "hidden_weight": 1.0, "attention_weight": 1.0, "attention_kind": "mse", "projection": True,
}  # fmt: skip


def distilled(bench: Bench, teacher: Artifact, given: argparse.Namespace, seed: int) -> Artifact:
    """The student after states and logits of the source."""
    data, at = bench.transfer(given.transfer[0]), teacher
    first = Distil(
        shape=given.shape, heads=given.heads, inner_layers=given.inner_layers, epochs=given.epochs, learning_rate=5e-4,
        **STATES,
    )  # fmt: skip
    second = Distil(layers=None, logit_loss="mse", epochs=given.epochs, learning_rate=3e-4)
    for step in (first, second):
        key = sha256_json([options(step), at.content_hash, teacher.content_hash, data.training_hash, seed])[:16]
        folder = bench.work / "transfer" / key
        if not is_artifact(folder):
            context = Context(
                data, {"teacher": teacher}, folder.with_suffix(".work"), bench.work / "cache", seed=seed,
                device=given.device, threads=bench.threads, say=bench.say,
            )  # fmt: skip
            step(at, context, folder)
        at = open_artifact(folder)
    return at


def fresh(teacher: Artifact, student: Artifact, folder: Path, seed: int) -> Artifact:
    """A model of the student's shape that has seen nothing of the source but the word table."""
    torch.manual_seed(seed)
    model = surgery.fresh_with_reduced_embeddings(read_model(student).config, read_model(teacher))
    return write_classifier(
        model, folder, task=student.task, tokenizer=student.file(TOKENIZER), max_tokens=student.max_tokens, history=[]
    )


def main() -> None:
    parser = parser_of(__doc__ or "")
    parser.add_argument("--target", default="masakhaner2")
    parser.add_argument("--target-languages", nargs="*", default=())
    parser.add_argument("--target-sentences", type=int, default=200, help="training sentences of each language")
    parser.add_argument("--target-epochs", type=int, default=10)
    parser.add_argument("--shape", default="4x192")
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--inner-layers", type=int, default=3)
    given = parser.parse_args()
    target = open_corpus(given.target, tuple(given.target_languages) or None, given.target_sentences)
    # Two corpora of the same encyclopedia have sentences in common.
    source = Bench(given, unseen=normalise_all(target.split("test", given.test_sentences).texts))
    teacher = source.teacher()
    train, dev = target.teachers(), target.split("dev", given.dev_sentences)
    data = Dataset(task=target.task, train=train, dev=dev, name=given.target)
    on_target = copy(source)
    on_target.dev, on_target.test = dev, target.split("test", given.test_sentences)
    cells = source.cells("task_transfer")
    for seed in given.seeds:
        student = distilled(source, teacher, given, seed)
        for name in ("transfer", "none"):
            settings = {
                "source": given.corpus, "target": given.target, "languages": list(target.languages), "seed": seed,
                "start": name, "student": student.content_hash[:16], "train": len(train), "epochs": given.target_epochs,
                "dev": len(dev), "test": len(on_target.test), "repeats": {"removed": target.repeats},
            }  # fmt: skip

            def make(name: str = name, seed: int = seed, student: Artifact = student) -> dict[str, Any]:
                begin = student if name == "transfer" else fresh(teacher, student, source.work / f"fresh-{seed}", seed)
                key = f"{given.target}-{name}-{seed}-{student.content_hash[:8]}"
                made = fine_tune(
                    str(begin.path), data, source.work / "transfer" / key,
                    FitSettings(epochs=given.target_epochs, batch_size=32, learning_rate=3e-4, seed=seed),
                    max_tokens=128, work=source.work / "transfer" / f"{key}.work", device=given.device,
                )  # fmt: skip
                return on_target.scored(made)

            cells.get(settings, make)
    source.write("task_transfer")


if __name__ == "__main__":
    main()
