"""Imports the model to be compressed as an artifact; its labels are matched by name or by labelled dev data."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.answers.forms import FORMS, beaten_by, decide, form_of, metric_of
from leanformer.answers.long_texts import cut_note, reading
from leanformer.artifact import Artifact, is_artifact, open_artifact, write_manifest
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples, sampled
from leanformer.data.label_forms import are_integers, join_names
from leanformer.data.matching import are_placeholders, match_by_name
from leanformer.errors import CheckpointError, LeanformerError, MissingExtraError
from leanformer.files import new_folder, sha256_json
from leanformer.inputs.kinds import input_of
from leanformer.loading import open_predictor
from leanformer.predictor import logits
from leanformer.recipe.made import find_made, note_made
from leanformer.recipe.naming import Naming, name_by_rows, name_tags
from leanformer.tagging.schemes import IOB1, OUTSIDE, split_tag, types_of
from leanformer.task import BUILT, Task, by_number
from leanformer.tokenizer import Tokenizer

# Number of unlabelled texts on which a tagger's predictions show whether it begins entities with I-.
_ENOUGH = 1000
# Version of the import: incremented when the same files are imported as a different model.
_IMPORT = 3
# Number of texts on which an imported model's tokens and outputs are compared with those of its original library.
_TRIED = 1000


def take_in(
    model: str, work: Path, max_tokens: int, data: Dataset, say: Callable[[str], None] = lambda line: None
) -> Artifact:
    """The model as an artifact, kept in the work folder under a hash of what it was made from.

    A foreign model's labels are matched with the data's by name (`data.matching`). If names do not match, labels are
    matched on labelled dev rows (`recipe.naming`), and so is the scheme that a tagger was trained on.

    Raises `CheckpointError` if neither works.
    """
    try:
        from leanformer.models.hf.peft import is_adapter
        from leanformer.models.hf.peft import stamps as adapter_stamps
        from leanformer.models.store import find_checkpoint, import_checkpoint, own_labels
    except ImportError as error:
        raise MissingExtraError("compressing", "train") from error
    if is_artifact(model):
        return open_artifact(model)
    source = find_checkpoint(model)
    if is_adapter(Path(model)):  # the merged model lies in another folder each time
        place, stamps = str(Path(model).resolve()), adapter_stamps(Path(model))
    else:
        files = [path for path in sorted(source.iterdir()) if path.is_file()]
        place = str(source.resolve())
        stamps = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files]
    own, kind = own_labels(source, pairs=input_of(data.task).paired)
    answer = BUILT[kind].answer
    # Nothing is matched if the data are of another kind; `prepare` reports that.
    labels = data.task.labels if answer == data.task.answer else ()
    known = match_by_name(own, labels) if labels else None
    nameless = are_placeholders(own)
    tags = FORMS[answer].per_word
    by_dev = tags or (bool(labels) and known is None)
    by_dev = by_dev and not (tags and nameless and not labels)
    key = [_IMPORT, place, stamps, max_tokens, data.task.question.to_json()]
    learns = "no_answer" in BUILT[kind].learns
    if (by_dev or learns) and data.dev is not None:
        key.append(data.dev.content_hash)
    if learns and data.train is not None:
        key.append(data.train.content_hash)
    folder = work / f"teacher-{sha256_json(key)[:16]}"
    if (kept := find_made(folder, say)) is not None:
        return kept
    examples = data.dev or data.unlabelled or data.train
    # A checkpoint reads texts or pairs; `prepare` reports data that are neither.
    readable = None if input_of(data.task).several else examples
    texts = [] if readable is None else sampled(readable, _TRIED, seed=0)
    if learns:
        work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=work, prefix="teacher-") as scratch:
            bare = import_checkpoint(model, Path(scratch) / "a", max_tokens=max_tokens, pairs=True, texts=texts)
            made = copied(bare, folder, _with_learnt(bare, data))
        note_made(folder)
        return made
    if not by_dev:
        made = import_checkpoint(
            model, folder, max_tokens=max_tokens, labels=labels, pairs=input_of(data.task).paired, texts=texts
        )
        note_made(folder)
        return made
    names = known or own
    if tags and nameless:
        names = (OUTSIDE, *(f"B-{i}" for i in range(1, len(own))))  # placeholder tags until the real ones are found
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work, prefix="teacher-") as scratch:
        bare = import_checkpoint(
            model,
            Path(scratch) / "a",
            max_tokens=max_tokens,
            pairs=input_of(data.task).paired,
            texts=texts,
            named=Task(kind, names),
        )
        if tags and not nameless and (known or not labels):
            found = Naming(names, "", _scheme(bare, data))
        else:
            found = _by_dev(source, bare, own, data)
        made = _named(bare, folder, own, found)
    note_made(folder)
    return made


def reread(
    teacher: Artifact, long: str | None, overlap: int | None, work: Path, say: Callable[[str], None]
) -> Artifact:
    """The teacher, reading long texts in this way (see `answers.long_texts.reading`): itself, or a copy in `work`."""
    if (task := reading(teacher.task, long, overlap)) == teacher.task:
        return teacher
    folder = work / f"teacher-{sha256_json([teacher.content_hash, task.to_json()])[:16]}"
    if (found := find_made(folder, say)) is None:
        found = copied(teacher, folder, task)
        note_made(folder)
    return found


def copied(
    artifact: Artifact, folder: Path, task: Task, history: Sequence[Mapping[str, Any]] | None = None
) -> Artifact:
    """A copy of the artifact with another task in the new folder `folder`."""
    with new_folder(folder) as temporary:
        for name in artifact.names_to_copy:
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(artifact.path / name, temporary / name)
        write_manifest(
            temporary, format=artifact.format, task=task, max_tokens=artifact.max_tokens,
            history=artifact.history if history is None else tuple(history), properties=artifact.properties,
        )  # fmt: skip
    return open_artifact(folder)


def _with_learnt(teacher: Artifact, data: Dataset) -> Task:
    """The task of an imported model with what a checkpoint does not say: the longest answer, and whether there is one.

    They come from train, and from the model's answers on dev.
    """
    task, form = teacher.task, form_of(teacher.task)
    if data.train is not None and data.train.task.kind == task.kind:
        task = form.before_training(task, data.train.targets)
    if data.dev is not None and data.dev.task.kind == task.kind:
        values = logits(open_predictor(teacher), data.dev.inputs)
        task = form.after_training(task, values, data.dev.targets)
    return task


def _named(bare: Artifact, folder: Path, own: Sequence[str], found: Naming) -> Artifact:
    """The artifact with the names that were found, and a note in its history on how."""
    (origin,) = bare.history
    options = {key: value for key, value in origin["options"].items() if key != "labels_matched"}
    if tuple(own) != found.names:
        options |= {"labels_matched": dict(zip(own, found.names, strict=True)), "labels_matched_how": found.how}
    task = replace(bare.task, labels=found.names, scheme=found.scheme)
    return copied(bare, folder, task, ({**origin, "options": options},))


def _by_dev(source: Path, bare: Artifact, own: Sequence[str], data: Dataset) -> Naming:
    """Names for a model's logits, from its predictions on dev."""
    labels, dev = data.task.labels, data.dev
    if dev is None:
        raise CheckpointError(
            f"{source}: the model's labels ({join_names(own)}) are not the data's ({join_names(labels)}), and without "
            "a labelled dev split nothing tells which is which\n"
            "  remedy: write the data's labels into config.json, as id2label, in the order of the logits; or give dev"
        )
    if form_of(data.task).per_word and not are_placeholders(own):
        raise CheckpointError(
            f"{source}: the model's types of entity ({join_names(types_of(own))}) are not the data's "
            f"({join_names(types_of(labels))})\n"
            "  remedy: write the data's types into config.json, as id2label, in the order of the logits"
        )
    values = logits(open_predictor(bare), dev.inputs)
    if form_of(data.task).per_word:
        tags = [[labels[i] for i in target] for target in dev.targets]
        return name_tags(source, own, labels, tags, [scores.argmax(axis=1) for scores in values])
    form = form_of(data.task)
    true = form.applies(dev.targets, len(labels))
    return name_by_rows(source, own, labels, true, form.applies(decide(values, bare.task), len(own)))


