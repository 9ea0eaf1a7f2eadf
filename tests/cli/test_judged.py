"""What `leanformer gate` judges of models of each form: their figures, groups and documents, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leanformer import load
from leanformer.artifact import Artifact
from leanformer.models.store import write_classifier
from leanformer.task import Task
from tests.making.commands import Command, is_friendly, write_lines
from tests.making.tagged import TAGS, tiny_tagger
from tests.making.tiny import LABELS, tiny_classifier, tiny_config, tiny_texts, tiny_tokenizer

Models = Callable[[str], tuple[Path, Path, Path]]

KINDS = ("multilabel", "similarity", "tokens", "choice")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """A model of a kind, one with other weights, and 150 rows labelled by the first, in six documents."""
    folder = tmp_path_factory.mktemp("forms")

    def model(kind: str, name: str, seed: int) -> Artifact:
        task = Task(kind, TAGS if kind == "tokens" else LABELS if kind == "multilabel" else ())
        made = tiny_tagger(seed) if kind == "tokens" else tiny_classifier(tiny_config(labels=task.outputs), seed)
        return write_classifier(
            made, folder / f"{kind}-{name}", task=task, tokenizer=tiny_tokenizer(folder / f"t{kind}{name}"),
            max_tokens=48, history=[],
        )  # fmt: skip

    def make(kind: str) -> tuple[Path, Path, Path]:
        if not (folder / kind).exists():
            first, _ = (model(kind, name, seed) for name, seed in (("first", 3), ("second", 4)))
            texts = [f"{text[:-1]} {row}" for row, text in enumerate(tiny_texts(150, seed=9)[0])]
            others = tiny_texts(150, seed=10)[0]
            rows: list[dict[str, Any]] = [{"text": text, "talk": f"d{row // 25}"} for row, text in enumerate(texts)]
            questions: list[Any] = [*texts]
            if kind == "similarity":
                questions = list(zip(texts, others, strict=True))
            if kind == "choice":
                questions = [(text, (other, text)) for text, other in zip(texts, others, strict=True)]
            for row, question, said in zip(rows, questions, load(first.path).predict(questions), strict=True):
                if kind == "tokens":
                    row |= {"words": row.pop("text").split(), "tags": list(said.tags or ())}
                elif kind == "multilabel":
                    row["labels"] = list(said.labels or ())
                elif kind == "choice":
                    row |= {"choices": list(question[1]), "label": said.choice}
                else:
                    row |= {"text_pair": question[1], "label": said.score}
            write_lines(folder / kind / "fresh.jsonl", rows)
        return folder / f"{kind}-first", folder / f"{kind}-second", folder / kind / "fresh.jsonl"

    return make


METRICS = dict(zip(KINDS, ("micro-F1", "Spearman correlation", "entity F1", "accuracy"), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_form_is_judged_by_its_own_figure(kind: str, command: Command, models: Models, tmp_path: Path):
    first, second, data = models(kind)
    arguments = ("--against", first, "--data", data, "--max-drop", 10, "--json")
    status, out, err = command("gate", first, *arguments, "--slice", "length=60")
    assert status == 0, err
    value = json.loads(out)
    assert value["checks"][0]["name"] == METRICS[kind] and value["checks"][0]["n"] == 150
    assert value["checks"][0]["value"] == 0 and value["checks"][0]["reference"] == pytest.approx(1)
    assert f"{METRICS[kind]}: 150 texts can show a loss below 10 points" in err
    assert sum(check["n"] for check in value["checks"][1:]) == 150, "by length"
    status, out, _ = command("gate", second, *arguments, "--allow-lost-classes")
    assert status == 4 and json.loads(out)["checks"][0]["status"] == "broken"


def test_sentences_of_documents_and_recall_of_types(command: Command, models: Models):
    first, _, data = models("tokens")
    arguments = ("gate", first, "--against", first, "--data", data, "--max-drop", 30)
    status, out, err = command(*arguments, "--max-recall-drop", 30, "--json")
    assert [check["name"] for check in json.loads(out)["checks"]] == ["entity F1", "recall of MUS", "recall of SPO"]
    assert len([line for line in err.splitlines() if line.startswith("recall of ")]) == 2
    status, out, err = command(*arguments, "--document", "talk", "--json")
    check = json.loads(out)["checks"][0]
    assert status == 4 and check["limit"] is None, "six documents show nothing"
    assert "150 texts cannot show a loss below 30 points" in err


def test_scores_have_a_bound_on_the_error(command: Command, models: Models):
    first, _, data = models("similarity")
    arguments = ("gate", first, "--against", first, "--data", data, "--max-drop", 10)
    status, out, _ = command(*arguments, "--bound", "mean absolute error=0.5")
    assert status == 0 and "mean absolute error: shown" in out and "allowed 0.5" in out
    assert "mean absolute error, not bounded: +0.0000 worse" in command(*arguments)[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "options", "said", "instead"),
    [
        ("similarity", ("--max-flips", 5), "do not flip", ()),
        ("choice", ("--max-recall-drop", 5), "no class has a recall", ()),
        ("multilabel", ("--bound", "macro F1=5"), "name one of macro-F1", ("--bound", "macro-F1=99")),
        ("multilabel", ("--bound", "macro-F1=much"), "the bound is a number", ("--bound", "macro-F1=99")),
        ("multilabel", ("--bound", "macro-F1"), "NAME=VALUE", ("--bound", "macro-F1=99")),
        ("multilabel", ("--slice", "class=30"), "--max-recall-drop bounds each label", ("--max-recall-drop", 95)),
        ("tokens", ("--document", "book"), "no column 'book'", ("--slice", "talk=90")),
    ],
)
def test_a_bound_that_a_form_does_not_have_is_refused_with_a_remedy(
    kind: str, options: tuple[Any, ...], said: str, instead: tuple[Any, ...], command: Command, models: Models
):
    first, _, data = models(kind)
    arguments = ("gate", first, "--against", first, "--data", data, "--max-drop", 10)
    status, out, err = command(*arguments, *options)
    is_friendly(status, out, err)
    assert said in err
    assert command(*arguments, *instead)[0] in (0, 4), "judged, whatever the verdict"
