"""The distillation losses against hand-written references, and what must not touch the gradients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.artifact import Artifact
from leanformer.errors import RecipeError
from leanformer.models.store import read_model
from leanformer.models.surgery import keep_layers
from leanformer.shapes.encoder import LayerShape
from leanformer.tokenizer import Tokenizer
from leanformer.train.feeds.batches import Batch, TrainingSet, to_batches
from leanformer.train.objectives.distillation import (
    Distillation,
    LossWeights,
    attention_distance,
    check_maps,
    default_hidden_map,
    even_attention_map,
    hidden_distance,
    soft_cross_entropy,
)
from leanformer.train.teacher_outputs import TeacherOutputs, teacher_outputs
from tests.making.tiny import tiny_artifact, tiny_classifier, tiny_config, tiny_dataset

DATA = tiny_dataset()
TEXTS = DATA.train.texts[:24]  # type: ignore[union-attr]
LABELS = np.array(DATA.train.labels[:24])  # type: ignore[union-attr,index]
MAPS = {"hidden_map": ((0, 0), (1, 1), (2, 2)), "attention_map": ((0, 0), (1, 1))}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("teacher") / "a", seed=5)


@pytest.fixture(scope="module")
def outputs(teacher: Artifact) -> TeacherOutputs:
    return teacher_outputs(teacher, TEXTS, cache=teacher.path.parent / "cache", hidden=(0, 1, 2), attention=(0, 1))


def batch_of(teacher: Artifact, labels: np.ndarray = LABELS, rows: slice = slice(None)) -> Batch:
    data = TrainingSet(Tokenizer(teacher.file("tokenizer.json"), 32).encode(TEXTS), labels, 0)
    [batch] = to_batches(data, np.arange(24)[rows], token_budget=10_000, device=torch.device("cpu"))
    return batch


def wider(batch: Batch) -> Batch:
    """The same batch with seven more columns of padding."""
    return replace(batch, ids=F.pad(batch.ids, (0, 7)), mask=F.pad(batch.mask, (0, 7)))


def gradients(model: nn.Module, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters()), allow_unused=True))


def same(one: list[Tensor], other: list[Tensor], atol: float = 0.0) -> bool:
    return all(
        (a is None) == (b is None) and (a is None or torch.allclose(a, b, atol=atol, rtol=0))
        for a, b in zip(one, other, strict=True)
    )


def reference_soft(student: np.ndarray, teacher: np.ndarray, temperature: float) -> list[float]:
    """-sum p log q in float64, one number at a time."""
    result = []
    for s, t in zip(student / temperature, teacher / temperature, strict=True):
        p = [np.exp(v) / sum(np.exp(w) for w in t) for v in t]
        log_q = [v - np.log(sum(np.exp(w) for w in s)) for v in s]
        result.append(-sum(a * b for a, b in zip(p, log_q, strict=True)) * temperature**2)
    return result


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("classes", [2, 3, 50])
def test_soft_cross_entropy(classes: int, temperature: float) -> None:
    generator = np.random.default_rng(classes)
    student, teacher = generator.normal(size=(2, 7, classes)) * 3
    ours = soft_cross_entropy(torch.from_numpy(student), torch.from_numpy(teacher), temperature)
    assert ours.shape == (7,)
    assert np.allclose(ours.numpy(), reference_soft(student, teacher, temperature), atol=1e-6)


def test_soft_cross_entropy_is_not_divided_by_the_number_of_classes() -> None:
    """Classes that neither model believes in change nothing."""
    student, teacher = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))
    more = [F.pad(logits, (0, 97), value=-60.0) for logits in (student, teacher)]
    assert torch.allclose(soft_cross_entropy(*more), soft_cross_entropy(student, teacher), atol=1e-6)
    uniform = torch.zeros(1, 100)
    assert float(soft_cross_entropy(uniform, uniform)) == pytest.approx(np.log(100), rel=1e-6)


def test_at_high_temperature_the_gradient_is_the_difference_of_the_logits() -> None:
    """Hinton et al. 2015, section 2.1: proportional to z_s - z_t where both have mean zero."""
    student, teacher = torch.randn(2, 20, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    student = (student - student.mean(dim=1, keepdim=True)).requires_grad_()
    teacher = teacher - teacher.mean(dim=1, keepdim=True)
    soft_cross_entropy(student, teacher, 1000.0).sum().backward()
    difference = (student - teacher).detach()
    assert float(F.cosine_similarity(student.grad, difference, dim=1).min()) > 0.999
    # The T^2 keeps its size: the difference over the number of classes.
    assert torch.allclose(student.grad, difference / 6, rtol=0.02, atol=1e-3)


def test_the_gradient_vanishes_at_the_teacher() -> None:
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(3)).requires_grad_()
    soft_cross_entropy(logits, logits.detach(), 2.0).sum().backward()
    assert torch.allclose(logits.grad, torch.zeros(4, 5), atol=1e-6)


def test_without_the_hard_part_labels_do_not_matter(teacher: Artifact, outputs: TeacherOutputs) -> None:
    model, objective = tiny_classifier(), Distillation(outputs, LossWeights(temperature=2.0))
    one = gradients(model, objective(model, batch_of(teacher)))
    other = gradients(model, objective(model, batch_of(teacher, np.roll(LABELS, 1))))
    none = gradients(model, objective(model, batch_of(teacher, np.full(24, -1))))
    assert same(one, other) and same(one, none)
    assert max(float(g.abs().max()) for g in one if g is not None) > 1e-3
    with_labels = Distillation(outputs, LossWeights(temperature=2.0, hard=0.1))
    assert not same(one, gradients(model, with_labels(model, batch_of(teacher))), atol=1e-4)


def test_hard_labels_alone_are_cross_entropy(teacher: Artifact, outputs: TeacherOutputs) -> None:
    model, batch = tiny_classifier(), batch_of(teacher)
    ours = Distillation(outputs, LossWeights(hard=1.0))(model, batch)
    plain = F.cross_entropy(model(batch.ids, batch.mask, batch.types), batch.labels)
    assert float(ours.detach()) == pytest.approx(float(plain.detach()), rel=1e-6)
    assert same(gradients(model, ours), gradients(model, plain), atol=1e-7)


def test_the_mixture_is_row_by_row(teacher: Artifact, outputs: TeacherOutputs) -> None:
    """(1 - hard) soft + hard cross-entropy where there is a label, the soft part alone where there is none."""
    labels = np.where(np.arange(24) % 4 == 0, -1, LABELS)
    model, batch = tiny_classifier(), batch_of(teacher, labels)
    loss = float(Distillation(outputs, LossWeights(temperature=3.0, hard=0.3))(model, batch).detach())
    with torch.no_grad():
        logits = model(batch.ids, batch.mask).double().numpy()
    soft = reference_soft(logits, outputs.logits[batch.rows].astype(np.float64), 3.0)
    log_q = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = [
        s if label < 0 else 0.7 * s - 0.3 * row[label]
        for s, row, label in zip(soft, log_q, batch.labels.numpy(), strict=True)
    ]
    assert loss == pytest.approx(float(np.mean(expected)), rel=1e-5)


@pytest.mark.parametrize(
    "weights",
    [LossWeights(hidden=1.0), LossWeights(hidden=1.0, hidden_kind="cosine"), LossWeights(attention=1.0)],
    ids=["mse", "cosine", "attention"],
)
class TestInnerLosses:
    def inner(self, model: nn.Module, outputs: TeacherOutputs, weights: LossWeights, batch: Batch) -> float:
        """The loss without its soft part."""
        with torch.no_grad():
            whole = Distillation(outputs, weights, **MAPS)(model, batch)
            return float(whole - Distillation(outputs, LossWeights())(model, batch))

    def test_zero_for_a_copy_of_the_teacher(
        self, weights: LossWeights, teacher: Artifact, outputs: TeacherOutputs
    ) -> None:
        batch = batch_of(teacher)
        assert abs(self.inner(read_model(teacher), outputs, weights, batch)) < 1e-5  # fp16 rounding
        assert self.inner(tiny_classifier(), outputs, weights, batch) > 0.01

    def test_padding_does_not_matter(self, weights: LossWeights, teacher: Artifact, outputs: TeacherOutputs) -> None:
        batch = batch_of(teacher)
        assert int(batch.mask.sum(dim=1).min()) < batch.ids.shape[1]
        narrow, wide = (self.inner(tiny_classifier(), outputs, weights, inputs) for inputs in (batch, wider(batch)))
        assert wide == pytest.approx(narrow, rel=1e-4)

    def test_it_weighs_what_it_says(self, weights: LossWeights, teacher: Artifact, outputs: TeacherOutputs) -> None:
        batch = batch_of(teacher)
        doubled = replace(weights, hidden=2 * weights.hidden, attention=2 * weights.attention)
        once = self.inner(tiny_classifier(), outputs, weights, batch)
        assert self.inner(tiny_classifier(), outputs, doubled, batch) == pytest.approx(2 * once, rel=1e-4)


def test_distances_by_hand() -> None:
    student = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[3.0, 4.0], [9.0, 9.0]]])
    teacher = torch.tensor([[[0.0, 1.0], [0.0, 1.0]], [[4.0, 3.0], [0.0, 0.0]]])
    mask = torch.tensor([[1, 1], [1, 0]])
    # Rows count alike, whatever their length: ((1 + 0.5) / 2 + 1) / 2 and ((1 + 0) / 2 + (1 - 24 / 25)) / 2.
    assert float(hidden_distance(student, teacher, mask, "mse")) == pytest.approx(0.875)
    assert float(hidden_distance(student, teacher, mask, "cosine")) == pytest.approx(0.27)
    heads = [torch.stack([states, states.flip(1)], dim=1) for states in (student, teacher)]
    # The second head exchanges the two queries: 0 + 1 in row one, and in row two 1 - cos(zeros) = 1 for the real one.
    assert float(attention_distance(*heads, mask)) == pytest.approx((0.5 + (0.04 + 1) / 2) / 2)


def test_a_projection_is_learnt_and_maps_widths(teacher: Artifact, outputs: TeacherOutputs) -> None:
    student = tiny_classifier(tiny_config(hidden=16, head_size=4))
    projections = nn.ModuleList([nn.Linear(16, 32), nn.Linear(16, 32)])
    objective = Distillation(outputs, LossWeights(hidden=1.0), hidden_map=((0, 0), (2, 1)), projections=projections)
    assert {name.split(".")[0] for name, _ in objective.named_parameters()} == {"projections"}
    objective(student, batch_of(teacher)).backward()
    assert all(float(parameter.grad.abs().max()) > 0 for parameter in projections.parameters())


def test_rows_are_found_by_their_index(teacher: Artifact, outputs: TeacherOutputs) -> None:
    """A batch of some rows, in another order, meets the teacher's outputs of just those."""
    batch = batch_of(teacher, rows=slice(20, 3, -3))
    assert batch.rows.tolist() != sorted(batch.rows.tolist())
    weights = LossWeights(hidden=1.0, attention=1.0)
    copy = read_model(teacher)
    with torch.no_grad():
        loss = Distillation(outputs, weights, **MAPS)(copy, batch)
        soft = float(Distillation(outputs, LossWeights())(copy, batch))
    assert float(loss) == pytest.approx(soft, abs=1e-4)
    own = outputs.logits[batch.rows]
    assert soft == pytest.approx(np.mean(reference_soft(own, own, 1.0)), abs=1e-4)


