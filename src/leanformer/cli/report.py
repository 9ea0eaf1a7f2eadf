"""`leanformer report`: the measured ladders of one or more folders as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leanformer.cli.arguments import SeedOption, SplitOption, command_line, open_data, say
from leanformer.errors import LeanformerError


def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders with a report.json, or such files.")],
    output: Annotated[Path, typer.Option(help="HTML file; .md and .json files are written next to it.")] = Path(
        "report.html"
    ),
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="DATA", help="The data measured on, to show the texts whose answers changed."),
    ] = None,
    split: SplitOption = None,
    prices: Annotated[
        Path | None, typer.Option(help="YAML table of hourly prices that replaces the shipped one.")
    ] = None,
    spent_usd: Annotated[
        float | None, typer.Option(min=0, help="Cost of compressing in USD, to compute the break-even point.")
    ] = None,
    seed: SeedOption = 13,
) -> None:
    """Write the measurements in each DIR as one self-contained page.

    Test texts appear in the page only with --data; leave it out if the page will be shared.
    """
    from leanformer.files import write_json, write_text
    from leanformer.measure.cost import read_prices
    from leanformer.outputs.ours import is_page
    from leanformer.outputs.written import check_file
    from leanformer.render.page import report_page
    from leanformer.render.several_markdown import gathered_markdown
    from leanformer.render.several_reports import Gathered, gather, gathered_json
    from leanformer.report import showing

    if output.suffix.lower() not in (".html", ".htm"):
        raise LeanformerError(f"{output}: the page is an .html file\n  remedy: --output {output.stem}.html")
    for suffix in (output.suffix, ".md", ".json"):
        check_file(output.with_suffix(suffix), "a page of `leanformer report`", is_page)
    table = read_prices(prices)
    reports = gather(folders)
    texts: tuple[str, ...] | None = None
    if data is not None:
        from leanformer.inputs.input import parts_of
        from leanformer.measure.data_reuse import texts_hash

        test = open_data(data, split, seed, single="test").test
        known = {ladder.data.get("splits", {}).get("test") for ladder in reports.values()}
        if test is None or known != {texts_hash(test.inputs)}:
            raise LeanformerError(
                f"{data}: its test texts are not those that every report was measured on\n"
                "  remedy: give the data set of the reports, with the same --split; or leave --data out"
            )
        texts = tuple(" / ".join(parts_of(input_)) for input_ in test.inputs)
    with showing(", ".join(map(str, folders))):
        gathered = Gathered(reports, table, spent_usd, texts, command_line())
        page, markdown, value = report_page(gathered), gathered_markdown(gathered), gathered_json(gathered)
    write_text(output, page)
    write_text(output.with_suffix(".md"), markdown)
    write_json(output.with_suffix(".json"), value)
    say(f"{output}, {output.with_suffix('.md').name} and {output.with_suffix('.json').name} written")
