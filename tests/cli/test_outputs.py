"""No command removes or overwrites what is not Leanformer's: all of them, over folders and files of somebody else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from leanformer.artifact import Artifact, open_artifact
from leanformer.cli.app import app
from leanformer.models.hf.checkpoint import write_checkpoint
from leanformer.task import Task
from tests.making.cascades import make_members
from tests.making.commands import Command, is_friendly, write_lines
from tests.making.reports import make_report
from tests.making.searches import write_space
from tests.making.tiny import LABELS, tiny_classifier, tiny_texts, tiny_tokenizer
from tests.tune.test_family import MEMBER, written

SPACE = """\
name: small
goals: {maximise: accuracy, minimise: bytes}
steps:
  - step: export.onnx
    max_difference: {choose: [0.01, 0.02]}
"""
THEIRS = {"thesis.txt": "years", "sub/photo.jpg": "faces", ".hidden": "keys", ".git/config": "origin", "beside.md": "x"}


@dataclass(frozen=True)
class Parts:
    """What the commands are given beside their output."""

    members: list[Artifact]
    checkpoint: Path
    data: Path
    space: Path
    texts: Path
    report: Path

    @property
    def family(self) -> Path:
        return self.texts.with_name("family")

    @property
    def pool(self) -> Path:
        return self.texts.with_name("pool.jsonl")

    @property
    def encoder(self) -> Path:
        return self.members[0].path.parent / "encoder"


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = tmp_path_factory.mktemp("parts")
    texts, labels = tiny_texts(60, seed=9)
    rows = [{"text": text, "label": LABELS[label]} for text, label in zip(texts, labels, strict=True)]
    for split in ("train", "dev", "test"):
        write_lines(folder / "data" / f"{split}.jsonl", rows)
    write_checkpoint(tiny_classifier().eval(), Task("classification", LABELS), folder / "checkpoint")
    tiny_tokenizer(folder / "checkpoint")
    make_report().write(folder / "measured" / "report.json")
    lines = write_lines(folder / "texts.jsonl", [{"text": text} for text in texts])
    members = make_members(folder / "members")
    shutil.copytree(members[0].path, folder / "family" / "members" / "0")
    written(folder / "family", replace(MEMBER, content_hash=members[0].content_hash, bytes=members[0].bytes))
    write_lines(folder / "pool.jsonl", [{"text": f"{text} again and again"} for text in texts])
    return Parts(
        members, folder / "checkpoint", folder / "data", write_space(folder / "space", SPACE),
        lines, folder / "measured",
    )  # fmt: skip


Given = tuple[object, ...]
COMMANDS: dict[str, Callable[[Parts, Path], Given]] = {
    "train": lambda parts, place: (
        "train", parts.data, "--encoder", parts.encoder, "--output", place, "--epochs", 1, "--device", "cpu",
    ),
    "pretrain": lambda parts, place: (
        "pretrain", "--like", parts.encoder, "--shape", "1x32", "--texts", parts.texts, "--output", place, "--steps", 1,
    ),
    "pick": lambda parts, place: ("pick", parts.family, "--bytes", 1e9, "--threads", 1, "--output", place),
    "quickstart": lambda parts, place: ("quickstart", parts.data, "--output", place),
    "compress": lambda parts, place: (
        "compress", parts.encoder, "--data", parts.data, "--output", place, "--rounds", 1, "--no-memory",
        "--threads", 1, "--max-drop", 100, "--allow-weak-teacher",
    ),
    "search": lambda parts, place: (
        "search", parts.space, "--model", parts.encoder, "--data", parts.data, "--output", place, "--trials", 1,
        "--rounds", 1, "--threads", 1, "--device", "cpu", "--sampler", "grid", "--allow-weak-teacher",
    ),
    "curate": lambda parts, place: ("curate", parts.data, "--output", place, "--apply"),
    "label": lambda parts, place: ("label", parts.pool, "--data", parts.data, "--count", 2, "--output", place),
    "label with a status": lambda parts, place: (
        "label", parts.pool, "--data", parts.data, "--count", 2, "--status", place,
    ),
    "curve": lambda parts, place: ("curve", parts.data, "--sizes", "20,30,40", "--draws", 2, "--output", place),
    "plan": lambda parts, place: ("plan", "--gpus", 1, "--gpu-tflops", 312, "--output", place),
    "cascade": lambda parts, place: (
        "cascade", *(member.path for member in parts.members), "--data", parts.data, "--output", place,
        "--otherwise", "large",
    ),
    "embedder": lambda parts, place: (
        "embedder", parts.checkpoint, "--texts", parts.texts, "--output", place, "--pooling", "mean", "--threads", 1,
    ),
    "export to transformers": lambda parts, place: (
        "export", parts.encoder, "--to", "transformers", "--output", place
    ),
    "export": lambda parts, place: ("export", parts.members[0].path, "--output", place),
    "predict": lambda parts, place: ("predict", parts.members[0].path, "--input", parts.texts, "--output", place),
    "bench": lambda parts, place: (
        "bench", parts.members[0].path, "--data", parts.data, "--rounds", 1, "--no-memory", "--output", place,
    ),
    "gate": lambda parts, place: (
        "gate", parts.members[0].path, "--against", parts.members[1].path, "--data", parts.data, "--max-drop", 99,
        "--allow-lost-classes",
        "--output", place,
    ),
    "report": lambda parts, place: ("report", parts.report, "--output", place),
    "demo": lambda parts, place: ("demo", "--output", place),
}  # fmt: skip
FOLDERS = (
    "train", "pretrain", "quickstart", "compress", "search", "curate", "cascade", "embedder", "export to transformers",
)  # fmt: skip
FILES = ("export", "predict", "bench", "gate", "report", "label", "label with a status", "curve", "plan")
OVER_OURS = ("train", "pretrain", "quickstart", "compress", "search", "curate", "cascade", "embedder")
SAID = {
    # `tune` writes into the artifact that it is given, `serve`, `inspect` and `techniques` write nothing.
    "tune", "serve", "inspect", "techniques",
}  # fmt: skip
FOLDERS, OVER_OURS = (*FOLDERS, "pick"), (*OVER_OURS, "pick")


def options_that_are_written() -> dict[str, set[str]]:
    """Of every command that there is, the options that name a place to write to."""
    commands = typer.main.get_command(app)
    assert isinstance(commands, TyperGroup)
    return {
        name: {option.name or "" for option in command.params} & {"output", "work", "overwrite"}
        for name, command in commands.commands.items()
    }


def test_the_walk_knows_every_command():
    """A new command fails here until it has its place in the walk, or is said to write nothing of its own choosing."""
    written = options_that_are_written()
    assert {name.split(" ")[0] for name in COMMANDS} | SAID == set(written)
    assert {name for name, options in written.items() if not options} == SAID
    assert {name for name, options in written.items() if "work" in options} == {"compress", "search"}
    assert {name for name, options in written.items() if "overwrite" in options} == {*OVER_OURS, "demo"}
    assert set(FOLDERS) | set(FILES) | {"demo"} == set(COMMANDS)


def snapshot(folder: Path) -> dict[str, bytes | str]:
    """Every file's bytes, every link's target, every folder."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        found[name] = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else "a folder"
    return found


