"""An imported model reads the tokens that `transformers` makes of its whole folder, or it is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer as RustTokenizer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, RobertaConfig, XLMRobertaConfig
from transformers import RobertaForSequenceClassification as Roberta
from transformers import XLMRobertaForSequenceClassification as XlmRoberta

from leanformer.artifact import Artifact, open_artifact
from leanformer.errors import CheckpointError
from leanformer.models.hf.options import ACTIVATIONS
from leanformer.models.hf.tokenizer import AWKWARD
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import import_checkpoint, start_classifier
from leanformer.predictor import logits
from tests.making.checkpoints import SIZES, edit, save, save_bert
from tests.making.foreign_tokenizers import train_tokenizer
from tests.making.tiny import LABELS, TASK, VOCABULARY, tiny_texts

TEXTS = (*AWKWARD, *tiny_texts(20, seed=3)[0], "Rain, STORM", "é", "我a", "song " * 30 + "rain " * 30, "a [MASK]. b")
_SPECIAL = {
    "tokenizer_class": "BertTokenizer", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]",
    "pad_token": "[PAD]", "mask_token": "[MASK]",
}  # fmt: skip


def configure(folder: Path, **options: Any) -> Path:
    (folder / "tokenizer_config.json").write_text(json.dumps(options))
    return folder


def theirs(folder: Path, text: str, longest: int) -> tuple[list[int], np.ndarray]:
    """Ids and logits by transformers alone, from the text."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    one = tokenizer(text, truncation=True, max_length=longest, return_tensors="pt")
    with torch.inference_mode():
        return one["input_ids"][0].tolist(), model(**one).logits[0].numpy()


def check(source: Path, artifact: Artifact) -> None:
    """The same ids for all texts, and the same answers for some; the artifact says of itself all that it needs."""
    predictor = TorchPredictor(open_artifact(artifact.path))
    tokenizer = AutoTokenizer.from_pretrained(source)
    for text, row in zip(TEXTS, predictor.tokenize(TEXTS), strict=True):
        expected = tokenizer(text, truncation=True, max_length=artifact.max_tokens)["input_ids"]
        assert row.tolist() == expected, text
    few = TEXTS[-5:]
    ours = logits(predictor, few)
    for text, values in zip(few, ours, strict=True):
        assert values == pytest.approx(theirs(source, text, artifact.max_tokens)[1], abs=1e-4), text


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"do_lower_case": False},
        {"do_lower_case": False, "strip_accents": True},
        {"strip_accents": False},
        {"tokenize_chinese_chars": False},
        {"truncation_side": "left"},
        {"truncation_side": "left", "do_lower_case": False},
        {"padding_side": "left"},
        {"model_max_length": 9},
        {"model_max_length": 9, "truncation_side": "left"},
        {"unk_token": "[MASK]"},
        {"tokenizer_class": "BertTokenizerFast", "do_lower_case": False},
        {"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": False},
        {"tokenizer_class": "DistilBertTokenizer", "strip_accents": False},
        {"tokenizer_class": "NobodysTokenizer"},
        {"tokenizer_class": "NobodysTokenizer", "auto_map": {"AutoTokenizer": ["tokenizer.Mine", None]}},
        {"added_tokens_decoder": {"5": {"content": "b", "special": False, "lstrip": True, "single_word": True}}},
        {"additional_special_tokens": ["rain", "song"]},
        {"extra_special_tokens": ["storm"]},
    ],
    ids=str,
)
def test_what_tokenizer_config_says(options: dict[str, Any], tmp_path: Path) -> None:
    source = configure(save_bert(tmp_path / "s"), **(_SPECIAL | options))
    (source / "tokenizer.py").write_text("raise SystemExit('code that came with a model')")
    artifact = import_checkpoint(str(source), tmp_path / "a", labels=LABELS)
    assert artifact.max_tokens == options.get("model_max_length", 48)
    check(source, artifact)
    _, path, _, _ = start_classifier(str(source), TASK)  # training begins from the same
    assert path.read_bytes() == artifact.file("tokenizer.json").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("side", ["left", "right"])
