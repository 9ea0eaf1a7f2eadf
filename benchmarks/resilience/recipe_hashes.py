"""Content hashes of everything that fifteen recipes make, to compare one version of the code with another.

    python -m benchmarks.resilience.recipe_hashes hashes.json
    python -m benchmarks.resilience.recipe_hashes --compare hashes.json
    PYTHONPATH=OTHER/src python benchmarks/resilience/recipe_hashes.py hashes.json

Every shipped recipe and some with further options, on small generated tasks of each kind of answer, from small random
encoders, on one thread: minutes. Only the command line of Leanformer is used, so the program runs on older versions of
it, too. `--compare` ends with status 1 where a hash differs or an artifact is missing; keys of the cache that differ
are printed and are no failure. Hashes belong to a machine and to versions of torch: compare on one machine only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
SIZES = {"train": 200, "dev": 60, "test": 40, "unlabelled": 80}
THINGS = "lamp tent kettle camera suitcase torch blanket raincoat".split()
VERBS = "lost broken late stolen returned wanted missing damaged".split()
PLACES = "lisbon oslo vienna turin lyon prague".split()
FILLERS = "please my the a was is it and then today again with very".split()
LAX = {"max_flips": 1.0, "max_mean_share": 99.0}
SMALL_DISTIL = {"epochs": 2, "batch_size": 16, "learning_rate": 0.001}


def sentence(draw: random.Random, *parts: str) -> str:
    """The parts among fillers."""
    words = [*parts, *(draw.choice(FILLERS) for _ in range(draw.randint(2, 7)))]
    draw.shuffle(words)
    return " ".join(words)


def one_label(draw: random.Random) -> dict[str, Any]:
    place = draw.randrange(4)
    return {"text": sentence(draw, VERBS[place], draw.choice(THINGS)), "label": VERBS[place]}


def pair(draw: random.Random) -> dict[str, Any]:
    first, second = draw.choice(THINGS[:4]), draw.choice(THINGS[:4])
    if draw.random() < 0.4:
        second = first
    return {
        "text": sentence(draw, first), "text_pair": sentence(draw, second),
        "label": "same" if first == second else "other",
    }  # fmt: skip


def several_labels(draw: random.Random) -> dict[str, Any]:
    labels = [verb for verb in VERBS[:3] if draw.random() < 0.45]
    return {"text": sentence(draw, *labels, draw.choice(THINGS)), "labels": labels}


def score(draw: random.Random) -> dict[str, Any]:
    count = draw.randrange(5)
    return {"text": sentence(draw, *["very"] * count, *["lost"] * (4 - count)), "label": count + 0.5}


def tags(draw: random.Random) -> dict[str, Any]:
    words, names = list[str](), list[str]()
    for _ in range(draw.randint(1, 3)):
        fillers = [draw.choice(FILLERS) for _ in range(draw.randint(1, 3))]
        kind, entity = draw.choice((("THING", THINGS), ("PLACE", PLACES)))
        entity = [draw.choice(entity[:2]), *draw.sample(entity[2:], draw.randint(0, 2))]
        words += fillers + entity
        names += ["O"] * len(fillers) + [f"{'I' if index else 'B'}-{kind}" for index in range(len(entity))]
    return {"words": words, "tags": names}


TASKS: dict[str, Callable[[random.Random], dict[str, Any]] | None] = {
    "sample": None,  # the generated sample of Leanformer itself
    "one_label": one_label,
    "pair": pair,
    "several_labels": several_labels,
    "score": score,
    "tags": tags,
}


@dataclass(frozen=True)
class Run:
    """One recipe on one task.

    Attributes:
        recipe: a shipped one, or the steps of one.
        changes: "step.option" -> value, for the shipped ones.
    """

    name: str
    task: str
    recipe: str | Sequence[dict[str, Any]]
    changes: dict[str, Any] = field(default_factory=dict)


def lax(*steps: str) -> dict[str, Any]:
    """Options for these int8 steps, which let small random models pass the gate."""
    return {f"{step}.{name}": value for step in steps for name, value in LAX.items()}


def short(step: str, **options: Any) -> dict[str, Any]:
    return {f"{step}.{name}": value for name, value in (SMALL_DISTIL | options).items()}


def steps(*middle: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps, and the last one's result as graphs in fp32 and int8."""
    int8 = {"step": "export.int8", "name": "int8", "rung": "int8", **LAX}
    return [*middle, {"step": "export.onnx", "name": "fp32"}, int8]


def distil(**options: Any) -> dict[str, Any]:
    return {"step": "compress.distil", "uses": "teacher", "layers": 2, "trial_texts": 0, **SMALL_DISTIL, **options}


def bilstm(**options: Any) -> dict[str, Any]:
    sizes = {"embedding": 12, "units": 8, "epochs": 1, "batch_size": 16, "learning_rate": 0.01}
    return {"step": "compress.bilstm", "uses": "teacher", **sizes, **options}


