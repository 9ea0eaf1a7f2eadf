"""Changes to the files of an artifact, each of a kind that somebody, or bad luck, could make."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz.graphs import mutate_graph

# Values that no reader should trust; written as they are, so that also what is no JSON can stand there.
STRANGE = [
    "null", "true", "false", "0", "1", "-1", "2", "7", "0.5", "-0.0", "1e-320", "1e308", "-1e308", "1e999", "NaN",
    "Infinity", "-Infinity", "2147483647", "2147483648", "-2147483649", "4294967296", "9223372036854775808",
    "9" * 5000, '""', '"a"', '"0"', '"\\u0000"', '"\\ud800"', '"../../x"', '"/etc/passwd"', '"' + "x" * 100_000 + '"',
    "[]", "[[]]", "[null]", "[1, 2, 3]", "{}", '{"a": 1}', '{"": null}', "[" * 600 + "]" * 600,
    "[" * 60_000 + "]" * 60_000, '{"a":' * 2000 + "1" + "}" * 2000, "[0.1, 0.2]", '["a", "a"]', '"encoder"', '"onnx"',
    '"tokens"', '"classification"', '"similarity"', '"embedding"', '"multilabel"', '"none"', '"first"', '"mean"',
    "12", "48", "64", "100000",
]  # fmt: skip
_HOLE = "\ue000HOLE\ue000"
Files = list[Path]


def mutate(folder: Path, draw: random.Random, *, graphs: bool = False) -> str:
    """Change one file or two in the folder, with `graphs` mostly its graphs; what was done, in words."""
    said = [_one(folder, draw, graphs)]
    if draw.random() < 0.25:
        said.append(_one(folder, draw, graphs))
    return "; ".join(said)


def _one(folder: Path, draw: random.Random, graphs: bool) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    ways: list[tuple[int, Callable[[Files, random.Random], str], Files]] = [
        (8, _json, [file for file in files if file.name == "leanformer.json"]),
        (6, _json, [file for file in files if file.suffix == ".json" and file.name not in _WHOLE]),
        (6, _tokenizer, [file for file in files if file.name == "tokenizer.json"]),
        (100 if graphs else 8, mutate_graph, [file for file in files if file.suffix == ".onnx"]),
        (6, _safetensors, [file for file in files if file.suffix == ".safetensors"]),
        (4, _bytes, files),
        (1, _file, files),
    ]
    possible = [(weight, way, chosen) for weight, way, chosen in ways if chosen]
    _, way, chosen = draw.choices(possible, [weight for weight, _, _ in possible])[0]
    return way(chosen, draw)


_WHOLE = ("leanformer.json", "tokenizer.json")


def _json(files: Files, draw: random.Random) -> str:
    path = draw.choice(files)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return _bytes([path], draw)
    return _changed(path, value, draw)


def _tokenizer(files: Files, draw: random.Random) -> str:
    """As `_json`, but not lost among the pieces of the vocabulary, and with parts that grow or backtrack."""
    path = draw.choice(files)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        model = value["model"]
        if draw.random() < 0.4:
            name, part = draw.choice(_PARTS)
            value[name] = json.loads(part)
            path.write_text(json.dumps(value), encoding="utf-8")
            return f"{path.name}: {name} is {part[:80]}"
        if draw.random() < 0.3 and isinstance(model.get("vocab"), dict):
            piece = draw.choice(sorted(model["vocab"]))
            model["vocab"][piece] = draw.choice([0, -1, 10**6, 2**31, 2**32, 2.5, "x", None])
            path.write_text(json.dumps(value), encoding="utf-8")
            return f"{path.name}: the id of {piece!r} is {model['vocab'][piece]!r}"
        vocabulary = model.pop("vocab")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return _bytes([path], draw)
    said = _changed(path, value, draw)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"model": {', f'"model": {{"vocab": {json.dumps(vocabulary)}, ', 1), encoding="utf-8")
    return said


def _replace(found: str, content: str, kind: str = "String") -> str:
    return json.dumps({"type": "Replace", "pattern": {kind: found}, "content": content})


_PARTS = [
    ("normalizer", _replace("a", "a" * 10_000)),
    ("normalizer", f'{{"type": "Sequence", "normalizers": [{", ".join([_replace("a", "aaaaaaaa")] * 12)}]}}'),
    ("normalizer", f'{{"type": "Sequence", "normalizers": [{", ".join([_replace("", "bc", "Regex")] * 30)}]}}'),
    ("normalizer", _replace("", "x")),
    ("normalizer", '{"type": "Prepend", "prepend": ""}'),
    ("normalizer", '{"type": "Precompiled", "precompiled_charsmap": "AAAAAA=="}'),
    ("normalizer", '{"type": "Precompiled", "precompiled_charsmap": "/////wAAAAA="}'),
    ("normalizer", '{"type": "Lowercase"}'),
    ("pre_tokenizer", '{"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": false}'),
    ("pre_tokenizer", '{"type": "Split", "pattern": {"Regex": "(?:a|b|ab)*c"}, "behavior": "Removed", "invert": true}'),
    ("pre_tokenizer", '{"type": "Split", "pattern": {"Regex": "a*a*a*b"}, "behavior": "Isolated", "invert": false}'),
    ("pre_tokenizer", '{"type": "Split", "pattern": {"String": ""}, "behavior": "MergedWithNext", "invert": false}'),
    ("pre_tokenizer", '{"type": "FixedLength", "length": 0}'),
    ("pre_tokenizer", '{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}'),
    ("pre_tokenizer", '{"type": "Metaspace", "replacement": "xy", "prepend_scheme": "always", "split": true}'),
    ("pre_tokenizer", "null"),
    ("post_processor", "null"),
    ("post_processor", '{"type": "BertProcessing", "sep": ["[SEP]", 4000000], "cls": ["[CLS]", 2]}'),
    ("post_processor", '{"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": true, '
                       '"add_prefix_space": false}'),
    ("post_processor", '{"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}}'),
    ("post_processor", '{"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, '
                       '{"Sequence": {"id": "A", "type_id": 9}}], "pair": [], "special_tokens": {}}'),
    ("post_processor", json.dumps({"type": "TemplateProcessing", "special_tokens": {
        "x": {"id": "x", "ids": [3] * 50, "tokens": ["x"] * 50}}, "pair": [], "single": [
        {"SpecialToken": {"id": "x", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]})),
    ("added_tokens", json.dumps([{"id": 5000, "content": "song", "special": False, "single_word": False,
                                  "lstrip": False, "rstrip": False, "normalized": True}])),
    ("added_tokens", json.dumps([{"id": 3, "content": "", "special": True, "single_word": False, "lstrip": True,
                                  "rstrip": True, "normalized": False}])),
    ("truncation", '{"direction": "Left", "max_length": 1, "strategy": "OnlySecond", "stride": 5}'),
    ("padding", '{"strategy": {"Fixed": 100000}, "direction": "Right", "pad_to_multiple_of": 0, "pad_id": 0, '
                '"pad_type_id": 0, "pad_token": "x"}'),
]  # fmt: skip


def _changed(path: Path, value: Any, draw: random.Random) -> str:
    """Write `value` with one place changed."""
    places: list[tuple[Any, Any]] = []

    def walk(part: Any) -> None:
        for key in list(part) if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ():
            places.append((part, key))
            walk(part[key])

    walk(value)
    if not places:
        return _bytes([path], draw)
    part, key = draw.choice(places)
    way, written = draw.randrange(8), draw.choice(STRANGE)
    if way == 0:
        del part[key]
        said, written = f"{key!r} is gone", ""
    elif way == 1 and isinstance(part, dict):
        part[draw.choice(["", "x", "\ud800", "type", "Regex", "layers", "../x"])] = part.pop(key)
        said, written = f"{key!r} has another name", ""
    elif way == 2 and isinstance(part[key], list):
        part[key] = draw.choice([part[key] * 2, part[key][:-1], part[key] * 200, [part[key]]])
        said, written = f"{key!r} has another length", ""
    elif way == 3 and type(part[key]) in (int, float):
        part[key] = draw.choice([part[key] + 1, part[key] - 1, -part[key], part[key] * 1000, part[key] / 3])
        said, written = f"{key!r} is {part[key]}", ""
    else:
        part[key] = _HOLE
        said = f"{key!r} is {written[:40]}"
    text = json.dumps(value, indent=2)
    path.write_text(text.replace(json.dumps(_HOLE), written), encoding="utf-8")
    return f"{path.name}: {said}"


def _bytes(files: Files, draw: random.Random) -> str:
    path = draw.choice(files)
    content = bytearray(path.read_bytes())
    way = draw.randrange(4)
    if way == 0:
        del content[draw.randrange(len(content) + 1) :]
        said = f"cut at {len(content)}"
    elif way == 1:
        start = draw.randrange(len(content) + 1)
        content[start:start] = draw.randbytes(draw.choice([1, 7, 4096]))
        said = f"more bytes at {start}"
    elif way == 2:
        start = draw.randrange(len(content) + 1)
        del content[start : start + draw.choice([1, 2, 8, 100])]
        said = f"fewer bytes at {start}"
    else:
        count = draw.choice([1, 1, 4, 50])
        for _ in range(count if content else 0):
            content[draw.randrange(len(content))] = draw.randrange(256)
        said = f"{count} other bytes"
    path.write_bytes(content)
    return f"{path.name}: {said}"


def _file(files: Files, draw: random.Random) -> str:
    path = draw.choice(files)
    way = draw.randrange(7)
    if way == 0:
        path.unlink()
        return f"{path.name} is gone"
    if way == 1:
        path.unlink()
        path.mkdir()
        return f"{path.name} is a folder"
    if way == 2:
        path.unlink()
        path.symlink_to("/etc/hostname")
        return f"{path.name} leads outside"
    content = {
        3: b"", 4: b"PK\x03\x04" + bytes(60), 5: b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os.",
        6: bytes(4096),
    }[way]  # fmt: skip
    path.write_bytes(content)
    return f"{path.name} is {content[:8]!r}"


def _safetensors(files: Files, draw: random.Random) -> str:
    path = draw.choice(files)
    content = path.read_bytes()
    try:
        (size,) = struct.unpack_from("<Q", content)
        header, body = json.loads(content[8 : 8 + size]), bytearray(content[8 + size :])
        name = draw.choice(sorted(key for key in header if key != "__metadata__"))
        tensor, way = header[name], draw.randrange(9)
        start, end = tensor["data_offsets"]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error):
        return _bytes([path], draw)
    if way == 0:
        body[start : start + 4] = struct.pack("<f", draw.choice([float("nan"), float("inf"), float("-inf"), 3e38]))
    elif way == 1:
        tensor["shape"] = draw.choice(
            [tensor["shape"][::-1], [], [0], [-1], [2**40, 2**40], [*tensor["shape"], 1], "x"]
        )
    elif way == 2:
        tensor["dtype"] = draw.choice(["F16", "BF16", "I64", "F64", "BOOL", "X9", None, 1])
    elif way == 3:
        tensor["data_offsets"] = draw.choice(
            [[0, 0], [end, start], [start, end + 4], [-1, 5], [2**63, 2**63 + 4], None]
        )
    elif way == 4:
        del header[name]
    elif way == 5:
        header[draw.choice(["", "x", f"{name}.more"])] = header.pop(name)
    elif way == 6:
        rows = tensor["shape"][0] - 1 if tensor["shape"] else 0
        row = (end - start) // max(1, tensor["shape"][0]) if tensor["shape"] else 0
        # The last row cut out of the middle of the file, all that follows moved up.
        tensor["shape"] = [rows, *tensor["shape"][1:]]
        tensor["data_offsets"] = [start, end - row]
        del body[end - row : end]
        for other in header.values():
            if isinstance(other, dict) and other is not tensor and other.get("data_offsets", [0])[0] >= end:
                other["data_offsets"] = [place - row for place in other["data_offsets"]]
    elif way == 7:
        for place in range(start, end - 3, 4):
            body[place : place + 4] = struct.pack("<f", draw.choice([1e30, -1e30, 3e38]))
    written = json.dumps(header).encode()
    size = draw.choice([0, 1, len(written) + 1, 2**40, 2**63]) if way == 8 else len(written)
    path.write_bytes(struct.pack("<Q", size) + written + body)
    return f"{path.name}: {name}, change {way}"
