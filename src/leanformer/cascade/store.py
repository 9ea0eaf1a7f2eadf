"""A cascade as an artifact of format "cascade": its members, and a small file with the plan for their use.

    leanformer.json      the manifest of the whole
    cascade.json         the plan, and the content hash of each member
    members/0/           the smallest model, an artifact with its own manifest; members/1/ the next; ...

The members are at fixed places in the folder, so nothing outside it is ever read. The outer manifest lists every file
of every member except their manifests, which describe how they were made, not what they compute. The manifests' hashes
are in its properties, outside the content hash, and are verified as well.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

from leanformer.answers.forms import form_of
from leanformer.artifact import MANIFEST, USED_TEXTS, Artifact, open_artifact, write_manifest
from leanformer.cascade.plan import MOST_MEMBERS, Plan
from leanformer.data.examples import Examples
from leanformer.data.used_texts import UsedTexts, attach, inherited
from leanformer.errors import ArtifactError, LeanformerError
from leanformer.files import sha256_file, write_json
from leanformer.formats import format_of
from leanformer.outputs.folders import new_artifact
from leanformer.schema import fields, listed, nullable, number, shown, text, whole
from leanformer.strict_json import read_json

FORMAT, FORMAT_VERSION = "cascade", 1
PLAN, MEMBERS = "cascade.json", "members"
# The files that `leanformer tune` stores are not part of an artifact, but are copied with it.
_TUNING = "tuning"
_REMEDY = "remedy: copy or recreate the artifact"
_SCHEMA = fields(
    {
        "format_version": whole(1, FORMAT_VERSION), "measure": text(100), "members": listed(text(128), 2, MOST_MEMBERS),
        "temperatures": listed(number(1e-6, 1e6), 1, MOST_MEMBERS),
        "thresholds": listed(nullable(number(0, 1)), 1, MOST_MEMBERS),
    }
)  # fmt: skip


def check_members(members: Sequence[Artifact]) -> None:
    """Raise `LeanformerError` for models that cannot form a cascade; they are given smallest first."""
    if not 2 <= len(members) <= MOST_MEMBERS:
        raise LeanformerError(f"a cascade has 2 to {MOST_MEMBERS} models, not {len(members)}")
    first = members[0]
    for member in members:
        if format_of(member).members:
            raise LeanformerError(f"{member.path}: is a cascade itself\n  remedy: give the models that it is made of")
        if not form_of(member.task).exclusive:
            raise LeanformerError(
                f"{member.path}: a task of kind {member.task.kind!r} has no cascade: a single confidence says "
                "whether an answer stands only if that is one label of several\n  remedy: give classifiers of texts or "
                "pairs"
            )
        if member.task.overlap is not None:
            raise LeanformerError(
                f"{member.path}: it reads long texts in windows, and models of a cascade cut them\n"
                "  remedy: give models that were trained without --long windows"
            )
        if member.task.question != first.task.question:
            raise LeanformerError(
                f"{member.path}: its task is not that of {first.path}\n  theirs: {member.task}\n  ours: {first.task}\n"
                "  remedy: give models of the same task, labels in the same order"
            )
        if member.max_tokens != first.max_tokens:
            raise LeanformerError(
                f"{member.path}: reads {member.max_tokens} tokens, and {first.path} {first.max_tokens}\n"
                "  remedy: give models that cut texts at the same length"
            )
    if len({member.content_hash for member in members}) != len(members):
        raise LeanformerError("the same model is given twice\n  remedy: leave one out")


def write_cascade(
    members: Sequence[Artifact],
    plan: Plan,
    folder: Path,
    *,
    entry: Mapping[str, Any] | None = None,
    calibrated: Examples | None = None,
) -> Artifact:
    """Write the new artifact `folder`: copies of the members, and the plan.

    Args:
        entry: further fields of its entry in the history, such as the promise and the rows used.
        calibrated: the texts with which its thresholds were found, for the record of texts used.

    Raises `LeanformerError` for members that do not fit together and for a folder that must not be replaced
    (`outputs.folders.new_artifact`), and `ValueError` for a plan with another number of members.
    """
    check_members(members)
    if plan.members != len(members):
        raise ValueError(f"a plan for {plan.members} models, and {len(members)} of them")
    with new_artifact(folder) as temporary:
        hashes = []
        for number, member in enumerate(members):
            place = temporary / MEMBERS / str(number)
            record = [USED_TEXTS] if (member.path / USED_TEXTS).is_file() else []
            for name in (*member.files, MANIFEST, *record):
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(member.path / name, place / name)
            if open_artifact(place).content_hash != member.content_hash:
                raise ArtifactError(f"{member.path}: was changed while it was copied\n  {_REMEDY}")
            hashes.append(sha256_file(place / MANIFEST))
        write_json(
            temporary / PLAN,
            {
                "format_version": FORMAT_VERSION,
                "members": [member.content_hash for member in members],
                **plan.to_json(),
            },
        )
        made = write_manifest(
            temporary,
            format=FORMAT,
            task=members[-1].task,
            max_tokens=members[-1].max_tokens,
            history=_history(members, plan, entry or {}),
            properties=_properties(members) | {"member_manifests": hashes},
        )
        attach(made, reduce(or_, map(inherited, members), UsedTexts.of(calibration=calibrated)))
        for number, member in enumerate(members):
            if (member.path / _TUNING).is_dir():
                shutil.copytree(member.path / _TUNING, temporary / MEMBERS / str(number) / _TUNING)
    return open_artifact(folder)


def _history(members: Sequence[Artifact], plan: Plan, entry: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The members' steps, each once, and that of the cascade."""
    steps: list[Mapping[str, Any]] = []
    for member in reversed(members):
        steps += [step for step in member.history if step not in steps]
    last = {"step": FORMAT, "options": plan.to_json(), "parent": members[-1].content_hash}
    return (*steps, last | {"members": [member.content_hash for member in members]} | dict(entry))


