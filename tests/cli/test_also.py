"""`leanformer bench --also module:Class`: a predictor of the user's own beside ours, or a clear error."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.making.commands import Command, is_friendly

MINE = """
from pathlib import Path

import numpy as np

from leanformer import load
from leanformer.artifact import open_artifact


class Mine:
    '''Ours in batches of 8, whose rows are whole batches, and with the first label made more likely.'''

    def __init__(self, folder, *, threads):
        assert Path(folder).is_dir() and threads == 1
        self.model, self.task = load(folder, threads=threads), open_artifact(folder).task

    def tokenize(self, texts):
        rows = self.model.tokenize(texts)
        return [rows[i : i + 8] for i in range(0, len(rows), 8)]

    def infer(self, rows):
        values = np.concatenate([self.model.infer(batch) for batch in rows])
        values[:, 0] += 100
        return values


class NoThreads(Mine):
    def __init__(self, folder):
        pass


class NoInfer:
    task = None

    def __init__(self, folder, threads):
        pass

    def tokenize(self, texts):
        return texts


class OtherTask(Mine):
    def __init__(self, folder, threads):
        super().__init__(folder, threads=threads)
        self.task = type(self.task)("classification", self.task.labels[::-1])


class FewLogits(Mine):
    def infer(self, rows):
        return super().infer(rows)[:, :2]


class NoArray(Mine):
    def infer(self, rows):
        return super().infer(rows).tolist()


class Breaks(Mine):
    def infer(self, rows):
        raise KeyError("logits")
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, with modules of predictors in it; Python forgets them afterwards."""
    before = list(sys.path)
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "mine.py").write_text(MINE)
    (folder / "half_done.py").write_text("import no_such_library\n")
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "broken.py").write_text("1 / 0\n")
    monkeypatch.chdir(folder)
    yield folder
    sys.path[:] = before
    for name in ("mine", "half_done", "package", "package.broken"):
        sys.modules.pop(name, None)


def test_it_stands_beside_ours(command: Command, here: Path, tiny_onnx_artifact: Path, folder: Path) -> None:
    status, out, err = command(
        "bench", tiny_onnx_artifact, "--also", "mine:Mine", "--data", folder, "--rounds", 1, "--threads", 1, "--json"
    )  # fmt: skip
    assert status == 0, err
    ours, mine = json.loads(out)["rungs"]
    assert mine["name"] == mine["runtime"] == "mine:Mine" and mine["after"] == ours["name"] == "onnx"
    assert mine["throughput_per_second"] > 0 and mine["latency_n"] == ours["latency_n"]
    assert mine["n"] == ours["n"] and mine["quality"] == pytest.approx(1 / 3, abs=0.02), "always the first label"
    assert mine["peak_memory_bytes"] > 10**7 and ours["peak_memory_bytes"] > 10**7
    # How it batches is not known.
    assert mine["padding_waste"] is None and mine["flops_per_text"] is None and ours["flops_per_text"] > 0
    assert not mine["chooseable"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mine", "names no class"),
        ("mine:", "names no class"),
        (":Mine", "names no class"),
        ("../mine:Mine", "names no class"),
        ("mine.py:Mine", "there is no module 'mine.py'"),
        ("no_such_module:Mine", "there is no module 'no_such_module' on the Python path"),
        ("package.missing:Mine", "there is no module 'package.missing'"),
        ("half_done:Mine", "import half_done raised ModuleNotFoundError: No module named 'no_such_library'"),
        ("package.broken:Mine", "import package.broken raised ZeroDivisionError"),
        ("mine:Yours", "mine has no class Yours\n  remedy: one of its own classes: Mine, NoThreads"),
        ("mine:NoThreads", "NoThreads(folder, threads=1) raised TypeError"),
        ("mine:NoInfer", "it has no infer"),
        ("mine:OtherTask", "its task is not the artifact's"),
        ("mine:FewLogits", "infer gave float32 [3, 2] for 3 texts, and not logits [3, 3]"),
        ("mine:NoArray", "infer gave list for 3 texts"),
        ("mine:Breaks", "infer(tokenize(texts)) raised KeyError: 'logits'"),
    ],
)
def test_what_cannot_stand_beside_ours(
    name: str, said: str, command: Command, here: Path, tiny_onnx_artifact: Path, folder: Path
) -> None:
    status, out, err = command("bench", tiny_onnx_artifact, "--also", name, "--data", folder, "--threads", "1")
    is_friendly(status, out, err)
    assert said in err


def test_code_of_an_artifact_is_never_run(
    command: Command, here: Path, tiny_onnx_artifact: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lean = here / "lean"
    shutil.copytree(tiny_onnx_artifact, lean)
    (lean / "sneaky.py").write_text("import pathlib; pathlib.Path('ran').touch()\n")
    (lean / "deep").mkdir()
    (lean / "deep" / "__init__.py").write_text("import pathlib; pathlib.Path('ran').touch()\n")
    monkeypatch.chdir(lean)
    for name in ("sneaky:Mine", "deep:Mine", "deep.er:Mine"):
        status, out, err = command("bench", tiny_onnx_artifact, "--also", name, "--data", folder, "--threads", "1")
        is_friendly(status, out, err)
        assert "code of an artifact is never run" in err
    assert not (lean / "ran").exists()


def test_the_current_folder_comes_last(here: Path, tiny_onnx_artifact: Path, command: Command, folder: Path) -> None:
    """A file here must not take the place of a library that is imported later."""
    (here / "colorsys.py").write_text("raise SystemExit('the wrong one')\n")
    sys.modules.pop("colorsys", None)
    _, _, err = command("bench", tiny_onnx_artifact, "--also", "colorsys:Mine", "--data", folder, "--threads", "1")
    assert "colorsys has no class Mine" in err
