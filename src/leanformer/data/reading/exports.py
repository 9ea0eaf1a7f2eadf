"""Rows in the formats of annotation tools and libraries, converted to the keys that all other readers use."""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]


class ExportError(ValueError):
    """A row of an annotation tool that cannot be read unambiguously, with a `remedy`."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


def as_record(value: object) -> Record | None:
    """A row's `text` with `entities` (spans), `label` (a list of names) or `words` and `tags`; None unless an object.

    Supported are spaCy's pairs `[text, {"entities": [...]}]` and its `cats`, Label Studio's annotations, rows of
    Prodigy and of GLiNER. Any other object is returned unchanged. Raises `ExportError`.
    """
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict):
        value = {"text": value[0], **value[1]}
    if not isinstance(value, dict):
        return None
    for reader in (_label_studio, _prodigy, _gliner):
        if (found := reader(value)) is not None:
            return found
    if isinstance(value.get("tokens"), list) and any(isinstance(token, dict) for token in value["tokens"]):
        # Token objects with offsets; the offsets of the spans are sufficient.
        value = {key: part for key, part in value.items() if key != "tokens"}
    if isinstance(value.get("cats"), dict) and "label" not in value and "labels" not in value:
        return {**value, "label": value["cats"]}
    return value


def is_set_aside(record: Record) -> bool:
    """Whether an annotator rejected or skipped a Prodigy row, so that its content is not valid."""
    return _is_prodigy(record) and record.get("answer") in ("reject", "ignore")


def _is_prodigy(record: Record) -> bool:
    return record.get("answer") in ("accept", "reject", "ignore") and any(
        key in record for key in ("spans", "accept", "_task_hash", "_input_hash")
    )


def _prodigy(record: Record) -> Record | None:
    if not _is_prodigy(record):
        return None
    found = {key: value for key, value in record.items() if key != "tokens"}
    if isinstance(record.get("accept"), list) and "label" not in record:
        found["label"] = record["accept"]
    return found


def _gliner(record: Record) -> Record | None:
    words, spans = record.get("tokenized_text"), record.get("ner")
    if not isinstance(words, list) or not isinstance(spans, list):
        return None
    tags = ["O"] * len(words)
    for span in spans:
        if not (isinstance(span, list) and len(span) == 3 and isinstance(span[2], str)):
            raise ExportError(f"{span!r:.60} is no span of words", 'write first word, last word and type: [0, 1, "x"]')
        first, last, kind = span
        if not (isinstance(first, int) and isinstance(last, int) and 0 <= first <= last < len(words)):
            raise ExportError(
                f"the span {first!r} to {last!r} ({kind}) does not lie in the {len(words)} words",
                "give first and last word, counted from 0",
            )
        if any(tag != "O" for tag in tags[first : last + 1]):
            raise ExportError(f"two spans overlap at the words {first} to {last}", "keep one of the two")
        tags[first : last + 1] = [f"B-{kind}", *[f"I-{kind}"] * (last - first)]
    return {"words": words, "tags": tags}


def _label_studio(record: Record) -> Record | None:
    annotations = record.get("annotations")
    if not isinstance(annotations, list):
        return None
    if not all(isinstance(annotation, dict) and "result" in annotation for annotation in annotations):
        return None
    data = record["data"] if isinstance(record.get("data"), dict) else record
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    text = texts.get("text", next(iter(texts.values())) if len(texts) == 1 else None)
    if text is None:
        raise ExportError(
            f"which of {', '.join(map(repr, texts)) or 'no strings'} is the annotated text is not said",
            "give it the key 'text' under 'data'",
        )
    results = [annotation["result"] for annotation in annotations if not annotation.get("was_cancelled")]
    readings = [_reading(result) for result in results if isinstance(result, list)]
    if not readings:
        return {"text": text}
    if any(reading != readings[0] for reading in readings):
        raise ExportError(f"{len(readings)} annotations that differ", "keep the one that holds under 'annotations'")
    return {"text": text, **readings[0]}


def _reading(result: list[Any]) -> Record:
    values = [
        region["value"] for region in result if isinstance(region, dict) and isinstance(region.get("value"), dict)
    ]
    if choices := [name for value in values for name in value.get("choices", ())]:
        return {"label": choices}
    return {"entities": [value for value in values if "labels" in value]}
