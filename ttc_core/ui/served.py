"""`streamlit run` for an app that names its pages itself.

Streamlit lists the files of pages/ on its own until app.py has run for the first time, so a permalink opened right
after the start would be shown without this app's navigation. Said here before it looks, it never does.
"""

import sys

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.cli import main

if __name__ == "__main__":
    PagesManager.uses_pages_directory = False
    sys.exit(main())
