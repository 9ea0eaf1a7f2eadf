"""The generated pages, and the check that finds them out of date; on a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.catalog import TECHNIQUES, card
from leanformer.render.method_pages import main, page

README = "# Title\n\nBefore.\n\n<!-- techniques: begin -->\nold\n<!-- techniques: end -->\n\nAfter.\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_pages_are_written_and_then_up_to_date(root: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["--check"]) == 1
    assert capsys.readouterr().out.count("out of date: ") == len(TECHNIQUES) + 1
    assert [path.name for path in root.iterdir()] == ["README.md"], "a check writes nothing"
    assert main([]) == 0
    assert main(["--check"]) == 0
    capsys.readouterr()
    assert main([]) == 0
    assert capsys.readouterr().out == ""
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("# Title\n\nBefore.\n\n<!-- techniques: begin -->\n| technique |")
    assert readme.endswith("<!-- techniques: end -->\n\nAfter.\n") and "\nold\n" not in readme
    for name in TECHNIQUES:
        assert f"[`{name}`](docs/methods/{name}.md)" in readme
        assert (root / "docs" / "methods" / f"{name}.md").is_file()


@pytest.mark.parametrize("drifted", ["README.md", "docs/methods/export.int8.md"])
def test_drift_is_found(drifted: str, root: Path, capsys: pytest.CaptureFixture[str]):
    main([])
    path = root / drifted
    path.write_text(path.read_text(encoding="utf-8").replace("int8", "int9"), encoding="utf-8")
    capsys.readouterr()
    assert main(["--check"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"out of date: {drifted}; run python -m leanformer.render.method_pages"
    ]


def test_a_missing_page_is_found(root: Path):
    main([])
    (root / "docs" / "methods" / "export.onnx.md").unlink()
    assert main(["--check"]) == 1


def test_a_page_of_a_technique_that_is_gone_is_found(root: Path, capsys: pytest.CaptureFixture[str]):
    main([])
    (root / "docs" / "methods" / "compress.forgotten.md").write_text("# gone\n")
    capsys.readouterr()
    assert main(["--check"]) == 1
    assert "compress.forgotten.md" in capsys.readouterr().out
    assert main([]) == 0
    assert main(["--check"]) == 0


@pytest.mark.parametrize("name", sorted(TECHNIQUES))
def test_a_page_has_the_whole_card(name: str):
    text, one = page(card(name)), card(name)
    assert text.startswith(f"# {name}: {one.title}\n")
    for field in ("What", "Paper", "Helps", "Hurts", "Needs"):
        assert f"**{field}.** {one.fields[field]}" in text
    assert f"```yaml\n- {one.fields['Example']}\n```" in text
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == len(one.options)
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)
