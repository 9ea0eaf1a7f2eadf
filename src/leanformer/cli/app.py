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
from leanformer.cli.numbers import Numbered

app = typer.Typer(
    help="Make a fine-tuned Transformer small and fast, with the proof.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=Numbered)(train.train)
app.command(cls=Numbered)(compress.compress)
app.command(cls=Numbered)(search.search)
app.command(cls=Numbered)(predict.predict)
app.command(cls=Numbered)(cascade.cascade)
app.command(cls=Numbered)(bench.bench)
app.command(cls=Numbered)(gate.gate)
app.command(cls=Numbered)(inspect.inspect)
app.command(cls=Numbered)(report.report)
app.command(cls=Numbered)(techniques.techniques)
app.command(cls=Numbered)(export.export)
app.command(cls=Numbered)(embedder.embedder)
app.command(cls=Numbered)(demo.demo)
app.command(cls=Numbered)(serve.serve)
app.command(cls=Numbered)(tune.tune)
