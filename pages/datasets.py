"""Data sets: what there is, a look inside, and adding one from a file."""

import tempfile
from pathlib import Path

import pandas as pd
import streamlit as st

from ttc_core import runs
from ttc_core.ui import gate, lines, session, words

ORDER = 8
TITLE = "Data sets"
TYPES = ["jsonl", "json", "csv", "tsv", "parquet"]
AUTOMATIC = "what suits the answers"
GRADERS = (AUTOMATIC, "numeric", "math", "choice", "text")
FIRST = "mini-test"  # what is looked into before anything is chosen
SHOWN = 200  # problems in the look inside


def table() -> str | None:
    """All data sets; the name of the one whose line was chosen, else of the one that most is measured on."""
    known = runs.catalogue()
    rows = []
    for name, about in known.datasets.items():
        problems = runs.problems(name)
        row = {"name": name, "problems": len(problems), "grader": runs.grader(problems), "what": about}
        kept = runs.checksum(problems)
        if kept["sha256"]:
            row["SHA-256"] = kept["sha256"] if kept["as_added"] else f"changed since it was added as {kept['sha256']}"
        rows.append(row)
    names = [str(row["name"]) for row in rows]
    chosen = lines.pick(rows, names, "dataset", "datasets_table")
    absent = [name for name in known.benchmarks if name not in known.datasets]
    if absent:
        st.caption(f"Recognised when you add their file under this name: {', '.join(absent)}.")
    return chosen or (FIRST if FIRST in names else next(iter(names), None))


def inside(name: str) -> None:
    """The first problems of a data set, as plain text in a table."""
    problems = runs.problems(name)
    st.subheader(words.named(name))
    listed = [[words.shown(text or "") for text in (p.id, p.question, p.answer)] for p in problems[:SHOWN]]
    shown = pd.DataFrame(listed, columns=["id", "question", "answer"])
    if any("steps" in p.metadata for p in problems[:SHOWN]):
        shown["steps"] = [p.metadata.get("steps") for p in problems[:SHOWN]]
    config = {"question": st.column_config.TextColumn(width=900), "id": st.column_config.TextColumn(width=150)}
    st.dataframe(shown, hide_index=True, column_config=config, height=520)
    if len(problems) > SHOWN:
        st.caption(f"The first {SHOWN} of {len(problems):,}.")


def add() -> None:
    """The form that adds one from a file."""
    with st.expander("Add a data set"), st.form("dataset_add", border=False):
        file = st.file_uploader("File", type=TYPES, help="JSON, JSON lines, CSV, TSV or Parquet, 20 MB at most")
        left, right = st.columns(2)
        name = left.text_input("Name", placeholder="mine, or a benchmark's name such as math500")
        grader = right.selectbox("Answers are compared as", GRADERS)
        columns = dict(zip(("question", "answer", "id"), st.columns(3), strict=True))
        named = {
            key: column.text_input(f"Column of the {key}", placeholder="found by its usual names")
            for key, column in columns.items()
        }
        if not gate.submit("Add", "runs.add_dataset", type="primary"):
            return
        if file is None or not name:
            session.notice("Nothing was added", "a data set needs a file and a name", kind="warning")
            return
        with session.told("Nothing was added"), tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"upload.{file.name.rpartition('.')[2].lower()}"
            path.write_bytes(file.getvalue())
            wanted = {key: value for key, value in named.items() if value}
            runs.add_dataset(name, path, wanted, None if grader == AUTOMATIC else grader)
            st.rerun()


session.open_page("datasets")
with session.told("The data sets cannot be shown"):
    chosen_name = table()
    add()
    if chosen_name:
        inside(chosen_name)
