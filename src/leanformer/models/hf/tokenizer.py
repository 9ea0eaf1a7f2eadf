"""The tokenizer of a checkpoint folder: the one that `transformers` builds from all its files, as a `tokenizer.json`.

`tokenizer.json` is one file of several. `transformers` also reads `tokenizer_config.json` and similar files, and if
they disagree (`do_lower_case`, `strip_accents`, `add_prefix_space`, `truncation_side`, added tokens), they take
precedence. The result is written to a file and verified: either it gives the same ids for every text, or an error is
raised.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer as RustTokenizer

from leanformer.errors import CheckpointError
from leanformer.files import sha256_json
from leanformer.models.hf.prompt import lowered, prompted
from leanformer.models.writing import TOKENIZER
from leanformer.task import Text
from leanformer.tokenizer import Tokenizer

# Capitals, accents, scripts without spaces, unusual spaces, controls, compositions, long words, entities, digits,
# emoji.
AWKWARD = (
    "", " ", "a", "A Kind Host", "éàüß ÉÀÜ İstanbul ΟΔΟΣ Straße", "e\u0301 a\u030a \ufb01n \u212b \uff21\uff22",
    "我爱北京天安门 中文 and English", "日本語のテキスト カタカナ ｶﾀｶﾅ", "한국어 문장", "สวัสดีครับ", "مرحبا بالعالم",
    "नमस्ते दुनिया", "  two  spaces\tand a tab\nand a line \u00a0\u3000\u200b", "don't won't it's l'homme (a) [b] {c}",
    "x" * 120, "a\u0000b\u0007c\ufffd", "3.14159 1,000,000 2024-01-31 #tag @user http://a.b/c?d=e&f",
    "🙂👩‍👩‍👧‍👦 ✓ — … “quoted”", "UPPER lower MiXeD", "a-b_c/d\\e|f", "\u0130\u0131\u1e9e\u01c5", "word " * 40,
)  # fmt: skip
_SAVE = "save the tokenizer as the model was trained with it: AutoTokenizer.from_pretrained(...).save_pretrained(...)"
_NO_PROMPT = (
    "set default_prompt_name to null in config_sentence_transformers.json, and write the prompt into your texts"
)
# Options of transformers' tokenizers that a tokenizer.json cannot express.
_UNWRITTEN = ("split_special_tokens",)
_BESIDE = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
_LONGEST = 10**6  # `transformers` writes 1e30 if it is unknown


def tokenizer_file(
    folder: Path,
    rows: int | None,
    work: Path | None = None,
    *,
    texts: Sequence[Text] = (),
    prompt: str = "",
    lower: bool = False,
) -> Path:
    """A `tokenizer.json` with the ids of `transformers`: the folder's own if it gives them, else a new one in `work`.

    Args:
        rows: of the model's word table; None if unknown.
        work: a folder to write into; None: a temporary one, removed at exit. Never `folder`, which is the user's.
        texts: additional texts, or pairs, to compare ids on.
        prompt: text before every text.
        lower: lowercase texts, including the prompt, first.

    Raises `CheckpointError` if none can be made, if it would give other ids, and for a token without a row in the
    table.
    """
    path, theirs = folder / TOKENIZER, stock_tokenizer(folder)
    left_out = set[str]()
    if theirs is None:
        spec = _read(path)
    else:
        spec, left_out = _written(theirs), _unasked(theirs, folder, rows)
        spec["added_tokens"] = [token for token in spec["added_tokens"] if token["content"] not in left_out]
    if lower:
        spec = lowered(spec)
        if theirs is not None:
            theirs = copy.deepcopy(theirs)
            theirs.backend_tokenizer.normalizer = RustTokenizer.from_str(json.dumps(spec)).normalizer
    if prompt:
        spec = _with_prompt(spec, prompt, folder)
    if not path.is_file() or not _same(_read(path), spec):
        path = (_scratch(folder) if work is None else work) / TOKENIZER
        path.parent.mkdir(parents=True, exist_ok=True)
        RustTokenizer.from_str(json.dumps(spec)).save(str(path))
    if rows is not None:
        check_table(path, rows, folder)
    if theirs is not None:
        check_ids(theirs, path, [*AWKWARD, *texts, *_with_added(theirs, left_out)], folder, prompt)
    return path


def _with_prompt(spec: dict[str, Any], prompt: str, folder: Path) -> dict[str, Any]:
    encoding = RustTokenizer.from_str(json.dumps(spec)).encode(prompt, add_special_tokens=False)
    changed = prompted(spec, encoding.ids, encoding.tokens)
    if changed is None:
        raise CheckpointError(
            f"{folder}: the prompt {prompt!r} (default_prompt_name) cannot be set before texts of such a tokenizer\n"
            f"  remedy: {_NO_PROMPT}"
        )
    return changed


def longest_input(folder: Path) -> int | None:
    """`model_max_length`, the number of tokens at which `transformers` truncates texts; None if not given."""
    if (theirs := stock_tokenizer(folder)) is None:
        return None
    given = theirs.model_max_length
    if isinstance(given, bool) or not isinstance(given, int | float) or not given >= 3:
        raise CheckpointError(
            f"{folder}/tokenizer_config.json: model_max_length is {given!r:.40}, and not a number of tokens\n"
            "  remedy: write the longest input that the model was trained on, or leave it out"
        )
    return int(given) if given < _LONGEST else None


def stock_tokenizer(folder: Path) -> Any:
    """The tokenizer that `AutoTokenizer` loads; None if it fails and `tokenizer.json` is the only tokenizer file.

    Raises `CheckpointError` if it fails otherwise, or if the tokenizer has no fast version.
    """
    stamps = [(path.name, path.stat().st_mtime_ns) for path in sorted(folder.iterdir()) if path.is_file()]
    return _stock_tokenizer(folder.resolve(), tuple(stamps))


@cache
def _stock_tokenizer(folder: Path, stamps: tuple[tuple[str, int], ...]) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, trust_remote_code=False, local_files_only=True)
        # Without any vocabulary file, transformers still makes a tokenizer, but one without words.
        if len(tokenizer) <= len(tokenizer.all_special_ids):
            raise ValueError("there is no vocabulary")
        tokenizer(AWKWARD[3])
    except Exception as error:  # a broken or missing file can raise anything
        if (folder / TOKENIZER).is_file() and not any((folder / name).is_file() for name in _BESIDE):
            return None  # a file made for another class, with nothing that contradicts it
        if (folder / TOKENIZER).is_file():
            problem = "transformers can make no tokenizer of its files"
        else:
            problem = f"no {TOKENIZER}, and none could be made"
        raise CheckpointError(
            f"{folder}: {problem} ({type(error).__name__}: {error!s:.200})\n  remedy: {_SAVE}"
        ) from error
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise CheckpointError(
            f"{folder}: the tokenizer {type(tokenizer).__name__} has no fast form, and only that is run here\n"
            "  remedy: give a model whose tokenizer has one (is_fast)"
        )
    return tokenizer


def _written(theirs: Any) -> dict[str, Any]:
    """The tokenizer as a `tokenizer.json`; the truncation side is included if it is the left."""
    spec: dict[str, Any] = json.loads(theirs.backend_tokenizer.to_str())
    spec["padding"] = spec["truncation"] = None
    if theirs.truncation_side == "left":
        longest = min(int(theirs.model_max_length), _LONGEST)
        spec["truncation"] = {
            "direction": "Left", "max_length": longest, "strategy": "LongestFirst", "stride": 0,
        }  # fmt: skip
    return spec


def _unasked(theirs: Any, folder: Path, rows: int | None) -> set[str]:
    """Tokens beyond the word table that no file of the folder contains: some `transformers` classes add such tokens."""
    files = [folder / name for name in (TOKENIZER, *_BESIDE)]
    said = "".join(path.read_text(encoding="utf-8", errors="replace") for path in files if path.is_file())
    added = theirs.added_tokens_decoder.items()
    beyond = {token.content for number, token in added if rows is not None and number >= rows}
    return {token for token in beyond if json.dumps(token)[1:-1] not in said and token not in said}


def _with_added(theirs: Any, left_out: set[str]) -> list[str]:
    """Texts with the special and added tokens, each next to a letter and standing alone."""
    added = [token.content for token in theirs.added_tokens_decoder.values()][:50]
    tokens = [token for token in dict.fromkeys([*theirs.all_special_tokens, *added]) if token not in left_out]
    return [text for token in tokens for text in (f"a {token}b", f"A{token} c")]


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(RustTokenizer.from_file(str(path)).to_str()))  # in the library's current format
    except Exception as error:  # the library raises bare Exception for every kind of broken file
        raise CheckpointError(f"{path}: not a readable tokenizer.json ({error})\n  remedy: {_SAVE}") from error


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two give the same ids, apart from truncation length, padding and decoding; the truncation side counts."""

    def essence(spec: dict[str, Any]) -> list[Any]:
        side = (spec.get("truncation") or {}).get("direction", "Right")
        return [side, {key: value for key, value in spec.items() if key not in ("truncation", "padding", "decoder")}]

    return essence(one) == essence(other)


