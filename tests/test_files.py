"""Writing so that nothing half-written stays behind."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from leanformer import files
from leanformer.files import (
    alone,
    new_folder,
    remove_folder,
    restore_folder,
    sha256_file,
    sha256_json,
    write_json,
    write_text,
)


class StoppedError(Exception):
    pass


def write_and_stop(folder: Path, error: type[BaseException]) -> None:
    with new_folder(folder) as temporary:
        (temporary / "new.txt").write_text("new")
        raise error


def test_a_folder_appears_when_the_block_ends_well(tmp_path: Path):
    with new_folder(tmp_path / "deep" / "folder") as temporary:
        (temporary / "a.txt").write_text("a")
        assert not (tmp_path / "deep" / "folder").exists()
        assert temporary.parents[1] == tmp_path / "deep", "a rename must not cross file systems"
    assert (tmp_path / "deep" / "folder" / "a.txt").read_text() == "a"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["folder"]


def test_nothing_is_left_after_an_error(tmp_path: Path):
    with pytest.raises(StoppedError):
        write_and_stop(tmp_path / "folder", StoppedError)
    assert list(tmp_path.iterdir()) == []


def test_the_old_folder_is_replaced_whole(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old.txt").write_text("old")
    with new_folder(tmp_path / "folder") as temporary:
        (temporary / "new.txt").write_text("new")
        assert (tmp_path / "folder" / "old.txt").read_text() == "old", "the old one stands until the end"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["new.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("error", [StoppedError, KeyboardInterrupt])
def test_the_old_folder_survives_an_error(error: type[BaseException], tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old.txt").write_text("old")
    with pytest.raises(error):
        write_and_stop(tmp_path / "folder", error)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["old.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old.txt").write_text("old")
    with pytest.raises(OSError), new_folder(tmp_path / "folder") as temporary:
        temporary.rmdir()  # what an overeager cleaner of temporary files may do
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["old.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_others_may_read_the_folder(tmp_path: Path):
    with new_folder(tmp_path / "folder"):
        pass
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o777 & ~umask


def test_text_is_replaced_whole(tmp_path: Path):
    write_text(tmp_path / "deep" / "a.txt", "eins")
    write_text(tmp_path / "deep" / "a.txt", "zwölf 🌧")
    assert (tmp_path / "deep" / "a.txt").read_text(encoding="utf-8") == "zwölf 🌧"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.txt"]


def test_text_that_cannot_be_written_leaves_the_old_one(tmp_path: Path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a.txt", "\ud800")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_content_is_on_disk_before_the_name_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Else a power failure may leave the new name with nothing behind it."""
    done: list[tuple[str, int]] = []
    fsync, replace = os.fsync, os.replace

    def stored(handle: int) -> None:
        done.append(("stored", os.fstat(handle).st_size))
        fsync(handle)

    def renamed(old: Path, new: Path) -> None:
        done.append(("renamed", Path(old).stat().st_size))
        replace(old, new)

    monkeypatch.setattr(os, "fsync", stored)
    monkeypatch.setattr(os, "replace", renamed)
    write_text(tmp_path / "a.txt", "x" * 70_000)
    assert done == [("stored", 70_000), ("renamed", 70_000)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1.0, -float("inf")]])
def test_what_json_cannot_say_is_refused(value: object, tmp_path: Path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"value": value})
    assert list(tmp_path.iterdir()) == []


def test_json_is_readable(tmp_path: Path):
    write_json(tmp_path / "a.json", {"ü": [1, None]})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "ü" in text and text.endswith("}\n")
    assert json.loads(text) == {"ü": [1, None]}


