"""Models from a folder: which ones, and that a running server takes up what appears there."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from leanformer.artifact import MANIFEST, open_artifact
from leanformer.errors import LeanformerError
from leanformer.serve.watch import Watch, models_in, state_of, with_found
from tests.making.servers import Server
from tests.serve.test_start import start


def put(artifact: Path, place: Path) -> Path:
    """A copy of an artifact, in its place at once."""
    aside = place.parent / f".{place.name}"
    shutil.copytree(artifact, aside)
    place.parent.mkdir(parents=True, exist_ok=True)
    return aside.rename(place)


def manifest(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text("{}")
    return folder


def test_subfolders_are_models_and_the_highest_number_is_the_version(tmp_path: Path):
    manifest(tmp_path / "b")
    for version in ("2", "10", "9", "latest"):
        manifest(tmp_path / "a" / version)
    (tmp_path / "a" / "11").mkdir()
    manifest(tmp_path / ".hidden")
    (tmp_path / "c").mkdir()
    (tmp_path / "note.txt").write_text("no model")
    assert models_in(tmp_path) == {"a": str(tmp_path / "a" / "10"), "b": str(tmp_path / "b")}
    assert list(with_found({"z": "else"}, tmp_path)) == ["z", "a", "b"], "those that are named come first"
    assert with_found({"z": "else"}, None) == {"z": "else"}


def test_what_cannot_be_served_is_told(tmp_path: Path):
    with pytest.raises(LeanformerError, match="no such folder"):
        models_in(tmp_path / "none")
    with pytest.raises(LeanformerError, match="has no model\n  remedy: put an artifact into a subfolder"):
        models_in(tmp_path)
    manifest(tmp_path / "one")
    with pytest.raises(LeanformerError, match="two models are called one"):
        with_found({"one": "x"}, tmp_path)
    manifest(tmp_path / "a model")
    with pytest.raises(LeanformerError, match="rename the folder"):
        models_in(tmp_path)


def test_the_state_is_that_of_all_files_also_behind_links(tmp_path: Path):
    folder, other = tmp_path / "models", tmp_path / "other"
    for version in ("1", "2"):
        manifest(other / version)
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "1").symlink_to(other / "1")
    first = state_of(folder)
    assert list(first) == [str(folder / "a" / "1" / MANIFEST)]
    (other / "1" / MANIFEST).write_text("{} ")
    assert (second := state_of(folder)) != first
    (folder / "a" / "1").unlink()
    (folder / "a" / "1").symlink_to(other / "2")
    assert state_of(folder) != second


def test_what_is_not_served_does_not_count(tmp_path: Path):
    for version in ("1", "2"):
        manifest(tmp_path / "a" / version)
    state = state_of(tmp_path)
    (tmp_path / "note.txt").write_text("no model")
    (tmp_path / "a" / "1" / "file").write_text("of an older version")
    manifest(tmp_path / ".b")
    (tmp_path / "a" / "3").mkdir()
    (tmp_path / "a" / "3" / "model.onnx").write_text("being written")
    assert state_of(tmp_path) == state
    manifest(tmp_path / "a" / "4")
    assert state_of(tmp_path) != state


def test_a_folder_without_models_is_a_state_of_its_own(tmp_path: Path):
    manifest(tmp_path / "a")
    states = [state_of(tmp_path), state_of(tmp_path / "gone")]
    manifest(tmp_path / "a name")
    states.append(state_of(tmp_path))
    assert len({str(state) for state in states}) == 3


def test_a_change_is_told_once_and_not_before_it_is_over(tmp_path: Path):
    async def run() -> None:
        file = manifest(tmp_path / "model") / "file"
        file.write_text("")
        calls: list[str] = []

        async def changed() -> None:
            calls.append(file.read_text())

        watching = asyncio.create_task(Watch(tmp_path, changed, seconds=0.05).run())
        await asyncio.sleep(0.3)
        assert calls == []
        for length in range(1, 60):  # never the same for as long as it takes to look twice
            file.write_text("x" * length)
            await asyncio.sleep(0.005)
        while not calls:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        watching.cancel()
        assert calls == ["x" * 59]

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_server_takes_up_versions_and_models(tiny_onnx_artifact: Path, other_artifact: Path, tmp_path: Path):
    hashes = [open_artifact(path).content_hash for path in (tiny_onnx_artifact, other_artifact)]
    put(tiny_onnx_artifact, tmp_path / "a" / "1")

    def versions(server: Server) -> dict[str, str]:
        return {model["name"]: model["version"] for model in server.ask("GET", "/info").json["models"]}

    with Server("--models-from", tmp_path, "--workers", 1) as server:
        assert versions(server) == {"a": hashes[0]}
        put(other_artifact, tmp_path / "a" / "2")
        server.until(lambda: versions(server) == {"a": hashes[1]})
        put(tiny_onnx_artifact, tmp_path / "b")
        server.until(lambda: versions(server) == {"a": hashes[1], "b": hashes[0]})
        assert server.predict("rain", model="b").status == 200
        broken = put(tiny_onnx_artifact, tmp_path / "a" / "3")
        (broken / "model.onnx").write_bytes(b"half of it")
        server.event("reload_failed")
        assert versions(server) == {"a": hashes[1], "b": hashes[0]}, "it goes on with what it has"
        shutil.rmtree(broken)
        shutil.rmtree(tmp_path / "b")
        server.until(lambda: versions(server) == {"a": hashes[1]})
        assert server.predict("rain", model="b").status == 404
        assert server.predict("rain").status == 200


def test_a_start_without_models_is_told(tmp_path: Path):
    done = start("--port", 0)
    assert done.returncode == 1 and "--models-from DIR" in done.stderr and "Traceback" not in done.stderr
    done = start("--models-from", tmp_path, "--port", 0)
    assert done.returncode == 1 and "has no model" in done.stderr and "Traceback" not in done.stderr
