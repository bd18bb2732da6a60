"""The pages, found by looking: a new file in `pages/` is a new page, its order and title stand in its first lines."""

import re
from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent


def found() -> list[st.Page]:
    """All pages. A page may say `ORDER = 1` and `TITLE = "..."`; the first one in order is at /."""
    listed = []
    for path in sorted((HERE / "pages").glob("[!_]*.py")):
        text = path.read_text(encoding="utf-8")
        order = re.search(r"^ORDER = (\d+)", text, re.M)
        title = re.search(r'^TITLE = "([^"]+)"', text, re.M)
        listed.append((int(order[1]) if order else 99, path.stem, title[1] if title else path.stem.capitalize(), path))
    pages = []
    for position, (_, stem, title, path) in enumerate(sorted(listed)):
        pages.append(st.Page(path, title=title, url_path=stem, default=position == 0))
    return pages


st.set_page_config(page_title="TTC Workbench", page_icon=str(HERE / "ttc_core/ui/assets/icon.png"), layout="wide")
st.navigation(found(), position="top").run()
