"""Writing so that nothing half-written stays behind."""

from __future__ import annotations

import json
import os
import shutil
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
        assert temporary.parent == tmp_path / "deep", "a rename must not cross file systems"
    assert (tmp_path / "deep" / "folder" / "a.txt").read_text() == "a"
    assert [one.name for one in (tmp_path / "deep").iterdir()] == ["folder"]


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
    assert [one.name for one in (tmp_path / "folder").iterdir()] == ["new.txt"]
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("error", [StoppedError, KeyboardInterrupt])
def test_the_old_folder_survives_an_error(error: type[BaseException], tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old.txt").write_text("old")
    with pytest.raises(error):
        write_and_stop(tmp_path / "folder", error)
    assert [one.name for one in (tmp_path / "folder").iterdir()] == ["old.txt"]
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old.txt").write_text("old")
    with pytest.raises(OSError), new_folder(tmp_path / "folder") as temporary:
        temporary.rmdir()  # what an overeager cleaner of temporary files may do
    assert [one.name for one in (tmp_path / "folder").iterdir()] == ["old.txt"]
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]


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
    assert [one.name for one in (tmp_path / "deep").iterdir()] == ["a.txt"]


def test_text_that_cannot_be_written_leaves_the_old_one(tmp_path: Path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a.txt", "\ud800")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]


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
    assert len({sha256_json(one) for one in ({"a": 1}, {"a": "1"}, {"a": [1]}, {"b": 1})}) == 4


def dead_process() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_folder_lost_between_two_renames_comes_back(tmp_path: Path):
    """What a kill in the last moment of `new_folder` leaves: the old folder set aside, the new one not yet in place."""
    number = dead_process()
    for ending in ("old", "partial"):
        (tmp_path / f".folder.{number}.abc_1.{ending}").mkdir()
    (tmp_path / f".folder.{number}.abc_1.old" / "a.txt").write_text("old")
    restore_folder(tmp_path / "folder")
    assert (tmp_path / "folder" / "a.txt").read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]


def test_leftovers_do_not_stand_in_the_way(tmp_path: Path):
    for number in (dead_process(), os.getpid()):
        left = tmp_path / f".folder.{number}.abc_1.old"
        left.mkdir()
        (left / "a.txt").write_text("older")
    (tmp_path / "folder").mkdir()
    with new_folder(tmp_path / "folder") as temporary:
        (temporary / "b.txt").write_text("new")
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]
    assert [one.name for one in (tmp_path / "folder").iterdir()] == ["b.txt"]


def test_half_a_text_does_not_stay(tmp_path: Path):
    """What a kill between writing and renaming leaves is gone once the text is written again."""
    left, others = (
        tmp_path / f".a.json.{dead_process()}.text.partial",
        tmp_path / f".a.json.{os.getppid()}.text.partial",
    )
    for one in (left, others):
        one.write_text('{"half')
    write_json(tmp_path / "a.json", [1])
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([others.name, "a.json"])
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == [1]


def test_a_folder_is_removed_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "folder"
    remove_folder(folder)  # there is none
    folder.mkdir()
    (folder / "a.txt").write_text("a")

    def killed(path: Path, *arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            remove_folder(folder)
    assert not folder.exists(), "half a folder would be taken for a whole one"
    assert len(list(tmp_path.iterdir())) == 1
    remove_folder(folder)
    assert list(tmp_path.iterdir()) == []


def test_folders_of_a_running_process_are_left_alone(tmp_path: Path):
    others = tmp_path / f".folder.{os.getppid()}.abc_1.partial"
    others.mkdir()
    restore_folder(tmp_path / "folder")
    assert others.is_dir()


def test_what_another_machine_writes_is_left_alone(tmp_path: Path):
    """On shared storage: whether its process runs cannot be seen from here."""
    number = dead_process()
    theirs, ours = (tmp_path / f".folder.{number}-{one}.abc_1.partial" for one in ("00000000", files._machine()))
    for one in (theirs, ours):
        one.mkdir()
    restore_folder(tmp_path / "folder")
    assert theirs.is_dir() and not ours.exists()


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
