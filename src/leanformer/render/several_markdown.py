"""Several reports as Markdown: the page without its charts."""

from __future__ import annotations

from leanformer.render.charts import drawable
from leanformer.render.energy import chosen
from leanformer.render.losses import FLIP_HEADER, GROUP_HEADER, flip_rows, group_rows, has_loss, summary_words
from leanformer.render.markdown import report_markdown, table_markdown
from leanformer.render.several_reports import Gathered, cost_rows, gathered_json, step_words


def gathered_markdown(gathered: Gathered) -> str:
    """Each complete report, then the fronts, the losses of the chosen rungs, cost and lineage."""
    parts = [report_markdown(report, gathered.spent_usd).strip() for report in gathered.reports.values()]
    fronts, points = gathered_json(gathered)["pareto_fronts"], gathered.points()
    names = {point.number: point.rung.name for point in points}
    parts.append("## Pareto fronts")
    parts.append(
        "\n".join(
            f"- {measure.title}: " + ", ".join(f"{number} {names[number]}" for number in fronts[measure.key])
            for measure in drawable(points)
        )
    )
    for report in gathered.reports.values():
        rung = chosen(report)
        if has_loss(rung):
            loss = rung.loss or {}
            parts += [
                f"## Where {rung.name!r} lost quality ({report.title})",
                "\n".join(f"- {word}" for word in summary_words(rung)),
                table_markdown(GROUP_HEADER, group_rows(loss["classes"], worst_first=True)),
                table_markdown(GROUP_HEADER, group_rows(loss["lengths"], worst_first=False)),
                table_markdown(FLIP_HEADER, flip_rows(rung, gathered.texts)),
            ]
    if gathered.prices:
        header = ("#", "rung", *(f"USD/100M at {price.name}" for price in gathered.prices))
        parts += ["## Cost", table_markdown(header, cost_rows(gathered))]
    parts.append("## How each was made")
    for point in points:
        steps = [f"  {i + 1}. `{step_words(step)}`" for i, step in enumerate(point.rung.lineage or ())]
        parts.append("\n".join([f"- {point.number} {point.rung.name}", *(steps or ["  (not recorded)"])]))
    commands = [f"- `{report.command}`" for report in gathered.reports.values() if report.command]
    if commands:
        parts += ["## Commands", "\n".join(commands)]
    return "\n\n".join(parts) + "\n"
