"""Words and tags walk the whole line with the words that every task has: train, compress, predict, bench."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from seqeval.metrics import f1_score

import leanformer
from leanformer.answers.forms import decide
from leanformer.artifact import open_artifact
from leanformer.loading import open_predictor
from leanformer.models.classifier import Classifier
from leanformer.models.heads import token_head
from leanformer.predictor import logits
from leanformer.tagging.viterbi import is_legal
from tests.making.commands import Command, make_command
from tests.making.tagged import TAGS, tagger_artifact, write_columns
from tests.making.tiny import roughen, tiny_config

RECIPE = """
name: tagging
about: a student, pruned, distilled again and trimmed, in int8; and the teacher as it is
steps:
  - {step: export.onnx, name: teacher-onnx, uses: teacher, rung: our graph}
  - {step: compress.distil, name: student, uses: teacher, layers: 1, epochs: 2, learning_rate: 0.003, batch_size: 16,
     hidden_weight: 0.1, trial_texts: 64, language_temperature: 2}
  - {step: compress.prune, name: pruned, uses: student, heads: 3, ffn: 24}
  - {step: compress.distil, name: again, layers: null, epochs: 1, logit_loss: mse, batch_size: 16}
  - {step: compress.trim_vocabulary, name: trimmed}
  - {step: export.onnx, name: small-onnx, rung: small}
  - {step: export.int8, name: small-int8, rung: small in int8, max_flips: 1, max_mean_share: 1}
  - {step: compress.prune_post_training, name: fitted, uses: teacher, keep: 0.75}
  - {step: export.onnx, name: fitted-onnx, rung: pruned without training}
