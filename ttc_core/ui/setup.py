"""The form on the left of Solve: question, strategy, budget, models. It follows the run on show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from ttc_core import runs
from ttc_core.errors import TTCError
from ttc_core.runs_views import Catalogue, RunView
from ttc_core.types import Problem, RunSpec
from ttc_core.ui import form, session, words

BUNDLED, OWN = "Bundled", "My own"


def follow(current: RunView, other: RunView | None = None) -> None:
    """Set the form to how the run on show was made, and the one beside it, once; before its widgets are drawn."""
    of = shown(current.id, other.id if other else None)
    if st.session_state.get("form_of") == of:
        return
    st.session_state["form_of"] = of
    spec = current.spec
    bundled = bool(spec.dataset) and _known(spec)
    values = {
        "form_source": BUNDLED if bundled else OWN,
        "form_strategy": spec.strategy,
        "form_budget": form.nearest_budget(spec.budget),
        "form_seed": spec.seed,
        "form_model": spec.model,
        "form_verifier": spec.verifier,
        "form_temperature": spec.temperature,
    }
    if bundled:
        values |= {"form_dataset": spec.dataset, f"form_problem_{spec.dataset}": spec.problem_id}
    else:
        values |= {"form_question": words.shown(spec.question), "form_answer": words.shown(spec.answer or "")}
    values["form_beside"] = other is not None
    if other:
        values["form_beside_strategy"] = other.spec.strategy
        form.fill(other.spec.strategy, other.spec.params, session.BESIDE)
    st.session_state.update(values)
    form.fill(spec.strategy, spec.params)


def shown(run: str, other: str | None) -> str:
    """What the form remembers of the runs that it was set to."""
    return f"{run} {other or ''}"


def _known(spec: RunSpec) -> bool:
    try:
        runs.problem(spec.dataset, spec.problem_id)
    except TTCError:
        return False
    return True


def ask(catalogue: Catalogue) -> RunSpec:
    """Draw the form and return what it asks for, unchecked."""
    spec = _question(catalogue)
    strategy = _choice("Strategy", list(catalogue.strategies), "form_strategy", wanted="beam_search")
    about, params = catalogue.strategies[strategy]
    st.caption(about)
    values = form.ask(strategy, params)
    st.session_state.setdefault("form_budget", 16)
    budget = st.select_slider(
        "Budget", form.BUDGETS, key="form_budget", help="generations: complete sampled solutions' worth of work"
    )
    with st.expander("Model, seed, temperature"):
        model = _choice("Model", [n for n, c in catalogue.models.items() if not c.lacks], "form_model")
        ready = {n: str(c.card.get("about", "")) for n, c in catalogue.verifiers.items() if not c.lacks}
        verifier = _choice(
            "Verifier", list(ready), "form_verifier", words=lambda n: f"{n} · {ready[n]}" if ready[n] else n
        )
        left, right = st.columns(2, gap="small")
        st.session_state.setdefault("form_seed", 0)
        st.session_state.setdefault("form_temperature", 1.0)
        seed = left.number_input("Seed", min_value=0, step=1, key="form_seed", help="the same seed gives the same tree")
        temperature = right.number_input("Temperature", 0.0, 10.0, step=0.1, key="form_temperature")
    return replace(
        spec, strategy=strategy, params=values, budget=int(budget), seed=int(seed), model=model, verifier=verifier,
        temperature=float(temperature),
    )  # fmt: skip


def beside(catalogue: Catalogue, spec: RunSpec) -> RunSpec | None:
    """Ask for another strategy on the same question, models, budget and seed; None where none is wanted."""
    help_ = "the same question, models, budget and seed; both are shown side by side"
    if not st.toggle("Beside another strategy", key="form_beside", help=help_):
        return None
    names = list(catalogue.strategies)
    first = "beam_search" if spec.strategy == "best_of_n" else "best_of_n"
    strategy = _choice("Other strategy", names, "form_beside_strategy", wanted=first)
    return replace(
        spec, strategy=strategy, params=form.ask(strategy, catalogue.strategies[strategy][1], session.BESIDE)
    )


def _question(catalogue: Catalogue) -> RunSpec:
    st.session_state.setdefault("form_source", BUNDLED if catalogue.datasets else OWN)
    source = st.segmented_control(
        "Question", (BUNDLED, OWN), key="form_source", required=True, label_visibility="collapsed", width="stretch"
    )
    if source == OWN or not catalogue.datasets:
        question = st.text_area("Question", key="form_question", height=130, placeholder="Write a question")
        answer = st.text_input("Known answer (optional)", key="form_answer", help="to say whether the search was right")
        return RunSpec(question=question, answer=answer or None, strategy="", budget=0)
    dataset = _choice("Data set", list(catalogue.datasets), "form_dataset", wanted="mini-test")
    listed = {problem.id: problem for problem in runs.problems(dataset)}
    if not listed:
        st.text("This data set is empty.")
        return RunSpec(question="", strategy="", budget=0)
    chosen = _choice("Problem", list(listed), f"form_problem_{dataset}", words=lambda id_: label(listed[id_]))
    with st.container(key="asked"):
        st.text(words.shown(listed[chosen].question))
    return RunSpec(question=listed[chosen].question, dataset=dataset, problem_id=chosen, strategy="", budget=0)


def label(problem: Problem) -> str:
    """A problem in the picker: id, how many steps it takes where that is known, and its question to search in."""
    steps = problem.metadata.get("steps") if isinstance(problem.metadata, Mapping) else None
    known = f" · {steps} steps" if isinstance(steps, int) else ""
    return words.shown(f"{problem.id}{known} · {problem.question}")


def _choice(title: str, options: list[str], key: str, *, wanted: str = "", words: object = str) -> str:
    """A select box that never holds something that is not there (any more)."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = wanted if wanted in options else (options[0] if options else None)
    chosen = st.selectbox(title, options, key=key, format_func=words if callable(words) else str)
    return chosen or ""


def same_search(asked: RunSpec, spec: RunSpec) -> bool:
    """Whether the form asks for the same search as `spec`, budget aside."""
    ask_, have = (
        replace(s, budget=0, params={}, answer=None, grader="", question=s.question.strip()) for s in (asked, spec)
    )
    return ask_ == have and dict(asked.params) == dict(spec.params)
