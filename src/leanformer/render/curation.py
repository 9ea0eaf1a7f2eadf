"""The findings of `leanformer curate` as a page of Markdown, and as lines for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leanformer.data.card import NO_LABEL
from leanformer.data.leaks import NEARLY
from leanformer.render.data_map import map_table
from leanformer.render.quoted import cell, code, plain

if TYPE_CHECKING:
    from leanformer.curate.curation import Removal
    from leanformer.curate.findings import Cluster, Findings, Leak, Place, Suspect

MOST_EXAMPLES = 10
FEWEST_EXAMPLES = 3
# Lines of a page; with many kinds of findings, the fewest examples of each may take a few more.
_LINES = 60
_LONGEST = 80
_SHOWN = 4
_Section = tuple[str, list[str]]


def found_lines(findings: Findings) -> list[str]:
    """A line for each finding, or one that there is none."""
    lines = []
    for kind, name in (("exact", "repeats"), ("near", "near repeats")):
        clusters = findings.clusters_of(kind)
        if clusters:
            rows = sum(len(cluster.places) for cluster in clusters)
            lines.append(f"{name} in train: {rows:,} rows in {_count(len(clusters), 'cluster')}")
    if conflicting := findings.conflicting:
        lines.append(f"of these, {_count(len(conflicting), 'cluster')} with different labels")
    for split in ("test", "dev"):
        if leaks := findings.leaks_of(split):
            lines.append(f"{split} texts that are in {_compared(findings)}: {_exactly(leaks)}")
    if findings.between:
        lines.append(f"dev texts that are in test: {_exactly(findings.between)}")
    if not lines:
        lines = ["no repeats, no near repeats and no leaks were found"]
    if (labels := findings.labels) is not None:
        of_rows = f" in {_count(labels.rows, 'row')}" if labels.rows != len(labels.suspects) else ""
        lines.append(
            f"labels of train that are probably wrong: {len(labels.suspects):,} of {labels.checked:,}{of_rows} "
            f"(by a linear model on {labels.features})"
        )
    if (mapped := findings.map) is not None:
        quantiles = mapped.to_json()["quantiles"]
        lines.append(
            f"data map ({mapped.encoder}, {mapped.epochs} epochs): confidence in the label is "
            f"{quantiles['confidence']['5 %']:.2f} or less for 5 % of train, {quantiles['confidence']['median']:.2f} "
            "for half of it"
        )
    if findings.groups:
        lines.append(f"groups of {findings.column} in more than one split: {len(findings.groups):,}")
    elif findings.groups is not None:
        lines.append(f"no group of {findings.column} is in more than one split")
    return lines


def removed_line(findings: Findings, applied: Removal) -> str:
    """What was removed, in a line."""
    relabelled = f", {_count(applied.relabelled, 'row')} relabelled" if applied.relabelled else ""
    return f"{_count(applied.removed, 'row')} of {_compared(findings)} removed{relabelled}; the other splits are copied"


def curation_markdown(findings: Findings, applied: Removal | None = None) -> str:
    """The page: what was found, what to do, the card, and the worst examples of each finding."""
    card = findings.card
    lines = [f"# Data set {plain(card.name)}", "", "## What was found", ""]
    lines += [f"- {line}" for line in found_lines(findings)]
    lines += ["", f"Near: {NEARLY}. Texts are compared without case and extra white space.", "", "## What to do", ""]
    lines += [f"- {line}" for line in to_do(findings, applied)]
    lines += ["", "## Card", "", _about(findings), "", *_table(findings)]
    if findings.map is not None:
        lines += ["", "## Data map", "", "![data map](map.svg)", "", *map_table(findings.map)]
    sections = _sections(findings)
    left = (_LINES - len(lines)) // max(1, len(sections)) - 2
    most = max(FEWEST_EXAMPLES, min(MOST_EXAMPLES, left))
    for title, examples in sections:
        shown = f" (the first {most} of {len(examples):,})" if len(examples) > most else ""
        lines += ["", f"## {title}{shown}", *(f"- {example}" for example in examples[:most])]
    return "\n".join(lines) + "\n"


def to_do(findings: Findings, applied: Removal | None = None) -> list[str]:
    """What the findings call for."""
    lines = []
    if applied is not None and not applied.removed:
        same = (
            "the same data" if not applied.relabelled else f"the same rows, {applied.relabelled:,} with another label"
        )
        lines.append(f"No row was removed: this folder holds {same}.")
    elif applied is not None:
        dropped = f", {applied.dropped:,} by decision" if applied.dropped else ""
        relabelled = f" With another label, by decision: {applied.relabelled:,}." if applied.relabelled else ""
        lines.append(
            f"Train with this folder. Rows of {_compared(findings)} that were removed: {applied.removed:,} "
            f"({applied.leaked:,} leaked, {applied.duplicates:,} duplicates, {applied.conflicting:,} with conflicting "
            f"labels{dropped}).{relabelled} dev and test are the same as before."
        )
    elif findings.leaks or findings.clusters:
        lines.append("Read the examples, then run the command with `--apply` to write the data without them.")
    if applied is not None and applied.needed:
        kept = ", ".join(str(place.line) for place in applied.needed[:_SHOWN])
        lines.append(f"Kept although they leak or repeat, as the only rows of their label: train lines {kept}.")
    if findings.conflicting and applied is None:
        lines.append(
            "Correct the labels that differ, in the file; or let `--conflicting first`, `none` or `keep` decide."
        )
    if findings.labels is not None and findings.labels.suspects:
        lines.append(
            "Open `suspects.html` and decide about the labels that are probably wrong, then run the command with "
            "`--decisions decisions.jsonl --apply`. None was changed."
        )
    if findings.labels is not None and findings.labels.rare:
        rare = ", ".join(plain(name) for name in findings.labels.rare[:MOST_EXAMPLES])
        more = (
            f" and {len(findings.labels.rare) - MOST_EXAMPLES} more"
            if len(findings.labels.rare) > MOST_EXAMPLES
            else ""
        )
        lines.append(f"Check the rows of rare labels yourself, a model could not learn them: {rare}{more}.")
    if findings.leaks and applied is None:
        lines.append("Until then, trust the figures on clean test only, which every report gives.")
    if findings.between:
        lines.append(
            "A model chosen on dev is partly chosen on test: divide these two again. `curate` changes neither."
        )
    if findings.groups:
        lines.append(f"Divide the splits by {findings.column}, so that each group is in one of them.")
    short = sum(split.short for split in findings.card.splits.values())
    if short:
        lines.append(f"Check the {_count(short, 'row')} with an empty text or one of a single word.")
    return lines or ["Nothing."]


def _about(findings: Findings) -> str:
    card = findings.card
    labels = f", {len(card.labels)} labels" if card.labels else ""
    source, licence = (plain(text) or "not given" for text in (card.source, card.licence))
    return f"{card.kind}{labels}. Source: {source}. Licence: {licence}."


def _table(findings: Findings) -> list[str]:
    lines = [
        "| split | rows | most and least frequent label | characters (median, 95 %) | words | repeats | leaks (near) "
        "| empty or one word | languages |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, split in findings.card.splits.items():
        order = sorted(split.labels.items(), key=lambda label: -label[1])
        ends = [order[0], order[-1]] if len(order) > 1 else order
        lengths = [f"{sizes['median']:.0f}, {sizes['95 %']:.0f}" for sizes in (split.characters, split.words) if sizes]
        labels = ", ".join(f"{cell(label)} {count:,}" for label, count in ends) or "-"
        leaks = f"{split.leaks['exact']:,} ({split.leaks['near']:,})" if split.leaks else "-"
        row = (name, f"{split.rows:,}", labels, *lengths, f"{split.repeats:,}", leaks, f"{split.short:,}",
               str(len(split.languages) or "-"))  # fmt: skip
        lines.append(f"| {' | '.join(row)} |")
    return lines


def _sections(findings: Findings) -> list[_Section]:
    """Titles and examples of the findings that there are, the worst example first."""
    largest = sorted(findings.clusters, key=lambda cluster: -len(cluster.places))
    sections: list[_Section] = [
        ("Different labels", [_cluster(cluster) for cluster in largest if cluster.conflicting]),
        (f"Test texts in {_compared(findings)}", [_leak(leak) for leak in findings.leaks_of("test")]),
        (f"Dev texts in {_compared(findings)}", [_leak(leak) for leak in findings.leaks_of("dev")]),
        ("Dev texts in test", [_leak(leak) for leak in findings.between]),
        (f"Groups of {findings.column} in several splits", [
            f"{code(group.value[:_LONGEST])}: {', '.join(f'{split} {rows:,}' for split, rows in group.rows.items())}"
            for group in findings.groups or ()
        ]),
        ("Labels that are probably wrong", [_suspect(suspect) for suspect in findings.labels.suspects]
         if findings.labels else []),
        ("Hardest to learn: read their labels first", [_shown(place) for place in findings.hardest]),
        ("Most ambiguous: the probability of their label varies most between epochs",
         [_shown(place) for place in findings.ambiguous]),
        ("Repeats in train", [_cluster(cluster) for cluster in largest if cluster.kind == "exact"]),
        ("Near repeats in train", [_cluster(cluster) for cluster in largest if cluster.kind == "near"]),
    ]  # fmt: skip
    return [(title, examples) for title, examples in sections if examples]


def _compared(findings: Findings) -> str:
    return "train or unlabelled" if "unlabelled" in findings.card.splits else "train"


def _cluster(cluster: Cluster) -> str:
    places = cluster.places
    more = f" and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
    if cluster.kind == "exact":
        rows = ", ".join(f"{place.line}{_label(place)}" for place in places[:_SHOWN])
        return f"{code(_cut(places[0].text))}: lines {rows}{more}"
    other = next((place for place in places if cluster.conflicting and place.label != places[0].label), places[1])
    more = f" and {len(places) - 2:,} more" if len(places) > 2 else ""
    return f"{_shown(places[0])}; {_shown(other)}{more}"


def _leak(leak: Leak) -> str:
    other = f"{leak.other.split} line {leak.other.line}{_label(leak.other)}"
    same = "" if leak.kind == "exact" else f": {code(_cut(leak.other.text))}"
    return f"{_shown(leak.place)} is in {other}{same}" if not same else f"{_shown(leak.place)} is nearly {other}{same}"


def _suspect(suspect: Suspect) -> str:
    word = "" if suspect.word is None else f", word {suspect.word + 1}"
    given, suggested = (plain(_in_words(label)[:_LONGEST]) for label in (suspect.given, suspect.suggested))
    text = code(_cut(suspect.place.text))
    return f"line {suspect.place.line}{word} ({given}), perhaps {suggested}: {text} ({suspect.self_confidence:.2f})"


def _in_words(label: str | tuple[str, ...]) -> str:
    return label if isinstance(label, str) else ", ".join(label) or NO_LABEL


def _shown(place: Place) -> str:
    return f"line {place.line}{_label(place)}: {code(_cut(place.text))}"


def _label(place: Place) -> str:
    return "" if place.label is None else f" ({plain(place.label[:_LONGEST])})"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _exactly(leaks: Sequence[Leak]) -> str:
    exact = sum(leak.kind == "exact" for leak in leaks)
    other = sum(leak.other.label not in (None, leak.place.label) for leak in leaks)
    differ = f", {other:,} of them with another label there" if other else ""
    return f"{exact:,} exactly, {len(leaks) - exact:,} nearly{differ}"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
