"""Checkpoints of the families as they occur: pre-trained with another head, spelt as of old, or not computed by us."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from leanformer.errors import CheckpointError
from leanformer.models.hf import modernbert
from leanformer.models.hf.checkpoint import read_classifier
from leanformer.shapes.encoder import EncoderConfig, LayerShape
from tests.making.tiny import roughen, tiny_config
from tests.parity.comparing import assert_parity, saved
from tests.parity.families import FAMILIES, inputs_for


@pytest.mark.parametrize("name", FAMILIES)
def test_a_pretrained_model_gives_its_encoder(name: str, tmp_path: Path) -> None:
    family = FAMILIES[name]
    theirs = getattr(transformers, f"{family.stock}ForMaskedLM")(family.model().config).eval()
    roughen(theirs)
    ours, missing = read_classifier(saved(theirs, tmp_path), 3)
    assert_parity(ours.eval(), theirs.base_model, inputs_for(ours.config))
    if name == "modernbert":  # as in transformers, its classifier starts from the dense layer of pre-training
        assert missing == ["head.classifier.weight", "head.classifier.bias"]
        assert torch.equal(ours.head.pooler.weight, theirs.head.dense.weight)
    else:
        assert missing == [f"head.{layer}.{part}" for layer in ("pooler", "classifier") for part in ("weight", "bias")]


def test_the_discriminator_of_electra_gives_its_encoder(tmp_path: Path) -> None:
    theirs = transformers.ElectraForPreTraining(FAMILIES["electra"].model().config).eval()
    roughen(theirs)
    ours, missing = read_classifier(saved(theirs, tmp_path), 3)
    assert all(key.startswith("head.") for key in missing)
    assert_parity(ours.eval(), theirs.electra, inputs_for(ours.config))


@pytest.mark.parametrize("name", ["roberta", "mpnet"])
def test_the_pooler_of_a_bare_encoder_is_passed_over(name: str, tmp_path: Path) -> None:
    theirs = FAMILIES[name].model()
    bare = getattr(transformers, f"{FAMILIES[name].stock}Model")(theirs.config)
    assert any(key.startswith("pooler.") for key in load_file(saved(bare, tmp_path) / "model.safetensors"))
    assert all(key.startswith("head.") for key in read_classifier(tmp_path, 3)[1])
    prefixed = {f"{name}.{key}": value for key, value in bare.state_dict().items()}
    save_file({key: value.clone() for key, value in prefixed.items()}, tmp_path / "model.safetensors")
    ours, _ = read_classifier(tmp_path, 3)
    assert_parity(ours.eval(), bare.eval(), inputs_for(ours.config))


@pytest.mark.parametrize("name", FAMILIES)
def test_another_number_of_labels_starts_anew(name: str, tmp_path: Path) -> None:
    ours, missing = read_classifier(saved(FAMILIES[name].model(), tmp_path), 5)
    assert missing == ["head.classifier.weight", "head.classifier.bias"]
    assert ours.head.classifier.out_features == 5


def test_modernbert_as_its_configuration_was_first_spelt(tmp_path: Path) -> None:
    theirs = FAMILIES["modernbert"].model("every second global")
    folder = saved(theirs, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    del config["layer_types"], config["rope_parameters"]
    old = {"global_attn_every_n_layers": 2, "global_rope_theta": 160000.0, "local_rope_theta": 10000.0}
    (folder / "config.json").write_text(json.dumps(config | old))
    ours, missing = read_classifier(folder, 3)
    assert missing == []
    assert_parity(ours.eval(), theirs, inputs_for(ours.config))
    for wrong in ({"global_attn_every_n_layers": 3}, {"global_rope_theta": 1e4}, {"local_rope_theta": 16e4}):
        (folder / "config.json").write_text(json.dumps(config | old | wrong))
        with pytest.raises(AssertionError, match=r"differ by|attentions of layer"):
            assert_parity(read_classifier(folder, 3)[0].eval(), theirs, inputs_for(ours.config))


def test_the_published_modernbert_base() -> None:
    """The defaults are those of the published model: 22 layers, every third one global, 64 tokens to either side."""
    config = modernbert.read_config({}, 2)
    stock = transformers.ModernBertConfig()
    assert [layer.window for layer in config.layers] == [
        None if kind == "full_attention" else stock.sliding_window for kind in stock.layer_types
    ]
    assert {layer.rotary_base for layer in config.layers if layer.window is None} == {160_000.0}
    assert {layer.rotary_base for layer in config.layers if layer.window is not None} == {10_000.0}
    assert [layer.attention_norm for layer in config.layers] == [False] + [True] * 21


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("roberta", {"is_decoder": True}, "a decoder"),
    ("roberta", {"position_embedding_type": "relative_key"}, "relative_key"),
    ("roberta", {"hidden_act": "silu"}, "hidden_act 'silu'"),
    ("roberta", {"num_attention_heads": 5}, "not a multiple"),
    ("roberta", {"pad_token_id": 40}, "no input is short enough"),
    ("distilbert", {"activation": "silu"}, "activation 'silu'"),
    (
        "electra",
        {"embedding_size": 13},
        r"embeddings.* has shape \[(60, )?12\], config.json asks for \[(60, )?13\]",
    ),
    ("electra", {"embedding_size": 32}, r"config\.json asks for|has no place"),
    ("mpnet", {"pad_token_id": 0}, "pad_token_id 0 is not supported"),
    ("mpnet", {"relative_attention_num_buckets": 16}, "only 32"),
    ("modernbert", {"classifier_pooling": "max"}, "classifier_pooling 'max'"),
    ("modernbert", {"layer_types": ["full_attention"]}, "layer_types"),
    ("modernbert", {"rope_scaling": {"type": "yarn"}}, "rope_scaling"),
    ("modernbert", {"rope_parameters": {"full_attention": {"rope_type": "yarn"}}}, "rope_type 'yarn'"),
    ("modernbert", {"attention_bias": True}, r"missing, the first is encoder\.layers\.0\.attention\.query\.bias"),
    ("modernbert", {"intermediate_size": 41}, r"Wi.weight has shape \[80, 32\], config.json asks for \[82, 32\]"),
]


@pytest.mark.parametrize(("name", "changes", "message"), REFUSED)
def test_options_that_we_do_not_compute(name: str, changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    folder = saved(FAMILIES[name].model(), tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(CheckpointError, match=message):
        read_classifier(folder, 3)


def test_artifacts_from_before_the_families_are_read_and_written_alike() -> None:
    before = {
        "vocabulary": 60, "hidden": 32, "head_size": 8, "layers": [{"heads": 4, "ffn": 48}, {"heads": 2, "ffn": 7}],
        "positions": 64, "token_types": 2, "activation": "gelu", "norm_epsilon": 1e-12, "dropout": 0.1,
        "attention_dropout": 0.0, "padding_id": 0, "labels": 3,
    }  # fmt: skip
    config = EncoderConfig.from_json(before)
    assert config == tiny_config(vocabulary=60, dropout=0.1, layers=(LayerShape(4, 48), LayerShape(2, 7)))
    assert config.to_json() == before
    with pytest.raises(CheckpointError, match="not an encoder configuration"):
        EncoderConfig.from_json(before | {"flying": True})
