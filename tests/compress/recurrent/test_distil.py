"""The recurrent student as a step: its start, the eight strategies, frozen parts, errors, taking up a killed run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from leanformer.artifact import Artifact
from leanformer.compress.recurrent.distil import BiLstmStudent
from leanformer.compress.recurrent.start import SPREAD, reduced_table, start_student
from leanformer.compress.recurrent.strategies import STRATEGIES
from leanformer.data.dataset import Dataset
from leanformer.errors import DataError, RecipeError
from leanformer.export.onnx import Onnx
from leanformer.models.bilstm import BiLstm
from leanformer.models.bilstm_store import read_bilstm
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import read_model, write_classifier
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from leanformer.tokenizer import Tokenizer
from leanformer.train.hooks.hook import Hook, Run
from leanformer.train.teacher_outputs import teacher_outputs
from tests.making.graphs import folder_bytes, make_context
from tests.making.tagged import TASK, tagged_examples, tagger_artifact, tiny_tagger
from tests.making.tiny import tiny_classifier, tiny_config, tiny_dataset, tiny_kind_dataset, tiny_tokenizer

# For the contract tests: options that run in a second, options that are refused, version and hash of the defaults.
QUICK = {"embedding": 8, "units": 8, "epochs": 1, "batch_size": 32}
BAD = ({"units": 0}, {"layer": "last"})
DEFAULTS = "1 36cc7c75c9c7"

QUICK = {"embedding": 8, "units": 8, "epochs": 1, "batch_size": 32, "learning_rate": 1e-2}
FROZEN_TO_THE_TOP = ["head", "head, projection", "head, projection, lstm", "head, projection, lstm, embedding"]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tagger_artifact(tmp_path_factory.mktemp("teacher") / "teacher")


def data(*, sizes: tuple[int, int, int] = (48, 24, 32)) -> Dataset:
    train, dev, unlabelled = sizes
    return Dataset(
        task=TASK, train=tagged_examples(train, 1), dev=tagged_examples(dev, 2),
        unlabelled=tagged_examples(unlabelled, 4, labelled=False), name="tagged",
    )  # fmt: skip


def distilled(
    teacher: Artifact, folder: Path, given: Dataset | None = None, say: Any = None, **options: Any
) -> Artifact:
    context = make_context(folder, teacher, data=given or data(), say=say or (lambda line: None))
    return BiLstmStudent(**{**QUICK, **options})(teacher, context, folder / "student")


def test_the_start_keeps_as_much_as_any_table_of_its_rank() -> None:
    table = torch.randn(60, 24, generator=torch.Generator().manual_seed(1)) @ torch.diag(torch.linspace(3, 0.1, 24))
    sizes = torch.linalg.svdvals(table.double())
    for width in (1, 5, 24):
        reduced = reduced_table(table, width)
        assert reduced.shape == (60, width)
        # The best that can be made of it again by any linear map is what the rank allows (Eckart and Young).
        again = reduced @ torch.linalg.lstsq(reduced, table).solution
        error = (table - again).double().pow(2).sum()
        assert float(error) == pytest.approx(float(sizes[width:].pow(2).sum()), rel=1e-3, abs=1e-3)
        # Distances between rows are those of the approximation, not only their span.
        torch.testing.assert_close(torch.cdist(reduced, reduced), torch.cdist(again, again), atol=1e-2, rtol=1e-3)
    assert torch.equal(reduced_table(table, 5), reduced_table(table.clone(), 5))
    with pytest.raises(ValueError, match="directions"):
        reduced_table(table, 25)


@pytest.mark.parametrize("start", ["svd", "random"])
def test_a_student_has_the_pieces_seen_and_starts_as_asked(teacher: Artifact, tmp_path: Path, start: str) -> None:
    texts = data().train.inputs  # type: ignore[union-attr]
    options: dict[str, Any] = {
        "embedding": 8, "units": 8, "dropout": 0.2, "start": start, "keep_characters": True, "work": tmp_path,
    }  # fmt: skip
    torch.manual_seed(1)
    student = start_student(read_model(teacher), teacher, texts, vocabulary="seen", **options)
    before, after = Tokenizer(teacher.file("tokenizer.json"), 32), Tokenizer(student.tokenizer, 32)
    assert after.vocabulary_size < before.vocabulary_size
    assert student.model.config.vocabulary == after.vocabulary_size == student.notes["pieces"][1]
    assert float(student.model.embedding.weight.detach().std()) == pytest.approx(SPREAD, rel=1e-3)
    for old, new in zip(before.encode(texts), after.encode(texts), strict=True):
        assert np.array_equal(student.renumbered[old], new)
    # A word that no counted text had comes apart into characters, and is not unknown.
    unseen = after.encode(["zebra"])[0]
    assert len(unseen) == len("zebra") + 2
    assert start == "random" or 0.2 < student.notes["kept_of_embeddings"] < 1
    whole = start_student(read_model(teacher), teacher, texts, vocabulary="all", **options)
    assert whole.model.config.vocabulary == read_model(teacher).config.vocabulary


@pytest.mark.parametrize("vocabulary", ["cased", pytest.param("uncased", marks=pytest.mark.slow)])
def test_a_student_learns_pieces_of_its_own(teacher: Artifact, tmp_path: Path, vocabulary: str) -> None:
    lines: list[str] = []
    student = distilled(teacher, tmp_path, vocabulary=vocabulary, pieces=100, say=lines.append)
    result = student.history[-1]["result"]
    tokenizer = Tokenizer(student.file("tokenizer.json"), 32)
    assert tokenizer.vocabulary_size == read_bilstm(student).config.vocabulary == result["pieces"][1] <= 100
    assert any("pieces of its own" in line for line in lines)
    assert 0.2 < result["kept_of_embeddings"] < 1 and len(result["fits"]) == 9
    same, other = tokenizer.encode(["Song", "song"])
    assert np.array_equal(same, other) is (vocabulary == "uncased")
    # All else is as with the teacher's pieces: its graph, and its bytes when it is killed and taken up.
    texts = data().dev.texts  # type: ignore[union-attr]
    graph = Onnx()(student, make_context(tmp_path, teacher, data=data()), tmp_path / "graph")
    for ours, theirs in zip(
        logits(LightPredictor(graph, threads=1), texts), logits(TorchPredictor(student), texts), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=0)
    with pytest.raises(KilledError):
        distilled(teacher, tmp_path / "killed", vocabulary=vocabulary, pieces=100, say=killing(5))
    again = distilled(teacher, tmp_path / "killed", vocabulary=vocabulary, pieces=100)
    assert folder_bytes(again.path) == folder_bytes(student.path)


def test_states_of_words_are_followed_across_pieces(teacher: Artifact, tmp_path: Path) -> None:
    """The longer the fit to states, the nearer they come, though the student's words come apart in another way."""
    losses = []
    for epochs in (1, 12):
        student = distilled(teacher, tmp_path / str(epochs), vocabulary="cased", pieces=100, strategy="D3.1",
                            representation_epochs=epochs, units=24, embedding=24, dropout=0.0)  # fmt: skip
        losses.append(-max(student.history[-1]["result"]["fits"][0]["scores"]))
    assert 0 < losses[1] < 0.9 * losses[0]


