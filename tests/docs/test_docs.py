"""The code blocks of README and docs are run: Python as it stands, `leanformer` commands one by one.

A block after the comment `<!-- bench -->` trains or downloads; `make bench` runs it
(benchmarks/resilience/documented.py). One after `<!-- file: NAME -->` is run, and is also the file NAME for the
commands.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from leanformer.data.dataset import Dataset
from tests.making.taught import make_teacher
from tests.making.tiny import tiny_artifact, tiny_dataset

pytestmark = [pytest.mark.docs, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(
    r"(?P<bench><!-- bench -->\n)?(<!-- file: (?P<file>\S+) -->\n)?```(?P<kind>python|sh)\n(?P<code>.*?)```", re.S
)


def blocks(kind: str) -> list[tuple[str, str]]:
    """(page and position, code) of each block of a kind that is run here."""
    return [
        (f"{page.relative_to(ROOT)}:{match.start()}", match["code"])
        for page in PAGES
        for match in BLOCK.finditer(page.read_text(encoding="utf-8"))
        if match["kind"] == kind and not match["bench"]
    ]


def write_data(data: Dataset, folder: Path) -> None:
    import json

    folder.mkdir()
    for split in ("train", "dev", "test", "unlabelled"):
        examples = getattr(data, split)
        if examples is None:
            continue
        labels = examples.labels or [None] * len(examples)
        with open(folder / f"{split}.jsonl", "w", encoding="utf-8") as handle:
            for text, label in zip(examples.texts, labels, strict=True):
                row = {"text": text} | ({} if label is None else {"label": data.task.labels[label]})
                handle.write(json.dumps(row) + "\n")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages take for granted: data/, encoder/, teacher/, lean/ and other/."""
    folder = tmp_path_factory.mktemp("documented")
    write_data(tiny_dataset(), folder / "data")
    make_teacher(tmp_path_factory.mktemp("taught")).path.rename(folder / "teacher")
    tiny_artifact(folder / "encoder")
    command = "compress teacher --data data --recipe quick --max-drop 100 --rounds 1 --no-memory --output"
    for name in ("lean", "other"):
        run(f"leanformer {command} {name}", folder)
    for page in PAGES:
        for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
            if match["file"]:
                (folder / match["file"]).write_text(match["code"], encoding="utf-8")
    return folder


def run(command: str, folder: Path) -> str:
    """Run one `leanformer ...` line in `folder`; its output. Fails the test when the command fails."""
    words = shlex.split(command, comments=True)
    assert words[0] == "leanformer", command
    result = subprocess.run(
        [sys.executable, "-m", "leanformer.cli.main", *words[1:]],
        cwd=folder, capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"}, check=False,
    )  # fmt: skip
    # 3: nothing within the bound, which a teacher of random weights may well come to.
    assert result.returncode in (0, 3), f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.mark.parametrize(("where", "code"), blocks("python"))
def test_python_block_runs(where: str, code: str, workplace: Path) -> None:
    result = subprocess.run([sys.executable, "-c", code], cwd=workplace, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{where}\n{result.stderr}"


@pytest.mark.parametrize(("where", "code"), blocks("sh"))
def test_commands_run(where: str, code: str, workplace: Path) -> None:
    lines = [line for line in code.splitlines() if line.startswith("leanformer ")]
    for line in lines:
        run(line, workplace)


def links(page: Path) -> list[str]:
    """Targets of the links of a page to other files of the checkout."""
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    return [link for link in found if not link.startswith(("http", "#", "mailto:"))]


def test_links_lead_to_files_and_headings() -> None:
    for page in [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]:
        for link in links(page):
            name, _, heading = link.partition("#")
            target = page.parent / name
            assert target.exists(), f"{page.relative_to(ROOT)} links {link}"
            if heading:
                titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.M)
                slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
                assert heading in slugs, f"{page.relative_to(ROOT)} links {link}"


def test_the_index_names_every_page_and_guide() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").as_posix()
        if name != "README.md" and not name.startswith(("decisions/", "methods/")):
            assert f"]({name})" in index, name


def test_pages_have_blocks() -> None:
    """The pattern above still finds something to run."""
    assert blocks("python")
    assert any("leanformer compress" in code for _, code in blocks("sh"))


def test_marked_commands_exist() -> None:
    """What is left to `make bench` at least names a command and options that exist."""
    for page in PAGES:
        for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
            if not match["bench"]:
                continue
            for line in match["code"].splitlines():
                if not line.startswith("leanformer "):
                    continue
                words = shlex.split(line, comments=True)
                text = run(f"leanformer {words[1]} --help", ROOT)
                for option in (word for word in words if word.startswith("--")):
                    assert option in text, f"{page.name}: {words[1]} has no {option}"
