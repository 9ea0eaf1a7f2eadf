"""Regular expressions of a tokenizer: those that may try every way to cut up a text are refused.

The library's engine goes back and tries again where a match fails. That takes long where the same characters can be
matched in many ways: a repeated group that repeats something itself, `(a+)+`, or chooses, `(a|ab)*`, has exponentially
many. Patterns of tokenizers do without; what is left is bounded by time (`bounds.in_time`).
"""

from __future__ import annotations

import re

LONGEST, MOST_TIMES, MOST_EXACT, MOST_REPEATED = 10_000, 1000, 16, 4
_TIMES = re.compile(r"\{(\d*)(,?)(\d*)\}")
_PLAIN = re.compile(r"(?:[^\\()\[\]{}|*+?^$]|\\[a-zA-Z])(?:[*+]|\{\d{1,3}(?:,\d{0,3})?\})?", re.DOTALL)


class _Group:
    """What stands between two parentheses, or in the whole: how it repeats, and how many repeats a branch has."""

    def __init__(self) -> None:
        self.repeats = self.chooses = False
        self.most = self.branch = 0

    def end_branch(self) -> None:
        self.most, self.branch = max(self.most, self.branch), 0


def check_pattern(pattern: str) -> None:
    """Raise `ValueError` for a pattern that may take very long, or more than can be told of it."""
    if len(pattern) > LONGEST:
        raise ValueError(f"a pattern has {len(pattern):,} characters, more than {LONGEST:,}")
    groups, at = [_Group()], 0
    while at < len(pattern):
        letter = pattern[at]
        done: _Group | None = None
        if letter == "\\":
            follows = pattern[at + 1 : at + 2]
            if follows in set("123456789kg"):
                raise _refused(pattern, "it refers back to one of its groups")
            at += 2
        elif letter == "[":
            at = _behind_class(pattern, at)
        elif letter == "(":
            if pattern.startswith("(?(", at) or pattern.startswith("(?~", at):
                raise _refused(pattern, "it has a condition")
            groups.append(_Group())
            at += 1
            continue
        elif letter == ")":
            if len(groups) == 1:
                raise _refused(pattern, "a parenthesis is closed that was not opened")
            done = groups.pop()
            done.end_branch()
            at += 1
        elif letter == "|":
            groups[-1].chooses = True
            groups[-1].end_branch()
            at += 1
            continue
        else:
            at += 1
        at, most, exact = _quantifier(pattern, at)
        here = groups[-1]
        if done is not None:
            if most > 1 and (done.repeats or done.chooses):
                raise _refused(pattern, "it repeats a group that repeats or chooses, which may take for ever")
            here.repeats |= done.repeats
            here.branch += done.most
        if most > 1:
            # As many times as it says and no others, as in groups of digits, `(\d{3})+`: there is one way to do that.
            here.repeats |= not exact or done is not None or most > MOST_EXACT
            here.branch += most > MOST_TIMES
        if here.branch > MOST_REPEATED:
            raise _refused(pattern, f"more than {MOST_REPEATED} repeats follow one another")
    if len(groups) > 1:
        raise _refused(pattern, "a parenthesis is not closed")


def is_plain(pattern: str) -> bool:
    """Whether it is one letter, or one kind of letters, and how often: what is never gone back over."""
    return _PLAIN.fullmatch(pattern) is not None


def _quantifier(pattern: str, at: int) -> tuple[int, int, bool]:
    """Behind the quantifiers that stand here, the most times that they allow, and whether they allow no other number.

    Without end the most times are `MOST_TIMES` + 1.
    """
    most, count, exact = 1, 0, False
    while at < len(pattern):
        count += 1
        if pattern[at] in "*+":
            # A plus behind another quantifier makes that one possessive, or repeats it: the same for what may happen.
            most, at = MOST_TIMES + 1, at + 1
        elif pattern[at] == "?":
            at += 1
        elif (times := _TIMES.match(pattern, at)) and times[0] not in ("{}", "{,}"):
            last = times[3] or ("" if times[2] else times[1])
            if max(int(times[1] or 0), int(last or 0)) > MOST_TIMES:
                raise _refused(pattern, f"it repeats something more than {MOST_TIMES:,} times")
            most, at = max(most, int(last) if last else MOST_TIMES + 1), times.end()
            exact = count == 1 and times[1] == last and not pattern.startswith(("*", "+", "?", "{"), at)
        else:
            break
    return at, most, exact


def _behind_class(pattern: str, at: int) -> int:
    """Behind the bracket that closes the class which opens here; classes may hold classes."""
    depth, first = 0, False
    while at < len(pattern):
        letter = pattern[at]
        if letter == "\\":
            at += 2
            first = False
            continue
        if letter == "[":
            depth, first = depth + 1, True
            at += 2 if pattern.startswith("[^", at) else 1
            continue
        if letter == "]" and not first:
            depth -= 1
            if not depth:
                return at + 1
        first = False
        at += 1
    raise _refused(pattern, "a bracket is not closed")


def _refused(pattern: str, why: str) -> ValueError:
    return ValueError(f"the pattern {pattern!r:.80} is not used: {why}")
