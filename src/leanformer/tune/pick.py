"""Picks a member of a family by bounds on time, size and quality; times are taken on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leanformer import schema
from leanformer.artifact import Artifact, open_artifact
from leanformer.errors import LeanformerError
from leanformer.files import sha256_json
from leanformer.inputs.input import changed, parts_of
from leanformer.inputs.kinds import input_of, rows_of
from leanformer.kept import keep, kept
from leanformer.loading import open_predictor
from leanformer.measure.speed import SpeedSettings, measure_speed
from leanformer.outputs.folders import copy_artifact, new_output
from leanformer.runtime.predictor import TOKENIZER
from leanformer.runtime.settings import FOLDER, machine
from leanformer.task import Text
from leanformer.tune.family import Family, FamilyMember

SPEED = SpeedSettings(rounds=3, latency_texts=150, seconds=0.3, patience=0.0)
TEXTS, VERSION = 128, 1
_MOST_TOKENS = 1 << 15  # of a text that is timed, whatever a file of a family says


@dataclass(frozen=True)
class Bounds:
    """What a member must keep; None: no bound.

    Attributes:
        latency_ms: most milliseconds of one text. bytes: most bytes of the artifact.
        throughput: least texts per second. max_drop: most points of dev quality lost against the teacher.
    """

    latency_ms: float | None = None
    bytes: float | None = None
    throughput: float | None = None
    max_drop: float | None = None

    def excess(self, timed: TimedMember) -> float:
        """How many times the worst bound is exceeded, less 1; 0 or below if all are kept. A drop counts in points."""
        member, parts = timed.member, []
        if self.latency_ms is not None:
            parts.append(timed.latency_ms / self.latency_ms - 1)
        if self.bytes is not None:
            parts.append(member.bytes / self.bytes - 1)
        if self.throughput is not None:
            parts.append(self.throughput / timed.throughput_per_second - 1)
        if self.max_drop is not None:
            parts.append(member.drop - self.max_drop - 1e-9)  # the rounding of 100 * (a - b)
        return max(parts, default=0.0)

    @property
    def words(self) -> str:
        """The bounds in words."""
        parts = [
            "" if self.latency_ms is None else f"at most {self.latency_ms:g} ms a text",
            "" if self.bytes is None else f"at most {self.bytes:,.0f} bytes",
            "" if self.throughput is None else f"at least {self.throughput:g} texts per second",
            "" if self.max_drop is None else f"at most {self.max_drop:g} points lost on dev",
        ]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class TimedMember:
    """A member and its times on this machine: median milliseconds of one text, and texts per second, all at once."""

    member: FamilyMember
    latency_ms: float
    throughput_per_second: float


@dataclass(frozen=True)
class Pick:
    """The member that was picked, all members as they were timed, and why."""

    chosen: TimedMember
    members: tuple[TimedMember, ...]
    reason: str


def pick(family: Family, bounds: Bounds, *, cores: int, say: Callable[[str], None] = lambda line: None) -> Pick:
    """The best member within the bounds.

    The best is the one with the highest quality on dev, of equal ones the fastest. If quality is the only bound, it is
    the fastest.

    Raises `LeanformerError` without a bound, for a bound that is not a number above 0 (for the drop, any number), and
    if no member keeps them; the message then names the nearest.
    """
    _check(bounds)
    members = timed_members(family, cores=cores, say=say)
    return choose(members, bounds)


def choose(members: Sequence[TimedMember], bounds: Bounds) -> Pick:
    """`pick`, of members that have been timed."""
    within = [timed for timed in members if bounds.excess(timed) <= 0]
    if not within:
        nearest = min(members, key=bounds.excess)
        raise LeanformerError(
            f"no member keeps {bounds.words}; the nearest, {nearest.member.name!r}, takes {nearest.latency_ms:.3f} ms "
            f"({nearest.throughput_per_second:,.0f} texts per second), has {nearest.member.bytes:,} bytes and loses "
            f"{nearest.member.drop:.2f} points\n  remedy: a looser bound; or compress again with smaller members"
        )
    if bounds.latency_ms is None and bounds.bytes is None and bounds.throughput is None:
        chosen, best = min(within, key=lambda timed: timed.latency_ms), "the fastest"
    else:
        chosen = max(within, key=lambda timed: (timed.member.quality, -timed.latency_ms))
        best = "the best on dev"
    count = f"{len(within)} of {len(members)} members"
    keeps = "keeps" if len(within) == 1 else "keep"
    return Pick(chosen, tuple(members), f"{best} of those with {bounds.words}; {count} {keeps} that")


def timed_members(
    family: Family, *, cores: int, say: Callable[[str], None] = lambda line: None
) -> tuple[TimedMember, ...]:
    """All members, timed on this machine now, or found in the family's folder.

    The texts are words of the vocabulary at random, as long as the texts of dev were.
    """
    opened = [family.open(member) for member in family.members]
    about = {"version": VERSION, "machine": machine(cores), "content": [a.content_hash for a in opened]}
    path = family.path / FOLDER / f"family-{sha256_json([about, list(family.tokens)])[:16]}.json"
    found = kept(path, say, again="timed again")
    if found is None or not _are_times(found.get("times"), len(opened)):
        say(f"timing {len(opened)} members on this machine")
        predictors = [open_predictor(artifact, threads=cores) for artifact in opened]
        texts, others = (typical_texts(opened[0], family.tokens, TEXTS, seed) for seed in (1, 2))
        speeds = measure_speed(predictors, texts, SPEED, others=others, say=say)
        rows = [[speed.latency_ms_p50, speed.throughput_per_second] for speed in speeds]
        found = {"format_version": VERSION, **about, "times": rows}
        if os.access(family.path, os.W_OK):
            keep(path, found)
        else:
            say(f"note: {family.path} cannot be written to, so the times are not kept")
    return tuple(TimedMember(m, *times) for m, times in zip(family.members, found["times"], strict=True))


def deliver(family: Family, member: FamilyMember, output: Path, say: Callable[[str], None]) -> Artifact:
    """Copy a member into the new folder `output`."""
    with new_output(output, say) as temporary:
        copy_artifact(family.open(member), temporary)
    return open_artifact(output)


def typical_texts(artifact: Artifact, tokens: Sequence[int], count: int, seed: int) -> list[Text]:
    """Inputs of the artifact's kind, whose rows have about these lengths: words of its vocabulary, drawn at random."""
    words = whole_words(artifact.file(TOKENIZER))
    random = np.random.default_rng(seed)
    samples = input_of(artifact.task).samples
    texts: list[Text] = []
    for number in range(count):
        sample = samples[number % len(samples)]
        # Two or three of the tokens are special.
        (row, *_), _ = rows_of(artifact.task, [sample])
        length = max(1, round((min(tokens[number % len(tokens)], _MOST_TOKENS) - 2) / len(parts_of(row))))
        texts.append(changed(sample, lambda _, length=length: " ".join(random.choice(words, length))))  # type: ignore[misc]
    return texts