def test_only_a_vocabulary(lower: bool, side: str, tmp_path: Path) -> None:
    source = save_bert(tmp_path / "s")
    (source / "tokenizer.json").unlink()
    (source / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    configure(source, **(_SPECIAL | {"do_lower_case": lower, "truncation_side": side}))
    check(source, import_checkpoint(str(source), tmp_path / "a", labels=LABELS))


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{}, {"add_prefix_space": True}, {"add_prefix_space": False}, {"trim_offsets": False}]
)
@pytest.mark.parametrize("old", [True, False], ids=["vocab.json", "tokenizer.json"])
def test_byte_level_pieces(options: dict[str, Any], old: bool, tmp_path: Path) -> None:
    source = tmp_path / "s"
    size = train_tokenizer("byte-level", source)
    config = RobertaConfig(**(SIZES | {"vocab_size": size, "num_labels": 3, "pad_token_id": 1}))
    save(Roberta(config), source, tokenizer=False)
    if old:
        RustTokenizer.from_file(str(source / "tokenizer.json")).model.save(str(source))
        (source / "tokenizer.json").unlink()
        assert (source / "vocab.json").is_file() and (source / "merges.txt").is_file()
    configure(source, tokenizer_class="RobertaTokenizer", **options)
    check(source, import_checkpoint(str(source), tmp_path / "a", labels=LABELS))


@pytest.mark.parametrize("options", [{}, {"add_prefix_space": False}, {"truncation_side": "left"}])
def test_sentencepiece_pieces(options: dict[str, Any], tmp_path: Path) -> None:
    source = tmp_path / "s"
    size = train_tokenizer("unigram", source)
    config = XLMRobertaConfig(**(SIZES | {"vocab_size": size, "num_labels": 3, "pad_token_id": 1}))
    save(XlmRoberta(config), source, tokenizer=False)
    configure(source, tokenizer_class="XLMRobertaTokenizer", **options)
    check(source, import_checkpoint(str(source), tmp_path / "a", labels=LABELS))


@pytest.mark.parametrize(
    ("options", "direction"),
    [({}, "Left"), ({"truncation_side": "right"}, "Left"), ({"truncation_side": "left"}, "Right")],
)
def test_the_side_of_either_file(options: dict[str, Any], direction: str, tmp_path: Path) -> None:
    """What stands in `tokenizer.json` holds where the other file does not say."""
    source = configure(save_bert(tmp_path / "s"), **(_SPECIAL | options))
    cut = {"direction": direction, "max_length": 20, "strategy": "LongestFirst", "stride": 0}
    edit(source / "tokenizer.json", truncation=cut, padding=None)
    check(source, import_checkpoint(str(source), tmp_path / "a", labels=LABELS))


def test_what_says_nothing_else_keeps_its_bytes(tmp_path: Path) -> None:
    """So that a model taken in again has the hash that it had before the other files were read."""
    source = save_bert(tmp_path / "s")
    written = (source / "tokenizer.json").read_bytes()
    plain = import_checkpoint(str(source), tmp_path / "plain", labels=LABELS)
    configure(source, **_SPECIAL, do_lower_case=True, model_max_length=512, truncation_side="right")
    again = import_checkpoint(str(source), tmp_path / "a", labels=LABELS)
    assert again.content_hash == plain.content_hash
    assert plain.file("tokenizer.json").read_bytes() == written


def test_an_option_that_no_file_can_hold(tmp_path: Path) -> None:
    source = configure(save_bert(tmp_path / "s"), **_SPECIAL, split_special_tokens=True)
    message = (
        r"(?s)other tokens of .*tokenizer_config.json has split_special_tokens.*remedy: set split_special_tokens to"
    )
    with pytest.raises(CheckpointError, match=message):
        import_checkpoint(str(source), tmp_path / "a", labels=LABELS)
    edit(source / "tokenizer_config.json", split_special_tokens=False)
    check(source, import_checkpoint(str(source), tmp_path / "a", labels=LABELS))


