"""No circle of imports among modules, inside rooms either; import-linter sees the rooms from outside.

Late imports count: a circle that is closed inside a function is still two files of which neither can be read first.
Blocks under `if TYPE_CHECKING:` do not run, and are left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"


def modules(source: Path) -> dict[str, Path]:
    """Dotted name -> file, of every module of the package; a package's own name stands for its `__init__.py`."""
    return {
        ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(source.rglob("*.py"))
    }


def imported(tree: ast.AST) -> Iterator[str]:
    """Every dotted name that the module may import when it runs: "a.b" of `from a import b`, and "a" as well."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for part in node.orelse:
                yield from imported(ast.Module([part], []))
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        else:
            yield from imported(node)


def graph(source: Path) -> dict[str, set[str]]:
    """Module -> the modules of the package that it imports itself."""
    files = modules(source)
    edges: dict[str, set[str]] = {}
    for name, path in files.items():
        wanted = imported(ast.parse(path.read_text(encoding="utf-8")))
        # `from package import name` is the module package.name where there is one, and else the package itself.
        reached = {full if full in files else full.rpartition(".")[0] for full in wanted}
        edges[name] = (reached & set(files)) - {name}
    return edges


def cycles(edges: Mapping[str, set[str]]) -> list[tuple[str, ...]]:
    """The strongly connected components of more than one module (Tarjan 1972), each sorted."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    components: list[tuple[str, ...]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        stack.append(name)
        for other in sorted(edges[name]):
            if other not in order:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], order[other])
        if lowest[name] == order[name]:
            start = stack.index(name)
            component = stack[start:]
            del stack[start:]
            if len(component) > 1:
                components.append(tuple(sorted(component)))

    for name in sorted(edges):
        if name not in order:
            visit(name)
    return components


def test_no_circle_of_imports():
    edges = graph(SOURCE)
    assert len(edges) > 200, "the modules were not found"
    assert cycles(edges) == []


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in {"pkg/__init__.py": "", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_circles_are_seen_however_they_are_closed(tmp_path: Path):
    late = {
        "pkg/a.py": "from pkg import b\n",
        "pkg/b.py": "def f():\n    import pkg.c\n",
        "pkg/c.py": "from pkg.a import x\n",
    }
    assert cycles(graph(write(tmp_path / "late", late))) == [("pkg.a", "pkg.b", "pkg.c")]
    typed = {"pkg/a.py": "from pkg import b\n", "pkg/b.py": "if TYPE_CHECKING:\n    from pkg.a import x\n"}
    assert cycles(graph(write(tmp_path / "typed", typed))) == []
    package = {"pkg/__init__.py": "def f():\n    from pkg.a import x\n", "pkg/a.py": "from pkg import VERSION\n"}
    assert cycles(graph(write(tmp_path / "package", package))) == [("pkg", "pkg.a")]


def test_two_circles_are_told_apart():
    edges: dict[str, Sequence[str]] = {"a": "b", "b": "ac", "c": "d", "d": "e", "e": "c", "f": "a"}
    assert cycles({name: set(others) for name, others in edges.items()}) == [("c", "d", "e"), ("a", "b")]