def check_ids(theirs: Any, path: Path, texts: Sequence[Text], source: object, prompt: str = "") -> None:
    """Raise `CheckpointError` if the `tokenizer.json` at `path` gives other ids than `transformers`.

    Args:
        texts: single texts, or pairs.
        prompt: put before each text there; the `tokenizer.json` adds it by itself.
    """
    special = RustTokenizer.from_file(str(path)).num_special_tokens_to_add(is_pair=False)
    for longest in (special + 10, special + 500):  # so that some are truncated and most are not
        ours = Tokenizer(path, longest)
        for text, row in zip(texts, ours.encode(texts), strict=True):
            first, second = (text, None) if isinstance(text, str) else text
            expected = theirs(prompt + first, second, truncation=True, max_length=longest)["input_ids"]
            ids = row if row.ndim == 1 else row[:, 0]
            if not np.array_equal(ids, expected):
                if prompt:
                    raise CheckpointError(
                        f"{source}: with the prompt {prompt!r} (default_prompt_name) the text {text!r:.60} has other "
                        f"tokens than behind it: {_shown(theirs, expected)} there, {_shown(theirs, ids)} here\n"
                        f"  remedy: {_NO_PROMPT}"
                    )
                named = [name for name in _UNWRITTEN if getattr(theirs, name, False)]
                raise CheckpointError(
                    f"{source}: transformers makes other tokens of {text!r:.60} than a tokenizer.json can: "
                    f"{_shown(theirs, expected)} there, {_shown(theirs, ids)} here"
                    + (f"; tokenizer_config.json has {', '.join(named)}" if named else f" ({type(theirs).__name__})")
                    + "\n  remedy: "
                    + (f"set {named[0]} to false, if the model was not trained so" if named else _SAVE)
                )


