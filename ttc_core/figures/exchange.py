"""A small model that may search against a larger one at equal FLOPs (the paper's Figures 9 to 12)."""

from __future__ import annotations

from typing import Any

from ttc_core.drawing.info import BLACK, Info, Panel, Series, Style, bin_name, budgets, by_bin, plain, shares
from ttc_core.drawing.tables import Tables
from ttc_core.registry import figure


@figure("exchange")
def info(tables: Tables) -> Info:
    """Pretraining against test-time compute, by difficulty."""
    return _drawn("exchange", tables.exchange(), tables.about)


@figure("exchange_predicted")
def predicted(tables: Tables) -> Info:
    """Pretraining against test-time compute, by predicted difficulty."""
    return _drawn("exchange_predicted", tables.exchange("predicted"), f"Bins by predicted difficulty. {tables.about}")


@figure("exchange_majority")
def majority(tables: Tables) -> Info:
    """Pretraining against test-time compute that chooses by majority."""
    found = tables.exchange(majority=True)
    return _drawn("exchange_majority", found, f"Answers chosen by majority. {tables.about}")


def _drawn(name: str, found: dict[str, Any], about: str) -> Info:
    bins, panels, star = len(found["bins"]), [], f"larger model ({found['larger']:.3g}×)"
    for r, ratio in enumerate(found["ratios"]):
        series = [
            Series(bin_name(b, bins), found["budgets"], curve, by_bin(b, bins))
            for b, curve in enumerate(found["curves"])
        ]
        series.append(Series(star, [], [], Style(BLACK, "solid", "star"), kind="points"))  # all stars in the legend
        places = [(b, found["bins"][b]["stars"][r]) for b in range(bins)]
        shown = [(b, s) for b, s in places if s["large"] is not None]
        for b, s in shown:
            style = Style(by_bin(b, bins).colour, "solid", "star")
            series.append(
                Series(f"{star}, {bin_name(b, bins)}", [s["budget"]], [s["large"]], style, kind="points", entry=star)
            )
        ticks = [*found["budgets"], *(b for b in [ratio["multiplier"]] if b > 1.5 * max(found["budgets"]))]
        panels.append(Panel(f"R = {plain(ratio['ratio'])}", budgets(ticks), shares("accuracy", 1.0), series))
    caption = (
        f"Accuracy of the small model with test-time compute (lines, compute-optimal) and of {found['large_model']} "
        f"answering once (stars, {found['larger']:.3g} times the parameters), where both cost the same FLOPs, by the "
        f"ratio R of inference to pretraining tokens. A star above its line: pretraining wins. {about}"
    )
    return Info(name, panels, caption, columns=3)
