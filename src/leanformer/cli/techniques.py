"""`leanformer techniques`: the catalogue and its cards."""

from __future__ import annotations

from typing import Annotated

import typer


def techniques(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show this technique's card.")] = None,
) -> None:
    """List all techniques, or show the card of one."""
    from leanformer.catalog import TECHNIQUES, card

    if name is None:
        width = max(len(one) for one in TECHNIQUES)
        for one in sorted(TECHNIQUES):
            print(f"{one:<{width}}  {card(one).title}")
        return
    one_card = card(name)
    print(f"{one_card.name}: {one_card.title}\n")
    for field, text in one_card.fields.items():
        print(f"{field}: {text}\n")
    print("Options:")
    for option in one_card.options:
        print(f"  {option.name}: {option.type} = {option.default}\n      {option.meaning}".rstrip())
