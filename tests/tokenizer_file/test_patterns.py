"""Patterns of real tokenizers pass; those that may try every way to cut a text do not."""

from __future__ import annotations

import pytest

from leanformer.tokenizer_file.patterns import check_pattern, is_plain

_ENDS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REAL = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama3": _ENDS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{M}]*[\p{Ll}\p{M}]+" + _ENDS + r"?|\p{N}{1,3}|\s*[\r\n]+|\s+(?!\S)|\s+",
    "bloom": r" ?[^(\s|[.,!?…。，、।۔،])]+",
    "t5": " {2,}",
    "clip": r"<\|startoftext\|>|'s|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    "deepseek": r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}]?[\p{L}\p{M}]+""",
    "lines": r"(?:\r?\n)+",
    "olmo3": r"(?=(\d{3})+(?!\d))",
    "digits from the right": r"\d{1,3}(?=(?:\d{3})*\b)",
    "smiles": r"(\[[^\]]+]|Br?|Cl?|N|O|S|\(|\)|\.|=|#|\%[0-9]{2}|[0-9])",
    "a bracket in a class": r"[]a-z]+|[^]]",
}
BAD = [
    "(a+)+$", "(a*)*", "(a|aa)+$", "((a)+b?)*", "(?:x+x+)+y", r"(?:\w+\s?)*z", r"(.*)\1", r"(?<n>a)\k<n>",
    r"(?<n>\(\g<n>*\))", "a*a*a*a*a*b", "(((a{1000}){1000}){1000})", "a{100000}", "(a", "a)", "[a", "x" * 20_000,
    "(?(1)a|b)", "((a{9}){9})+", "(a{17})+", "(a{3}+)+", "(a{3}{2,5})+", "(a{3,})+",
]  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_patterns_of_real_tokenizers_pass(name: str):
    check_pattern(REAL[name])


@pytest.mark.parametrize("pattern", BAD, ids=range(len(BAD)))
def test_patterns_without_end_are_refused(pattern: str):
    with pytest.raises(ValueError, match="pattern"):
        check_pattern(pattern)


def test_a_pattern_of_one_kind_of_letters_needs_no_watch():
    assert all(map(is_plain, (" {2,}", r"\s+", r"\n", " ", "a*", r"\d{1,3}")))
    assert not any(map(is_plain, (r"\s+$", r"\s*\n", "(a)+", "[ab]+", "a|b", "a{5000}", "a+b", r"\1", "", "a**")))
