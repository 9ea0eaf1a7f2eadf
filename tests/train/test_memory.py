"""The choice of a way to train within an amount of memory, on numbers whose right answer is known."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest

from leanformer.errors import LeanformerError
from leanformer.train.memory import Need, Passes, estimated, fastest, read_bytes, ways

MB = 10**6


@dataclass(frozen=True)
class Line:
    """Bytes that are proportional to tokens, and some that are not."""

    fixed: int
    each: int

    def peak(self, rows: int, tokens: int) -> int:
        return self.fixed + self.each * rows * tokens


# 100 MB of weights; a step has 4,096 tokens at most, of 100 KB each: 410 MB, or 102 MB with checkpointing.
NEED = Need(
    process=400 * MB, weights=100 * MB, gradients=100 * MB, best=100 * MB, states={False: 200 * MB, True: 50 * MB},
    passes={
        False: Passes(Line(100 * MB, 100_000), Line(10 * MB, 100_000), Line(0, 5_000)),
        True: Passes(Line(100 * MB, 25_000), Line(10 * MB, 25_000), Line(0, 5_000)),
    },
    rows=64, longest=64, mean=16, trained=25 * MB, layers=20 * MB,
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2 * 10**9), ("1500 MB", 15 * 10**8), (" 1.5GiB", 3 << 29), ("64kb", 64_000), ("1TB", 10**12)],
)
def test_amounts(text: str, size: int) -> None:
    assert read_bytes(text) == size


@pytest.mark.parametrize("value", ["2", "GB", "-1GB", "0GB", "2 potatoes", 2, None, "", "1e3MB"])
def test_other_amounts_are_refused(value: object) -> None:
    with pytest.raises(LeanformerError, match="memory is an amount with its unit, such as 2GB or 1500MB, not"):
        read_bytes(value)


def test_the_peak_has_all_of_it() -> None:
    whole = estimated(NEED, 8192, False, False)
    assert whole.peak == (400 + 200) * MB + 100 * MB + 100_000 * 4096
    assert sum(whole.parts.values()) == whole.peak and whole.parts["weights"] == 100 * MB
    # Two blocks: the second finds the gradients of the first.
    assert estimated(NEED, 2048, False, False).peak == (600 + 100 + 10) * MB + 100_000 * 2048
    assert estimated(NEED, 2048, True, True).peak == (450 + 100 + 10) * MB + 25_000 * 2048
    assert estimated(NEED, 64, True, True).peak >= (450 + 100) * MB, "a copy of the best weights, or the gradients"
    scored = replace(NEED, passes={False: Passes(Line(0, 1), Line(0, 1), Line(0, 100_000))})
    assert estimated(scored, 2048, False, False).peak == 600 * MB + 100_000 * 2048, "texts that are scored"


def test_blocks_of_a_row_are_the_smallest() -> None:
    assert {way.token_budget for way in ways(NEED, 1000, [False])} == {1000, 500, 250, 125, 64}
    assert {way.token_budget for way in ways(NEED, 40, [False])} == {40}, "a row has more, and is not split"


def test_what_fits_is_left_alone_and_otherwise_the_fastest_way_is_taken() -> None:
    def chosen(most: int) -> tuple[int, bool, bool]:
        way = fastest(NEED, most * MB, 8192)
        assert way.peak <= most * MB
        assert way == min((w for w in ways(NEED, 8192, [False, True]) if w.peak <= most * MB), key=lambda w: w.seconds)
        return way.token_budget, way.checkpointing, way.eight_bit_states

    assert chosen(2000) == (8192, False, False)
    assert chosen(1000) == (2048, False, False), "smaller blocks cost least"
    assert chosen(650)[1:] == (False, True), "then 8 bits, where a step has many tokens"
    assert chosen(562)[1:] == (True, True), "and checkpointing last"
    assert fastest(NEED, 650 * MB, 8192, [True]).eight_bit_states


def test_checkpointing_is_before_8_bits_where_a_step_has_few_tokens() -> None:
    few = replace(NEED, mean=0.5)
    assert estimated(few, 8192, True, False).seconds < estimated(few, 8192, False, True).seconds
    assert estimated(NEED, 8192, True, False).seconds > estimated(NEED, 8192, False, True).seconds


def test_where_nothing_fits_the_remedy_does() -> None:
    with pytest.raises(LeanformerError, match=r"memory 500 MB: this training takes 5\d\d MB at least") as error:
        fastest(NEED, 500 * MB, 8192)
    enough = re.search(r"remedy: --memory (\S+?GB),? .*--adapter lora", str(error.value))
    assert enough and fastest(NEED, read_bytes(enough[1]), 8192)
    with pytest.raises(LeanformerError) as error:
        fastest(replace(NEED, trained=MB), 300 * MB, 8192)
    assert "adapter" not in str(error.value), "where few parameters are trained already"


def test_it_is_told_in_words() -> None:
    assert (
        estimated(NEED, 512, True, True).told()
        == "blocks of 512 tokens, gradient checkpointing, optimiser states of 8 bits"
    )
    assert "weights 100 MB" in estimated(NEED, 512, True, True).parts_told()


@pytest.mark.parametrize("digits", [16, 400])
def test_an_amount_beyond_any_machine_is_refused(digits: int) -> None:
    with pytest.raises(LeanformerError, match="memory is an amount with its unit"):
        read_bytes("9" * digits + "GB")
