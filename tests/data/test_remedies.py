"""Every remedy that a message about data gives is carried out, and nothing is lost by it."""

from __future__ import annotations

import ast
import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import leanformer.data
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.reading.columns import read_column
from leanformer.data.reading.exports import ExportError
from leanformer.data.reading.grouping import read_groups
from leanformer.data.reading.readers import read_rows
from leanformer.data.reading.spans import SpanError
from leanformer.data.variety import require_variety
from leanformer.errors import DataError

# What opening gives: text, second text and label of each row, whatever its split.
Rows = set[tuple[str, str | None, Any]]
Files = Mapping[str, str | bytes | None]


@dataclass(frozen=True)
class Case:
    """Files that are refused, what the remedy says, and the files after it was done; a file that is None is gone."""

    said: str
    before: Files
    after: Files
    rows: Rows
    options: Mapping[str, Any] = field(default_factory=dict)
    options_after: Mapping[str, Any] | None = None
    source: str = ""  # of the folder
    source_after: str | None = None
    command: str = ""  # the file that the command in the remedy is to make, which then takes the place of the old one
    then: Callable[[Dataset], Any] | None = None  # what is asked of the data set


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def text(name: str, label: Any = None, **further: Any) -> dict[str, Any]:
    return {"text": name, **({} if label is None else {"label": label}), **further}


AX, BY = text("a", "x"), text("b", "y")
GOOD = {("a", None, "x"), ("b", None, "y")}
TAGGED = {"words": ["Rome", "now"], "tags": ["B-LOC", "O"]}
TAGGED_ROW = ("Rome now", None, ("B-LOC", "O"))
SPAN = {"text": "Rome now", "label": [[0, 4, "LOC"]]}
TOKENS = {"kind": "tokens"}
QUESTION: dict[str, Any] = {"text": "q", "choices": ["a", "b"], "label": "a"}


WHO: dict[str, Any] = {"question": "Who came?", "context": "It was Ada."}
ADA = {"answers": [{"text": "Ada", "start": 7}]}


def train(*rows: Any) -> Files:
    return {"train.jsonl": lines(*rows)}


def corrected(wrong: Any, right: Any, said: str, row: Any, **options: Any) -> Case:
    """A case of JSON Lines in which the second row is wrong."""
    return Case(said, train(AX, wrong), train(AX, right), {("a", None, "x"), row}, options)


def tagged(wrong: Any, right: Any, said: str, row: Any = TAGGED_ROW) -> Case:
    return Case(said, train(TAGGED, wrong), train(TAGGED, right), {TAGGED_ROW, row}, TOKENS)


def columns(wrong: str, right: str, said: str) -> Case:
    rows = {("Rome now", None, ("B-LOC", "O"))}
    return Case(said, {"train.conll": wrong}, {"train.conll": right}, rows)


def table(wrong: str, right: str, said: str, rows: Rows = GOOD, name: str = "train.csv", **options: Any) -> Case:
    return Case(said, {name: wrong}, {name: right}, rows, options)


def asked(wrong: Any, right: Any, said: str, row: Any) -> Case:
    """Questions with candidates, of which the second is wrong."""
    return Case(said, train(QUESTION, wrong), train(QUESTION, right), {("q", ("a", "b"), 0), row})


def answered(wrong: dict[str, Any], right: dict[str, Any], said: str, label: Any) -> Case:
    """Questions with a context, of which the second is wrong."""
    first = WHO | {"id": "1", "question": "Who?"} | ADA
    rows = {("Who?", WHO["context"], label), (WHO["question"], WHO["context"], label)}
    return Case(said, train(first, WHO | wrong), train(first, WHO | right), rows)