def _shown(theirs: Any, ids: Any) -> str:
    shown = [str(token) for token in theirs.convert_ids_to_tokens([int(token_id) for token_id in ids[:12]])]
    return " ".join(shown) + (" ..." if len(ids) > 12 else "")


def check_table(path: Path, rows: int, source: object) -> None:
    """Raise `CheckpointError` if the tokenizer has a token without a row in the word table of `rows` rows."""
    vocabulary = RustTokenizer.from_file(str(path)).get_vocab(with_added_tokens=True)
    beyond = sorted((number, token) for token, number in vocabulary.items() if number >= rows)
    if not beyond:
        return
    number, token = beyond[0]
    more = f", and {len(beyond) - 1} more like it" if beyond[1:] else ""
    raise CheckpointError(
        f"{source}: the token {token!r} has id {number}, and the word table has {rows} rows, for ids up to {rows - 1}"
        f"{more}; a text with it could not be read\n"
        "  remedy: if it was to be learnt, load model and tokenizer with transformers, "
        "model.resize_token_embeddings(len(tokenizer)), train on, and save both; if it is not used, take it out of "
        "added_tokens in tokenizer.json, and out of tokenizer_config.json where that names it"
    )


@cache
def _scratch_root() -> tempfile.TemporaryDirectory[str]:
    """A temporary folder, removed at exit."""
    return tempfile.TemporaryDirectory(prefix="leanformer-tokenizers-")


def _scratch(source: Path) -> Path:
    return Path(_scratch_root().name) / sha256_json(str(source.resolve()))[:16]
