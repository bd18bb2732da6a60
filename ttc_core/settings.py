"""The environment, read once."""

from __future__ import annotations

import functools
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ttc_core.errors import BadValue

N = TypeVar("N", int, float)
REPOSITORY = Path(__file__).resolve().parent.parent
DATA = REPOSITORY / "data"


@dataclass(frozen=True)
class Settings:
    """Where things are. Each field comes from TTC_<FIELD IN CAPITALS>."""

    data_dir: Path = DATA
    database_url: str = f"sqlite:///{DATA / 'workbench.db'}"
    batch: int = 256  # rows the embedded engine decodes together
    examples: bool = True  # whether a new database begins with the shipped searches and studies; "0" for no
    hosts: tuple[str, ...] = ()  # servers of models, and networks, that may be called though their address is private
    models: Path | None = None  # the models file, in place of models.toml in the data folder
    read_only: bool = False  # nobody may change anything through this process; "1" for yes
    patience: float = 900.0  # seconds after which a model that has answered nothing hangs; its `deadline` overrides it
    access: Path | None = None  # the file that says who may do what (`access`); None: whoever is at the machine may all


@functools.cache
def settings() -> Settings:
    """The settings of this process.

    Raises:
        BadValue: TTC_BATCH is not a positive whole number, or TTC_PATIENCE no positive number.
    """
    data = Path(os.environ.get("TTC_DATA_DIR", str(DATA)))
    url = os.environ.get("TTC_DATABASE_URL", f"sqlite:///{data / 'workbench.db'}")
    batch = _number("TTC_BATCH", int, Settings.batch)
    patience = _number("TTC_PATIENCE", float, Settings.patience)
    own = os.environ.get("TTC_MODELS", "")
    examples = os.environ.get("TTC_EXAMPLES", "1") != "0"
    hosts = tuple(filter(None, (name.strip() for name in os.environ.get("TTC_HOSTS", "").split(","))))
    read_only = os.environ.get("TTC_READ_ONLY", "0") not in ("", "0")
    access = os.environ.get("TTC_ACCESS", "")
    return Settings(
        data_dir=data,
        database_url=url,
        batch=batch,
        examples=examples,
        hosts=hosts,
        models=Path(own) if own else None,
        read_only=read_only,
        patience=patience,
        access=Path(access) if access else None,
    )


def _number(name: str, kind: type[N], usual: N) -> N:
    said = os.environ.get(name, str(usual))
    try:
        value = kind(said)
    except ValueError:
        value = kind(0)
    if not 0 < value < math.inf:
        word = "a whole number" if kind is int else "a number of seconds"
        raise BadValue(f"the environment variable {name} must be {word} above 0, not {said[:40]!r}")
    return value
