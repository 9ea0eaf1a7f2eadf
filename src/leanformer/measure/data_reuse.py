"""Was this data used before? What an artifact's history and report can tell about the texts it is to be judged on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.files import sha256_json
from leanformer.schema import fields, named
from leanformer.strict_json import read_json
from leanformer.task import Text

_SCHEMA = fields({}, {"data": fields({}, {"splits": named()})})


@dataclass(frozen=True)
class Use:
    """What is known of earlier use of a split.

    Attributes:
        forbids: why a judgement on it proves nothing; None where nothing is known against it.
        warnings: what the reader must know.
    """

    forbids: str | None
    warnings: tuple[str, ...]


def texts_hash(texts: Sequence[Text]) -> str:
    """SHA-256 (hex) of texts in order, whatever their labels."""
    return sha256_json(list(texts))


def earlier_use(artifact: Artifact, data: Dataset, split: str) -> Use:
    """Compare the split with every hash that the artifact's history and the report beside it hold."""
    recorded = _recorded(artifact)
    if not recorded:
        return Use(None, ("which data this model was made and chosen with is not recorded; it is for you to know",))
    examples = getattr(data, split)
    own = texts_hash(examples.inputs)
    as_split = {name for one in recorded for name, known in one.get("splits", {}).items() if known == own}
    trained = any(one.get("training_hash") == data.training_hash for one in recorded)
    if trained and split in ("train", "dev", "unlabelled"):
        as_split.add(split)
    if any(one.get("content_hash") == data.content_hash for one in recorded) and split == "test":
        as_split.add("test")
    if made_from := sorted(as_split - {"test"}):
        return Use(f"these texts are the {' and '.join(made_from)} split that the model was made or chosen with", ())
    if "test" in as_split:
        return Use(
            None,
            (
                "these texts are the test split of the model's report; the proof holds only if nothing was chosen by "
                "that report's test figures",
            ),
        )
    return Use(None, ())


def _recorded(artifact: Artifact) -> list[dict[str, Any]]:
    """The data records of the history and of report.json, those that hold a hash."""
    found = [entry["data"] for entry in artifact.history if isinstance(entry.get("data"), dict)]
    path = Path(artifact.path) / "report.json"
    if path.is_file():
        try:
            value = read_json(path)
            _SCHEMA(value, "report")
            found.append(value.get("data", {}))
        except (ValueError, OSError):
            pass  # no report, and so nothing that it could tell
    return [one for one in found if "training_hash" in one or "content_hash" in one or "splits" in one]