# Depths and widths of the recipe `family`.
MEMBERS = ((100, 75), (100, 50), (67, 75), (67, 50), (50, 50), (50, 25), (33, 50), (33, 25))

RUNS = (
    Run("quick", "sample", "quick", lax("int8")),
    Run("tiny", "sample", "tiny"),
    Run("quick-pruned", "sample", "quick-pruned", lax("int8", "pruned-int8", "halved-int8")),
    Run("distil", "sample", "distil", short("student", layers=2, trial_texts=64) | lax("teacher-int8", "student-int8")),
    Run(
        "fastformers", "sample", "fastformers",
        short("student", layers=2, trial_texts=0) | {"pruned.heads": 2, "pruned.ffn": 48} | short("again", epochs=1)
        | lax("teacher-int8", "again-int8"),
    ),
    Run(
        "thorough", "sample", "thorough",
        short("again", epochs=1, least_steps=30) | lax("teacher-int8", "halved-int8", "again-int8"),
    ),
    Run(
        "xtremedistil", "sample", "xtremedistil",
        {"student.embedding": 12, "student.units": 8, "student.epochs": 1, "student.least_steps": 0}
        | lax("student-int8"),
    ),
    Run(
        "xtremedistil-transformers", "sample", "xtremedistil-transformers",
        {"states.shape": "2x24", "states.heads": 4, "states.inner_layers": 2} | short("states", epochs=1)
        | short("answers", epochs=1) | short("student", epochs=1) | lax("student-int8"),
    ),
    Run(
        "family", "sample", "family",
        short("supernet", epochs=1, least_steps=0)
        | lax("teacher-int8", *(f"d{depth}-w{width}-int8" for depth, width in MEMBERS)),
    ),
    Run("options", "one_label", [
        distil(
            name="inner", layers=3, hidden_weight=0.5, hidden_kind="cosine", attention_weight=0.5, hard=0.3,
            temperature=2.0, freeze_embeddings=True,
        ),
        {"step": "compress.trim_vocabulary", "name": "trimmed"},
        {"step": "compress.prune", "name": "pruned", "keep": 0.6, "ranking": "magnitude", "budget": "parameters"},
        {"step": "export.onnx", "name": "fp32"},
        {"step": "export.int8", "name": "static", "rung": "static", "method": "static", "percentile": 99.9, **LAX},
        {"step": "export.onnx", "name": "teacher-fp32", "uses": "teacher"},
        {"step": "export.int8", "name": "dynamic", "method": "dynamic", "word_table": False, **LAX},
        {"step": "export.cascade", "name": "cascade", "uses": "static", "large": "teacher-fp32", "threshold": 0.5,
         "promise": "agreement", "max_loss": 50.0},
    ]),
    Run("recurrent", "one_label", steps(bilstm(name="student", strategy="D3.1", vocabulary="cased", pieces=120))),
    Run("pair", "pair", steps(
        distil(name="student", logit_loss="mse", hidden=24, heads=4, projection=True, hidden_weight=1.0),
        {"step": "compress.prune_post_training", "name": "pruned", "keep": 0.6, "tune": "masks", "texts": 100},
    )),
    Run("several_labels", "several_labels", steps(
        distil(name="student", hard=0.5),
        {"step": "compress.prune_post_training", "name": "pruned", "keep": 0.6, "texts": 100},
    )),
    Run("score", "score", steps(distil(name="student", layers=[1, 3]))),
    Run("tags", "tags", steps(distil(name="student", inner_layers=1, hidden_weight=1.0))),
    Run("tags-recurrent", "tags", steps(bilstm(name="student", strategy="D2", crf=True, start="random"))),
    Run("tags-gradual", "tags", steps(bilstm(name="student", strategy="D4.1", representation="mse", layer=2))),
)  # fmt: skip


