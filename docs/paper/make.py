"""Makes the mock-up of a two-column paper from the sample study: figures, table, PDF and its picture.

    .venv/bin/python docs/paper/make.py [--out FOLDER]

Needs `pdflatex` with pgfplots and booktabs, and `pdftoppm` for the picture: Debian's texlive-latex-base,
texlive-latex-recommended, texlive-pictures and poppler-utils. Writes the PDF and what it is made of into the folder
(default: site/paper), and docs/paper/paper.webp.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from ttc_core import runs  # noqa: E402
from ttc_core.drawing.looks import Look  # noqa: E402
from ttc_core.export import tables, text, writing  # noqa: E402
from ttc_core.settings import REPOSITORY  # noqa: E402

METHODS = ("best-of-N (majority)", "best-of-N (weighted)", "beam search (width 4)", "DVTS (width 4)", "compute-optimal")
LOOKS = {  # what the paper calls them: how they are drawn, and in which format they come into it
    "frontier": (Look("frontier", preset="icml", series=METHODS, limits={"generations": [1, 64]}), "pdf"),
    "exchange": (Look("exchange", preset="icml-wide"), "tex"),
    "bins": (Look("methods_by_bin", preset="icml", grey=True), "pdf"),
    "revisions": (Look("revision_ratio", preset="icml"), "tex"),
    "optimal": (
        Look("compute_optimal", preset="icml", intervals="none", limits={"generations": [4, 64]},
             words={"compute-optimal, oracle bins": "optimal, oracle", "compute-optimal, predicted bins":
                    "optimal, predicted"}),
        "tex",
    ),
}  # fmt: skip


def main() -> int:
    """Make it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "site" / "paper")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--picture", metavar="FILE", type=Path, default=HERE / "paper.webp")
    parser.add_argument("--no-picture", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    os.environ["TTC_EXAMPLES"] = "1"  # a new database holds the sample study
    with tempfile.TemporaryDirectory() as folder:
        db = f"sqlite:///{Path(folder) / 'x.db'}"
        runs.ensure_database(db=db)
        draw(tables.of_study("sample", resamples=args.resamples, db=db), args.out)
    shutil.copy(HERE / "paper.tex", args.out)
    for _ in range(2):  # the second time the references are known
        done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"], cwd=args.out,
                              capture_output=True, text=True, errors="replace", check=False)  # fmt: skip
        if done.returncode:
            sys.stderr.write(done.stdout[-2000:])
            return 1
    if not args.no_picture:
        picture(args.out, args.picture)
    return 0


def draw(found: tables.StudyTables, folder: Path) -> None:
    """The figures and their captions, as `\\caption` takes them."""
    captions = []
    for name, (look, form) in LOOKS.items():
        info = look.applied(writing.info(look.figure, found), name)
        for file, content in writing.files(info, form, look.size()).items():
            (folder / file).write_bytes(content)
        captions.append(rf"\newcommand\caption{name}{{{text.tex(info.caption)}}}")
    (folder / "captions.tex").write_text("\n".join(captions) + "\n", "utf-8")


def picture(folder: Path, file: Path) -> None:
    """Its pages beside each other."""
    for page in folder.glob("page-*.png"):
        page.unlink()
    subprocess.run(["pdftoppm", "-r", "110", "-png", "paper.pdf", "page"], cwd=folder, check=True)
    pages = [Image.open(path).convert("RGB") for path in sorted(folder.glob("page-*.png"))]
    sheet = Image.new("RGB", (sum(page.width + 12 for page in pages) - 12, pages[0].height), "#8A8A8A")
    for i, page in enumerate(pages):
        sheet.paste(page, (i * (page.width + 12), 0))
    sheet.save(file, quality=80, method=6)


if __name__ == "__main__":
    sys.exit(main())
