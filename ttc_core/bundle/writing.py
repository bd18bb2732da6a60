"""Make a bundle of a study."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttc_core import saved_figures, studies, studies_export
from ttc_core.bundle import FORMAT, archive, provenance
from ttc_core.drawing.looks import Look
from ttc_core.drawing.presets import Preset, preset
from ttc_core.errors import BadValue, UserError
from ttc_core.export import tables, text, writing
from ttc_core.settings import settings
from ttc_core.store import carried, migrate, studies_tables
from ttc_core.store.database import Database, database

if TYPE_CHECKING:
    import pandas as pd

PROGRAM = ".venv/bin/python -m ttc_core"
MOST_RESAMPLES = 100_000


@dataclass(frozen=True)
class Drawn:
    """How the figures of a bundle are drawn.

    Arguments:
        family: "" for the preset's own type.
        saved: figures that somebody saved of the study, by name: `Look.document` of each.
    """

    preset: str = "neurips"
    family: str = ""
    formats: Sequence[str] = writing.FORMATS
    dpi: int = 300
    resamples: int = 1000
    saved: Mapping[str, Any] = field(default_factory=dict)

    def looks(self) -> dict[str, Look]:
        """The saved figures.

        Raises:
            BadValue: one of them, or its name, is not what it has to be.
        """
        return {saved_figures.named(name): Look.parse(document) for name, document in self.saved.items()}

    def check(self) -> Preset:
        """The preset that is meant.

        Raises:
            UnknownName: no such preset or format; BadValue: no such family, or a number that is too small or large.
        """
        writing.check(self.formats)
        if not 1 <= self.resamples <= MOST_RESAMPLES:
            raise BadValue(f"resamples are from 1 to {MOST_RESAMPLES:,}, not {self.resamples}")
        self.looks()
        return preset(self.preset, self.family or None)


def write(study: str, file: Path, drawn: Drawn, *, db: str | None = None) -> dict[str, Any]:
    """Write the bundle of a study that has ended or is paused, with the figures saved of it; returns its `bundle.json`.

    Raises:
        UnknownName: no such study, preset or format; UserError: somebody works on it, or the file cannot be written.
    """
    drawn.check()
    view = studies.progress(study, db=db)
    if not view.ended or view.units["leased"]:
        raise UserError(f"study {study!r} is still under way", hint="pause it, or wait until it has ended")
    if not view.outcomes:
        raise UserError(f"study {study!r} has no outcomes yet")
    if not file.parent.is_dir() or file.is_dir():
        raise UserError(f"{str(file)!r} cannot be written", hint="name a file in a folder that is there")
    saved = {name: look.document() for name, look in saved_figures.listing(study, db=db).items()}
    drawn = replace(drawn, saved=saved)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "bundle"
        folder.mkdir()
        with database(db or settings().database_url).read() as source:
            copy = carried.alone(source, study, Path(temporary) / "study.db")
        try:
            about = _fill(study, folder, copy, drawn)
        finally:
            copy.close()
        archive.pack(folder, file)
    return about


def _fill(study: str, folder: Path, copy: Database, drawn: Drawn) -> dict[str, Any]:
    """All files of the bundle; `copy` holds the study alone."""
    (folder / "tables").mkdir()
    with copy.read() as connection:
        for table in carried.TABLES:
            with (folder / "tables" / f"{table}.jsonl").open("wb") as target:
                target.writelines(carried.lines(connection, table))
    url = copy.absolute_url
    studies_export.write(study, folder / "data", db=url)
    (folder / "data" / "study.json").unlink()  # says when somebody looked; bundle.json says what it is
    made, left_out = _draw(study, folder / "figures", drawn, url)
    graded_by = studies_tables.outcome_columns(copy, study)["graded_by"]
    outcomes = studies.outcomes(study, db=url)
    asked = provenance.asked(outcomes)
    about = studies.describe(study, db=url)
    document = {
        "format": FORMAT,
        "schema": migrate.HEAD,
        "study": study,
        "kind": about["kind"],
        "created": about["created"],
        "asked": asked,
        "graders": provenance.graders(_graders(copy, study), graded_by),
        "software": provenance.software(),
        "drawn": asdict(drawn),
        "figures": [asdict(one) for one in made],
        "left_out": [asdict(one) for one in left_out],
    }
    cards = provenance.cards([*asked["models"], *asked["verifiers"]])
    _json(folder / "models.json", cards)
    _json(folder / "bundle.json", document)
    if about["kind"] == "sweep":
        (folder / "study.toml").write_text(about["source"], "utf-8")
    needs = _needs(outcomes) if about["kind"] == "sweep" else []
    pooled = bool((folder / "data" / "samples.jsonl").stat().st_size)
    (folder / "README.md").write_text(_readme(document, cards, pooled, needs), "utf-8")
    return document


def _draw(study: str, folder: Path, drawn: Drawn, db: str) -> tuple[list[writing.Written], list[writing.LeftOut]]:
    found = tables.of_study(study, resamples=drawn.resamples, db=db)
    return writing.write(found, folder, drawn.formats, drawn.check(), dpi=drawn.dpi, saved=drawn.looks())


def _graders(copy: Database, study: str) -> set[str]:
    return studies_tables.graders(copy, study)


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", "ascii")


def _needs(outcomes: pd.DataFrame) -> list[str]:
    """What carrying the study out anew needs of this data folder besides models: data sets and policies, with sums."""
    policies = {json.loads(params).get("policy") for params in outcomes["params"].unique()}
    named = [("data set", "problems", f"{name}.jsonl") for name in sorted(outcomes["dataset"].unique())]
    named += [("policy", "policies", f"{name}.json") for name in sorted(policies - {None})]
    paths = [(what, settings().data_dir / folder / name) for what, folder, name in named]
    return [f"- the {what} `data/{path.parent.name}/{path.name}`, SHA-256 {archive.digest(path)}"
            for what, path in paths if path.is_file()]  # fmt: skip


def _readme(about: Mapping[str, Any], cards: Mapping[str, Any], pooled: bool, needs: Sequence[str]) -> str:
    """What a stranger reads first.

    pooled: whether there are samples that a study can be made of anew; needs: what that takes besides models.
    """
    study, asked, made = about["study"], about["asked"], about["software"]
    name, anew = shlex.quote(f"{study}-again"), []
    if about["kind"] == "sweep":
        anew = ["carried out anew by", f"    {PROGRAM} sweep FOLDER/study.toml --name {name}"]
    elif pooled:
        of = shlex.quote(asked["datasets"][0])
        samples = f"{PROGRAM} import samples FOLDER/data/samples.jsonl --dataset {of} --study {name}"
        anew = ["made anew from its samples by", f"    {samples}"]
    weights = [f"- {text.markdown(name)}: {len(card['sha256'])} files" for name, card in cards.items()]
    figures = [f"- **{one['name']}**: {text.markdown(one['caption'])}" for one in about["figures"]]
    missing = [f"- {one['name']}: {text.markdown(one['why'])}" for one in about["left_out"]]
    sets, models, judges = (", ".join(map(text.markdown, asked[of])) for of in ("datasets", "models", "verifiers"))
    parts = [
        f"# Study {study}",
        f"{asked['outcomes']:,} outcomes on {asked['problems']:,} problems of {sets}; models {models}; verifiers "
        f"{judges or 'none'}; seeds "
        f"{', '.join(map(str, asked['seeds']))}. Made with TTC Workbench, revision {made['revision']}, Python "
        f"{made['python']} on {made['machine']}; all else in `bundle.json`.",
        "In a checkout of the program, with FILE.zip for this file, its figures are drawn from its data by",
        f"    {PROGRAM} figures --bundle FILE.zip --out figures",
        "and the study comes into a database, for the pages and every other command, by",
        f"    {PROGRAM} import bundle FILE.zip",
        *([f"Unpacked into FOLDER, and with the same models, the study is {anew[0]}", *anew[1:]] if anew else []),
        *(["It takes besides, as they were here,", "\n".join(needs)] if needs else []),
        "Equal seeds give equal answers on the same kind of machine; seconds differ. `sha256sum -c SHA256SUMS` finds "
        "damage.",
        "## Models and verifiers, with sums of their files in `models.json`",
        "\n".join(weights) or "None that this program knows: the study was imported.",
        "## Figures",
        "\n".join(figures) or "None: the study has what no figure needs.",
        *(["## Figures that need what the study does not have", "\n".join(missing)] if missing else []),
    ]
    return "\n\n".join(parts) + "\n"
