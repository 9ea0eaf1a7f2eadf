"""The method pages under docs/methods/ and README's table of techniques, generated from the cards.

`python -m leanformer.render.method_pages` writes them; with `--check` it only reports whether they are up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from leanformer.catalog import TECHNIQUES, Card, card
from leanformer.files import write_text

_BEGIN, _END = "<!-- techniques: begin -->", "<!-- techniques: end -->"


def page(technique: Card) -> str:
    """The page of one technique."""
    example = technique.fields["Example"]
    fields = "\n\n".join(f"**{name}.** {text}" for name, text in technique.fields.items() if name != "Example")
    groups = dict.fromkeys(option.group for option in sorted(technique.options, key=lambda option: option.group != ""))
    tables = "\n".join(_options(technique, group) for group in groups)
    return f"# {technique.name}: {technique.title}\n\n{fields}\n\n```yaml\n- {example}\n```\n\n{tables}"


def _options(technique: Card, group: str) -> str:
    """The table of a technique's own options (`group` is empty), or of those of a group."""
    rows = "\n".join(
        f"| `{option.name}` | `{option.type.replace('|', chr(92) + '|')}` | `{option.default}` | {option.meaning} |"
        for option in technique.options
        if option.group == group
    )
    said = "" if not group else f"Group `{group}` (also written `{group}: {{...}}`), shared with other techniques:\n\n"
    return f"{said}| option | type | default | meaning |\n|---|---|---|---|\n{rows}\n"


def table() -> str:
    """All techniques, one per line."""
    rows = "\n".join(
        f"| [`{name}`](docs/methods/{name}.md) | {card(name).title} | {card(name).fields['Helps']} |"
        for name in sorted(TECHNIQUES)
    )
    return f"| technique | what | when it helps |\n|---|---|---|\n{rows}"


def wanted(root: Path) -> dict[Path, str]:
    """Path -> expected content."""
    pages = {root / "docs" / "methods" / f"{name}.md": page(card(name)) for name in TECHNIQUES}
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return pages | {readme: f"{before}{_BEGIN}\n{table()}\n{_END}{after}"}


def main(arguments: list[str]) -> int:
    root = Path.cwd()
    pages = wanted(root)
    stale = [p for p, text in pages.items() if not p.is_file() or p.read_text(encoding="utf-8") != text]
    # Pages are named room.technique.md; those of a removed technique are left over.
    gone = [p for p in sorted((root / "docs" / "methods").glob("*.*.md")) if p not in pages]
    if "--check" in arguments:
        for path in [*stale, *gone]:
            print(f"out of date: {path.relative_to(root)}; run python -m leanformer.render.method_pages")
        return 1 if stale or gone else 0
    for path in stale:
        write_text(path, pages[path])
        print(f"written: {path.relative_to(root)}")
    for path in gone:
        path.unlink()
        print(f"removed: {path.relative_to(root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
