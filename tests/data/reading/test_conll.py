"""Words and tags from columns and from JSON Lines, and what is wrong with them, by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanformer.data.dataset import open_dataset
from leanformer.data.examples import Examples
from leanformer.data.reading.readers import read_questions, read_rows
from leanformer.errors import DataError
from leanformer.tagging.words import words_of
from leanformer.task import Task
from tests.making.tagged import TAGS, write_columns


def read(path: Path, content: str) -> list[tuple[list[str], tuple[str, ...] | None]]:
    path.write_text(content, encoding="utf-8")
    rows = read_rows(path, "tokens")
    return [(words_of(row.text), row.label) for row in rows]  # type: ignore[misc]


def refusal(path: Path, content: str) -> str:
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_rows(path, "tokens")
    return str(caught.value)


def test_two_columns(tmp_path: Path) -> None:
    found = read(tmp_path / "a.tsv", "\nJohn\tB-PER\nruns\tO\n\n\n\nBerlin\tB-LOC\n")
    assert found == [(["John", "runs"], ("B-PER", "O")), (["Berlin"], ("B-LOC",))]


def test_four_columns_between_spaces_with_documents_in_iob1(tmp_path: Path) -> None:
    content = (
        "-DOCSTART- -X- -X- O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\nU.N. NNP I-NP I-ORG\nEU NNP I-NP B-ORG\n"
        "-DOCSTART- -X- -X- O\nPeter NNP I-NP I-PER\n"
    )
    for name in ("a.txt", "a.conll"):
        assert read(tmp_path / name, content) == [
            (["EU", "rejects", "U.N.", "EU"], ("B-ORG", "O", "B-ORG", "B-ORG")),
            (["Peter"], ("B-PER",)),
        ]


def test_bioes_carriage_returns_a_mark_and_comments(tmp_path: Path) -> None:
    content = "\ufeff# id = 1\r\nNew\tB-LOC\r\nYork\tI-LOC\r\nCity\tE-LOC\r\nand\tO\r\nRome\tS-LOC\r\n#\tO\r\n# x\r\n"
    assert read(tmp_path / "a.tsv", content) == [
        (["New", "York", "City", "and", "Rome", "#"], ("B-LOC", "I-LOC", "I-LOC", "O", "B-LOC", "O"))
    ]


def test_a_word_may_hold_spaces(tmp_path: Path) -> None:
    [(words, tags)] = read(tmp_path / "a.tsv", "10 000\tO\na\u00a0b\tB-X\n")
    assert words == ["10\u00a0000", "a\u00a0b"] and tags == ("O", "B-X")


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("a\tO\nb\tPER\n", 2, "'PER' is no tag"),
        ("a\tO\n\nb\tB-\n", 3, "'B-' is no tag"),
        ("a\tO\nb\n", 2, "one column only ('b')"),
        ("a x O\nb O\n", 2, "2 columns, but line 1 has 3"),
        ("a\tO\nb\tx\tO\n", 2, "3 columns, but line 1 has 2"),
        ("a\tO\nb\t\n", 2, "'' is no tag"),
        ("\n\nword\n", 3, "one column only"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, content: str, line: int, said: str) -> None:
    error = refusal(tmp_path / "bad.tsv", content)
    assert error.startswith(f"{tmp_path / 'bad.tsv'}, line {line}: ")
    assert said in error and "remedy:" in error


def lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def test_lists_in_json_lines(tmp_path: Path) -> None:
    records = lines(
        {"words": ["New", "York"], "tags": ["I-LOC", "I-LOC"], "language": "en"},
        {"tokens": ["Rom"], "ner_tags": ["S-LOC"], "lang": "de"},
    )
    path = tmp_path / "train.jsonl"
    path.write_text(records)
    rows = read_rows(path, "tokens")
    assert [(words_of(row.text), row.label, row.language) for row in rows] == [
        (["New", "York"], ("B-LOC", "I-LOC"), "en"), (["Rom"], ("B-LOC",), "de"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"words": ["a", "b"], "tags": ["O"]}, "2 words and 1 tags"),
        ({"words": ["a"], "tags": [3]}, "'tags' is not a list of strings"),
        ({"words": "a b", "tags": ["O", "O"]}, "'words' is not a list"),
        ({"words": [], "tags": []}, "'words' is empty"),
        ({"words": ["a"], "tags": ["o"]}, "'o' is no tag"),
        ({"text": "a b", "tags": ["O", "O"]}, "which words the tags are of"),
        ({"label": "x"}, "neither 'words' nor 'text'"),
    ],
)
def test_wrong_lists(tmp_path: Path, record: object, said: str) -> None:
    error = refusal(tmp_path / "a.jsonl", lines({"words": ["a"], "tags": ["O"]}, record))
    assert said in error and "line 2" in error


def test_a_folder_of_languages(tmp_path: Path) -> None:
    data = open_dataset(str(write_columns(tmp_path / "data", sizes=(20, 5, 7))), kind="tokens")
    assert data.task == Task("tokens", TAGS)
    assert (len(data.train or ()), len(data.dev or ()), len(data.test or ())) == (40, 10, 14)
    assert data.test is not None and data.test.languages == ("aa",) * 7 + ("bb",) * 7
    bad = tmp_path / "data" / "bb" / "dev.tsv"
    bad.write_text(bad.read_text() + "goal\tI-NEW\n")
    with pytest.raises(DataError, match="not one of the 5 known labels") as caught:
        open_dataset(str(tmp_path / "data"), kind="tokens")
    assert str(bad) in str(caught.value)


def test_found_without_being_told(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(lines(*({"words": [f"w{i}", "b"], "tags": ["O", "B-X"]} for i in range(30))))
    (tmp_path / "unlabelled.jsonl").write_text(lines({"words": ["a"]}))
    data = open_dataset(str(tmp_path))
    assert data.task == Task("tokens", ("O", "B-X", "I-X"))
    assert data.dev is not None and len(data.dev) == 3 and data.dev_rows is not None
    (tmp_path / "train.jsonl").unlink()
    (tmp_path / "train.conll").write_text("".join(f"w{i}\tB-Y\n\n" for i in range(30)))
    assert open_dataset(str(tmp_path)).task.labels == ("O", "B-Y", "I-Y")


def test_unlabelled_texts_are_split_into_words(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a\tO\nb\tB-X\n\nc\tO\n")
    (tmp_path / "unlabelled.txt").write_text("Hello, world!\n\nno more\nAnna's/l’Italie\n")
    data = open_dataset(str(tmp_path), kind="tokens")
    assert data.unlabelled is not None and data.unlabelled.texts == (
        "Hello , world !",
        "no more",
        "Anna 's / l’ Italie",
    )


def test_dev_is_taken_from_every_language(tmp_path: Path) -> None:
    folder = write_columns(tmp_path / "data", sizes=(60, 5, 5))
    for language in ("aa", "bb"):
        (folder / language / "dev.tsv").unlink()
    data = open_dataset(str(folder), kind="tokens")
    assert data.dev is not None and data.dev.languages is not None
    assert {data.dev.languages.count(language) for language in ("aa", "bb")} <= {4, 5, 6, 7, 8}


def test_examples_keep_tags_in_order_and_languages(tmp_path: Path) -> None:
    examples = Examples(Task("tokens", ("O", "B-X", "I-X")), ("a b c", "d"), ((1, 2, 0), (0,)), languages=("x", "y"))
    moved = examples.for_task(Task("tokens", ("I-X", "O", "B-X")))
    assert moved.labels == ((2, 0, 1), (1,)) and moved.languages == ("x", "y")
    assert [target.tolist() for target in examples.targets] == [[1, 2, 0], [0]]
    assert examples.select([1]).languages == ("y",)
    without = Examples(examples.task, examples.texts, examples.labels)
    assert without.content_hash != examples.content_hash
    with pytest.raises(ValueError, match="example 2 has 1 words and 2 tags"):
        Examples(examples.task, ("a", "b"), ((0,), (0, 1)))
    with pytest.raises(ValueError, match="not a tuple of indices"):
        Examples(examples.task, ("a",), ((7,),))


def test_questions_are_texts_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Hello,  world! \n\nno\n")
    assert list(read_questions(tmp_path / "a.txt")) == ["Hello,  world! ", "no"]
    (tmp_path / "a.jsonl").write_text(lines({"text": "Hi,  you"}, {"words": ["Hi", ","]}))
    assert list(read_questions(tmp_path / "a.jsonl")) == ["Hi,  you", ["Hi", ","]]
    (tmp_path / "a.conll").write_text("Hi\tO\n,\tO\n")
    assert list(read_questions(tmp_path / "a.conll")) == [["Hi", ","]]
    with pytest.raises(DataError, match="no such file"):
        list(read_questions(tmp_path / "b.txt"))


def test_the_hub_is_refused() -> None:
    with pytest.raises(DataError, match="not read from the hub"):
        open_dataset("hub:x/y", kind="tokens")


def test_comments_before_a_sentence_between_spaces(tmp_path: Path) -> None:
    content = "# id 7 domain=en\nRome _ _ B-LOC\nnow _ _ O\n\n# id 8 domain=en\n# _ _ O\n"
    assert read(tmp_path / "a.conll", content) == [(["Rome", "now"], ("B-LOC", "O")), (["#"], ("O",))]


@pytest.mark.parametrize(
    "content",
    [
        "# sent_id = 1\n# text = Rome now\n1\tRome\t_\tB-LOC\n2\tnow\t_\tO\n\n1\tSo\t_\tO\n",
        "-DOCSTART- -X- O\n\n0 Rome B-LOC\n1 now O\n",
    ],
)
def test_numbers_of_words_are_not_taken_for_the_words(tmp_path: Path, content: str) -> None:
    said = refusal(tmp_path / "a.conll", content)
    assert "a.conll, line 3: the first column numbers the words" in said and "cut" in said


@pytest.mark.parametrize(
    "content", ["1\tX\tB-N\n0\tX\tO\n", "1\tB-N\n2\tO\n", "1\tX\tO\n\n2\tX\tO\n", "1\tX\tO\n\n1\tX\tO\n"]
)
def test_words_that_are_numbers_stay_words(tmp_path: Path, content: str) -> None:
    assert read(tmp_path / "a.conll", content)


def test_a_line_amid_a_sentence_is_no_comment_without_tabs(tmp_path: Path) -> None:
    assert "line 2: 'one' is no tag" in refusal(tmp_path / "a.conll", "Rome B-LOC\n# one\nnow O\n")
