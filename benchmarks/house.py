"""What the house is like at two commits, counted: benchmarks/results/house.json.

    python -m benchmarks.house 2336e21 HEAD
    python -m benchmarks.house 2336e21 HEAD --machine "2 cores of ..." --test-seconds 650 340 --demo-seconds 450 150

Everything is counted over the syntax trees of `src` as git has it, so that comments and strings do not count. Seconds
are what somebody measured: before and after, in this order. Nothing is measured here.
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.paths import RESULTS, ROOT
from benchmarks.provenance import provenance
from leanformer.files import write_json

FORMS = {"label", "labels", "score", "tags", "vector", "choice", "span"}
FORMATS = {"encoder", "bilstm", "onnx", "transformers", "cascade"}
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
    hashed = subprocess.run(["git", "rev-parse", commit], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {
        "commit": hashed.strip(),
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
    parser.add_argument("--machine", help="on which the seconds were measured")
    parser.add_argument("--test-seconds", nargs=2, type=float, metavar=("BEFORE", "AFTER"), help="of `make test`")
    parser.add_argument("--demo-seconds", nargs=2, type=float, metavar=("BEFORE", "AFTER"), help="of `make demo`")
    parser.add_argument("--output", type=Path, default=RESULTS / "house.json")
    arguments = parser.parse_args()
    if (arguments.test_seconds or arguments.demo_seconds) and not arguments.machine:
        parser.error("seconds belong to a --machine")
    result: dict[str, Any] = {"before": counts(arguments.before), "after": counts(arguments.after)}
    result["seconds"] = {
        "machine": arguments.machine,
        "make test": dict(zip(("before", "after"), arguments.test_seconds or (None, None), strict=True)),
        "make demo": dict(zip(("before", "after"), arguments.demo_seconds or (None, None), strict=True)),
    }
    write_json(arguments.output, result | provenance())
    for name, value in result["after"].items():
        shown = [{key: part for key, part in each.items() if key != "where"} if isinstance(each, dict) else each
                 for each in (result["before"][name], value)]  # fmt: skip
        print(f"{name.replace('_', ' ')}: {shown[0]} -> {shown[1]}")


if __name__ == "__main__":
    main()
