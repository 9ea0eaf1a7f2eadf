"""The page docs/api.md, generated from the signatures and docstrings of the public names.

`python -m leanformer.render.api_page` writes it; with `--check` it only reports whether the page is up to date.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from leanformer.files import write_text

_INTRODUCTION = """# Python API

Generated from the docstrings by `python -m leanformer.render.api_page`. Everything on this page is imported from
`leanformer` itself, on first use: `import leanformer` takes milliseconds. `train`, `compress` and `fine_tune` need the
extra `train`, and do what the commands of the same name do.
"""
_SECTION = re.compile(r"(Args|Attributes):")
_ENTRY = re.compile(r"([a-z_*]+(?:, [a-z_*]+)*): (.*)")
_LINE = 100


def page() -> str:
    """The whole page: functions first, then classes."""
    package = import_module("leanformer")  # by name: the page covers all packages, also those that may import this one
    values = {name: getattr(package, name) for name in package.__all__}
    classes = {name for name, value in values.items() if isinstance(value, type)}
    functions = [_function(name, values[name]) for name in values if name not in classes]
    types = [_class(name, values[name]) for name in values if name in classes]
    return "\n".join([_INTRODUCTION, "## Functions\n", *functions, "## Classes\n", *types]).rstrip("\n") + "\n"


def _function(name: str, value: Any) -> str:
    # `train` and `compress` are callable packages; their functions carry the docstring.
    function = value if inspect.isfunction(value) else value.function
    return f"### `{name}`\n\n```py\n{signature(f'leanformer.{name}', function)}\n```\n\n{_markdown(function)}\n"


def _class(name: str, value: type) -> str:
    lines = [f"- `{call}`: {text}" for call, text in _members(value)]
    return f"### `{name}`\n\n{_markdown(value)}\n" + ("\n" + "\n".join(lines) + "\n" if lines else "")


def signature(name: str, function: Callable[..., Any]) -> str:
    """The call with annotations as written, one argument per line if it would be too long."""
    parts, keyword_only = [], False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            parts.append("*")
        annotation = "" if parameter.annotation is parameter.empty else f": {parameter.annotation}"
        parts.append(f"{parameter.name}{annotation}{_default(parameter)}")
    returns = inspect.signature(function).return_annotation
    end = ")" if returns is inspect.Signature.empty else f") -> {returns}"
    short = f"{name}({', '.join(parts)}{end}"
    return short if len(short) <= _LINE else f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + end


def _default(parameter: inspect.Parameter) -> str:
    value = parameter.default
    if value is parameter.empty:
        return ""
    plain = value is None or isinstance(value, bool | int | float | str | tuple)
    shown = repr(value) if plain else getattr(value, "__name__", f"{type(value).__name__}()")
    return f" = {shown}" if parameter.annotation is not parameter.empty else f"={shown}"


def _members(value: type) -> Iterator[tuple[str, str]]:
    """The documented public methods and properties defined in the class itself, with their first paragraphs."""
    for name, member in vars(value).items():
        documented: Any = member
        if name.startswith("_"):
            continue
        if isinstance(member, property | cached_property):
            call = name
        elif isinstance(member, classmethod | staticmethod):
            documented = member.__func__
            call = signature(f"{value.__name__}.{name}", documented)
        elif inspect.isfunction(member):
            call = signature(name, member)
        else:
            continue
        if text := inspect.getdoc(documented):
            yield call, " ".join(text.split("\n\n")[0].split())


def _markdown(value: Any) -> str:
    """A docstring as Markdown, with its `Args:` or `Attributes:` as a list."""
    lines: list[str] = []
    for block in (inspect.getdoc(value) or "").split("\n\n"):
        head, *rest = block.split("\n")
        lines += ["", *_entries(rest)] if _SECTION.fullmatch(head) else ["", block]
    return "\n".join(lines[1:])


def _entries(lines: list[str]) -> list[str]:
    entries: list[str] = []
    for line in lines:
        match = _ENTRY.fullmatch(line[4:]) if not line.startswith("     ") else None
        if match:
            names = ", ".join(f"`{name}`" for name in match[1].split(", "))
            entries.append(f"- {names}: {match[2]}")
        else:
            entries.append(f"  {line.strip()}")
    return entries


def main(arguments: list[str]) -> int:
    path, text = Path.cwd() / "docs" / "api.md", page()
    fresh = path.is_file() and path.read_text(encoding="utf-8") == text
    if "--check" in arguments:
        if not fresh:
            print("out of date: docs/api.md; run python -m leanformer.render.api_page")
        return 0 if fresh else 1
    if not fresh:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
        print("written: docs/api.md")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
