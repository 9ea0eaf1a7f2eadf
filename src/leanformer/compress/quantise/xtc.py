"""XTC: three values a weight, learnt from the answers of the model as it was.

Paper: Wu et al. 2022 (arXiv 2206.01859): one plain training with distillation takes the place of several stages. The
paper's is long, and leaves layers out first; here it has as many steps as asked, on all layers.
"""

from __future__ import annotations

from torch import Tensor

from leanformer.compress.quantise.ternary import ternary
from leanformer.train.hooks.projected import Projected
from leanformer.train.objectives.imitation import Imitation
from leanformer.train.online_teacher import OnlineTeacher


def xtc(teacher: OnlineTeacher, *, temperature: float = 1.0, projects: bool = True) -> tuple[Projected, Imitation]:
    """The hook and the objective of a training that begins with the teacher's own weights.

    With `projects` off weights stay as they are, which is plain distillation.
    """
    return Projected(_three if projects else _same), Imitation(teacher, temperature)


def _three(weight: Tensor) -> Tensor:
    return ternary(weight).weight


def _same(weight: Tensor) -> Tensor:
    return weight
