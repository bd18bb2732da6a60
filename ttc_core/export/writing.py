"""Figures and tables of a study as files in a folder."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ttc_core import registry
from ttc_core.drawing import printing
from ttc_core.drawing.info import Info
from ttc_core.drawing.looks import Look
from ttc_core.drawing.presets import Preset
from ttc_core.drawing.tables import Tables
from ttc_core.drawing.tabular import Table
from ttc_core.errors import BadValue, UnknownName, UserError
from ttc_core.export import pgfplots, text
from ttc_core.files import whole

TABULAR: dict[str, Callable[[Table], str]] = {  # formats of tables
    "tex": text.table_as_booktabs,
    "csv": text.table_as_csv,
    "md": text.table_as_markdown,
}
FORMATS = (*printing.FORMATS, *TABULAR)


@dataclass(frozen=True)
class Written:
    """A figure that was written. files: names in the folder."""

    name: str
    files: list[str]
    caption: str


@dataclass(frozen=True)
class LeftOut:
    """A figure that the study does not have what it takes for, and why."""

    name: str
    why: str


def info(name: str, tables: Tables) -> Info:
    """A registered figure of these tables.

    Raises:
        UnknownName: no such figure; UserError: the study does not have what it needs.
    """
    made: Callable[[Tables], Info] = registry.get("figure", name)
    return made(tables)


def table(name: str, tables: Tables) -> Table:
    """A registered table of these tables.

    Raises:
        UnknownName: no such table; UserError: the study does not have what it needs.
    """
    made: Callable[[Tables], Table] = registry.get("table", name)
    return made(tables)


def table_files(made: Table, forms: Sequence[str]) -> dict[str, bytes]:
    """The files of a table in those of the formats that a table has: {name: bytes}."""
    found = {f"{made.name}.{form}": TABULAR[form](made) for form in forms if form in TABULAR}
    return {name: content.encode("utf-8", "backslashreplace") for name, content in found.items()}


def files(figure: Info, form: str, preset: Preset, dpi: int = 300) -> dict[str, bytes]:
    """The files of a figure in one format: {name: bytes}, the same for the same figure.

    form: pdf, svg, png, tex (pgfplots, and a booktabs table beside it), csv or md.

    Raises:
        UnknownName: no such format.
    """
    check([form])
    if form in printing.FORMATS:
        return {f"{figure.name}.{form}": printing.written(figure, preset, [form], dpi)[form]}
    if form == "tex":
        made = {
            f"{figure.name}.tex": pgfplots.as_pgfplots(figure, preset),
            f"{figure.name}-table.tex": text.as_booktabs(figure),
        }
    else:
        made = {f"{figure.name}.{form}": text.as_csv(figure) if form == "csv" else text.as_markdown(figure)}
    return {name: content.encode("utf-8", "backslashreplace") for name, content in made.items()}


def check(forms: Sequence[str]) -> None:
    """Raises UnknownName where there is no such format."""
    for form in forms:
        if form not in FORMATS:
            raise UnknownName(f"no format is called {form!r}", hint=f"there is: {', '.join(FORMATS)}")


def write(
    tables: Tables,
    folder: Path,
    forms: Sequence[str],
    preset: Preset,
    names: Sequence[str] | None = None,
    dpi: int = 300,
    saved: Mapping[str, Look] | None = None,
) -> tuple[list[Written], list[LeftOut]]:
    """Write figures and tables into a folder, which is made where it is missing.

    names: which figures and tables; None for all that the study has what it takes for. saved: other figures by their
        names, each in its own size. A table is written in those of the formats that tables have.

    Raises:
        UnknownName: no such figure or format; BadValue: the folder cannot be written; UserError: what was asked for by
            name is not possible. Nothing is written then.
    """
    check(forms)
    figures: list[tuple[Info, Preset]] = []
    listed: list[Table] = []
    left_out = []
    tabular = registry.names("table")
    plain = [*registry.names("figure"), *(tabular if set(forms) & set(TABULAR) else ())] if names is None else names
    wanted: list[tuple[str, Look | None]] = [*((name, None) for name in plain), *(saved or {}).items()]
    for name, look in wanted:
        registry.get("table" if name in tabular else "figure", look.figure if look else name)
    for name, look in wanted:
        try:
            if name in tabular:
                listed.append(table(name, tables))
                continue
            made = info(look.figure if look else name, tables)
            figures.append((look.applied(made, name), look.size()) if look else (made, preset))
        except UserError as error:
            if names is not None:
                raise
            left_out.append(LeftOut(name, str(error)))
    if listed and not set(forms) & set(TABULAR):
        raise BadValue(f"a table is written as {', '.join(TABULAR)}, not as {', '.join(forms)}")
    return [*write_figures(figures, folder, forms, dpi), *write_tables(listed, folder, forms)], left_out


def write_tables(made: Sequence[Table], folder: Path, forms: Sequence[str]) -> list[Written]:
    """Write tables into a folder, which is made where it is missing.

    Raises:
        BadValue: the folder cannot be written.
    """
    found = [(one, table_files(one, forms)) for one in made]
    for _, content in found:
        put(folder, content)
    return [Written(one.name, list(content), one.caption) for one, content in found]


def write_figures(
    figures: Sequence[tuple[Info, Preset]], folder: Path, forms: Sequence[str], dpi: int = 300
) -> list[Written]:
    """Write figures, each at its size, into a folder, which is made where it is missing.

    Raises:
        UnknownName: no such format; BadValue: the folder cannot be written, or dpi is out of its range.
    """
    check(forms)
    if not 20 <= dpi <= 2400:
        raise BadValue(f"dots an inch are from 20 to 2400, not {dpi}")
    made = []
    for figure, preset in figures:
        drawn = printing.written(figure, preset, [form for form in forms if form in printing.FORMATS], dpi)
        content = {f"{figure.name}.{form}": data for form, data in drawn.items()}
        for form in (form for form in forms if form not in printing.FORMATS):
            content |= files(figure, form, preset, dpi)
        put(folder, content)
        made.append(Written(figure.name, list(content), figure.caption))
    return made


def put(folder: Path, content: Mapping[str, bytes]) -> None:
    """Write files into a folder, which is made where it is missing; where one cannot be written, all stay as they were.

    Raises:
        BadValue: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            for name, data in content.items():
                stack.enter_context(whole(folder / name)).write_bytes(data)
    except OSError as error:
        raise BadValue(f"{folder} cannot be written: {error.strerror}") from error


def packed(files: Mapping[str, bytes]) -> bytes:
    """One file as it is, several in an archive that is the same for the same files."""
    if len(files) == 1:
        return next(iter(files.values()))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()
