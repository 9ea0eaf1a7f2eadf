"""The loss against a teacher's answers, whatever the labels."""

from __future__ import annotations

import torch

from leanformer.train.objectives.imitation import Imitation
from leanformer.train.online_teacher import OnlineTeacher
from tests.making.batches import CPU, batch_of
from tests.making.tiny import tiny_classifier

TEACHER = tiny_classifier()
BATCH = batch_of([[2, 8, 9, 3], [2, 7, 3]])


def test_the_teacher_itself_has_the_least_loss_and_no_gradient():
    loss = Imitation(OnlineTeacher(TEACHER, CPU))
    own = tiny_classifier()
    value = loss(own, BATCH)
    answers = TEACHER(BATCH.ids, BATCH.mask).softmax(dim=1)
    torch.testing.assert_close(value, -(answers * answers.log()).sum(dim=1).mean())
    value.backward()
    assert own.head.classifier.weight.grad.abs().max() < 1e-5
    assert loss(tiny_classifier(seed=2), BATCH) > value
    assert not list(loss.parameters()), "the teacher is not trained"


def test_labels_are_not_looked_at():
    loss = Imitation(OnlineTeacher(TEACHER, CPU), 2.0)
    other = batch_of([[2, 8, 9, 3], [2, 7, 3]], [1, 2])
    assert torch.equal(loss(tiny_classifier(seed=2), BATCH), loss(tiny_classifier(seed=2), other))