@pytest.mark.parametrize("length", [0, -5, 2, True, "many"])
def test_a_length_that_is_none(length: Any, tmp_path: Path) -> None:
    source = configure(save_bert(tmp_path / "s"), **_SPECIAL, model_max_length=length)
    with pytest.raises(CheckpointError, match=r"(?s)tokenizer.*model_max_length|tokenizer of its files.*remedy"):
        import_checkpoint(str(source), tmp_path / "a", labels=LABELS)


@pytest.mark.parametrize("content", ["{", "[]", '{"tokenizer_class": 5}'])
def test_a_configuration_that_is_broken(content: str, tmp_path: Path) -> None:
    source = save_bert(tmp_path / "s")
    (source / "tokenizer_config.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"(?s)no tokenizer of its files.*remedy"):
        import_checkpoint(str(source), tmp_path / "a", labels=LABELS)


def _with_token(source: Path, token: str) -> None:
    tokenizer = RustTokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.add_tokens([token])
    tokenizer.save(str(source / "tokenizer.json"))


@pytest.mark.parametrize("way", ["tokenizer.json", "added_tokens_decoder", "added_tokens.json", "several"])
def test_a_token_beyond_the_table(way: str, tmp_path: Path) -> None:
    source, number = save_bert(tmp_path / "s"), len(VOCABULARY)
    configure(source, **_SPECIAL)
    if way == "added_tokens_decoder":
        edit(source / "tokenizer_config.json", added_tokens_decoder={str(number): {"content": "[E1]", "special": True}})
    elif way == "added_tokens.json":
        (source / "tokenizer.json").unlink()
        (source / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
        (source / "added_tokens.json").write_text(json.dumps({"[E1]": number}))
        if "[E1]" not in AutoTokenizer.from_pretrained(source).get_vocab():
            pytest.skip("this transformers does not read it")
    else:
        for token in ("[E1]", "[E2]")[: 1 + (way == "several")]:
            _with_token(source, token)
    more = ", and 1 more like it" if way == "several" else ""
    message = rf"(?s)the token '\[E1\]' has id {number}, and the word table has {number} rows, for ids up to "
    for load in (lambda: import_checkpoint(str(source), tmp_path / "a"), lambda: start_classifier(str(source), TASK)):
        with pytest.raises(CheckpointError, match=rf"{message}{number - 1}{more}.*remedy: .*resize_token_embeddings"):
            load()


def test_the_two_remedies_for_it(tmp_path: Path) -> None:
    source = configure(save_bert(tmp_path / "s"), **_SPECIAL)
    before = import_checkpoint(str(source), tmp_path / "before")
    _with_token(source, "[E1]")
    tokens = json.loads((source / "tokenizer.json").read_text())["added_tokens"]
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(source), AutoTokenizer.from_pretrained(source)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(tmp_path / "resized")
    tokenizer.save_pretrained(tmp_path / "resized")
    check(tmp_path / "resized", import_checkpoint(str(tmp_path / "resized"), tmp_path / "a"))
    edit(source / "tokenizer.json", added_tokens=[token for token in tokens if token["content"] != "[E1]"])
    dropped = import_checkpoint(str(source), tmp_path / "b")
    assert [row.tolist() for row in TorchPredictor(dropped).tokenize(TEXTS)] == [
        row.tolist() for row in TorchPredictor(before).tokenize(TEXTS)
    ]


def test_answers_are_compared_with_the_library_from_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids that were checked are no proof: a model read wrongly is refused, too."""
    source = configure(save_bert(tmp_path / "s"), **_SPECIAL)
    import_checkpoint(str(source), tmp_path / "a", labels=LABELS, texts=tiny_texts(40, seed=3)[0])
    edit(source / "config.json", hidden_act="relu")
    monkeypatch.setitem(ACTIVATIONS, "relu", "gelu")  # a mapping that is wrong
    with pytest.raises(CheckpointError, match=r"(?s)answers .* otherwise than transformers: logits .*remedy: "):
        import_checkpoint(str(source), tmp_path / "b", labels=LABELS)
    assert not (tmp_path / "b").exists()
