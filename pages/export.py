"""Figures for papers and slides: how each looks in print, and its files."""

import json
import tempfile
from pathlib import Path

import streamlit as st

from ttc_core import access, registry, saved_figures, studies
from ttc_core.bundle import writing as bundle
from ttc_core.drawing.info import Info
from ttc_core.drawing.looks import Look
from ttc_core.drawing.presets import FAMILIES, PRESETS
from ttc_core.errors import TTCError, UserError
from ttc_core.export import writing
from ttc_core.ui import form, looks, session, sure
from ttc_core.ui import study as of_study

ORDER = 9
TITLE = "Export"
SAVED = "saved"  # of the address and its pills
FIRST = "frontier"  # what is shown before anything is chosen
PIXELS = 96  # an inch on a screen: the preview is as large as the figure will be


@st.cache_data(show_spinner="Drawing", max_entries=200)
def drawn(study: str, revision: str, name: str, form: str, look: str) -> dict[str, bytes]:
    """The files of one figure in one format. look: all that is said of how it is drawn, as JSON."""
    asked = Look.parse(json.loads(look))
    figure = asked.applied(of_study.figure(study, revision, asked.figure), name)
    return writing.files(figure, form, asked.size())


@st.cache_data(show_spinner="Comparing", max_entries=50)
def tabular(study: str, revision: str, name: str) -> dict[str, bytes]:
    """The files of one table in all formats that tables have; none where the study does not have what it needs."""
    try:
        return writing.table_files(writing.table(name, of_study.tables_of(study, revision, None)), writing.FORMATS)
    except UserError:
        return {}


def pick(names: list[str]) -> tuple[str, str, str]:
    """Study, preset and type; all of it is in the address."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filters"):
        study = of_study.pick(names)
        size = st.selectbox("Preset", list(PRESETS), key="preset", bind="query-params", width=160)
        family = st.selectbox("Type", list(FAMILIES), key="type", bind="query-params", width=120)
    return study, size, family


def show(name: str, look: Look, made: Info, study: str, revision: str, saved: bool) -> None:
    """One figure at its true size with its caption and its files, and under it fields to edit and save it."""
    with st.container(border=True, key=f"figure-{name}"):
        st.subheader(name if saved else name.replace("_", " "))
        try:
            preview(name, looks.asked(name, look, made), made, study, revision)
        except TTCError as error:
            session.notice("The figure cannot be drawn so", str(error), error.hint, key=f"wrong-{name}")
        with form.fold("Edit", f"edit-{name}") as opened:
            if opened:
                looks.fields(name, look, made, sizes=saved)
                keep(name, look, made, saved)


def preview(name: str, look: Look, made: Info, study: str, revision: str) -> None:
    """The figure as it will be printed, and its files."""
    said = json.dumps(look.document(), sort_keys=True)
    [picture] = drawn(study, revision, name, "png", said).values()
    st.image(picture, width=round(look.size().width * PIXELS))
    st.text(look.caption or look.told(made.caption))
    with st.container(horizontal=True, gap="small", key=f"files-{name}"):
        for form in writing.FORMATS:
            st.download_button(
                form.upper(), lambda form=form: writing.packed(drawn(study, revision, name, form, said)),
                file_name=f"{name}.{'zip' if form == 'tex' else form}", key=f"{form}-{name}", on_click="ignore",
            )  # fmt: skip


def keep(name: str, look: Look, made: Info, saved: bool) -> None:
    """Buttons that save what the fields say, under a new name or this one, forget it, or delete what was saved."""
    may = access.may_change()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if saved:
            replaced = (f"What is saved as {name} is replaced by what the fields say.", "Save")
            removed = (f"This removes the saved figure {name}.", "Delete")
            st.button("Save…", key=f"save-{name}", disabled=not may, on_click=sure.ask,
                      args=("Save over this figure?", *replaced, lambda: store(name, look, made), "over"))  # fmt: skip
            st.button("Delete…", key=f"delete-{name}", disabled=not may, on_click=sure.ask,
                      args=("Delete this figure?", *removed, lambda: forget(name), "forget"))  # fmt: skip
        st.text_input("Save as", key=f"new-{name}", placeholder="a name", max_chars=80, width=200, disabled=not may)
        st.button("Save as new", key=f"save-as-{name}", on_click=store_new, args=(name, look, made), disabled=not may)
        st.button("Begin anew", key=f"again-{name}", on_click=looks.again, args=(name,))


def store(name: str, look: Look, made: Info) -> None:
    """Save over what is saved."""
    with session.trouble("save the figure"):
        saved_figures.change(name, looks.asked(name, look, made))
        looks.again(name)


def store_new(name: str, look: Look, made: Info) -> None:
    """Save under the name that was typed, and show that one."""
    with session.trouble("save the figure"):
        new = saved_figures.save(st.session_state[f"new-{name}"].strip(), looks.asked(name, look, made))
        show_saved([*shown_saved(), new])


def forget(name: str) -> None:
    """Delete what is saved."""
    with session.trouble("delete the figure"):
        saved_figures.delete(name)
        show_saved([one for one in shown_saved() if one != name])


def shown_saved() -> list[str]:
    """The saved figures on show: those that the address names."""
    return st.query_params.get_all(SAVED)


def show_saved(names: list[str]) -> None:
    """Have these on show: the pills follow the address."""
    st.query_params[SAVED] = names


def everything(study: str, revision: str, figures: dict[str, Look]) -> bytes:
    """These figures in all formats, and the tables of the study, as an archive."""
    said = {name: json.dumps(look.document(), sort_keys=True) for name, look in figures.items()}
    files = [drawn(study, revision, name, form, look) for name, look in said.items() for form in writing.FORMATS]
    files += [tabular(study, revision, name) for name in registry.names("table")]
    return writing.packed({name: content for of in files for name, content in of.items()})


def bundled(study: str, size: str, family: str) -> bytes:
    """The bundle of the study, with its figures as they are chosen here."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{study}.zip"
        bundle.write(study, file, bundle.Drawn(preset=size, family=family))
        return file.read_bytes()


