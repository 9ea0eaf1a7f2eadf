"""Users' names and texts in Markdown: shown literally, whatever Markdown or HTML they contain."""

from __future__ import annotations

import re

# Links and images, code, HTML, table borders.
_MEANT = re.compile(r"\](?=\()|[`<|]")


def plain(text: str) -> str:
    """Text on one line, escaped so that it is nothing but text: no heading, quotation or list either."""
    return re.sub("^(?=[#>+-])", r"\\", cell(text))


def cell(text: str) -> str:
    """`plain` for a table cell, where line starts have no meaning."""
    return _MEANT.sub(lambda found: "&lt;" if found[0] == "<" else f"\\{found[0]}", one_line(text).strip())


def code(text: str) -> str:
    """Text as code: enclosed in more backticks than it contains."""
    line = one_line(text)
    fence = "`" * (1 + max((len(match_) for match_ in re.findall("`+", line)), default=0))
    padding = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{padding}{line}{padding}{fence}"


def one_line(text: str) -> str:
    """Text without line breaks and other control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