def write_theirs(folder: Path) -> Path:
    for name, content in THEIRS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "empty").mkdir()
    return folder


def a_folder(parts: Parts, folder: Path) -> Path:
    return write_theirs(folder / "place")


def an_artifact(parts: Parts, folder: Path) -> Path:
    shutil.copytree(parts.members[0].path, folder / "place")
    return write_theirs(folder / "place")


def a_file(parts: Parts, folder: Path) -> Path:
    (folder / "place").write_text("years of work")
    return folder / "place"


def a_link(parts: Parts, folder: Path) -> Path:
    write_theirs(folder / "elsewhere")
    (folder / "place").symlink_to(folder / "elsewhere")
    return folder / "place"


def a_link_to_an_artifact(parts: Parts, folder: Path) -> Path:
    an_artifact(parts, folder).rename(folder / "elsewhere")
    (folder / "place").symlink_to("elsewhere")
    return folder / "place"


def a_link_in_a_circle(parts: Parts, folder: Path) -> Path:
    (folder / "place").symlink_to("place")
    return folder / "place"


def below_a_file(parts: Parts, folder: Path) -> Path:
    return a_file(parts, folder) / "deep" / "lean"


def an_edited_artifact(parts: Parts, folder: Path) -> Path:
    """With a file of the artifact's changed: it is not as it was written, so somebody may need it."""
    shutil.copytree(parts.members[0].path, folder / "place")
    with open(folder / "place" / "tokenizer.json", "a") as file:
        file.write("\n")
    return folder / "place"


