"""`leanformer label`: a loop that another program runs, and what is refused, with remedies that work."""

from __future__ import annotations

import json
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.making.commands import Command, is_friendly, write_lines
from tests.making.tiny import tiny_artifact

TOPICS = {
    "card": "card bank pin blocked payment terminal refused".split(),
    "loan": "loan rate interest years house mortgage repay".split(),
    "app": "app login phone screen crash update password".split(),
}
FILLER = "please my the is with help me today about what why how".split()


def texts(count: int, seed: int) -> list[dict[str, Any]]:
    drawn = random.Random(seed)
    rows = []
    for number in range(count):
        label = drawn.choice(list(TOPICS))
        words = [*drawn.sample(TOPICS[label], 3), *drawn.choices(FILLER, k=6), f"n{seed}x{number}"]
        drawn.shuffle(words)
        rows.append({"text": " ".join(words), "label": label})
    return rows


def bare(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"text": row["text"], "id": f"id{number}"} for number, row in enumerate(rows)]


@pytest.fixture
def gold(tmp_path: Path) -> dict[str, str]:
    rows = texts(120, 1)
    write_lines(tmp_path / "pool.jsonl", bare(rows))
    write_lines(tmp_path / "data" / "test.jsonl", texts(20, 2))
    return {row["text"]: row["label"] for row in rows}


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def answered(path: Path, gold: dict[str, str], rows: int | None = None) -> Path:
    """The labels that a person would fill in."""
    chosen = read(path)
    for row in chosen[:rows]:
        row["label"] = gold[row["text"]]
    return write_lines(path, chosen)


@pytest.mark.slow
def test_a_program_runs_the_loop(command: Command, tmp_path: Path, gold: dict[str, str]) -> None:
    pool = {row["text"]: (line, row["id"]) for line, row in enumerate(read(tmp_path / "pool.jsonl"), start=1)}
    rounds: list[Any] = []
    seen: set[str] = set()
    for number in range(1, 6):
        file, status = tmp_path / f"r{number}.jsonl", tmp_path / "status.json"
        code, out, err = command(
            "label", tmp_path / "pool.jsonl", "--data", tmp_path / "data", *rounds, "--count", 12, "--audit", 4,
            "--output", file, "--status", status,
        )  # fmt: skip
        assert code == 0 and out == "", err
        rows, said = read(file), json.loads(status.read_text())
        assert len(rows) == 16 and sum(row["audit"] for row in rows) == 4
        assert all(row["label"] is None and (row["line"], row["id"]) == pool[row["text"]] for row in rows)
        assert {row["strategy"] for row in rows} == {"kmeans" if number == 1 else "margin"}
        assert seen.isdisjoint(row["text"] for row in rows)
        seen |= {row["text"] for row in rows}
        assert said["round"] == number and said["labelled"] == 16 * (number - 1)
        assert said["candidates"] == 120 - 16 * (number - 1) and len(said["agreement"]) == max(0, min(3, number - 2))
        if number > 1:
            assert all(row["predicted"] in TOPICS and 0 < row["probability"] <= 1 for row in rows)
        answered(file, gold)
        rounds += ["--labelled", file]
    assert said["stop"] is False or min(said["agreement"]) > 0.9
    audit = said["audit"]
    assert audit["rows"] == 4 and audit["right"] == sum(
        row["audit"] and row["predicted"] == row["label"] for row in read(tmp_path / "r4.jsonl")
    )
    assert "last round, drawn at random: the model was right on" in err


@pytest.mark.slow
def test_answers_that_no_longer_change_say_stop(command: Command, tmp_path: Path, gold: dict[str, str]) -> None:
    """Rounds after the first repeat its labels, so the model stays as it is."""
    assert command("label", tmp_path / "pool.jsonl", "--count", 30, "--output", tmp_path / "r.jsonl")[0] == 0
    answered(tmp_path / "r.jsonl", gold)
    again = ["--labelled", tmp_path / "r.jsonl"]
    for times, stop in ((3, False), (4, True)):
        code, _, err = command(
            "label", tmp_path / "pool.jsonl", "--count", 3, *again * times, "--status", tmp_path / "s.json"
        )
        status = json.loads((tmp_path / "s.json").read_text())
        assert code == 0 and status["stop"] is stop and ("stop: yes" in err) is stop, err