def test_it_may_come_from_another_model_than_its_teacher(teacher: Artifact, tmp_path: Path) -> None:
    """One of another width, that reads in other windows; and each has fits of its own in a cache that they share."""
    given, fits = data(), []
    for tokens in (32, 12):
        other = tagger_artifact(
            tmp_path / f"other-{tokens}", model=tiny_tagger(hidden=16, head_size=4), max_tokens=tokens
        )
        for vocabulary in ("seen", "cased"):
            context = make_context(tmp_path / "shared", teacher, data=given)
            context = replace(context, work=tmp_path / f"work-{tokens}-{vocabulary}")
            step = BiLstmStudent(**{**QUICK, "strategy": "D3.1", "vocabulary": vocabulary, "pieces": 100})
            student = step(other, context, tmp_path / f"student-{tokens}-{vocabulary}")
            assert read_bilstm(student).config.projection == read_model(teacher).config.hidden
            assert student.max_tokens == tokens
            fits.append(student.history[-1]["result"]["fits"][0]["scores"])
    assert len({tuple(fit) for fit in fits}) == 4


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_by_one_option(teacher: Artifact, tmp_path: Path, strategy: str) -> None:
    lines: list[str] = []
    student = distilled(
        teacher, tmp_path, strategy=strategy, say=lines.append, language="aa" if strategy == "D0" else None
    )
    assert (student.format, student.task) == ("bilstm", TASK)
    fits = student.history[-1]["result"]["fits"]
    stages = STRATEGIES[strategy]
    assert len(fits) == len(stages) == {"D4.2": 9, "D3.2": 5, "D4.1": 3, "D3.1": 2}.get(strategy, 1)
    model = read_bilstm(student)
    for number, (fit, stage) in enumerate(zip(fits, stages, strict=True), start=1):
        # Trainable parameters are logged at each fit, and are those of the parts that it names.
        trainable = sum(p.numel() for name in stage.trains for p in model.parts()[name].parameters())
        assert fit["trainable_parameters"] == trainable
        said = f"fit {number} of {len(stages)}: {stage.name}; {trainable:,} parameters, {', '.join(stage.trains)}"
        assert said in lines


