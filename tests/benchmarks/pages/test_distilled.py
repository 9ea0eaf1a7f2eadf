"""The tables of docs/xtremedistil.md: a section for each result that is there, and what stands in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.pages.distilled import distilled
from benchmarks.pages.distilled_sizes import in_short
from leanformer.files import write_json

LANGUAGES = {"aa": 60.0, "bb": 80.0}


def cell(value: float, **settings: Any) -> dict[str, Any]:
    """A cell as benchmarks/xtremedistil/run.py stores it."""
    scored = {"mean_f1": value, "deviation": 10.0, "by_language": LANGUAGES, "n": 40}
    shape = {"strategy": "D1", "seed": 1, "transfer": 1000, "epochs": 2, "embedding": 50, "units": 100}
    more = {"start": "svd", "representation": "kld", "batch_size": 32, "learning_rate": 0.006}
    return {
        "settings": {"corpus": "wikiann", "languages": list(LANGUAGES), **shape, **more, **settings},
        "parameters": 1_500_000, "dev": scored, "test": scored, "f1_clean": value, "n_clean": 40, "layer": 4,
        "command": "python -m benchmarks.xtremedistil.run", "machine": {"threads": 1, "cpu": "a CPU"},
    }  # fmt: skip


def made(folder: Path, **results: dict[str, Any]) -> str:
    for name, result in results.items():
        write_json(folder / "xtremedistil" / f"{name}.json", {"table": name, **result})
    return distilled(folder)


def test_what_was_not_made_is_left_out(tmp_path: Path) -> None:
    assert made(tmp_path) == ""
    text = made(tmp_path, teacher={"cells": [cell(70, train=500)]})
    assert "| 60.0 | 80.0 |" in text and "mean 70.0" in text and "500 sentences of 2 languages" in text
    again = cell(71, train=500) | {"machine": {"threads": 2, "cpu": "another"}}
    text = " ".join(made(tmp_path, teacher={"cells": [cell(70, train=500), again]}).split())
    assert "mean 70.0 and 71.0" in text and "1 thread of a CPU and 2 threads of another" in text


def test_strategies_are_means_over_seeds_in_the_order_of_the_paper(tmp_path: Path) -> None:
    cells = [cell(70, strategy="D4.2"), cell(74, strategy="D4.2", seed=2), cell(60), cell(50, strategy="D0")]
    cells += [cell(81, strategy="D4.2", transfer=2000)]
    cells[3]["settings"]["least_steps"] = 500
    own = cell(85, strategy="D4.2", vocabulary="cased", transfer=3000, pieces=9000)
    ordering = {
        "transfer": 1000, "embedding": 50, "units": 100, "epochs": 2, "above": "D4.2", "below": "D1", "seeds": [1],
        "means": [50.0, 60.0], "holds": False,
    }  # fmt: skip
    text = made(tmp_path, strategies={"cells": cells, "orderings": [ordering]})
    rows = [line for line in text.splitlines() if line.startswith("| D")]
    assert rows[:3] == ["| D0 | 50.0 |  |", "| D1 | 60.0 |  |", "| D4.2 | 72.0 ± 2.8 | 81.0 |"]
    assert rows[3].endswith("| 50.0 and 60.0 | 1 | **no** |")
    joined = " ".join(text.split())
    assert "500 steps at least" in joined
    command = "strategies --transfer 1000 --epochs 2 --batch-size 32 --learning-rate 0.006 --seeds 1 2 --size 50x100"
    assert f"{command} --strategies D0 D1 D4.2`" in joined
    text = made(
        tmp_path, strategies={"cells": [*cells, own], "orderings": [ordering | {"vocabulary": "cased", "pieces": 9000}]}
    )
    assert (
        "50x100, 9,000 cased pieces of its own, 3,000 sentences" in text
        and "| D4.2 | 72.0 ± 2.8 | 81.0 | 85.0 |" in text
    )
    assert "--size 50x100 --vocabulary cased --pieces 9000 --strategies D4.2`" in " ".join(text.split())
    assert "| 50x100, 9,000 cased pieces of its own, 1,000 |" in text


def test_every_other_table_has_its_section(tmp_path: Path) -> None:
    rates = {"cells": [cell(60, batch_size=64), cell(50, learning_rate=0.001)]}
    low = {"cells": [cell(50, strategy="teacher", labels_each=100), cell(40, labels_each=100)]}
    starts = {"cells": [cell(50, start="random"), cell(60), cell(61, seed=2)]}
    transfer = {"cells": [cell(30, source="s", target="t", train=9, start=start) for start in ("none", "transfer")]}
    pieces = {"cells": [cell(50, vocabulary="cased"), cell(40, vocabulary="seen")]}
    for entry, count in zip(pieces["cells"], (1.25, 2.5), strict=True):
        entry["each"] = {language: {"pieces": count, "unknown": 0.4} for language in LANGUAGES}
    text = made(tmp_path, rates=rates, low_resource=low, starts=starts, task_transfer=transfer, pieces=pieces)
    assert "| aa | 2.50 | 1.25 | 0.4 | 0.4 | 60.0 | 60.0 |" in text and "| mean |  |  |  |  | 40.0 | 50.0 |" in text
    assert text.index("| 32 | 0.001 | 50.0 |") < text.index("| 64 | 0.006 | 60.0 |")
    assert "| teacher |  |  | 50.0 |" in text and "| D1 | 1,000 | 2 epochs a fit, 1 seed | 40.0 |" in text
    assert "| D1 | 1,000 | svd | kld | 4 | 2 epochs a fit, 2 seeds | 60.5 ± 0.7 |" in text
    assert "| t | 2 | 9 | no more than the word table | 1 seed | 30.0 | 40 |" in text


def graph(dev: float, parameters: float = 0.1) -> dict[str, Any]:
    lost = {"1": {"lost": 1.0, "low": -0.5, "high": 3.0}, "2": {"lost": 2.0, "low": 0.5, "high": 4.0}}
    return {
        "each": {"test": lost},
        "bytes": 2_000_000, "dev": {"mean_f1": dev}, "test": {"mean_f1": 70.0, "n": 40},
        "share_of_parameters": parameters,
        "share": {"dev": dev / 80, "test": 0.875}, "times_batches_of_32": 20.0, "times_all_at_once": 30.0,
        "times_one": 10.0,
    }  # fmt: skip


def timed(**graphs: dict[str, Any]) -> dict[str, Any]:
    """What one run timed, of students trained as `cell` says unless told otherwise."""
    return {
        "settings": {
            "rounds": 5, "strategy": "D1", "learning_rate": 0.006, "transfer": 1000, "epochs": 2, "seed": 1,
            "labels": "transfer", "engines": {name.replace("_", " "): "native" for name in graphs},
        },
        "teacher": {"parameters": 22_000_000, "dev": {"mean_f1": 80.0}, "test": {"mean_f1": 80.0}},
        "graphs": {name.replace("_", " "): entry for name, entry in graphs.items()},
        "rates": {"texts": 7, "one": {name.replace("_", " "): {"ms": [0.2, 0.3, 0.9]} for name in graphs}},
        "command": "c", "machine": {"threads": 2, "cpu": "a CPU"},
    }  # fmt: skip


def test_sizes_are_told_with_what_they_keep(tmp_path: Path) -> None:
    cells = [cell(65), cell(66, embedding=9), cell(67, learning_rate=0.001)]
    far = timed(**{"50x100_fp32": graph(74.0), "50x100_int8": graph(73.0, 0.05)})
    text = made(tmp_path, sizes={"cells": cells, "speeds": [far]})
    assert text.count("| 50x100 |") == 2  # the student of another rate is of another table
    assert "| 50x100 | 1.50 M | fp32 | 2.0 | 74.0 | 70.0 | 87.5 % | 1.5 (-0.5 to 4.0) | 20.0 | 30.0 | 10.0 |" in text
    line = " ".join(text.split())
    assert "No graph keeps 95% of the teacher's F1 on dev; the nearest is 50x100 fp32 (D1, 1,000 sentences)" in line
    assert "The smallest with 90% is 50x100 int8" in line and "5.0 % of the teacher's parameters." in line
    near = timed(**{"9x100_fp32": graph(77.0)})
    line = " ".join(made(tmp_path, sizes={"cells": cells, "speeds": [far, near]}).split())
    assert "The fastest with 95% of the teacher's F1 on dev is 9x100 fp32" in line
    short = " ".join(in_short(tmp_path).split())
    assert "Names in 2 languages: a recurrent student (9x100, fp32, 2.0 MB, 10.0 % of" in short
    assert "from 1,000 labelled sentences of WikiANN that its MiniLM-L6 teacher was not trained on" in short
    told = "(70.0 of 80.0 on test, n = 40, 1 seed; points lost: 1.5 (-0.5 to 4.0)) at 30 times"
    assert f"keeps 87.5 % of the teacher's mean entity F1 {told}" in short
    assert "10 times as fast for one sentence (0.30 ms)" in short
    leaked = [cell(65), {name: value for name, value in cell(66, embedding=9).items() if name != "f1_clean"}]
    text = made(tmp_path, sizes={"cells": leaked, "speeds": [far, near]})
    assert "**Leaked**" in text and "are older" in text and "among the teacher's" not in text
    counts = {"n": 80, "in_transfer": 6, "in_teacher": 7, "exact": 9, "transfer_in_teacher": 5}
    row = counts | {"near": 9, "rows": {"train": 640, "unlabelled": 500}}
    write_json(tmp_path / "leaks.json", {"sets": {"wikiann, as drawn before": row}})
    told = " ".join(made(tmp_path).split())
    assert (
        "80 test sentences then, 6 are also among the 500 transfer sentences and 7 among the teacher's 640 (9" in told
    )
    assert "not yet again without them" in in_short(tmp_path) and "87.5" not in in_short(tmp_path)
    assert "Leaked" not in line and "are older" not in line
    worse = timed(**{"50x100_fp32": graph(50.0)})
    assert "None keeps 90%." in made(tmp_path, sizes={"cells": cells, "speeds": [worse]})
    assert in_short(tmp_path) == ""


def test_classification_has_accuracies_and_graphs(tmp_path: Path) -> None:
    settings = {"data": "trec", "strategy": "D1", "embedding": 50, "units": 100, "train": 900, "epochs": 2, "seed": 1}
    about = {"parameters": 1_000_000, "command": "c", "machine": {"threads": 2, "cpu": "a CPU"}}
    student = {"settings": settings, "test": {"accuracy": 90.0, "n": 500}, **about}
    student |= {"accuracy_clean": 88.5, "f1_clean": 80.0, "n_clean": 489}
    teacher = {
        "settings": {"data": "trec", "train": 900, "strategy": "teacher"}, "test": {"accuracy": 95.0, "n": 500}, **about
    }  # fmt: skip
    times = {"times_batches_of_32": 20.0, "times_all_at_once": 30.0, "times_one": 10.0}
    graphs = {"50x100 int8": {"bytes": 1_000_000, "test": {"accuracy": 89.0}, **times}}
    text = made(
        tmp_path,
        classification={"cells": [student, teacher, {"settings": {"data": "trec"}, "graphs": graphs, **about}]},
    )
    assert "| trec | teacher |  | 900 | 1 | 95.0 | 500 |  |  | 1.00 M |" in text
    assert "| trec | D1 | 50x100 | 900 | 1 | 90.0 | 500 | 88.5 | 489 | 1.00 M |" in text
    assert "| trec | 50x100 int8 | 1.0 | 89.0 | 20.0 | 30.0 | 10.0 |" in text
