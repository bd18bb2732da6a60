"""The form on the left of Solve: question, strategy, budget, models. It follows the run on show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from ttc_core import runs, runs_checks
from ttc_core.errors import TTCError
from ttc_core.runs_views import Catalogue, RunView
from ttc_core.types import TEMPERATURE, Problem, RunSpec
from ttc_core.ui import difficult, form, session, words

BUNDLED, OWN = "Bundled", "My own"
FORM = "form"


def follow(current: RunView, other: RunView | None = None) -> None:
    """Begin the form with how the run on show was made, and the one beside it, once; before its widgets are drawn."""
    of = shown(current.id, other.id if other else None)
    if st.session_state.get("form_of") == of:
        return
    st.session_state["form_of"] = of
    spec = current.spec
    bundled = bool(spec.dataset) and _known(spec)
    values = form.values(spec) | {"budget": form.nearest_budget(spec.budget), "beside": other is not None}
    if bundled:
        values |= {"source": BUNDLED, "dataset": spec.dataset, f"problem_{spec.dataset}": spec.problem_id}
    else:
        values |= {"source": OWN, "question": words.shown(spec.question), "answer": words.shown(spec.answer or "")}
    form.begin(FORM, values)
    if other:
        form.begin(session.BESIDE, form.values(other.spec))


def begun() -> bool:
    """Whether the form was set to a run since the page was opened."""
    return "form_of" in st.session_state


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
    strategy = form.choice(
        FORM, "strategy", "Strategy", list(catalogue.strategies), wanted="beam_search", words=words.method
    )
    about, params = catalogue.strategies[strategy]
    st.caption(about)
    values = form.ask(FORM, strategy, params)
    budget = st.select_slider(
        "Budget", form.BUDGETS, form.first(FORM, "budget", 16), key=form.key(FORM, "budget"),
        help="generations: complete sampled solutions' worth of work",
    )  # fmt: skip
    with st.expander("Model, seed, temperature"):
        model = form.choice(FORM, "model", "Model", [n for n, c in catalogue.models.items() if not c.lacks]) or ""
        ready = {
            name: str(card.card.get("about", ""))
            for name, card in catalogue.verifiers.items()
            if not card.lacks and (not model or card.judges(catalogue.models[model]))
        }
        usual = RunSpec("", "", 0).verifier
        verifier = (
            form.choice(
                FORM,
                "verifier",
                "Verifier",
                list(ready),
                wanted=None if usual in ready else "self_certainty",
                words=lambda n: f"{n} · {ready[n]}" if ready[n] else n,
            )
            or ""
        )
        left, right = st.columns(2, gap="small")
        seed = left.number_input(
            "Seed", min_value=0, value=min(form.first(FORM, "seed", 0), runs_checks.MAX_SEED), step=1,
            key=form.key(FORM, "seed"), help="the same seed gives the same tree",
        )  # fmt: skip
        own, heat = f"temperature_{model}", catalogue.models[model].temperature if model else TEMPERATURE
        hot = form.first(FORM, own, heat)
        temperature = right.number_input("Temperature", 0.0, 10.0, hot, step=0.1, key=form.key(FORM, own))
    return replace(
        spec, strategy=strategy, params=values, budget=int(budget), seed=int(seed), model=model, verifier=verifier,
        temperature=float(temperature),
    )  # fmt: skip


def beside(catalogue: Catalogue, spec: RunSpec) -> RunSpec | None:
    """Ask for another strategy on the same question, models, budget and seed; None where none is wanted."""
    help_ = "the same question, models, budget and seed; both are shown side by side"
    wanted = bool(form.first(FORM, "beside", False))
    if not st.toggle("Beside another strategy", wanted, key=form.key(FORM, "beside"), help=help_):
        return None
    first = "beam_search" if spec.strategy == "best_of_n" else "best_of_n"
    of = session.BESIDE
    strategy = form.choice(
        of, "strategy", "Other strategy", list(catalogue.strategies), wanted=first, words=words.method
    )
    return replace(spec, strategy=strategy, params=form.ask(of, strategy, catalogue.strategies[strategy][1]))


def _question(catalogue: Catalogue) -> RunSpec:
    first = form.first(FORM, "source", BUNDLED if catalogue.datasets else OWN)
    source = st.segmented_control(
        "Question", (BUNDLED, OWN), default=first, key=form.key(FORM, "source"), required=True,
        label_visibility="collapsed", width="stretch",
    )  # fmt: skip
    if source == OWN or not catalogue.datasets:
        asked, known = (form.first(FORM, name, "") for name in ("question", "answer"))
        question = st.text_area(
            "Question", asked, key=form.key(FORM, "question"), height=130, placeholder="Write a question"
        )
        help_ = "to say whether the search was right"
        answer = st.text_input("Known answer (optional)", known, key=form.key(FORM, "answer"), help=help_)
        return RunSpec(question=question, answer=answer or None, strategy="", budget=0)
    dataset = form.choice(FORM, "dataset", "Data set", list(catalogue.datasets), wanted="mini-test")
    listed = {problem.id: problem for problem in runs.problems(dataset)}
    if not listed:
        st.text("This data set is empty.")
        return RunSpec(question="", strategy="", budget=0)
    place, measure, listed = _by_difficulty(dataset, listed)
    chosen = form.choice(
        FORM, place, "Problem", list(listed),
        words=lambda id_: label(listed[id_], dataset, measure.word(id_) if measure else ""),
    )  # fmt: skip
    with st.container(key="asked"):
        st.text(words.shown(listed[chosen].question))
    return RunSpec(question=listed[chosen].question, dataset=dataset, problem_id=chosen, strategy="", budget=0)


def _by_difficulty(
    dataset: str, listed: dict[str, Problem]
) -> tuple[str, difficult.Measure | None, dict[str, Problem]]:
    """Ask how difficult a problem is wanted; the form's name for the choice, the measure, and the problems, in order.

    Without a wish, or where nobody knows, these are all, as the data set has them.
    """
    wanted = form.choice(FORM, f"difficulty_{dataset}", "Difficulty", [difficult.ANY, *difficult.BINS])
    measure = difficult.measured(dataset) if wanted != difficult.ANY else None
    if wanted != difficult.ANY:
        st.text(words.shown(measure.told if measure else "No study has samples of these problems to tell from."))
    if measure is None:
        return f"problem_{dataset}", None, listed
    inside = [name for name in measure.inside(difficult.BINS[wanted]) if name in listed]
    return f"problem_{dataset}_{wanted}", measure, {name: listed[name] for name in inside} or listed


def label(problem: Problem, dataset: str = "", ease: str = "") -> str:
    """A problem in the picker: its id without the data set's name, its steps where they are known, and its question.

    ease: how easy it is, in words.
    """
    steps = problem.metadata.get("steps") if isinstance(problem.metadata, Mapping) else None
    known = f" · {steps} steps" if isinstance(steps, int) else ""
    return words.shown(f"{problem.id.removeprefix(f'{dataset}-')}{ease}{known} · {problem.question}")


def same_search(asked: RunSpec, spec: RunSpec) -> bool:
    """Whether the form asks for the same search as `spec`, budget aside."""
    ask_, have = (
        replace(s, budget=0, params={}, answer=None, grader="", question=s.question.strip()) for s in (asked, spec)
    )
    return ask_ == have and dict(asked.params) == dict(spec.params)
