"""All commands, as one application."""

from __future__ import annotations

import typer

from leanformer.cli import (
    bench,
    cascade,
    compress,
    demo,
    embedder,
    export,
    gate,
    inspect,
    predict,
    report,
    search,
    serve,
    techniques,
    train,
    tune,
)

app = typer.Typer(
    help="Make a fine-tuned Transformer small and fast, with the proof.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(train.train)
app.command()(compress.compress)
app.command()(search.search)
app.command()(predict.predict)
app.command()(cascade.cascade)
app.command()(bench.bench)
app.command()(gate.gate)
app.command()(inspect.inspect)
app.command()(report.report)
app.command()(techniques.techniques)
app.command()(export.export)
app.command()(embedder.embedder)
app.command()(demo.demo)
app.command()(serve.serve)
app.command()(tune.tune)
