"""Parts: one whole file a number, joined only where each line answers its row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanformer.cluster.parts import begin, is_whole, join, part_path, parts_folder, read_part, write_part
from leanformer.errors import LeanformerError
from leanformer.questions import Question

CHUNKS: list[list[Question]] = [["one", "two"], [("three", "third"), ("four", "fourth")], [["five", "words"]]]
JOB = {"input": "a", "artifact": "b", "rows": 2}


def answer(question: Question) -> str:
    if isinstance(question, str):
        return json.dumps({"text": question, "label": "x"})
    if isinstance(question, tuple):
        return json.dumps({"text": question[0], "text_pair": question[1], "label": "x"})
    return json.dumps({"text": " ".join(question), "spans": []})


def write_all(output: Path) -> Path:
    folder = parts_folder(output)
    begin(folder, JOB)
    for number, chunk in enumerate(CHUNKS):
        write_part(part_path(folder, number), map(answer, chunk))
    return folder


def test_parts_are_joined_in_order_and_removed(tmp_path: Path):
    output = tmp_path / "out.jsonl"
    folder = write_all(output)
    assert join(folder, output, CHUNKS) == 5
    assert output.read_text(encoding="utf-8").splitlines() == [answer(one) for chunk in CHUNKS for one in chunk]
    assert [one.name for one in tmp_path.iterdir()] == ["out.jsonl"]


@pytest.mark.parametrize("name", ["thesis.txt", "part-1.jsonl", "sub/photo.jpg", ".hidden", "part-000001.jsonl.old"])
def test_what_is_no_part_is_not_removed(name: str, tmp_path: Path):
    """Neither where the folder is somebody else's, nor where something came into ours meanwhile."""
    output = tmp_path / "out.jsonl"
    theirs = parts_folder(output) / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("years of work")
    with pytest.raises(LeanformerError, match="is no part of the answers"):
        begin(parts_folder(output), JOB)
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == [theirs]
    theirs.rename(tmp_path / "aside")
    if theirs.parent != parts_folder(output):
        theirs.parent.rmdir()
    folder = write_all(output)
    theirs.parent.mkdir(exist_ok=True)
    (tmp_path / "aside").rename(theirs)
    for taken_up in (lambda: join(folder, output, CHUNKS), lambda: begin(folder, JOB)):
        with pytest.raises(LeanformerError, match="remedy: move it away"):
            taken_up()
    assert theirs.read_text() == "years of work" and not output.exists()


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [answer("one")],
        [answer("one"), answer("two"), answer("two")],
        [answer("two"), answer("one")],
        [answer("one"), '{"text": "tw'],
        [answer("one"), "3"],
    ],
)
def test_a_part_that_is_not_its_rows_is_seen(tmp_path: Path, lines: list[str]):
    output = tmp_path / "out.jsonl"
    folder = write_all(output)
    path = part_path(folder, 0)
    assert is_whole(path, CHUNKS[0])
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    assert not is_whole(path, CHUNKS[0])
    with pytest.raises(LeanformerError, match="does not answer its rows"):
        join(folder, output, CHUNKS)
    assert not output.exists() and folder.is_dir() and list(tmp_path.iterdir()) == [folder]


def test_a_missing_part_is_seen(tmp_path: Path):
    folder = write_all(tmp_path / "out.jsonl")
    part_path(folder, 2).unlink()
    assert not is_whole(part_path(folder, 2), CHUNKS[2])
    with pytest.raises(LeanformerError, match="part-000002"):
        join(folder, tmp_path / "out.jsonl", CHUNKS)


def test_writing_again_replaces_and_a_failure_leaves_nothing(tmp_path: Path):
    path = part_path(tmp_path, 0)
    write_part(path, map(answer, CHUNKS[0]))
    write_part(path, map(answer, CHUNKS[0]))
    assert len(read_part(path, CHUNKS[0])) == 2

    def failing():
        yield answer("one")
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        write_part(part_path(tmp_path, 1), failing())
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_line_separator_in_a_text_is_no_new_line(tmp_path: Path):
    """JSON leaves some characters as they are that Python counts among the ends of lines."""
    text = "one\u2028two\x85three"
    write_part(part_path(tmp_path, 0), [json.dumps({"text": text}, ensure_ascii=False)])
    assert is_whole(part_path(tmp_path, 0), [text])


def test_the_parts_of_another_job_are_not_taken(tmp_path: Path):
    folder = write_all(tmp_path / "out.jsonl")
    begin(folder, JOB)
    with pytest.raises(LeanformerError, match=r"another job \(artifact, rows differ\)"):
        begin(folder, JOB | {"artifact": "c", "rows": 3})
    (folder / "job.json").write_text("{", encoding="utf-8")
    with pytest.raises(LeanformerError, match="not readable"):
        begin(folder, JOB)
