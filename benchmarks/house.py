"""What the house is like at two commits, counted: benchmarks/results/house.json.

    python -m benchmarks.house 2336e21 HEAD
    python -m benchmarks.house 2336e21 HEAD --machine "2 cores of ..." --test-seconds 650 340 --demo-seconds 450 150

Everything is counted over the syntax trees of `src` as git has it, so that comments and strings do not count. Seconds
are what somebody measured: before and after, in this order. Nothing is measured here. Without new seconds those of the
output file are kept, with the machine that they belong to.

    python -m benchmarks.house 2336e21 HEAD --hashes before.json after.json

compares what `benchmarks.resilience.recipe_hashes` wrote with the code of both commits on one machine. Without the
option the comparison of the output file is kept.

Growth is told in two spans, as one number would mix two causes: up to `--between` protocols and moves were built, with
the small techniques that show them, and after it came further capabilities. Of each span it is said how many lines are
in new files, by room, and how many were added to the others (renames followed).
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import subprocess
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.paths import RESULTS, ROOT
from benchmarks.provenance import provenance
from leanformer.files import write_json

FORMS = {"label", "labels", "score", "tags", "vector", "choice", "span"}
FORMATS = {"encoder", "bilstm", "onnx", "transformers", "cascade", "ngrams"}
# The last commit of the protocols and the moves.
BETWEEN = "30fe23ad"
# What shows that the protocols suffice, and the files that are nothing else.
SMALL_TECHNIQUES = {
    "layer drop": ["compress/prune/layer_drop.py"],
    "moving average": ["train/hooks/averaging.py"],
    "curriculum": ["train/feeds/curriculum.py"],
    "BitFit": ["train/adapters/bitfit.py"],
    "learnt weights of losses": ["train/objectives/uncertainty.py"],
    "multiple choice": ["answers/choice.py", "inputs/choices.py"],
    "linear attention": ["models/attention/linear.py", "compress/shape/convert_attention.py"],
}
# What `Distil` would be without what all training steps share: its losses and the shape of its student.
OWN = {
    "layers", "shape", "hidden", "heads", "ffn", "start", "trial_texts", "freeze_embeddings", "soft_weight",
    "logit_loss", "temperature", "hard", "hidden_weight", "hidden_kind", "hidden_map", "attention_weight",
    "attention_kind", "attention_map", "inner_layers", "layer_map", "projection", "shared_projection",
}  # fmt: skip
# Fields that hold a group of options, which is a class of its own.
GROUPS = {"fit", "student", "inner", "losses"}


def modules_of(commit: str, folder: Path) -> dict[str, ast.Module]:
    """Every module of `src` at a commit, by its path below src/leanformer."""
    packed = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    source = folder / "src" / "leanformer"
    return {
        str(path.relative_to(source)): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(source.rglob("*.py"))
    }


def compared(tree: ast.Module, attribute: str, values: set[str]) -> list[int]:
    """Lines that compare `.attribute`, or a variable called so, with one of the strings."""
    lines = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            strings = {part.value for side in sides for part in ast.walk(side) if isinstance(part, ast.Constant)}
            if any(_is_called(side, attribute) for side in sides) and strings & values:
                lines.add(node.lineno)
        elif isinstance(node, ast.Match) and _is_called(node.subject, attribute):
            lines.update(case.pattern.lineno for case in node.cases if isinstance(case.pattern, ast.MatchValue))
    return sorted(lines)


def _is_called(node: ast.AST, name: str) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == name) or (isinstance(node, ast.Name) and node.id == name)


def named(tree: ast.Module, name: str) -> int:
    """How often a variable of this name stands in the code."""
    return sum(
        (isinstance(node, ast.Name) and node.id == name) or (isinstance(node, ast.arg) and node.arg == name)
        for node in ast.walk(tree)
    )


def fields_of(trees: dict[str, ast.Module], name: str) -> list[str]:
    """The annotated fields in the body of a class."""
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name == name:
                return [
                    part.target.id
                    for part in node.body
                    if isinstance(part, ast.AnnAssign)
                    and isinstance(part.target, ast.Name)
                    and not (isinstance(part.annotation, ast.Subscript) and "ClassVar" in ast.unparse(part.annotation))
                ]
    return []


def imports(trees: dict[str, ast.Module], late: bool) -> dict[str, set[str]]:
    """Module -> the modules of ours that it imports when it is imported itself, or `late`, within functions, too."""
    names = {_dotted(path): path for path in trees}
    return {
        path: {names[name] for name in _imported(tree, late) if name in names} - {path} for path, tree in trees.items()
    }


def _dotted(path: str) -> str:
    return "leanformer." + path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def _imported(tree: ast.Module, late: bool) -> Iterator[str]:
    """Names that may be modules, not those for types only."""
    nodes: list[ast.stmt] = list(tree.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            nodes += [*node.body, *node.orelse]
        elif isinstance(node, ast.Try | ast.With) or (
            late and isinstance(node, ast.FunctionDef | ast.ClassDef | ast.For | ast.While)
        ):
            nodes += node.body


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import one another, each sorted."""
    reached = {start: _reachable(graph, start) for start in graph}
    groups = {
        tuple(sorted({start, *(end for end in ends if start in reached[end])})) for start, ends in reached.items()
    }
    return [list(group) for group in sorted(groups) if len(group) > 1]


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    found, waiting = set[str](), [start]
    while waiting:
        for end in graph[waiting.pop()] - found:
            found.add(end)
            waiting.append(end)
    return found


