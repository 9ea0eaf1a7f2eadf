"""Collections in BEIR's form: what is read, and what is refused with a remedy that works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from leanformer.errors import DataError
from leanformer.measure.collection import is_collection, read_collection

DOCUMENTS = [{"_id": "a", "title": "Rain", "text": "falls"}, {"_id": "b", "text": "songs"}]
QUERIES = [{"_id": "1", "text": "water"}, {"_id": "2", "text": "music"}, {"_id": "3", "text": "nothing"}]
JUDGED = "query-id\tcorpus-id\tscore\n2\tb\t2\n1\ta\t1\n1\tb\t0\n3\ta\t0\n"
REPEATED = "1\ta\t1\n\n"


def collection(
    folder: Path, documents: list[dict] = DOCUMENTS, queries: list[dict] = QUERIES, judged: str = JUDGED
) -> Path:
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    for name, rows in (("corpus", documents), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "qrels" / "test.tsv").write_text(judged)
    return folder


def test_what_is_read(tmp_path: Path):
    found = read_collection(collection(tmp_path / "small"))
    assert (found.name, found.split) == ("small", "test")
    assert found.documents == ("Rain falls", "songs")
    assert (found.queries, found.gains) == (("music", "water"), ({1: 2.0}, {0: 1.0})), "3 has nothing relevant"
    assert is_collection(tmp_path / "small") and not is_collection(tmp_path)
    assert read_collection(collection(tmp_path / "small", judged=JUDGED + REPEATED)) == found


@pytest.mark.parametrize(
    ("changed", "said", "remedy"),
    [
        ({"documents": []}, r"corpus.jsonl: no texts", "add lines"),
        ({"documents": [*DOCUMENTS, DOCUMENTS[0]]}, r"corpus.jsonl, line 3: _id 'a' occurs twice", "its own _id"),
        ({"queries": [*QUERIES, QUERIES[1]]}, r"queries.jsonl, line 4: _id '2' occurs twice", "its own _id"),
        ({"documents": [{"text": "x"}]}, r"corpus.jsonl, line 1: no _id and text", 'write {"_id"'),
        ({"judged": JUDGED + "1\tc\t1\n"}, r"test.tsv, line 6: 'c' is no _id in corpus.jsonl", "add it there"),
        ({"judged": JUDGED + "9\ta\t1\n"}, r"test.tsv, line 6: '9' is no _id in queries.jsonl", "add it there"),
        ({"judged": "1 0 a 1\n"}, r"test.tsv, line 1: not a query, a document and a number", "<tab>"),
        ({"judged": JUDGED + "1\ta\tmuch\n"}, r"line 6: not a query, a document and a number", "<tab>"),
        ({"judged": JUDGED + "1\ta\tinf\n"}, r"line 6: not a query, a document and a number", "<tab>"),
        ({"judged": JUDGED + "1\ta\t0\n"}, r"line 6: document 'a' has two scores for query '1'", "remove one"),
        ({"judged": "1\ta\t0\n"}, r"no document is relevant", "above 0"),
    ],
)
def test_what_is_refused(tmp_path: Path, changed: dict, said: str, remedy: str):
    folder = collection(tmp_path / "small", **changed)
    with pytest.raises(DataError, match=said) as caught:
        read_collection(folder)
    assert remedy in caught.value.remedy


def test_files_that_are_missing_or_no_json(tmp_path: Path):
    folder = collection(tmp_path / "small")
    with pytest.raises(DataError, match=re.escape("dev.tsv: no such judgements; there are test")):
        read_collection(folder, "dev")
    (folder / "queries.jsonl").write_text('{"_id": "1", "text": "a"}\n\n["b"]\n')
    with pytest.raises(DataError, match=r"queries.jsonl, line 3: not a JSON object"):
        read_collection(folder)
    (folder / "queries.jsonl").unlink()
    with pytest.raises(DataError, match=r"queries.jsonl: is missing"):
        read_collection(folder)
