"""JSON schemas as our description uses them: values that they allow, and whether one is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

Schema = Mapping[str, Any]
_TYPES = {
    "string": str, "number": (int, float), "integer": int, "boolean": bool, "object": dict, "array": list,
    "null": type(None),
}  # fmt: skip


def valid(schema: Schema, document: Schema) -> st.SearchStrategy[Any]:
    """Values that the schema allows; texts are kept short."""
    if "$ref" in schema:
        return valid(_referred(schema, document), document)
    if "anyOf" in schema:
        return st.one_of(*(valid(branch, document) for branch in schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return st.one_of(*(_of_type(type_name, schema, document) for type_name in _types(schema)))


def _of_type(kind: str, schema: Schema, document: Schema) -> st.SearchStrategy[Any]:
    if kind == "string":
        texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=schema.get("minLength", 0), max_size=60)
        return texts.filter(lambda text: re.search(schema.get("pattern", ""), text) is not None)
    if kind == "array":
        most = min(schema.get("maxItems", 5), 5)
        return st.lists(valid(schema["items"], document), min_size=schema.get("minItems", 0), max_size=most)
    if kind == "object":
        properties = {name: valid(member, document) for name, member in schema.get("properties", {}).items()}
        needed = set(schema.get("required", ()))
        return st.fixed_dictionaries(
            {name: member for name, member in properties.items() if name in needed},
            optional={name: member for name, member in properties.items() if name not in needed},
        )
    if kind == "integer":
        return st.integers(schema.get("minimum"), schema.get("maximum"))
    return {"boolean": st.booleans(), "null": st.none(), "number": st.floats(allow_nan=False)}[kind]


def conforms(value: Any, schema: Schema, document: Schema) -> bool:
    """Whether the schema allows the value."""
    if "$ref" in schema:
        return conforms(value, _referred(schema, document), document)
    if "anyOf" in schema and not any(conforms(value, branch, document) for branch in schema["anyOf"]):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    types = _types(schema)
    if types and not any(
        isinstance(value, _TYPES[type_name]) and (type_name == "boolean" or value is not True) for type_name in types
    ):
        return False
    if isinstance(value, str):
        return (
            schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
            and re.search(schema.get("pattern", ""), value) is not None
        )
    if isinstance(value, list) and "items" in schema:
        few, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
        return few <= len(value) <= most and all(conforms(item, schema["items"], document) for item in value)
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        if not set(schema.get("required", ())) <= set(value):
            return False
        if schema.get("additionalProperties") is False and set(value) - set(properties):
            return False
        return all(conforms(member, properties[name], document) for name, member in value.items() if name in properties)
    if isinstance(value, int | float):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def _referred(schema: Schema, document: Schema) -> Schema:
    return document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]  # type: ignore[no-any-return]


def _types(schema: Schema) -> list[str]:
    found = schema.get("type", [])
    return [found] if isinstance(found, str) else list(found)
