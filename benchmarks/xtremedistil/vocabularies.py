"""The vocabularies that a student may have, by the name that results and options have for them."""

from __future__ import annotations

VOCABULARIES = {"seen": "the teacher's", "uncased": "learnt, uncased", "cased": "learnt, cased"}
