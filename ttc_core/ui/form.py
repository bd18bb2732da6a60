"""A form for a strategy's hyper-parameters, made from their declarations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

from ttc_core.registry import Param

BUDGETS: tuple[int, ...] = tuple(1 << i for i in range(9))  # 1 .. 256 generations


@dataclass(frozen=True)
class Field:
    """How one parameter is asked for. `options` only for choices; limits and step only for numbers."""

    kind: Literal["choice", "switch", "number", "text"]
    label: str
    help: str
    default: Any
    options: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None
    step: float | None = None


def field(param: Param) -> Field:
    """The form field of a parameter."""
    label, kind = param.name.replace("_", " ").capitalize(), param.type
    if param.choices:
        return Field("choice", label, param.help, param.default, options=param.choices)
    if kind is bool:
        return Field("switch", label, param.help, param.default)
    if kind in (int, float):
        low, high = (None if limit is None else kind(limit) for limit in (param.min, param.max))
        return Field("number", label, param.help, param.default, min=low, max=high, step=1 if kind is int else 0.1)
    return Field("text", label, param.help, param.default)


def key(strategy: str, name: str, of: str = "") -> str:
    """Session key of a parameter's widget. of: which of several forms it belongs to."""
    return f"{of}param_{strategy}_{name}"


def fill(strategy: str, values: Mapping[str, Any], of: str = "") -> None:
    """Set the form to these values; before its widgets are drawn."""
    for name, value in values.items():
        st.session_state[key(strategy, name, of)] = value


def ask(strategy: str, params: Sequence[Param], of: str = "") -> dict[str, Any]:
    """Draw the form in two columns and return the values."""
    values: dict[str, Any] = {}
    switches = [param for param in params if param.type is bool]
    others = [param for param in params if param.type is not bool]
    columns = st.columns(2, gap="small") if others else []
    for index, param in enumerate(others):
        with columns[index % 2]:
            values[param.name] = _widget(strategy, param, of)
    for param in switches:
        values[param.name] = _widget(strategy, param, of)
    return {param.name: values[param.name] for param in params}


def _widget(strategy: str, param: Param, of: str) -> Any:
    asked, name = field(param), key(strategy, param.name, of)
    if name not in st.session_state:
        st.session_state[name] = asked.default
    if asked.kind == "choice":
        return st.selectbox(asked.label, asked.options, key=name, help=asked.help)
    if asked.kind == "switch":
        return st.checkbox(asked.label, key=name, help=asked.help)
    if asked.kind == "number":
        limits = {"min_value": asked.min, "max_value": asked.max}
        return st.number_input(asked.label, step=asked.step, key=name, help=asked.help, **limits)  # type: ignore[call-overload]
    return st.text_input(asked.label, key=name, help=asked.help)


def nearest_budget(budget: int) -> int:
    """The slider position for a budget: the largest power of two on the slider that is not above it."""
    fitting = [b for b in BUDGETS if b <= budget]
    return fitting[-1] if fitting else BUDGETS[0]