def test_dev_and_test_are_left_out_and_told(command: Command, tmp_path: Path, gold: dict[str, str]) -> None:
    rows = bare(texts(30, 3))
    test = read(tmp_path / "data" / "test.jsonl")
    long = " ".join(f"word{number}" for number in range(40))
    write_lines(tmp_path / "data" / "test.jsonl", [*test, {"text": long, "label": "app"}])
    rows[4]["text"], rows[9]["text"], rows[12]["text"] = test[0]["text"].upper(), long + " x", rows[2]["text"]
    write_lines(tmp_path / "mixed.jsonl", rows)
    code, out, err = command("label", tmp_path / "mixed.jsonl", "--data", tmp_path / "data", "--count", 27)
    assert code == 0, err
    assert sorted(json.loads(line)["line"] for line in out.splitlines()) == [
        line for line in range(1, 31) if line not in (5, 10, 13)
    ]
    assert "left out, because they are in dev or test, exactly or nearly: 2 rows (lines 5, 10)" in err
    assert "0 rows that are labelled already, 1 repeats" in err


@pytest.mark.slow
def test_rows_added_to_train_are_not_chosen_again(command: Command, tmp_path: Path, gold: dict[str, str]) -> None:
    assert (
        command("label", tmp_path / "pool.jsonl", "--count", 40, "--audit", 5, "--output", tmp_path / "r.jsonl")[0] == 0
    )
    answered(tmp_path / "r.jsonl", gold).rename(tmp_path / "data" / "train.jsonl")
    code, out, err = command("label", tmp_path / "pool.jsonl", "--data", tmp_path / "data", "--count", 75)
    chosen = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and {row["strategy"] for row in chosen} == {"margin"}, err
    assert {row["text"] for row in chosen}.isdisjoint(row["text"] for row in read(tmp_path / "data" / "train.jsonl"))
    assert "45 rows are labelled, 75 of 120 rows of the pool can be chosen" in err


def test_words_or_a_column_are_what_a_label_costs(command: Command, tmp_path: Path) -> None:
    rows = [row | {"seconds": number} for number, row in enumerate(bare(texts(20, 4)))]
    write_lines(tmp_path / "pool.jsonl", rows)
    code, out, err = command(
        "label", tmp_path / "pool.jsonl", "--count", 5, "--cost", "seconds", "--status", tmp_path / "s.json"
    )
    cost = json.loads((tmp_path / "s.json").read_text())["cost"]
    assert code == 0 and cost["chosen"] == sum(json.loads(line)["line"] - 1 for line in out.splitlines())
    assert cost["of"] == "seconds" and cost["mean_candidate"] == 9.5
    code, _, err = command("label", tmp_path / "pool.jsonl", "--count", 5)
    assert code == 0 and "words: 10.0 per chosen row, 10.0 per row of the pool, 50 in all" in err
    write_lines(tmp_path / "pool.jsonl", [*rows[:3], bare(texts(4, 5))[3]])
    refused = command("label", tmp_path / "pool.jsonl", "--count", 2, "--cost", "seconds")
    is_friendly(*refused)
    assert f"{tmp_path / 'pool.jsonl'}, line 4: no cost in a column 'seconds'" in refused[2]
    assert command("label", tmp_path / "pool.jsonl", "--count", 2)[0] == 0, "the remedy: leave --cost out"


