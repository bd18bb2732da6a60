"""The same solutions chosen by several verifiers (the paper's Figures 14 and 15)."""

from __future__ import annotations

from ttc_core.drawing.info import Info, Panel, budgets, shares
from ttc_core.drawing.lines import lines_of
from ttc_core.drawing.tables import Tables
from ttc_core.registry import figure


@figure("verifiers")
def info(tables: Tables) -> Info:
    """Best-of-N weighted by several verifiers, such as a process and an outcome reward model."""
    return _drawn("verifiers", tables, False, "best-of-N weighted by each of several verifiers")


@figure("revision_verifiers")
def revised(tables: Tables) -> Info:
    """One chain of revisions by several verifiers, such as one that sees the earlier attempts and one that does not."""
    return _drawn("revision_verifiers", tables, True, "one chain of revisions, chosen by each of several verifiers")


def _drawn(name: str, tables: Tables, revises: bool, what: str) -> Info:
    found = tables.judged(revises)
    panel = Panel("", budgets(sorted(set(found["budget"]))), shares("accuracy"), lines_of(found, "verifier"))
    caption = f"Accuracy of {what}. {tables.about_judged(revises)} Bands: 95 % by a bootstrap over problems."
    return Info(name, [panel], caption)
