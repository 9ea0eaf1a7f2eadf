"""Ways to give the ship gate data that were used before, and what it says of each: benchmarks/results/gate_reuse.json.

    python -m benchmarks.ladders.gate_reuse [--work FOLDER]

Small real models are made with the commands, from random encoders on generated texts: a teacher that is trained on its
own texts, a student of it that is distilled on others, a cascade of both that is calibrated on a third set, and a model
of pairs. Each way is a file of rows, judged by `leanformer gate` as a user would. Every way states beforehand what the
gate must do: refuse the data; judge on the fresh rows alone and count the others; or tell that such reuse cannot be
recognised, where no hash can. New texts are among them and must pass. The program ends with status 1 where the
gate does anything else. A minute on two cores; nothing is timed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance
from benchmarks.resilience.recipe_hashes import leanformer, one_label, pair, write_encoder
from leanformer.files import write_json

Row = dict[str, Any]
SIZES = {"train": 1200, "dev": 200, "test": 100, "unlabelled": 300}
NEW, CALIBRATION = 400, 300
REFUSED, LEFT_OUT, TOLD, PASSED = "refused", "left out", "told", "passed"
UNRECOGNISED = "edited, cut or paraphrased are not recognised"


@dataclass(frozen=True)
class Way:
    """One way to reuse data.

    Attributes:
        name: what somebody does, in words.
        rows: makes the rows of the file from the splits by name.
        expected: `REFUSED`, `LEFT_OUT`, `TOLD` or `PASSED`.
        says: what the gate's output must hold.
        model: whose texts they are: "lean", "both" (a cascade) or "pairs".
        csv: written as CSV instead of JSON Lines.
    """

    name: str
    rows: Callable[[dict[str, list[Row]]], list[Row]]
    expected: str
    says: str
    model: str = "lean"
    csv: bool = False


def spelled(rows: Sequence[Row], change: Callable[[str], str]) -> list[Row]:
    return [row | {key: change(row[key]) for key in ("text", "text_pair") if key in row} for row in rows]


def shuffled(rows: Sequence[Row]) -> list[Row]:
    return random.Random(5).sample(list(rows), len(rows))


def full_width(text: str) -> str:
    """Full-width forms of letters, which NFKC makes plain again."""
    return "".join(chr(ord(letter) + 0xFEE0) if "a" <= letter <= "z" else letter for letter in text)


def relabelled(rows: Sequence[Row]) -> list[Row]:
    labels = sorted({row["label"] for row in rows})
    return [row | {"label": labels[labels.index(row["label"]) - 1]} for row in rows]


def swapped(rows: Sequence[Row]) -> list[Row]:
    return [row | {"text": row["text_pair"], "text_pair": row["text"]} for row in rows]


def guessed_labels(rows: Sequence[Row]) -> list[Row]:
    """Labels for rows that have none: anything, for the gate looks at the texts."""
    return [{"label": "lost", **row} for row in rows]


WAYS = (
    Way("new texts, for comparison", lambda s: s["new"], PASSED, f"none of the {NEW} texts is known"),
    Way("dev itself", lambda s: s["dev"], REFUSED, "200 of 200 texts were used before: 200 to choose"),
    Way("dev without a row", lambda s: s["dev"][1:], REFUSED, "199 of 199"),
    Way("dev reversed", lambda s: s["dev"][::-1], REFUSED, "200 of 200"),
    Way("dev shuffled", lambda s: shuffled(s["dev"]), REFUSED, "200 of 200"),
    Way("dev in upper case", lambda s: spelled(s["dev"], str.upper), REFUSED, "200 of 200"),
    Way("dev with more white space", lambda s: spelled(s["dev"], lambda t: f" {t.replace(' ', '   ')}\t"), REFUSED,
        "200 of 200"),
    Way("dev in full-width letters (NFKC)", lambda s: spelled(s["dev"], full_width), REFUSED, "200 of 200"),
    Way("train texts with accents, decomposed (NFD)", lambda s: spelled(
        s["accented"], lambda t: unicodedata.normalize("NFD", t)), REFUSED, "in training"),
    Way("the first 1,000 rows of train", lambda s: s["train"][:1000], REFUSED, "1,000 of 1,000 texts were used before"),
    Way("train with other labels", lambda s: relabelled(s["train"]), REFUSED, "1,200 in training"),
    Way("the unlabelled texts, labelled since", lambda s: guessed_labels(s["unlabelled"]), REFUSED,
        "300 without labels"),
    Way("the same as CSV", lambda s: s["dev"], REFUSED, "200 of 200", csv=True),
    Way("half new, half dev", lambda s: shuffled([*s["new"][:200], *s["dev"]]), REFUSED, "200 of 400"),
    Way("two per cent of train among new texts", lambda s: shuffled([*s["new"][:392], *s["train"][:8]]), REFUSED,
        "8 of 400 texts were used before: 8 in training, more than 1 per cent"),
    Way("one per cent of train among new texts", lambda s: shuffled([*s["new"], *s["train"][:4]]), LEFT_OUT,
        "4 of 404 texts were used before: 4 in training; they are left out of the test"),
    Way("one row of dev alone", lambda s: s["dev"][:1], REFUSED, "1 of 1 texts were used before"),
    Way("new texts, each five times", lambda s: s["new"] * 5, LEFT_OUT,
        f"{4 * NEW:,} of {5 * NEW:,} texts repeat an earlier one; they are left out"),
    Way("what the teacher alone was trained with", lambda s: s["teacher-train"][:500], REFUSED,
        "500 of 500 texts were used before: 500 in training"),
    Way("what the teacher alone was chosen with", lambda s: s["teacher-dev"], REFUSED, "200 to choose"),
    Way("what a cascade was calibrated on", lambda s: s["calibration"], REFUSED, "300 to calibrate", "both"),
    Way("dev of a member of a cascade", lambda s: s["dev"], REFUSED, "200 to choose", "both"),
    Way("pairs with their texts swapped", lambda s: swapped(s["pair-dev"]), REFUSED, "200 to choose", "pairs"),
    Way("test, whose figures are in the report", lambda s: s["test"], TOLD, "100 of 100 texts are in the test split"),
    Way("a part of test, shuffled", lambda s: shuffled(s["test"][1:]), TOLD, "99 of 99 texts are in the test split"),
    Way("dev with the last word cut off", lambda s: spelled(s["dev"], lambda t: t.rsplit(" ", 1)[0]), TOLD,
        UNRECOGNISED),
    Way("dev with a word added", lambda s: spelled(s["dev"], lambda t: f"{t} indeed"), TOLD, UNRECOGNISED),
)  # fmt: skip
"""All generated texts differ, so that each count is exact."""


def distinct(draw: Callable[[random.Random], Row], count: int, name: str, seen: set[tuple[str, str]]) -> list[Row]:
    """Rows whose texts are in no other split; each begins with a number, so that templates do not run out."""
    rows = list[Row]()
    generator = random.Random(name)
    while len(rows) < count:
        row = draw(generator)
        row["text"] = f"{generator.randrange(10**6)} {row['text']}"
        if (key := (row["text"], row.get("text_pair", ""))) not in seen:
            seen.add(key)
            rows.append(row)
    return rows


def generated() -> dict[str, list[Row]]:
    """All rows, by name; "pair-" and "teacher-" are data sets of their own."""
    seen, splits = set[tuple[str, str]](), dict[str, list[Row]]()
    for prefix, draw in (("", one_label), ("teacher-", one_label), ("pair-", pair)):
        for split, size in SIZES.items():
            rows = distinct(draw, size, prefix + split, seen)
            if split == "unlabelled":
                rows = [{key: value for key, value in row.items() if key != "label"} for row in rows]
            splits[prefix + split] = rows
    splits["accented"] = spelled(splits["train"][:200], lambda text: text.replace("e", "é"))
    splits["train"] = [*splits["accented"], *splits["train"][200:]]
    splits["new"] = distinct(one_label, NEW, "new", seen)
    splits["calibration"] = distinct(one_label, CALIBRATION, "calibration", seen)
    splits["pair-new"] = distinct(pair, NEW, "pair-new", seen)
    return splits


def write_rows(path: Path, rows: Sequence[Row], *, csv: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if csv:
        import csv as table

        path = path.with_suffix(".csv")
        with open(path, "w", encoding="utf-8", newline="") as handle:
            writer = table.DictWriter(handle, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(lines, encoding="utf-8")
    return path


RECIPE = {
    "name": "small",
    "steps": [
        {"step": "compress.distil", "uses": "teacher", "name": "student", "layers": 1, "trial_texts": 0, "epochs": 1,
         "batch_size": 32, "learning_rate": 0.003},
        {"step": "export.onnx", "name": "graph", "rung": "student", "max_difference": 0.01},
    ],
}  # fmt: skip


def make_models(folder: Path, splits: dict[str, list[Row]]) -> dict[str, tuple[Path, Path]]:
    """Name -> the model and what it is judged against."""
    common = ["--max-tokens", "32", "--threads", "1", "--device", "cpu"]
    for name, prefix in (("data", ""), ("teacher-data", "teacher-"), ("pair-data", "pair-")):
        for split in SIZES:
            write_rows(folder / name / f"{split}.jsonl", splits[prefix + split])
    words = [value for rows in splits.values() for row in rows for key, value in row.items() if key != "label"]
    write_encoder(folder / "encoder", [word for text in words for word in text.split() if not word.isdigit()])
    train = ["--encoder", str(folder / "encoder"), "--epochs", "1", "--batch-size", "64", "--learning-rate", "0.002"]
    for name in ("teacher", "pair"):
        leanformer("train", str(folder / f"{name}-data"), *train, "--output", str(folder / name), *common)
    (folder / "recipe.yaml").write_text(json.dumps(RECIPE), encoding="utf-8")
    leanformer(
        "compress", str(folder / "teacher"), "--data", str(folder / "data"), "--recipe", str(folder / "recipe.yaml"),
        "--output", str(folder / "lean"), "--max-drop", "100", "--goal", "size", "--rounds", "1", "--no-memory",
        "--allow-weak-teacher", "--allow-lost-classes", *common,
    )  # fmt: skip
    write_rows(folder / "calibration.jsonl", splits["calibration"])
    leanformer(
        "cascade", str(folder / "lean"), str(folder / "teacher"), "--data", str(folder / "calibration.jsonl"),
        "--max-loss", "20", "--otherwise", "large", "--allow-weak-teacher", "--output", str(folder / "both"),
    )  # fmt: skip
    against = folder / "teacher"
    return {
        "lean": (folder / "lean", against), "both": (folder / "both", against),
        "pairs": (folder / "pair", folder / "pair"),
    }  # fmt: skip


def judged(arguments: Sequence[str]) -> tuple[int, str]:
    """Exit status of `leanformer gate` and all that it printed."""
    from leanformer.cli.main import main as command

    said = io.StringIO()
    sys.argv = ["leanformer", "gate", *arguments]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            status = command()
        except SystemExit as end:
            status = end.code  # type: ignore[assignment]
    return int(status or 0), said.getvalue()


def outcome(status: int, said: str) -> str:
    """What the gate did with the data, from what it said."""
    if status == 1:
        return REFUSED
    if "left out of the test" in said:
        return LEFT_OUT
    return TOLD if "test split of the model's report" in said or UNRECOGNISED in said else PASSED


def try_way(
    way: Way, number: int, splits: dict[str, list[Row]], model: tuple[Path, Path], folder: Path, *more: str
) -> dict[str, Any]:
    """Judge one way; `as_expected` tells whether the gate did what it must and said so."""
    rows = way.rows(splits)
    path = write_rows(folder / f"way-{number}.jsonl", rows, csv=way.csv)
    status, said = judged([
        str(model[0]), "--against", str(model[1]), "--data", str(path), "--max-drop", "20", "--allow-weak-teacher",
        "--allow-lost-classes", *more,
    ])  # fmt: skip
    did = outcome(status, said)
    # Of new texts as well the gate says what it cannot know.
    accepted = (TOLD,) if way.expected == PASSED else (way.expected,)
    lines = [line.replace(str(path), "DATA").replace(f"{model[0].parent}/", "") for line in said.splitlines()]
    return {
        "way": way.name, "model": way.model, "rows": len(rows), "expected": way.expected,
        "outcome": PASSED if way.expected == PASSED and did == TOLD else did, "exit_status": status,
        "as_expected": did in accepted and way.says in said, "said": lines,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="folder for the models; default: a temporary one")
    work = parser.parse_args().work
    with tempfile.TemporaryDirectory() as temporary:
        folder = work or Path(temporary)
        splits = generated()
        models = make_models(folder, splits)
        results = [try_way(way, number, splits, models[way.model], folder) for number, way in enumerate(WAYS)]
    counts = {what: sum(result["outcome"] == what for result in results) for what in (REFUSED, LEFT_OUT, TOLD, PASSED)}
    wrong = [result["way"] for result in results if not result["as_expected"]]
    write_json(
        RESULTS / "gate_reuse.json",
        {
            **provenance(),
            "ways": len(results) - counts[PASSED],
            "outcomes": counts,
            "not_as_expected": wrong,
            "results": results,
        },
    )
    for result in results:
        print(f"{result['outcome']:9} {result['way']}" + ("" if result["as_expected"] else "   NOT AS EXPECTED"))
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    main()
