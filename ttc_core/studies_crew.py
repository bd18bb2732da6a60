"""The actors that carry a study out on a Ray cluster (`studies_ray`): as they are asked for, and as they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ttc_core.errors import UserError
from ttc_core.studies_views import Tally

KEYS = ("n", "cpus", "gpus", "model")


@dataclass(frozen=True)
class Group:
    """Actors of one kind. n: how many; cpus, gpus: what each needs; models: whose units it takes, all if none."""

    n: int = 1
    cpus: float = 1.0
    gpus: float = 0.0
    models: tuple[str, ...] = ()


@dataclass
class Member:
    """One actor as others see it. pid: 0 while it waits for a place; restarts: how often it was started anew."""

    name: str
    group: Group
    pid: int = 0
    host: str = ""
    units: int = 0
    tokens: int = 0
    restarts: int = 0
    tokens_per_second: float = 0.0
    ended: bool = False
    _before: Tally = field(default_factory=Tally)  # of processes that died
    _first: float = 0.0

    def __str__(self) -> str:
        if not self.pid:
            return "waits for a place"
        again = f", started anew {self.restarts} times" if self.restarts > 1 else ", started anew" * self.restarts
        return f"{self.units} units, {self.tokens_per_second:,.0f} tokens/s on {self.host}{again}"

    def heard(self, said: Mapping[str, Any], now: float) -> None:
        """Take in what the actor says of itself (`studies_ray.Worker.numbers`)."""
        if said["pid"] != self.pid:
            self.restarts += self.pid != 0
            self.pid, self.host = said["pid"], said["host"]
            self._before = Tally(self.units, self.tokens)
            self._first = self._first or now - said["seconds"]
        self.units, self.tokens = self._before.units + said["units"], self._before.tokens + said["tokens"]
        self.tokens_per_second = self.tokens / max(now - self._first, 1e-3)


def group(text: str) -> Group:
    """Read `4`, or `n=4,cpus=2,gpus=1,model=A`; `model=` may come several times.

    Raises:
        UserError: it says something else.
    """
    parts = [("n", text)] if text.isdigit() else [tuple(part.split("=", 1)) for part in text.split(",")]
    values: dict[str, Any] = {"models": ()}
    for part in parts:
        if len(part) != 2 or part[0] not in KEYS or (part[0] != "model" and part[0] in values):
            raise UserError(f"{text!r} describes no actors", hint="for example: 4, or n=4,cpus=2,gpus=1,model=NAME")
        if part[0] == "model":
            values["models"] += (part[1],)
        else:
            values[part[0]] = _number(*part)
    return Group(**values)


def _number(key: str, text: str) -> float:
    try:
        value = int(text) if key == "n" else float(text)
    except ValueError:
        value = -1
    if not (1 if key == "n" else 0) <= value <= 10_000:
        raise UserError(f"{key} of actors cannot be {text!r}", hint="n: 1 or more; cpus, gpus: 0 or more, also 0.5")
    return value
