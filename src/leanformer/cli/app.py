"""All commands, as one application."""

from __future__ import annotations

import typer

from leanformer.cli import (
    bench,
    cascade,
    compress,
    curate,
    curve,
    demo,
    embedder,
    export,
    gate,
    inspect,
    label,
    plan,
    predict,
    pretrain,
    quickstart,
    report,
    search,
    serve,
    techniques,
    train,
    tune,
)
from leanformer.cli.numbers import Numbered
from leanformer.cli.panels import MAKE, MEASURE, USE
from leanformer.cli.pick import pick

app = typer.Typer(
    help="Compress a fine-tuned Transformer, and measure what every step gains and costs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=Numbered, rich_help_panel=MAKE)(train.train)
app.command(cls=Numbered, rich_help_panel=MAKE)(compress.compress)
app.command(cls=Numbered, rich_help_panel=MAKE)(search.search)
app.command(cls=Numbered, rich_help_panel=MAKE)(cascade.cascade)
app.command(cls=Numbered, rich_help_panel=MAKE)(embedder.embedder)
app.command(cls=Numbered, rich_help_panel=MAKE)(pretrain.pretrain)
app.command(cls=Numbered, rich_help_panel=MAKE)(quickstart.quickstart)
app.command(cls=Numbered, rich_help_panel=MAKE)(demo.demo)
app.command(cls=Numbered, rich_help_panel=MEASURE)(curate.curate)
app.command(cls=Numbered, rich_help_panel=MEASURE)(label.label)
app.command(cls=Numbered, rich_help_panel=MEASURE)(curve.curve)
app.command(cls=Numbered, rich_help_panel=MEASURE)(plan.plan)
app.command(cls=Numbered, rich_help_panel=MEASURE)(bench.bench)
app.command(cls=Numbered, rich_help_panel=MEASURE)(gate.gate)
app.command(cls=Numbered, rich_help_panel=MEASURE)(report.report)
app.command(cls=Numbered, rich_help_panel=MEASURE)(inspect.inspect)
app.command(cls=Numbered, rich_help_panel=MEASURE)(techniques.techniques)
app.command(cls=Numbered, rich_help_panel=USE)(predict.predict)
app.command(cls=Numbered, rich_help_panel=USE)(serve.serve)
app.command(cls=Numbered, rich_help_panel=USE)(tune.tune)
app.command(cls=Numbered, rich_help_panel=USE)(pick)
app.command(cls=Numbered, rich_help_panel=USE)(export.export)
