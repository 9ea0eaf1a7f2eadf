"""`leanformer quickstart` as it is typed, and that what it prints can be typed next."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.making.commands import Command, make_command
from tests.recipe.test_quickstart import write_csv


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return make_command(monkeypatch, capsys)


def test_it_says_what_it_made_and_what_comes_next(tmp_path: Path, command: Command):
    file, output = write_csv(tmp_path / "data.csv"), tmp_path / "small one"
    status, out, err = command("quickstart", file, "--output", output, "--threads", 1)
    assert status == 0, err
    assert "a linear model on n-grams, int8, " in out and " kB\n" in out
    assert "accuracy on 18 held-out rows: 100.0 % (no interval: all rows fare alike)" in out
    assert "texts per second here, with " in out and "the most frequent label alone: " in out
    assert f"  leanformer predict '{output}' \"a text\"" in out
    assert f"leanformer bench '{output}-teacher' '{output}' --data '{output}.data'" in out
    status, out, err = command("predict", output, "rain and snow")
    assert status == 0 and '"weather"' in out, err
    status, out, err = command("inspect", output)
    assert status == 0 and "format      ngrams, int8" in out and "whole texts are read" in out and "engine " in out, err
    status, out, err = command("bench", output, "--data", f"{output}.data", "--rounds", 1, "--no-memory")
    assert status == 0 and "small one" in out, err


def test_what_comes_next_reads_the_data_as_it_was_read(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
):
    """The same files, also where the current folder has another one with the name of the data folder."""
    folder = tmp_path / "there" / "data"
    for name in ("train", "held out"):
        write_csv(folder / f"{name}.csv")
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    status, out, err = command(
        "quickstart", folder, "--split", "test=held out", "--kind", "classification", "--threads", 1
    )  # fmt: skip
    assert status == 0, err
    again = f"{folder} --split 'test=held out'"
    assert f"leanformer train {again} --kind classification --encoder" in out
    assert f"leanformer bench tiny-teacher tiny --data {again}\n" in out
    assert f"leanformer compress tiny-teacher --data {again} --kind classification --recipe tiny" in out
    status, _, err = command(
        "bench", "tiny", "--data", folder, "--split", "test=held out", "--rounds", 1, "--no-memory"
    )
    assert status == 0, err


@pytest.mark.slow
def test_it_needs_no_torch(tmp_path: Path):
    file = write_csv(tmp_path / "data.csv")
    code = (
        "import sys\n"
        "from leanformer.cli.main import main\n"
        f"sys.argv = ['leanformer', 'quickstart', {str(file)!r}, '--output', {str(tmp_path / 'tiny')!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print([name for name in ('torch', 'transformers', 'onnx') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0 and "held-out rows" in run.stdout, run.stderr
    assert run.stdout.endswith("[]\n")


def test_without_scikit_learn_the_extra_is_named(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    status, _, err = command("quickstart", write_csv(tmp_path / "data.csv"), "--output", tmp_path / "tiny")
    assert status == 1 and "pip install 'leanformer[tiny]'" in err