def an_artifact_with_a_readme(parts: Parts, folder: Path) -> Path:
    """A name that we write too, and a file that we did not write."""
    shutil.copytree(parts.members[0].path, folder / "place")
    (folder / "place" / "README.md").write_text("# How I trained it\n")
    return folder / "place"


def no_manifest(parts: Parts, folder: Path) -> Path:
    """A name of ours alone makes no artifact."""
    (write_theirs(folder / "place") / "leanformer.json").write_text('{"my": "own"}')
    (folder / "place" / "search.json").write_text("[]")
    return folder / "place"


def a_search_and_more(parts: Parts, folder: Path) -> Path:
    record = {"format_version": 1, "name": "small", "trials": [], "front": [], "spent": {}}
    (write_theirs(folder / "place") / "search.json").write_text(json.dumps(record))
    return folder / "place"


IN_THE_WAY = (
    a_folder, an_artifact, a_file, a_link, a_link_to_an_artifact, a_link_in_a_circle, below_a_file, an_edited_artifact,
    an_artifact_with_a_readme, no_manifest, a_search_and_more,
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("overwrite", [False, True], ids=["", "overwrite"])
@pytest.mark.parametrize("in_the_way", IN_THE_WAY, ids=lambda obstacle: obstacle.__name__)
@pytest.mark.parametrize("name", COMMANDS)
def test_it_is_refused_before_anything_is_done(
    name: str,
    in_the_way: Callable[[Parts, Path], Path],
    overwrite: bool,
    command: Command,
    parts: Parts,
    tmp_path: Path,
):
    place = in_the_way(parts, tmp_path)
    if name == "report" and in_the_way is a_link_in_a_circle:
        (tmp_path / "place.html").symlink_to("place.html")
        place = tmp_path / "place.html"
    elif name == "report":  # its file has an ending
        place = place.rename(place.with_suffix(".html")) if place.is_symlink() or place.exists() else place / "a.html"
    before = snapshot(tmp_path)
    if overwrite and (name not in OVER_OURS or in_the_way in (an_artifact, a_link_to_an_artifact, a_search_and_more)):
        return  # there is no such option; or that is what it is for, see below
    status, out, err = command(*COMMANDS[name](parts, place), *["--overwrite"] * overwrite)
    is_friendly(status, out, err)
    assert "remedy: " in err and str(tmp_path) in err
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["train", "compress", "search"])
@pytest.mark.parametrize("kind", ["theirs", "file", "checkpoint", "journal", "steps", "inside"])
def test_a_work_folder_of_somebody_else(name: str, kind: str, command: Command, parts: Parts, tmp_path: Path):
    place, work = tmp_path / "place", tmp_path / "place.work"
    if kind == "theirs":
        write_theirs(work)
    elif kind == "file":
        work.write_text("years of work")
    elif kind == "checkpoint":
        write_theirs(work / "checkpoint")
    elif kind == "steps":
        write_theirs(work / "steps")
    elif kind == "journal":  # not even the end of a line is missing in it
        work.mkdir()
        (work / "trials.jsonl").write_text('{"event": "wedding", "on": "Sunday"}')
    elif name != "train":
        work = place / "work"
    else:
        return
    given = ("--work", work) if name != "train" else ()
    before = snapshot(tmp_path)
    status, out, err = command(*COMMANDS[name](parts, place), *given)
    is_friendly(status, out, err)
    assert "remedy: " in err and str(work) in err
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("folder", ["teacher", "lean", "lean.work", "teacher.work"])
def test_a_demo_leaves_what_is_there(folder: str, command: Command, parts: Parts, tmp_path: Path):
    (tmp_path / "demo" / "data").mkdir(parents=True)
    (tmp_path / "demo" / "data" / "README.txt").write_text("as an earlier demo leaves it")
    write_theirs(tmp_path / "demo" / folder)
    before = snapshot(tmp_path)
    is_friendly(*command("demo", "--output", tmp_path / "demo"))
    assert snapshot(tmp_path) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [command for command in COMMANDS if command not in ("train", "compress", "search", "demo")]
)
def test_what_is_free_is_written_and_written_again(name: str, command: Command, parts: Parts, tmp_path: Path):
    check_written(name, command, parts, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "compress", "search"])
