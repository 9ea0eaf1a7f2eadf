"""`leanformer curve`: the table, the answer and the file; what is refused, with remedies that work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_label import texts
from tests.making.commands import Command, is_friendly, write_lines
from tests.making.tiny import tiny_artifact


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_lines(tmp_path / "data" / "train.jsonl", texts(150, 1))
    write_lines(tmp_path / "data" / "dev.jsonl", texts(60, 2))
    return tmp_path / "data"


def test_the_table_and_the_file(command: Command, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "curve.json"
    code, out, err = command("curve", data, "--draws", 3, "--more", 500, "--worth", 30, "--output", output)
    assert code == 0, err
    found = json.loads(output.read_text())
    assert found["metric"] == "accuracy" and found["rows"] == 150 and found["sizes"][-1] == 150
    assert [len(scores) for scores in found["scores"]] == [7, 7, 7]
    assert found["scores"][0][-1] > found["scores"][0][0]
    assert "500 more labels would raise accuracy on dev from" in out
    assert found["advice"] == "compress" and "compress now: less than 30 points are to be gained" in out
    assert command("curve", data, "--draws", 3, "--output", output)[0] == 0, "a curve may be replaced"
    again = command("curve", data, "--draws", 3, "--more", 500, "--worth", 30)
    assert again[1] == out, "the same again"


def test_sizes(command: Command, data: Path) -> None:
    code, out, _ = command("curve", data, "--sizes", "20,40,150", "--draws", 2)
    assert code == 0 and [line.split()[0] for line in out.splitlines()[1:4]] == ["20", "40", "150"]
    for wrong, said in (
        ("20,x", "not whole numbers"),
        ("20,40", "a curve needs 3 sizes"),
        ("20,40,151", "a size of 151 rows, and train has 150\n  remedy: sizes of at most 150"),
    ):
        refused = command("curve", data, "--sizes", wrong, "--draws", 2)
        is_friendly(*refused)
        assert said in refused[2]


def test_the_vectors_of_an_encoder(command: Command, data: Path, tmp_path: Path) -> None:
    encoder = tiny_artifact(tmp_path / "encoder").path
    code, out, err = command("curve", data, "--draws", 2, "--encoder", encoder)
    assert code == 0 and "more labels would raise accuracy on dev" in out, err
    assert out != command("curve", data, "--draws", 2)[1]


def test_what_has_no_curve(command: Command, tmp_path: Path, data: Path) -> None:
    output = write_lines(tmp_path / "mine.json", [{"my": "file"}])
    refused = command("curve", data, "--output", output)
    is_friendly(*refused)
    assert "it will not be overwritten" in refused[2]
    (data / "train.jsonl").unlink()
    refused = command("curve", data)
    is_friendly(*refused)
    assert "no train split" in refused[2] and "add train.jsonl to the folder" in refused[2]
    write_lines(data / "train.jsonl", texts(60, 1))
    assert command("curve", data, "--draws", 2)[0] == 0
