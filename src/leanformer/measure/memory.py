"""Peak memory of a fresh process that opens an artifact and scores texts.

Run as `python -m leanformer.measure.memory MODULE:FUNCTION ARTIFACT TEXTS`, it prints the peak resident set in bytes;
`measure_memory` starts that process. The caller names the opener, so that this module does not depend on any model.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from leanformer.artifact import Artifact
from leanformer.inputs.input import from_json
from leanformer.task import Text


def measure_memory(artifact: Artifact, texts: Sequence[Text], opener: str, threads: int) -> int | None:
    """Peak resident set in bytes of a process that scores `texts`; None if it cannot be measured.

    Args:
        opener: "module:function", called with the folder and the thread count; returns a Predictor.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.json"
        path.write_text(json.dumps(list(texts)), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "leanformer.measure.memory",
            opener,
            str(artifact.path),
            str(path),
            str(threads),
        ]
        result = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    if result.returncode != 0:
        return None
    return int(result.stdout.strip().splitlines()[-1])


def _peak_bytes() -> int:
    """Peak resident set of this process alone."""
    # On Linux a child inherits ru_maxrss: a small process started by a large one would report the large one's peak.
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _main(opener: str, folder: str, texts_path: str, threads: str) -> None:
    module, _, function = opener.partition(":")
    predictor = getattr(import_module(module), function)(folder, threads=int(threads))
    texts = [from_json(load) for load in json.loads(Path(texts_path).read_text("utf-8"))]
    predictor.infer(predictor.tokenize(texts))
    print(_peak_bytes())


if __name__ == "__main__":
    _main(*sys.argv[1:])
