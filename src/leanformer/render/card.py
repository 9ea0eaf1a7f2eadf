"""The model card that an artifact carries."""

from __future__ import annotations

from leanformer.artifact import Artifact
from leanformer.render.markdown import ladder_markdown
from leanformer.render.table import facts, number
from leanformer.report import Report


def model_card(artifact: Artifact, report: Report) -> str:
    """What the model is, how to run it, where it came from, and the measured figures."""
    assert report.choice is not None
    rung = next(one for one in report.rungs if one.name == report.choice["rung"])
    labels = ", ".join(f"`{name}`" for name in artifact.task.labels[:30])
    more = len(artifact.task.labels) - 30
    steps = "\n".join(
        f"{i + 1}. `{entry['step']}`" + _said(entry.get("options", {})) for i, entry in enumerate(artifact.history)
    )
    peak = "not measured" if rung.peak_memory_bytes is None else f"{rung.peak_memory_bytes / 1e6:.0f} MB"
    parameters = "" if rung.parameters is None else f", {rung.parameters / 1e6:.1f} M parameters"
    return f"""# {report.title}

A {artifact.task.kind} model made by [Leanformer](https://pypi.org/project/leanformer/), format `{artifact.format}`.

- Labels: {labels}{f" and {more} more" if more > 0 else ""}.
- Longest input: {artifact.max_tokens} tokens; longer texts are cut.
- Size: {artifact.bytes / 1e6:.1f} MB{parameters}; peak memory of a process that uses it: {peak}.
- Speed: {number(rung.throughput_per_second)} texts per second, {number(rung.latency_ms_p50)} ms for one text.
- Quality: {rung.metric} {100 * rung.quality:.2f} % on {rung.n} test texts ({100 * rung.quality_low:.1f} to \
{100 * rung.quality_high:.1f}); macro-F1 {100 * rung.macro_f1:.2f}; class found least often: `{rung.worst_class}`, \
recall {100 * rung.worst_class_recall:.1f} %.
- {report.choice["status"].capitalize()}: {report.choice["reason"]}.

{_usage(artifact)}

## How it was made

{steps}

## The ladder

{ladder_markdown(report)}

{chr(10).join(f"- {fact}" for fact in facts(report))}

## Limits

It answers for text like that it was made from; figures on other text are unknown. An int8 graph was checked on the
machine above; on a CPU with other instruction sets compare its answers again.
"""


def _usage(artifact: Artifact) -> str:
    if artifact.format != "onnx":  # `leanformer.load` runs graphs alone
        return '```sh\npip install "leanformer[train]"\nleanformer predict this-folder "some text"\n```'
    return (
        "```python\nimport leanformer\n\n"
        'model = leanformer.load("this-folder")\nprint(model.predict(["some text"]))\n```'
    )


def _said(options: dict[str, object]) -> str:
    chosen = {key: value for key, value in options.items() if value not in (None, False, [], ())}
    return "" if not chosen else ": " + ", ".join(f"{key} {value}" for key, value in chosen.items())
