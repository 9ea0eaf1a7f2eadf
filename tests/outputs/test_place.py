"""Places that cannot be written to are known before the work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from leanformer.errors import LeanformerError
from leanformer.outputs.place import check_apart, file_place, folder_place

# Run where mounting is allowed: the first argument is mounted on itself or below, the others are the command.
MOUNTED = 'mount --bind "$1" "$1" && shift && exec "$@"'


def mounted(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """`leanformer ...` with a mount point at `folder`, in a world of its own; skips where that is not to be had."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    inside = ["unshare", "-rm", "sh", "-c", MOUNTED, "sh"]
    if subprocess.run([*inside, str(folder), "true"], capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    command = [sys.executable, "-m", "leanformer", *map(str, arguments)]
    return subprocess.run([*inside, str(folder), *command], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("disk", "is a mount point", marks=pytest.mark.slow),
        pytest.param("a disk", "is a mount point", marks=pytest.mark.slow),
        ("disk/below", "something is mounted in it"),
    ],
)
def test_a_mount_point_is_said_before_the_work(name: str, said: str, tmp_path: Path):
    (tmp_path / name).mkdir(parents=True)
    output = tmp_path / Path(name).parts[0]
    done = mounted(tmp_path / name, "compress", "model", "--data", "data", "--output", output)
    assert done.returncode == 1 and done.stderr.startswith("error: "), done.stderr
    assert said in done.stderr and "remedy: " in done.stderr
    assert not list((tmp_path / name).iterdir())


@pytest.mark.slow
def test_the_remedy_of_a_mount_point(tiny_onnx_artifact: Path, tmp_path: Path):
    (tmp_path / "disk").mkdir()
    arguments = ("export", tiny_onnx_artifact.parent / "encoder", "--to", "transformers", "--output")
    remedy = mounted(tmp_path / "disk", *arguments, tmp_path / "disk").stderr.split("--output ")[1].strip()
    assert Path(remedy).parent == tmp_path / "disk"
    done = mounted(tmp_path / "disk", *arguments, remedy)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "disk" / "lean" / "config.json").is_file()


def test_what_is_mounted_below_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """As the kernel writes it, a space in a name as a number."""
    line = f"29 1 8:1 / {tmp_path}/a\\040place/photos rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    (tmp_path / "mounts").write_text(line)
    monkeypatch.setattr("leanformer.outputs.place._MOUNTS", tmp_path / "mounts")
    with pytest.raises(LeanformerError, match="something is mounted in it"):
        folder_place(tmp_path / "a place")
    with pytest.raises(LeanformerError, match="is a mount point"):
        folder_place(tmp_path / "a place" / "photos")
    assert folder_place(tmp_path / "a place" / "photos" / "lean") and folder_place(tmp_path / "a pla")
    with pytest.raises(LeanformerError, match="is a mount point"):
        file_place(tmp_path / "a place" / "photos")


def test_a_name_that_is_too_long_with_what_is_added(tmp_path: Path):
    with pytest.raises(OSError, match="File name too long"):
        folder_place(tmp_path / ("n" * 252))
    assert file_place(tmp_path / ("n" * 252))


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_regular_file_is_not_replaced(kind: str, tmp_path: Path):
    place = Path(os.devnull) if kind == "device" else tmp_path / "place"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    with pytest.raises(LeanformerError, match="remedy: name a"):
        file_place(place)


def test_an_input_in_the_output(tmp_path: Path):
    (tmp_path / "lean" / "data").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "lean" / "data")
    for given in (tmp_path / "lean", tmp_path / "link", str(tmp_path / "lean" / "data")):
        with pytest.raises(LeanformerError, match="which is read"):
            check_apart(tmp_path / "lean", [given])
    check_apart(tmp_path / "lean", [tmp_path, "org/model", tmp_path / "lean2"])


def test_an_input_in_an_output_that_is_named_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "lean" / "members" / "0").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for given in ("lean", "lean/members/0", tmp_path / "lean" / "members"):
        with pytest.raises(LeanformerError, match="which is read"):
            check_apart(Path("lean"), [given])
    check_apart(Path("lean"), ["other", "lean2"])
