"""The tables of docs/xtremedistil.md, from benchmarks/results/xtremedistil/; readme.py puts them there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

from benchmarks.pages.cell_tables import (
    Cell,
    commands,
    each_fit,
    grouped,
    its_own,
    leaked,
    mean,
    paragraph,
    seeds_of,
    spread,
    table,
    where,
)
from benchmarks.pages.distilled_sizes import sizes
from benchmarks.pages.leaked import leaks_of, of_corpora
from benchmarks.xtremedistil.vocabularies import VOCABULARIES
from leanformer.compress.recurrent.strategies import STRATEGIES

LEAKED = "**Leaked** (measured before repeated sentences were removed):"


def distilled(results: Path) -> str:
    """A section for each table that was made."""
    sections: list[str] = []
    any_leaked = False
    for name, section in SECTIONS.items():
        path = results / "xtremedistil" / f"{name}.json"
        if path.is_file():
            result = json.loads(path.read_text(encoding="utf-8"))
            sections.append(section(result))
            if leaked(result["cells"]):
                any_leaked = True
                sections[-1] = f"{LEAKED}\n\n{sections[-1]}"
    left = of_corpora(results)
    told = [paragraph(text) for text in (left, _older(results) if any_leaked else "") if text and sections]
    return "\n\n".join([*told, *sections])


def _older(results: Path) -> str:
    """What is wrong with tables that were made before repeats were removed."""
    told = (
        "Tables marked as leaked are older: corpora still had sentences that occur in several of their files. Their "
        "scores are too high, and comparisons between students and teacher in them are not reliable."
    )
    found = leaks_of(results, "wikiann, as drawn before")
    if found is None:
        return told
    rows = found["rows"]
    return (
        f"{told} Of WikiANN's {found['n']:,} test sentences then, {found['in_transfer']:,} are also among the "
        f"{rows['unlabelled']:,} transfer sentences and {found['in_teacher']:,} among the teacher's {rows['train']:,} "
        f"({found['exact']:,} in either); {found['transfer_in_teacher']:,} transfer sentences are among the teacher's "
        "(`python -m benchmarks.leaks`)."
    )


def _teacher(result: Cell, what: str = "WikiANN") -> str:
    cells = result["cells"]
    settings, tests = cells[0]["settings"], [cell["test"] for cell in cells]
    about = (
        f"The teacher of {what}: MiniLM-L6-H384 (uncased English pieces), fine-tuned on {settings['train']:,} "
        f"sentences of {len(settings['languages'])} languages; entity F1 over words on test, n = {tests[0]['n']:,}: "
        f"mean {_each(tests, 'mean_f1')}, deviation over languages {_each(tests, 'deviation')} ({commands(cells)}, "
        f"{where(cells)})."
    )
    if len(cells) > 1:
        about += " It was trained on each of these machines, and every student follows one of them."
    rows = [[f"{score:.1f}" for score in test["by_language"].values()] for test in tests]
    return f"{paragraph(about)}\n\n{table(list(tests[0]['by_language']), rows)}"


def _each(tests: list[Cell], name: str) -> str:
    return " and ".join(f"{test[name]:.1f}" for test in tests)


def _strategies(result: Cell, what: str = "WikiANN") -> str:
    cells = result["cells"]
    told = ("transfer", "embedding", "units", "epochs", "batch_size", "learning_rate", "crf", "vocabulary", "pieces")
    columns = grouped(cells, *told)
    made = {_strategy(cell) for cell in cells}
    head = ["strategy", *(_column(group) for group in columns.values())]
    rows = [[name, *(_of(group, name) for group in columns.values())] for name in STRATEGIES if name in made]
    about = (
        f"Strategies on {what}: mean entity F1 of {len(cells[0]['settings']['languages'])} languages on test (n = "
        f"{cells[0]['test']['n']:,}), ± the deviation over seeds; the student is embedding x units, "
        f"{where(cells)}: {', '.join(f'`{_remade(group)}`' for group in columns.values())}."
    )
    least = max((cell["settings"].get("least_steps", 0) for cell in cells if _strategy(cell) == "D0"), default=0)
    if least:
        about += f" A student of D0 has one language's sentences alone, and more epochs: {least} steps at least."
    return "\n\n".join([paragraph(about), table(head, rows), *_orderings(result.get("orderings", []))])


def _strategy(cell: Cell) -> str:
    return str(cell["settings"]["strategy"])


def _column(group: list[Cell]) -> str:
    settings = group[0]["settings"]
    crf = ", CRF" if settings.get("crf") else ""
    size = f"{settings['embedding']}x{settings['units']}"
    about = f"{size}{crf}{its_own(settings)}, {settings['transfer']:,} sentences"
    return f"{about}, {each_fit(group[0])}, {seeds_of(group)}"


def _remade(group: list[Cell]) -> str:
    """One command that makes all cells of a column, which several may have made; of another corpus, theirs."""
    settings = group[0]["settings"]
    if settings["corpus"] != "wikiann":
        return commands(group).strip("`")
    seeds = " ".join(str(seed) for seed in sorted({cell["settings"]["seed"] for cell in group}))
    size = f"{settings['embedding']}x{settings['units']}"
    made = {_strategy(cell) for cell in group}
    some = "" if made == set(STRATEGIES) else f" --strategies {' '.join(s for s in STRATEGIES if s in made)}"
    own = "" if settings.get("vocabulary", "seen") == "seen" else f" --vocabulary {settings['vocabulary']}"
    own += f" --pieces {settings['pieces']}" if "pieces" in settings else ""
    steps = f" --batch-size {settings['batch_size']} --learning-rate {settings['learning_rate']:g}"
    return (
        f"python -m benchmarks.xtremedistil.run strategies --transfer {settings['transfer']} --epochs "
        f"{settings['epochs']}{steps} --seeds {seeds}{'' if size == '100x200' else f' --size {size}'}"
        f"{' --crf' if settings.get('crf') else ''}{own}{some}"
    )


def _of(group: list[Cell], strategy: str) -> str:
    mine = [cell for cell in group if _strategy(cell) == strategy]
    return mean(mine) if mine else ""


def _orderings(found: list[Cell]) -> list[str]:
    if not found:
        return []
    rows = [
        [
            f"{cell['above']} above {cell['below']}", f"{cell['embedding']}x{cell['units']}{its_own(cell)}, "
            f"{cell['transfer']:,}", f"{cell['means'][0]:.1f} and {cell['means'][1]:.1f}", str(len(cell["seeds"])),
            "yes" if cell["holds"] else "**no**",
        ]
        for cell in found
    ]  # fmt: skip
    head = ["the paper has", "student, sentences", "mean F1 here", "seeds", "holds"]
    return [table(head, rows)]


def _rates(result: Cell) -> str:
    parts = []
    for cells in grouped(result["cells"], "strategy", "transfer", "epochs", "vocabulary", "pieces").values():
        rising = sorted(cells, key=lambda cell: cell["dev"]["mean_f1"])
        rows = [
            [
                str(cell["settings"]["batch_size"]),
                f"{cell['settings']['learning_rate']:g}",
                f"{cell['dev']['mean_f1']:.1f}",
            ]
            for cell in rising
        ]
        first = rising[0]["settings"]
        about = (
            f"Batches and learning rates on dev alone (n = {rising[0]['dev']['n']:,}), strategy {first['strategy']}"
            f"{its_own(first)}, {first['transfer']:,} sentences, {each_fit(rising[0])}, one seed ({commands(cells)}, "
            f"{where(rising)}):"
        )
        parts += [paragraph(about), table(["sentences a step", "rate", "mean F1 on dev"], rows)]
    return "\n\n".join(parts)


def _low_resource(result: Cell) -> str:
    cells = result["cells"]
    teachers = [cell for cell in cells if _strategy(cell) == "teacher"]
    students = grouped(
        [cell for cell in cells if _strategy(cell) != "teacher"], "transfer", "strategy", "epochs", "vocabulary"
    )
    few, n = cells[0]["settings"]["labels_each"], cells[0]["test"]["n"]
    rows = [["teacher", "", "", mean(teachers)]]
    rows += [
        [
            _strategy(group[0]) + its_own(group[0]["settings"]),
            f"{group[0]['settings']['transfer']:,}",
            f"{each_fit(group[0])}, {seeds_of(group)}",
            mean(group),
        ]
        for group in students.values()
    ]
    about = (
        f"{few} labelled sentences of each language for the teacher, and the same for its students beside unlabelled "
        f"ones: mean entity F1 on test (n = {n:,}), {where(cells)}: {commands(cells)}."
    )
    return f"{paragraph(about)}\n\n{table(['model', 'unlabelled', 'trained', 'test F1'], rows)}"


def _starts(result: Cell) -> str:
    cells = result["cells"]
    groups = grouped(cells, "transfer", "strategy", "epochs", "start", "representation", "layer", "vocabulary")
    rows = [
        [
            _strategy(group[0]) + its_own(group[0]["settings"]), f"{group[0]['settings']['transfer']:,}",
            group[0]["settings"]["start"],
            group[0]["settings"]["representation"], str(group[0]["layer"]), f"{each_fit(group[0])}, {seeds_of(group)}",
            mean(group),
        ]
        for group in groups.values()
    ]  # fmt: skip
    about = (
        f"Starts of the embeddings, distances of states and layers of the teacher: mean entity F1 on test (n = "
        f"{cells[0]['test']['n']:,}), {where(cells)}: {commands(cells)}."
    )
    head = ["strategy", "sentences", "embeddings", "distance", "layer", "trained", "test F1"]
    return f"{paragraph(about)}\n\n{table(head, rows)}"


def _pieces(result: Cell) -> str:
    parts = []
    for cells in grouped(
        result["cells"], "transfer", "epochs", "strategy", "start", "crf", "embedding", "units"
    ).values():
        sets = {key[0]: group for key, group in grouped(cells, "vocabulary").items()}
        names = [vocabulary for vocabulary in VOCABULARIES if vocabulary in sets]
        first, rows = cells[0], []
        for language in first["settings"]["languages"]:
            each = [sets[name][0]["each"][language] for name in names]
            values = [fmean(cell["test"]["by_language"][language] for cell in sets[name]) for name in names]
            told = [*(f"{counts['pieces']:.2f}" for counts in each), *(f"{counts['unknown']:.1f}" for counts in each)]
            rows.append([language, *told, *(f"{value:.1f}" for value in values)])
        rows.append(["mean", *[""] * (2 * len(names)), *(mean(sets[name]) for name in names)])
        parameters = " / ".join(f"{sets[name][0]['parameters'] / 1e6:.2f}" for name in names)
        settings = first["settings"]
        about = (
            f"Vocabularies of a student ({settings['embedding']}x{settings['units']}, "
            f"{parameters} M parameters): {' / '.join(VOCABULARIES[name] for name in names)}. Pieces a word and % of "
            f"words unknown (dev), and mean entity F1 on test (n = {first['test']['n']:,}); strategy "
            f"{_strategy(first)}, {settings['transfer']:,} sentences, {each_fit(first)}, embeddings started "
            f"{START[settings['start']]}, {seeds_of(cells)}, {where(cells)}: {commands(cells)}."
        )
        head = ["", *(f"{what}, {VOCABULARIES[name]}" for what in ("pieces", "unknown", "F1") for name in names)]
        parts += [paragraph(about), table(head, rows)]
    return "\n\n".join(parts)


START = {"svd": "from the teacher's", "random": "at random"}


def _second(section: Callable[..., str]) -> Callable[[Cell], str]:
    return lambda result: section(result, "MasakhaNER 2")


def _task_transfer(result: Cell) -> str:
    cells = result["cells"]
    groups = grouped(cells, "source", "target", "train", "epochs", "start")
    rows = [
        [
            group[0]["settings"]["target"], f"{len(group[0]['settings']['languages'])}",
            f"{group[0]['settings']['train']:,}", WHENCE[key[-1]], seeds_of(group), mean(group),
            f"{group[0]['test']['n']:,}",
        ]
        for key, group in groups.items()
    ]  # fmt: skip
    first = cells[0]
    about = (
        f"Task transfer: a narrow Transformer of {first['parameters'] / 1e6:.1f} M parameters, fine-tuned on another "
        f"corpus after {first['settings']['source']}, or from its word table alone; mean entity F1 over languages on "
        f"test, {where(cells)}: {commands(cells)}."
    )
    return (
        f"{paragraph(about)}\n\n{table(['target', 'languages', 'sentences', 'start', 'seeds', 'test F1', 'n'], rows)}"
    )


WHENCE = {"transfer": "distilled on the source before", "none": "no more than the word table"}


def _classification(result: Cell) -> str:
    cells = [cell for cell in result["cells"] if "test" in cell]
    groups = grouped(cells, "data", "strategy", "vocabulary", "embedding", "units", "train", "epochs")
    rows = []
    for group in groups.values():
        settings = group[0]["settings"]
        values = [cell["test"]["accuracy"] for cell in group]
        size = f"{settings['embedding']}x{settings['units']}" if "units" in settings else ""
        row = [
            settings["data"],
            settings["strategy"] + its_own(settings),
            size,
            f"{settings['train']:,}",
            str(len(values)),
        ]
        # Earlier cells have no score on clean test, and other cells none where no text is left.
        clean = [cell["accuracy_clean"] for cell in group if cell.get("accuracy_clean") is not None]
        told = [spread(clean) if len(clean) == len(group) else "", f"{group[0]['n_clean']:,}" if clean else ""]
        row += [spread(values), f"{group[0]['test']['n']:,}", *told]
        rows.append([*row, f"{group[0]['parameters'] / 1e6:.2f} M"])
    about = (
        "Classification: test accuracy, ± the deviation over seeds, and `clean`, that on the test texts that are not "
        f"in train, {where(cells)}: {commands(cells)}."
    )
    head = ["data", "strategy", "size", "texts", "seeds", "accuracy", "n", "clean", "n clean", "parameters"]
    parts = [paragraph(about), table(head, rows)]
    timed = [
        [cell["settings"]["data"], name, f"{graph['bytes'] / 1e6:.1f}", f"{graph['test']['accuracy']:.1f}",
         *(f"{graph[f'times_{way}']:.1f}" for way in ("batches_of_32", "all_at_once", "one"))]
        for cell in result["cells"] for name, graph in cell.get("graphs", {}).items()
    ]  # fmt: skip
    if timed:
        runs = [cell for cell in result["cells"] if "graphs" in cell]
        told = (
            f"Their graphs beside the teacher in transformers, fp32, tokenizer included ({commands(runs)}, "
            f"{where(runs)}):"
        )
        head = ["data", "graph", "MB", "test accuracy", "x batches of 32", "x all at once", "x one"]
        parts += [paragraph(told), table(head, timed)]
    return "\n\n".join(parts)


SECTIONS: dict[str, Callable[[Cell], str]] = {
    "teacher": _teacher,
    "rates": _rates,
    "strategies": _strategies,
    "sizes": sizes,
    "low_resource": _low_resource,
    "starts": _starts,
    "pieces": _pieces,
    "masakhaner2-teacher": _second(_teacher),
    "masakhaner2-strategies": _second(_strategies),
    "task_transfer": _task_transfer,
    "classification": _classification,
}
