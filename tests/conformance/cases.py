"""What a law is tried on: a strategy's defaults, and settings drawn from within the limits its parameters declare.

A law is a function of one `Case` that raises AssertionError when the strategy breaks it. `@law` makes it a test for
every registered strategy and keeps the bare function in `LAWS`, so that the laws can be tested themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.harness import PROBLEM, Result, run, spec
from tests.conformance.worlds import World
from ttc_core import registry
from ttc_core.errors import UserError
from ttc_core.types import Problem, RunSpec

STRATEGIES = registry.names("strategy")
LAWS: dict[str, Callable[[Case], None]] = {}
FAR = 40  # numbers are drawn up to here where the limit is higher: a width of 1024 is no different from one of 40


@dataclass(frozen=True)
class Case:
    """One strategy with settings, a budget in generations and a seed."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    budget: int = 16
    seed: int = 0

    def spec(self, **changes: Any) -> RunSpec:
        return replace(spec(self.name, self.budget, self.seed, **self.params), **changes)

    def run(self, world: Any = None, problem: Problem = PROBLEM, changes: Mapping[str, Any] = {}, **kw: Any) -> Result:
        """The search alone in its world; it must come to an outcome."""
        result = run([self.spec(**changes)], world or World(), problems=[problem], **kw)[0]
        assert result.error is None, f"{self}: {result.error!r}"
        assert result.outcome is not None
        return result

    def param(self, name: str) -> Any:
        """The value of a hyper-parameter, None when the strategy has none of this name."""
        cls = registry.get("strategy", self.name)
        return self.params.get(name, next((p.default for p in registry.params(cls) if p.name == name), None))


def declared(name: str, attribute: str, default: Any) -> Any:
    """What the strategy's class says of itself."""
    return getattr(registry.get("strategy", name), attribute, default)


def cases(name: str, budgets: st.SearchStrategy[int] | None = None) -> st.SearchStrategy[Case]:
    """Settings within the declared limits, their ends included; combinations that the strategy refuses are left out."""
    drawn = {p.name: _values(name, p) for p in registry.params(registry.get("strategy", name))}
    return st.builds(
        Case,
        st.just(name),
        st.fixed_dictionaries({}, optional=drawn),
        budgets if budgets is not None else st.integers(1, 12),
        st.integers(0, 99),
    ).filter(_accepted)


def law(
    examples: int = 5, budgets: st.SearchStrategy[int] | None = None
) -> Callable[[Callable[[Case], None]], Callable[[str], None]]:
    """Try the law on each strategy's defaults at budget 16 and on `examples` drawn cases."""

    def decorate(check: Callable[[Case], None]) -> Callable[[str], None]:
        LAWS[check.__name__.removeprefix("test_")] = check

        @pytest.mark.parametrize("name", STRATEGIES)
        def holds(name: str) -> None:
            check(Case(name))
            settings(max_examples=examples)(given(cases(name, budgets))(check))()

        holds.__name__, holds.__doc__, holds.__module__ = check.__name__, check.__doc__, check.__module__
        return holds

    return decorate


def strategies_named_by(name: str, p: registry.Param) -> list[str]:
    """The strategies that a text parameter may name; [] when it names none or takes any text."""
    if p.type is not str or p.choices or _accepted(Case(name, {p.name: "no strategy's name"})):
        return []
    return [other for other in STRATEGIES if _accepted(Case(name, {p.name: other}))]


def _values(name: str, p: registry.Param) -> st.SearchStrategy[Any]:
    if p.choices:
        return st.sampled_from(p.choices)
    if p.type is bool:
        return st.booleans()
    if p.type is str:
        others = strategies_named_by(name, p) or ("", "step")  # any text
        return st.sampled_from([p.default, *(text for text in others if _accepted(Case(name, {p.name: text})))])
    low = p.default if p.min is None else p.min
    high = max(low, min(low + FAR if p.max is None else p.max, FAR))
    if p.type is int:
        return st.integers(int(low), int(min(high, low + 6))) | st.sampled_from([int(low), int(high)])
    return st.floats(low, high) | st.sampled_from([float(low), float(high)])


def _accepted(case: Case) -> bool:
    try:
        registry.build("strategy", case.name, case.params)
    except UserError:
        return False
    return True
