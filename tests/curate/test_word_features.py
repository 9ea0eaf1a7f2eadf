"""Words as lines of features."""

from __future__ import annotations

from leanformer.curate.word_features import word_lines


def test_a_line_has_the_word_its_ends_its_shape_and_its_neighbours() -> None:
    first, second, third, alone = word_lines(["In New 42nd", "x"])
    assert "w0New" in second and "s2ew" in second and "b3New" in second
    assert "p0In" in second and "n042nd" in second and "pp0edge" in second
    assert "w1uza" in first and "w1z9a" in third and "p1uza" in second and "n1z9a" in second
    assert "p0edge" in alone and "n0edge" in alone
    assert len(word_lines(["a b c", ""])) == 3
