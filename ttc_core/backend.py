"""From names to loaded models: what a scheduler asks for engines and verifiers."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from ttc_core import models, registry
from ttc_core.errors import EngineError
from ttc_core.jobs import Engine, Verifier
from ttc_core.settings import settings

AGAIN_SECONDS = 5.0  # before a model that could not be loaded is tried again


class Backend(Protocol):
    """Hands out engines and verifiers by name, each loaded once."""

    def engine(self, name: str) -> Engine:
        """The engine that runs model `name`."""
        ...

    def verifier(self, name: str) -> Verifier:
        """The verifier `name`."""
        ...


class LocalBackend:
    """The models of the catalogue, loaded when first asked for and kept for the life of the process, or their own."""

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}
        self._verifiers: dict[str, Verifier] = {}
        self._failed: dict[str, tuple[float, Callable[[], EngineError]]] = {}  # when loading failed, and how

    def engine(self, name: str) -> Engine:
        """Load (once) the engine for a policy or for a model that a verifier reads.

        One that could not be loaded is not tried again at once: every search of a study would.

        Raises:
            UnknownName: no such model; UserError: it is not set up; EngineError: it cannot be loaded.
        """
        if getattr(self._engines.get(name), "gone", False):
            gone: Any = self._engines.pop(name)
            with suppress(Exception):  # of what is left of it
                gone.close()
        if name not in self._engines:
            when, again = self._failed.pop(name, (0.0, None))
            if again is not None and time.monotonic() - when < AGAIN_SECONDS:
                self._failed[name] = (when, again)
                raise again()
            try:
                card = models.ready(name)
                self._engines[name] = registry.get("engine", card.engine)(card.name, card, batch=settings().batch)
            except EngineError as fault:  # of itself it would keep all that was loaded so far
                self._failed[name] = (time.monotonic(), partial(type(fault), str(fault), hint=fault.hint))
                raise
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


class Watched:
    """Another backend's models; `loading` is the one that is being loaded now, "" for none."""

    def __init__(self, backend: Backend) -> None:
        self._backend, self.loading = backend, ""

    def engine(self, name: str) -> Engine:
        """As `Backend.engine`."""
        self.loading = name
        try:
            return self._backend.engine(name)
        finally:
            self.loading = ""

    def verifier(self, name: str) -> Verifier:
        """As `Backend.verifier`."""
        return self._backend.verifier(name)