def _properties(members: Sequence[Artifact]) -> dict[str, Any]:
    """Sums over the members, of properties that all of them have."""
    names = ("parameters", "parameters_without_embeddings")
    if not all(name in member.properties for member in members for name in names):
        return {}
    return {name: sum(int(member.properties[name]) for member in members) for name in names}


def read_cascade(artifact: Artifact) -> tuple[Plan, tuple[Artifact, ...]]:
    """The plan of an opened cascade, and its members.

    Raises `ArtifactError` if the plan is invalid, or a member is not the one that the cascade was made of.
    """
    if not format_of(artifact).members:
        raise ArtifactError(f"{artifact.path}: format {artifact.format!r}, and not a cascade")
    path = artifact.file(PLAN)
    try:
        value = read_json(path, most_bytes=1 << 20)
        version = value.get("format_version") if isinstance(value, dict) else None
        if type(version) is int and version > FORMAT_VERSION:
            raise ArtifactError(
                f"{path}: version {shown(version)}, but this Leanformer reads {FORMAT_VERSION}\n"
                "  remedy: upgrade Leanformer, or make the cascade again with this one"
            )
        _SCHEMA(value, "cascade")
        plan, contents = Plan.from_json(value), value["members"]
        manifests = artifact.properties.get("member_manifests", [])
        if not len(contents) == len(manifests) == plan.members:
            raise ValueError(f"{len(contents)} members, {len(manifests)} manifests and a plan for {plan.members}")
    except (ValueError, OSError) as error:
        raise ArtifactError(f"{path}: not a valid plan ({error})\n  {_REMEDY}") from error
    members = tuple(
        _member(artifact, number, content, manifest)
        for number, (content, manifest) in enumerate(zip(contents, manifests, strict=True))
    )
    check_members(members)
    if members[-1].task != artifact.task or members[-1].max_tokens != artifact.max_tokens:
        raise ArtifactError(f"{artifact.path}: its task or length is not that of its members\n  {_REMEDY}")
    return plan, members


def _member(artifact: Artifact, number: int, content: str, manifest: str) -> Artifact:
    place = artifact.path / MEMBERS / str(number)
    path = place / MANIFEST
    if not path.resolve().is_relative_to(artifact.path.resolve()):
        raise ArtifactError(f"{path}: lies outside the cascade\n  {_REMEDY}")
    if not path.is_file() or sha256_file(path) != manifest:
        raise ArtifactError(f"{path}: missing, or not what the cascade was made with\n  {_REMEDY}")
    # Its files are among those of the whole, with the same hashes, which were verified when that was opened.
    member = open_artifact(place, verify=False)
    listed = all(
        artifact.files.get(f"{MEMBERS}/{number}/{name}", {}).get("sha256") == entry["sha256"]
        for name, entry in member.files.items()
    )
    if not listed or member.content_hash != content:
        raise ArtifactError(f"{place}: is not the model that the cascade was made with\n  {_REMEDY}")
    return member