def composition(source: str) -> Counter[str]:
    """Lines of a module by what they are: code, docstring, comment or blank."""
    lines = source.splitlines()
    docstrings = set[int]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                docstrings.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    counted = Counter[str]()
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        kind = (
            "docstrings" if number in docstrings else "blank" if not bare else "comments" if bare[0] == "#" else "code"
        )
        counted[kind] += 1
    return counted


def span(start: str, end: str) -> dict[str, Any]:
    """What became of `src` between two commits: lines in new files, by room, and in those that there were."""
    new = set(_git("diff", "-M40%", "--diff-filter=A", "--name-only", start, end, "--", "src/*.py").split())
    rooms, others = Counter[str](), 0
    for line in _git("diff", "-M40%", "--numstat", "-z", start, end, "--", "src/*.py").split("\0"):
        # "added TAB removed TAB path", or an empty path and the two names of a renamed file in the next two parts.
        added, tab, rest = line.partition("\t")
        if not tab or not added.isdigit():
            continue
        removed, _, path = rest.partition("\t")
        if path in new:
            room, deeper, _ = path.removeprefix("src/leanformer/").partition("/")
            rooms[room if deeper else "the package itself"] += int(added)
        else:
            others += int(added) - int(removed)
    return {
        "from": start,
        "to": end,
        "commits": int(_git("rev-list", "--count", f"{start}..{end}")),
        "lines": sum(rooms.values()) + others,
        "new_files": len(new),
        "lines_in_new_files": sum(rooms.values()),
        "lines_in_new_files_by_room": dict(rooms.most_common()),
        "lines_in_other_files": others,
    }


def techniques(end: str) -> dict[str, int]:
    """Lines of each small technique's own files, as they were when they were added; 0 if they came after `end`."""
    sizes = dict[str, int]()
    for name, files in SMALL_TECHNIQUES.items():
        sizes[name] = 0
        for file in files:
            path = f"src/leanformer/{file}"
            added = _git("log", "--diff-filter=A", "--format=%H", "-1", end, "--", path).strip()
            sizes[name] += len(_git("show", f"{added}:{path}").splitlines()) if added else 0
    return sizes


def growth(before: str, between: str, after: str) -> dict[str, Any]:
    """The lines of `src` by cause."""
    written = dict[str, dict[str, int]]()
    for name, commit in (("before", before), ("between", between), ("after", after)):
        with tempfile.TemporaryDirectory() as scratch:
            modules_of(commit, Path(scratch))
            files = sorted((Path(scratch) / "src" / "leanformer").rglob("*.py"))
            written[name] = dict(sum((composition(path.read_text(encoding="utf-8")) for path in files), Counter()))
    return {
        "protocols_and_moves": span(before, between) | {"small_techniques": techniques(between)},
        "further_capabilities": span(between, after),
        "small_techniques": techniques(after),
        "lines_by_what_they_are": written,
    }


def demo_times(stored: Path) -> dict[str, Any]:
    """Seconds of the demo and whether its student won, from what `benchmarks.resilience.demo` has stored."""
    demo = json.loads(stored.read_text(encoding="utf-8"))
    kept = ("seed", "held_to", "seconds", "student_wins")
    return {
        "machine": f"{demo['machine']['cpu']}, {demo['machine']['cores']} cores",
        "runs": [{name: run[name] for name in kept} for run in demo["runs"]],
    }