CASES: dict[str, Case] = {
    # Questions with candidates.
    "one candidate": asked(
        QUESTION | {"choices": ["a"]}, QUESTION | {"choices": ["a", "c"]}, "a list of them", ("q", ("a", "c"), 0)
    ),
    "a number that is a candidate": asked(
        {"text": "q", "choices": ["1", "0"], "label": "1"},
        {"text": "q", "choices": ["1 apple", "0 apples"], "label": 1},
        "so that none is a number alone",
        ("q", ("1 apple", "0 apples"), 1),
    ),
    "a candidate that is not there": asked(
        QUESTION | {"label": 2}, QUESTION | {"label": "b"}, "counted from 0, or its text", ("q", ("a", "b"), 1)
    ),
    # Answers in a context.
    "an answer elsewhere": answered({"answers": [{"text": "Ada", "start": 6}]}, ADA, "count the start", ((7, 10),)),
    "an answer that is not there": answered({"answers": [{"text": "Eve", "start": 7}]}, ADA, "letter for", ((7, 10),)),
    "an answer without a start": answered({"answers": ["Ada"]}, ADA, "with its first character", ((7, 10),)),
    "an id twice": answered({"id": "1"} | ADA, {"id": "2"} | ADA, "an id of its own", ((7, 10),)),
    "no context": answered({"context": " "} | ADA, ADA, "give the row a text", ((7, 10),)),
    "no answer in dev alone": Case(
        "give its answer",
        {"train.jsonl": lines(WHO | ADA), "dev.jsonl": lines(WHO | {"answers": []})},
        {"dev.jsonl": lines(WHO | ADA)},
        {("Who came?", "It was Ada.", ((7, 10),))},
    ),
    # Columns of words and tags, and lists of them.
    "one column": columns("Rome\nnow\n", "Rome\tB-LOC\nnow\tO\n", "a word and its tag on each line"),
    "columns differ": columns("Rome x B-LOC\nnow O\n", "Rome x B-LOC\nnow x O\n", "the same columns"),
    "no tag": columns("Rome\tB-LOC\nnow\t_\n", "Rome\tB-LOC\nnow\tO\n", "write O where a word has none"),
    "words that are numbered": Case(
        "grep -v '^#' train.conll | cut -f2,3 ",
        {"train.conll": "#\thttp://x [2009]\n1\tRome\tB-LOC\tO\n2\tnow\tO\tO\n\n#\thttp://y\n1\tSo\tO\tO\n"},
        {},
        {TAGGED_ROW, ("So", None, ("O",))},
        command="words.conll",
    ),
    "words that are numbered, between spaces": Case(
        "cut -d' ' -f2,3 ",
        {"train.conll": "0 Rome B-LOC\n1 now O\n\n0 So O\n"},
        {},
        {TAGGED_ROW, ("So", None, ("O",))},
        command="words.conll",
    ),
    "a header over words": columns("word\ttag\nRome\tB-LOC\nnow\tO\n", "Rome\tB-LOC\nnow\tO\n", "if it is a header"),
    "neither words nor text": tagged(
        {"q": "Rome now"}, {"words": ["Rome", "now"], "tags": ["B-LOC", "O"]}, 'write {"words"'
    ),
    "tags of a text": tagged({"text": "Rome now", "tags": ["B-LOC", "O"]}, TAGGED, "as a list under 'words'"),
    "no words": tagged(
        {"words": [], "tags": []}, {"words": ["So"], "tags": ["O"]}, "give the words", ("So", None, ("O",))
    ),
    "lengths": tagged(
        {"words": ["a", "b"], "tags": ["O"]},
        {"words": ["a", "b"], "tags": ["O", "O"]},
        "one tag",
        ("a b", None, ("O", "O")),
    ),
    "numbers": tagged({"tokens": ["Rome", "now"], "ner_tags": [1, 0]}, TAGGED, "write the names of the tags, such as"),
    "words are no list": tagged({"words": "Rome now", "tags": ["B-LOC", "O"]}, TAGGED, "the words as a list"),
    "tags are no list": tagged({"words": ["Rome", "now"], "tags": "B-LOC O"}, TAGGED, "names of the tags in a list"),
    "no character": tagged(
        {"words": ["a\0"], "tags": ["O"]}, {"words": ["a"], "tags": ["O"]}, "correct", ("a", None, ("O",))
    ),
    "another tag": tagged({"words": ["Rome", "now"], "tags": ["LOC", "O"]}, TAGGED, "correct the tag"),
    # Spans.
    "no span": Case(
        "first character, end and type", train(SPAN, {**SPAN, "label": ["LOC"]}), train(SPAN, SPAN), {TAGGED_ROW}
    ),
    "span outside": Case(
        "counted from 0 in characters",
        train(SPAN, {**SPAN, "label": [[0, 40, "LOC"]]}),
        train(SPAN, SPAN),
        {TAGGED_ROW},
    ),
    "span of a space": Case(
        "correct its places", train(SPAN, {**SPAN, "label": [[4, 5, "LOC"]]}), train(SPAN, SPAN), {TAGGED_ROW}
    ),
    "spans overlap": Case(
        "keep one of the two",
        train(SPAN, {**SPAN, "label": [[0, 4, "LOC"], [0, 4, "ORG"]]}),
        train(SPAN, SPAN),
        {TAGGED_ROW},
    ),
    "ends counted in": Case(
        "add 1 to each", train(*[{**SPAN, "label": [[0, 3, "LOC"]]}] * 2), train(SPAN, SPAN), {TAGGED_ROW}
    ),
    "spans of words": Case(
        "a tag for each word", train({"words": ["Rome", "now"], "spans": [[0, 1, "LOC"]]}), train(TAGGED), {TAGGED_ROW}
    ),
    "a row without its spans": Case(
        "one without any has an empty list",
        train(SPAN, {"text": "So"}),
        train(SPAN, {"text": "So", "label": []}),
        {TAGGED_ROW, ("So", None, ("O",))},
    ),
    "GLiNER, no span": tagged(
        {"tokenized_text": ["a"], "ner": [[0, "X"]]},
        {"tokenized_text": ["a"], "ner": [[0, 0, "X"]]},
        "first word, last word",
        ("a", None, ("B-X",)),
    ),
    "GLiNER, outside": tagged(
        {"tokenized_text": ["a"], "ner": [[0, 1, "X"]]},
        {"tokenized_text": ["a"], "ner": [[0, 0, "X"]]},
        "counted from 0",
        ("a", None, ("B-X",)),
    ),
    "GLiNER, overlap": tagged(
        {"tokenized_text": ["a"], "ner": [[0, 0, "X"], [0, 0, "Y"]]},
        {"tokenized_text": ["a"], "ner": [[0, 0, "X"]]},
        "keep one",
        ("a", None, ("B-X",)),
    ),
    "Label Studio, which text": tagged(
        {
            "data": {"a": "Rome now", "b": "c"},
            "annotations": [{"result": [{"value": {"start": 0, "end": 4, "labels": ["LOC"]}}]}],
        },
        {
            "data": {"text": "Rome now", "b": "c"},
            "annotations": [{"result": [{"value": {"start": 0, "end": 4, "labels": ["LOC"]}}]}],
        },
        "the key 'text'",
    ),
    "Label Studio, two annotators": Case(
        "keep the one that holds",
        train(
            *[
                {
                    "data": {"text": "Rome now"},
                    "annotations": [{"result": [{"value": {"start": 0, "end": 4, "labels": ["LOC"]}}]}, {"result": []}],
                }
            ]
            * 2
        ),
        train(
            *[
                {
                    "data": {"text": "Rome now"},
                    "annotations": [{"result": [{"value": {"start": 0, "end": 4, "labels": ["LOC"]}}]}],
                }
            ]
            * 2
        ),
        {TAGGED_ROW},
    ),
    # What a file is.
    "zipped": Case(
        "gzip -dc", {"train.csv": gzip.compress(b"text,label\na,x\nb,y\n")}, {}, GOOD, command="unpacked.csv"
    ),
    "UTF-16": Case(
        "iconv -f UTF-16 ", {"train.csv": "text,label\na,x\nb,y\n".encode("utf-16")}, {}, GOOD, command="utf8.csv"
    ),
    "CP1252": Case(
        "iconv -f CP1252 ",
        {"train.csv": "text,label\n“a”,x\nb,y\n".encode("cp1252")},
        {},
        {("“a”", None, "x"), ("b", None, "y")},
        command="utf8.csv",
    ),
    "a NUL byte": Case("tr -d", {"train.csv": b"text,label\na\0,x\nb,y\n"}, {}, GOOD, command="clean.csv"),
    "one line in another encoding": Case(
        "convert or correct the lines",
        {"train.csv": "text,label\né,x\n".encode() + b"\xe9t\xe9,y\n"},
        {"train.csv": "text,label\né,x\nété,y\n"},
        {("é", None, "x"), ("été", None, "y")},
    ),
    "an encoding that is not told": Case(
        "find out which encoding",
        {"train.csv": "text,label\nэто,x\nb,y\n".encode("cp1251")},
        {"train.csv": "text,label\nэто,x\nb,y\n"},
        {("это", None, "x"), ("b", None, "y")},
    ),
    "one JSON array": Case("python -c", {"train.jsonl": json.dumps([AX, BY])}, {}, GOOD, command="rows.jsonl"),
    "one JSON array over lines": Case(
        "python -c", {"train.jsonl": json.dumps([AX, BY], indent=1)}, {}, GOOD, command="rows.jsonl"
    ),
    "a .json file": Case(
        "python -c",
        {"data.json": json.dumps([AX, BY])},
        {},
        GOOD,
        command="rows.jsonl",
        source="data.json",
        source_after="rows.jsonl",
    ),
    "JSON Lines in a .json file": Case(
        "rename it to data.jsonl",
        {"data.json": lines(AX, BY)},
        {"data.json": None, "data.jsonl": lines(AX, BY)},
        GOOD,
        source="data.json",
        source_after="data.jsonl",
    ),
    "another extension": Case(
        "convert it to JSON Lines",
        {"data.xml": "<a/>"},
        {"data.jsonl": lines(AX, BY)},
        GOOD,
        source="data.xml",
        source_after="data.jsonl",
    ),
    "no object": corrected("b", BY, "one object a line", ("b", None, "y")),
    "broken JSON": Case(
        "one JSON object a line", {"train.jsonl": lines(AX) + '{"text": "b",\n"label": "y"}\n'}, train(AX, BY), GOOD
    ),
    "too deep": Case("nest less deeply", {"train.jsonl": lines(AX) + "[" * 100000}, train(AX, BY), GOOD),
    "nothing in it": Case("add examples", {"train.jsonl": "\n"}, train(AX, BY), GOOD),
    # Tables.
    "fields": table(
        "text,label\na, or so,x\nb,y\n",
        'text,label\n"a, or so",x\nb,y\n',
        "quote fields",
        {("a, or so", None, "x"), ("b", None, "y")},
    ),
    "a tab in a .tsv": Case(
        "write it as .csv",
        {"train.tsv": "text\tlabel\na\tb\tx\n"},
        {"train.tsv": None, "train.csv": "text,label\na\tb,x\nb,y\n"},
        {("a\tb", None, "x"), ("b", None, "y")},
    ),
    "rows swallowed": table(
        'text,label\n"so,x\nb,y\nthen",x\nc,y\nd,x\n',
        'text,label\n"""so",x\nb,y\n"then""",x\nc,y\nd,x\n',
        "enclose a field that begins with a quote",
        {('"so', None, "x"), ("b", None, "y"), ('then"', None, "x"), ("c", None, "y"), ("d", None, "x")},
    ),
    "a quote not closed": table(
        'text,label\n"a,x\nb,y\n',
        'text,label\n"""a",x\nb,y\n',
        "write its own twice",
        {('"a', None, "x"), ("b", None, "y")},
    ),
    "text behind a quote": table(
        'text,label\n"a" b,x\nb,y\n',
        'text,label\n"""a"" b",x\nb,y\n',
        "write its own twice",
        {('"a" b', None, "x"), ("b", None, "y")},
    ),
    "a carriage return": table(
        "text,label\na\rb,x\nb,y\n",
        'text,label\n"a\rb",x\nb,y\n',
        "quote the field",
        {("a\rb", None, "x"), ("b", None, "y")},
    ),
    "two columns of a name": table(
        "text,label,label\na,x,1\nb,y,2\n", "text,label,number\na,x,1\nb,y,2\n", "rename one"
    ),
    "another name for the text": table(
        "review,label\na,x\nb,y\n", "text,label\na,x\nb,y\n", "rename 'review' to 'text'"
    ),
    "no text": table("q,label\na,x\nb,y\n", "text,label\na,x\nb,y\n", "a column 'text'"),
    "words and tags in a table": Case(
        "say --task tokens",
        {"train.tsv": "Rome\tB-LOC\nnow\tO\n"},
        {"train.tsv": "Rome\tB-LOC\nnow\tO\n"},
        {TAGGED_ROW},
        {},
        TOKENS,
    ),
    # Texts.
    "no string": corrected(text(3, "y"), text("3", "y"), "quote the text", ("3", None, "y")),
    "an empty text": corrected(text(" ", "y"), text("b", "y"), "give the row a text", ("b", None, "y")),
    "NUL in a text": corrected(text("b\0", "y"), text("b", "y"), "remove it", ("b", None, "y")),
    "half a pair": corrected(text("\ud83d", "y"), text("\U0001f600", "y"), "both halves", ("\U0001f600", None, "y")),
    "pairs in a .txt": Case(
        "use .jsonl",
        {"unlabelled.txt": "a\n"},
        {"unlabelled.txt": None, "unlabelled.jsonl": lines(text("a", text_pair="b"))},
        {("a", "b", None)},
        {"kind": "pair"},
    ),
    "a second text": Case(
        "leave --kind out",
        train(text("a", "x", text_pair="c"), text("b", "y", text_pair="d")),
        train(text("a", "x", text_pair="c"), text("b", "y", text_pair="d")),
        {("a", "c", "x"), ("b", "d", "y")},
        {"kind": "classification"},
        {},
    ),
    "a second text in one row": Case(
        "join the two texts",
        train(AX, BY, text("c", "x", text_pair="d")),
        train(AX, BY, text("c d", "x")),
        {*GOOD, ("c d", None, "x")},
    ),
    "no second text": Case(
        "give the row a second text",
        train(*[text("a", "x", text_pair="b")] * 2, BY),
        train(*[text("a", "x", text_pair="b")] * 2, text("b", "y", text_pair="c")),
        {("a", "b", "x"), ("b", "c", "y")},
    ),
    "pairs with lists": Case(
        "join the two texts",
        train({"text": "a", "text_pair": "b", "labels": ["x", "y"]}),
        train({"text": "a b", "labels": ["x", "y"]}),
        {("a b", None, ("x", "y"))},
    ),
    # Labels.
    "label and labels": Case(
        "rename the one that is not meant",
        train(text("a", "x", labels=["p"]), text("b", "y", labels=["q"])),
        train(text("a", "x", topics=["p"]), text("b", "y", topics=["q"])),
        GOOD,
    ),
    "probabilities": Case(
        "the names of the labels that apply",
        train({"text": "a", "labels": [0.1, 0.9]}),
        train({"text": "a", "labels": ["y"]}),
        {("a", None, ("y",))},
    ),
    "a label twice": Case(
        "name every label once",
        train({"text": "a", "labels": ["x", "x"]}),
        train({"text": "a", "labels": ["x"]}),
        {("a", None, ("x",))},
    ),
    "no number": Case(
        "correct it",
        {"train.jsonl": '{"text": "a", "label": NaN}\n{"text": "b", "label": 1.5}\n'},
        train(text("a", 2.5), text("b", 1.5)),
        {("a", None, 2.5), ("b", None, 1.5)},
    ),
    "a truth value": corrected(text("b", True), text("b", "true"), "write it as a string", ("b", None, "true")),
    "an empty label": corrected(text("b", ""), text("b", "y"), "name the label", ("b", None, "y")),
    "a decimal number": corrected(
        text("b", 1.0), text("b", "1"), "write it as a string", ("b", None, "1"), kind="classification"
    ),
    "several where one is asked for": Case(
        "say --kind multilabel",
        train({"text": "a", "labels": ["x", "y"]}),
        train({"text": "a", "labels": ["x", "y"]}),
        {("a", None, ("x", "y"))},
        {"kind": "classification"},
        {"kind": "multilabel"},
    ),
    "one where several are asked for": Case(
        "a list under 'labels'",
        train(AX, BY),
        train({"text": "a", "labels": ["x"]}, {"text": "b", "labels": ["y"]}),
        {("a", None, ("x",)), ("b", None, ("y",))},
        {"kind": "multilabel"},
    ),
    "no score": Case(
        "write a number",
        train(text("a", 1.5), text("b", 2.5), text("c", "high")),
        train(text("a", 1.5), text("b", 2.5), text("c", 5)),
        {("a", None, 1.5), ("b", None, 2.5), ("c", None, 5.0)},
    ),
    "a label where tags are asked for": Case(
        "lists under 'words' and 'tags'",
        train(TAGGED, TAGGED, AX),
        train(TAGGED, TAGGED, {"words": ["a"], "tags": ["O"]}),
        {TAGGED_ROW, ("a", None, ("O",))},
    ),
    "entities without places": Case(
        "first character, end and type",
        train({"text": "Rome now", "entities": [{"word": "Rome", "entity": "LOC"}]}),
        train({"text": "Rome now", "entities": [{"start": 0, "end": 4, "entity": "LOC"}]}),
        {TAGGED_ROW},
        TOKENS,
    ),
    "another name for a tagged text": Case(
        "rename 'sentence' to 'text'",
        train({"sentence": "Rome now", "label": [[0, 4, "LOC"]]}),
        train(SPAN),
        {TAGGED_ROW},
        TOKENS,
    ),
    "words and tags as rows of a table": Case(
        "in a .conll file",
        {"train.csv": "Sentence #,Word,POS,Tag\n1,Rome,NNP,B-LOC\n1,now,RB,O\n"},
        {"train.csv": None, "train.conll": "Rome\tB-LOC\nnow\tO\n"},
        {TAGGED_ROW},
        TOKENS,
    ),
    "words as rows of a table for simpletransformers": Case(
        "in a .conll file",
        {"train.csv": "sentence_id,words,labels\n0,Rome,B-LOC\n0,now,O\n"},
        {"train.csv": None, "train.conll": "Rome\tB-LOC\nnow\tO\n"},
        {TAGGED_ROW},
        TOKENS,
    ),
    "columns of 0 and 1 with rows that were not scored": Case(
        "leave rows out where that is not known; ",
        {"train.csv": "text,rude,loud\na,0,1\nb,1,1\n", "test.csv": "text,rude,loud\nc,-1,-1\nd,0,0\n"},
        {"test.csv": "text,rude,loud\nd,0,0\n"},
        {("a", None, ("loud",)), ("b", None, ("rude", "loud")), ("d", None, ())},
    ),
    "a column of 0 and 1 in one split only": Case(
        "has no such column ('loud')",
        {"train.csv": "text,rude,loud\na,0,1\nb,1,1\n", "test.csv": "text,rude\nd,0\n"},
        {"test.csv": "text,rude,loud\nd,0,0\n"},
        {("a", None, ("loud",)), ("b", None, ("rude", "loud")), ("d", None, ())},
    ),
    "columns of yes and no": Case(
        "write 1 there for yes and 0 for no, in place of 'ja' and 'nein'",
        {"train.csv": "text,rude,loud\na,nein,ja\nb,ja,ja\n", "test.csv": "text,rude,loud\nd,nein,nein\n"},
        {"train.csv": "text,rude,loud\na,0,1\nb,1,1\n", "test.csv": "text,rude,loud\nd,0,0\n"},
        {("a", None, ("loud",)), ("b", None, ("rude", "loud")), ("d", None, ())},
    ),
    "columns of crosses": Case(
        "write 1 there for yes and 0 for no, in place of '' and 'x'",
        {"train.csv": "text,rude,loud\na,,x\nb,x,x\nc,,\n", "test.csv": "text,rude,loud\nd,,\n"},
        {"train.csv": "text,rude,loud\na,0,1\nb,1,1\nc,0,0\n", "test.csv": "text,rude,loud\nd,0,0\n"},
        {("a", None, ("loud",)), ("b", None, ("rude", "loud")), ("c", None, ()), ("d", None, ())},
    ),
    "labels that are not known": Case(
        "rename the file to 'unlabelled'",
        {"train.jsonl": lines(text("a", 0), text("b", 1)), "test.jsonl": lines(text("c", -1), text("d", -1))},
        {"test.jsonl": None, "unlabelled.jsonl": lines(text("c", -1), text("d", -1))},
        {("a", None, "0"), ("b", None, "1"), ("c", None, None), ("d", None, None)},
    ),
    "some labels that are not known": Case(
        "move such rows to a file of their own named 'unlabelled'",
        {"train.jsonl": lines(text("a", 0), text("b", 1)), "test.jsonl": lines(text("c", -1), text("d", 1))},
        {"test.jsonl": lines(text("d", 1)), "unlabelled.jsonl": lines(text("c", -1))},
        {("a", None, "0"), ("b", None, "1"), ("c", None, None), ("d", None, "1")},
    ),
    "a table in columns, by pandas": Case(
        "to_json(FILE, orient='records', lines=True)",
        train({"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}}),
        train(AX, BY),
        GOOD,
    ),
    "no header": table("a,x\nb,y\n", "text,label\na,x\nb,y\n", "is no header, write one above it"),
    "a label for tags": Case(
        "leave --task tokens out",
        train(AX, BY),
        {},
        GOOD,
        TOKENS | {"single": "test"},
        {},
        source="train.jsonl",
    ),
    "an unknown label": Case(
        "write 'yes' if that is meant",
        {"train.jsonl": lines(text("a", "yes"), text("b", "no")), "test.jsonl": lines(text("c", "yess"))},
        {"test.jsonl": lines(text("c", "yes"))},
        {("a", None, "yes"), ("b", None, "no"), ("c", None, "yes")},
    ),
    "no vector among vectors": Case(
        "write 3 of them",
        train(*({"text": "a", "labels": [0, 1, 0]},) * 2, {"text": "b", "labels": [1]}),
        train(*({"text": "a", "labels": [0, 1, 0]},) * 2, {"text": "b", "labels": [1, 0, 0]}),
        {("a", None, ("1",)), ("b", None, ("0",))},
    ),
    "no list among lists": table(
        "text,labels\na,\"['x']\"\nb,\"['x', 'y']\"\nc,y\n",
        "text,labels\na,\"['x']\"\nb,\"['x', 'y']\"\nc,['y']\n",
        "such as ['y'] here",
        {("a", None, ("x",)), ("b", None, ("x", "y")), ("c", None, ("y",))},
    ),
    "a comma, several labels": table(
        'text,labels\na,"x, y"\nb,z\n',
        "text,labels\na,x|y\nb,z\n",
        "write '|' between labels",
        {("a", None, ("x", "y")), ("b", None, ("z",))},
        kind="multilabel",
    ),
    "a comma, one label": table(
        'text,labels\na,"x, y"\nb,z\n',
        'text,label\na,"x, y"\nb,z\n',
        "rename 'labels' to 'label'",
        {("a", None, "x, y"), ("b", None, "z")},
    ),
    "a comma between labels": table(
        'text,labels\na,"x, y"\nb,z\n',
        "text,labels\na,x|y\nb,z\n",
        "write '|' instead of ','",
        {("a", None, ("x", "y")), ("b", None, ("z",))},
    ),
    "thousands": table(
        'text,label\na,"1,500"\nb,"2,250"\n',
        "text,label\na,1.5\nb,2.25\n",
        "a point for a decimal comma",
        {("a", None, 1.5), ("b", None, 2.25)},
    ),
    "columns of 0 and 1": table(
        "text,source,kind,rude\na,web,1,0\nb,mail,1,1\n",
        "text,source,kind,rude\na,web,1,0\nb,mail,1,1\n",
        "say --kind multilabel",
        {("a", None, ("kind",)), ("b", None, ("kind", "rude"))},
    ),
    "a column of 0 and 1": table(
        "text,spam\na,1\nb,0\n", "text,label\na,1\nb,0\n", "rename 'spam'", {("a", None, "1"), ("b", None, "0")}
    ),
    "another name for the label": Case(
        "rename 'intent' to 'label'", train(text("a", intent="x"), text("b", intent="y")), train(AX, BY), GOOD
    ),
    "an unlikely name for the label": Case(
        "rename it to 'label': verdict", train(text("a", verdict="x"), text("b", verdict="y")), train(AX, BY), GOOD
    ),
    "labels of another form": Case(
        "rename it to 'label': said",
        train(text("a", said=["x", "y"]), text("b", said=["y"])),
        train({"text": "a", "label": ["x", "y"]}, {"text": "b", "label": ["y"]}),
        {("a", None, ("x", "y")), ("b", None, ("y",))},
    ),
    "texts alone": Case(
        "rename the file to 'unlabelled'",
        train(text("a"), text("b")),
        {"train.jsonl": None, "unlabelled.jsonl": lines(text("a"), text("b"))},
        {("a", None, None), ("b", None, None)},
    ),
    "some without a label": Case(
        "a file of their own named 'unlabelled'",
        train(AX, BY, text("c")),
        {**train(AX, BY), "unlabelled.jsonl": lines(text("c"))},
        {*GOOD, ("c", None, None)},
    ),
    "some without, beside other columns": Case(
        "where nothing beside the text (verdict) says the label",
        train(AX, BY, text("c", verdict="x")),
        train(AX, BY, text("c", "x")),
        {*GOOD, ("c", None, "x")},
    ),
    "one label": Case(
        "another one",
        train(AX, text("b", "x"), text("c", "x")),
        train(AX, text("b", "x"), text("c", "x"), text("d", "y")),
        {("a", None, "x"), ("b", None, "x"), ("c", None, "x"), ("d", None, "y")},
        then=require_variety,
    ),
    # Splits, files and options.
    "a label name": Case(
        "label names that are strings", train(AX, BY), {}, GOOD, {"labels": ["x", " y"]}, {"labels": ["x", "y"]}
    ),
    "a label name twice": Case(
        "name every label once", train(AX, BY), {}, GOOD, {"labels": ["x", "x", "y"]}, {"labels": ["x", "y"]}
    ),
    "a kind": Case("as the kind", train(AX, BY), {}, GOOD, {"kind": "sorting"}, {"kind": "classification"}),
    "tags from the hub": Case(
        "export the data to JSON Lines", {}, train(TAGGED), {TAGGED_ROW}, TOKENS, source="hub:a/b", source_after=""
    ),
    "splits of a file": Case(
        "the folder that it lies in",
        train(AX, BY),
        {},
        GOOD,
        {"splits": {"train": "train"}},
        source="train.jsonl",
        source_after="",
    ),
    "no label to test on": Case(
        "give every row a label",
        {"a.jsonl": lines(text("a"), text("b"))},
        {"a.jsonl": lines(AX, BY)},
        GOOD,
        {"single": "test"},
        source="a.jsonl",
    ),
    "a .txt to train on": Case(
        "rename it to unlabelled.txt",
        {"train.txt": "a one\nb two\n"},
        {"train.txt": None, "unlabelled.txt": "a one\nb two\n"},
        {("a one", None, None), ("b two", None, None)},
    ),
    "labels in a .txt": Case(
        "name the file train.tsv",
        {"train.txt": "a\tx\nb\ty\nc\tx\nd\ty\n"},
        {"train.txt": None, "train.tsv": "text\tlabel\na\tx\nb\ty\nc\tx\nd\ty\n"},
        {*GOOD, ("c", None, "x"), ("d", None, "y")},
    ),
    "semicolons in a .txt": Case(
        "name the file train.csv",
        {"train.txt": "a;x\nb;y\nc;x\nd;y\n"},
        {"train.txt": None, "train.csv": "text;label\na;x\nb;y\nc;x\nd;y\n"},
        {*GOOD, ("c", None, "x"), ("d", None, "y")},
    ),
    "fastText": Case(
        "what stands behind __label__",
        {"train.txt": "__label__x a\n__label__y b\n"},
        {"train.txt": None, **train(AX, BY)},
        GOOD,
    ),
    "words and tags in a .txt": Case(
        "say --task tokens", {"train.txt": "Rome B-LOC\nnow O\n"}, {}, {TAGGED_ROW}, {}, TOKENS
    ),
    "languages": Case("say --task tokens", {"de/train.conll": "Rome B-LOC\nnow O\n"}, {}, {TAGGED_ROW}, {}, TOKENS),
    "no split": Case(
        "say which it is with --split train=FILE",
        {"reviews.jsonl": lines(AX, BY)},
        {},
        GOOD,
        {},
        {"splits": {"train": "reviews"}},
    ),
    "an unknown split": Case(
        "use one of train", train(AX, BY), {}, GOOD, {"splits": {"trian": "train"}}, {"splits": {"train": "train"}}
    ),
    "a split twice": Case(
        "name it once",
        {**train(AX), "b.jsonl": lines(BY)},
        {},
        GOOD,
        {"splits": {"dev": "b", "valid": "b"}},
        {"splits": {"dev": "b"}, "labels": ["x", "y"]},
    ),
    "a file twice": Case(
        "another one for one of them",
        {**train(AX, BY), "b.jsonl": lines(BY)},
        {},
        GOOD,
        {"splits": {"dev": "b", "test": "b"}},
        {"splits": {"dev": "b"}},
    ),
    "a file outside": Case(
        "a file in the folder",
        train(AX, BY),
        {},
        GOOD,
        {"splits": {"train": "../train"}},
        {"splits": {"train": "train"}},
    ),
    "no such split file": Case(
        "did you mean 'train'", train(AX, BY), {}, GOOD, {"splits": {"train": "trian"}}, {"splits": {"train": "train"}}
    ),
    "two files": Case(
        "--split dev=dev.csv",
        {**train(AX), "dev.csv": "text,label\nb,y\n", "dev.jsonl": lines(BY)},
        {},
        GOOD,
        {"labels": ["x", "y"]},
        {"labels": ["x", "y"], "splits": {"dev": "dev.csv"}},
    ),
    "no such file": Case(
        "did you mean train.jsonl", train(AX, BY), {}, GOOD, source="trian.jsonl", source_after="train.jsonl"
    ),
    "no such folder": Case("check the path", train(AX, BY), {}, GOOD, source="nowhere", source_after=""),
    "a column, no file": Case(
        "give the examples as a file",
        {**train(AX, BY), "unlabelled.txt": "a\n"},
        {"unlabelled.txt": None},
        GOOD,
        then=lambda data: read_column(data.unlabelled or data.dev or data.train, "text") if data.unlabelled else None,
    ),  # type: ignore[arg-type]
    "a column of other rows": Case(
        "a split that has a file of its own",
        train(AX, BY, text("c", "x"), text("d", "y")),
        {"dev.jsonl": lines(BY)},
        {*GOOD, ("c", None, "x"), ("d", None, "y")},
        then=lambda data: read_column(data.dev, "text"),
    ),  # type: ignore[arg-type]
    "no such column": Case(
        "name one of these",
        {**train(text("a", "x", region="n"), text("b", "y", region="s"))},
        train(text("a", "x", land="n"), text("b", "y", land="s")),
        GOOD,
        then=lambda data: read_column(data.train, "land"),
    ),  # type: ignore[arg-type]
}


# What root, who may run this, can read without permission; and the place of a hub data set's row.
_ELSEWHERE = ("cannot be read (", "', row '")


def put(folder: Path, files: Files) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))


