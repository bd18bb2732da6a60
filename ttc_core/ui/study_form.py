"""The form of a new study, which writes its file; every parameter of a strategy may have several values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import streamlit as st

from ttc_core import runs
from ttc_core.registry import Param
from ttc_core.runs_checks import MAX_BUDGET
from ttc_core.runs_views import Catalogue
from ttc_core.studies_written import Asked, written
from ttc_core.types import RunSpec
from ttc_core.ui import form, words

TEXT = "study_text"
FIRST: dict[str, dict[str, list[str]]] = {  # what the form begins with
    "best_of_n": {"select": ["majority", "weighted"]},
    "beam_search": {},
}
KEEP = {"none": "none", "sample": "of some problems", "all": "all"}
NAME, PROBLEMS, BUDGETS, POOL, KEPT = "my-study", 40, (4, 16), 16, 3


def text() -> str:
    """Draw the study file as the form last wrote it, or as somebody has edited it since."""
    made: str = st.text_area(
        "Study file (TOML)", form.first(TEXT, "text", ""), key=form.key(TEXT, "text"), height=520
    )  # fmt: skip
    st.caption("What stands here counts. It can be edited by hand; a change in the form writes it anew.")
    return made


def write(catalogue: Catalogue, taken: Collection[str]) -> None:
    """Draw the form; where it asks for something else than before, that becomes the text.

    taken: names that studies have already.

    Raises:
        UserError: a value is not possible.
    """
    made = written(_ask(catalogue, taken))
    if made != form.first(TEXT, "text", None):
        form.begin(TEXT, {"text": made})


def _ask(catalogue: Catalogue, taken: Collection[str]) -> Asked:
    free = next(name for n in range(1, len(taken) + 2) if (name := NAME if n == 1 else f"{NAME}-{n}") not in taken)
    left, right = st.columns(2, gap="small")
    name = left.text_input("Name", free, key="study_name")
    datasets = list(catalogue.datasets)
    usual = RunSpec("", "", 0)
    at = datasets.index("mini-test") if "mini-test" in datasets else 0
    dataset = right.selectbox("Problems from", datasets, at, key="study_dataset")
    there = len(runs.problems(dataset))
    problems = left.number_input(
        f"Problems, of {there:,}", 1, max(1, there), min(PROBLEMS, max(1, there)), key=f"study_problems_{dataset}",
        help="the first so many",
    )  # fmt: skip
    seeds = right.number_input("Seeds", 1, 1000, 1, key="study_seeds", help="how often everything is repeated")
    models = [name for name, card in catalogue.models.items() if not card.lacks]
    verifiers = [name for name, card in catalogue.verifiers.items() if not card.lacks]
    asked_models = left.multiselect("Models", models, _usual(usual.model, models), key="study_models")
    asked_verifiers = right.multiselect(
        "Verifiers", verifiers, _usual(usual.verifier, verifiers), key="study_verifiers", placeholder="without one",
        help="every strategy runs with every model and every verifier",
    )  # fmt: skip
    least, most = st.select_slider(
        "Budgets", form.BUDGETS, BUDGETS, key="study_budgets", help="generations; all powers of two between the two"
    )
    strategies = _strategies(catalogue.strategies)
    left, middle, right = st.columns(3, gap="small")
    pool = left.number_input(
        "Pool", 0, MAX_BUDGET, POOL, key="study_pool",
        help="solutions a problem, sampled once for every method that can use them; they also tell how difficult it is",
    )  # fmt: skip
    keep = middle.selectbox("Trees kept", list(KEEP), 1, key="study_keep", format_func=KEEP.__getitem__)
    kept = right.number_input("Of so many problems", 1, 999_999, KEPT, key="study_kept", disabled=keep != "sample")
    share = st.checkbox(
        "Share replies", key="study_share",
        help="a chain or a pool that one search has written is how a larger one begins: it is written once, and every "
        "search is charged what it costs alone; how many seconds each takes is then not known",
    )  # fmt: skip
    return Asked(
        name, dataset, int(problems), asked_models, asked_verifiers, strategies, (int(least), int(most)),
        int(seeds), int(pool), f"sample:{kept}" if keep == "sample" else keep, share,
    )  # fmt: skip


def _strategies(known: Mapping[str, tuple[str, list[Param]]]) -> dict[str, dict[str, list[Any]]]:
    """Draw the choice of strategies and the parameters of each."""
    asked = st.multiselect("Strategies", list(known), list(FIRST), key="study_strategies", format_func=words.method)
    found = {}
    for strategy in asked:
        about, params = known[strategy]
        with st.expander(words.sentence(words.method(strategy))):
            st.caption(f"{about} Several values of a parameter: every combination is a method.")
            found[strategy] = _values(strategy, params)
    return found


def _usual(wanted: str, options: Sequence[str]) -> list[str]:
    """What a choice begins with: the usual one, else the first, else nothing."""
    return [wanted] if wanted in options else list(options[:1])


def _values(strategy: str, params: list[Param]) -> dict[str, list[Any]]:
    """Draw the fields of a strategy; the values of those parameters that are not left at their default."""
    columns = st.columns(2, gap="small")
    asked = {}
    for index, param in enumerate(params):
        with columns[index % 2]:
            asked[param.name] = _several(strategy, param) or [param.default]
    defaults = {param.name: param.default for param in params}
    return {name: values for name, values in asked.items() if values != [defaults[name]]}


def _several(strategy: str, param: Param) -> list[Any]:
    """The values of one parameter: chosen, or written with commas between."""
    field, key = form.field(param), f"study_{strategy}_{param.name}"
    if field.kind in ("choice", "switch"):
        options = field.options or (True, False)
        first = FIRST.get(strategy, {}).get(param.name, [param.default])
        chosen: list[Any] = st.multiselect(
            field.label, options, first, key=key, help=field.help,
            format_func=lambda value: {True: "yes", False: "no"}.get(value, value),
        )  # fmt: skip
        return chosen
    limits = "" if field.min is None else f"; from {field.min:g}" + ("" if field.max is None else f" to {field.max:g}")
    told = st.text_input(field.label, str(param.default), key=key, help=f"{field.help}{limits}; several: 2, 4")
    parts = [part.strip() for part in told.split(",")]
    return list(dict.fromkeys(param.parse(part) for part in parts if part))