def hashes_compared(before: Path, after: Path) -> dict[str, Any]:
    """How many content hashes and cache keys of the recipes' artifacts are equal, and which are not."""
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (before, after))
    told: dict[str, Any] = {
        "recipes": sorted({name.partition(":")[0] for name in old["hashes"] if ":" in name}),
    }
    for kind in ("hashes", "cache_keys"):
        names = sorted({*old[kind], *new[kind]})
        told[kind] = len(names)
        told[f"{kind}_that_differ"] = [name for name in names if old[kind].get(name) != new[kind].get(name)]
    return told


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def counts(commit: str) -> dict[str, Any]:
    """All figures of one commit."""
    with tempfile.TemporaryDirectory() as scratch:
        trees = modules_of(commit, Path(scratch))
        sizes = {
            path: len((Path(scratch) / "src" / "leanformer" / path).read_text(encoding="utf-8").splitlines())
            for path in trees
        }
    forms = {path: lines for path, tree in trees.items() if not path.startswith("answers/")
             and (lines := compared(tree, "answer", FORMS))}  # fmt: skip
    formats = {path: lines for path, tree in trees.items() if path != "formats.py"
               and (lines := compared(tree, "format", FORMATS))}  # fmt: skip
    longest = max(sizes, key=lambda path: sizes[path])
    return {
        "commit": _git("rev-parse", commit).strip(),
        "lines_of_src": sum(sizes.values()),
        "modules": len(sizes),
        "longest_file": {"path": longest, "lines": sizes[longest]},
        "comparisons_with_a_form_of_answer_outside_answers": {
            "lines": sum(map(len, forms.values())), "files": len(forms), "where": forms,
        },
        "comparisons_with_a_format_outside_formats": {
            "lines": sum(map(len, formats.values())), "files": len(formats), "where": formats,
        },
        "options_of_distil": len(fields := fields_of(trees, "Distil")),
        "options_of_distil_that_are_not_its_own": [name for name in fields if name not in OWN | GROUPS],
        "variables_named_one": sum(named(tree, "one") for tree in trees.values()),
        "import_circles": circles(imports(trees, late=False)),
        "import_circles_with_those_within_functions": circles(imports(trees, late=True)),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", help="a commit")
    parser.add_argument("after", help="a commit")
    parser.add_argument("--between", default=BETWEEN, help="the last commit of the protocols and moves")
    parser.add_argument("--machine", help="on which the seconds were measured")
    parser.add_argument("--test-seconds", nargs=2, type=float, metavar=("BEFORE", "AFTER"), help="of `make test`")
    parser.add_argument("--demo-seconds", nargs=2, type=float, metavar=("BEFORE", "AFTER"), help="of `make demo`")
    parser.add_argument("--hashes", nargs=2, type=Path, metavar=("BEFORE", "AFTER"), help="of `recipe_hashes`")
    parser.add_argument("--output", type=Path, default=RESULTS / "house.json")
    arguments = parser.parse_args()
    if (arguments.test_seconds or arguments.demo_seconds) and not arguments.machine:
        parser.error("seconds belong to a --machine")
    result: dict[str, Any] = {
        "before": counts(arguments.before),
        "after": counts(arguments.after),
        "growth": growth(arguments.before, arguments.between, arguments.after),
        "seconds": {
            "machine": arguments.machine,
            "make test": dict(zip(("before", "after"), arguments.test_seconds or (None, None), strict=True)),
            "make demo": dict(zip(("before", "after"), arguments.demo_seconds or (None, None), strict=True)),
        },
    }
    stored = json.loads(arguments.output.read_text(encoding="utf-8")) if arguments.output.is_file() else {}
    if not arguments.machine and stored:
        result["seconds"] = stored["seconds"]
    if arguments.hashes or "hashes" in stored:
        result["hashes"] = hashes_compared(*arguments.hashes) if arguments.hashes else stored["hashes"]
    result["demo"] = demo_times(RESULTS / "demo.json")
    write_json(arguments.output, result | provenance())
    for name in ("protocols_and_moves", "further_capabilities"):
        part = result["growth"][name]
        print(f"{name.replace('_', ' ')}: {part['commits']} commits, {part['lines']:+} lines of src, "
              f"{part['lines_in_new_files']:+} in {part['new_files']} new files")  # fmt: skip
    for name, value in result["after"].items():
        shown = [{key: part for key, part in each.items() if key != "where"} if isinstance(each, dict) else each
                 for each in (result["before"][name], value)]  # fmt: skip
        print(f"{name.replace('_', ' ')}: {shown[0]} -> {shown[1]}")


if __name__ == "__main__":
    main()
