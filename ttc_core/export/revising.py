"""Which of a study's outcomes show what revising does, and what several verifiers make of the same solutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttc_core.analysis.revisions import STRATEGIES, chains, parameter
from ttc_core.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def revised(whole: pd.DataFrame) -> pd.DataFrame:
    """Outcomes of revisions by the model that revises most.

    Raises:
        UserError: there are none.
    """
    found = whole[whole["strategy"].isin(STRATEGIES)]
    if found.empty:
        raise UserError("the study has no outcomes of revisions")
    most: pd.DataFrame = found[found["model"] == found["model"].mode()[0]]
    return most


def choosing(outcomes: pd.DataFrame, majority: bool) -> pd.DataFrame:
    """Those that choose by majority; or those that do not, and all where there are no others.

    Raises:
        UserError: none chooses by majority.
    """
    alike = parameter(outcomes, "select") == "majority"
    if majority and not alike.any():
        raise UserError("no method of the study that could be shown here chooses by majority")
    kept: pd.DataFrame = outcomes if alike.all() else outcomes[alike == majority]
    return kept


def of_one_verifier(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Those without a verifier, and those of the verifier that most have."""
    names = outcomes["verifier"].fillna("")
    most = names[names != ""].mode()
    kept: pd.DataFrame = outcomes[names.isin(["", *most[:1]])]
    return kept


def sequential(whole: pd.DataFrame) -> pd.DataFrame:
    """Outcomes of the model that revises, in one chain and by independent samples, each named after how it chooses.

    Raises:
        UserError: there are not both.
    """
    import pandas as pd

    own = revised(whole)
    own = whole[whole["model"] == own["model"].iloc[0]]
    chain = own[own["strategy"].isin(STRATEGIES)]
    parts = {"sequential": chain[chains(chain) == 1], "parallel": own[own["strategy"] == "best_of_n"]}
    named = []
    for word, part in parts.items():
        how = parameter(part, "select", "weighted")
        part = part.assign(method=[f"{word}, {'majority' if one == 'majority' else 'verifier'}" for one in how])
        named.append(part[how != "best"])
    if any(part.empty for part in named):
        raise UserError("the study has no outcomes of one chain of revisions and of best_of_n of the same model")
    return of_one_verifier(pd.concat(named))


def judged(whole: pd.DataFrame, model: str, revising: bool) -> pd.DataFrame:
    """Outcomes of one model by several verifiers: best-of-N weighted, or one chain of revisions by whoever revises.

    Raises:
        UserError: there is no second verifier.
    """
    if revising:
        found = revised(whole)
        found = choosing(found[chains(found) == 1], majority=False)
    else:
        of = whole[(whole["model"] == model) & (whole["strategy"] == "best_of_n")]
        found = of[parameter(of, "select", "weighted") == "weighted"]
    found = found[found["verifier"].fillna("") != ""]
    if found["verifier"].nunique() < 2:
        what = "one chain of revisions" if revising else "best_of_n that chooses by weight"
        raise UserError(f"the study has no outcomes of {what} by two verifiers", hint="name both in `verifiers`")
    return found
