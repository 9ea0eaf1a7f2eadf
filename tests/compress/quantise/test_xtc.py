"""Three values, learnt from a teacher."""

from __future__ import annotations

from copy import deepcopy

from leanformer.compress.quantise.ternary import ternary
from leanformer.compress.quantise.xtc import xtc
from leanformer.models.classifier import Classifier
from leanformer.models.maps import maps
from leanformer.train.online_teacher import OnlineTeacher
from tests.making.batches import CPU, logits, trained

TEACHER = trained()


def student(*, projects: bool, epochs: int = 4) -> Classifier:
    hook, objective = xtc(OnlineTeacher(TEACHER, CPU), projects=projects)
    return trained(hook, model=deepcopy(TEACHER), epochs=epochs, objective=objective)


def error(model: Classifier) -> float:
    return float((logits(model).softmax(1) - logits(TEACHER).softmax(1)).norm())


def test_it_is_nearer_to_the_teacher_than_without_training():
    plain = deepcopy(TEACHER)
    for part in maps(plain).values():
        part.weight.data = ternary(part.weight.data).weight
    ours = student(projects=True)
    assert all(len(row.unique()) <= 3 for part in maps(ours).values() for row in part.weight)
    assert error(ours) < error(plain)


def test_without_projection_it_is_distillation_from_a_model_to_itself():
    free = student(projects=False)
    assert error(free) < 0.2
    assert len(maps(free)["0.ffn.up"].weight.unique()) > 1000
