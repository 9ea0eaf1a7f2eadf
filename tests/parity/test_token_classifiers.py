"""Stock token classifiers in and out: the logits of every token, in every mapped family."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from transformers import PreTrainedModel

from leanformer.errors import CheckpointError
from leanformer.models.hf.checkpoint import read_classifier, write_checkpoint
from leanformer.models.store import import_checkpoint, start_classifier
from leanformer.predictor import answers
from leanformer.tagging.schemes import tag_names
from leanformer.task import Task
from tests.making.tagged import TAGS, tagger_artifact, tiny_tagger
from tests.making.tiny import VOCABULARY, roughen, tiny_artifact, tiny_tokenizer
from tests.parity.comparing import OPTIONS, TOLERANCE, Inputs, saved, stock_bert
from tests.parity.families import FAMILIES, inputs_for

TASK = Task("tokens", tag_names(["LOC", "PER"]))
NAMES = ["bert", *(name for name in FAMILIES if name != "modernbert")]


def stock(name: str) -> PreTrainedModel:
    """A token classifier in eval mode whose weights all matter."""
    config = (stock_bert() if name == "bert" else FAMILIES[name].model()).config
    config.num_labels = len(TASK.labels)
    config.id2label = dict(enumerate(TASK.labels))
    config.label2id = {label: i for i, label in enumerate(TASK.labels)}
    prefix = "Bert" if name == "bert" else FAMILIES[name].stock
    model = getattr(transformers, f"{prefix}ForTokenClassification")(config)
    roughen(model)
    return model.eval()


def logits_of(model: PreTrainedModel, inputs: Inputs) -> torch.Tensor:
    types = {"token_type_ids": inputs.token_types} if model.config.model_type in ("bert", "electra") else {}
    with torch.no_grad():
        return model(input_ids=inputs.ids, attention_mask=inputs.mask, **types).logits[inputs.mask.bool()]


@pytest.mark.parametrize("name", NAMES)
def test_in_and_out_again(name: str, tmp_path: Path) -> None:
    theirs = stock(name)
    ours, missing = read_classifier(saved(theirs, tmp_path / "in"), len(TASK.labels), tokens=True)
    inputs = inputs_for(ours.config)
    expected = logits_of(theirs, inputs)
    with torch.no_grad():
        found = ours.eval()(inputs.ids, inputs.mask, inputs.token_types)[inputs.mask.bool()]
    assert not missing and expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=TOLERANCE, rtol=0)

    write_checkpoint(ours, TASK, tmp_path / "out")
    again = type(theirs).from_pretrained(tmp_path / "out").eval()
    torch.testing.assert_close(logits_of(again, inputs), expected, atol=TOLERANCE, rtol=0)
    assert tuple(again.config.id2label.values()) == TASK.labels
    assert again.config.architectures == theirs.config.architectures


@pytest.mark.parametrize("name", NAMES)
def test_a_bare_encoder_and_a_sequence_classifier_start_a_tagger(name: str, tmp_path: Path) -> None:
    sequence = stock_bert() if name == "bert" else FAMILIES[name].model()
    for kind, model in (("sequence", sequence), ("bare", sequence.base_model)):
        ours, missing = read_classifier(saved(model, tmp_path / kind), 5, tokens=True)
        assert missing == ["head.classifier.weight", "head.classifier.bias"]
        inputs = inputs_for(ours.config)
        types = {"token_type_ids": inputs.token_types} if name in ("bert", "electra") else {}
        with torch.no_grad():
            expected = model.base_model(input_ids=inputs.ids, attention_mask=inputs.mask, **types).last_hidden_state
            found = ours.eval().outputs(inputs.ids, inputs.mask, inputs.token_types).encoded.last
        torch.testing.assert_close(found[inputs.mask.bool()], expected[inputs.mask.bool()], atol=TOLERANCE, rtol=0)


def test_a_fine_tuned_tagger_is_imported_with_its_tags(tmp_path: Path) -> None:
    theirs = stock("bert")
    theirs.resize_token_embeddings(len(VOCABULARY))
    saved(theirs, tmp_path / "stock")
    tiny_tokenizer(tmp_path / "stock")
    artifact = import_checkpoint(str(tmp_path / "stock"), tmp_path / "ours")
    assert artifact.task == TASK and artifact.format == "encoder"


def test_labels_that_are_no_tags_are_refused(tmp_path: Path) -> None:
    theirs = stock("bert")
    theirs.config.id2label = {0: "NOUN", 1: "VERB", 2: "ADJ", 3: "DET", 4: "ADV"}
    saved(theirs, tmp_path / "stock")
    tiny_tokenizer(tmp_path / "stock")
    with pytest.raises(CheckpointError, match="no tags of entities: 'NOUN' is no tag"):
        import_checkpoint(str(tmp_path / "stock"), tmp_path / "ours")


def test_a_family_that_is_not_mapped_is_run_as_it_came(tmp_path: Path) -> None:
    options = {name: value for name, value in OPTIONS.items() if name not in ("num_labels", "vocab_size")}
    config = transformers.RemBertConfig(
        **options, vocab_size=200, input_embedding_size=16, output_embedding_size=16,
        id2label=dict(enumerate(TASK.labels)), label2id={label: i for i, label in enumerate(TASK.labels)},
    )  # fmt: skip
    model = transformers.RemBertForTokenClassification(config)
    roughen(model)
    saved(model.eval(), tmp_path / "stock")
    tiny_tokenizer(tmp_path / "stock")
    artifact = import_checkpoint(str(tmp_path / "stock"), tmp_path / "ours")
    assert artifact.format == "transformers" and artifact.task == TASK
    from leanformer.models.predictor import TorchPredictor

    predictor = TorchPredictor(artifact)
    [row] = predictor.tokenize(["the goal was it"])
    with torch.no_grad():
        expected = model(input_ids=torch.tensor([row.tolist()])).logits[0]
    torch.testing.assert_close(torch.from_numpy(predictor.infer([row])), expected, atol=TOLERANCE, rtol=0)
    [one] = answers(predictor, [["the", "goal"]])
    assert one.tags is not None and len(one.tags) == 2


def test_modernberts_own_token_head_is_refused_and_its_encoder_is_not(tmp_path: Path) -> None:
    config = FAMILIES["modernbert"].model().config
    saved(transformers.ModernBertForTokenClassification(config), tmp_path / "stock")
    with pytest.raises(CheckpointError, match="head that is not built"):
        read_classifier(tmp_path / "stock", 3, tokens=True)
    saved(FAMILIES["modernbert"].model(), tmp_path / "sequence")
    ours, missing = read_classifier(tmp_path / "sequence", 5, tokens=True)
    assert ours.config.head.pooling == "none" and "head.classifier.bias" in missing
    with pytest.raises(CheckpointError, match="head that is not built"):
        write_checkpoint(ours, TASK, tmp_path / "out")


def test_artifacts_of_one_kind_start_models_of_the_other(tmp_path: Path) -> None:
    texts = tiny_artifact(tmp_path / "texts")
    words = tagger_artifact(tmp_path / "words", model=tiny_tagger())
    tagger, _, missing, _ = start_classifier(str(texts.path), words.task)
    assert missing == ["head"] and tagger.config.head.pooling == "none" and tagger.config.labels == len(TAGS)
    classifier, _, missing, _ = start_classifier(str(words.path), texts.task)
    assert missing == ["head"] and classifier.config.head.pooling == "first"
