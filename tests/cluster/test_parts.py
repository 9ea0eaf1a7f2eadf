"""Parts: one whole file a number, joined only where each line answers its row."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from leanformer.bulk import Asked, Tally, numbered, text_fields
from leanformer.cluster.parts import begin, is_whole, join, part_path, parts_folder, read_part, write_part
from leanformer.errors import DataError, LeanformerError
from leanformer.task import Question

QUESTIONS: list[Question] = ["one", "two", ("three", "third"), ("four", "fourth"), ["five", "words"], "lost"]
ROWS = [replace(row, kept={"id": 10 * row.number}) for row in numbered(QUESTIONS)]
ROWS[5] = replace(ROWS[5], problem=DataError("no question"))
CHUNKS = [ROWS[:2], ROWS[2:4], ROWS[4:]]
JOB = {"input": "a", "artifact": "b", "rows": 2}


def answer(row: Asked) -> str:
    said = {"label": "x"} if row.problem is None else {"error": "no question"}
    return json.dumps({"row": row.number, "id": 10 * row.number, **text_fields(row.question), **said})


ONE, TWO = map(answer, ROWS[:2])


def write_all(output: Path) -> Path:
    folder = parts_folder(output)
    begin(folder, JOB)
    for number, chunk in enumerate(CHUNKS):
        write_part(part_path(folder, number), map(answer, chunk))
    return folder


def test_parts_are_joined_in_order_and_removed(tmp_path: Path):
    output = tmp_path / "out.jsonl"
    folder = write_all(output)
    assert join(folder, output, CHUNKS) == Tally(6, 1, "row 6: no question")
    assert output.read_text(encoding="utf-8").splitlines() == [answer(row) for row in ROWS]
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


@pytest.mark.parametrize("name", ["thesis.txt", "part-1.jsonl", "sub/photo.jpg", ".hidden", "part-000001.jsonl.old"])
def test_what_is_no_part_is_not_removed(name: str, tmp_path: Path):
    """Neither where the folder is somebody else's, nor where something came into ours meanwhile."""
    output = tmp_path / "out.jsonl"
    theirs = parts_folder(output) / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("years of work")
    with pytest.raises(LeanformerError, match="is no part of the answers"):
        begin(parts_folder(output), JOB)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [theirs]
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
        [ONE],
        [ONE, TWO, TWO],
        [TWO, ONE],
        [ONE, ONE],
        [ONE, TWO.replace('"row": 2', '"row": 3')],
        [ONE, TWO.replace('"id": 20', '"id": 21')],
        [ONE, '{"text": "tw'],
        [ONE, "3"],
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
        yield ONE
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        write_part(part_path(tmp_path, 1), failing())
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


def test_a_line_separator_in_a_text_is_no_new_line(tmp_path: Path):
    """JSON leaves some characters as they are that Python counts among the ends of lines."""
    text = "one\u2028two\x85three"
    write_part(part_path(tmp_path, 0), [json.dumps({"row": 1, "text": text}, ensure_ascii=False)])
    assert is_whole(part_path(tmp_path, 0), list(numbered([text])))


def test_the_parts_of_another_job_are_not_taken(tmp_path: Path):
    folder = write_all(tmp_path / "out.jsonl")
    begin(folder, JOB)
    with pytest.raises(LeanformerError, match=r"another job \(artifact, rows differ\)"):
        begin(folder, JOB | {"artifact": "c", "rows": 3})
    (folder / "job.json").write_text("{", encoding="utf-8")
    with pytest.raises(LeanformerError, match="not readable"):
        begin(folder, JOB)


def test_where_no_row_has_an_answer_nothing_is_written(tmp_path: Path):
    rows = [replace(row, problem=DataError("no question")) for row in ROWS[:2]]
    folder = parts_folder(tmp_path / "out.jsonl")
    begin(folder, JOB)
    lines = [{"row": row.number, **row.kept, **text_fields(row.question), "error": "no question"} for row in rows]
    write_part(part_path(folder, 0), map(json.dumps, lines))
    with pytest.raises(LeanformerError, match="none of 2 rows has an answer; row 1: no question"):
        join(folder, tmp_path / "out.jsonl", [rows])
    assert not (tmp_path / "out.jsonl").exists()
