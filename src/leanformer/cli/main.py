"""`leanformer`: the commands, and how errors reach the user."""

from __future__ import annotations

import os
import sys

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
from leanformer.errors import LeanformerError

# Commands that go on where they were stopped; to give another one again is to begin again.
_TAKEN_UP = ("train", "compress", "search", "demo")

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


def main() -> None:
    """Run the command line.

    Exit status: 0 done, 1 an error the user can mend, 2 wrong usage, 3 see `compress` and `search`, 4 see `gate` and
    `cascade`.
    """
    # Progress bars of libraries would mix with our own lines.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        app()
    except LeanformerError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except SystemExit as stop:
        if stop.code == 130:  # what typer makes of an interrupt
            goes_on = len(sys.argv) > 1 and sys.argv[1] in _TAKEN_UP
            print("stopped" + ("; give the same command again to go on from here" if goes_on else ""), file=sys.stderr)
        raise
    except BrokenPipeError:
        # The reader (head, less) has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        # Of a renaming the second name is the user's; the first is a temporary one.
        name = error.filename2 or error.filename
        where = "" if name is None else f"{os.fsdecode(name) if isinstance(name, str | bytes) else name}: "
        print(f"error: {where}{error.strerror or error or type(error).__name__}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
