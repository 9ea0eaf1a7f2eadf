"""What a module does, as text: no comment, no docstring, no layout, and whatever its loop variables are called.

Sources are compared by it (`provenance.py`), so that figures do not age when somebody writes better words. A variable
of a loop, a comprehension or a lambda is told by what binds it. All other names count: callers may use them.
"""

from __future__ import annotations

import ast
from itertools import count

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_LOOPS = (ast.For, ast.AsyncFor)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NOT_TOLD = {"ctx", "kind", "type_comment", "type_params"}  # they follow from the rest, or depend on Python's version


def canonical(text: str) -> str:
    """Python source -> what it does. Raises `SyntaxError`."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _documented(node):
            del node.body[0]
    _name_loop_variables(tree)
    return _told(tree)


def _documented(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and type(first.value.value) is str


def _name_loop_variables(tree: ast.Module) -> None:
    """Replace the names of loop variables, one outermost function after the other, and the rest of the module last."""
    outermost = [node for part in tree.body for node in ast.walk(part) if isinstance(node, _FUNCTIONS)]
    done = set[ast.AST]()
    for node in (*outermost, tree):
        if node not in done:
            free = set[str]()
            _find_free(node, frozenset(), free, done)
            _rename(node, {}, free, count(), done)
            done |= set(ast.walk(node))


def _bound(node: ast.AST) -> list[str]:
    """The variables that this node binds for what is below it alone."""
    if isinstance(node, ast.Lambda):
        arguments = node.args
        return [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    targets = [part.target for part in node.generators] if isinstance(node, _COMPREHENSIONS) else []
    targets += [node.target] if isinstance(node, _LOOPS) else []
    names = [name for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    return [name.id for name in names if isinstance(name.ctx, ast.Store)]


def _find_free(node: ast.AST, bound: frozenset[str], free: set[str], done: set[ast.AST]) -> None:
    """Names that stand outside all loops that bind them: a loop's variable that is read after it is one."""
    if node in done:
        return
    if isinstance(node, ast.Name) and node.id not in bound:
        free.add(node.id)
    bound |= set(_bound(node))
    for child in ast.iter_child_nodes(node):
        _find_free(child, bound, free, done)


def _rename(node: ast.AST, names: dict[str, str], free: set[str], numbers: count[int], done: set[ast.AST]) -> None:
    if node in done:
        return
    bound = [name for name in dict.fromkeys(_bound(node)) if name not in free or not isinstance(node, _LOOPS)]
    names = names | {name: f"%{next(numbers)}" for name in bound}
    if isinstance(node, ast.Name):
        node.id = names.get(node.id, node.id)
    for child in ast.iter_child_nodes(node):
        if isinstance(node, ast.Lambda) and child is node.args:
            for argument in ast.walk(child):
                if isinstance(argument, ast.arg):
                    argument.arg = names.get(argument.arg, argument.arg)
        _rename(child, names, free, numbers, done)


def _told(node: object) -> str:
    """Like `ast.dump`, but the same in every version of Python."""
    if isinstance(node, list):
        return f"[{' '.join(map(_told, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [
        f"{name}={_told(value)}" for name, value in ast.iter_fields(node)
        if name not in _NOT_TOLD and value is not None and value != []
    ]  # fmt: skip
    return f"{type(node).__name__}({' '.join(fields)})"
