"""Ask a question, spend a budget, watch the search."""

import streamlit as st

from ttc_core import runs
from ttc_core.errors import TTCError
from ttc_core.runs_views import RunView
from ttc_core.types import RunSpec
from ttc_core.ui import delete, session, setup, view

ORDER = 1
TITLE = "Solve"


def shown() -> tuple[RunView | None, bool]:
    """The run to show, and whether it was chosen (linked or started here) rather than offered as an example."""
    wanted = session.linked("run")
    if wanted:
        return runs.get(wanted), True
    latest = runs.listing(status="done", alone=True, limit=1).rows
    return (runs.get(latest[0].id), False) if latest else (None, False)


def buttons(spec: RunSpec, current: RunView | None) -> int | None:
    """Run and Continue; returns the budget to which the run on show could be continued."""
    fixed = spec.strategy in runs.catalogue().not_extendable
    same = current is not None and current.status == "done" and setup.same_search(spec, current.spec)
    target = spec.budget if same and current and not fixed and spec.budget > current.spec.budget else None
    if target and current:
        st.button(
            f"Continue to {target}", key="form_extend", type="primary", width="stretch",
            on_click=session.act, args=("extend", current.id, target),
            help=f"goes on from the {current.spec.budget} generations there are",
        )  # fmt: skip
    if st.button(
        "Run anew" if target else "Run", key="form_run", type="secondary" if target else "primary", width="stretch"
    ):
        start(spec)
    return target


def start(spec: RunSpec) -> None:
    """Start the search and make the page its permalink."""
    try:
        run_id = runs.start(spec)
    except TTCError as error:
        session.notice("This search cannot be started", str(error), error.hint)
        return
    st.session_state["form_of"] = run_id  # the form stays as it is
    session.link(run_id)
    st.rerun()


session.open_page("solve")
delete.confirmation()
current, chosen, target = None, False, None
with session.told("This search cannot be shown", "the Trees page lists what is stored"):
    current, chosen = shown()
with st.sidebar, session.told("The form cannot be shown"):
    if current:
        setup.follow(current.spec, current.id)
    asked = setup.ask(runs.catalogue())
    with st.container(key="run-buttons"):
        target = buttons(asked, current)
if current:
    view.show_run(current.id, target=target, example=not chosen)
elif not session.linked("run"):
    session.notice("No search yet", "choose a question on the left and press Run", kind="info")