def test_what_is_free_is_written_and_written_again_with_work(name: str, command: Command, parts: Parts, tmp_path: Path):
    check_written(name, command, parts, tmp_path)


def check_written(name: str, command: Command, parts: Parts, folder: Path) -> None:
    """Into an empty folder, or behind a link to one; the same command again replaces what it wrote."""
    place = folder / "place.html"
    if name in FOLDERS:
        (folder / "disk").mkdir()
        place.symlink_to("disk")
    else:
        place.symlink_to("not-there-yet")
    neighbours = [folder / name for name in (".place.html.old", ".place.html.partial", ".disk.old", ".disk.x.partial")]
    for neighbour in neighbours:
        neighbour.write_text("somebody else's")
    for attempt in range(2):
        status, out, err = command(*COMMANDS[name](parts, place))
        if attempt == 1 and name.startswith("export"):
            is_friendly(status, out, err)
        else:
            assert status == 0, err
        assert place.is_symlink() and place.exists()
    assert all(neighbour.read_text() == "somebody else's" for neighbour in neighbours)
    left = {path.name for path in folder.iterdir() if path.name.startswith(".")}
    assert left == {neighbour.name for neighbour in neighbours}


@pytest.mark.parametrize("name", ["curate", "cascade", "embedder"])
def test_theirs_are_kept_when_ours_is_replaced(name: str, command: Command, parts: Parts, tmp_path: Path):
    check_kept(name, command, parts, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "compress", "search"])
def test_theirs_are_kept_when_ours_is_replaced_after_work(name: str, command: Command, parts: Parts, tmp_path: Path):
    check_kept(name, command, parts, tmp_path)


def check_kept(name: str, command: Command, parts: Parts, folder: Path) -> None:
    given = COMMANDS[name](parts, folder / "place")
    assert command(*given)[0] == 0
    before = snapshot(folder / "place")
    write_theirs(folder / "place")
    (folder / "place" / "link").symlink_to("../elsewhere")
    status, _, err = command(*given)
    assert status == 1 and "--overwrite" in err and ".git/config, .hidden, beside.md and 4 more" in err
    status, _, err = command(*given, "--overwrite")
    assert status == 0, err
    assert "note: .git/config, .hidden, beside.md and 4 more in " in err and "will be kept" in err
    after = snapshot(folder / "place")
    added = {key: value for key, value in after.items() if key not in before}
    assert {key: value.decode() for key, value in added.items() if isinstance(value, bytes)} == THEIRS
    assert added["empty"] == "a folder" and added["link"] == "../elsewhere"
    assert set(before) <= set(after)


