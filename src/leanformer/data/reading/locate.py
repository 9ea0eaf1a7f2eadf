"""From a folder or a file to the tables of its splits."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path, PurePath

from leanformer.data.label_forms import of_words
from leanformer.data.reading.labelling import where_labels_may_be
from leanformer.data.reading.lines import labels_in_lines
from leanformer.data.reading.readers import EXTENSIONS, missing_path, read_sheet
from leanformer.data.reading.settling import Opened, opened, settle
from leanformer.data.row import Row, Table
from leanformer.errors import DataError

# Other common names of splits.
ALIASES = {
    "train": ("train",),
    "dev": ("dev", "valid", "validation"),
    "test": ("test",),
    "unlabelled": ("unlabelled", "unlabeled"),
}


def read_source(
    source: str,
    *,
    kind: str | None,
    splits: Mapping[str, str] | None = None,
    single: str = "train",
    labels: Sequence[str] | None = None,
) -> Opened:
    """Read a folder of split files, or one file (see `open_dataset` for `single`). Raises `DataError`."""
    path = Path(source)
    if path.is_dir() and of_words(kind) and (languages := _languages(path)):
        return _of_languages(path, languages, splits)
    if path.is_dir():
        files = find_splits(path, splits, kind)
        sheets = {split: read_sheet(file, kind, tagged=split != "unlabelled") for split, file in files.items()}
        settled = settle(tuple(sheets.values()), kind, labels)
        tables = {split: sheet.table(settled.kind) for split, sheet in sheets.items()}
        return opened(path.resolve().name, tables, settled)
    if not path.exists():
        raise missing_path(path)
    if splits:
        raise DataError("splits can be named only in a folder", path=path, remedy="give the folder that it lies in")
    sheet = read_sheet(path, kind, tagged=single != "train" or path.stem not in ALIASES["unlabelled"])
    settled = settle([sheet], kind, labels)
    table = sheet.table(settled.kind)
    labelled = sum(row.label is not None for row in table.rows)
    if labelled:
        # A few rows without a label are refused later, as in any labelled split.
        named = next((split for split, stems in ALIASES.items() if path.stem in stems), "train")
        return opened(path.stem, {named if single == "train" else single: table}, settled)
    found = where_labels_may_be(table) or (labels_in_lines(path) if path.suffix.lower() == ".txt" else "")
    if single != "train":
        raise table.error(
            f"no row has a label, so it cannot be the {single} split", remedy=found or "give every row a label"
        )
    note = f"{path.name} has no labels, so its {len(table.rows)} rows are taken as unlabelled"
    if (near := table.rows[0].near_label) and not table.hint:
        found = f"if {near!r} holds the label, rename it to 'label'"
    return opened(path.stem, {"unlabelled": table}, settled, f"{note}; {found}" if found else note)


def _languages(folder: Path) -> list[Path]:
    """The sub-folders that contain splits, if the folder itself contains none; each is a language."""
    stems = [stem for stems in ALIASES.values() for stem in stems]
    if any(_files_of(folder, stem) for stem in stems):
        return []
    below = sorted(path for path in folder.iterdir() if path.is_dir())
    return [path for path in below if any(_files_of(path, stem) for stem in stems)]


def _of_languages(folder: Path, languages: Sequence[Path], splits: Mapping[str, str] | None) -> Opened:
    """The splits of all languages, concatenated; a language may lack some of them."""
    sheets = [
        (language.name, split, read_sheet(file, "tokens", tagged=split != "unlabelled"))
        for language in languages
        for split, file in find_splits(language, splits, "tokens").items()
    ]
    settled = settle([sheet for _, _, sheet in sheets], "tokens")
    found: dict[str, list[Row]] = {}
    notes: dict[str, list[str]] = {}
    for language, split, sheet in sheets:
        rows = sheet.table("tokens").rows
        found.setdefault(split, []).extend(
            replace(row, language=row.language or language, file=sheet.where) for row in rows
        )
        notes.setdefault(split, []).extend(sheet.notes)
    tables = {
        split: Table(where=str(folder), rows=found[split], notes=tuple(notes[split]))
        for split in ALIASES
        if split in found
    }
    return opened(folder.resolve().name, tables, settled)


def find_splits(folder: Path, splits: Mapping[str, str] | None = None, kind: str | None = None) -> dict[str, Path]:
    """The file of every split that `folder` has.

    `splits` names another file (stem or file name) for a split; a file named for one split is not found for another by
    its name. Raises `DataError` for two files of one split, for one file named for two, for a named file that does not
    exist, for a name that leads outside the folder, and for a folder without any split.
    """
    named = canonical_splits(splits, path=folder)
    found = {split: _named_file(folder, split, value) for split, value in named.items()}
    for (split, file), (other, same) in combinations(found.items(), 2):
        if file.samefile(same):
            raise named_twice(split, other, file.name, path=folder)
    taken = tuple(found.values())
    for split, stems in ALIASES.items():
        if split in named:
            continue
        candidates = [
            file
            for stem in stems
            for file in _files_of(folder, stem)
            if not any(file.samefile(split_file) for split_file in taken)
        ]
        if len(candidates) > 1:
            raise _two_files(folder, split, candidates)
        if candidates:
            found[split] = candidates[0]
    for split, file in found.items():
        if file.suffix.lower() == ".txt" and split != "unlabelled" and not of_words(kind):
            raise DataError(
                f"a .txt file has no labels, so it cannot be the {split} split",
                path=file,
                remedy=labels_in_lines(file)
                or "rename it to unlabelled.txt, or write .jsonl, .csv or .tsv with text and label",
            )
    if not found and not of_words(kind) and _languages(folder):
        raise DataError(
            "no train, dev, test or unlabelled file here, but sub-folders that have them", path=folder,
            remedy="name one of them; or, if they are languages whose words are tagged, say --task tokens",
        )  # fmt: skip
    if not found:
        raise DataError(
            f"no train, dev, test or unlabelled file here; the files here are {_list_files(folder)}",
            path=folder,
            remedy=f"name a file train{', train'.join(EXTENSIONS[:3])}, or say which it is with --split train=FILE",
        )
    return found


def canonical_splits(splits: Mapping[str, str] | None, *, path: object) -> dict[str, str]:
    """`splits` with other names of a split ("validation") replaced by ours. Raises `DataError` for an unknown one."""
    canonical = {alias: split for split, aliases in ALIASES.items() for alias in aliases}
    named: dict[str, str] = {}
    for split, value in (splits or {}).items():
        if split not in canonical:
            raise DataError(f"there is no split {split!r}", path=path, remedy=f"use one of {', '.join(ALIASES)}")
        if canonical[split] in named:
            raise DataError(f"the {canonical[split]} split is named twice", path=path, remedy="name it once")
        named[canonical[split]] = value
    return named


def named_twice(split: str, other: str, name: str, *, path: object) -> DataError:
    """The error for one file, or one split of a hub data set, that is named for two splits."""
    return DataError(
        f"{name!r} is named for both {split} and {other}; the same rows cannot be two splits",
        path=path,
        remedy="name another one for one of them, or leave one out",
    )


def _named_file(folder: Path, split: str, value: str) -> Path:
    pure = PurePath(value)
    # A recipe may come from anywhere; it must not make us read outside the data folder.
    if not value or pure.is_absolute() or pure.drive or ".." in pure.parts:
        raise DataError(
            f"the {split} file {value!r} lies outside the folder",
            path=folder,
            remedy="give the name of a file in the folder",
        )
    if (folder / pure).is_file():
        return folder / pure
    candidates = _files_of(folder / pure.parent, pure.name)
    if len(candidates) > 1:
        raise _two_files(folder, split, candidates)
    if not candidates:
        near = difflib.get_close_matches(value, [name.stem for name in _files(folder)], n=1)
        raise DataError(
            f"there is no file {value!r} for the {split} split; the files here are {_list_files(folder)}",
            path=folder,
            remedy=f"did you mean {near[0]!r}?" if near else "name one of these files",
        )
    return candidates[0]


def _files_of(folder: Path, stem: str) -> list[Path]:
    return [file for file in _files(folder) if file.stem == stem and file.suffix.lower() in EXTENSIONS]


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file()) if folder.is_dir() else []


def _list_files(folder: Path) -> str:
    names = [file.name for file in _files(folder)]
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return (", ".join(names[:20]) + more) if names else "none"


def _two_files(folder: Path, split: str, candidates: list[Path]) -> DataError:
    return DataError(
        f"more than one file for the {split} split: {' and '.join(file.name for file in candidates)}",
        path=folder,
        remedy=f"name one with --split {split}={candidates[0].name}, or move the others elsewhere",
    )