def test_maps_by_default() -> None:
    deep, flat = tiny_config(layers=(LayerShape(4, 48),) * 6), tiny_config()
    assert default_hidden_map(flat, deep) == ((0, 0), (2, 6))
    assert even_attention_map(flat, deep) == ((0, 2), (1, 5))
    assert even_attention_map(flat, flat) == ((0, 0), (1, 1))
    with pytest.raises(RecipeError, match="multiple of the student's"):
        even_attention_map(tiny_config(layers=(LayerShape(4, 48),) * 4), deep)
    with pytest.raises(RecipeError, match="multiple of the student's"):
        even_attention_map(deep, flat)


def test_maps_are_checked(tmp_path: Path) -> None:
    teacher = tiny_config(layers=(LayerShape(4, 48),) * 3)
    student = keep_layers(tiny_classifier(teacher), (0, 2)).config
    check_maps(student, teacher, ((0, 0), (2, 3)), ((1, 2),), projection=False)
    for pair in ((3, 0), (0, 4), (-1, 0)):
        with pytest.raises(RecipeError, match="hidden_map pair"):
            check_maps(student, teacher, (pair,), (), projection=False)
    for pair in ((2, 0), (0, 3), (0, -1)):
        with pytest.raises(RecipeError, match="attention_map pair"):
            check_maps(student, teacher, (), (pair,), projection=False)
    small = tiny_config(hidden=16, head_size=4, layers=(LayerShape(2, 8),))
    with pytest.raises(RecipeError, match=r"widths 16 .* and 32"):
        check_maps(small, teacher, ((0, 0),), (), projection=False)
    check_maps(small, teacher, ((0, 0),), (), projection=True)
    with pytest.raises(RecipeError, match="student layer 1 has 2, teacher layer 3 has 4"):
        check_maps(small, teacher, (), ((0, 2),), projection=False)
    check_maps(small, teacher, (), ((0, 2),), projection=True)
