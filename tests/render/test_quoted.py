"""Labels, titles and texts of the user's are shown as they are in cards and reports."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from leanformer.render.card import model_card
from leanformer.render.markdown import report_markdown, table_markdown
from leanformer.render.quoted import code, plain
from tests.making.reports import make_report, make_rung
from tests.making.tiny import tiny_artifact

NASTY = (
    "a|b", "`tick`", "``two`` `", "two\nlines", "<script>alert(1)</script>", "[x](https://evil.example)", "# heading",
    "![x](y)", "> quoted", "- item", "a\u2028b\r\x00c", "\\", "**bold**",
)  # fmt: skip


def as_shown(span: str) -> str:
    """What is between the backticks of a span of code, as CommonMark reads it."""
    fence = re.match("`+", span)
    assert fence is not None and span.endswith(fence[0])
    inner = span[len(fence[0]) : -len(fence[0])]
    assert fence[0] not in re.findall("`+", inner)
    return inner[1:-1] if inner.startswith(" ") and inner.endswith(" ") and inner.strip() else inner


@pytest.mark.parametrize("text", NASTY)
def test_code_is_the_text(text: str):
    assert as_shown(code(text)) == "".join(character if character.isprintable() else " " for character in text)


@pytest.mark.parametrize("text", NASTY)
def test_plain_text_means_nothing(text: str):
    line = plain(text)
    assert "\n" not in line and "<" not in line
    assert not re.search(r"(?<!\\)([`|]|\]\()", line) and not re.match(r"[#>+-]", line)
    assert line.replace("\\", "").replace("&lt;", "<").split() == text.replace("\\", "").replace("\0", " ").split()


def test_usual_text_stays_as_it_is():
    for text in ("accuracy 93.10 % (92.0 to 94.1)", "int8, 2 threads", "x_y & z > 3", "1.2x; a - b"):
        assert plain(text) == text


@pytest.mark.parametrize("text", NASTY)
def test_labels_and_titles_in_card_and_report(text: str, tmp_path: Path):
    artifact = tiny_artifact(tmp_path / "a", labels=(text, "music", "sport"))
    choice = {"rung": "first", "goal": "size", "max_drop": 1.0, "status": "chosen", "reason": f"because of {text}"}
    report = replace(make_report(make_rung()), title=text, notes=(f"the labels: {text}", text), choice=choice)
    card, body = model_card(artifact, report), report_markdown(report)
    assert f"- Labels: {code(text)}, `music`, `sport`." in card
    for written in (card, body):
        assert written.startswith(f"# {plain(text)}\n")
        assert "<script>" not in written.replace(code(text), "")
        assert "[x](" not in written.replace(code(text), "")
        assert len(re.findall("^# ", written, re.M)) == 1


@pytest.mark.parametrize("text", NASTY)
def test_a_table_keeps_its_columns(text: str):
    *_, line = table_markdown(("a", "b"), [(text, "x")]).splitlines()
    assert len(re.findall(r"(?<!\\)\|", line)) == 3
