"""The figures of a search, to be downloaded from its page."""

from __future__ import annotations

import streamlit as st

from ttc_core.drawing.presets import PRESETS, preset
from ttc_core.export import searches, writing


def offer(run: str, key: str) -> None:
    """Tree and chain at the chosen size in all formats, and the way to the answer in LaTeX, as one archive."""
    with st.popover("Figures", key=key, help="its tree, and the chain of its attempts, for a paper"):
        size = st.selectbox("Preset", list(PRESETS), key=f"{key}-preset", width=160)
        st.download_button(
            "In all formats", lambda: files(run, size), file_name=f"{run}-figures.zip", key=f"{key}-files",
            on_click="ignore",
        )  # fmt: skip


def files(run: str, size: str) -> bytes:
    """The archive."""
    found = searches.figures(run, preset(size))
    made = [writing.files(info, form, set_) for info, set_ in found for form in writing.FORMATS]
    return writing.packed({name: content for of in [*made, searches.way(run)] for name, content in of.items()})
