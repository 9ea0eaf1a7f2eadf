"""The losses of tags: over the first pieces of words and nothing else, each row by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from leanformer.artifact import Artifact
from leanformer.models.store import read_model
from leanformer.tagging.words import words_of
from leanformer.tokenizer import Tokenizer
from leanformer.train.encoded import Encoded
from leanformer.train.feeds.batches import NOT_ASKED, Batch, TrainingSet, to_batches
from leanformer.train.objectives.answers import LOSSES, is_labelled, over_asked, raw_logit_distance
from leanformer.train.objectives.distillation import Distillation, LossWeights
from leanformer.train.objectives.objective import LabelLoss, Supervised
from leanformer.train.rows import encode
from leanformer.train.targets import labels_of
from leanformer.train.teacher_outputs import TeacherOutputs, teacher_outputs
from tests.making.tagged import TASK, tagged_examples, tagger_artifact, tiny_tagger

EXAMPLES = tagged_examples(12, 21)
LONG = EXAMPLES.texts[0] + " " + " ".join(EXAMPLES.texts[1:5])
TEXTS = (*EXAMPLES.texts, LONG, "\u200d")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tagger_artifact(tmp_path_factory.mktemp("teacher") / "a", model=tiny_tagger(7), max_tokens=16)


@pytest.fixture(scope="module")
def encoded(teacher: Artifact) -> Encoded:
    return encode(Tokenizer(teacher.file("tokenizer.json"), 16), TASK, TEXTS)


@pytest.fixture(scope="module")
def outputs(teacher: Artifact) -> TeacherOutputs:
    return teacher_outputs(teacher, TEXTS, cache=teacher.path.parent / "cache", hidden=(0, 2))


def one_batch(encoded: Encoded, labels: np.ndarray) -> Batch:
    data = TrainingSet(encoded.rows, labels, 0)
    [batch] = to_batches(data, np.arange(len(data)), token_budget=100_000, device=torch.device("cpu"))
    return batch


def test_labels_stand_on_first_pieces_alone(encoded: Encoded) -> None:
    labels = encoded.labels(np.array([*labels_of(EXAMPLES), np.arange(len(LONG.split())) % 5, np.array([1])], object))
    assert encoded.windows is not None
    assert len(encoded.windows[12]) > 1 and len(labels) == len(encoded.rows) == sum(map(len, encoded.windows))
    for tags, windows in zip(labels_of(EXAMPLES), encoded.windows, strict=False):
        row = labels[[id(row) for row in encoded.rows].index(id(windows[0].ids))]
        assert row[row > NOT_ASKED].tolist() == tags.tolist()
        assert row[0] == row[-1] == NOT_ASKED  # the special tokens
    long = np.concatenate([row[row > NOT_ASKED] for row in labels[12:-1]])
    assert long.tolist() == (np.arange(len(LONG.split())) % 5).tolist()
    assert (labels[-1] == NOT_ASKED).all()  # nothing is left of its one word
    assert {int(label) for row in encoded.unknown() for label in row} == {NOT_ASKED, -1}


def test_cross_entropy_is_that_of_the_asked_tokens(encoded: Encoded) -> None:
    tags = np.array([*labels_of(EXAMPLES), np.arange(len(LONG.split())) % 5, np.array([1])], object)
    batch, model = one_batch(encoded, encoded.labels(tags)), tiny_tagger()
    logits = model(batch.ids, batch.mask)
    rows = []
    for values, labels in zip(logits, batch.labels, strict=True):
        asked = labels > NOT_ASKED
        rows.append(F.cross_entropy(values[asked], labels[asked]) if asked.any() else torch.tensor(0.0))
    torch.testing.assert_close(LOSSES["tags"].hard(logits, batch.labels), torch.stack(rows))
    torch.testing.assert_close(Supervised(LabelLoss("tags"))(model, batch), torch.stack(rows).mean())
    assert is_labelled(batch.labels).tolist() == [bool(row.max() >= 0) for row in batch.labels]


def expected_soft(batch: Batch, student: Tensor, teacher: list[np.ndarray], temperature: float, kind: str) -> Tensor:
    rows = []
    for values, labels, theirs in zip(student, batch.labels, teacher, strict=True):
        ours, target = values[labels > NOT_ASKED], torch.from_numpy(theirs)
        if not len(ours):
            rows.append(torch.tensor(0.0))
        elif kind == "mse":
            rows.append((0.5 * ((ours - target) ** 2).sum(1)).mean())
        else:
            p, logs = torch.softmax(target / temperature, 1), F.log_softmax(ours / temperature, 1)
            rows.append(-(p * logs).sum(1).mean() * temperature**2)
    return torch.stack(rows)


@pytest.mark.parametrize(("kind", "temperature"), [("kl", 1.0), ("kl", 3.0), ("mse", 3.0)])
def test_the_soft_loss_follows_the_teacher_on_words(
    encoded: Encoded, outputs: TeacherOutputs, kind: str, temperature: float
) -> None:
    from dataclasses import replace

    batch, model = one_batch(encoded, encoded.unknown()), tiny_tagger()
    of_rows = encoded.of_rows(outputs.logits)
    objective = Distillation(replace(outputs, logits=of_rows), LossWeights(temperature, soft_kind=kind), answer="tags")
    # The words of each row by way of labels that number them, which `test_labels_stand_on_first_pieces_alone` proves.
    assert encoded.windows is not None
    numbers = encoded.labels(np.array([np.arange(len(words_of(text))) for text in TEXTS], object))
    sentence = [number for number, each in enumerate(encoded.windows) for _ in each]
    teacher = [outputs.logits[sentence[i]][numbers[i][numbers[i] > NOT_ASKED]] for i in batch.rows]
    expected = expected_soft(batch, model(batch.ids, batch.mask), teacher, temperature, kind)
    torch.testing.assert_close(objective(model, batch), expected.mean())
    # Nothing but words counts: other logits on the remaining tokens change neither loss nor gradient.
    logits = torch.randn(*batch.labels.shape, len(TASK.labels), requires_grad=True)
    each = over_asked(raw_logit_distance(logits, torch.zeros_like(logits)), batch.labels)
    each.sum().backward()
    assert logits.grad is not None
    assert (logits.grad[batch.labels == NOT_ASKED] == 0).all()
    assert (logits.grad[batch.labels > NOT_ASKED] != 0).all()


def test_blocks_have_the_gradient_of_the_whole_step(encoded: Encoded, outputs: TeacherOutputs) -> None:
    from dataclasses import replace

    data = TrainingSet(encoded.rows, encoded.unknown(), 0)
    objective = Distillation(
        replace(outputs, logits=encoded.of_rows(outputs.logits)),
        LossWeights(hidden=0.3), answer="tags", hidden_map=((0, 0), (2, 2)),
    )  # fmt: skip
    gradients = []
    for budget in (100_000, 40):
        model = tiny_tagger()
        blocks = list(to_batches(data, np.arange(len(data)), token_budget=budget, device=torch.device("cpu")))
        for batch in blocks:
            (objective(model, batch) * batch.share).backward()
        gradients.append(
            torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])
        )
    assert len(blocks) > 3
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)


def test_teacher_outputs_are_the_predictors_and_survive_a_kill(teacher: Artifact, tmp_path: Path) -> None:
    from leanformer.models.predictor import TorchPredictor
    from leanformer.predictor import logits

    expected = logits(TorchPredictor(teacher), TEXTS)
    for hidden in ((), (1,)):
        found = teacher_outputs(teacher, TEXTS, cache=tmp_path, hidden=hidden)
        assert [logit.shape for logit in found.logits] == [logit.shape for logit in expected]
        np.testing.assert_allclose(np.concatenate(list(found.logits)), np.concatenate(list(expected)), atol=1e-4)
        again = teacher_outputs(teacher, TEXTS, cache=tmp_path, hidden=hidden)
        np.testing.assert_array_equal(np.concatenate(list(again.logits)), np.concatenate(list(found.logits)))
    with torch.no_grad():
        state = read_model(teacher).outputs(torch.tensor([encoded_ids(teacher)]), torch.ones(1, 16)).encoded
    assert found.hidden[1].shape[1] == state.last.shape[-1]


def encoded_ids(teacher: Artifact) -> list[int]:
    rows = encode(Tokenizer(teacher.file("tokenizer.json"), 16), TASK, (LONG,)).rows
    return [int(piece) for piece in rows[0]]