def _scheme(tagger: Artifact, data: Dataset) -> str | None:
    """The scheme that a tagger was trained on if its labels do not show it: "IOB1", or None for IOB2.

    It is IOB1 if most predicted entities begin with I- and dev, where there is one, agrees better with IOB1.
    """
    prefixes = {split_tag(name)[0] for name in tagger.task.labels}
    dev = data.dev if form_of(data.task).per_word else None
    texts = dev or data.unlabelled
    if texts is None or not {"B", "I"} <= prefixes or prefixes & set("ESLU"):
        return None
    texts = texts if texts is dev else texts.select(range(min(len(texts), _ENOUGH)))
    values = logits(open_predictor(tagger), texts.inputs)
    parts = [split_tag(name) for name in tagger.task.labels]
    begun = {"B": 0, "I": 0}
    for scores in values:
        before = ""
        for prefix, kind in (parts[int(i)] for i in scores.argmax(axis=1)):
            if kind and kind != before:
                begun[prefix] += 1
            before = kind
    if begun["I"] <= begun["B"]:
        return None
    if texts is not dev:
        return IOB1
    targets = texts.for_task(tagger.task).targets
    score = metric_of(tagger.task)
    as_iob1, as_iob2 = (score(decide(values, replace(tagger.task, scheme=scheme)), targets) for scheme in (IOB1, None))
    return IOB1 if as_iob1 > as_iob2 else None