def opened(folder: Path, source: str, options: Mapping[str, Any], case: Case) -> Dataset:
    data = open_dataset(source if source.startswith("hub:") else str(folder / source), **options)
    if case.then:
        case.then(data)
    return data


def refused(folder: Path, case: Case) -> str:
    folder.mkdir(exist_ok=True)
    put(folder, case.before)
    with pytest.raises(DataError) as caught:
        opened(folder, case.source, case.options, case)
    return caught.value.remedy


def rows_of(data: Dataset) -> Rows:
    found: Rows = set()
    for part in (data.train, data.dev, data.test, data.unlabelled):
        for i, name in enumerate(part.texts if part is not None else ()):
            assert part is not None
            label: Any = None if part.labels is None else part.labels[i]
            if isinstance(label, tuple) and part.task.labels:
                label = tuple(part.task.labels[number] for number in label)
            elif isinstance(label, int) and part.task.labels:
                label = part.task.labels[label]
            found.add((name, None if part.pairs is None else part.pairs[i], label))
    return found


@pytest.mark.parametrize("name", CASES)
def test_the_remedy_works_and_loses_nothing(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    folder = tmp_path / "data"
    remedy = refused(folder, case)
    assert case.said in remedy
    if case.command:
        begin = min(
            at
            for tool in ("iconv -f", "tr -d", "gzip -dc", "python -c", "grep -v", "cut -d")
            if (at := remedy.find(tool)) >= 0
        )
        command = remedy[begin:].partition(" (if it is not")[0].replace("python -c", f"{sys.executable} -c")
        subprocess.run(command, shell=True, cwd=folder, check=True)
        if case.source_after is None:
            [old] = case.before
            (folder / case.command).replace(folder / old)
    put(folder, case.after)
    options = case.options if case.options_after is None else case.options_after
    if "say --kind multilabel" in remedy:
        options = {"kind": "multilabel"}
    data = opened(folder, case.source if case.source_after is None else case.source_after, options, case)
    assert rows_of(data) == case.rows


def test_every_message_has_its_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(next(iter(leanformer.data.__path__)))
    met: set[tuple[str, int]] = set()

    def watched(kind: type[Exception]) -> None:
        made = kind.__init__

        def noting(self: Exception, *values: Any, **named: Any) -> None:
            frame = sys._getframe(1)
            while frame is not None and Path(frame.f_code.co_filename).is_relative_to(folder):
                met.add((Path(frame.f_code.co_filename).name, frame.f_lineno))
                frame = frame.f_back  # type: ignore[assignment]
            made(self, *values, **named)

        monkeypatch.setattr(kind, "__init__", noting)

    for kind in (DataError, ExportError, SpanError):
        watched(kind)
    for number, case in enumerate(CASES.values()):
        refused(tmp_path / str(number), case)
    put(tmp_path / "folder", train(AX, BY))
    with pytest.raises(DataError, match="name a file in it"):
        read_rows(tmp_path / "folder")
    assert len(read_rows(tmp_path / "folder" / "train.jsonl")) == 2
    # Columns that group rows are read for `curate` alone, whose tests run these remedies.
    for source, column, said in (("folder", "txt", "text"), ("folder/train.jsonl", "text", "leave --group out")):
        with pytest.raises(DataError, match=said):
            read_groups(tmp_path / source, column)
    places = set(_places(folder))
    assert len(places) > 60
    missed = [
        f"{name}:{first}"
        for name, first, last in sorted(places)
        if not any((name, line) in met for line in range(first, last + 1))
    ]
    assert missed == []


def _places(folder: Path) -> Iterable[tuple[str, int, int]]:
    """File, first and last line of every place in which a message about data is made."""
    for file in folder.rglob("*.py"):
        # Hub data sets need the `datasets` library (reading/test_hub.py); the sample is written, not read; remedies
        # for what a model is asked are carried out in reading/test_asked.py.
        if file.name in ("hub.py", "sample.py", "asked.py", "open_tables.py"):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            function = node.func
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            if name in ("DataError", "ExportError", "SpanError", "error") and not any(
                part in ast.dump(node) for part in _ELSEWHERE
            ):
                yield file.name, node.lineno, node.end_lineno or node.lineno
