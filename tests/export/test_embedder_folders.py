"""What else a folder of sentence-transformers says: its vectors are those of `encode`, or it is refused by name."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from leanformer.errors import CheckpointError
from leanformer.export.embedder import make_embedder
from leanformer.models.hf.sentence import read_sentence_encoder
from leanformer.runtime.predictor import LightPredictor
from tests.export.test_embedder import TEXTS, checkpoint
from tests.making.checkpoints import edit

ASKED = [*TEXTS[:5], "The Rude SONG", "a", "É [SEP] rain", "song " * 60, "  two  words\n", "ΟΔΟΣ x", "query: the goal"]
_TOKENS = {
    "tokenizer_class": "BertTokenizer", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]",
    "pad_token": "[PAD]", "mask_token": "[MASK]",
}  # fmt: skip


def folder_with(
    place: Path, *, pooling: dict[str, Any] | None = None, prompts: dict[str, Any] | None = None, **options: Any
) -> Path:
    """A sentence encoder whose `tokenizer_config.json` takes `tokenizer`, and its own options the rest."""
    pooled = {"pooling_mode_mean_tokens": True} if pooling is None else pooling
    folder = checkpoint(place, **({"word_embedding_dimension": 32} | pooled))
    (folder / "tokenizer_config.json").write_text(json.dumps(_TOKENS | options.pop("tokenizer", {})))
    edit(folder / "sentence_bert_config.json", **options)
    if prompts is not None:
        (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    return folder


def check(folder: Path, output: Path) -> list[str]:
    """Vectors as `encode` gives them; what was said."""
    said: list[str] = []
    made = make_embedder(str(folder), TEXTS, output, precision="fp32", say=said.append)
    ours = np.array([prediction.vector for prediction in LightPredictor(made, threads=1).predict(ASKED)])
    theirs = SentenceTransformer(str(folder), device="cpu").encode(ASKED, normalize_embeddings=True)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    return said


def without_normalize(folder: Path) -> Path:
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps(modules[:2]))
    return folder


PROMPTS = {"query": "query: ", "document": "", "other": "in the last song "}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*longer than")
@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({}, None),
        ({"prompts": {"prompts": PROMPTS, "default_prompt_name": "query"}}, "the prompt 'query: ' in front"),
        ({"prompts": {"prompts": PROMPTS, "default_prompt_name": "other"}}, "the prompt 'in the last song ' in front"),
        ({"prompts": {"prompts": PROMPTS, "default_prompt_name": "document"}}, r"by name \(query, other\)"),
        ({"prompts": {"prompts": PROMPTS, "default_prompt_name": None}}, r"by name \(query, other\)"),
        ({"do_lower_case": True, "tokenizer": {"do_lower_case": False}}, "texts are lowered first"),
        ({"do_lower_case": False, "tokenizer": {"do_lower_case": False}}, None),
        ({"tokenizer": {"do_lower_case": False, "strip_accents": True}, "do_lower_case": True}, "lowered first"),
        (
            {"do_lower_case": True, "tokenizer": {"do_lower_case": False},
             "prompts": {"prompts": {"q": "The Query: "}, "default_prompt_name": "q"}}, "the prompt 'The Query: '",
        ),
        ({"max_seq_length": 9}, None),
        ({"pooling": {"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": False}}, None),
        ({"max_seq_length": None, "tokenizer": {"model_max_length": 11}}, None),
        ({"max_seq_length": None}, None),
        ({"max_seq_length": 12, "prompts": {"prompts": PROMPTS, "default_prompt_name": "query"}}, "the prompt"),
        ({"pooling": {"pooling_mode_cls_token": True}}, None),
        ({"pooling": {"pooling_mode": "mean"}}, None),
        ({"pooling": {"pooling_mode_mean_tokens": True, "include_prompt": False}}, None),
        ({"tokenizer": {"truncation_side": "left"}}, None),
    ],
    ids=str,
)  # fmt: skip
def test_vectors_are_those_of_encode(options: dict[str, Any], note: str | None, tmp_path: Path) -> None:
    said = "\n".join(check(folder_with(tmp_path / "model", **options), tmp_path / "lean"))
    if note is None:
        assert "note: " not in said
    else:
        assert re.search(note, said), said


@pytest.mark.filterwarnings("ignore:.*longer than")
def test_without_a_module_that_normalizes(tmp_path: Path) -> None:
    folder = without_normalize(folder_with(tmp_path / "model"))
    assert "no module Normalize" in "\n".join(check(folder, tmp_path / "lean"))


@pytest.mark.filterwarnings("ignore:.*longer than")
def test_an_encoder_in_a_folder_of_its_own(tmp_path: Path) -> None:
    """As older versions saved it."""
    folder = folder_with(tmp_path / "model", do_lower_case=True, tokenizer={"do_lower_case": False})
    inner = folder / "0_Transformer"
    inner.mkdir()
    for path in list(folder.iterdir()):
        if path.is_file() and path.name != "modules.json":
            shutil.move(path, inner)
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([modules[0] | {"path": "0_Transformer"}, *modules[1:]]))
    (folder / "2_Normalize").mkdir()
    check(folder, tmp_path / "lean")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": {"pooling_mode_weightedmean_tokens": True}}, "pooling_mode_weightedmean_tokens"),
        ({"pooling": {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}}, "pooling .* is not built"),
        ({"pooling": {"pooling_mode": "lasttoken"}}, "pooling .*lasttoken.* is not built"),
        ({"pooling": {"pooling_mode": ["mean", "cls"]}}, r"pooling \['mean', 'cls'\] is not built"),
        (
            {"pooling": {"pooling_mode_mean_tokens": True, "include_prompt": False},
             "prompts": {"prompts": PROMPTS, "default_prompt_name": "query"}}, "include_prompt is false",
        ),
        ({"prompts": {"prompts": PROMPTS, "default_prompt_name": "nobody"}}, "default_prompt_name is 'nobody'"),
        ({"prompts": {"prompts": PROMPTS, "default_prompt_name": 3}}, "default_prompt_name is 3"),
        ({"prompts": {"truncate_dim": 8}}, "truncate_dim is 8, which is not built"),
        ({"prompts": {"prompts": ["query: "]}}, "prompts are not names with texts"),
        ({"prompts": {"prompts": {"q": 5}}}, "prompts are not names with texts"),
        ({"tokenizer_args": {"do_lower_case": False}}, "tokenizer_args .* is not built"),
        ({"model_args": {"attn_implementation": "eager"}}, "model_args .* is not built"),
        ({"query_expansion": {"length": 32}}, "query_expansion .* is not built"),
        ({"transformer_task": "fill-mask"}, "transformer_task \"fill-mask\" is not built"),
        ({"max_seq_length": "long"}, "max_seq_length is 'long'"),
        ({"max_seq_length": 0}, "max_seq_length is 0"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_built_is_named(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model", **options)
    with pytest.raises(CheckpointError, match=f"(?s){message}.*\n  remedy: "):
        make_embedder(str(folder), TEXTS, tmp_path / "lean")
    assert not (tmp_path / "lean").exists()


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        (["Transformer"], "one module Pooling"),
        (["Transformer", "Normalize", "Pooling"], "before a Normalize"),
        (["Pooling", "Transformer"], "behind one Transformer"),
        ([], "it has none"),
        (["Transformer", "Pooling", "Dense"], "a module Dense, which is not built"),
        (["Transformer", "Pooling", "LayerNorm"], "a module LayerNorm, which is not built"),
        (["Transformer", "WordWeights", "Pooling"], "a module WordWeights, which is not built"),
    ],
    ids=str,
)
def test_modules_of_another_order_or_kind(modules: list[str], message: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model")
    paths = {"Transformer": "", "Pooling": "1_Pooling"}
    listed = [
        {"type": f"sentence_transformers.models.{kind}", "path": paths.get(kind, f"2_{kind}")} for kind in modules
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(CheckpointError, match=f"(?s){message}.*\n  remedy: "):
        read_sentence_encoder(folder)


@pytest.mark.parametrize("content", ["{", "5", '{"a": 1}', '[{"type": "x"}]', "[" * 100_000])
def test_a_list_of_modules_that_is_none(content: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model")
    (folder / "modules.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"(?s)modules\.json: .*\n  remedy: "):
        read_sentence_encoder(folder)


@pytest.mark.parametrize("path", ["../other", "/etc", "..", "a/b"])
def test_modules_elsewhere(path: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model")
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([modules[0], modules[1] | {"path": path}]))
    with pytest.raises(CheckpointError, match="lies outside"):
        read_sentence_encoder(folder)


@pytest.mark.filterwarnings("ignore:.*longer than")
def test_a_prompt_that_grows_into_the_text_and_the_remedy(tmp_path: Path) -> None:
    prompts = {"prompts": {"q": "the so"}, "default_prompt_name": "q"}
    folder = folder_with(tmp_path / "model", prompts=prompts)
    with pytest.raises(
        CheckpointError, match=r"(?s)prompt 'the so' \(default_prompt_name\).*remedy: set default_prompt"
    ):
        make_embedder(str(folder), TEXTS, tmp_path / "lean")
    edit(folder / "config_sentence_transformers.json", default_prompt_name=None)
    check(folder, tmp_path / "lean")
