"""`leanformer curate`: planted repeats and leaks are found, dev and test stay, and a second run changes nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leanformer.curate import curation
from leanformer.data.dataset import open_dataset
from tests.making.commands import Command, is_friendly, write_lines
from tests.making.tiny import TASK, tiny_artifact, tiny_texts

Rows = list[dict[str, Any]]
WORDS = [
    f"{first}{second}" for first in "ba de ki lo mu na po re si tu".split() for second in "ran lim dos ket".split()
]
LABELS = ("no", "yes")


def drawn_rows(count: int, seed: int) -> Rows:
    """Texts of 20 to 30 words, none like another."""
    drawn = random.Random(seed)
    return [
        {
            "text": " ".join(drawn.choices(WORDS, k=drawn.randrange(20, 31))),
            "label": LABELS[row % 2],
            "author": f"a{seed}",
        }
        for row in range(count)
    ]


def edited(row: dict[str, Any], drawn: random.Random, **changes: Any) -> dict[str, Any]:
    """The row with one word replaced by another."""
    words = row["text"].split()
    words[drawn.randrange(len(words))] = "other"
    return row | {"text": " ".join(words)} | changes


def write_data(folder: Path, **splits: Rows) -> Path:
    for split, rows in splits.items():
        write_lines(folder / f"{split}.jsonl", rows)
    return folder


def report_of(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return value


def data_files(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if path.stem in ("train", "dev", "test", "unlabelled")
    }


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """200 train rows, 60 test rows, 60 dev rows; each of 20 leaks and repeats exact, recased and edited in one word."""
    drawn = random.Random(7)
    train, test, dev = (drawn_rows(count, seed) for count, seed in ((200, 1), (60, 2), (60, 3)))
    train += [dict(row) for row in train[:20]]
    train += [row | {"text": f"  {row['text'].upper()}"} for row in train[20:40]]
    train += [edited(row, drawn) for row in train[40:60]]
    train += [dict(row) for row in test[:20]]
    train += [row | {"text": row["text"].title()} for row in test[20:40]]
    train += [edited(row, drawn) for row in dev[:20]]
    return write_data(tmp_path / "data", train=train, test=test, dev=dev)


def test_what_was_planted_is_found_and_nothing_else(command: Command, planted: Path, tmp_path: Path) -> None:
    before = data_files(planted)
    status, out, err = command("curate", planted, "--output", tmp_path / "found")
    assert status == 0, err
    found = report_of(tmp_path / "found")
    assert found["clusters"]["exact"] == {"clusters": 40, "rows": 80, "repeats": 40}
    assert found["clusters"]["near"]["clusters"] >= 19 and found["clusters"]["conflicting"]["clusters"] == 0
    leaks = [(leak["kind"], leak["row"]["split"], leak["row"]["line"], leak["in"]["line"]) for leak in found["leaks"]]
    assert [leak[:3] for leak in leaks if leak[1] == "test"] == [("exact", "test", line) for line in range(1, 41)]
    assert all(other == 260 + line for _, split, line, other in leaks if split == "test")
    near = [leak for leak in leaks if leak[1] == "dev"]
    assert len(near) >= 19 and {kind for kind, *_ in near} == {"near"} and max(line for _, _, line, _ in near) <= 20
    assert found["between"] == [] and found["groups"] is None and found["applied"] is None
    rows = [json.loads(line) for line in (tmp_path / "found" / "clusters.jsonl").read_text().splitlines()]
    assert rows[0]["kind"] == "exact" and [row["line"] for row in rows[0]["rows"]] == [1, 201]
    assert rows[0]["rows"][0]["split"] == "train" and rows[0]["rows"][0]["label"] == "no"
    assert "40 exactly, 0 nearly" in out and data_files(tmp_path / "found") == {} and data_files(planted) == before


@pytest.mark.slow
def test_disjoint_texts_give_nothing(command: Command, tmp_path: Path) -> None:
    splits = {split: drawn_rows(200, seed) for seed, split in enumerate(("train", "dev", "test"), start=1)}
    status, out, err = command(
        "curate", write_data(tmp_path / "data", **splits), "--output", tmp_path / "found", "--apply"
    )
    assert status == 0, err
    assert "no repeats, no near repeats and no leaks were found" in out
    assert data_files(tmp_path / "found") == data_files(tmp_path / "data")
    page = (tmp_path / "found" / "report.md").read_text()
    assert "- No row was removed" in page and "## Repeats" not in page


@pytest.mark.slow
def test_apply_changes_train_alone_and_a_second_time_nothing(command: Command, planted: Path, tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    assert command("curate", planted, "--output", once, "--apply")[0] == 0
    assert command("curate", once, "--output", twice, "--apply")[0] == 0
    assert data_files(once) == data_files(twice) and data_files(once) != data_files(planted)
    for split in ("dev", "test"):
        assert (once / f"{split}.jsonl").read_bytes() == (planted / f"{split}.jsonl").read_bytes()
    before, after = open_dataset(planted), open_dataset(once)
    assert after.task == before.task and after.train is not None
    assert 200 <= len(after.train) <= 202, "of an edit may be missed what is below the threshold"
    kept = (planted / "train.jsonl").read_text().splitlines(keepends=True)[:200]
    assert (once / "train.jsonl").read_text().startswith("".join(kept)), "the first rows, with all columns, as written"
    assert report_of(twice)["applied"]["kept"] == {"train": len(after.train)}
    assert "no repeats" in command("curate", once, "--output", tmp_path / "third")[1]


@pytest.mark.parametrize(
    ("conflicting", "wanted"), [(None, [1, 2, 4]), ("first", [1, 2, 4]), ("none", [2, 4]), ("keep", [1, 2, 3, 4])]
)
def test_different_labels_are_a_finding_and_decided_as_asked(
    conflicting: str | None, wanted: list[int], command: Command, tmp_path: Path
) -> None:
    rows = drawn_rows(3, 1)
    train = [*rows[:2], rows[0] | {"text": rows[0]["text"] + "."} | {"label": "yes"}, rows[2]]
    data = write_data(tmp_path / "data", train=train, test=drawn_rows(4, 2))
    given = () if conflicting is None else ("--conflicting", conflicting)
    status, out, err = command("curate", data, "--output", tmp_path / "clean", "--apply", *given)
    assert status == 0, err
    assert "1 cluster with different labels" in out
    (cluster,) = map(json.loads, (tmp_path / "clean" / "clusters.jsonl").read_text().splitlines())
    assert cluster["conflicting"] and [row["label"] for row in cluster["rows"]] == ["no", "yes"]
    left = (tmp_path / "clean" / "train.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in left] == [train[line - 1] for line in wanted]
    assert "## Different labels" in (tmp_path / "clean" / "report.md").read_text()


def test_the_last_row_of_a_label_stays(command: Command, tmp_path: Path) -> None:
    """Otherwise the task would lose the label."""
    rows, test = drawn_rows(4, 1), [*drawn_rows(2, 2), drawn_rows(1, 3)[0] | {"label": "maybe"}]
    data = write_data(tmp_path / "data", train=[*rows, test[2], test[0]], test=test)
    status, _, err = command("curate", data, "--output", tmp_path / "clean", "--apply")
    assert status == 0, err
    assert open_dataset(tmp_path / "clean").task.labels == ("maybe", "no", "yes")
    applied = report_of(tmp_path / "clean")["applied"]
    assert [row["line"] for row in applied["needed"]] == [5] and applied["leaked"] == 1
    assert "only rows of their label: train lines 5" in (tmp_path / "clean" / "report.md").read_text()


def test_dev_and_test_and_groups_and_the_card(command: Command, tmp_path: Path) -> None:
    train, dev, test = (drawn_rows(count, seed) for count, seed in ((30, 1), (10, 2), (9, 4)))
    test += [dev[0] | {"author": "a1"}]
    train[0] |= {"language": "de"}
    data = write_data(
        tmp_path / "data", train=[*train, {"text": "word", "label": "no", "author": "a9"}], dev=dev, test=test
    )
    status, out, err = command(
        "curate", data, "--output", tmp_path / "found", "--group", "author", "--licence", "CC0", "--source", "a forum"
    )
    assert status == 0, err
    found = report_of(tmp_path / "found")
    assert [(leak["row"]["line"], leak["in"]["line"]) for leak in found["between"]] == [(1, 10)]
    assert found["groups"] == [{"value": "a1", "rows": {"train": 30, "test": 1}}] and "groups of author" in out
    card = found["card"]
    assert (card["licence"], card["source"], card["labels"]) == ("CC0", "a forum", ["no", "yes"])
    assert card["splits"]["train"]["languages"] == {"de": 1} and card["splits"]["test"]["languages"] == {}
    assert card["splits"]["train"]["short"] == 1 and card["splits"]["train"]["rows"] == 31
    page = (tmp_path / "found" / "report.md").read_text()
    assert "Licence: CC0" in page and "## Dev texts in test" in page and len(page.splitlines()) <= 60


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_table_stays_a_table(suffix: str, command: Command, tmp_path: Path) -> None:
    mark = "," if suffix == ".csv" else "\t"
    (tmp_path / "data").mkdir()
    rows = drawn_rows(3, 1)
    lines = [f"{row['text']}{mark}{row['label']}{mark}note {number}\n" for number, row in enumerate(rows)]
    header = mark.join(("text", "label", "note")) + "\n"
    long = f'"first line\nof a text"{mark}no{mark}x\n' if suffix == ".csv" else ""
    for split, content in {"train": [*lines, lines[1], long, lines[0], long], "test": [lines[2]]}.items():
        (tmp_path / "data" / f"{split}{suffix}").write_text(header + "".join(content))
    status, _, err = command("curate", tmp_path / "data", "--output", tmp_path / "clean", "--apply")
    assert status == 0, err
    assert (tmp_path / "clean" / f"train{suffix}").read_text() == header + "".join([*lines[:2], long])


def test_unlabelled_texts_lose_what_train_and_test_have(command: Command, tmp_path: Path) -> None:
    train, test, more = drawn_rows(6, 1), drawn_rows(3, 2), drawn_rows(3, 3)
    rows = [{"text": row["text"]} for row in (more[0], train[0], test[0], more[1], more[1])]
    data = write_data(tmp_path / "data", train=train, test=test, unlabelled=rows)
    assert command("curate", data, "--output", tmp_path / "clean", "--apply")[0] == 0
    left = (tmp_path / "clean" / "unlabelled.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in left] == [rows[0], rows[3]]
    assert report_of(tmp_path / "clean")["leaks"][0]["in"]["split"] == "unlabelled"


KINDS: dict[str, Callable[[str, int], dict[str, Any]]] = {
    "pair": lambda text, number: {"text": text, "text_pair": "as said", "label": LABELS[number % 2]},
    "multilabel": lambda text, number: {"text": text, "labels": list(LABELS[: number % 3])},
    "regression": lambda text, number: {"text": text, "label": number + 0.5},
    "choice": lambda text, number: {"text": text, "choices": ["this", "that"], "label": number % 2},
    "tokens": lambda text, number: {"words": text.split(), "tags": ["B-PER"] + ["O"] * (len(text.split()) - 1)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_task(kind: str, command: Command, tmp_path: Path) -> None:
    texts = [row["text"] for row in drawn_rows(9, 1)]
    rows = [KINDS[kind](text, number) for number, text in enumerate(texts)]
    data = write_data(tmp_path / "data", train=[*rows[:6], rows[2], rows[7]], test=rows[6:])
    status, _, err = command("curate", data, "--output", tmp_path / "clean", "--apply")
    assert status == 0, err
    left = (tmp_path / "clean" / "train.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in left] == rows[:6]
    assert open_dataset(tmp_path / "clean").task.kind == kind


def refused(command: Command, *arguments: object) -> str:
    status, out, err = command("curate", *arguments)
    is_friendly(status, out, err)
    assert "remedy: " in err
    return err


def test_without_train_and_its_remedy(command: Command, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", test=drawn_rows(5, 1), other=drawn_rows(5, 2))
    err = refused(command, data, "--output", tmp_path / "found")
    assert "no train split, only test" in err and "--split train=FILE" in err and str(data / "test.jsonl") in err
    assert not (tmp_path / "found").exists()
    assert command("curate", data, "--output", tmp_path / "found", "--split", "train=other")[0] == 0


def test_an_unknown_column_and_its_remedy(command: Command, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", train=drawn_rows(5, 1), test=drawn_rows(5, 2))
    err = refused(command, data, "--output", tmp_path / "found", "--group", "autor")
    assert f"{data / 'train.jsonl'}, line 1: " in err and "'text', 'label', 'author'" in err
    assert "remedy: say --group author" in err
    assert command("curate", data, "--output", tmp_path / "found", "--group", "author")[0] == 0
    err = refused(command, data / "train.jsonl", "--output", tmp_path / "other", "--group", "author")
    assert "leave --group out" in err
    assert command("curate", data / "train.jsonl", "--output", tmp_path / "other")[0] == 0


def test_the_output_is_not_in_the_data_and_not_the_data(command: Command, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", train=drawn_rows(5, 1), test=drawn_rows(5, 2))
    before = data_files(data)
    err = refused(command, data, "--output", data / "clean")
    assert "is in the data folder" in err and f"--output {tmp_path / 'data-clean'}" in err
    assert command("curate", data, "--output", tmp_path / "data-clean")[0] == 0
    assert "which is read" in refused(command, data, "--output", data, "--overwrite")
    assert "which is read" in refused(command, data, "--output", tmp_path)
    assert data_files(data) == before and not (data / "clean").exists()


def test_conflicting_needs_apply_and_a_known_value(command: Command, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", train=drawn_rows(5, 1))
    assert "add --apply" in refused(command, data, "--output", tmp_path / "found", "--conflicting", "none")
    assert "first, none, keep" in refused(command, data, "--output", tmp_path / "x", "--apply", "--conflicting", "all")


def test_an_edited_output_is_not_overwritten(command: Command, planted: Path, tmp_path: Path) -> None:
    clean = tmp_path / "clean"
    assert command("curate", planted, "--output", clean, "--apply")[0] == 0
    with open(clean / "train.jsonl", "a") as file:
        file.write(json.dumps({"text": "mine", "label": "no"}) + "\n")
    before = data_files(clean)
    assert "train.jsonl is not as Leanformer wrote it" in refused(
        command, planted, "--output", clean, "--apply", "--overwrite"
    )
    assert data_files(clean) == before


@pytest.mark.slow
@pytest.mark.data
def test_what_trec_has(leanformer_data: Path, command: Command, tmp_path: Path) -> None:
    """The numbers of `leanformer bench` on the same data."""
    status, _, err = command("curate", leanformer_data / "trec", "--output", tmp_path / "trec", "--apply")
    assert status == 0, err
    leaks = report_of(tmp_path / "trec")["leaks"]
    assert (len(leaks), sum(leak["kind"] == "exact" for leak in leaks)) == (12, 11)
    again = open_dataset(tmp_path / "trec")
    assert again.overlap["test_in_train"] == 0 and again.test is not None and len(again.test) == 500


def labelled_rows(count: int, seed: int = 4) -> Rows:
    """Texts whose label can be told: of 100 rows each 20th has the wrong one."""
    words = {"no": "rain storm cloud", "yes": "goal match team"}
    drawn = random.Random(seed)
    rows = []
    for row in range(count):
        label = LABELS[row % 2]
        text = " ".join(drawn.choices(words[label].split(), k=3) + drawn.choices(WORDS, k=9))
        rows.append({"text": text, "label": LABELS[1 - row % 2] if row % 20 == 0 else label, "author": f"a{row}"})
    return rows


@pytest.fixture
def mislabelled(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data", train=labelled_rows(200), dev=labelled_rows(40, 5), test=drawn_rows(30, 9))


def suspects_of(folder: Path) -> Rows:
    return [json.loads(line) for line in (folder / "suspects.jsonl").read_text(encoding="utf-8").splitlines()]


def test_wrong_labels_are_reported_and_stay(command: Command, mislabelled: Path, tmp_path: Path) -> None:
    status, out, err = command("curate", mislabelled, "--output", tmp_path / "found", "--apply")
    assert status == 0, err
    suspects = suspects_of(tmp_path / "found")
    planted = set(range(1, 201, 20))
    assert planted <= {suspect["line"] for suspect in suspects} and len(suspects) <= 12
    assert {(suspect["given"], suspect["suggested"]) for suspect in suspects if suspect["line"] in planted} == {
        ("yes", "no")
    }
    assert f"labels of train that are probably wrong: {len(suspects)} of 200" in out
    assert report_of(tmp_path / "found")["labels"]["suspects"] == len(suspects)
    assert data_files(tmp_path / "found") == data_files(mislabelled), "none is removed or changed"
    page = (tmp_path / "found" / "report.md").read_text()
    assert "## Labels that are probably wrong" in page and "(yes), perhaps no:" in page
    assert "suspects.html" in page and (tmp_path / "found" / "suspects.html").is_file()


def test_without_labels_there_are_none(command: Command, mislabelled: Path, tmp_path: Path) -> None:
    status, out, err = command("curate", mislabelled, "--output", tmp_path / "found", "--no-labels")
    assert status == 0, err
    assert "probably wrong" not in out and report_of(tmp_path / "found")["labels"] is None
    assert not (tmp_path / "found" / "suspects.jsonl").exists()


def test_decisions_are_applied_to_train_alone(command: Command, mislabelled: Path, tmp_path: Path) -> None:
    found, clean = tmp_path / "found", tmp_path / "clean"
    assert command("curate", mislabelled, "--output", found)[0] == 0
    first, second, third, *_ = suspects = suspects_of(found)
    decisions = tmp_path / "decisions.jsonl"
    write_lines(
        decisions,
        [
            {"format_version": 1, "data": report_of(found)["labels"]["data"]},
            {"row": first["row"], "decision": "relabel", "label": first["suggested"]},
            {"row": second["row"], "decision": "drop"}, {"row": third["row"], "decision": "keep"},
        ],
    )  # fmt: skip
    status, out, err = command("curate", mislabelled, "--output", clean, "--decisions", decisions, "--apply")
    assert status == 0, err
    assert "1 row of train removed, 1 row relabelled" in out
    before, after = (
        [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
        for folder in (mislabelled, clean)
    )
    before[first["row"] - 1]["label"] = first["suggested"]
    del before[second["row"] - 1]
    assert after == before, "other rows and columns are as they were"
    for split in ("dev", "test"):
        assert (clean / f"{split}.jsonl").read_bytes() == (mislabelled / f"{split}.jsonl").read_bytes()
    applied = report_of(clean)["applied"]
    assert (applied["dropped"], applied["relabelled"]) == (1, 1) and len(suspects) >= 10
    assert "1 by decision" in (clean / "report.md").read_text()
    is_friendly(*command("curate", clean, "--output", tmp_path / "again", "--decisions", decisions, "--apply"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--decisions", "d.jsonl"], "nothing is changed without --apply"),
        (["--encoder", "model", "--no-labels"], "wrong labels are not looked for"),
        (["--encoder", "model", "--decisions", "d.jsonl", "--apply"], "wrong labels are not looked for"),
        (["--decisions", "none.jsonl", "--apply"], "none.jsonl: cannot be read"),
        (["--encoder", "./none"], "no such folder"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: list[str], told: str, command: Command, mislabelled: Path, tmp_path: Path
) -> None:
    status, out, err = command("curate", mislabelled, "--output", tmp_path / "found", *options)
    is_friendly(status, out, err)
    assert told in err and not (tmp_path / "found").exists()


def test_decisions_about_scores_are_refused(command: Command, tmp_path: Path) -> None:
    rows = [{"text": f"text {row}", "label": row / 2} for row in range(30)]
    write_lines(tmp_path / "d.jsonl", [{"format_version": 1, "data": ""}])
    data = write_data(tmp_path / "data", train=rows)
    asked = ("--decisions", tmp_path / "d.jsonl", "--apply", "--kind", "regression")
    is_friendly(*command("curate", data, "--output", tmp_path / "a", *asked))
    status, out, err = command("curate", data, "--output", tmp_path / "b")
    assert status == 0 and "wrong labels are not looked for" in err and "probably wrong" not in out


def test_an_encoder_takes_the_place_of_n_grams(command: Command, mislabelled: Path, tmp_path: Path) -> None:
    from tests.making.tiny import tiny_artifact

    model = tiny_artifact(tmp_path / "model").path
    status, out, err = command("curate", mislabelled, "--output", tmp_path / "found", "--encoder", model)
    assert status == 0, err
    assert "by a linear model on model" in out and report_of(tmp_path / "found")["labels"]["features"] == "model"


@pytest.mark.parametrize("count", [1, 4])
def test_equal_texts_cannot_be_checked(count: int, command: Command, tmp_path: Path) -> None:
    """There is no other text to learn from."""
    rows = [{"text": "the very same text", "label": LABELS[row % 2]} for row in range(count)]
    data = write_data(tmp_path / "data", train=rows, test=[{"text": "another text", "label": LABELS[0]}])
    status, out, err = command("curate", data, "--output", tmp_path / "found")
    assert status == 0, err
    assert "probably wrong: 0 of 0" in out and suspects_of(tmp_path / "found") == []


def test_a_relabelled_duplicate_wins_over_the_first(command: Command, tmp_path: Path) -> None:
    rows = [*drawn_rows(30, 3), drawn_rows(1, 3)[0]]
    data, found, clean = write_data(tmp_path / "data", train=rows), tmp_path / "found", tmp_path / "clean"
    assert command("curate", data, "--output", found)[0] == 0
    header = {"format_version": 1, "data": report_of(found)["labels"]["data"]}
    decisions = tmp_path / "decisions.jsonl"
    write_lines(decisions, [header, {"row": 31, "decision": "relabel", "label": "yes"}])
    status, out, err = command("curate", data, "--output", clean, "--decisions", decisions, "--apply")
    assert status == 0 and "1 row relabelled" in out, err
    texts = [json.loads(line) for line in (clean / "train.jsonl").read_text().splitlines()]
    assert [row["label"] for row in texts if row["text"] == rows[0]["text"]] == ["yes"]


@pytest.fixture
def topics(tmp_path: Path) -> Path:
    """Texts of three topics, of which every twentieth has another one's label."""
    texts, labels = tiny_texts(120, 5)
    rows = [
        {"text": text, "label": TASK.labels[(label + (row % 20 == 5)) % 3]}
        for row, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    return write_data(tmp_path / "topics", train=rows)


@pytest.mark.slow
def test_a_data_map_is_drawn(command: Command, topics: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_artifact(tmp_path / "encoder").path)
    given = ("curate", topics, "--output", tmp_path / "found", "--map", ".")
    status, out, err = command(*given, "--map-epochs", "3")
    assert status == 0, err
    assert "data map (encoder, 3 epochs): confidence" in out and "map.jsonl and map.svg written" in err
    lines = [json.loads(line) for line in (tmp_path / "found" / "map.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 120 and lines[5]["row"] == lines[5]["line"] == 6 and 0 <= lines[5]["confidence"] <= 1
    report, page = report_of(tmp_path / "found"), (tmp_path / "found" / "report.md").read_text(encoding="utf-8")
    assert report["map"]["rows"] == 120 and "![data map](map.svg)" in page and "## Hardest to learn" in page
    assert "the probability of their label varies most" in page
    assert (tmp_path / "found" / "map.svg").read_text(encoding="utf-8").startswith("<svg")
    # Its own files are replaced when it is run again.
    assert command("curate", topics, "--output", tmp_path / "found")[0] == 0
    assert not (tmp_path / "found" / "map.jsonl").exists()


def test_what_a_map_cannot_be_made_of(
    command: Command, topics: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, _, err = command("curate", topics, "--output", tmp_path / "found", "--map-epochs", "4")
    assert status == 1 and "add --map MODEL" in err
    status, _, err = command("curate", topics, "--output", tmp_path / "found", "--map", "x", "--map-epochs", "2")
    assert status == 2 and "--map-epochs" in err
    status, _, err = command("curate", topics, "--output", tmp_path / "found", "--map", tmp_path / "none")
    assert status == 1 and "none" in err and not (tmp_path / "found").exists()
    with monkeypatch.context() as patched:  # it is told before duplicates and wrong labels are looked for
        patched.setattr(curation, "find", lambda *given, **more: pytest.fail("looked for duplicates first"))
        assert command("curate", topics, "--output", tmp_path / "found", "--map", tmp_path / "none")[0] == 1
    scores = write_data(tmp_path / "scores", train=[{"text": f"text {n}", "label": n / 2} for n in range(20)])
    status, out, err = command("curate", scores, "--output", tmp_path / "found", "--map", "x")
    assert status == 0 and "note: no data map" in err and "data map" not in out
