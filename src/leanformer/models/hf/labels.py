"""The label names of a checkpoint's classifier: `id2label` of its `config.json`, validated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from leanformer.errors import CheckpointError


def label_names(config: Mapping[str, Any], source: object, logits: int | None) -> tuple[str, ...]:
    """The label names in the order of the logits: those of `id2label`, or placeholders if it is missing.

    Args:
        source: the folder, for messages.
        logits: number of rows of the classifier's weights; None if unknown.

    Raises `CheckpointError` for an `id2label` that does not name every logit exactly once.
    """
    given = config.get("id2label")
    if not given and not isinstance(given, list):
        count = config.get("num_labels", 2)  # `save_pretrained` omits id2label if it is the default
        if type(count) is not int or count < 1:
            raise CheckpointError(
                f"{source}/config.json: num_labels is {count!r:.60}, and not a number of labels\n"
                f"  remedy: {_example(logits)}"
            )
        names = tuple(f"LABEL_{index}" for index in range(count))
        _check_count(names, source, logits, "num_labels" if "num_labels" in config else "the missing id2label")
        return names
    names = _in_order(given, source, logits)
    _check_count(names, source, logits, "id2label")
    _check_reverse(names, config.get("label2id"), source)
    return names


def _in_order(given: Any, source: object, logits: int | None) -> tuple[str, ...]:
    where = f"{source}/config.json: id2label"
    if not isinstance(given, Mapping):
        remedy = _example(logits)
        if isinstance(given, list) and all(isinstance(name, str) for name in given):
            remedy = f"write it as {json.dumps({str(i): name for i, name in enumerate(given)}, ensure_ascii=False)}"
        raise CheckpointError(
            f"{where} is a {type(given).__name__}, and not an object with a name for each logit\n  remedy: {remedy}"
        )
    for key in given:
        if not (key.isdecimal() and key.isascii() and str(int(key)) == key):
            raise CheckpointError(
                f"{where} has the key {key!r:.60}, which is not the number of a logit\n  remedy: {_example(logits)}"
            )
    numbers = sorted(int(key) for key in given)
    if numbers != list(range(len(numbers))):
        gap = next(index for index, number in enumerate(numbers) if index != number)
        raise CheckpointError(
            f"{where} has {len(numbers)} names up to number {numbers[-1]}, and none for logit {gap}\n"
            "  remedy: give every logit its name, from 0 on without a gap"
        )
    names: list[str] = []
    for number in numbers:
        name = given[str(number)]
        # Numbers are valid names: their meaning is unambiguous.
        if not isinstance(name, str | int) or isinstance(name, bool):
            raise CheckpointError(
                f"{where} names logit {number} {json.dumps(name):.60}, which is not a text\n"
                f'  remedy: write its name in quotes, "{number}": "NAME"'
            )
        name = str(name)
        if not name.strip() or any("\ud800" <= letter <= "\udfff" for letter in name):
            what = "is half of a character" if name.strip() else "is empty"
            raise CheckpointError(
                f'{where}: the name of logit {number} {what}\n  remedy: write a name, "{number}": "NAME"'
            )
        if name in names:
            raise CheckpointError(
                f"{where} gives logits {names.index(name)} and {number} the same name, {name!r}\n"
                "  remedy: give each its own name; if two outputs mean the same, their answers can be joined afterwards"
            )
        names.append(name)
    return tuple(names)


def _check_count(names: tuple[str, ...], source: object, logits: int | None, what: str) -> None:
    if logits is not None and logits != len(names):
        raise CheckpointError(
            f"{source}/config.json: {what} stands for {len(names)} label{'s' * (len(names) != 1)}, and the "
            f"classifier's weights have {logits} logit{'s' * (logits != 1)}\n  remedy: {_example(logits)}"
        )


def _check_reverse(names: tuple[str, ...], reverse: Any, source: object) -> None:
    """Raise `CheckpointError` for a `label2id` that contains some of these names and contradicts `id2label`.

    One with entirely different names is left over from before `id2label` was set: `transformers` ignores it.
    """
    if not isinstance(reverse, Mapping) or not set(reverse) & set(names):
        return
    wanted = {name: index for index, name in enumerate(names)}
    reverse = {key: int(value) if str(value).isdecimal() else value for key, value in reverse.items()}
    if reverse != wanted:
        key = next((key for key in reverse if wanted.get(key) != reverse[key]), None)
        if key is None:
            what = f"has no {next(name for name in names if name not in reverse)!r}"
        else:
            what = f"has {key!r} for {json.dumps(reverse[key])}"
        raise CheckpointError(
            f"{source}/config.json: id2label and label2id disagree: label2id {what}, id2label is "
            f"{dict(enumerate(names))}\n"
            "  remedy: find out which of the two is right, write it into id2label, and leave label2id out"
        )


def _example(logits: int | None) -> str:
    names = ["NAME", "OTHER NAME", "THIRD NAME"][: logits or 2]
    example = json.dumps({str(index): name for index, name in enumerate(names)})
    more = ", and so on" if (logits or 2) > len(names) else ""
    return f"write the names in the order of the logits, id2label: {example}{more}"
