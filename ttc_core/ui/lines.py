"""A table of which one line is chosen; what is chosen is in the address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from ttc_core.ui import session


def pick(rows: Sequence[dict[str, Any]], names: Sequence[str], of: str, key: str, **options: Any) -> str | None:
    """Draw the table; the name that the address has under `of`, where it is one of these.

    Arguments:
        names: of the rows.
        key: of the table.
        options: as of `st.dataframe`.
    """

    def chosen() -> None:
        found = st.session_state[key]["selection"]["rows"]
        if found:
            st.query_params[of] = names[found[0]]
        else:
            st.query_params.pop(of, None)

    st.dataframe(
        pd.DataFrame(rows).fillna(""),
        hide_index=True,
        key=key,
        on_select=chosen,
        selection_mode="single-row",
        **options,
    )
    linked = session.linked(of)
    return linked if linked in names else None
