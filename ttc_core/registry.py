"""What can be plugged in: a decorator per kind, found by scanning the kind's package.

Adding a strategy is adding one file to `ttc_core/strategies/`; nothing else names it. A second object under the same
name is an error. `param` declares a hyper-parameter with its limits: the command line and the form are made from it.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from functools import lru_cache
from typing import Any, TypeVar, get_type_hints

from ttc_core.errors import BadValue, TTCError, UnknownName

T = TypeVar("T")

PACKAGES = {
    "strategy": "ttc_core.strategies",
    "verifier": "ttc_core.verifiers",
    "engine": "ttc_core.engines",
    "dataset": "ttc_core.datasets",
    "figure": "ttc_core.figures",
    "table": "ttc_core.figures",
}
_registered: dict[str, dict[str, Any]] = {kind: {} for kind in PACKAGES}
_scanned: set[str] = set()


class DuplicateName(TTCError):
    """Two objects of one kind claim the same name."""


def _decorator(kind: str) -> Callable[[str], Callable[[T], T]]:
    def named(name: str) -> Callable[[T], T]:
        def add(thing: T) -> T:
            known = _registered[kind]
            if name in known and known[name] is not thing:
                raise DuplicateName(f"two {kind} objects are called {name!r}: {known[name]!r} and {thing!r}")
            known[name] = thing
            return thing

        return add

    return named


strategy = _decorator("strategy")
verifier = _decorator("verifier")
engine = _decorator("engine")
dataset = _decorator("dataset")
figure = _decorator("figure")
table = _decorator("table")


def names(kind: str) -> list[str]:
    """Registered names of a kind, sorted."""
    return sorted(_all(kind))


def get(kind: str, name: str) -> Any:
    """The object registered under `name`.

    Raises:
        UnknownName: nothing of that kind has the name; the message lists what there is.
    """
    known = _all(kind)
    if name not in known:
        raise UnknownName(f"no {kind} is called {name!r}", hint=f"there is: {', '.join(sorted(known))}")
    return known[name]


def _all(kind: str) -> dict[str, Any]:
    if kind not in _scanned:
        package = importlib.import_module(PACKAGES[kind])
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_"):
                importlib.import_module(f"{package.__name__}.{module.name}")
        _scanned.add(kind)
    return _registered[kind]


# --- hyper-parameters ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Param:
    """One hyper-parameter as forms, command line and documentation see it."""

    name: str
    type: type
    default: Any
    help: str
    min: float | None = None
    max: float | None = None
    choices: tuple[str, ...] = ()

    def parse(self, value: Any) -> Any:
        """`value` (text or already typed) as this parameter's type and within its limits.

        Raises:
            BadValue: with one sentence naming the parameter and the limit.
        """
        typed = self._typed(value)
        if self.choices and typed not in self.choices:
            raise BadValue(f"{self.name} must be one of {', '.join(self.choices)}, not {value!r}")
        if self.min is not None and not typed >= self.min:
            raise BadValue(f"{self.name} must be at least {self.min:g}, not {value}")
        if self.max is not None and not typed <= self.max:
            raise BadValue(f"{self.name} must be at most {self.max:g}, not {value}")
        return typed

    def _typed(self, value: Any) -> Any:
        word = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[self.type]
        wrong = BadValue(f"{self.name} must be {word}, not {value!r}")
        if self.type is bool:
            if isinstance(value, bool):
                return value
            if str(value).lower() not in ("true", "false"):
                raise wrong
            return str(value).lower() == "true"
        if isinstance(value, bool) or (self.type is int and isinstance(value, float) and not value.is_integer()):
            raise wrong
        try:
            return self.type(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise wrong from error


def param(
    default: Any, *, help: str, min: float | None = None, max: float | None = None, choices: tuple[str, ...] = ()
) -> Any:
    """A dataclass field that is a hyper-parameter: its default, limits and a sentence for people."""
    return dataclasses.field(default=default, metadata={"help": help, "min": min, "max": max, "choices": choices})


def params(cls: type) -> list[Param]:
    """The hyper-parameters of a registered dataclass, in order of declaration."""
    return [*_params(cls)]


@lru_cache(maxsize=1024)
def _params(cls: type) -> tuple[Param, ...]:
    hints = get_type_hints(cls)
    described = []
    for f in dataclasses.fields(cls):
        default = None if f.default is MISSING else f.default
        meta = {key: f.metadata.get(key) for key in ("min", "max")}
        described.append(
            Param(
                f.name,
                hints[f.name],
                default,
                f.metadata.get("help", ""),
                choices=f.metadata.get("choices", ()),
                **meta,
            )
        )
    return tuple(described)


def build(kind: str, name: str, values: Mapping[str, Any]) -> Any:
    """The registered dataclass `name` with these hyper-parameters, checked.

    Raises:
        UnknownName: no such object, or no such parameter; BadValue: a value outside its limits.
    """
    cls = get(kind, name)
    known = {p.name: p for p in params(cls)}
    for key in values:
        if key not in known:
            has = f"it has: {', '.join(known)}" if known else "it has none"
            raise UnknownName(f"{kind} {name!r} has no parameter {key!r}", hint=has)
    return cls(**{key: known[key].parse(value) for key, value in values.items()})


def not_extendable(strategy: Any) -> str:
    """Why a run of this strategy (class or instance) cannot be continued to a larger budget, "" when it can."""
    if getattr(strategy, "extendable", True):
        return ""
    return str(getattr(strategy, "not_extendable", "its search at a larger budget is another one"))