def offer(study: str, revision: str, figures: dict[str, Look], size: str, family: str) -> None:
    """All figures at once, and the bundle of a study on which nobody works."""
    with st.container(horizontal=True, gap="small", key="all-files"):
        st.download_button(
            f"All {len(figures)} figures in all formats", lambda: everything(study, revision, figures),
            file_name=f"{study}-figures.zip", key="all-figures", on_click="ignore", disabled=not figures,
            help="and the tables of methods, verifier and planner in LaTeX, CSV and Markdown",
        )  # fmt: skip
        st.download_button(
            "Bundle", lambda: bundled(study, size, family), file_name=f"{study}.zip", key="bundle", on_click="ignore",
            disabled=not studies.progress(study).ended,
            help="Figures, saved ones too, data, model cards with checksums, versions and seeds, and the commands that "
            "draw the figures from the data and repeat the study. For a study that has ended or is paused.",
        )  # fmt: skip


def gallery(study: str, revision: str, size: str, family: str) -> None:
    """The figures that are chosen; what the study does not have is named with the reason."""
    saved = saved_figures.listing()
    found: dict[str, Look] = {}
    made: dict[str, Info] = {}
    left_out = []
    everyone = {name: Look(name, study, size, family) for name in registry.names("figure")} | saved
    for name, look in everyone.items():
        try:
            if look.figure not in made:
                made[look.figure] = of_study.figure(study, revision, look.figure)
            found[name] = look
        except UserError as error:
            left_out.append(f"{name.replace('_', ' ')}: {error}")
    plain = [name for name in found if name not in saved]
    own = [name for name in saved if name in found]
    first = [FIRST] if FIRST in plain else plain[:1]
    wanted = [] if set(shown_saved()) & set(own) else first
    chosen = form.pills("figure", "Figures", plain, wanted, words=lambda name: name.replace("_", " "))
    chosen += form.pills(SAVED, "Saved figures", own, []) if own else []
    mine = {name: look for name, look in found.items() if name not in saved or look.study == study}
    offer(study, revision, mine, size, family)
    for name, look in found.items():
        if name in chosen:
            show(name, look, made[look.figure], study, revision, name in saved)
    if left_out:
        with st.expander(f"{len(left_out)} figures need what this study does not have"):
            for line in left_out:
                st.text(line)


session.open_page("export")
with session.told("The figures cannot be drawn", "the Studies page shows what the study holds"):
    views = of_study.measured()
    if not views:
        of_study.nothing(
            "every figure of a study at the size it will have in print, to be saved as PDF, SVG, PNG, TeX or a table"
        )
    else:
        asked, size, family = pick(list(views))
        gallery(asked, of_study.revision(views[asked]), size, family)
