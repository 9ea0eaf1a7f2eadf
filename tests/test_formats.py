"""Every format opens, and one that is not known, or refuses, is refused wherever it is asked about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.artifact import Artifact, open_artifact, write_manifest
from leanformer.cascade.predictor import CascadePredictor
from leanformer.cascade.rows import tokenizer_of
from leanformer.cascade.store import check_members, read_cascade, write_cascade
from leanformer.compress.distil.student import LayerTrial, StudentShape, cut_student
from leanformer.compress.prune.scoring_set import open_for_pruning
from leanformer.errors import ArtifactError, LeanformerError
from leanformer.export.onnx import Onnx
from leanformer.export.standard import write_standard_onnx
from leanformer.formats import FORMATS, Format, Refusal, can, format_named, require
from leanformer.ladder.entries import baseline_entries, open_entry
from leanformer.ladder.variants import ways_of
from leanformer.loading import open_predictor
from leanformer.models.bilstm_store import read_bilstm
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import read_model
from leanformer.recipe.run import _format_reason
from leanformer.render.card import _usage
from leanformer.runtime.predictor import LightPredictor
from leanformer.search.jobs.local import JobRunner
from leanformer.search.jobs.shapes import planned_shape
from leanformer.serve.workers.tuned import open_tuned
from leanformer.shapes.of_artifact import shape_of_artifact
from leanformer.train.teacher_outputs import teacher_outputs
from tests.making.cascades import PLAN
from tests.making.every_format import artifacts_of_every_format
from tests.making.graphs import make_context
from tests.making.tiny import TASK, tiny_artifact, tiny_dataset

TEXTS = ["a quiet song", "rain and storm today", "goal"]
REFUSING = Refusal("is a test's, which nothing can be done with", "give another")
NOTHING = Format(
    opens="leanformer.formats:nothing_there", extra=None, runs="nothing", rung="nothing", light=REFUSING,
    module=REFUSING, shape=None, graph=REFUSING, standard=REFUSING, teaches=REFUSING, layers=False, foreign=False,
    members=False, tokenizer="leanformer.cascade.rows:tokenizer_of_file", whole_texts=False,
)  # fmt: skip


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    return artifacts_of_every_format(tmp_path_factory.mktemp("formats"))


def test_there_is_an_artifact_of_every_format(artifacts: dict[str, Artifact]):
    assert {name: artifact.format for name, artifact in artifacts.items()} == {name: name for name in FORMATS}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_opens(name: str, artifacts: dict[str, Artifact]):
    predictor = open_predictor(artifacts[name].path, threads=1)
    values = predictor.infer(predictor.tokenize(TEXTS))
    assert values.shape == (3, 3) and np.isfinite(values).all()
    assert open_tuned(artifacts[name], tuning=True).task == predictor.task


def test_each_member_of_a_cascade_opens_as_its_own_format(artifacts: dict[str, Artifact], tmp_path: Path):
    larger = tiny_artifact(tmp_path / "larger", seed=14)
    mixed = write_cascade([artifacts["onnx"], larger], PLAN, tmp_path / "cascade")
    opened: list[str] = []

    def graph(artifact: Artifact) -> LightPredictor:
        opened.append(artifact.format)
        return LightPredictor(artifact, threads=1)

    predictor = open_predictor(mixed, threads=1, graph=graph)
    assert isinstance(predictor, CascadePredictor)
    assert [type(member) for member in predictor.members.values()] == [LightPredictor, TorchPredictor]
    assert opened == ["onnx"], "the members, too, are opened as the caller opens graphs"


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_format_names_is_there_and_refusals_have_a_remedy(name: str):
    for question in fields(Format):
        answer = getattr(FORMATS[name], question.name)
        if isinstance(answer, Refusal):
            assert answer.why and answer.remedy
            answer = answer.unless or ""
        if isinstance(answer, str) and answer.startswith("leanformer."):
            module, _, function = answer.partition(":")
            assert callable(getattr(import_module(module), function)), answer


def _questions(context: Any, folder: Path) -> dict[str, Callable[[Artifact], Any]]:
    """What asks an artifact for its format, by name."""
    teacher = context.artifacts["teacher"]
    runner = JobRunner(teacher, replace(context.data, test=None), folder)
    return {
        "loading": open_predictor,
        "PyTorch": TorchPredictor,
        "light runtime": LightPredictor,
        "served": lambda artifact: open_tuned(artifact, tuning=True),
        "searched": lambda artifact: runner.open(artifact, {}),
        "a rung": lambda artifact: open_entry("x", None, artifact, 1),
        "the first rungs": lambda artifact: baseline_entries(artifact, 1),
        "a graph": lambda artifact: Onnx()(artifact, context, folder / "graph"),
        "a standard file": lambda artifact: write_standard_onnx(artifact, folder / "standard.onnx"),
        "compress and search": lambda artifact: require(artifact, "teaches"),
        "pruning": lambda artifact: open_for_pruning("compress.prune", artifact),
        "an encoder": read_model,
        "a recurrent classifier": read_bilstm,
        "the members": read_cascade,
        "hidden states": lambda artifact: teacher_outputs(artifact, TEXTS, cache=folder, hidden=[1]),
        "a student": lambda artifact: cut_student(
            StudentShape(layers=1), artifact, LayerTrial((), context.data.dev, 1e-4), context
        ),
    }, {
        "operations": shape_of_artifact,
        "rows": tokenizer_of,
        "members of a cascade": lambda artifact: check_members([artifact, teacher]),
        "other ways to run": lambda artifact: ways_of(artifact, None, folder),
        "a step of a recipe": lambda artifact: _format_reason(Onnx(), artifact),
        "the plan of a search": lambda artifact: planned_shape(None, {}, artifact),
        "a model card": _usage,
    }  # fmt: skip


@pytest.fixture
def stranger(artifacts: dict[str, Artifact]) -> Artifact:
    return replace(artifacts["encoder"], format="made-up")


@pytest.fixture
def questions(artifacts: dict[str, Artifact], tmp_path: Path) -> Any:
    return _questions(make_context(tmp_path, artifacts["encoder"], data=tiny_dataset()), tmp_path)


def test_an_unknown_format_is_refused_by_everything_that_asks(stranger: Artifact, questions: Any):
    known = "unknown to this Leanformer, which has encoder, bilstm, onnx, transformers, cascade, ngrams\n  remedy: "
    for name, ask in (questions[0] | questions[1]).items():
        if name == "a recurrent classifier":  # reads one format and says which it was given
            continue
        with pytest.raises(ArtifactError) as caught:
            ask(stranger)
        assert known in str(caught.value) and str(stranger.path) in str(caught.value), name


def test_a_format_that_can_do_nothing_is_refused_and_no_default_is_taken(
    stranger: Artifact, questions: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(FORMATS, "made-up", NOTHING)
    del questions[0]["loading"], questions[0]["served"], questions[0]["searched"], questions[0]["a rung"]
    for name, ask in questions[0].items():
        with pytest.raises(LeanformerError) as caught:
            ask(stranger)
        assert "remedy: " in str(caught.value) or "made-up" in str(caught.value), name
    assert shape_of_artifact(stranger) is None
    assert "takes encoder or bilstm, not an artifact of format 'made-up'" in questions[1]["a step of a recipe"](
        stranger
    )
    # An entry that names what is not there is a mistake of ours, and no artifact opens by another format's way.
    with pytest.raises(AttributeError, match="nothing_there"):
        open_predictor(stranger)


def test_an_entry_that_leaves_a_question_open_cannot_be_written():
    with pytest.raises(TypeError, match="members"):
        Format(**{field_.name: getattr(NOTHING, field_.name) for field_ in fields(Format) if field_.name != "members"})  # type: ignore[arg-type]


def test_no_artifact_of_an_unknown_format_is_written_or_read(artifacts: dict[str, Artifact], tmp_path: Path):
    with pytest.raises(ArtifactError, match="format 'made-up' is unknown"):
        write_manifest(tmp_path, format="made-up", task=TASK, max_tokens=8)
    folder = artifacts["onnx"].path
    (tmp_path / "leanformer.json").write_text(
        (folder / "leanformer.json").read_text(encoding="utf-8").replace('"onnx"', '"made-up"', 1), encoding="utf-8"
    )
    with pytest.raises(ArtifactError, match="'made-up', not one of encoder, bilstm, onnx, transformers, cascade, ng"):
        open_artifact(tmp_path)


def test_a_refusal_names_what_the_user_calls_the_artifact(artifacts: dict[str, Artifact]):
    with pytest.raises(ArtifactError, match=r"^my-model: a cascade cannot be compressed\n  remedy: compress"):
        require(artifacts["cascade"], "teaches", "my-model")
    assert can(artifacts["encoder"], "teaches") and not can(artifacts["onnx"], "teaches")
    assert format_named("cascade", "x").members
