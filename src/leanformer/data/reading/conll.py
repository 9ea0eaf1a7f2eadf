"""Reading words and their tags: CoNLL columns, and JSON Lines with lists."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from leanformer.data.reading.decoding import decode_lines
from leanformer.data.reading.fields import suggest_name
from leanformer.data.row import Row
from leanformer.errors import DataError
from leanformer.tagging.schemes import is_tag, to_iob2
from leanformer.tagging.words import as_sentence, join_words

# Common names of the two lists.
WORD_KEYS, TAG_KEYS = ("words", "tokens"), ("tags", "ner_tags", "labels")
LANGUAGE_KEYS = ("language", "lang")
_DOCUMENT = "-DOCSTART-"
_REMEDY = "write a word and its tag on each line, with a tab between, and a blank line after each sentence"


def read_columns(path: Path) -> Iterator[Row]:
    """The sentences of a file of columns: one word per line, the word first and its tag last, a blank line in between.

    Columns are separated by tabs or, if most lines have none, by spaces. -DOCSTART- lines and comments ("# ...", which
    in files without tabs come before a sentence and do not end with a tag) are skipped. Tags may be IOB1, IOB2, BIOES
    or BILOU and become IOB2; see `tagging.schemes` for valid tags. Raises `DataError` with the line, also if the first
    column numbers the words.
    """
    first = begun = 0
    words: list[str] = []
    tags: list[str] = []
    columns = 0
    lines = [(line, raw.rstrip("\r\n")) for line, raw in decode_lines(path)]
    full = [text for _, text in lines if text.strip() and not text.startswith("# ")]
    separator = "\t" if 2 * sum("\t" in text for text in full) > len(full) else None
    _refuse_numbered(lines, separator, path)
    for line, text in lines:
        if not text.strip() or text.startswith(_DOCUMENT):
            if words:
                yield _sentence(words, tags, path, begun)
                words, tags = [], []
            continue
        if separator and text.startswith("#") and separator not in text:
            continue
        fields = text.rstrip().split(separator) if separator is None else text.split(separator)
        if text.startswith("# ") and not words and not is_tag(fields[-1].strip()):
            continue
        if len(fields) < 2:
            raise DataError(
                f"one column only ({text[:40]!r}); a word and its tag are wanted", path=path, line=line, remedy=_REMEDY
            )
        if columns and len(fields) != columns:
            raise DataError(
                f"{len(fields)} columns, but line {first} has {columns}", path=path, line=line,
                remedy="give every line the same columns, the word first and the tag last",
            )  # fmt: skip
        if not columns:
            columns, first = len(fields), line
        if not words:
            begun = line
        tag = fields[-1].strip()
        try:
            to_iob2([tag])
        except ValueError as error:
            raise DataError(
                str(error),
                path=path,
                line=line,
                remedy="the tag is the last column; write O where a word has none"
                + (", and remove the line if it is a header" if line == first else ""),
            ) from None
        words.append(fields[0])
        tags.append(tag)
    if words:
        yield _sentence(words, tags, path, begun)


def _refuse_numbered(lines: Sequence[tuple[int, str]], separator: str | None, path: Path) -> None:
    """Raise `DataError` if the first column numbers the words of each sentence: it would be read as the words."""
    counting = longest = first = begun = expected = 0
    for line, text in lines:
        fields = text.split(separator)
        if not text.strip() or text.startswith(("#", _DOCUMENT)):
            begun = 0
            continue
        number = fields[0].strip()
        if not begun:
            if number not in ("0", "1") or len(fields) < 3:
                return
            begun, expected, first = line, int(number), first or line
        if number != str(expected):
            return
        expected += 1
        counting += 1
        longest = max(longest, line - begun + 1)
    if longest > 1:
        cut = "cut -f2,3" if separator else "cut -d' ' -f2,3"
        name = shlex.quote(path.name)
        raise DataError(
            f"the first column numbers the words (all {counting} of them), and the words are expected there",
            path=path, line=first,
            remedy=f"keep the columns of the words and of their tags alone; if these are the second and the third: "
            f"grep -v '^#' {name} | {cut} > words.conll",
        )  # fmt: skip


def read_lines(path: Path) -> Iterator[Row]:
    """Sentences without tags, one per line, split into words by `tagging.words.split_words`."""
    for line, text in decode_lines(path):
        if text.strip():
            sentence = as_sentence(text.strip())
            yield Row(line=line, text=sentence.joined, words=True)


def build_sentence(record: dict[str, Any], *, path: object, line: int | None) -> Row:
    """A row from one record: `words` (or `tokens`), or `text` to split; optional `tags` (or `ner_tags`), `language`."""
    words_key = next((key for key in WORD_KEYS if key in record), None)
    tags_key = next((key for key in TAG_KEYS if record.get(key) is not None), None)
    language = next((str(record[key]) for key in LANGUAGE_KEYS if record.get(key)), "")
    if words_key is None:
        text = record.get("text")
        if not isinstance(text, str) or not text.strip():
            near = suggest_name(tuple(map(str, record)), "text")
            raise DataError(
                f"neither 'words' nor 'text'; the keys there are {', '.join(map(repr, record)) or 'none'}",
                path=path, line=line,
                remedy=f"rename {near!r} to 'text'" if near and "text" not in record
                else 'write {"words": ["a", "b"], "tags": ["O", "B-PER"]}',
            )  # fmt: skip
        if tags_key is not None:
            raise DataError(
                f"{tags_key!r} with 'text': which words the tags are of is not said", path=path, line=line,
                remedy="give the words as a list under 'words'",
            )  # fmt: skip
        return Row(line=line or 0, text=as_sentence(text).joined, words=True, language=language)
    words = _strings(record[words_key], words_key, path, line)
    if not words:
        raise DataError(f"{words_key!r} is empty", path=path, line=line, remedy="give the words, or remove the row")
    if tags_key is None:
        return Row(line=line or 0, text=join_words(words), words=True, language=language)
    tags = _strings(record[tags_key], tags_key, path, line)
    if len(tags) != len(words):
        raise DataError(
            f"{len(words)} words and {len(tags)} tags", path=path, line=line, remedy="give each word one tag"
        )
    return _sentence(words, tags, path, line or 0, language)


def _strings(value: object, key: str, path: object, line: int | None) -> list[str]:
    if isinstance(value, list) and all(isinstance(element, str) for element in value):
        return value
    if key in TAG_KEYS and isinstance(value, list) and all(isinstance(element, int) for element in value):
        raise DataError(
            f"{key!r} is not a list of strings but of numbers, and what they stand for is not said",
            path=path,
            line=line,
            remedy="write the names of the tags, such as B-PER; of a data set of the hub they are "
            f"dataset.features[{key!r}].feature.names, in the order of the numbers",
        )
    raise DataError(
        f"{key!r} is not a list of strings", path=path, line=line,
        remedy='write the names of the tags in a list: ["O", "B-PER"]' if key in TAG_KEYS
        else "write the words as a list of strings",
    )  # fmt: skip


def _sentence(words: list[str], tags: list[str], path: object, line: int, language: str = "") -> Row:
    if any("\0" in word or any("\ud800" <= letter <= "\udfff" for letter in word) for word in words):
        raise DataError("a word holds what is no character", path=path, line=line, remedy="correct the sentence")
    try:
        label = to_iob2(tags)
    except ValueError as error:
        raise DataError(str(error), path=path, line=line, remedy="correct the tag") from None
    return Row(line=line, text=join_words(words), label=label, words=True, language=language)