def test_hashes_are_of_the_content(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_json({"a": 1, "b": [2]}) == sha256_json({"b": [2], "a": 1})
    assert len({sha256_json(value) for value in ({"a": 1}, {"a": "1"}, {"a": [1]}, {"b": 1})}) == 4


def killed(code: str, *arguments: object, at: str = "") -> None:
    """Run `code` in a process that dies by itself, or at the first renaming of a path that ends with `at`."""
    hook = (
        "import os, sys; from pathlib import Path; from leanformer.files import *\n"
        "def dies(event, given):\n"
        f"    if event == 'os.rename' and {at!r} and str(given[0]).endswith({at!r}): os._exit(9)\n"
        "sys.addaudithook(dies)\n"
    )
    done = subprocess.run([sys.executable, "-c", hook + code, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 9, done.stderr


HALF_A_FOLDER = """
with new_folder(Path(sys.argv[1])) as temporary:
    (temporary / "b.txt").write_text("half")
    if len(sys.argv) > 2: os._exit(9)
"""
HALF_A_TEXT = """
with new_file(Path(sys.argv[1])) as temporary:
    temporary.write_text('{"half')
    os._exit(9)
"""


def test_a_folder_lost_between_two_renames_comes_back(tmp_path: Path):
    """What a kill in the last moment of `new_folder` leaves: the old folder set aside, the new one not yet in place."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("old")
    killed(HALF_A_FOLDER, tmp_path / "folder", at="/new")
    assert not (tmp_path / "folder").exists()
    restore_folder(tmp_path / "folder")
    assert (tmp_path / "folder" / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_leftovers_do_not_stand_in_the_way(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    killed(HALF_A_FOLDER, tmp_path / "folder", at="/new")
    killed(HALF_A_FOLDER, tmp_path / "folder", "half")
    killed(HALF_A_FOLDER, tmp_path / "folder", at="/.old")
    assert len(list(tmp_path.iterdir())) > 1
    with new_folder(tmp_path / "folder") as temporary:
        (temporary / "b.txt").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["b.txt"]


def test_half_a_text_does_not_stay(tmp_path: Path):
    """What a kill between writing and renaming leaves is gone once the text is written again."""
    killed(HALF_A_TEXT, tmp_path / "a.json")
    with files._temporary(tmp_path / "a.json") as others:  # of another thread, at work on it as well
        others.write_text('{"half')
        write_json(tmp_path / "a.json", [1])
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([others.name, "a.json"])
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == [1]


def test_a_name_as_long_as_names_may_be(tmp_path: Path):
    name = "ü" * 120 + ".json"
    killed(HALF_A_TEXT, tmp_path / name)
    write_json(tmp_path / name, [1])
    assert [path.name for path in tmp_path.iterdir()] == [name]


def neighbours(name: str) -> list[str]:
    """Hidden names that somebody else may have given, dead processes' numbers among them."""
    number, machine = dead_process(), files._machine()
    with files._temporary(Path(name)) as ours:
        other = "0" if ours.name[-9] != "0" else "1"
        nearly = ours.name[:-9] + other + ".partial"
    return [
        f".{name}.old", f".{name}.partial", f".{name}.removed.partial", f".{name}.photos.old", f".{name}.1.x.partial",
        f".{name}.{number}.text.partial", f".{name}.{number}-{machine}.text.partial", f".{name}.{number}.abc_1.old",
        f".{name}.{number}-{machine}.abc_1.partial", f".{name}.{number}-{machine}.abc_1.old",
        f".{name}.{number}-{machine}.0123abcd-0123abcd.partial", nearly,
    ]  # fmt: skip


def dead_process() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("folders", [True, False])
def test_hidden_neighbours_of_somebody_else_stay(folders: bool, tmp_path: Path):
    for name in neighbours("x"):
        if folders:
            (tmp_path / name).mkdir()
            (tmp_path / name / "thesis.txt").write_text(name)
        else:
            (tmp_path / name).write_text(name)
    theirs = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    write_text(tmp_path / "x", "ours")
    (tmp_path / "x").unlink()
    for _ in range(2):
        with new_folder(tmp_path / "x"):
            pass
        restore_folder(tmp_path / "x")
    remove_folder(tmp_path / "x")
    assert {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == theirs


def test_threads_write_the_same_file(tmp_path: Path):
    """Each time it is whole, and no thread takes another's temporary file for a leftover."""
    failed: list[Exception] = []

    def write(number: int) -> None:
        try:
            for _ in range(20):
                write_json(tmp_path / "a.json", [number] * 50)
                assert len(set(json.loads((tmp_path / "a.json").read_text()))) == 1
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_the_umask_is_never_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It belongs to the process: another thread's files would be open to everybody for that moment."""

    def changed(mask: int) -> int:
        raise AssertionError("the umask was changed")

    before = os.umask(0o027)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, "umask", changed)
            with new_folder(tmp_path / "folder") as temporary:
                write_json(temporary / "a.json", [1])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "folder" / "a.json").stat().st_mode) == 0o640


def test_behind_a_link(tmp_path: Path):
    """A link to what is written stays one, also where there is nothing behind it yet."""
    (tmp_path / "disk").mkdir()
    for name in ("folder", "a.json"):
        (tmp_path / name).symlink_to(tmp_path / "disk" / name)
    for text in ("old", "new"):
        write_text(tmp_path / "a.json", text)
        with new_folder(tmp_path / "folder") as temporary:
            (temporary / "a.txt").write_text(text)
        assert (tmp_path / "folder").is_symlink() and (tmp_path / "a.json").is_symlink()
        assert (
            (tmp_path / "disk" / "folder" / "a.txt").read_text() == (tmp_path / "disk" / "a.json").read_text() == text
        )
    assert sorted(path.name for path in tmp_path.rglob("*") if not path.is_symlink()) == [
        "a.json",
        "a.txt",
        "disk",
        "folder",
    ]


def test_a_file_is_no_folder_to_replace(tmp_path: Path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(NotADirectoryError), new_folder(tmp_path / "folder"):
        raise AssertionError("said before the work")
    assert (tmp_path / "folder").read_text() == "a file"


def test_a_folder_is_removed_whole_or_not_at_all(tmp_path: Path):
    folder = tmp_path / "folder"
    remove_folder(folder)  # there is none
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    code = (
        "import os, pathlib, shutil, sys; from leanformer.files import remove_folder\n"
        "shutil.rmtree = lambda *arguments, **options: os._exit(9)\n"
        "remove_folder(pathlib.Path(sys.argv[1]))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(folder)]).returncode == 9
    assert not folder.exists(), "half a folder would be taken for a whole one"
    assert len(list(tmp_path.iterdir())) == 1
    remove_folder(folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("machine", [files._machine(), "00000000"])
def test_folders_of_a_running_process_are_left_alone(machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of another machine it cannot be seen whether its process runs, which matters on shared storage."""
    number = os.getppid() if machine == files._machine() else dead_process()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: number)
        patch.setattr(files, "_machine", lambda: machine)
        with files._temporary(tmp_path / "folder") as others:
            pass
    others.mkdir()
    restore_folder(tmp_path / "folder")
    assert others.is_dir()


def test_only_one_is_alone(tmp_path: Path):
    """The second waits for the first; what a dead process held is free."""
    order: list[str] = []

    def second() -> None:
        with alone(tmp_path / "locks" / "a"):
            order.append("second")

    thread = threading.Thread(target=second)
    with alone(tmp_path / "locks" / "a"):
        thread.start()
        with alone(tmp_path / "locks" / "b"):
            order.append("another")
        thread.join(0.2)
        assert order == ["another"]
        order.append("first")
    thread.join()
    assert order == ["another", "first", "second"]
    code = "import os, pathlib, sys; from leanformer.files import alone\n"
    code += "with alone(pathlib.Path(sys.argv[1])): os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "c")]).returncode == 9
    with alone(tmp_path / "c"):
        pass
