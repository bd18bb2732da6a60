"""Figures for papers and slides: how each looks in print, and its files."""

import io
import tempfile
import zipfile
from pathlib import Path

import streamlit as st

from ttc_core import registry, studies
from ttc_core.bundle import writing as bundle
from ttc_core.drawing.info import Info
from ttc_core.drawing.presets import FAMILIES, PRESETS, preset
from ttc_core.errors import UserError
from ttc_core.export import writing
from ttc_core.ui import session
from ttc_core.ui import study as of_study

ORDER = 9
TITLE = "Export"
PIXELS = 96  # an inch on a screen: the preview is as large as the figure will be


@st.cache_data(show_spinner="Drawing", max_entries=200)
def drawn(study: str, revision: str, name: str, form: str, size: str, family: str) -> dict[str, bytes]:
    """The files of one figure in one format."""
    return writing.files(writing.info(name, of_study.tables_of(study, revision)), form, preset(size, family))


def pick(names: list[str]) -> tuple[str, str, str]:
    """Study, preset and type; all of it is in the address."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filters"):
        study = of_study.pick(names)
        size = st.selectbox("Preset", list(PRESETS), key="preset", bind="query-params", width=160)
        family = st.selectbox("Type", list(FAMILIES), key="type", bind="query-params", width=120)
    return study, size, family


def show(figure: Info, study: str, revision: str, size: str, family: str) -> None:
    """One figure at its true size with its caption and its files."""
    with st.container(border=True, key=f"figure-{figure.name}"):
        st.subheader(figure.name.replace("_", " "))
        [picture] = drawn(study, revision, figure.name, "png", size, family).values()
        st.image(picture, width=round(preset(size).width * PIXELS))
        st.text(figure.caption)
        with st.container(horizontal=True, gap="small", key=f"files-{figure.name}"):
            for form in writing.FORMATS:
                st.download_button(
                    form.upper(), lambda form=form: packed(drawn(study, revision, figure.name, form, size, family)),
                    file_name=f"{figure.name}.{'zip' if form == 'tex' else form}", key=f"{form}-{figure.name}",
                    on_click="ignore",
                )  # fmt: skip


def everything(study: str, revision: str, names: list[str], size: str, family: str) -> bytes:
    """These figures in all formats, as an archive."""
    files = [drawn(study, revision, name, form, size, family) for name in names for form in writing.FORMATS]
    return packed({name: content for of in files for name, content in of.items()})


def bundled(study: str, size: str, family: str) -> bytes:
    """The bundle of the study, with its figures as they are chosen here."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{study}.zip"
        bundle.write(study, file, bundle.Drawn(preset=size, family=family))
        return file.read_bytes()


def offer(study: str, revision: str, names: list[str], size: str, family: str) -> None:
    """All figures at once, and the bundle of a study on which nobody works."""
    with st.container(horizontal=True, gap="small", key="all-files"):
        st.download_button(
            f"All {len(names)} figures in all formats", lambda: everything(study, revision, names, size, family),
            file_name=f"{study}-figures.zip", key="all-figures", on_click="ignore", disabled=not names,
        )  # fmt: skip
        st.download_button(
            "Bundle", lambda: bundled(study, size, family), file_name=f"{study}.zip", key="bundle", on_click="ignore",
            disabled=not studies.progress(study).ended,
            help="Figures, data, model cards with checksums, versions and seeds, and the commands that draw the "
            "figures from the data and repeat the study. For a study that has ended or is paused; takes some seconds.",
        )  # fmt: skip


def packed(files: dict[str, bytes]) -> bytes:
    """One file as it is, several in an archive that is the same for the same files."""
    if len(files) == 1:
        return next(iter(files.values()))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def gallery(study: str, revision: str, size: str, family: str) -> None:
    """The figures that are chosen; what the study does not have is named with the reason."""
    found, left_out = [], []
    for name in registry.names("figure"):
        try:
            found.append(writing.info(name, of_study.tables_of(study, revision)))
        except UserError as error:
            left_out.append(f"{name.replace('_', ' ')}: {error}")
    chosen = st.pills("Figures", [f.name for f in found], selection_mode="multi", default=[f.name for f in found][:1],
                      format_func=lambda name: name.replace("_", " "), key="chosen")  # fmt: skip
    offer(study, revision, [figure.name for figure in found], size, family)
    for figure in found:
        if figure.name in chosen:
            show(figure, study, revision, size, family)
    if left_out:
        with st.expander(f"{len(left_out)} figures need what this study does not have"):
            for line in left_out:
                st.text(line)


session.open_page("export")
with session.told("The figures cannot be drawn", "the Studies page shows what the study holds"):
    views = of_study.measured()
    if not views:
        of_study.nothing()
    else:
        asked, size, family = pick(list(views))
        gallery(asked, of_study.revision(views[asked]), size, family)