def matching_notes(teacher: Artifact, data: Dataset) -> list[str]:
    """What a reader needs to know about how the model's labels were found, one sentence each."""
    options = teacher.history[0]["options"] if teacher.history and teacher.history[0]["step"] == "import" else {}
    notes = []
    if matched := options.get("labels_matched"):
        pairs = ", ".join(f"{key} is {value}" for key, value in matched.items())
        how = options.get("labels_matched_how")
        if how is None:
            how = "matched by number" if are_integers(matched.values()) else "the same but for their case"
        lacking = "have no names" if are_placeholders(tuple(matched)) else "are not called what the data call them"
        notes.append(f"the model's labels {lacking}; {how}: {pairs}")
    elif teacher.task.labels and not data.task.labels and options and are_placeholders(teacher.task.labels):
        notes.append(
            "the model's labels have no names, and there are none in the data: they stay "
            f"{join_names(teacher.task.labels)} (write id2label into its config.json to name them)"
        )
    if options and (numbers := by_number(data.task.labels, teacher.task.labels)) is not None:
        shown = [f"{name} is {teacher.task.labels[i]}" for name, i in zip(data.task.labels, numbers, strict=True)]
        notes.append(f"the data's labels are the numbers of the model's: {join_names(shown)}")
    if teacher.task.scheme is not None:
        notes.append(f"the model's tags are read as {teacher.task.scheme}: most of its entities begin with I-")
    return notes


def cut_notes(teacher: Artifact, data: Dataset) -> list[str]:
    """How many dev and test texts the teacher cuts."""
    tokenizer = Tokenizer(teacher.file("tokenizer.json"), teacher.max_tokens)
    parts = {split: part.inputs for split in ("dev", "test") if (part := getattr(data, split)) is not None}
    notes = (cut_note(teacher.task, tokenizer, texts, split) for split, texts in parts.items())
    return [f"{note}, in every rung alike" for note in notes if note]


def check_teacher(
    teacher: Artifact, dev: Examples | None, name: str, *, threads: int | None = None, allowed: bool = False
) -> list[str]:
    """Notes on a teacher that scores no better than a constant answer, if that is `allowed`.

    Args:
        dev: labelled examples in the teacher's task; None skips the check. name: what the user calls the model.

    Raises `LeanformerError` for such a teacher if it is not allowed: models made from it would be just as bad.
    """
    if dev is None or not dev.is_labelled:
        return []
    values = logits(open_predictor(teacher, threads=threads), dev.inputs)
    return weak_notes(decide(values, teacher.task), dev.targets, teacher.task, name, "dev", allowed=allowed)


def weak_notes(
    answers: np.ndarray, targets: np.ndarray, task: Task, name: str, split: str, *, allowed: bool
) -> list[str]:
    """The notes and errors of `check_teacher`, for answers that are already computed."""
    if (found := beaten_by(answers, targets, task)) is None:
        return []
    if allowed:
        return [f"on {split} the teacher scores no better than a constant answer: {found}"]
    raise LeanformerError(
        f"{name}: on {split} the model scores no better than a constant answer: {found}\n"
        "  remedy: check that its labels are in the order of its logits (id2label in config.json), that it is a model "
        "of this kind for these data (problem_type, one text or two), and that the texts are prepared as those that it "
        "was trained on (tokenizer, case, prefixes); --allow-weak-teacher continues anyway"
    )
