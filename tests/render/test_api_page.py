"""The generated page of the Python API, and the check that finds it out of date; in an empty folder."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import leanformer
from leanformer.render.api_page import main, page, signature


def test_the_page_is_written_and_then_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert main(["--check"]) == 1
    assert capsys.readouterr().out == "out of date: docs/api.md; run python -m leanformer.render.api_page\n"
    assert not (tmp_path / "docs").exists(), "a check writes nothing"
    assert main([]) == 0 and main(["--check"]) == 0
    written = tmp_path / "docs" / "api.md"
    assert written.read_text(encoding="utf-8") == page()
    written.write_text(page().replace("Fine-tune", "Tune"), encoding="utf-8")
    assert main(["--check"]) == 1


def test_every_public_name_has_its_section():
    headings = [line.removeprefix("### ").strip("`") for line in page().splitlines() if line.startswith("### ")]
    assert sorted(headings) == sorted(leanformer.__all__)
    assert headings.index("train") < headings.index("Artifact"), "functions come first"


def test_every_argument_of_the_two_main_functions_is_explained():
    sections = {section.split("`")[1]: section for section in page().split("### ")[1:]}
    for name in ("train", "compress", "load"):
        for argument in inspect.signature(getattr(leanformer, name)).parameters:
            assert f"\n- `{argument}`: " in sections[name], f"{name}: {argument}"


def test_blocks_of_the_page_are_not_run_as_examples():
    assert "```python" not in page()


def a_function(first: str, *, second: int = 3, third: tuple[int, ...] = ()) -> None: ...


def test_a_signature_is_as_written():
    assert signature("f", a_function) == "f(first: str, *, second: int = 3, third: tuple[int, ...] = ()) -> None"
    assert signature("f" * 60, a_function).splitlines()[1:] == [
        "    first: str,", "    *,", "    second: int = 3,", "    third: tuple[int, ...] = (),", ") -> None",
    ]  # fmt: skip
