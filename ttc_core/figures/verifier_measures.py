"""How good the verifier's scores are, in the numbers of the Verifier page."""

from __future__ import annotations

from ttc_core.drawing.tables import Tables
from ttc_core.drawing.tabular import Table
from ttc_core.registry import table

MEASURES = {
    "ece": "expected calibration error", "brier": "Brier score", "auc": "AUC", "within": "AUC inside a problem",
}  # fmt: skip


@table("verifier_measures")
def info(tables: Tables) -> Table:
    """Calibration error, Brier score and AUC of the final scores of the pool."""
    found = tables.reliability()
    count = sum(bar["count"] for bar in found["bars"])
    caption = (
        f"Final scores of {count:,} samples. Calibration error and Brier score: 0 is best; AUC: the probability that a "
        f"right sample scores above a wrong one, 0.5 is chance. {tables.about}"
    )
    return Table(
        "verifier_measures", ("measure", "value"), [[title, found[key]] for key, title in MEASURES.items()], caption
    )
