"""The schemas of what is asked: each route names only the models that answer it, and the forms of input they read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leanformer.serve.http.schemas import schemas
from leanformer.serve.settings import ServerSettings
from leanformer.task import Task

MODELS = {
    "moods": Task("classification", ("a", "b")),
    "matches": Task("pair", ("a", "b")),
    "names": Task("tokens", ("O", "B-PER", "I-PER")),
}
PAIRS = '"minItems": 2, "items": {"$ref": "#/components/schemas/Text"}, "maxItems": 2'


def properties(route: str, *names: str) -> dict[str, Any]:
    found: dict[str, Any] = schemas(ServerSettings(artifacts={}), {name: MODELS[name] for name in names})[route][
        "properties"
    ]
    return found


def test_a_route_names_the_models_that_answer_it():
    assert properties("Query", *MODELS)["model"]["enum"] == ["moods", "matches", None]
    assert properties("TagQuery", *MODELS)["model"]["enum"] == ["names", None]
    assert properties("EmbedQuery", *MODELS)["model"]["enum"] == [None]


@pytest.mark.parametrize(
    ("names", "pairs", "texts"),
    [(("moods",), False, True), (("matches",), True, False), (("moods", "matches"), True, True)],
)
def test_pairs_are_described_where_they_are_read(names: tuple[str, ...], pairs: bool, texts: bool):
    forms = properties("Query", *names)["inputs"]["anyOf"]
    assert (PAIRS in json.dumps(forms)) == pairs
    assert ({"$ref": "#/components/schemas/Text"} in forms) == texts
