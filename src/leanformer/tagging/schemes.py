"""Tags of entities: IOB1, IOB2 and BIOES read as IOB2 and written again, and the entities that tags stand for.

A tag is "O" or a prefix and a type, "B-PER". In IOB2 every entity begins with B; in IOB1 (Ramshaw and Marcus 1995) only
one that follows another of its type does; BIOES and BILOU mark its last word (E, L) and an entity of one word (S, U).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

OUTSIDE, IOB1 = "O", "IOB1"
# Prefixes of words that an entity begins with, and ends with.
BEGINS, ENDS = frozenset("BSU"), frozenset("ESLU")
_PREFIXES = frozenset("BIESLU")


@dataclass(frozen=True)
class Entity:
    """An entity over the words `start` to `end` (exclusive) of a sentence."""

    type: str
    start: int
    end: int


def split_tag(tag: str) -> tuple[str, str]:
    """Prefix and type of a tag; of "O" the type is empty. Raises `ValueError` for what is no tag."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, separator, kind = tag.partition("-")
    if not separator or prefix not in _PREFIXES or not kind.strip():
        raise ValueError(f"{tag!r} is no tag; one is O, or B-, I-, E-, S-, L- or U- and a type, such as B-PER")
    return prefix, kind


def is_tag(text: str) -> bool:
    try:
        split_tag(text)
    except ValueError:
        return False
    return True


def to_iob2(tags: Sequence[str]) -> tuple[str, ...]:
    """The tags of one sentence in IOB2, whichever of the schemes they are in.

    What goes on from no entity of its type begins one, as in the evaluation of CoNLL-2000, so that IOB1 needs no being
    told apart, and an I after O is the beginning that it must have been meant to be. Raises `ValueError` (`split_tag`).
    """
    result: list[str] = []
    going_on = ""  # type of an entity that the next word may continue
    for tag in tags:
        prefix, kind = split_tag(tag)
        if prefix == OUTSIDE:
            result.append(OUTSIDE)
            going_on = ""
            continue
        result.append(f"{'B' if prefix in BEGINS or kind != going_on else 'I'}-{kind}")
        going_on = "" if prefix in ENDS else kind
    return tuple(result)


def spelled(tags: Sequence[str], labels: Sequence[str], scheme: str | None = None) -> tuple[str, ...]:
    """The tags of one sentence, whichever scheme they are in, as a model with these labels was trained to say them.

    With E and S (or L and U) among the labels that is BIOES (BILOU), with `scheme` "IOB1" that, else IOB2; a type that
    has no B begins with I. Raises `ValueError` where no label says what a tag does.
    """
    known, result = frozenset(labels), [OUTSIDE] * len(tags)
    before = Entity("", 0, 0)
    for entity in entities(tags):
        touches = entity.start == before.end > 0 and entity.type == before.type
        first = "IB" if scheme == IOB1 and not touches else "BI"
        orders = ["I"] * (entity.end - entity.start)
        orders[0] = first
        if len(orders) == 1:
            orders[0] = "SU" + first
        else:
            orders[-1] = "ELI"
        for place, order in enumerate(orders, start=entity.start):
            prefix = next((letter for letter in order if f"{letter}-{entity.type}" in known), None)
            if prefix is None:
                raise ValueError(f"none of the labels {', '.join(labels)} begins an entity of type {entity.type}")
            result[place] = f"{prefix}-{entity.type}"
        before = entity
    return tuple(result)


def tag_names(types: Iterable[str]) -> tuple[str, ...]:
    """The tags of these types in the order of a model's logits: O, then B and I of each type, types sorted.

    Both for each type, also where the data have one of them alone, so that every entity can be tagged.
    """
    return (OUTSIDE, *(f"{prefix}-{kind}" for kind in sorted(set(types)) for prefix in "BI"))


def types_of(tags: Iterable[str]) -> tuple[str, ...]:
    """The types that occur in tags, sorted."""
    return tuple(sorted({split_tag(tag)[1] for tag in tags} - {""}))


def entities(tags: Sequence[str]) -> list[Entity]:
    """The entities of one sentence, in order; see `to_iob2` for what begins one."""
    found: list[Entity] = []
    for place, tag in enumerate(to_iob2(tags)):
        if tag.startswith("B-"):
            found.append(Entity(tag[2:], place, place + 1))
        elif tag.startswith("I-"):
            found[-1] = Entity(found[-1].type, found[-1].start, place + 1)
    return found
