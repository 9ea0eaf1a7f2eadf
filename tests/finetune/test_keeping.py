"""An adapter by itself: written in peft's format, read again it is the model that it was merged into."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from leanformer.errors import LeanformerError
from leanformer.finetune.keeping import check_keeping, write_kept
from leanformer.finetune.tuned import Tuned
from leanformer.models.classifier import Classifier
from leanformer.models.hf.checkpoint import read_classifier
from leanformer.models.store import find_checkpoint, import_checkpoint, read_model
from leanformer.recipe.train import train
from leanformer.train.adapters.kinds import adapter
from tests.making.checkpoints import save_bert
from tests.making.family_models import CASES
from tests.making.tiny import TASK, tiny_artifact, tiny_dataset
from tests.parity.comparing import saved
from tests.parity.families import FAMILIES

KINDS = ("lora:rank=2", "dora:on=query+value+gate+up+down", "ia3")
IDS = torch.arange(10, 22).reshape(2, 6)  # none is padding, in any family


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bases")
    found = {"bert": save_bert(folder / "bert")}
    return found | {name: saved(FAMILIES[name].model(kind), folder / name) for name, kind in CASES if kind != "mean"}


def logits(model: Classifier) -> Tensor:
    with torch.no_grad():
        return model.eval()(IDS, torch.ones_like(IDS))


def adapted(base: Path, kind: str) -> Tuned:
    """A model with an adapter that is not nought, merged as after a fit, and a head that was trained too."""
    model, made = read_classifier(base, 3)[0], adapter(kind)
    made.attach(model)
    drawn = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for group in made.groups(model):
            for parameter in group.parameters:
                parameter += 0.2 * torch.randn(parameter.shape, generator=drawn)
    made.merge(model)
    return Tuned(model, base, 24, TASK, {}, adapter=made)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_written_and_read_it_is_the_same_in_every_family(kind: str, bases: dict[str, Path], tmp_path: Path) -> None:
    for family, base in bases.items():
        made, folder = adapted(base, kind), tmp_path / family
        write_kept(folder, made, str(base))
        again = read_classifier(find_checkpoint(str(folder)), 3)[0]
        assert torch.allclose(logits(again), logits(made.model), atol=1e-5), family
        assert (logits(again) - logits(read_classifier(base, 3)[0])).abs().max() > 0.01
        assert {path.name for path in folder.iterdir()} == {
            "adapter_config.json", "adapter_model.safetensors", "config.json",
        }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_peft_computes_the_same(kind: str, bases: dict[str, Path], tmp_path: Path) -> None:
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    for family, base in bases.items():
        made, folder = adapted(base, kind), tmp_path / family
        write_kept(folder, made, str(base))
        config = transformers.AutoConfig.from_pretrained(folder)
        stock = transformers.AutoModelForSequenceClassification.from_pretrained(base, config=config)
        theirs = peft.PeftModel.from_pretrained(stock, folder).eval()
        with torch.no_grad():
            found = theirs(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits
        assert torch.allclose(found, logits(made.model), atol=1e-5), family


@pytest.mark.parametrize("kind", ["lora", "dora", "ia3", "rslora"])
def test_what_peft_wrote_is_read(kind: str, bases: dict[str, Path], tmp_path: Path) -> None:
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    stock = transformers.AutoModelForSequenceClassification.from_pretrained(bases["bert"])
    if kind == "ia3":
        options = peft.IA3Config(task_type="SEQ_CLS")
    else:
        options = peft.LoraConfig(
            task_type="SEQ_CLS", r=4, lora_alpha=6, use_dora=kind == "dora", use_rslora=kind == "rslora",
            target_modules=["query", "output.dense"], alpha_pattern={"attention.output.dense": 11},
        )  # fmt: skip
    theirs = peft.get_peft_model(stock, options).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            if parameter.requires_grad:
                parameter += 0.2 * torch.randn(parameter.shape)
        found = theirs(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits
    theirs.save_pretrained(tmp_path / "made")
    ours = read_classifier(find_checkpoint(str(tmp_path / "made")), 3)[0]
    assert torch.allclose(found, logits(ours), atol=1e-5)


def test_training_keeps_it_beside_the_merged_model(tmp_path: Path) -> None:
    base = save_bert(tmp_path / "base", names=[f"other{i}" for i in range(5)])
    made = train(
        base, tiny_dataset(), tmp_path / "made", epochs=1, adapter="lora:rank=2", keep_adapter=tmp_path / "kept",
        max_tokens=32, threads=1, device="cpu", say=lambda line: None,
    )  # fmt: skip
    config = json.loads((tmp_path / "kept" / "adapter_config.json").read_text())
    assert config["r"] == 2 and config["lora_alpha"] == 4 and config["base_model_name_or_path"] == str(base)
    assert sum(path.stat().st_size for path in (tmp_path / "kept").iterdir()) < 0.5 * made.bytes
    again = import_checkpoint(str(tmp_path / "kept"), tmp_path / "again", labels=TASK.labels)
    assert again.task.labels == TASK.labels
    assert torch.allclose(logits(read_model(again)), logits(read_model(made)), atol=1e-5)


@pytest.mark.parametrize(
    ("value", "message"),
    [(None, "no adapter is trained"), ("bitfit", r"peft has no bitfit\n  remedy: --adapter lora, dora or ia3")],
)
def test_what_peft_has_no_format_for_is_refused(value: str | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(LeanformerError, match=message):
        check_keeping(value, "encoder", TASK, tmp_path / "kept", tmp_path / "made")


def test_an_artifact_and_a_folder_that_is_taken_are_refused(bases: dict[str, Path], tmp_path: Path) -> None:
    start = tiny_artifact(tmp_path / "start")
    with pytest.raises(LeanformerError, match=r"no checkpoint of transformers.*\n  remedy: leanformer export"):
        check_keeping("lora", str(start.path), TASK, tmp_path / "kept", tmp_path / "made")
    with pytest.raises(LeanformerError, match=r"exists; it will not be overwritten\n  remedy: another --keep-adapter"):
        check_keeping("lora", str(bases["bert"]), TASK, start.path, tmp_path / "made")
    check_keeping("lora", str(bases["bert"]), TASK, tmp_path / "x", tmp_path / "made")


@pytest.mark.parametrize(("kept", "made"), [("a", "a"), ("a/adapter", "a"), ("a", "a/teacher")])
def test_a_folder_that_is_the_models_is_refused_before_the_training(kept: str, made: str, tmp_path: Path) -> None:
    with pytest.raises(LeanformerError, match=r"the folder of the model, .*\n  remedy: one beside it"):
        check_keeping("lora", "encoder", TASK, tmp_path / kept, tmp_path / made)
