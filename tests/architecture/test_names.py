"""One name, one thing: public classes of different modules have different names.

`shared_names.txt` lists the names that several modules have, each with how many; it may only shrink.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "leanformer"
LISTED = {
    name: int(count)
    for name, count in map(
        str.split, Path(__file__).with_name("shared_names.txt").read_text(encoding="utf-8").splitlines()
    )
}


def shared(sources: list[str]) -> dict[str, int]:
    """Name of a public class -> number of modules that define it, where there are several."""
    counts = Counter(
        node.name
        for source in sources
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    return {name: count for name, count in counts.items() if count > 1}


def test_no_further_name_is_shared():
    there = shared([path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py")])
    further = {name: count for name, count in there.items() if count > LISTED.get(name, 1)}
    assert further == {}, "another module has a class of that name\n  remedy: name it after what is particular to it"
    gone = {name: count for name, count in LISTED.items() if there.get(name, 1) < count}
    assert gone == {}, "fewer modules share these names now\n  remedy: take them out of shared_names.txt"


def test_the_words_that_meant_several_things_mean_one():
    assert not set(LISTED) & {"Shape", "Pool", "Trial", "Runner", "Verdict", "Budget"}


def test_a_name_that_is_shared_would_be_seen():
    assert shared(["class A: ...\nclass _B: ...", "class A: ...\nclass _B: ...", "def A(): ...\nclass C: ..."]) == {
        "A": 2
    }
