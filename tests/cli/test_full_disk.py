"""A full disk in the words of whoever met it: always a message with what to do."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from leanformer.cli.full_disk import full_disk
from leanformer.files import naming, new_file, new_folder
from tests.making.commands import Command, is_friendly


def caused(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


FULL = [
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/x.work/done.json"),
    OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), b"/data/x.work/done.json"),
    OSError(errno.EFBIG, os.strerror(errno.EFBIG)),
    Exception("No space left on device (os error 28)"),  # tokenizers
    RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos; No space left on device"),
    caused(RuntimeError("could not be written"), OSError(errno.ENOSPC, "No space left on device", "/data/x.work/a")),
]


@pytest.mark.parametrize("error", FULL, ids=str)
def test_it_is_known_for_what_it_is(error: Exception, command: Command, monkeypatch: pytest.MonkeyPatch):
    def fail(name: str) -> None:
        raise error

    monkeypatch.setattr("leanformer.catalog.card", fail)
    status, out, err = command("techniques")
    is_friendly(status, out, err)
    assert "\n  remedy: " in err and "run the same command again\n" in err
    assert ("/data/x.work/" in err) == bool("x.work" in str(error) or error.__cause__)
    assert "; it goes on from what is there" in str(full_disk(error, goes_on=True))


@pytest.mark.parametrize("error", [ValueError("x"), OSError("x"), PermissionError(errno.EACCES, "denied", "x")])
def test_other_errors_are_no_full_disk(error: Exception):
    assert full_disk(error, goes_on=True) is None


def test_the_file_that_was_meant_is_named(tmp_path: Path):
    """Not the hidden one that was being written, and not none."""
    for name, inner in (("report.json", ""), ("a folder", "/model.onnx")):
        with pytest.raises(OSError) as caught, (new_folder if inner else new_file)(tmp_path / name) as temporary:
            raise OSError(errno.ENOSPC, "No space left on device", f"{temporary}{inner}")
        assert str(full_disk(caught.value, goes_on=False)).startswith(f"{tmp_path / name}{inner}: ")
        with pytest.raises(OSError) as caught, (new_folder if inner else new_file)(tmp_path / name):
            raise OSError(errno.ENOSPC, "No space left on device")
        assert str(full_disk(caught.value, goes_on=False)).startswith(f"{tmp_path / name}: ")
    with pytest.raises(OSError, match="other"), naming(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device", "other")


_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from leanformer.cli.main import main
main()
"""


@pytest.mark.skipif(os.name != "posix", reason="limits on files")
@pytest.mark.slow
def test_training_without_room_and_then_with(tiny_onnx_artifact: Path, folder: Path, tmp_path: Path):
    arguments = [str(argument) for argument in (
        "train", folder, "--encoder", tiny_onnx_artifact.parent / "encoder", "--output", tmp_path / "model", "--epochs",
        1, "--device", "cpu", "--threads", 1,
    )]  # fmt: skip
    done = subprocess.run([sys.executable, "-c", _LIMITED, *arguments], capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert f"error: {tmp_path / 'model.work' / 'checkpoint' / 'model.safetensors'}: File too large\n" in done.stderr
    assert "Traceback" not in done.stderr
    done = subprocess.run([sys.executable, "-m", "leanformer", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "model" / "leanformer.json").read_text())["format"] == "encoder"
