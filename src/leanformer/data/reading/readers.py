"""Reading JSON Lines, CSV, TSV and plain text, with errors that name file and line."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from leanformer.data.label_forms import of_words
from leanformer.data.reading.conll import TAG_KEYS, WORD_KEYS, build_sentence, read_columns, read_lines
from leanformer.data.reading.decoding import decode_lines
from leanformer.data.reading.encodings import other_kind
from leanformer.data.reading.exports import ExportError, as_record, is_set_aside
from leanformer.data.reading.fields import missing_column
from leanformer.data.reading.input_forms import PAIR_NAMES, candidate_columns, form_of_kind, lacking_columns
from leanformer.data.reading.rows import build_row
from leanformer.data.reading.settling import settle
from leanformer.data.reading.sheets import Sheet, as_row, without_labels
from leanformer.data.reading.tables import read_table
from leanformer.data.row import Row
from leanformer.errors import DataError
from leanformer.inputs.kinds import INPUTS
from leanformer.tagging.schemes import is_tag
from leanformer.tagging.words import words_of
from leanformer.task import BUILT

_SENTENCE_NUMBERS = ("sentence_id", "sentence #", "sentence_idx")
EXTENSIONS = (".jsonl", ".csv", ".tsv", ".txt", ".conll")


def read_rows(path: Path | str, kind: str | None = None, *, tagged: bool = True) -> list[Row]:
    """Read the rows of one file; the extension determines the format.

    `.jsonl`: one object per line, with `text` and, if known, `label`. `.csv` and `.tsv`: a header with the same names
    (see `data.reading.tables` for separators and quotes). `.txt`: one unlabelled text per line. All are UTF-8, with or
    without a byte order mark; blank lines are skipped, other keys are ignored. Pairs of texts also have a `text_pair`
    (or another well-known pair of names, see `input_forms`). Several labels are under `labels`: a list, or in a table
    names separated by "|". With a `kind` every row must be an example of it. Words with tags are columns (`.conll`; for
    the kind "tokens" `.tsv` and `.txt` too, the latter with one sentence per line if not `tagged`) or lists in `.jsonl`
    (see `data.reading.conll`).

    Raises `DataError` for a missing file, an unknown extension, and any content that is not as described above.
    """
    sheet = read_sheet(Path(path), kind, tagged=tagged)
    return list(sheet.table(settle([sheet], kind).kind).rows)


def read_sheet(path: Path, kind: str | None, *, tagged: bool = True) -> Sheet:
    """The content of one file, with labels as written there; raises as `read_rows` does."""
    _check_path(path)
    sheet = Sheet(str(path), labelled=tagged)
    try:
        if (rows := _plain_rows(path, kind, tagged)) is not None:
            sheet.rows = list(rows)
        elif path.suffix.lower() == ".jsonl":
            records = list(_read_records(path))
            sheet.records = [(line, record) for line, record in records if not is_set_aside(record)]
            if aside := len(records) - len(sheet.records):
                sheet.notes.append(f"{path.name}: {aside} rows skipped that the annotator rejected or ignored")
        elif table := read_table(path, lambda header, line: _check_header(header, kind, path, line)):
            sheet.records, sheet.notes, sheet.is_table = table.rows, table.notes, True
    except OSError as error:
        raise _unreadable(path, error) from error
    if not sheet.rows and not sheet.records:
        raise _empty(path)
    return sheet


def iterate_rows(path: Path | str, kind: str | None = None, *, tagged: bool = True) -> Iterator[Row]:
    """The texts of a file as rows, one by one, without their labels, whatever form these have.

    Only tables are held in memory as a whole. Raises `DataError` if a text is invalid (see `read_rows`).
    """
    path = Path(path)
    _check_path(path)
    empty = True
    try:
        rows = _plain_rows(path, kind, tagged)
        for row in _unlabelled_rows(path, kind) if rows is None else rows:
            empty = False
            yield row
    except OSError as error:
        raise _unreadable(path, error) from error
    if empty:
        raise _empty(path)


def _unlabelled_rows(path: Path, kind: str | None) -> Iterator[Row]:
    sheet = Sheet(str(path), labelled=False)
    if path.suffix.lower() == ".jsonl":
        records = _read_records(path)
    else:
        table = read_table(path, lambda header, line: _check_header(header, kind, path, line))
        records = iter(() if table is None else table.rows)
    for line, record in records:
        yield as_row(without_labels(record, kind), kind, sheet, line)


def _plain_rows(path: Path, kind: str | None, tagged: bool) -> Iterator[Row] | None:
    """The rows of a file that contains only words and tags, or only texts; None for any other file."""
    extension = path.suffix.lower()
    if extension == ".conll" or (of_words(kind) and (extension == ".tsv" or (extension == ".txt" and tagged))):
        return read_columns(path)
    if extension != ".txt":
        return None
    return read_lines(path) if of_words(kind) else _read_text_lines(path, kind)


def _check_path(path: Path) -> None:
    if not path.exists():
        raise missing_path(path)
    if path.is_dir():
        raise DataError("a folder, not a file", path=path, remedy="name a file in it")
    if path.suffix.lower() not in EXTENSIONS:
        raise DataError(
            f"unknown extension {path.suffix!r}; {', '.join(EXTENSIONS)} can be read",
            path=path,
            remedy=_conversion(path),
        )


def _conversion(path: Path) -> str:
    with open(path, "rb") as handle:
        head = handle.read(64)
    if head.lstrip().startswith(b"["):
        return _of_one_array(path)
    if head.lstrip().startswith(b"{"):
        return f"if it has one object a line, rename it to {path.stem}.jsonl"
    if found := other_kind(head, path.name, path.suffix):
        return found[1]
    return 'convert it to JSON Lines: one {"text": ..., "label": ...} a line, in a .jsonl file'


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"cannot be read ({error.strerror})", path=path, remedy="check its permissions")


def _empty(path: Path) -> DataError:
    return DataError("the file holds no examples", path=path, remedy="add examples, or remove the file")


def missing_path(path: Path) -> DataError:
    """The error for a path that does not exist: lists existing names, close matches first."""
    parent = path.parent
    while not parent.exists():
        path, parent = parent, parent.parent
    beside = sorted(path.name for path in islice(parent.iterdir(), 1000)) if parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=3)
    if near:
        return DataError("no such file or folder", path=path, remedy=f"did you mean {' or '.join(near)}?")
    there = ", ".join(beside[:10]) + (", ..." if len(beside) > 10 else "") if beside else "nothing"
    return DataError(f"no such file or folder; next to it there is {there}", path=path, remedy="check the path")


def read_questions(path: Path) -> Iterator[str | list[str]]:
    """Questions in a file for a model that tags words: texts, or lists of words. Raises `DataError`."""
    extension = path.suffix.lower()
    if not path.exists():
        raise missing_path(path)
    if extension == ".txt":
        yield from (text.rstrip("\r\n") for _, text in decode_lines(path) if text.strip())
    elif extension == ".jsonl":
        for line, record in _read_records(path):
            row = build_sentence(without_labels(record, None), path=path, line=line)
            yield record["text"] if isinstance(record.get("text"), str) else words_of(row.text)
    else:
        yield from (words_of(row.text) for row in iterate_rows(path, "tokens"))


def _read_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, text in decode_lines(path):
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(
                f"not valid JSON: {error.msg}, column {error.colno}",
                path=path,
                line=line,
                remedy=_of_one_array(path) if text.lstrip().startswith("[") else "write one JSON object a line",
            ) from error
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"not readable as JSON: {error}",
                path=path,
                line=line,
                remedy="nest less deeply, and write large numbers as strings",
            ) from error
        try:
            record = as_record(value)
        except ExportError as error:
            raise DataError(str(error), path=path, line=line, remedy=error.remedy) from None
        if record is None:
            of_objects = isinstance(value, list) and bool(value) and isinstance(value[0], dict)
            raise DataError(
                f"a JSON {type(value).__name__}, not an object",
                path=path,
                line=line,
                remedy=_of_one_array(path) if of_objects else 'write one object a line: {"text": ..., "label": ...}',
            )
        yield line, record


def _of_one_array(path: Path) -> str:
    program = f"import json; [print(json.dumps(row)) for row in json.load(open('{path.name}', encoding='utf-8'))]"
    return f'where the file is one array, write its objects one a line: python -c "{program}" > rows.jsonl'


def _read_text_lines(path: Path, kind: str | None) -> Iterator[Row]:
    if not form_of_kind(kind).lines:
        plural = INPUTS[BUILT[str(kind)].input].plural
        raise DataError(f"a .txt file cannot hold {plural}", path=path, remedy="use .jsonl, .csv or .tsv")
    for line, text in decode_lines(path):
        if text.strip():
            yield build_row({"text": text.rstrip("\r\n")}, kind, path=path, line=line)


def _is_word_a_row(header: list[str]) -> bool:
    """Whether each row of a table is a word with its tag, as in the GMB corpus and for simpletransformers."""
    names = {name.lower() for name in header}
    return {"word", "tag"} <= names or bool(names & set(_SENTENCE_NUMBERS) and names & set(WORD_KEYS))


def _check_header(header: list[str], kind: str | None, path: Path, line: int) -> None:
    has_words = "text" not in header and bool(set(header) & set(WORD_KEYS)) and bool(set(header) & set(TAG_KEYS))
    if has_words and (kind is None or of_words(kind)) and not set(header) & set(_SENTENCE_NUMBERS):
        return
    for key in lacking_columns(header, form_of_kind(kind)):
        if len(header) > 1 and is_tag(header[-1]):
            raise DataError(
                f"no column {key!r}; the line ends with a tag ({header[-1]!r})", path=path, line=line,
                remedy="if these are words with their tags, say --task tokens; else give the table a header",
            )  # fmt: skip
        if _is_word_a_row(header):
            raise DataError(
                "a table with a word and its tag a row", path=path, line=line,
                remedy="write word and tag with a tab between and a blank line after each sentence, in a .conll file",
            )  # fmt: skip
        raise missing_column(key, header, path=path, line=line, what="column")
    candidates = candidate_columns(tuple(header)) if kind is None or form_of_kind(kind).kind else ()
    for key in ("text", "text_pair", "label", "labels", *(name for names in PAIR_NAMES for name in names), *candidates):
        if header.count(key) > 1:
            raise DataError(f"two columns are named {key!r}", path=path, line=line, remedy="rename one of them")
