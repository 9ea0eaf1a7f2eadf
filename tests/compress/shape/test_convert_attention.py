"""compress.convert_attention: weights stay, the figures on dev are told, and what needs a graph is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from leanformer.answers.forms import score_logits
from leanformer.artifact import Artifact
from leanformer.compress.distil.distil import Distil
from leanformer.compress.shape.convert_attention import ConvertAttention
from leanformer.errors import CheckpointError, RecipeError
from leanformer.export.graphs.attention_kinds import GRAPHS
from leanformer.export.graphs.encoder_graph import encoder_graph
from leanformer.export.graphs.packed_graph import packed_graph
from leanformer.export.onnx import Onnx
from leanformer.export.standard import write_standard_onnx
from leanformer.loading import open_predictor
from leanformer.models.store import read_model
from leanformer.models.surgery import narrow
from leanformer.predictor import logits
from leanformer.shapes.attention import KINDS, Linear, Softmax
from leanformer.shapes.of_artifact import shape_of_artifact
from tests.making.family_models import family_artifact
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact, tiny_dataset

# For the contract tests: options that run in a second, options that are refused, version and hash of the defaults.
QUICK = {"layers": (1,)}
BAD = ({"kind": "quadratic"}, {"layers": "all"})
DEFAULTS = "1 5b5e62df9793"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("whole") / "artifact", seed=11)


def converted(source: Artifact, folder: Path, **options: object) -> Artifact:
    return ConvertAttention(**options)(source, make_context(folder, source), folder / "converted")


def test_the_weights_stay_and_the_kind_changes(whole: Artifact, tmp_path: Path) -> None:
    said: list[str] = []
    context = make_context(tmp_path, whole, say=said.append)
    artifact = ConvertAttention(layers=(2,))(whole, context, tmp_path / "converted")
    before, after = read_model(whole), read_model(artifact)
    assert [layer.attention for layer in after.config.layers] == [Softmax(), Linear()]
    assert all(torch.equal(value, before.state_dict()[name]) for name, value in after.state_dict().items())
    result = artifact.history[-1]["result"]
    assert result["layers"] == [2] and len(result["dev"]) == 2 and f"{result['dev'][1]:.4f} after" in said[-1]
    shape = shape_of_artifact(artifact)
    assert shape is not None and shape.flops(1, 32) < before.config.shape().flops(1, 32)
    dev = tiny_dataset().dev
    ours, theirs = (logits(open_predictor(each, threads=1), dev.texts) for each in (artifact, whole))
    assert abs(ours - theirs).max() > 1e-3
    assert result["dev"] == [round(score_logits(each, dev.targets, dev.task), 6) for each in (theirs, ours)]
    assert result["dev"][0] != result["dev"][1]


def test_turned_back_it_is_the_model_it_was(whole: Artifact, tmp_path: Path) -> None:
    linear = converted(whole, tmp_path)
    again = ConvertAttention(kind="softmax")(linear, make_context(tmp_path, linear), tmp_path / "again")
    assert again.content_hash == whole.content_hash != linear.content_hash
    assert again.file("encoder.json").read_bytes() == whole.file("encoder.json").read_bytes()


def test_it_can_be_pruned_and_trained(whole: Artifact, tmp_path: Path) -> None:
    linear = converted(whole, tmp_path)
    smaller = narrow(read_model(linear), [torch.tensor([3, 1])] * 2, [torch.arange(7)] * 2)
    assert [layer.attention for layer in smaller.config.layers] == [Linear(), Linear()]
    student = Distil(epochs=1, layers=1, attention_weight=1.0)(
        linear, make_context(tmp_path, whole), tmp_path / "student"
    )
    assert [layer.attention for layer in read_model(student).config.layers] == [Linear()]


def test_what_needs_a_graph_is_refused_by_name(whole: Artifact, tmp_path: Path) -> None:
    linear = converted(whole, tmp_path, layers=(1,))
    alone = r"linear attention runs in PyTorch only.*remedy: .*predict"
    with pytest.raises(CheckpointError, match=f"(?s)converted: {alone}"):
        Onnx()(linear, make_context(tmp_path, linear), tmp_path / "graph")
    with pytest.raises(CheckpointError, match=f"(?s)converted: {alone}"):
        write_standard_onnx(linear, tmp_path / "model.onnx")
    for make in (packed_graph, encoder_graph):
        with pytest.raises(CheckpointError, match=f"(?s){alone}"):
            make(read_model(linear))
    assert not (tmp_path / "graph").exists() and not (tmp_path / "model.onnx").exists()


def test_kinds_with_a_graph_are_kinds() -> None:
    assert set(GRAPHS) == {name for name, kind in KINDS.items() if kind.has_graph} and "linear" not in GRAPHS


@pytest.mark.parametrize("family", ["mpnet", "modernbert"])
def test_a_family_whose_positions_are_in_the_scores_is_refused(family: str, tmp_path: Path) -> None:
    source = family_artifact(tmp_path / "source", family)
    with pytest.raises(RecipeError, match=rf"(?s)a {family} model cannot be converted.*remedy: .*BERT"):
        converted(source, tmp_path)


@pytest.mark.parametrize("layers", [(3,), (0,), (1, 1), ()])
def test_layers_that_are_not_there(whole: Artifact, tmp_path: Path, layers: tuple[int, ...]) -> None:
    with pytest.raises(RecipeError, match="layers"):
        converted(whole, tmp_path, layers=layers)
