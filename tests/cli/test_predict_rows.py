"""`leanformer predict` on files: an answer line for each row, with its number, its id and what is to be kept."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from leanformer.cli import predict as predict_module
from tests.making.commands import FP32_ENGINE, Command, is_friendly
from tests.making.tiny import tiny_texts

TEXTS = list(tiny_texts(30, seed=4)[0])


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    lines = ["id,text,when", *(f"n{number},{text},{number % 3}" for number, text in enumerate(TEXTS))]
    lines[8], lines[20] = "n7,,1", "n19,\u200b,1"
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "rows.csv"


@pytest.mark.parametrize("threads", [1, 2])
def test_one_bad_row_does_not_stop_the_others(
    command: Command, tiny_onnx_artifact: Path, table: Path, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict_module, "_CHUNK", 4)
    given = ("predict", tiny_onnx_artifact, "--input", table, "--threads", threads)
    status, out, err = command(*given)
    found = records(out)
    assert status == 0 and [record["row"] for record in found] == list(range(1, 31))
    assert [record["row"] for record in found if "error" in record] == [8, 20]
    assert found[7] == {"row": 8, "id": "n7", "text": "", "error": "an empty text"}
    assert "warning: 2 of 30 rows have no answer" in err and "first row 8: an empty text" in err and "--strict" in err
    alone = records(command("predict", tiny_onnx_artifact, TEXTS[0], TEXTS[29])[1])
    for ours, theirs in ((found[0], alone[0]), (found[29], alone[1])):
        assert ours["label"] == theirs["label"]
        assert ours["probabilities"] == pytest.approx(theirs["probabilities"], abs=1e-5)


def test_columns_are_kept_on_request(command: Command, tiny_onnx_artifact: Path, table: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    given = ("predict", tiny_onnx_artifact, "--input", table, "--output", output)
    assert command(*given, "--keep", "when", "--keep", "text=given")[0] == 0
    found = records(output.read_text(encoding="utf-8"))
    assert [list(record)[:5] for record in found[:2]] == [["row", "id", "when", "given", "text"]] * 2
    assert [record["when"] for record in found] == [str(number % 3) if number != 19 else "1" for number in range(30)]
    is_friendly(*command(*given, "--keep", "whem"))
    answer = command(*given, "--keep", "text")
    is_friendly(*answer)
    assert "--keep text=given_text" in answer[2]
    is_friendly(*command("predict", tiny_onnx_artifact, "goal", "--keep", "id"))


def test_strict_stops_at_the_first_and_says_where(command: Command, tiny_onnx_artifact: Path, table: Path) -> None:
    output = table.with_name("out.jsonl")
    answer = command("predict", tiny_onnx_artifact, "--input", table, "--output", output, "--strict")
    is_friendly(*answer)
    assert "rows.csv, line 9: an empty text\n  remedy: " in answer[2] and not output.exists()
    table.write_text(table.read_text(encoding="utf-8").replace("n7,,", "n7,goal,").replace("\u200b", "goal"), "utf-8")
    status, _, err = command("predict", tiny_onnx_artifact, "--input", table, "--output", output, "--strict")
    assert (status, err) == (0, FP32_ENGINE)
    assert len(records(output.read_text(encoding="utf-8"))) == 30


def test_line_n_of_the_answers_is_line_n_of_the_texts(
    command: Command, tiny_onnx_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"goal\n\nrain\ncaf\xe9\n \x07\nsong"
    (tmp_path / "a.txt").write_bytes(content)
    for source in (tmp_path / "a.txt", "-"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        status, out, _ = command("predict", tiny_onnx_artifact, "--input", source)
        found = records(out)
        assert status == 0 and [record["row"] for record in found] == [1, 2, 3, 4, 5, 6]
        assert ["error" in record for record in found] == [False, True, False, True, True, False]


@pytest.mark.parametrize("content", ["\n\n", "\u200b\n", "{}\n"])
def test_where_no_row_has_an_answer_it_is_an_error(
    command: Command, tiny_onnx_artifact: Path, tmp_path: Path, content: str
) -> None:
    (tmp_path / "a.jsonl").write_text(content, encoding="utf-8")
    (tmp_path / "out.jsonl").write_text('{"text": "older"}\n')
    answer = command("predict", tiny_onnx_artifact, "--input", tmp_path / "a.jsonl", "--output", tmp_path / "new.jsonl")
    is_friendly(*answer)
    assert "has no answer" in answer[2] or "none of" in answer[2]
    assert not (tmp_path / "new.jsonl").exists(), "nothing is written"


def test_half_characters_are_written_as_json_has_them(
    command: Command, tiny_onnx_artifact: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "goal \\ud800", "id": "\\udfff"}\n{"text": "goal"}\n', encoding="utf-8")
    given = ("predict", tiny_onnx_artifact, "--input", tmp_path / "a.jsonl", "--output", tmp_path / "out.jsonl")
    assert command(*given)[0] == 0
    first = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first["text"] == "goal \ud800" and first["id"] == "\udfff" and "surrogate" in first["error"]


@pytest.mark.parametrize("text", ["", "  ", "\u200b", "\x07", "\ufeff"])
def test_the_command_line_follows_the_rule_of_empty_texts(
    command: Command, tiny_onnx_artifact: Path, text: str
) -> None:
    is_friendly(*command("predict", tiny_onnx_artifact, "goal", text))