def whole_words(tokenizer: Path) -> list[str]:
    """Entries of a vocabulary that are words of letters; "a" if there is none."""
    from tokenizers import Tokenizer

    pieces = Tokenizer.from_file(str(tokenizer)).get_vocab()
    # Families mark pieces that begin a word (sentencepiece, bytes), or those that do not ("##").
    bare = {piece.removeprefix("▁").removeprefix("Ġ") for piece in pieces}
    return sorted(word for word in bare if word.isascii() and word.isalpha() and len(word) > 1) or ["a"]


def _are_times(value: Any, count: int) -> bool:
    """Whether these are two times of each member: the family, and what is kept in it, may come from anywhere."""
    try:
        schema.listed(schema.listed(schema.number(1e-9), 2, 2), count, count)(value, "times")
    except ValueError:
        return False
    return True


def _check(bounds: Bounds) -> None:
    given = {
        "--latency-ms": bounds.latency_ms, "--bytes": bounds.bytes, "--throughput": bounds.throughput,
        "--max-drop": bounds.max_drop,
    }  # fmt: skip
    if all(value is None for value in given.values()):
        raise LeanformerError(f"nothing to pick by\n  remedy: one or more of {', '.join(given)}")
    for name, value in given.items():
        # A drop may be negative: a member may be better than the teacher on dev.
        if value is not None and not (np.isfinite(value) and (value > 0 or name == "--max-drop")):
            kind = "a number" if name == "--max-drop" else "a number above 0"
            raise LeanformerError(f"{name} {value:g}: not a bound that could be kept\n  remedy: {kind}")
