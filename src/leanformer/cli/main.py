"""`leanformer`: how the commands are run, and how errors, interrupts and full disks reach the user.

Whatever takes a moment to import is imported inside `main`, where an interrupt ends in a message.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` takes longer to import than all that comes before `main`
if TYPE_CHECKING:
    from typing import NoReturn

# Commands that go on where they were stopped; to give another one again is to begin again.
_TAKEN_UP = ("train", "compress", "search", "demo")


def main() -> None:
    """Run the command line.

    Exit status: 0 done, 1 an error the user can mend, 2 wrong usage, 3 see `compress` and `search`, 4 see `gate` and
    `cascade`, 130 interrupted, 141 the reader of standard output has gone.
    """
    try:
        from leanformer.cli.interrupts import Interrupts

        with Interrupts(_run, _stop_at_once) as interrupts:
            try:
                _run()
            except BaseException as error:
                # An interrupt in the middle of foreign code may come out as any other error.
                status = error.code if isinstance(error, SystemExit) else None
                if status != 130 and not interrupts.seen:  # 130 is what typer makes of an interrupt
                    raise
            else:
                if not interrupts.seen:
                    return
            interrupts.ignore()
    except KeyboardInterrupt:  # before it could be noted
        pass
    _stop()


def _end_without_reader() -> NoReturn:
    """The reader (head, less) has gone; there is nobody left to tell."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(141)


def _run() -> None:
    # Progress bars of libraries would mix with our own lines.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    from leanformer.cli.streams import write_anything

    write_anything(sys.stdout, sys.stderr)
    from leanformer.cli.app import app
    from leanformer.cli.full_disk import full_disk
    from leanformer.errors import LeanformerError
    from leanformer.progress import live

    try:
        with live():
            app()
    except LeanformerError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        _end_without_reader()
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # out of which typer makes a status of 1
            _end_without_reader()
        raise
    except Exception as error:
        if (message := full_disk(error, goes_on=_goes_on())) is None:
            if not isinstance(error, OSError):
                raise
            # Of a renaming the second name is the user's; the first is a temporary one.
            name = error.filename2 or error.filename
            where = "" if name is None else f"{os.fsdecode(name) if isinstance(name, str | bytes) else name}: "
            message = f"{where}{error.strerror or error or type(error).__name__}"
        print(f"error: {message}", file=sys.stderr)
        sys.exit(1)


def _goes_on() -> bool:
    return len(sys.argv) > 1 and sys.argv[1] in _TAKEN_UP


def _stop() -> NoReturn:
    print(_stopped(), file=sys.stderr)
    sys.exit(130)


def _stop_at_once() -> NoReturn:
    """From a signal handler, where the streams may be in the middle of writing and nothing may be raised."""
    from leanformer.progress import erasing

    os.write(2, f"{erasing()}{_stopped()}\n".encode())
    os._exit(130)


def _stopped() -> str:
    return "stopped" + ("; run the same command again to resume" if _goes_on() else "")


if __name__ == "__main__":
    main()
