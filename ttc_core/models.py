"""Which models there are: the cards under `data/models/`, the embedded family's, and the tables of the models file."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttc_core import models_file
from ttc_core.errors import TTCError, UnknownName, UserError
from ttc_core.models_file import POLICY as POLICY
from ttc_core.settings import settings
from ttc_core.types import TEMPERATURE

EMBEDDED = "embedded"  # the engine of the bundled models
WEIGHTS = "model.safetensors"  # in the folder of a model
ABILITIES = {  # keys of a card, and what a model can do whose card has them: "revises": 4, "critiques": true
    "revises": "revise its own attempts",
    "critiques": "criticise its solutions and write them anew",
}


@dataclass(frozen=True)
class ModelCard:
    """One model or verifier. `kind` is "policy" or the name of a registered verifier.

    card   the whole file, or the whole table of the models file
    folder where its weights or its file are
    lacks  why it cannot be used yet, "" when it can
    """

    name: str
    kind: str
    engine: str
    parameters: int
    folder: Path
    card: Mapping[str, Any]
    lacks: str = ""

    @property
    def temperature(self) -> float:
        """What it samples at where a run names no temperature."""
        return float(self.card.get("temperature", TEMPERATURE))

    @property
    def revises(self) -> int:
        """The most attempts that it was trained to revise at a time, 0 for a model that was not."""
        return int(self.card.get("revises", 0))

    def able(self, ability: str) -> bool:
        """Whether it can do this; see `ABILITIES`."""
        return bool(self.card.get(ability))

    def judges(self, policy: ModelCard) -> bool:
        """Whether a verifier can read what this model writes: the embedded family knows the words of its own alone."""
        return self.engine != EMBEDDED or policy.engine == EMBEDDED


class BrokenCard(TTCError):
    """A model folder whose card cannot be read."""


_held: ContextVar[Mapping[str, ModelCard] | None] = ContextVar("_held", default=None)


@contextmanager
def held() -> Iterator[None]:
    """Read all cards once, for whatever asks for models inside the block."""
    token = _held.set(catalogue())
    try:
        yield
    finally:
        _held.reset(token)


def catalogue() -> dict[str, ModelCard]:
    """All models by name: the embedded family's cards, sorted, then the tables of the models file in their order.

    Raises:
        BrokenCard: a card is not JSON or lacks its name, kind or parameters; BrokenFile: a models file is wrong.
    """
    if (known := _held.get()) is not None:
        return dict(known)
    found = {}
    for path in sorted((settings().data_dir / "models").glob("*/card.json")):
        try:
            card = json.loads(path.read_text("utf-8"))
            found[card["name"]] = ModelCard(
                card["name"], card["kind"], card.get("engine", EMBEDDED), int(card["parameters"]), path.parent, card
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BrokenCard(f"the model card {path.parent.name}/card.json cannot be read: {error}") from error
    return {**found, **_of_the_file(found)}


def _of_the_file(cards: Mapping[str, ModelCard]) -> dict[str, ModelCard]:
    """The cards that the models file's tables make, beside the embedded family's."""
    policies, verifiers = models_file.tables()
    own = models_file.files()[-1]
    for name in (*policies, *verifiers):
        if name in cards or (name in policies and name in verifiers):
            raise models_file.BrokenFile(
                f"{own.name} names {name!r}, which another model or verifier is called already"
            )
    made: dict[str, ModelCard] = {}
    for name, table in policies.items():
        folder = own.parent / table["model"]
        card = ModelCard(name, POLICY, table["engine"], table["parameters"], folder, table, models_file.lacks(table))
        made[name] = card
    for name, table in sorted(verifiers.items(), key=lambda item: "of" in item[1]):  # ensembles after their members
        made[name] = _verifier(name, table, {**cards, **made}, own.name)
    return {name: made[name] for name in (*policies, *verifiers)}


def _verifier(name: str, table: Mapping[str, Any], known: Mapping[str, ModelCard], file: str) -> ModelCard:
    """Its size and what it lacks are those of the models, or members, that it reads."""
    members = table.get("of", ())
    wanted = [table["model"]] if table.get("model") else [*members] if isinstance(members, list) else []
    for other in wanted:
        if not isinstance(other, str) or other not in known:
            key = "of" if members else "model"
            raise models_file.BrokenFile(
                f"{key} of [verifiers.{name}] in {file} names {other!r}, which is not there",
                hint=suggest(str(other), known),
            )
    read = [known[other] for other in wanted]
    lacks = next((card.lacks for card in read if card.lacks), "")
    engine = next((card.engine for card in read if card.engine == EMBEDDED), read[0].engine if read else "")
    size = sum(card.parameters for card in read)
    return ModelCard(name, table["kind"], engine, size, models_file.SHIPPED.parent, table, lacks)


def ready(name: str, *, policy: bool | None = None) -> ModelCard:
    """As `find`, for a model that can be used now.

    Raises:
        UnknownName: with the names there are; UserError: it is not set up.
    """
    card = find(name, policy=policy)
    if card.lacks:
        raise UserError(f"{name} is not set up: {card.lacks}")
    return card


def find(name: str, *, policy: bool | None = None) -> ModelCard:
    """The card of `name`; policy=True wants a model that writes solutions, False a verifier, None either.

    Raises:
        UnknownName: with the names there are.
    """
    known = catalogue()
    fitting = {n: c for n, c in known.items() if policy is None or (c.kind == POLICY) == policy}
    if name not in fitting:
        what = {True: "model", False: "verifier", None: "model or verifier"}[policy]
        raise UnknownName(f"no {what} is called {name!r}", hint=suggest(name, fitting))
    return fitting[name]


def recorded(folder: Path) -> str | None:
    """The SHA-256 that SHA256SUMS in the folder of models has for a model's weights; None where it has none."""
    sums = folder.parent / "SHA256SUMS"
    if not sums.is_file():
        return None
    known = (line.partition("  ") for line in sums.read_text("utf-8").splitlines())
    return next((digest for digest, _, name in known if name == f"{folder.name}/{WEIGHTS}"), None)


def as_recorded(card: ModelCard) -> bool | None:
    """Whether its weights are those that are recorded of it; None where nothing is recorded, or it has no weights."""
    weights, wanted = card.folder / WEIGHTS, recorded(card.folder)
    if wanted is None or not weights.is_file():
        return None
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == wanted


def unable(name: str, ability: str) -> UserError:
    """The error for asking `name` for what it cannot do, with the models that can as hint."""
    able = [card.name for card in catalogue().values() if card.kind == POLICY and card.able(ability)]
    hint = f"{' and '.join(able)} can" if able else "none of the models here can"
    return UserError(f"{name} was not made to {ABILITIES[ability]}", hint=hint)


def suggest(name: str, known: Iterable[str]) -> str:
    """A hint naming the closest known names, or all when they are few."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"there is: {', '.join(names[:20])}" if names else "there is none"