def test_a_file_comes_in_during_the_work(
    command: Command, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Nobody can be asked then: it is kept. Where it has the name of a new one, the old folder stays."""
    from leanformer.cascade import store

    place = tmp_path / "place"
    given = COMMANDS["cascade"](parts, place)
    assert command(*given)[0] == 0
    original = store.check_members

    def meanwhile(members: object) -> None:
        original(members)  # type: ignore[arg-type]
        (place / name).write_text("notes")

    for name, status in (("notes.txt", 0), ("report.txt", 0), ("cascade.json", 1)):
        before = open_artifact(place).content_hash
        with monkeypatch.context() as patch:
            patch.setattr(store, "check_members", meanwhile)
            found, _, err = command(*given, *["--overwrite"] * (name != "notes.txt"))
        assert found == status, err
        assert (place / name).read_text() == "notes"
    assert "move it out of the folder" in err and open_artifact(place, verify=False).content_hash == before
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


@pytest.mark.parametrize("how", ["itself", "link", "hard link", "relative", "standard input"])
def test_the_input_is_no_output(
    how: str, command: Command, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Also an input that is an answer of ours, and so might be replaced."""
    model, source, output = parts.members[0].path, tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    assert command("predict", model, "--input", parts.texts, "--output", source)[0] == 0
    before = source.read_bytes()
    if how == "link":
        output.symlink_to(source)
    elif how == "hard link":
        output.hardlink_to(source)
    elif how == "relative":
        monkeypatch.chdir(tmp_path)
        output = Path("in.jsonl")
    else:
        output = source
    given: Path | str = source
    if how == "standard input":
        reading, given = os.open(source, os.O_RDONLY), "-"
        monkeypatch.setattr("leanformer.outputs.written.STANDARD_INPUT", f"/proc/self/fd/{reading}")
    status, out, err = command("predict", model, "--input", given, "--output", output)
    is_friendly(status, out, err)
    assert "is the input itself" in err and source.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["manifest", "weights", "report", "rows", "scores", "log", "spans"])
def test_a_file_of_another_kind_is_refused(name: str, kind: str, command: Command, parts: Parts, tmp_path: Path):
    shutil.copytree(parts.members[0].path, tmp_path / "lean")
    make_report().write(tmp_path / "lean" / "report.json")
    place = (
        tmp_path
        / "lean"
        / {"manifest": "leanformer.json", "weights": "model.onnx", "report": "report.json"}.get(kind, "rows.json")
    )
    rows = {
        "rows": {"text": "goal", "label": "sport"}, "scores": {"text": "goal", "score": 1.5}, "log": {"error": "no"},
        "spans": {"text": "no name", "spans": []},
    }  # fmt: skip
    if kind in rows:
        write_lines(place, [rows[kind]])
    if name == "report":
        place = place.with_suffix(".html")
        (tmp_path / "lean" / "leanformer.md").write_text("# Mine\n")
        (tmp_path / "lean" / "model.md").write_text("# Mine\n")
    before = snapshot(tmp_path)
    is_friendly(*command(*COMMANDS[name](parts, place)))
    assert snapshot(tmp_path) == before


def test_a_report_beside_its_model(command: Command, parts: Parts, tmp_path: Path):
    """The model's own report.json is what `inspect` shows, and not a page's; another name is free."""
    shutil.copytree(parts.members[0].path, tmp_path / "lean")
    make_report().write(tmp_path / "lean" / "report.json")
    status, out, err = command("report", tmp_path / "lean", "--output", tmp_path / "lean" / "report.html")
    is_friendly(status, out, err)
    assert "report.json: exists and is not a page of `leanformer report`" in err
    assert command("inspect", tmp_path / "lean")[0] == 0
    assert command("report", tmp_path / "lean", "--output", tmp_path / "lean" / "page.html")[0] == 0
    assert command("inspect", tmp_path / "lean")[0] == 0
    (tmp_path / "README.md").write_text("mine")
    status, out, err = command("report", tmp_path / "lean", "--output", tmp_path / "README.html")
    is_friendly(status, out, err)
    assert {path.name for path in tmp_path.iterdir()} == {"lean", "README.md"}
