"""From names to loaded models: what a scheduler asks for engines and verifiers."""

from __future__ import annotations

from typing import Protocol

from ttc_core import models, registry
from ttc_core.jobs import Engine, Verifier
from ttc_core.settings import settings


class Backend(Protocol):
    """Hands out engines and verifiers by name, each loaded once."""

    def engine(self, name: str) -> Engine:
        """The engine that runs model `name`."""
        ...

    def verifier(self, name: str) -> Verifier:
        """The verifier `name`."""
        ...


class LocalBackend:
    """The models of the catalogue, loaded when first asked for and kept for the life of the process."""

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}
        self._verifiers: dict[str, Verifier] = {}

    def engine(self, name: str) -> Engine:
        """Load (once) the engine for a policy or for a model that a verifier reads.

        Raises:
            UnknownName: no such model; UserError: it is not set up.
        """
        if name not in self._engines:
            card = models.ready(name)
            self._engines[name] = registry.get("engine", card.engine)(card.name, card, batch=settings().batch)
        return self._engines[name]

    def verifier(self, name: str) -> Verifier:
        """Load (once) a verifier.

        Raises:
            UnknownName: no such verifier; UserError: it is not set up.
        """
        if name not in self._verifiers:
            card = models.ready(name, policy=False)
            self._verifiers[name] = registry.get("verifier", card.kind).load(card)
        return self._verifiers[name]