@pytest.mark.slow
def test_more_than_there_is(command: Command, tmp_path: Path, gold: dict[str, str]) -> None:
    arguments = ["label", tmp_path / "pool.jsonl", "--audit", 10, "--count"]
    refused = command(*arguments, 111)
    is_friendly(*refused)
    assert "111 rows and 10 for the audit are to be chosen, and of its 120 rows 120 can be" in refused[2]
    assert "remedy: --count 110" in refused[2] and command(*arguments, 110)[0] == 0
    write_lines(tmp_path / "all.jsonl", [{"text": row["text"]} for row in read(tmp_path / "data" / "test.jsonl")])
    refused = command("label", tmp_path / "all.jsonl", "--data", tmp_path / "data")
    is_friendly(*refused)
    assert "of its 20 rows 0 can be (20 in dev or test)" in refused[2]
    assert "remedy: add rows to the pool that are in no split" in refused[2]
    with open(tmp_path / "all.jsonl", "a") as handle:
        handle.writelines(json.dumps(row) + "\n" for row in bare(texts(50, 6)))
    assert command("label", tmp_path / "all.jsonl", "--data", tmp_path / "data")[0] == 0


def test_an_empty_pool_and_a_row_without_text(command: Command, tmp_path: Path) -> None:
    (tmp_path / "pool.jsonl").write_text("\n")
    refused = command("label", tmp_path / "pool.jsonl")
    is_friendly(*refused)
    assert "the file holds no examples\n  remedy: add examples" in refused[2]
    write_lines(tmp_path / "pool.jsonl", [*bare(texts(2, 1)), {"text": " "}])
    refused = command("label", tmp_path / "pool.jsonl", "--count", 2)
    is_friendly(*refused)
    assert f"{tmp_path / 'pool.jsonl'}, line 3: " in refused[2]
    write_lines(tmp_path / "pool.jsonl", bare(texts(2, 1)))
    assert command("label", tmp_path / "pool.jsonl", "--count", 2)[0] == 0


@pytest.mark.slow
def test_labels_that_are_not_in_the_task(command: Command, tmp_path: Path, gold: dict[str, str]) -> None:
    pool, file, data = tmp_path / "pool.jsonl", tmp_path / "r.jsonl", tmp_path / "data"
    write_lines(data / "train.jsonl", texts(10, 8))
    assert command("label", pool, "--data", data, "--count", 5, "--output", file)[0] == 0
    rows = read(answered(file, gold))
    rows[2]["label"] = "cards"
    write_lines(file, rows)
    refused = command("label", pool, "--data", data, "--count", 5, "--labelled", file)
    is_friendly(*refused)
    assert f"{file}, line 3: the label 'cards' is not one of the 3 known labels: app, card, loan" in refused[2]
    assert "remedy: correct it, or if the label is new, add a row with it to train of --data" in refused[2]
    with open(data / "train.jsonl", "a") as handle:
        handle.write(json.dumps({"text": "several cards at a time", "label": "cards"}) + "\n")
    assert command("label", pool, "--data", data, "--count", 5, "--labelled", file)[0] == 0


@pytest.mark.slow
def test_a_round_that_nobody_has_labelled(command: Command, tmp_path: Path, gold: dict[str, str]) -> None:
    pool, file = tmp_path / "pool.jsonl", tmp_path / "r.jsonl"
    assert command("label", pool, "--count", 5, "--output", file)[0] == 0
    refused = command("label", pool, "--count", 5, "--labelled", file)
    is_friendly(*refused)
    assert f"{file}, line 1: no row has a label yet" in refused[2] and '"label": "NAME"' in refused[2]
    answered(file, gold, rows=3)
    code, _, err = command("label", pool, "--count", 5, "--labelled", file)
    assert code == 0 and "3 rows are labelled" in err and "2 rows of earlier rounds have no label yet" in err


@pytest.mark.slow
def test_a_strategy_that_needs_labels(command: Command, tmp_path: Path, gold: dict[str, str]) -> None:
    for strategy in ("margin", "badge"):
        refused = command("label", tmp_path / "pool.jsonl", "--strategy", strategy)
        is_friendly(*refused)
        assert f"--strategy {strategy} needs labelled rows of at least two labels" in refused[2]
        assert "remedy: --strategy kmeans" in refused[2]
    assert command("label", tmp_path / "pool.jsonl", "--strategy", "kmeans")[0] == 0
    refused = command("label", tmp_path / "pool.jsonl", "--strategy", "margins")
    is_friendly(*refused)
    assert "not one of margin, entropy" in refused[2]


