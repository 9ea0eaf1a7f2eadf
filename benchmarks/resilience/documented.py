"""Run the documentation's blocks that train: those after the comment `<!-- bench -->` in README and docs.

They run in one temporary folder, in order, with `data/` a generated sample; the first that fails ends the run.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.paths import ROOT
from leanformer.data.sample.sample import write_sample

BLOCK = re.compile(r"<!-- bench -->\n```sh\n(.*?)```", re.S)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory() as folder:
        write_sample(Path(folder, "data"), train=1000, dev=200, test=300, unlabelled=1000)
        for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
            for code in BLOCK.findall(page.read_text(encoding="utf-8")):
                print(f"== {page.relative_to(ROOT)}\n{code}", flush=True)
                subprocess.run(["bash", "-euc", code], cwd=folder, env=environment, check=True)


if __name__ == "__main__":
    main()
