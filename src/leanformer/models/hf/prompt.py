"""Preprocessing that `sentence-transformers` does before its tokenizer, as parts of a `tokenizer.json`.

Lowercasing becomes a normaliser before the others, as it is there. A prompt becomes tokens around every text, in the
way of `[CLS]`; `tokenizer.check_ids` verifies that the text after it is still tokenized as it is without the prompt.
"""

from __future__ import annotations

from typing import Any

_ONE, _OTHER = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}


def lowered(spec: dict[str, Any]) -> dict[str, Any]:
    """A `tokenizer.json` that lowercases texts first; unchanged if it already has a `Lowercase` normaliser."""
    normalizer = spec.get("normalizer")
    parts = [] if normalizer is None else [normalizer]
    if normalizer is not None and normalizer["type"] == "Sequence":
        parts = list(normalizer["normalizers"])
    if any(part["type"] == "Lowercase" for part in parts):
        return spec
    return spec | {"normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, *parts]}}


def prompted(spec: dict[str, Any], ids: list[int], tokens: list[str]) -> dict[str, Any] | None:
    """A `tokenizer.json` with these tokens before every text; None if the type of its post-processor is unknown."""
    processor = _as_template(spec.get("post_processor"))
    if processor is None:
        return None
    parts = processor["processors"] if processor["type"] == "Sequence" else [processor]
    changed = []
    for part in parts:
        if part["type"] == "TemplateProcessing":
            name = "prompt"
            while name in part["special_tokens"]:
                name += "_"
            piece = {"SpecialToken": {"id": name, "type_id": 0}}
            single = [step for item in part["single"] for step in ((piece, item) if "Sequence" in item else (item,))]
            special = part["special_tokens"] | {name: {"id": name, "ids": ids, "tokens": tokens}}
            part = part | {"single": single, "special_tokens": special}
        changed.append(part)
    return spec | {
        "post_processor": changed[0] if processor["type"] != "Sequence" else processor | {"processors": changed}
    }


def _as_template(processor: dict[str, Any] | None) -> dict[str, Any] | None:
    """The post-processor as a template, converted from BERT's and RoBERTa's older types if necessary."""
    if processor is None:
        return {"type": "TemplateProcessing", "single": [_ONE], "pair": [_ONE, _OTHER], "special_tokens": {}}
    kind = processor["type"]
    if kind == "Sequence":
        parts = [_as_template(part) if part["type"] != "ByteLevel" else part for part in processor["processors"]]
        known = [part for part in parts if part is not None]
        templates = sum(part["type"] == "TemplateProcessing" for part in known)
        return {**processor, "processors": known} if len(known) == len(parts) and templates == 1 else None
    if kind in ("BertProcessing", "RobertaProcessing"):
        (first, first_id), (last, last_id) = processor["cls"], processor["sep"]
        begin, end = ({"SpecialToken": {"id": token, "type_id": 0}} for token in (first, last))
        special = {
            token: {"id": token, "ids": [number], "tokens": [token]}
            for token, number in ((first, first_id), (last, last_id))
        }
        return {
            "type": "TemplateProcessing", "single": [begin, _ONE, end], "pair": [begin, _ONE, end, _OTHER, end],
            "special_tokens": special,
        }  # fmt: skip
    return processor if kind == "TemplateProcessing" else None