def test_tasks_of_other_kinds(command: Command, tmp_path: Path) -> None:
    write_lines(tmp_path / "data" / "train.jsonl", [{"text": "a b", "label": 1.5}, {"text": "c d", "label": 2.25}])
    write_lines(tmp_path / "pool.jsonl", bare(texts(5, 1)))
    refused = command("label", tmp_path / "pool.jsonl", "--data", tmp_path / "data", "--count", 2)
    is_friendly(*refused)
    assert "tasks with one label per text, and these are of kind 'regression'" in refused[2]


@pytest.mark.slow
def test_labels_are_never_overwritten(command: Command, tmp_path: Path, gold: dict[str, str]) -> None:
    pool, file = tmp_path / "pool.jsonl", tmp_path / "r.jsonl"
    for _ in range(2):
        assert command("label", pool, "--count", 5, "--output", file)[0] == 0
    before = answered(file, gold, rows=1).read_bytes()
    refused = command("label", pool, "--count", 5, "--output", file)
    is_friendly(*refused)
    assert "is not rows of `leanformer label` without labels" in refused[2] and file.read_bytes() == before
    refused = command("label", pool, "--count", 5, "--output", pool)
    is_friendly(*refused)
    assert "is the input itself" in refused[2]


@pytest.mark.slow
def test_rows_and_status_need_two_files(command: Command, tmp_path: Path, gold: dict[str, str]) -> None:
    pool, file = tmp_path / "pool.jsonl", tmp_path / "r.jsonl"
    (tmp_path / "link.jsonl").symlink_to(file)
    for status in (file, tmp_path / "data" / ".." / "r.jsonl", tmp_path / "link.jsonl"):
        refused = command("label", pool, "--count", 5, "--output", file, "--status", status)
        is_friendly(*refused)
        assert "is the file of --output, whose rows would be lost" in refused[2] and not file.exists()
        other = refused[2].split("remedy: --status ")[1].splitlines()[0]
        assert command("label", pool, "--count", 5, "--output", file, "--status", other)[0] == 0
        assert len(read(file)) == 5 and json.loads(Path(other).read_text())["round"] == 1
        file.unlink()


@pytest.mark.slow
def test_answered_rows_are_appended_to_train(command: Command, tmp_path: Path, gold: dict[str, str]) -> None:
    """By the line in docs/how-to/label.md."""
    guide = (Path(__file__).parents[2] / "docs" / "how-to" / "label.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"`(grep .*round.*)`", guide)
    assert command("label", tmp_path / "pool.jsonl", "--count", 6, "--output", tmp_path / "round1.jsonl")[0] == 0
    answered(tmp_path / "round1.jsonl", gold, rows=4)
    subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True)
    assert read(tmp_path / "data" / "train.jsonl") == read(tmp_path / "round1.jsonl")[:4]


@pytest.mark.slow
def test_the_vectors_of_an_encoder(command: Command, tmp_path: Path, gold: dict[str, str]) -> None:
    pairs = [{"text": row["text"], "text_pair": "card"} for row in texts(9, 1)]
    encoder = tiny_artifact(tmp_path / "encoder").path
    for pool in (tmp_path / "pool.jsonl", write_lines(tmp_path / "pairs.jsonl", pairs)):
        code, out, err = command("label", pool, "--count", 5, "--encoder", encoder)
        assert code == 0 and len(out.splitlines()) == 5, err
        assert out != command("label", pool, "--count", 5)[1]


def test_pairs_and_plain_text(command: Command, tmp_path: Path) -> None:
    pairs = [
        {"text": row["text"], "text_pair": other["text"]} for row, other in zip(texts(9, 1), texts(9, 2), strict=True)
    ]
    code, out, err = command("label", write_lines(tmp_path / "pairs.jsonl", pairs), "--count", 4)
    assert code == 0 and all({"text", "text_pair"} <= {*json.loads(line)} for line in out.splitlines()), err
    (tmp_path / "pool.txt").write_text("".join(row["text"] + "\n\n" for row in texts(9, 1)))
    code, out, err = command("label", tmp_path / "pool.txt", "--count", 9)
    assert code == 0 and sorted(json.loads(line)["line"] for line in out.splitlines()) == list(range(1, 19, 2)), err
