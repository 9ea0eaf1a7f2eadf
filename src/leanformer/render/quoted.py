"""Names and texts of the user's in Markdown: shown as they are, whatever Markdown or HTML would make of them."""

from __future__ import annotations

import re

# A link or image, code, HTML, a table's border.
_MEANT = re.compile(r"\](?=\()|[`<|]")


def plain(text: str) -> str:
    """A text on one line that is nothing but text: no heading, quotation or list either."""
    return re.sub("^(?=[#>+-])", r"\\", cell(text))


def cell(text: str) -> str:
    """`plain` for the cell of a table, where a line begins with nothing."""
    return _MEANT.sub(lambda found: "&lt;" if found[0] == "<" else f"\\{found[0]}", one_line(text).strip())


def code(text: str) -> str:
    """A text as code: between more backticks than it has itself."""
    line = one_line(text)
    fence = "`" * (1 + max((len(match_) for match_ in re.findall("`+", line)), default=0))
    padding = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{padding}{line}{padding}{fence}"


def one_line(text: str) -> str:
    """A text without line breaks and other control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
