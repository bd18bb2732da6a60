"""`streamlit run` for an app that names its pages itself, and begins to work out its first page when it starts.

Streamlit lists the files of pages/ on its own until app.py has run for the first time, so a permalink opened right
after the start would be shown without this app's navigation. Said here before it looks, it never does.
"""

import contextlib
import sys
import threading
import time

from streamlit import runtime
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.cli import main

from ttc_core.errors import TTCError


def prepare() -> None:
    """Once the app answers, load the libraries of its pages and work out what Home shows."""
    while not runtime.exists():  # its caches are made differently before
        time.sleep(0.1)
    from ttc_core.ui import study

    with contextlib.suppress(TTCError):  # the page will say so to whoever opens it
        study.begun()


if __name__ == "__main__":
    PagesManager.uses_pages_directory = False
    threading.Thread(target=prepare, daemon=True).start()
    sys.exit(main())
