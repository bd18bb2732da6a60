"""Methods beside each other in each bin of difficulty (the paper's Figure 3, right)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ttc_core.drawing.info import OPTIMAL, Info, Panel, Series, categories, labelled, plain, shares, styles
from ttc_core.drawing.tables import Tables
from ttc_core.registry import figure

PANELS = 4  # budgets at most
PAPER = (4, 16, 64, 256)  # the paper's


@figure("methods_by_bin")
def info(tables: Tables) -> Info:
    """Accuracy of each strategy by difficulty and budget."""
    return _drawn("methods_by_bin", tables.frontier("oracle"), tables)


@figure("methods_by_bin_predicted")
def predicted(tables: Tables) -> Info:
    """Accuracy of each strategy by predicted difficulty and budget."""
    return _drawn("methods_by_bin_predicted", tables.frontier("predicted"), tables, " Bins by predicted difficulty.")


@figure("methods_by_bin_majority")
def majority(tables: Tables) -> Info:
    """Accuracy of each strategy that chooses by majority, by difficulty and budget."""
    found = tables.frontier("oracle", majority=True)
    return _drawn("methods_by_bin_majority", found, tables, " Answers chosen by majority.")


def _drawn(name: str, found: Mapping[str, Any], tables: Tables, how: str = "") -> Info:
    style = styles(tables.methods)
    names, bins = _compared(found), list(range(len(found["by_bin"])))
    axis = categories("bin of difficulty", [str(b + 1) for b in bins])
    panels = []
    for i in _budgets(found, names):
        series = [
            Series(labelled(one), bins, [found["by_bin"][b][one][i] for b in bins], style[one], kind="bar")
            for one in names
        ]
        title = f"{plain(found['budgets'][i])} {found['axis']}"
        panels.append(Panel(title, axis, shares("accuracy", 1.0), series))
    caption = (
        f"Accuracy in each bin of difficulty, 1 the easiest, of {labelled(found['baseline'])} and of the best variant "
        f"of every other strategy (by mean accuracy over budgets).{how} {tables.about}"
    )
    return Info(name, panels, caption, columns=2)


def _compared(found: Mapping[str, Any]) -> list[str]:
    """The baseline, and of every other strategy that was given more than one budget its best variant."""
    best: dict[str, tuple[float, str]] = {}
    for name, curve in found["curves"].items():
        known = [y for y in curve["mean"] if y is not None]
        if name == OPTIMAL or len(known) < min(2, len(found["budgets"])):
            continue
        strategy, mean = name.split(" ")[0], sum(known) / len(known)
        if name == found["baseline"]:
            mean = 2.0  # above any accuracy: it stands for its strategy
        if strategy not in best or mean > best[strategy][0]:
            best[strategy] = (mean, name)
    return [name for _, name in best.values()]


def _budgets(found: Mapping[str, Any], names: Sequence[str]) -> list[int]:
    """Indices of the paper's budgets; where not several were run, of the largest `PANELS` that most methods have."""
    number = [sum(found["curves"][name]["mean"][i] is not None for name in names) for i in range(len(found["budgets"]))]
    shown = [i for i, budget in enumerate(found["budgets"]) if budget in PAPER and number[i]]
    if found["axis"] == "generations" and len(shown) > 1:
        return shown
    return [i for i, n in enumerate(number) if n == max(number)][-PANELS:]
