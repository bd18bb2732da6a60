"""Forms: their first values, and the one for a strategy's hyper-parameters, made from their declarations.

A form begins with values, and every beginning gives its widgets keys of their own. A first value so reaches the browser
as part of its widget. Setting the state of a widget that is there is told to the browser once, by a message that is
lost when the page is drawn again before it is sent; the browser then goes on with the widget's smallest value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

from ttc_core.errors import UserError
from ttc_core.registry import Param
from ttc_core.types import RunSpec

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


def begin(of: str, values: Mapping[str, Any]) -> None:
    """Have form `of` start anew with these values, by the names of its widgets; the others have their defaults."""
    st.session_state[f"form-{of}"] = (_begun(of)[0] + 1, dict(values))


def key(of: str, name: str) -> str:
    """Session key of a widget of form `of` since it last began."""
    return f"{of}_{name}_{_begun(of)[0]}"


def first(of: str, name: str, default: Any) -> Any:
    """The value that a widget of form `of` has before anybody touches it."""
    return _begun(of)[1].get(name, default)


def _begun(of: str) -> tuple[int, dict[str, Any]]:
    """How often the form began, and with which values."""
    begun: tuple[int, dict[str, Any]] = st.session_state.get(f"form-{of}", (0, {}))
    return begun


@contextmanager
def fold(label: str, key: str, *, expanded: bool = False) -> Iterator[bool]:
    """What is drawn only once somebody has opened it: a page with fields that are hidden takes longer to appear.

    Closed again it is still drawn, so that what was typed stays. Yields whether to draw it.
    """
    with st.expander(label, expanded=expanded, key=key, on_change="rerun") as inside:
        opened = inside.open or st.session_state.get(f"{key} opened", False)
        st.session_state[f"{key} opened"] = opened
        yield opened


def values(spec: RunSpec) -> dict[str, Any]:
    """How a search is made, as the values of a form."""
    asked = {"strategy": spec.strategy, "budget": spec.budget, "seed": spec.seed, "model": spec.model}
    params = {f"{spec.strategy}_{name}": value for name, value in spec.params.items()}
    return {**asked, "verifier": spec.verifier, f"temperature_{spec.model}": spec.heat, **params}


def choice(
    of: str, name: str, title: str, options: Sequence[Any], *, wanted: Any = None, words: Callable[[Any], str] = str,
    place: Any = st, help: str | None = None, width: int | Literal["stretch"] = "stretch",
) -> Any:  # fmt: skip
    """A select box that begins with the form's value, else with `wanted`, else with the first option."""
    asked = first(of, name, wanted)
    at = options.index(asked) if asked in options else options.index(wanted) if wanted in options else 0
    return place.selectbox(title, options, at, key=key(of, name), format_func=words, help=help, width=width)


def pills(
    of: str, title: str, options: Sequence[str], wanted: Sequence[str], *, words: Callable[[str], str] = str
) -> list[str]:
    """Pills of which several are chosen; they are in the address under `of`, and follow it. wanted: without any there.

    What is chosen still is where the options change.
    """
    there, address, wrote = list(options), st.query_params.get_all(of), f"address-{of}"
    fresh = st.session_state.get(key(of, "pills")) is None or st.session_state.get(wrote) != address
    if fresh or first(of, "options", None) != there:
        known = [one for one in address if one in there]
        begin(of, {"options": there, "pills": known or (list(wanted) if fresh else [])})
    chosen: list[str] = st.pills(title, there, selection_mode="multi", default=first(of, "pills", []),
                                 format_func=words, key=key(of, "pills"))  # fmt: skip
    st.session_state[wrote] = chosen
    if chosen != address:
        st.query_params[of] = chosen
    return list(chosen)


def ask(of: str, strategy: str, params: Sequence[Param]) -> dict[str, Any]:
    """Draw the fields of a strategy in two columns and return their values."""
    asked: dict[str, Any] = {}
    switches = [param for param in params if param.type is bool]
    others = [param for param in params if param.type is not bool]
    columns = st.columns(2, gap="small") if others else []
    for index, param in enumerate(others):
        with columns[index % 2]:
            asked[param.name] = _widget(of, strategy, param)
    for param in switches:
        asked[param.name] = _widget(of, strategy, param)
    return {param.name: asked[param.name] for param in params}


def _widget(of: str, strategy: str, param: Param) -> Any:
    asked, name = field(param), f"{strategy}_{param.name}"
    try:
        value = param.parse(first(of, name, asked.default))
    except UserError:  # a search that an earlier version or another program made
        value = asked.default
    if asked.kind == "choice":
        return choice(of, name, asked.label, asked.options, wanted=asked.default, help=asked.help)
    if asked.kind == "switch":
        return st.checkbox(asked.label, bool(value), key=key(of, name), help=asked.help)
    if asked.kind == "number":
        limits = {"min_value": asked.min, "max_value": asked.max, "value": value}
        return st.number_input(asked.label, step=asked.step, key=key(of, name), help=asked.help, **limits)
    return st.text_input(asked.label, value, key=key(of, name), help=asked.help)


def nearest_budget(budget: int) -> int:
    """The slider position for a budget: the largest power of two on the slider that is not above it."""
    fitting = [b for b in BUDGETS if b <= budget]
    return fitting[-1] if fitting else BUDGETS[0]
