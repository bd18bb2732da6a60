"""How long figures of the shipped studies take, and what they look like: one, all in all formats, every preset.

    python -m benchmarks.figures [--preset acl] [--resamples 1000] [--write | --page]

Prints one JSON document; exit code 1 where one figure in one format takes 1 s or more, or all figures and tables in all
formats, the studies' tables included, 60 s or more; both in seconds of the processor, as other work on the machine does
not count. The tables of a study are computed once for all of its figures; a figure is of the first study that has it.
--write also draws every figure at every preset, a tree and a chain among them, looks into the PDFs and compiles the
pgfplots; it writes benchmarks/results/figures.json, docs/figures.md and docs/figures.webp, and needs `pdffonts` and
`pdftoppm` (Debian's poppler-utils) and `pdflatex` with pgfplots. --page measures nothing and writes docs/figures.md
anew from the report that is there.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from PIL import Image

from ttc_core import registry, runs
from ttc_core.drawing.info import Info
from ttc_core.drawing.presets import POINTS, PRESETS, Preset, preset
from ttc_core.errors import UserError
from ttc_core.export import searches, tables, text, writing
from ttc_core.settings import REPOSITORY

MOST, MOST_ALL = 1.0, 60.0  # seconds of the processor
STUDIES = ("sample", "chains", "verifiers")
SHIPPED = ("revisions", "beam_search")  # of the searches that a new database has, those whose figures are drawn
RESULT = REPOSITORY / "benchmarks" / "results" / "figures.json"
PAGE, SHEET = REPOSITORY / "docs" / "figures.md", REPOSITORY / "docs" / "figures.webp"
DPI, LARGE = 60, 30  # of the sheet, and there of slide and poster
TEX = "acl"  # the preset whose pgfplots is compiled
Drawn = dict[str, list[tuple[Info, Preset]]]  # by preset


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="acl")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--page", action="store_true")
    args = parser.parse_args()
    if args.page:
        PAGE.write_text(page(json.loads(RESULT.read_text("utf-8"))), "utf-8")
        return 0
    os.environ["TTC_EXAMPLES"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        db = f"sqlite:///{Path(folder) / 'x.db'}"
        runs.ensure_database(db=db)
        report, infos = measure(db, args.preset, args.resamples)
        if args.write:
            report |= look(everything(db, infos), Path(folder))
            RESULT.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
            PAGE.write_text(page(report), "utf-8")
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return int(report["slowest"]["seconds"] >= MOST or report["all_seconds"] >= MOST_ALL)


def measure(db: str, size: str, resamples: int) -> tuple[dict, dict[str, Info]]:
    """Seconds of the studies' tables, of each figure in each format, and of all of it; and the figures."""
    begin = time.process_time()
    infos, of, listed = {}, {}, {}
    for study in STUDIES:
        found = tables.of_study(study, resamples=resamples, db=db)
        for name in set(registry.names("figure")) - set(infos):
            with suppress(UserError):
                infos[name], of[name] = writing.info(name, found), study
        for name in set(registry.names("table")) - set(listed):
            with suppress(UserError):
                listed[name] = writing.table(name, found)
    infos = {name: infos[name] for name in registry.names("figure")}
    listed = {name: listed[name] for name in registry.names("table")}
    made = time.process_time() - begin
    took: dict[str, dict[str, float]] = {}
    writing.files(infos["costs"], "pdf", preset(size))  # what is imported when it is first needed is no drawing
    for name, info in infos.items():
        for form in writing.FORMATS:
            start = time.process_time()
            writing.files(info, form, preset(size))
            took.setdefault(name, {})[form] = round(time.process_time() - start, 3)
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        writing.write_figures([(info, preset(size)) for info in infos.values()], Path(folder), writing.FORMATS)
    for table in listed.values():
        writing.table_files(table, writing.FORMATS)
    all_ = made + time.process_time() - begin
    flat = {f"{name}.{form}": seconds for name, each in took.items() for form, seconds in each.items()}
    slowest = max(flat, key=lambda file: flat[file])
    return {
        "preset": size,
        "figures": len(infos),
        "tables": {name: len(table.rows) for name, table in listed.items()},
        "tables_seconds": round(made, 2),
        "slowest": {"file": slowest, "seconds": flat[slowest]},
        "median_seconds": sorted(flat.values())[len(flat) // 2],
        "all_seconds": round(all_, 1),
        "seconds": took,
        "studies": of,
    }, infos


def everything(db: str, infos: dict[str, Info]) -> Drawn:
    """Every figure, and tree and chain of shipped searches, at every preset; equal presets once."""
    shown = []
    for strategy in SHIPPED:
        shown.append(runs.listing(strategy=strategy, alone=True, limit=1, db=db).rows[0].id)
    names = {size: name for name, size in reversed(PRESETS.items())}
    return {
        name: [
            *((info, size) for info in infos.values()),
            *(one for run in shown for one in searches.figures(run, size, db)),
        ]
        for size, name in names.items()
    }


def look(drawn: Drawn, folder: Path) -> dict:
    """Draw all of it, look into the PDFs, and put the pages of all presets beside each other."""
    report: dict = {"presets": {}, "fonts": {}}
    columns = []
    for name, figures in drawn.items():
        at = folder / name
        writing.write_figures(figures, at, ["pdf", "tex"] if name == TEX else ["pdf"])
        files = [at / f"{info.name}.pdf" for info, _ in figures]
        wide = {float(one) for file in files for one in re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ", file.read_bytes())}
        assert {round(one, 2) for one in wide} == {round(PRESETS[name].width * POINTS, 2)}, (name, wide)
        for file in files:
            for font, kind, embedded in fonts(file):
                assert kind == "CID TrueType" and embedded == "yes", (file, font, kind, embedded)
                report["fonts"][font] = kind
        report["presets"][name] = {"inches": PRESETS[name].width, "pdfs": len(files)}
        dpi = LARGE if PRESETS[name].width > 9 else DPI
        columns.append([pictured(file, dpi) for file in files])
        if name == TEX:
            compiled(at, [info.name for info, _ in figures])
            columns.append([pictured(at / "all.pdf", DPI, i + 1) for i in range(len(files))])
    sheet(columns)
    return report


def fonts(file: Path) -> list[tuple[str, str, str]]:
    """Name without its tag, type, and whether it is embedded, of each font in a PDF."""
    told = subprocess.run(["pdffonts", str(file)], capture_output=True, text=True, check=True).stdout.splitlines()[2:]
    found = [re.match(r"(?:[A-Z]{6}\+)?(\S+)\s+(.+?)\s+\S+\s+(yes|no)\s", line) for line in told]
    return [(one[1], one[2], one[3]) for one in found if one]


def pictured(file: Path, dpi: int, number: int = 1) -> Image.Image:
    """A page of a PDF as pixels."""
    stem = file.with_name(f"{file.stem}-{number}")
    ask = ["pdftoppm", "-r", str(dpi), "-png", "-singlefile", "-f", str(number), str(file), str(stem)]
    subprocess.run(ask, check=True)
    return Image.open(f"{stem}.png").convert("RGB")


def compiled(folder: Path, names: list[str]) -> None:
    """all.pdf: a page as large as the figure for the pgfplots of each."""
    boxes = [
        rf"\setbox0=\hbox{{\input{{{name}}}\unskip}}\pdfpagewidth=\wd0 "
        r"\pdfpageheight=\dimexpr\ht0+\dp0\relax\shipout\box0"
        for name in names
    ]
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{pgfplots}\usepgfplotslibrary{groupplots}"
    head += r"\usetikzlibrary{patterns}\pgfplotsset{compat=1.17}\hoffset=-1in\voffset=-1in\begin{document}"
    (folder / "all.tex").write_text("\n".join([head, *boxes, r"\end{document}"]))
    ask = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    subprocess.run(ask, cwd=folder, check=True, capture_output=True)


def sheet(columns: list[list[Image.Image]], gap: int = 10) -> None:
    """The pictures, a column a preset and a row a figure."""
    widths = [max(one.width for one in column) for column in columns]
    heights = [max(one.height for one in row) for row in zip(*columns, strict=True)]
    whole = Image.new("RGB", (sum(widths) + gap * len(widths), sum(heights) + gap * len(heights)), "#B8B8B8")
    for i, column in enumerate(columns):
        for j, one in enumerate(column):
            whole.paste(one, (sum(widths[:i]) + gap * i, sum(heights[:j]) + gap * j))
    whole.save(SHEET, quality=55, method=6)


def page(report: dict) -> str:
    """docs/figures.md."""
    forms = ", ".join(writing.FORMATS)
    about = {name: (registry.get("figure", name).__doc__ or "").strip().splitlines()[0] for name in report["seconds"]}
    listed = {name: (registry.get("table", name).__doc__ or "").strip().splitlines()[0] for name in report["tables"]}
    rows = [
        f"| `{name}` | {text.markdown(about[name])} | {report['studies'][name]} | {max(of.values()):.2f} |"
        for name, of in report["seconds"].items()
    ]
    pdfs = sum(of["pdfs"] for of in report["presets"].values())
    inches = ", ".join(f"{name} {of['inches']:g} in" for name, of in report["presets"].items())
    slowest = report["slowest"]
    lines = [
        "# All figures",
        f"Written by `python -m benchmarks.figures --write` from the shipped studies. Each figure comes as {forms};\n"
        "the seconds are those of the processor for its slowest format. The last rows of the picture are tree and\n"
        "chain of searches that a new database holds.",
        "| figure | what it shows | study | seconds |\n| --- | --- | --- | ---: |\n" + "\n".join(rows),
        "| table | what it holds | rows |\n| --- | --- | ---: |\n"
        + "\n".join(
            f"| `{name}` | {text.markdown(listed[name])} | {count} |" for name, count in report["tables"].items()
        ),
        f"All {report['figures']} figures and the tables in all formats take {report['all_seconds']:.0f} s, of these\n"
        f"{report['tables_seconds']:.0f} s the analysis; one figure in one format at most {slowest['seconds']:.2f} s\n"
        f"(`{slowest['file']}`).",
        f"Of {pdfs} PDFs each is exactly as wide as its preset ({inches}),\n"
        f"and every font in them is embedded as TrueType: {', '.join(sorted(report['fonts']))}.",
        f"A row a figure; a column a preset: {', '.join(report['presets'])}, slide and poster at half the scale.\n"
        f"Behind {TEX} stands its pgfplots, compiled.",
        "![Every figure at every preset](figures.webp)",
    ]
    return "\n\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