def write_task(name: str, folder: Path) -> None:
    """The splits as JSON Lines."""
    row_of = TASKS[name]
    if row_of is None:
        _write_sample(folder)
        return
    folder.mkdir(parents=True)
    for split, size in SIZES.items():
        draw = random.Random(f"{name} {split}")
        rows = [row_of(draw) for _ in range(size)]
        if split == "unlabelled":
            rows = [
                {name: value for name, value in row.items() if name in ("text", "text_pair", "words")} for row in rows
            ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")


def _write_sample(folder: Path) -> None:
    import importlib

    for module in ("leanformer.data.sample.sample", "leanformer.data.sample"):  # as it was called before
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        if hasattr(found, "write_sample"):
            found.write_sample(folder, seed=13, **SIZES)
            return
    raise SystemExit("the generated sample is neither in leanformer.data.sample.sample nor in leanformer.data.sample")


def write_encoder(folder: Path, texts: Sequence[str]) -> None:
    """A BERT of 3 layers with random weights, as a checkpoint of `transformers`, and pieces for these texts."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = sorted({letter for text in texts for letter in text.lower() if letter.strip()})
    words = sorted({word for text in texts for word in text.lower().split()})
    pieces = dict.fromkeys([*special, *letters, *(f"##{letter}" for letter in letters), *words])
    ids = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    named = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named).save_pretrained(folder)
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(ids), hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96,
        max_position_embeddings=96, pad_token_id=0, initializer_range=0.2,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)


def leanformer(*arguments: str) -> None:
    """The command in this process. Raises `SystemExit` with its status where it fails."""
    from leanformer.cli.main import main

    sys.argv = ["leanformer", *arguments]
    try:
        status = main()
    except SystemExit as end:
        status = end.code  # type: ignore[assignment]
    if status not in (None, 0, 3):  # 3: nothing within the bound, which small random models may come to
        raise SystemExit(f"leanformer {' '.join(arguments)} ended with status {status}")


def artifacts(folder: Path) -> dict[str, str]:
    """Name and content hash of the artifacts in the folders of `folder`."""
    from leanformer.artifact import open_artifact

    return {
        path.parent.name: open_artifact(path.parent).content_hash for path in sorted(folder.glob("*/leanformer.json"))
    }


def make(folder: Path, only: Sequence[str]) -> dict[str, Any]:
    """Run the recipes in a folder, which takes up what is there: name -> content hash, and name -> key of the cache."""
    import torch

    torch.set_num_threads(1)
    _time_little()
    hashes, keys = dict[str, str](), dict[str, str]()
    for run in RUNS:
        if only and run.name not in only:
            continue
        start = time.monotonic()
        data, teacher = folder / "data" / run.task, folder / "teachers" / run.task
        common = ["--max-tokens", "48", "--seed", "13", "--threads", "1", "--device", "cpu"]
        if not teacher.exists():
            write_task(run.task, data)
            write_encoder(folder / "encoders" / run.task, _texts(data))
            command = ["train", str(data), "--encoder", str(folder / "encoders" / run.task), "--epochs", "3"]
            command += ["--batch-size", "16", "--learning-rate", "0.002", *(["--crf"] if run.task == "tags" else [])]
            leanformer(*command, "--output", str(teacher), *common)
        hashes[f"teacher of {run.task}"] = artifacts(teacher.parent)[run.task]
        recipe, changes = run.recipe, list[str]()
        if not isinstance(recipe, str):
            recipe = str(folder / f"{run.name}.yaml")
            Path(recipe).write_text(json.dumps({"name": run.name, "steps": run.recipe}), encoding="utf-8")
        for name, value in run.changes.items():
            changes += ["--set", f"{name}={json.dumps(value)}"]
        work = folder / "work" / run.name
        leanformer(
            "compress", str(teacher), "--data", str(data), "--recipe", recipe, *changes, "--output",
            str(folder / "lean" / run.name), "--work", str(work), "--max-drop", "100", "--goal", "size", "--rounds",
            "1", "--no-memory", "--allow-weak-teacher", "--allow-lost-classes", *common,
        )  # fmt: skip
        for name, value in artifacts(work / "steps").items():
            step, _, key = name.rpartition("-")
            hashes[f"{run.name}: {step}"], keys[f"{run.name}: {step}"] = value, key
        print(f"== {run.name}: {time.monotonic() - start:.0f} s", flush=True)
    return {"hashes": hashes, "cache_keys": keys}


def _texts(data: Path) -> list[str]:
    lines = [line for path in sorted(data.glob("*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [json.loads(line) for line in lines]
    return [" ".join(row.get("words", [row.get("text", ""), row.get("text_pair", "")])) for row in rows]


def _time_little() -> None:
    """Timing says nothing here: no pauses before it, where this version has them."""
    try:
        from leanformer.measure import speed
    except ImportError:
        return
    if hasattr(speed, "_SETTLE_SECONDS"):
        speed._SETTLE_SECONDS = 0  # type: ignore[attr-defined]


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """A line for each name whose value is not the same in both."""
    return [
        f"{name}: {before.get(name, 'missing')[:16]} before, {after.get(name, 'missing')[:16]} now"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, nargs="?", help="file for the hashes")
    parser.add_argument("--compare", type=Path, help="a file of hashes that they must equal")
    parser.add_argument("--only", nargs="+", default=[], choices=[run.name for run in RUNS], metavar="RUN")
    parser.add_argument("--folder", type=Path, help="to work in; it is kept, and the same command goes on there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        result = make(arguments.folder or Path(scratch), arguments.only)
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{len(result['hashes'])} artifacts of {len(arguments.only or RUNS)} recipes")
    if arguments.compare is None:
        return 0
    before = json.loads(arguments.compare.read_text(encoding="utf-8"))
    if arguments.only:
        wanted = result["hashes"].keys() | {name for name in before["hashes"] if name.split(":")[0] in arguments.only}
        before = {kind: {name: value for name, value in before[kind].items() if name in wanted} for kind in before}
    for line in differences(before["cache_keys"], result["cache_keys"]):
        print(f"cache key of {line}")
    wrong = differences(before["hashes"], result["hashes"])
    print("\n".join(wrong) or f"all content hashes equal those of {arguments.compare}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
