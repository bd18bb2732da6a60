"""Which of a study's outcomes and samples belong together: one model, one verifier, one data set.

What is not asked for is what the study has most outcomes of. Methods without a verifier belong to every one.
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttc_core import studies, studies_pools
from ttc_core.errors import UnknownName, UserError

if TYPE_CHECKING:
    import pandas as pd

    from ttc_core.analysis.pool import Pool


@dataclass(frozen=True)
class Chosen:
    """Outcomes of one model with one verifier on one data set.

    Arguments:
        verifier: "" where no method has one.
        outcomes: columns as `studies.outcomes` gives them.
        others: of the data set's other models.
        rated: of the same model with other verifiers; None if there are none.
    """

    study: str
    dataset: str
    model: str
    verifier: str
    outcomes: pd.DataFrame
    others: pd.DataFrame
    db: str | None
    rated: pd.DataFrame | None = None

    def rated_rows(self) -> list[dict[str, Any]]:
        """The samples of the same model that the same verifier scored, as stored; [] without any, or without one."""
        of = {"model": self.model, "verifier": self.verifier, "db": self.db}
        return studies.pool_rows(self.study, self.dataset, **of) if self.verifier else []

    def pool_rows(self) -> list[dict[str, Any]]:
        """The same, or where there are none the samples that another scored, or nobody; [] without any."""
        return self.rated_rows() or studies.pool_rows(self.study, self.dataset, model=self.model, db=self.db)

    @functools.cached_property
    def pool(self) -> Pool:
        """The same for analysis: scores in it are the verifier's own, or where there is none whoever's there are.

        Raises:
            UserError: there are none.
        """
        rows = self.rated_rows()
        if rows:
            return studies_pools.gathered(rows)
        found = studies.pool(self.study, self.dataset, model=self.model, db=self.db)
        return found.unscored() if self.verifier else found

    def larger_ones(self) -> list[str]:
        """Models of the study that have more parameters, the largest first."""
        sizes = {str(other): parameters(of) for other, of in self.others.groupby("model")}
        names = [other for other, size in sizes.items() if size > parameters(self.outcomes)]
        return sorted(names, key=sizes.__getitem__, reverse=True)

    def larger(self, name: str | None = None) -> tuple[pd.DataFrame | None, str | None]:
        """Outcomes of a larger model where it answers once, and its name; (None, None) if the study has none.

        Where it did so both greedily and by sampling they are the greedy ones, as in the paper.

        Arguments:
            name: which; None for the largest that does.

        Raises:
            UnknownName: the study has no outcomes of it; UserError: it never answers once.
        """
        for other in self.larger_ones() if name is None else [name]:
            rows = _named(self.others, "model", other)
            single = rows[rows["strategy"] == "single"]
            greedy = single[[bool(json.loads(params).get("greedy")) for params in single["params"]]]
            for of in (greedy, single, rows[rows["budget"] == 1]):
                if len(of):
                    return of, other
        if name is not None:
            raise UserError(
                f"the study has no single answers of {name}, only searches with more generations",
                hint='the strategy "single" with this model asks for them',
            )
        return None, None


def choose(
    study: str,
    dataset: str | None = None,
    model: str | None = None,
    verifier: str | None = None,
    *,
    db: str | None = None,
    outcomes: pd.DataFrame | None = None,
) -> Chosen:
    """What of a study is to be looked at. outcomes: its own of the data set, where they have been read already.

    Raises:
        UnknownName: no such study, or no outcomes of what is asked for; UserError: no outcomes at all.
    """
    frame = studies.outcomes(study, dataset, db=db) if outcomes is None else outcomes
    if frame.empty:
        raise UserError(f"study {study!r} has no outcomes" + (f" of {dataset!r}" if dataset else ""))
    frame = frame[frame["dataset"] == frame["dataset"].mode()[0]]
    by = frame[frame["verifier"] == verifier] if verifier and model is None else frame
    name = str(_named(_smallest_first(frame if by.empty else by), "model", model)["model"].iloc[0])
    own = frame[frame["model"] == name]
    rated = own[own["verifier"].fillna("") != ""]
    judge, apart = "", None
    if verifier is not None or not rated.empty:
        judge = str(_named(rated, "verifier", verifier)["verifier"].iloc[0])
        mine = own["verifier"].fillna("").isin(["", judge])
        own, apart = own[mine], own[~mine]
    return Chosen(study, str(frame["dataset"].iloc[0]), name, judge, own, frame[frame["model"] != name], db, apart)


def parameters(outcomes: pd.DataFrame) -> float:
    """Of one model, as its FLOPs tell: 2 a token and parameter; NaN where no token is known."""
    tokens = float((outcomes["policy_prompt_tokens"] + outcomes["policy_tokens"]).sum())
    return float(outcomes["policy_flops"].sum()) / (2 * tokens) if tokens else math.nan


def _smallest_first(frame: pd.DataFrame) -> pd.DataFrame:
    """By the parameters of their models: of two with as many outcomes the smaller one is found first."""
    sizes = {str(model): parameters(of) for model, of in frame.groupby("model")}
    return frame.assign(size=frame["model"].map(sizes)).sort_values("size", kind="stable").drop(columns="size")


def _named(frame: pd.DataFrame, column: str, name: str | None) -> pd.DataFrame:
    there = [str(value) for value in frame[column].value_counts().index]
    if name is not None and name not in there:
        known = ", ".join(there) or "none"
        raise UnknownName(f"the study has no outcomes of the {column} {name!r}", hint=f"there is: {known}")
    return frame[frame[column] == (there[0] if name is None else name)]
