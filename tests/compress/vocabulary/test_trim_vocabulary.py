"""compress.trim_vocabulary: no answer to a counted text changes by a bit, and what it costs elsewhere is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer as RustTokenizer

from leanformer.artifact import Artifact
from leanformer.compress.distil.distil import Distil
from leanformer.compress.vocabulary.trim_vocabulary import TrimVocabulary
from leanformer.compress.vocabulary.vocabulary import Vocabulary
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError, GateError, RecipeError
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.models.hf.checkpoint import write_checkpoint
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import read_model, write_classifier, write_tokenizer_config
from leanformer.models.surgery import keep_words
from leanformer.predictor import logits
from leanformer.recipe.keys import step_key
from leanformer.runtime.predictor import LightPredictor
from tests.making.graphs import make_context
from tests.making.tiny import TASK, tiny_artifact, tiny_classifier, tiny_config
from tests.making.trained_tokenizers import FOREIGN, KINDS, requests, size, trained

# For the contract tests: options that run in a second, options that are refused, version and hash of the defaults.
QUICK = {}
BAD = ({"min_count": 0}, {"keep": "most"})
DEFAULTS = "1 5e77f984d2a7"

COUNTED = (*requests(21, 300), *FOREIGN[:2])


def examples(texts: tuple[str, ...], *, labelled: bool = True) -> Examples:
    return Examples(TASK, texts, tuple(i % 3 for i in range(len(texts))) if labelled else None)


def dataset(**splits: Examples | None) -> Dataset:
    """Half of the counted texts in train, half without labels; a dev of others, some in languages not counted."""
    parts: dict[str, Examples | None] = {
        "train": examples(COUNTED[::2]),
        "unlabelled": examples(COUNTED[1::2], labelled=False),
        "dev": examples((*requests(22, 60), *FOREIGN[2:])),
    }
    return Dataset(task=TASK, name="requests", **(parts | splits))


def artifact_with(kind: str, folder: Path) -> Artifact:
    spec = trained(kind)
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    config = tiny_config(vocabulary=size(spec), padding_id=spec["padding"]["pad_id"], positions=96)
    return write_classifier(
        tiny_classifier(config, seed=3), folder / "encoder", task=TASK, tokenizer=folder / "tokenizer.json",
        max_tokens=64, history=[],
    )  # fmt: skip


def trim(artifact: Artifact, folder: Path, data: Dataset | None = None, **options: Any) -> Artifact:
    context = make_context(folder / "work", artifact, data=data or dataset())
    return TrimVocabulary(**options)(artifact, context, folder / "trimmed")


def result_of(artifact: Artifact) -> dict[str, Any]:
    return dict(artifact.history[-1]["result"])


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Artifact]:
    """An artifact and what trimming makes of it; read only."""
    folder = tmp_path_factory.mktemp(request.param)
    whole = artifact_with(request.param, folder / "whole")
    return whole, trim(whole, folder)


def test_counted_texts_get_the_same_logits_to_the_bit(pair: tuple[Artifact, Artifact]):
    whole, trimmed = pair
    before, after = (logits(TorchPredictor(artifact, device="cpu"), COUNTED) for artifact in pair)
    assert before.std() > 0.05
    assert np.array_equal(before, after)
    # The same through padding: batches of rows of unequal length hold the padding id.
    assert read_model(whole).config.padding_id in (0, 1)
    assert trimmed.bytes < 0.9 * whole.bytes


def test_the_history_tells_what_it_cost(pair: tuple[Artifact, Artifact]):
    whole, trimmed = pair
    result = result_of(trimmed)
    before, after = (read_model(artifact).config.vocabulary for artifact in pair)
    assert result["pieces"] == [before, after] and after < before
    assert result["counted"]["texts"] == len(COUNTED) and result["counted"]["texts_changed"] == 0
    assert result["counted"]["tokens"] == result["counted"]["tokens_after"] > 1000
    # The dev figures, counted again by the library alone.
    one, other = (RustTokenizer.from_file(str(each.file("tokenizer.json"))) for each in pair)
    dev = dataset().dev
    assert dev is not None
    for tokenizer in (one, other):
        tokenizer.no_padding()
    old, new = ([t.encode(text, add_special_tokens=False).tokens for text in dev.texts] for t in (one, other))
    assert result["dev"]["texts"] == len(dev)
    assert result["dev"]["texts_changed"] == sum(a != b for a, b in zip(old, new, strict=True)) > 0
    assert result["dev"]["tokens"] == sum(map(len, old)) and result["dev"]["tokens_after"] == sum(map(len, new))
    for pieces, count in ((old, result["dev"]["unknown"]), (new, result["dev"]["unknown_after"])):
        assert count == sum(piece in ("[UNK]", "<unk>") for text in pieces for piece in text)
    assert trimmed.properties["parameters"] < whole.properties["parameters"]


def test_texts_never_counted_still_get_an_answer(pair: tuple[Artifact, Artifact]):
    texts = [*FOREIGN, "", "🙂", "ein völlig neuer Satz", "\u0000", "x" * 500]
    assert np.isfinite(logits(TorchPredictor(pair[1], device="cpu"), texts)).all()


def test_transformers_reads_the_trimmed_model(pair: tuple[Artifact, Artifact], tmp_path: Path):
    from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

    trimmed = pair[1]
    write_checkpoint(read_model(trimmed), TASK, tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(trimmed.file("tokenizer.json").read_bytes())
    write_tokenizer_config(trimmed, tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert model.config.vocab_size == len(tokenizer) == read_model(trimmed).config.vocabulary
    assert tokenizer.pad_token_id == model.config.pad_token_id == read_model(trimmed).config.padding_id
    texts = list(COUNTED[:12])
    batch = tokenizer(texts, padding=True, truncation=True, max_length=64, return_tensors="pt")
    with torch.inference_mode():
        theirs = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.numpy()
    np.testing.assert_allclose(theirs, logits(TorchPredictor(pair[0], device="cpu"), texts), atol=2e-5)


def test_int8_takes_the_trimmed_model(pair: tuple[Artifact, Artifact], tmp_path: Path):
    """The word table in int8 has one scale a row, so a row that stays is the same row, and its answers too."""
    made = []
    for index, artifact in enumerate(pair):
        context = make_context(tmp_path / str(index), artifact, data=dataset())
        graph = Onnx()(artifact, context, tmp_path / f"onnx{index}")
        made.append(Int8(max_flips=1, max_mean_share=10)(graph, context, tmp_path / f"int8{index}"))
    before, after = (logits(LightPredictor(artifact, threads=1), COUNTED[:100]) for artifact in made)
    assert np.array_equal(before, after)
    saved = made[0].bytes - made[1].bytes
    rows = [read_model(artifact).config.vocabulary for artifact in pair]
    assert saved > (rows[0] - rows[1]) * 32, "not even a byte per number was saved"


def test_padding_and_rows_move_together():
    model = tiny_classifier(tiny_config(vocabulary=20, padding_id=7))
    kept = keep_words(model, [2, 5, 7, 11])
    assert (kept.config.vocabulary, kept.config.padding_id) == (4, 2)
    table = model.encoder.embeddings.word.weight
    assert torch.equal(kept.encoder.embeddings.word.weight, table[[2, 5, 7, 11]])
    assert kept.training is model.training
    with pytest.raises(ValueError, match="padding id 7"):
        keep_words(model, [1, 2])


def test_a_padding_row_without_a_piece_is_kept(tmp_path: Path):
    spec = trained("WordPiece") | {"padding": None}
    (tmp_path / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    count = size(spec)
    made = write_classifier(
        tiny_classifier(tiny_config(vocabulary=count + 8, padding_id=count + 3)), tmp_path / "encoder", task=TASK,
        tokenizer=tmp_path / "tokenizer.json", max_tokens=64, history=[],
    )  # fmt: skip
    trimmed = trim(made, tmp_path)
    config = read_model(trimmed).config
    assert config.padding_id == config.vocabulary - 1 == result_of(trimmed)["pieces"][1]
    before, after = (logits(TorchPredictor(artifact, device="cpu"), COUNTED) for artifact in (made, trimmed))
    assert np.array_equal(before, after)


@pytest.mark.parametrize("kind", KINDS)
def test_options_drop_more_or_less(kind: str, tmp_path: Path):
    whole = artifact_with(kind, tmp_path / "whole")
    results = {
        name: result_of(trim(whole, tmp_path / name, **options))
        for name, options in {
            "plain": {}, "bare": {"keep_characters": False}, "twice": {"min_count": 3}, "few": {"keep": 40},
        }.items()
    }  # fmt: skip
    pieces = {name: result["pieces"][1] for name, result in results.items()}
    assert pieces["few"] < pieces["twice"] < pieces["plain"]
    assert pieces["bare"] < pieces["plain"] or kind == "BPE", "byte BPE cannot do without its bytes"
    assert results["bare"]["counted"]["texts_changed"] == results["plain"]["counted"]["texts_changed"] == 0
    assert results["few"]["counted"]["texts_changed"] > results["twice"]["counted"]["texts_changed"] > 0
    if kind != "BPE":
        assert results["bare"]["dev"]["unknown_after"] >= results["plain"]["dev"]["unknown_after"]


def test_the_most_frequent_are_kept(tmp_path: Path):
    texts = examples(("the the the the a a a was was it",) * 2)
    whole = tiny_artifact(tmp_path / "whole")
    kept = trim(whole, tmp_path, dataset(train=texts, unlabelled=None), keep=2, keep_characters=False)
    vocab = set(Vocabulary(json.loads(kept.file("tokenizer.json").read_text(encoding="utf-8"))).ids)
    assert vocab == {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "a"}


def test_dev_and_test_are_not_counted_and_extra_texts_are(tmp_path: Path):
    whole = tiny_artifact(tmp_path / "whole")
    data = dataset(train=examples(("rain",)), unlabelled=None, dev=examples(("snow",)), test=examples(("hail",)))
    extra = tmp_path / "more.txt"
    extra.write_text("thunder\nfog\n", encoding="utf-8")

    def words(made: Artifact) -> set[str]:
        return {p for p in json.loads(made.file("tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]}

    plain = words(trim(whole, tmp_path / "a", data))
    assert "rain" in plain and not {"snow", "hail", "thunder", "fog"} & plain
    assert words(trim(whole, tmp_path / "b", data, extra_texts=str(extra))) == plain | {"thunder", "fog"}
    # Another content of the file is another cause, so the result of an earlier run is not taken for this one's.
    step = TrimVocabulary(extra_texts=str(extra))
    context = make_context(tmp_path / "work", whole, data=data)
    first = step_key(step, whole, whole, context)
    assert step_key(step, whole, whole, context) == first
    extra.write_text("thunder\n", encoding="utf-8")
    assert step_key(step, whole, whole, context) != first


def test_second_texts_are_counted(tmp_path: Path):
    data = dataset(unlabelled=None)
    task = replace(TASK, kind="pair")
    pairs = Examples(task, ("rain",), (0,), pairs=("thunder",))
    data = Dataset(task=task, train=pairs, dev=pairs)
    made = trim(tiny_artifact(tmp_path / "whole"), tmp_path, data)
    assert {"rain", "thunder"} <= json.loads(made.file("tokenizer.json").read_text(encoding="utf-8"))["model"][
        "vocab"
    ].keys()
    assert result_of(made)["counted"]["texts"] == 2


def test_without_texts_or_rows_it_says_so(tmp_path: Path):
    whole = tiny_artifact(tmp_path / "whole")
    with pytest.raises(DataError, match="neither a train nor an unlabelled"):
        trim(whole, tmp_path, dataset(train=None, unlabelled=None))
    spec = trained("WordPiece")
    (tmp_path / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    small = write_classifier(
        tiny_classifier(tiny_config(vocabulary=50)), tmp_path / "small", task=TASK,
        tokenizer=tmp_path / "tokenizer.json", max_tokens=64, history=[],
    )  # fmt: skip
    with pytest.raises(GateError, match="the word table 50 rows"):
        trim(small, tmp_path)


def test_a_loss_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each precaution left out ends in an error, not in a model that reads its own training texts differently."""
    whole = artifact_with("BPE", tmp_path / "whole")
    monkeypatch.setattr(Vocabulary, "with_parts", lambda self, kept: set(kept))
    with pytest.raises(GateError, match=r"counted texts came apart differently"):
        trim(whole, tmp_path)
    assert not (tmp_path / "trimmed").exists()


def test_losses_by_token_after_trimming_name_the_remedy(tmp_path: Path):
    from tests.making.tiny import tiny_dataset

    whole = tiny_artifact(tmp_path / "whole")
    trimmed = trim(whole, tmp_path, tiny_dataset(), keep_characters=False)
    context = make_context(tmp_path / "work", whole)
    with pytest.raises(RecipeError, match=r"behind compress\.distil"):
        Distil(layers=(1,), epochs=1, hidden_weight=1.0)(trimmed, context, tmp_path / "student")
    # The losses that compare whole texts need no common vocabulary.
    student = Distil(layers=(1,), epochs=1)(trimmed, context, tmp_path / "student")
    assert read_model(student).config.vocabulary == read_model(trimmed).config.vocabulary
