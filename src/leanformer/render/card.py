"""The model card of an artifact."""

from __future__ import annotations

from leanformer.answers.forms import form_of
from leanformer.answers.long_texts import windowed_of
from leanformer.artifact import Artifact
from leanformer.formats import format_of
from leanformer.inputs.kinds import input_of
from leanformer.render.cascade import promise_notes
from leanformer.render.leaks import clean_words
from leanformer.render.load import busy_mark
from leanformer.render.markdown import ladder_markdown
from leanformer.render.quoted import code, plain
from leanformer.render.table import facts, further_scores, number
from leanformer.report import Report


def model_card(artifact: Artifact, report: Report) -> str:
    """What the model is, how to run it, where it came from, and the measured figures."""
    assert report.choice is not None
    rung = next(rung for rung in report.rungs if rung.name == report.choice["rung"])
    labels = ", ".join(code(name) for name in artifact.task.labels[:30])
    more = len(artifact.task.labels) - 30
    steps = "\n".join(
        f"{i + 1}. {code(str(entry['step']))}" + _said(entry.get("options", {}))
        for i, entry in enumerate(artifact.history)
    )
    form = form_of(artifact.task)
    whole = format_of(artifact).whole_texts
    long = "read in windows" if windowed_of(artifact.task) else "cut"
    peak = "not measured" if rung.peak_memory_bytes is None else f"{rung.peak_memory_bytes / 1e6:.0f} MB"
    parameters = "" if rung.parameters is None else f", {rung.parameters / 1e6:.1f} M parameters"
    return f"""# {plain(report.title)}

A {artifact.task.kind} model made by Leanformer, format `{artifact.format}`.

- {form.card}{labels}{f" and {more} more" if more > 0 else ""}.{_scale(artifact)}
- Longest input: {f"{artifact.max_tokens} tokens; longer texts are {long}" if not whole else "whole texts are read"}.
- Size: {artifact.bytes / 1e6:.1f} MB{parameters}; peak memory of a process that uses it: {peak}.
- Speed: {number(rung.throughput_per_second)} texts per second, {number(rung.latency_ms_p50)} ms for one text\
{", on a busy machine: too low" if busy_mark(report) else ""}.
- Quality: {rung.metric} {100 * rung.quality:.2f} % on {rung.n} test texts ({100 * rung.quality_low:.1f} to \
{100 * rung.quality_high:.1f}){clean_words(rung)}; {"; ".join(further_scores(rung))}.
- {report.choice["status"].capitalize()}: {plain(report.choice["reason"])}.
{"".join(f"- {plain(note[0].upper() + note[1:])}.{chr(10)}" for note in promise_notes(artifact))}
{_usage(artifact)}

## How it was made

{steps}

## The ladder

{ladder_markdown(report)}

{chr(10).join(f"- {plain(fact)}" for fact in facts(report))}

## Limits

The figures hold for text like the test texts. An int8 graph was checked on the machine named above; check its
predictions again on a CPU with other instruction sets.
"""


def _usage(artifact: Artifact) -> str:
    if (extra := format_of(artifact).extra) is not None:  # `leanformer.load` needs PyTorch for it
        given = input_of(artifact.task).arguments
        return f'```sh\npip install "leanformer[{extra}]"\nleanformer predict this-folder {given}\n```'
    text = input_of(artifact.task).example
    return (
        f'```python\nimport leanformer\n\nmodel = leanformer.load("this-folder")\nprint(model.predict([{text}]))\n```'
    )


def _scale(artifact: Artifact) -> str:
    """What another program must know to compute answers from the graph's logits."""
    task = artifact.task
    if task.thresholds is not None:
        return " A label is given from its own threshold on (`task.thresholds` in `leanformer.json`)."
    if task.transitions is not None:
        return (
            " Tags are the best legal sequence, the logits of words and what each step from tag to tag adds "
            "(`task.transitions` in `leanformer.json`: of first tags, then of each tag) together."
        )
    if task.scale is not None:
        return f" Score = {task.scale[0]:.6g} + {task.scale[1]:.6g} * logit."
    return ""


def _said(options: dict[str, object]) -> str:
    chosen = {key: value for key, value in options.items() if value not in (None, False, [], ())}
    return "" if not chosen else ": " + ", ".join(plain(f"{key} {value}") for key, value in chosen.items())