def test_unfreezing_goes_from_the_top_down() -> None:
    for strategy, names in (("D3.2", ["labels and logits"]), ("D4.2", ["logits", "labels"])):
        fits = STRATEGIES[strategy][1:]
        assert [", ".join(fit.trains) for fit in fits] == FROZEN_TO_THE_TOP * len(names)
        assert [fit.name.split(",")[0] for fit in fits] == [name for name in names for _ in range(4)]
    assert STRATEGIES["D4.2"][0].trains == ("projection", "lstm", "embedding")


def test_frozen_parts_keep_every_bit(teacher: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from leanformer.compress.recurrent import stages

    seen: list[tuple[tuple[str, ...], dict[str, torch.Tensor], dict[str, torch.Tensor]]] = []
    fit = stages.fit_with_parts

    class Watch(Hook):
        """Which parts are trained, as the loop is told."""

        trains: tuple[str, ...] = ()

        def before_step(self, run: Run) -> None:
            parts = cast(BiLstm, run.model).parts()
            self.trains = tuple(name for name, part in parts.items() if next(part.parameters()).requires_grad)

    def watched(model: Any, objective: Any, feed: Any, plan: Any, hooks: Any) -> Any:
        before, watch = {name: value.clone() for name, value in model.state_dict().items()}, Watch()
        result = fit(model, objective, feed, plan, [*hooks, watch])
        seen.append((watch.trains, before, {name: value.clone() for name, value in model.state_dict().items()}))
        return result

    monkeypatch.setattr(stages, "fit_with_parts", watched)
    distilled(teacher, tmp_path)
    assert len(seen) == 9
    moved = 0
    for trains, before, after in seen:
        for name, value in before.items():
            if name.split(".")[0] not in trains:
                assert torch.equal(value, after[name]), f"{name} was frozen, and only {trains} trained"
            else:
                moved += not torch.equal(value, after[name])
    assert moved > 20


@pytest.mark.slow
def test_a_student_learns_what_its_teacher_says(teacher: Artifact, tmp_path: Path) -> None:
    """On labels turned round, a student of logits goes with the teacher."""
    texts = tagged_examples(40, 8).texts
    theirs = np.concatenate(list(logits(TorchPredictor(teacher), texts)))
    distances = []
    for epochs, rate in ((1, 1e-9), (25, 1e-2)):
        student = distilled(teacher, tmp_path / str(epochs), strategy="D3.1", epochs=epochs, learning_rate=rate,
                            embedding=24, units=24, label_weight=0.0, batch_size=16, dropout=0.0)  # fmt: skip
        ours = np.concatenate(list(logits(TorchPredictor(student), texts)))
        distances.append(float(np.abs(ours - theirs).mean()))
    assert distances[1] < 0.6 * distances[0]


def test_teacher_outputs_are_shared_and_so_is_the_first_fit(teacher: Artifact, tmp_path: Path) -> None:
    lines: list[str] = []
    distilled(teacher, tmp_path, strategy="D3.1", say=lines.append)
    made = {path: path.stat().st_mtime_ns for path in sorted((tmp_path / "cache").rglob("*.npy"))}
    assert made and any("teacher outputs" in line for line in lines)
    again: list[str] = []
    distilled(teacher, tmp_path, strategy="D4.1", say=again.append)
    assert {path: path.stat().st_mtime_ns for path in sorted((tmp_path / "cache").rglob("*.npy"))} == made
    assert not any("teacher outputs" in line for line in again)
    assert any("taken up at epoch 2" in line for line in again)


def test_logits_alone_are_found_among_more(teacher: Artifact, tmp_path: Path) -> None:
    """A strategy without states finds what one with states had kept."""
    texts = data().train.inputs  # type: ignore[union-attr]
    more = teacher_outputs(teacher, texts, cache=tmp_path, hidden=(1,), device="cpu")
    lines: list[str] = []
    less = teacher_outputs(teacher, texts, cache=tmp_path, device="cpu", say=lines.append)
    assert lines == [] and less.hidden == {}
    # What is found does not depend on what was asked before, to the last bit.
    apart = teacher_outputs(teacher, texts, cache=tmp_path / "apart", device="cpu")
    for ours, theirs, alone in zip(less.logits, more.logits, apart.logits, strict=True):
        assert np.array_equal(ours, theirs) and np.array_equal(ours, alone)


@pytest.mark.parametrize("layer", [1, 2])
def test_the_layer_is_an_option(teacher: Artifact, tmp_path: Path, layer: int) -> None:
    student = distilled(teacher, tmp_path, strategy="D3.1", layer=layer)
    assert student.history[-1]["result"]["layer"] == layer
    if layer == 1:  # of two layers seven twelfths are one
        unsaid = distilled(teacher, tmp_path / "unsaid", strategy="D3.1")
        assert unsaid.history[-1]["result"]["layer"] == 1
    with pytest.raises(RecipeError, match="only 2"):
        distilled(teacher, tmp_path / "no", layer=3)


def test_few_texts_are_seen_more_often(teacher: Artifact, tmp_path: Path) -> None:
    for least, epochs in ((0, 2), (4, 2), (9, 5)):  # 48 sentences in batches of 32 are two steps an epoch
        options: dict[str, Any] = {"strategy": "D0-S", "epochs": 2, "least_steps": least}
        student = distilled(teacher, tmp_path / str(least), **options)
        (fit,) = student.history[-1]["result"]["fits"]
        assert len(fit["scores"]) == epochs


@pytest.mark.slow
@pytest.mark.parametrize("vocabulary", ["seen", "cased"])
@pytest.mark.parametrize("kind", ["classification", "pair", "multilabel", "similarity"])
def test_texts_and_pairs_are_answered_too(tmp_path: Path, kind: str, vocabulary: str) -> None:
    given = tiny_dataset() if kind == "classification" else tiny_kind_dataset(kind, (60, 30, 12, 30))
    given = replace(given, test=None)
    outputs = given.task.outputs
    with tempfile.TemporaryDirectory() as scratch:
        teacher = write_classifier(
            tiny_classifier(tiny_config(labels=outputs)), tmp_path / "teacher", task=given.task,
            tokenizer=tiny_tokenizer(Path(scratch)), max_tokens=32, history=[],
        )  # fmt: skip
    student = distilled(teacher, tmp_path, given, strategy="D4.2", representation="mse", vocabulary=vocabulary)
    # What stands for a whole text in lower layers is nearly the same in all texts.
    assert student.history[-1]["result"]["layer"] == len(tiny_config().layers)
    assert (student.task.question, student.max_tokens) == (teacher.task, teacher.max_tokens)
    assert (student.task.thresholds is not None) is (kind == "multilabel")
    texts = given.dev.inputs[:3]  # type: ignore[union-attr]
    found = logits(TorchPredictor(student), texts)
    assert found.shape == (3, outputs) and np.isfinite(found).all()
    context = make_context(tmp_path, teacher, data=given)
    graph = Onnx()(student, context, tmp_path / "graph")
    np.testing.assert_allclose(logits(LightPredictor(graph, threads=1), texts), found, atol=1e-4, rtol=0)


class KilledError(Exception):
    pass


def killing(at: int) -> Any:
    """Receives lines, and kills at the epoch `at` of all that are told of."""
    epochs: Iterator[int] = iter(range(1, 1000))

    def say(line: str) -> None:
        if "  dev " in line and next(epochs) == at:
            raise KilledError

    return say


@pytest.mark.parametrize("at", [4, *(pytest.param(at, marks=pytest.mark.slow) for at in (1, 12, 18))])
def test_killed_and_taken_up_again(teacher: Artifact, tmp_path: Path, at: int) -> None:
    whole = distilled(teacher, tmp_path / "whole", epochs=2)
    with pytest.raises(KilledError):
        distilled(teacher, tmp_path / "killed", epochs=2, say=killing(at))
    assert not (tmp_path / "killed" / "student").exists()
    again = distilled(teacher, tmp_path / "killed", epochs=2)
    assert folder_bytes(again.path) == folder_bytes(whole.path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "D5"}, "one of D0, D0-S"),
        ({"start": "glove"}, "svd, random"),
        ({"vocabulary": "few"}, "one of seen, all, cased, uncased"),
        ({"pieces": 99}, "pieces must be at least 100"),
        ({"representation": "l1"}, "kld, mse"),
        ({"units": 0}, "units"),
        ({"layer": 0}, "layer"),
        ({"dropout": 1.0}, "dropout"),
        ({"warmup": 1.0}, "warmup"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"logit_weight": -1.0}, "logit_weight"),
        ({"least_steps": -1}, "least_steps"),
    ],
)
def test_bad_options_are_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        BiLstmStudent(**options)


def test_what_cannot_be_is_said(teacher: Artifact, tmp_path: Path) -> None:
    for options, given, error, message in (
        ({"strategy": "D0"}, data(), RecipeError, "one language"),
        ({"language": "xx"}, data(), DataError, "language 'xx'"),
        ({}, replace(data(), train=None), RecipeError, "no training text has one"),
        ({}, replace(data(), dev=None), DataError, "dev split"),
        ({"embedding": 40}, data(), RecipeError, "smaller `embedding`"),
    ):
        with pytest.raises(error, match=message):
            distilled(teacher, tmp_path / message.replace(" ", ""), given, **options)  # type: ignore[arg-type]
