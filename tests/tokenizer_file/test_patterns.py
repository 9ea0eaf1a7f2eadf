"""Patterns of real tokenizers pass; those that may try every way to cut a text do not."""

from __future__ import annotations

import pytest

from leanformer.tokenizer_file.patterns import check_pattern

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
    "a bracket in a class": r"[]a-z]+|[^]]",
}
BAD = [
    "(a+)+$", "(a*)*", "(a|aa)+$", "((a)+b?)*", "(?:x+x+)+y", r"(?:\w+\s?)*z", r"(.*)\1", r"(?<n>a)\k<n>",
    r"(?<n>\(\g<n>*\))", "a*a*a*a*a*b", "(((a{1000}){1000}){1000})", "a{100000}", "(a", "a)", "[a", "x" * 20_000,
    "(?(1)a|b)",
]  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_patterns_of_real_tokenizers_pass(name: str):
    check_pattern(REAL[name])


@pytest.mark.parametrize("pattern", BAD, ids=range(len(BAD)))
def test_patterns_without_end_are_refused(pattern: str):
    with pytest.raises(ValueError, match="pattern"):
        check_pattern(pattern)
