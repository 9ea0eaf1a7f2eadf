"""A page to decide about suspected labels with the keyboard: one file, nothing from elsewhere, all data escaped."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from leanformer.curate.decisions import FORMAT_VERSION

if TYPE_CHECKING:
    from leanformer.curate.findings import Findings

MOST_SHOWN = 2000


def suspects_page(findings: Findings) -> str:
    """The page of the most suspect labels of train, which saves a file for `leanformer curate --decisions`.

    It has no handlers or styles in data, loads nothing, and runs only its own script. Raises `ValueError` if labels
    were not checked.
    """
    if (check := findings.labels) is None:
        raise ValueError("labels were not checked")
    shown = [suspect.to_json() for suspect in check.suspects[:MOST_SHOWN]]
    total = f"the first {len(shown):,} of {len(check.suspects):,}" if len(check.suspects) > len(shown) else "all"
    data = {
        "format_version": FORMAT_VERSION, "data": check.data, "name": findings.card.name,
        "labels": list(findings.card.labels), "suspects": shown,
        "about": f"{total.capitalize()} that a linear model on {check.features} calls wrong, most suspect first.",
    }  # fmt: skip
    place = Path(__file__)
    code = place.with_suffix(".js").read_text(encoding="utf-8")
    page = place.with_suffix(".html").read_text(encoding="utf-8")
    # In JSON these letters occur in strings alone, where they may be written so; `</script>` and `<!--` cannot occur.
    written = json.dumps(data).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    digest = b64encode(sha256(code.encode()).digest()).decode()
    before, after = page.replace("@SCRIPT@", digest).replace("@CODE@", code).split("@DATA@")
    return before + written + after