"""


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return make_command(monkeypatch, capsys)


@pytest.mark.slow
def test_from_columns_to_spans(command: Command, tmp_path: Path) -> None:
    data = write_columns(tmp_path / "data", sizes=(90, 25, 25))
    start = Classifier(token_head(tiny_config(labels=len(TAGS))))
    roughen(start, 5)
    tagger_artifact(tmp_path / "start", model=start)
    status, out, err = command(
        "train", data, "--task", "tokens", "--encoder", tmp_path / "start", "--output", tmp_path / "teacher",
        "--epochs", 4, "--batch-size", 16, "--learning-rate", 0.004, "--precision", "fp32", "--threads", 1,
        "--language-temperature", 2, "--device", "cpu",
    )  # fmt: skip
    assert status == 0, err
    assert "tokens, 5 labels, dev entity F1" in out
    teacher = open_artifact(tmp_path / "teacher")
    scores = teacher.history[-1]["result"]["dev_entity_f1"]
    assert max(scores) > 0.9, "a teacher that knows nothing would prove nothing"

    (tmp_path / "recipe.yaml").write_text(RECIPE)
    status, out, err = command(
        "compress", tmp_path / "teacher", "--data", data, "--output", tmp_path / "lean", "--recipe",
        tmp_path / "recipe.yaml", "--threads", 1, "--rounds", 1, "--no-memory", "--max-drop", 100, "--goal", "size",
        "--device", "cpu",
    )  # fmt: skip
    assert status == 0, err
    lean = open_artifact(tmp_path / "lean")
    assert lean.task == teacher.task and lean.properties["precision"].startswith("int8")
    report = json.loads((tmp_path / "lean" / "report.json").read_text())
    assert {rung["metric"] for rung in report["rungs"]} == {"entity F1"}
    small = next(rung for rung in report["rungs"] if rung["name"] == "small")
    assert small["quality"] > 0.5 and small["dev_quality"] > 0.5
    assert {"F1 in aa", "F1 in bb", "mean of F1 over 2 languages"} <= set(small["scores"])
    card = (tmp_path / "lean" / "README.md").read_text()
    assert "Tags, one for each word: `O`, `B-MUS`" in card and "read in windows" in card

    # The figure in the report is that of another library, on the tags that the runtime gives.
    examples = leanformer.open_dataset(str(data), kind="tokens").test
    assert examples is not None
    predictor = open_predictor(lean, threads=1)
    tags = decide(logits(predictor, examples.texts), lean.task)
    assert all(is_legal(tag, TAGS) for tag in tags)
    names, gold = ([[TAGS[i] for i in row] for row in each] for each in (tags, examples.targets))
    chosen = next(rung for rung in report["rungs"] if rung["name"] == report["choice"]["rung"])
    assert chosen["quality"] == pytest.approx(f1_score(gold, names))

    long = " ".join(examples.texts)  # far more than the model reads at once
    (tmp_path / "texts.jsonl").write_text(
        json.dumps({"text": f"  {long}, it was!"}) + "\n" + json.dumps({"words": examples.texts[0].split(" ")}) + "\n"
    )
    status, out, err = command("predict", tmp_path / "lean", "--input", tmp_path / "texts.jsonl", "--threads", 1)
    assert status == 0, err
    first, second = (json.loads(line) for line in out.splitlines())
    assert first["text"] == f"  {long}, it was!" and len(first["spans"]) > 40
    for record in (first, second):
        for span in record["spans"]:
            assert record["text"][span["start"] : span["end"]] == span["text"]
    given = {(span["start"], span["label"]) for span in second["spans"]}
    prediction = leanformer.load(tmp_path / "lean", threads=1).predict([examples.texts[0].split(" ")])[0]
    assert prediction.spans is not None and given == {(span.start, span.label) for span in prediction.spans}

    status, out, err = command(
        "bench", tmp_path / "teacher", tmp_path / "lean", "--data", data, "--threads", 1, "--rounds", 1,
        "--no-memory", "--json",
    )  # fmt: skip
    assert status == 0, err
    rungs = json.loads(out)["rungs"]
    assert rungs[1]["quality"] == pytest.approx(chosen["quality"])
    assert np.isfinite([rungs[1]["drop_low"], rungs[1]["drop_high"]]).all()


@pytest.mark.slow
def test_texts_alone_are_enough_and_a_stock_tagger_is_a_model(command: Command, tmp_path: Path) -> None:
    """Without labels quality is entity F1 with the model that was handed in."""
    tagger_artifact(tmp_path / "teacher")
    texts = [" ".join(words.split(" ")) + "!" for words in _texts()]
    (tmp_path / "texts.txt").write_text("\n".join(texts) + "\n")
    (tmp_path / "unlabelled").mkdir()
    (tmp_path / "unlabelled" / "unlabelled.txt").write_text("\n".join(texts) + "\n")
    status, _, err = command(
        "compress", tmp_path / "teacher", "--data", tmp_path / "unlabelled", "--output", tmp_path / "lean",
        "--threads", 1, "--rounds", 1, "--no-memory", "--max-drop", 100, "--set", "int8.max_flips=1",
        "--set", "int8.max_mean_share=1",
    )  # fmt: skip
    assert status == 0, err
    report = json.loads((tmp_path / "lean" / "report.json").read_text())
    assert report["rungs"][0]["metric"] == "entity F1 with the teacher" and report["rungs"][0]["quality"] == 1


def _texts() -> tuple[str, ...]:
    from tests.making.tagged import tagged_examples

    return tagged_examples(60, 77).texts


def test_what_is_not_built_for_taggers_says_so(command: Command, tmp_path: Path) -> None:
    tagger_artifact(tmp_path / "tagger")
    data = write_columns(tmp_path / "data", sizes=(20, 5, 5))
    status, out, err = command("inspect", tmp_path / "tagger")
    assert status == 0 and "tokens" in out, err
    (tmp_path / "bad.tsv").write_text("goal\tB-SPO\nball\tSPO\n")
    status, out, err = command("bench", tmp_path / "tagger", "--data", tmp_path / "bad.tsv")
    assert status == 1 and "bad.tsv, line 2: 'SPO' is no tag" in err
    status, _, err = command("train", data, "--encoder", tmp_path / "tagger", "--output", tmp_path / "out")
    assert status == 1 and "Traceback" not in err
    assert "--task tokens" in err  # the columns are in sub-folders, where no other kind looks
    status, _, err = command("train", data / "aa", "--encoder", tmp_path / "tagger", "--output", tmp_path / "out")
    assert status == 1 and "--task tokens" in err  # a table without a header, by any other kind
