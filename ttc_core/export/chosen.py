"""Which outcomes and samples of a study belong together: one model, one verifier, one data set."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ttc_core import studies
from ttc_core.errors import UnknownName, UserError

if TYPE_CHECKING:
    import pandas as pd

    from ttc_core.analysis.pool import Pool


def one_model(
    study: str, dataset: str | None, model: str | None, verifier: str | None, *, db: str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Outcomes of one model with one verifier on one data set, and those of the data set's other models.

    What is None is what the study has most outcomes of; methods without a verifier belong to every one.

    Raises:
        UnknownName: no such study, model or verifier; UserError: it has no outcomes.
    """
    frame = studies.outcomes(study, dataset, db=db)
    if frame.empty:
        raise UserError(f"study {study!r} has no outcomes" + (f" of {dataset!r}" if dataset else ""))
    frame = frame[frame["dataset"] == frame["dataset"].mode()[0]]
    chosen = named(frame, "model", model)
    rest = frame[frame["model"] != chosen["model"].iloc[0]]
    rated = chosen[chosen["verifier"].fillna("") != ""]
    if not rated.empty:
        kept = named(rated, "verifier", verifier)["verifier"].iloc[0]
        chosen = chosen[chosen["verifier"].fillna("").isin(["", kept])]
    return chosen, rest


def named(frame: pd.DataFrame, column: str, name: str | None) -> pd.DataFrame:
    """The rows whose column is this, or what most rows have.

    Raises:
        UnknownName: no row has it.
    """
    there = list(frame[column].value_counts().index)
    if name is not None and name not in there:
        raise UnknownName(f"the study has no outcomes of the {column} {name!r}", hint=f"there is: {', '.join(there)}")
    return frame[frame[column] == (there[0] if name is None else name)]


def pool_of(study: str, frame: pd.DataFrame, *, db: str | None = None) -> Pool:
    """The samples of the same model, scored by the same verifier where there are such.

    Raises:
        UserError: there is no such pool.
    """
    dataset, model = str(frame["dataset"].iloc[0]), str(frame["model"].iloc[0])
    for verifier in [v for v in frame["verifier"].fillna("").unique() if v]:
        if studies.pool_rows(study, dataset, model=model, verifier=verifier, db=db):
            return studies.pool(study, dataset, model=model, verifier=verifier, db=db)
    return studies.pool(study, dataset, model=model, db=db)


def larger(
    frame: pd.DataFrame, others: pd.DataFrame, name: str | None = None
) -> tuple[pd.DataFrame | None, str | None]:
    """Outcomes of a larger model where it answers at once, and its name; None where there is no larger one.

    name: which; None for the largest.

    Raises:
        UnknownName: the study has no outcomes of that model.
    """
    if name is None:
        small = parameters(frame)
        sizes = {str(model): parameters(of) for model, of in others.groupby("model")}
        names = [model for model, size in sizes.items() if size > small]
        if not names:
            return None, None
        name = max(names, key=sizes.__getitem__)
    elif name not in set(others["model"]):
        raise UnknownName(f"the study has no outcomes of the model {name!r}")
    rows = others[others["model"] == name]
    rows = rows[rows["budget"] == rows["budget"].min()]
    single = rows[rows["strategy"] == "single"]
    return (single if len(single) else rows), name


def parameters(frame: pd.DataFrame) -> float:
    """Of a model, as its FLOPs tell: 2 a token and parameter."""
    tokens = float((frame["policy_prompt_tokens"] + frame["policy_tokens"]).sum())
    return float(frame["policy_flops"].sum()) / (2 * tokens) if tokens else math.nan
