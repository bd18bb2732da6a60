"""What figures are made of: a study's tables, as `ttc_core.export.tables` computes them and tests make them up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd


class Tables(Protocol):
    """Tables of one model with one verifier on one data set, each computed when it is first asked for.

    Where nothing is said, a method raises UserError if the study does not have what it needs. Documents are those of
    `ttc_core.analysis.documents`.
    """

    @property
    def methods(self) -> list[str]:
        """Labels of all methods of the study, in its order: it gives them their colours."""

    @property
    def about(self) -> str:
        """Model, verifier, data set, problems and seeds in words, for captions."""

    @property
    def about_revising(self) -> str:
        """The same of `ratios`, `sequential` and `positions`."""

    def about_judged(self, revises: bool = False) -> str:
        """The same of `judged`, without the verifiers."""

    @property
    def fewer(self) -> str:
        """How many problems lack samples for `over_optimised` and `aggregations`, a sentence; "" for none."""

    def frontier(self, by: str, majority: bool = False) -> dict[str, Any]:
        """The frontier document; by: oracle or predicted; majority: of methods that choose by majority alone."""

    def bins(self, by: str) -> dict[str, Any]:
        """The document of difficulty."""

    def exchange(self, by: str = "oracle", majority: bool = False) -> dict[str, Any]:
        """The document of exchange, with "budgets", the small model's "curves" by bin, and "large_model"."""

    def reliability(self) -> dict[str, Any]:
        """{"bars": [{low, high, count, score, right}], "ece", "brier", "auc", "within", "steps": [{step, auc, ..}]}."""

    def over_optimised(self) -> list[dict[str, float]]:
        """[{n, score, accuracy}] of best-of-n from the pool."""

    def chosen(self) -> pd.DataFrame:
        """Columns method, budget, outcomes, score, accuracy, auc of what methods chose."""

    def aggregations(self) -> dict[str, Any]:
        """{"ks", way: {"auc", "within", "best": by k, "weighted": by k}}."""

    def ratios(self, by: str = "oracle", majority: bool = False) -> pd.DataFrame:
        """Columns budget, chains, ratio, bin (-1: all), problems, accuracy of revisions; of whichever model revises."""

    def sequential(self) -> pd.DataFrame:
        """Columns method, budget, problems, accuracy, low, high of the model that revises, in one chain or not."""

    def judged(self, revises: bool = False) -> pd.DataFrame:
        """Columns verifier, budget, problems, accuracy, low, high of best-of-N weighted by several verifiers.

        revises: of one chain of revisions instead, by whichever model revises.
        """

    def positions(self) -> dict[str, Any]:
        """{"model", "chains", "problems", "positions": [{position, attempts, right, low, high, kept, mended}]}.

        Of the searches that are kept; see `ttc_core.analysis.revisions.Position`.
        """

    def costs(self) -> pd.DataFrame:
        """Columns method, budget, policy, verifier: mean FLOPs of a problem, at the budget that most methods have."""

    def compared(self) -> dict[str, Any]:
        """{"budgets", "baseline", "rows": by budget {method: row}}, see `ttc_core.analysis.compared.table`."""

    def planned(self) -> pd.DataFrame:
        """Everything measured on all problems, the best first: see `ttc_core.analysis.planning.plan`."""
