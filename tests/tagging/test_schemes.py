"""Tags in every scheme read as the same entities."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.tagging.schemes import Entity, entities, spelled, split_tag, tag_names, to_iob2, types_of


def drawn_entities(generator: np.random.Generator, words: int) -> list[Entity]:
    found, place = [], 0
    while place < words:
        length = int(generator.integers(1, 4))
        if generator.random() < 0.6:
            found.append(Entity(str(generator.choice(["A", "B-C"])), place, min(words, place + length)))
        place += length
    return found


def written(found: list[Entity], words: int, scheme: str) -> list[str]:
    """Tags of entities, straight from each scheme's definition."""
    tags = ["O"] * words
    for i, entity in enumerate(found):
        for place in range(entity.start, entity.end):
            first, last = place == entity.start, place == entity.end - 1
            touches = i > 0 and found[i - 1].end == entity.start and found[i - 1].type == entity.type
            prefix = {
                "iob1": "B" if first and touches else "I",
                "iob2": "B" if first else "I",
                "bioes": "S" if first and last else "B" if first else "E" if last else "I",
                "bilou": "U" if first and last else "B" if first else "L" if last else "I",
            }[scheme]
            tags[place] = f"{prefix}-{entity.type}"
    return tags


@pytest.mark.parametrize("scheme", ["iob1", "iob2", "bioes", "bilou"])
def test_every_scheme_gives_the_entities_that_were_written(scheme: str) -> None:
    generator = np.random.default_rng(7)
    for _ in range(300):
        words = int(generator.integers(0, 12))
        found = drawn_entities(generator, words)
        tags = written(found, words, scheme)
        assert entities(tags) == found, tags
        assert list(to_iob2(tags)) == written(found, words, "iob2")


@pytest.mark.parametrize("scheme", ["iob1", "iob2", "bioes", "bilou"])
def test_tags_are_spelled_as_a_model_of_each_scheme_says_them(scheme: str) -> None:
    generator = np.random.default_rng(8)
    prefixes = {"bioes": "BIES", "bilou": "BILU"}.get(scheme, "BI")
    labels = ("O", *(f"{prefix}-{kind}" for kind in ("A", "B-C") for prefix in prefixes))
    for _ in range(300):
        words = int(generator.integers(0, 12))
        found = drawn_entities(generator, words)
        for other in ("iob1", "iob2", "bioes", "bilou"):
            said = spelled(written(found, words, other), labels, "IOB1" if scheme == "iob1" else None)
            assert list(said) == written(found, words, scheme)


def test_a_type_without_a_begin_is_spelled_with_its_inside() -> None:
    assert spelled(["B-A", "I-A", "O", "B-A"], ("O", "I-A")) == ("I-A", "I-A", "O", "I-A")
    with pytest.raises(ValueError, match="none of the labels O, I-A begins an entity of type X"):
        spelled(["B-X"], ("O", "I-A"))


def test_an_inside_that_goes_on_from_nothing_begins_an_entity() -> None:
    assert to_iob2(["I-A", "I-A", "O", "I-A", "I-B"]) == ("B-A", "I-A", "O", "B-A", "B-B")
    assert to_iob2(["E-A", "I-A", "S-A", "I-A"]) == ("B-A", "B-A", "B-A", "B-A")


@pytest.mark.parametrize("tag", ["", "o", "B", "B-", "B- ", "PER", "X-PER", "b-PER", "_", "0"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="is no tag"):
        split_tag(tag)


def test_each_type_has_both_tags_and_o_comes_first() -> None:
    assert tag_names(["PER", "LOC", "PER"]) == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert types_of(["O", "I-B-C", "B-A"]) == ("A", "B-C")
