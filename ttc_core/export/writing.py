"""Figures of a study as files in a folder."""

from __future__ import annotations

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
from ttc_core.errors import BadValue, UnknownName, UserError
from ttc_core.export import pgfplots, text
from ttc_core.files import whole

FORMATS = (*printing.FORMATS, "tex", "csv", "md")


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
    """Write figures into a folder, which is made where it is missing.

    names: which; None for all that the study has what it takes for. saved: others by their names, each in its own size.

    Raises:
        UnknownName: no such figure or format; BadValue: the folder cannot be written; UserError: a figure that was
            asked for by name is not possible. Nothing is written then.
    """
    check(forms)
    figures: list[tuple[Info, Preset]] = []
    left_out = []
    plain = registry.names("figure") if names is None else names
    wanted: list[tuple[str, Look | None]] = [*((name, None) for name in plain), *(saved or {}).items()]
    for name, look in wanted:
        registry.get("figure", look.figure if look else name)
    for name, look in wanted:
        try:
            made = info(look.figure if look else name, tables)
            figures.append((look.applied(made, name), look.size()) if look else (made, preset))
        except UserError as error:
            if names is not None:
                raise
            left_out.append(LeftOut(name, str(error)))
    return write_figures(figures, folder, forms, dpi), left_out


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
