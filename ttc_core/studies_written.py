"""The text of a study file (`ttc_core.studies_file`) for what a form asks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Asked:
    """What a study is to search.

    strategies   name -> parameter -> values; of several values each makes a method of its own
    verifiers    none of them: without one
    budgets      the least and the largest, powers of two in generations
    seeds        how many, from 0 on
    pool         solutions a problem that all methods share, 0 for none
    keep         trees that are kept: "all", "none", or "sample:K" of K problems
    share        searches that ask a model the same share its reply
    """

    name: str
    dataset: str
    problems: int
    models: Sequence[str]
    verifiers: Sequence[str]
    strategies: Mapping[str, Mapping[str, Sequence[Any]]]
    budgets: tuple[int, int]
    seeds: int
    pool: int
    keep: str
    share: bool = False


def written(asked: Asked) -> str:
    """The study file, in the order in which its keys are explained."""
    least, most = asked.budgets
    datasets = f"[{{ name = {_value(asked.dataset)}, problems = {asked.problems} }}]"
    lines = [
        ("name", _value(asked.name), ""),
        ("datasets", datasets, ""),
        ("models", _value(asked.models), ""),
        ("verifiers", _value(asked.verifiers or [""]), ""),
        ("budgets", f"{{ from = {least}, to = {most} }}", "powers of two, or a list"),
        ("seeds", _value(range(asked.seeds)), ""),
        ("pool", str(asked.pool), "solutions a problem, shared by every method that can use them"),
        ("keep_trees", _value(asked.keep), "all, none, or of so many problems"),
        ("share", _value(asked.share), "searches that ask a model the same share its reply; no seconds are measured"),
    ]
    left_out = {key for key, value in (("pool", asked.pool), ("share", asked.share)) if not value}
    head = [f"{key} = {value}" + (f"  # {why}" if why else "") for key, value, why in lines if key not in left_out]
    return "\n".join([*head, *(_strategy(name, params) for name, params in asked.strategies.items())]) + "\n"


def _strategy(name: str, params: Mapping[str, Sequence[Any]]) -> str:
    """A strategy's table: one value is set, several are a grid."""
    tables = [f"\n[[strategies]]\nname = {_value(name)}"]
    for kind, wanted in (("set", False), ("grid", True)):
        of = {key: values for key, values in params.items() if (len(values) > 1) is wanted}
        told = ", ".join(f"{key} = {_value(values if wanted else values[0])}" for key, values in of.items())
        tables += [f"{kind} = {{ {told} }}"] if told else []
    return "\n".join(tables)


def _value(value: Any) -> str:
    """A text, number, truth value or sequence of them as TOML, which spells these as JSON does."""
    of = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
    return json.dumps(of, ensure_ascii=False)
