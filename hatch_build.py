"""Wheels with the native engine inside, compiled on any machine for each platform: `make wheel`.

    python hatch_build.py                  all wheels, in dist/: one for each platform, and the pure one
    python hatch_build.py --only x86_64    one of them (x86_64, aarch64 or pure)
    python hatch_build.py --checkout       no wheel, but the library of this machine in this checkout, which then runs
                                           what a wheel does; `make install` does it

The compiler is `ziglang` of the package index, which brings the headers and stubs of every glibc: a library for 2.17
runs on every Linux that wheels for "manylinux" are installed on. It is needed here alone, never where a wheel is
installed. The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
# The part of the package that is needed here has no dependencies.
sys.path.insert(0, str(ROOT / "src"))

from leanformer.errors import LeanformerError  # noqa: E402
from leanformer.files import new_folder, sha256_file, write_json  # noqa: E402
from leanformer.runtime.native.build import compile_library  # noqa: E402
from leanformer.runtime.native.shipped import FOLDER, LIBRARY, RECORD  # noqa: E402
from leanformer.runtime.native.sources import sources_hash  # noqa: E402

MACHINES, PURE = ("x86_64", "aarch64"), "pure"
GLIBC = "2.17"
LARGEST_BYTES = 3_000_000
_SECONDS = 900.0
# Hatch runs the hook in a process of its own; this tells it what to put into the wheel.
_VARIABLE = "LEANFORMER_WHEEL_LIBRARY"
# Nothing but these functions is seen from outside, and nothing in the file says where or when it was made.
_SYMBOLS = "{ global: leanformer_level; leanformer_ngrams_*; local: *; };\n"


class NativeLibraryHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the library into a wheel and names the wheel after its platform; without one, the wheel is pure."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        folder = os.environ.get(_VARIABLE)
        if folder is None or version == "editable":
            return
        machine = json.loads((Path(folder) / RECORD).read_text(encoding="utf-8"))["platform"].partition("-")[2]
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-manylinux_{GLIBC.replace('.', '_')}_{machine}"
        place = FOLDER.relative_to(ROOT / "src")
        build_data["force_include"] |= {str(Path(folder) / name): str(place / name) for name in (LIBRARY, RECORD)}


def make_library(machine: str, folder: Path) -> Path:
    """Compile the library for a machine into `folder`, with its record. Raises `LeanformerError` for a large one."""
    compiler = [sys.executable, "-m", "ziglang", "c++", "-target", f"{machine}-linux-gnu.{GLIBC}"]
    with tempfile.TemporaryDirectory() as scratch, new_folder(folder) as made:
        symbols = Path(scratch) / "symbols"
        symbols.write_text(_SYMBOLS)
        built = compile_library(
            compiler, Path(scratch), machine=machine, link=["-s", f"-Wl,--version-script={symbols}"],
            link_seconds=_SECONDS,
        )  # fmt: skip
        if built.stat().st_size > LARGEST_BYTES:
            raise LeanformerError(f"the library has {built.stat().st_size:,} bytes, more than {LARGEST_BYTES:,}")
        shutil.copyfile(built, made / LIBRARY)
        record = {"platform": f"linux-{machine}", "sha256": sha256_file(made / LIBRARY), "sources": sources_hash()}
        write_json(made / RECORD, record | {"compiler": f"ziglang {metadata.version('ziglang')}"})
    return folder


def make_wheel(kind: str, output: Path) -> None:
    """Write one wheel to `output`: for a machine, or pure."""
    environment = {name: value for name, value in os.environ.items() if name != _VARIABLE}
    if kind != PURE:
        environment[_VARIABLE] = str(make_library(kind, ROOT / "build" / "native" / kind))
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(output)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=(*MACHINES, PURE), help="the one wheel to make")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="folder of the wheels")
    parser.add_argument("--checkout", action="store_true", help="the library of this machine, into this checkout")
    arguments = parser.parse_args()
    if not arguments.checkout:
        for kind in (arguments.only,) if arguments.only else (*MACHINES, PURE):
            make_wheel(kind, arguments.output)
    elif sys.platform == "linux" and platform.machine() in MACHINES:
        make_library(platform.machine(), FOLDER)
    else:
        print(f"{sys.platform} on {platform.machine()}: no library is made for it; the engine is compiled at first use")


if __name__ == "__main__":
    try:
        main()
    except LeanformerError as error:
        sys.exit(f"error: {error}")
