"""What happens along a chain of revisions (the paper's Figure 6, left)."""

from __future__ import annotations

from ttc_core.drawing.info import COLOURS, Axis, Info, Panel, Series, Style, shares
from ttc_core.drawing.tables import Tables
from ttc_core.errors import UserError
from ttc_core.registry import figure

LEAST = 10  # attempts at a position that is shown
FEWEST = 50  # problems; of fewer a share says little


@figure("revision_positions")
def info(tables: Tables) -> Info:
    """Right attempts by their position in the chain, and what revising turned."""
    found = tables.positions()
    if found["problems"] < FEWEST:
        raise UserError(
            f"the study kept chains of {found['problems']} problems only, and this takes {FEWEST}",
            hint=f'keep_trees = "sample:{FEWEST}" in a study file keeps them; the study `chains` has all of its own',
        )
    shown = [row for row in found["positions"] if row["attempts"] >= LEAST]
    if not shown:
        raise UserError(f"the study kept fewer than {LEAST} attempts at every position of its chains")
    right, low, high, kept, mended = ([row[n] for row in shown] for n in ("right", "low", "high", "kept", "mended"))
    at = [row["position"] for row in shown]
    axis = Axis("position in the chain", ticks=at)
    whole = Series("pass@1", at, right, Style(COLOURS[0]), low, high)
    turned = [
        Series("right → wrong", at, [None if k is None else 1 - k for k in kept], Style(COLOURS[1], "dash", "down")),
        Series("wrong → right", at, mended, Style(COLOURS[2], "dot", "triangle")),
    ]
    panels = [
        Panel("right attempts", axis, shares("share"), [whole]),
        Panel("what revising turned", axis, shares("share"), turned),
    ]
    caption = (
        f"Left: pass@1 of the attempts at each position of {found['chains']:,} chains of {found['model']} on "
        f"{found['problems']:,} problems, those whose searches the study kept. Right: of attempts whose predecessor "
        f"was right, the share that is wrong, and the reverse. Positions with fewer than {LEAST} attempts are left "
        f"out. {tables.about_revising} Band: 95 % by a bootstrap over problems."
    )
    return Info("revision_positions", panels, caption, columns=2)
