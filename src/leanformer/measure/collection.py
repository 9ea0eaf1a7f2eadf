"""Retrieval collections in BEIR's form: documents, queries, and which documents are relevant to which query."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from leanformer.data.reading.decoding import decode_lines
from leanformer.errors import DataError

_CORPUS, _QUERIES = "corpus.jsonl", "queries.jsonl"


@dataclass(frozen=True)
class Collection:
    """Documents, and the queries of one split.

    Attributes:
        name: of the folder.
        split: the judgements that were read.
        documents: their texts, each with its title in front.
        queries: those with at least one relevant document.
        gains: of each query, number of the document -> how relevant it is, above 0.
    """

    name: str
    split: str
    documents: tuple[str, ...]
    queries: tuple[str, ...]
    gains: tuple[Mapping[int, float], ...]


def is_collection(path: Path | str) -> bool:
    return (Path(path) / _CORPUS).is_file()


def read_collection(folder: Path, split: str = "test") -> Collection:
    """Read `corpus.jsonl` (`_id`, `text`, perhaps `title`), `queries.jsonl` and `qrels/SPLIT.tsv` of a folder.

    The last has a header and the columns query, document and score. Queries without a relevant document are left out.
    Raises `DataError`, with file and line, for whatever is missing or contradictory.
    """
    documents = _texts(folder / _CORPUS)
    queries = _texts(folder / _QUERIES)
    numbers = {name: number for number, name in enumerate(documents)}
    gains: dict[str, dict[int, float]] = {}
    judged: dict[tuple[str, str], float] = {}
    path = folder / "qrels" / f"{split}.tsv"
    if not path.is_file():
        there = ", ".join(sorted(found.stem for found in path.parent.glob("*.tsv"))) or "none"
        raise DataError(f"no such judgements; there are {there}", path=path, remedy="--split test=NAME names others")
    for line, text in decode_lines(path):
        query, document, gain = _judgement(path, line, text)
        if gain is None:
            continue
        for name, known, kind in ((query, queries, _QUERIES), (document, numbers, _CORPUS)):
            if name not in known:
                raise DataError(
                    f"{name!r:.60} is no _id in {kind}", path=path, line=line, remedy="correct it, or add it there"
                )
        if judged.setdefault((query, document), gain) != gain:
            raise DataError(
                f"document {document!r:.60} has two scores for query {query!r:.60}", path=path, line=line,
                remedy="remove one of them",
            )  # fmt: skip
        if gain > 0:
            gains.setdefault(query, {})[numbers[document]] = gain
    if not gains:
        raise DataError("no document is relevant to any query", path=path, remedy="add judgements with a score above 0")
    return Collection(
        folder.name, split, tuple(documents.values()), tuple(queries[name] for name in gains), tuple(gains.values())
    )


def _judgement(path: Path, line: int, text: str) -> tuple[str, str, float | None]:
    """Query, document and score of a line; the score of the header, and of an empty line, is None."""
    if not text.strip():
        return "", "", None
    fields = text.rstrip("\r\n").split("\t")
    if len(fields) == 3:
        try:
            if math.isfinite(score := float(fields[2])):
                return fields[0], fields[1], score
        except ValueError:
            if line == 1:
                return "", "", None
    raise DataError(
        f"not a query, a document and a number, with tabs between: {text.strip()!r:.60}", path=path, line=line,
        remedy="write query-id<tab>corpus-id<tab>score",
    )  # fmt: skip


def _texts(path: Path) -> dict[str, str]:
    """The texts of a file by their `_id`, in order, with a title in front if there is one."""
    texts: dict[str, str] = {}
    for line, record in _records(path):
        name, text, title = (record.get(key, "") for key in ("_id", "text", "title"))
        if not (isinstance(name, str) and name and isinstance(text, str) and isinstance(title, str)):
            raise DataError(
                "no _id and text, both strings", path=path, line=line, remedy='write {"_id": "1", "text": "..."}'
            )
        if name in texts:
            raise DataError(f"_id {name!r:.60} occurs twice", path=path, line=line, remedy="give each row its own _id")
        texts[name] = f"{title} {text}".strip()
    if not any(texts.values()):
        raise DataError("no texts", path=path, remedy='add lines such as {"_id": "1", "text": "..."}')
    return texts


def _records(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    if not path.is_file():
        raise DataError("is missing", path=path, remedy=f"give a folder with {_CORPUS}, {_QUERIES} and qrels/test.tsv")
    for line, text in decode_lines(path):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            raise DataError("not a JSON object", path=path, line=line, remedy="write one object a line")
        yield line, record
