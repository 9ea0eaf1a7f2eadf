"""Folders and files that are no whole checkpoint are named for what they are; what can be done is said, and works."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from leanformer.errors import CheckpointError
from leanformer.models.store import import_checkpoint, read_model, start_classifier
from leanformer.task import Task
from tests.making.checkpoints import edit, save_bert
from tests.making.tiny import LABELS, TASK

Change = Callable[[Path], Path]


def _adapter(source: Path) -> Path:
    for path in source.glob("*"):
        if path.name != "tokenizer.json":
            path.unlink()
    (source / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "some/encoder"}')
    save_file({}, source / "adapter_model.safetensors")
    return source


def _adapter_beside_a_model(source: Path) -> Path:
    """`transformers` would load the adapter on top of what it names, and not this model."""
    (source / "adapter_config.json").write_text("{}")
    return source


def _within(name: str) -> Change:
    def change(source: Path) -> Path:
        outer = source.with_name("outer")
        shutil.move(source, outer / name)
        return outer

    return change


def _trainer(source: Path) -> Path:
    outer = source.with_name("outer")
    for number in (90, 500, 1000):
        shutil.copytree(source, outer / f"checkpoint-{number}")
    (outer / "checkpoint-1000" / "trainer_state.json").write_text(
        json.dumps({"best_model_checkpoint": "/elsewhere/out/checkpoint-500"})
    )
    (outer / "checkpoint-1500").mkdir()  # killed while it was written
    return outer


def _last_of_trainer(source: Path) -> Path:
    outer = _trainer(source)
    (outer / "checkpoint-1000" / "trainer_state.json").unlink()
    return outer


def _setfit(source: Path) -> Path:
    (source / "model_head.pkl").write_bytes(b"not even a pickle")
    (source / "config_setfit.json").write_text('{"labels": ["a", "b"]}')
    return source


def _sentence_encoder(source: Path) -> Path:
    outer = _within("0_Transformer")(source)
    (outer / "modules.json").write_text("[]")
    return outer


def _renamed(*names: str) -> Change:
    def change(source: Path) -> Path:
        (source / "model.safetensors").unlink()
        for name in names:
            (source / name).parent.mkdir(exist_ok=True)
            (source / name).write_bytes(b"weights")
        return source

    return change


def _without_config(name: str) -> Change:
    def change(source: Path) -> Path:
        (source / "config.json").unlink()
        return _renamed(name)(source)

    return change


def _pointer(name: str) -> Change:
    def change(source: Path) -> Path:
        (source / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
        return source

    return change


def _zipped(source: Path) -> Path:
    path = source.with_name("model.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(source / "config.json", "config.json")
    return path


def _folder_of_a_zip(source: Path) -> Path:
    path, outer = _zipped(source), source.with_name("outer")
    outer.mkdir()
    shutil.move(path, outer)
    return outer


def _file(name: str) -> Change:
    def change(source: Path) -> Path:
        if not (source / name).exists():
            (source / name).write_bytes(b"\x80\x04.")
        return source / name

    return change


def _empty(source: Path) -> Path:
    shutil.rmtree(source)
    source.mkdir()
    return source


def _config(**changes: object) -> Change:
    def change(source: Path) -> Path:
        edit(source / "config.json", **changes)
        return source

    return change


def _unwritable_json(source: Path) -> Path:
    (source / "config.json").write_text("[" * 100_000)
    return source


def _half_the_shards(source: Path) -> Path:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (source / "model.safetensors").rename(source / "model-00001-of-00002.safetensors")
    (source / "model.safetensors.index.json").write_text(json.dumps(index))
    return source


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_adapter, r"an adapter of some/encoder, which is not a folder on this machine\n.*remedy: name its base"),
        (_adapter_beside_a_model, r"an adapter of a base model that it does not name"),
        (_trainer, r"a Trainer leaves, with checkpoint-90, .*remedy: give \S+outer/checkpoint-500, its best one"),
        (_last_of_trainer, r"a Trainer leaves.*remedy: give \S+outer/checkpoint-1000, its last one"),
        (_within("checkpoint-7"), r"a Trainer leaves.*remedy: give \S+outer/checkpoint-7,"),
        (
            _setfit,
            r"a SetFit model.*model_head.pkl, is a pickle, which is never opened.*leanformer train DATA",
        ),
        (_sentence_encoder, r"a sentence encoder .*0_Transformer.*leanformer embedder"),
        (_within("my-model"), r"there is one in my-model\n.*remedy: give \S+outer/my-model"),
        (_within("snapshots/0123abcd"), r"a cache of the hub\n.*remedy: give \S+outer/snapshots/0123abcd"),
        (_renamed(), r"no safetensors weights\n.*remedy"),
        (_renamed("pytorch_model.bin"), r"no safetensors weights; pytorch_model.bin is a pickle.*remedy"),
        (_renamed("model.pt"), r"model.pt is a pickle"),
        (_renamed("tf_model.h5"), r"tf_model.h5 is TensorFlow's.*from_tf=True"),
        (_renamed("flax_model.msgpack"), r"flax_model.msgpack is Flax's.*from_flax=True"),
        (_renamed("model-q4.gguf"), r"model-q4.gguf is GGUF.*remedy: give the checkpoint"),
        (_renamed("onnx/model.onnx"), r"onnx/model.onnx is an ONNX graph.*remedy: give the checkpoint"),
        (
            _renamed("openvino_model.bin", "openvino_model.xml"),
            r"openvino_model.bin is a model of OpenVINO's.*remedy: give the checkpoint",
        ),
        (_renamed("weights.safetensors"), r"there is weights.safetensors\n.*remedy: .*rename it to model.safetensors"),
        (_renamed("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"), r"2 parts and no .*index"),
        (_half_the_shards, r"model-00002-of-00002.safetensors: no such file"),
        (_without_config("model.gguf"), r"no config.json; model.gguf is GGUF"),
        (_without_config("last.ckpt"), r"no config.json; last.ckpt is a pickle"),
        (_without_config("notes.txt"), r"no config.json\n.*remedy: give a folder saved by"),
        (_pointer("model.safetensors"), r"model.safetensors: a pointer of git-lfs.*git lfs pull"),
        (_pointer("tokenizer.json"), r"tokenizer.json: a pointer of git-lfs"),
        (_pointer("config.json"), r"config.json: a pointer of git-lfs"),
        (_zipped, r"model.zip: a zip file.*remedy: unpack it"),
        (_folder_of_a_zip, r"outer: no config.json; model.zip is a zip file.*remedy: unpack it"),
        (_file("config.json"), r"config.json: a file, not a folder.*remedy: give \S+/s, the folder that it lies in"),
        (_file("model.safetensors"), r"model.safetensors: a file, not a folder.*remedy: give \S+/s, the folder"),
        (_file("model.pkl"), r"model.pkl: a file, not a folder; it is a pickle"),
        (_empty, r"an empty folder\n.*remedy"),
        (_config(architectures=["GPT2LMHeadModel"]), r"a causal language model \(GPT2LMHeadModel\).*remedy"),
        (_config(architectures=["Qwen2ForCausalLM"]), r"a causal language model \(Qwen2ForCausalLM\)"),
        (_config(architectures=["T5ForConditionalGeneration"]), r"a model that generates text"),
        (_config(architectures=["BertForQuestionAnswering"]), r"it lacks the weight head.classifier"),
        (_config(architectures=["BertForMaskedLM"]), r"not a fine-tuned sequence classifier.*remedy: fine-tune it"),
        (_config(architectures="BertForSequenceClassification"), r"architectures is 'Bert.*not a list"),
        (_config(architectures=[None]), r"architectures is \[None\], and not a list of names"),
        (_config(architectures=None, model_type="deberta-v2"), r"names no class \(architectures\).*remedy: write"),
        (_config(quantization_config={"quant_method": "gptq", "bits": 4}), r"are quantised \(.*gptq\).*remedy: give"),
        (_config(quantization_config={"quant_method": "bitsandbytes"}), r"are quantised \(.*bitsandbytes\)"),
        (_config(model_type=None), r"no model_type\n.*remedy"),
        (_unwritable_json, r"config.json: not valid JSON.*remedy"),
    ],
)
def test_what_is_no_checkpoint(change: Change, message: str, tmp_path: Path) -> None:
    given = change(save_bert(tmp_path / "s"))
    with pytest.raises(CheckpointError, match=f"(?s){message}") as raised:
        import_checkpoint(str(given), tmp_path / "a", labels=LABELS)
    assert "\n  remedy: " in str(raised.value)
    assert not (tmp_path / "a").exists()


def test_the_folder_that_a_message_names_is_taken(tmp_path: Path) -> None:
    outer = _trainer(save_bert(tmp_path / "s"))
    with pytest.raises(CheckpointError) as raised:
        import_checkpoint(str(outer), tmp_path / "a")
    named = str(raised.value).partition("remedy: give ")[2].partition(",")[0]
    assert import_checkpoint(named, tmp_path / "a").task == TASK


def test_the_encoder_of_a_setfit_model_can_be_trained_further(tmp_path: Path) -> None:
    source = _setfit(save_bert(tmp_path / "s"))
    model, _, missing, _ = start_classifier(str(source), Task("classification", ("a", "b")))
    assert model.config.labels == 2 and missing == ["head.classifier.weight", "head.classifier.bias"]


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "model.", "module._orig_mod.", "model._orig_mod.", "net."])
def test_the_prefix_of_a_wrapper_is_dropped_and_said(prefix: str, tmp_path: Path) -> None:
    source = save_bert(tmp_path / "s")
    plain = import_checkpoint(str(source), tmp_path / "plain")
    weights = load_file(source / "model.safetensors")
    save_file({f"{prefix}{name}": tensor for name, tensor in weights.items()}, source / "model.safetensors")
    with pytest.warns(UserWarning, match=f"named without the prefix '.*{prefix.split('.')[0]}"):
        artifact = import_checkpoint(str(source), tmp_path / "a", labels=LABELS)
    assert artifact.content_hash == plain.content_hash


def test_a_part_that_was_compiled(tmp_path: Path) -> None:
    source = save_bert(tmp_path / "s")
    plain = import_checkpoint(str(source), tmp_path / "plain")
    weights = load_file(source / "model.safetensors")
    inside = {name.replace("bert.encoder.", "bert.encoder._orig_mod."): tensor for name, tensor in weights.items()}
    save_file(inside, source / "model.safetensors")
    with pytest.warns(UserWarning, match="_orig_mod"):
        assert import_checkpoint(str(source), tmp_path / "a").content_hash == plain.content_hash


def test_a_prefix_that_is_not_on_all_is_refused(tmp_path: Path) -> None:
    source = save_bert(tmp_path / "s")
    weights = load_file(source / "model.safetensors")
    some = {(f"module.{name}" if "encoder" in name else name): tensor for name, tensor in weights.items()}
    twice = {f"module.{name}": tensor.clone() for name, tensor in weights.items()} | weights
    other = {f"model.{name}": tensor for name, tensor in weights.items()}
    other |= {"criterion.weight": weights["classifier.bias"].clone()}
    for wrong in (twice, other):
        save_file(wrong, source / "model.safetensors")
        with pytest.raises(CheckpointError, match=r"(?s)the weight .* has no place.*remedy: save the model itself"):
            import_checkpoint(str(source), tmp_path / "a")
    save_file(some, source / "model.safetensors")
    with pytest.warns(UserWarning, match="module"):  # nothing else can be meant
        import_checkpoint(str(source), tmp_path / "a")


@pytest.mark.parametrize("architectures", [None, []])
def test_the_weights_word_for_a_classifier(architectures: object, tmp_path: Path) -> None:
    source = save_bert(tmp_path / "s")
    plain = import_checkpoint(str(source), tmp_path / "plain")
    edit(source / "config.json", architectures=architectures)
    assert import_checkpoint(str(source), tmp_path / "a").content_hash == plain.content_hash
    weights = load_file(source / "model.safetensors")
    save_file(
        {name: tensor for name, tensor in weights.items() if not name.startswith("classifier.")},
        source / "model.safetensors",
    )
    with pytest.raises(CheckpointError, match="not a fine-tuned sequence classifier"):
        import_checkpoint(str(source), tmp_path / "b")


def test_the_weights_word_for_a_tagger(tmp_path: Path) -> None:
    source = save_bert(tmp_path / "s", names=("O", "B-PER", "I-PER"))
    weights = load_file(source / "model.safetensors")
    save_file(
        {name: tensor for name, tensor in weights.items() if ".pooler." not in name}, source / "model.safetensors"
    )
    edit(source / "config.json", architectures=None)
    artifact = import_checkpoint(str(source), tmp_path / "a")
    assert artifact.task.kind == "tokens" and read_model(artifact).config.head.pooling == "none"
