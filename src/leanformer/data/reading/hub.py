"""Reading a data set with the `datasets` library, from the Hugging Face hub or from a local folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

from leanformer.data.reading.input_forms import PAIR_NAMES, form_of_kind, name_candidates
from leanformer.data.reading.locate import ALIASES, canonical_splits, named_twice
from leanformer.data.reading.settling import Opened, opened, settle
from leanformer.data.reading.sheets import Sheet
from leanformer.data.row import Row, Table
from leanformer.errors import DataError, MissingExtraError

_TEXT_COLUMNS = (
    *("sentence", "content", "question", "review", "utterance", "query"),
    *("body", "message", "tweet", "document", "comment"),
)
_UNKNOWN = -1  # what `datasets` stores for a withheld class label


def open_hub(
    name: str,
    config: str | None = None,
    *,
    kind: str | None = None,
    splits: Mapping[str, str] | None = None,
    labels: Sequence[str] | None = None,
) -> Opened:
    """Read data set `name` (or a local folder), configuration `config`.

    `splits` maps our splits to other splits of it, as in {"dev": "validation_matched"}.

    Raises `MissingExtraError` without the `datasets` library and `DataError` for a data set that it cannot load or
    whose text column cannot be identified.
    """
    where = f"hub:{name}" + (f":{config}" if config else "")
    named = canonical_splits(splits, path=where)
    loaded = _load(name, config, where)
    notes: list[str] = []
    chosen = _choose_splits(list(loaded), named, where)
    sheets = {
        split: _read_split(loaded[theirs], kind, f"{where}, split {theirs}", split != "unlabelled")
        for split, theirs in chosen.items()
    }
    settled = settle(tuple(sheets.values()), kind, labels)
    tables = {split: _without_withheld(sheet.table(settled.kind)) for split, sheet in sheets.items()}
    if unread := [theirs for theirs in loaded if theirs not in chosen.values()]:
        notes.append(f"splits that were not read: {', '.join(unread)}")
    test = tables.get("test")
    if test is not None and all(row.label is None for row in test.rows):
        del tables["test"]
        note = f"the labels of the {len(test.rows)} test rows are withheld, so there is no test split"
        if "unlabelled" in tables:
            notes.append(note)
        else:
            tables["unlabelled"] = test
            notes.append(f"{note}; its texts are taken as unlabelled")
    return opened(Path(name).resolve().name if _is_path(name) else name, tables, settled, *notes)


def _is_path(name: str) -> bool:
    return name.startswith((".", "~")) or Path(name).is_absolute()


def _load(name: str, config: str | None, where: str) -> Mapping[str, Any]:
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError("reading a hub data set", "train") from error
    # A path is made absolute so that the library does not take it for the name of a data set on the hub.
    try:
        place = str(Path(name).expanduser().resolve()) if _is_path(name) else name
    except RuntimeError as error:  # "~" without a home folder, or "~name" of an unknown user
        raise DataError("'~' stands for no home folder here", path=where, remedy="write the whole path") from error
    if _is_path(name) and not Path(place).is_dir():
        raise DataError("no such folder", path=where, remedy="check the path, or leave out './' for the hub")
    try:
        loaded = datasets.load_dataset(place, config)
    except Exception as error:  # the library raises errors of many unrelated kinds
        raise DataError(
            f"the datasets library could not load it: {type(error).__name__}: {error}",
            path=where,
            remedy="check name, configuration (hub:name:configuration) and network",
        ) from error
    if not isinstance(loaded, Mapping):
        raise DataError("the data set has no splits", path=where, remedy="export it to JSON Lines and open the folder")
    return loaded


def _choose_splits(theirs: Sequence[str], named: Mapping[str, str], where: str) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for (split, name), (other, same) in combinations(named.items(), 2):
        if name == same:
            raise named_twice(split, other, name, path=where)
    for split, aliases in ALIASES.items():
        # "unsupervised" is the name of unlabelled texts in several data sets.
        names = (*aliases, "unsupervised") if split == "unlabelled" else aliases
        if split in named:
            if named[split] not in theirs:
                raise DataError(
                    f"there is no split {named[split]!r}; its splits are {', '.join(theirs)}",
                    path=where,
                    remedy="name one of these",
                )
            chosen[split] = named[split]
        # A split that is named for one of ours is not found for another by its name.
        elif found := [name for name in names if name in theirs and name not in named.values()]:
            chosen[split] = found[0]
    if not chosen:
        raise DataError(
            f"none of its splits is called train, validation or test; they are {', '.join(theirs)}",
            path=where,
            remedy="say which to take, with --split train=NAME",
        )
    return chosen


def _read_split(split: Any, kind: str | None, where: str, labelled: bool) -> Sheet:
    features: Mapping[str, Any] = split.features
    columns = _text_columns(features, kind, where)
    label = _label_column(features, where)
    # A list of class labels has their names one level down.
    feature = getattr(features[label], "feature", features[label]) if label else None
    names: list[str] | None = getattr(feature, "names", None)
    sheet = Sheet(where, labelled=labelled, is_file=False)
    for number, record in enumerate(split, start=1):
        value = record[label] if label else None
        several = isinstance(value, list)
        if names is not None and value is not None:
            value = [names[i] for i in value] if several else None if value == _UNKNOWN else names[value]
        content = {ours: record[theirs] for ours, theirs in columns.items()}
        if label:
            content["labels" if several else "label"] = value
        else:  # labels may have another form, such as one column each
            content = {**{key: cell for key, cell in record.items() if key not in columns.values()}, **content}
        sheet.records.append((number, content))
    if not sheet.records:
        raise DataError("the split holds no examples", path=where, remedy="name another one with --split")
    return sheet


def _without_withheld(table: Table) -> Table:
    """The table without labels if all are the value for withheld ones."""
    if all(row.label in (None, str(_UNKNOWN), float(_UNKNOWN)) for row in table.rows):
        # In plain files a withheld label is not a class label but the number itself.
        return replace(table, rows=[Row(line=row.line, text=row.text, pair=row.pair) for row in table.rows])
    return table


def _text_columns(features: Mapping[str, Any], kind: str | None, where: str) -> dict[str, str]:
    """Our names of the text columns -> the data set's names."""
    strings = [
        name for name, feature in features.items() if getattr(feature, "dtype", "") in ("string", "large_string")
    ]
    asked = form_of_kind(kind).kind is not None
    if asked or (kind is None and name_candidates(features)):
        raise DataError(
            "questions with candidates are not read from the hub yet", path=where,
            remedy='export the data to JSON Lines, such as {"text": ..., "choices": [...], "label": 0}, and open that '
            "folder" + ("" if asked else "; --kind classification leaves candidates out"),
        )  # fmt: skip
    single = kind is not None and len(form_of_kind(kind).columns) == 1
    pairs = [] if single else [pair for pair in (("text", "text_pair"), *PAIR_NAMES) if set(pair) <= set(strings)]
    if kind is not None and not single:
        if pairs and (len(pairs) == 1 or pairs[0][0] == "text"):
            return dict(zip(("text", "text_pair"), pairs[0], strict=True))
        raise _unclear("the two text columns", features, where, ("text", "text_pair"))
    if pairs and "text" not in strings:
        if len(pairs) > 1:
            raise _unclear("the two text columns", features, where, ("text", "text_pair"))
        return dict(zip(("text", "text_pair"), pairs[0], strict=True))
    if "text" in strings:
        # Rows with a second text are refused one by one, as in files.
        return {"text": "text", **({"text_pair": "text_pair"} if "text_pair" in features else {})}
    for first, second in PAIR_NAMES:
        if first in strings and second in strings:
            raise DataError(
                f"its columns {first!r} and {second!r} look like pairs of texts, but these are to be single texts "
                f"(kind {kind!r})",
                path=where,
                remedy="join the two texts yourself in a JSON Lines file with 'text' and 'label', and open that; or, "
                "for pairs of texts, leave --kind out",
            )
    found = [name for name in _TEXT_COLUMNS if name in strings]
    if len(found) != 1:
        raise _unclear("the text column", features, where, ("text",))
    return {"text": found[0]}


def _label_column(features: Mapping[str, Any], where: str) -> str | None:
    if "label" in features:
        return "label"
    if hasattr(features.get("labels"), "feature"):  # a list
        return "labels"
    classes = [name for name, feature in features.items() if getattr(feature, "names", None) is not None]
    if len(classes) > 1:
        raise _unclear("the label column", features, where, ("label",))
    return classes[0] if classes else None


def _unclear(what: str, features: Mapping[str, Any], where: str, ours: tuple[str, ...]) -> DataError:
    return DataError(
        f"cannot tell {what}; the columns are {', '.join(features)}",
        path=where,
        remedy=f"rename with the datasets library (rename_column) to {' and '.join(map(repr, ours))}, "
        'save with to_json("train.jsonl"), and open that folder',
    )
