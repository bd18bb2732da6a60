"""Every method beside the baseline, as the Frontier page has them: at one budget for a paper, and at all of them."""

from __future__ import annotations

from typing import Any

from ttc_core.drawing.info import labelled, plain
from ttc_core.drawing.tables import Tables
from ttc_core.drawing.tabular import Cell, Table
from ttc_core.registry import table

COLUMNS = ("method", "accuracy", "difference", "won", "lost", "p", "adjusted p", "problems to tell", "problems",
           "generations")  # fmt: skip


@table("methods")
def at_one_budget(tables: Tables) -> Table:
    """Accuracy of every method and its paired difference to the baseline, at the budget that most methods have."""
    found = tables.compared()
    most = max(range(len(found["budgets"])), key=lambda j: (len(found["rows"][j]), j))
    of = f"at {plain(found['budgets'][most])} generations. "
    return Table("methods", COLUMNS, _rows(found["rows"][most]), _caption(found, of, tables))


@table("methods_by_budget")
def at_all_budgets(tables: Tables) -> Table:
    """The same at every budget."""
    found = tables.compared()
    rows = [[budget, *row] for budget, at in zip(found["budgets"], found["rows"], strict=True) for row in _rows(at)]
    return Table("methods_by_budget", ("budget", *COLUMNS), rows, _caption(found, "at every budget. ", tables))


def _rows(at: dict[str, dict[str, Any]]) -> list[list[Cell]]:
    """at: {method: row} of `ttc_core.analysis.compared.table`."""
    made: list[list[Cell]] = []
    for name, row in at.items():
        told = [row.get(key) for key in ("won", "lost", "p", "adjusted", "needed")]
        ends = [None if row.get(key) is None else tuple(row[key]) for key in ("accuracy", "difference")]
        made.append([labelled(name), *ends, *told, row["problems"], row["generations"]])
    return made


def _caption(found: dict[str, Any], where: str, tables: Tables) -> str:
    return (
        f"Methods {where}Difference: to {labelled(found['baseline'])} on the same problems. In brackets: 95 %, by "
        "resampling the problems. Won and lost: problems that only the one or only the other solves; p: exact McNemar "
        "test, adjusted by Holm. Problems to tell: with so many, 80 % of studies tell the two apart at 5 %. "
        f"{tables.about}"
    )
