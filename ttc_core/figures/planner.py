"""What every model, method and budget reaches at which cost, as the planner ranks them without a limit."""

from __future__ import annotations

import pandas as pd

from ttc_core.drawing.info import labelled
from ttc_core.drawing.tables import Tables
from ttc_core.drawing.tabular import Cell, Table
from ttc_core.registry import table

COSTS = ("generations", "tokens", "flops", "seconds")


@table("planner")
def info(tables: Tables) -> Table:
    """Everything measured on all problems with its mean costs, the most accurate first."""
    found = tables.planned()
    rows: list[list[Cell]] = []
    for _, row in found.iterrows():
        reached = (float(row["accuracy"]), float(row["low"]), float(row["high"]))
        named = [row["model"], row["verifier"] or None, labelled(row["method"]), float(row["budget"])]
        rows.append([*named, reached, *(None if pd.isna(row[cost]) else float(row[cost]) for cost in COSTS)])
    caption = (
        "All that was measured on all problems, the most accurate first, of equals the one with fewer FLOPs. In "
        f"brackets: 95 %, over problems. Costs: means of one problem. {tables.about}"
    )
    columns = ("model", "verifier", "method", "budget", "accuracy", "generations", "tokens", "FLOPs", "seconds")
    return Table("planner", columns, rows, caption)
