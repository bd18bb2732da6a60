"""Who may change what, decided where it is done: pages, command line and whatever comes later all pass here.

Whoever is at the machine may do everything. Where the workbench is shared, TTC_ACCESS names a file:

    [roles]                          # the highest that fits counts; who fits none may not even look
    admin = ["ada@example.org"]
    runner = ["*@example.org"]       # starts searches and studies; stops, annotates, deletes those he or she started
    viewer = ["anyone"]              # looks; "anyone" fits people who have not logged in, too

    [limits]                         # of each runner; 0 for none
    budget = 1024                    # generations that one search, or a whole study, may ask for
    running = 4                      # searches and studies under way at a time
    starts = 60                      # an hour

    [login]
    unstated = true                  # trust addresses of which the issuer does not say whether it verified them

The pages say who asks (`identify`). Every change that is asked for is written down in the table `audit`, refused ones
too. TTC_READ_ONLY=1 refuses all changes, whoever asks, and writes nothing down.
"""

from __future__ import annotations

import functools
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from ttc_core.errors import UserError
from ttc_core.settings import settings

P = ParamSpec("P")
T = TypeVar("T")
ROLES = ("viewer", "runner", "admin")
LIMITS = ("budget", "running", "starts")
TABLES = {"roles": ROLES, "limits": LIMITS, "login": ("unstated",)}
ANYONE = "anyone"
HOUR = 3600.0
STARTS = ("runs.start", "runs.extend", "runs.resume", "studies.start", "studies.extend", "studies.resume")
NEW = ("runs.start", "studies.start", "runs.import_run", "importing.add", "reading.add", "saved_figures.save")
ENDS = ("runs.delete", "studies.delete", "saved_figures.delete")
KINDS = {"importing": "studies", "reading": "studies"}  # what a module changes, where it is not called so
MAX_FILE = 1 << 20  # characters


class Refused(UserError):
    """This person may not do that, or not now."""


@dataclass(frozen=True)
class Rules:
    """The access file. roles: patterns of names by role; limits: by their names; unstated: as the file explains it."""

    roles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    unstated: bool = False

    def role(self, who: str) -> str:
        """The highest role of this person, "" for none. who: "" for somebody who has not logged in."""
        fits = [role for role in ROLES if any(_fits(who, pattern) for pattern in self.roles.get(role, ()))]
        return fits[-1] if fits else ""


@dataclass(frozen=True)
class Actor:
    """Who asks. name: "" for whoever is at the machine, or has not logged in."""

    name: str
    role: str


def _nobody_asked() -> str | None:
    return None


_who: Callable[[], str | None] = _nobody_asked


def identify(who: Callable[[], str | None]) -> None:
    """Have `who` say on whose behalf this thread works: a name, "" for a stranger, None for the machine's owner."""
    global _who
    _who = who


def rules() -> Rules | None:
    """The access file's, read anew each time, so that a right that is taken away is gone; None where there is none.

    Raises:
        UserError: it cannot be read, or says something impossible. Nobody may do anything then.
    """
    path = settings().access
    return None if path is None else read(path)


def read(path: Path) -> Rules:
    """An access file.

    Raises:
        UserError: in one sentence.
    """
    try:
        with path.open(encoding="utf-8") as file:
            found = tomllib.loads(file.read(MAX_FILE))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path.name} cannot be read: {error}", hint="TTC_ACCESS names it") from error
    for key, table in found.items():
        known = TABLES.get(key)
        if known is None or not isinstance(table, dict) or not set(table) <= set(known):
            there = ", ".join(f"[{name}] with {', '.join(keys)}" for name, keys in TABLES.items())
            raise UserError(f"{path.name} may have {there}, and nothing else")
    roles, limits, login = (found.get(name, {}) for name in TABLES)
    if not all(isinstance(names, list) and all(isinstance(n, str) for n in names) for names in roles.values()):
        raise UserError(f"each role in {path.name} must be a list of names")
    if not all(type(most) is int and most >= 0 for most in limits.values()):
        raise UserError(f"each limit in {path.name} must be a whole number, 0 for none")
    if type(unstated := login.get("unstated", False)) is not bool:
        raise UserError(f"unstated in {path.name} must be true or false")
    return Rules(roles, limits, unstated)


def actor() -> Actor:
    """Who asks now, and what that person may do."""
    known = rules()
    who = None if known is None else _who()
    return Actor("", "admin") if known is None or who is None else Actor(who, known.role(who))


def may_change() -> bool:
    """Whether whoever asks may change anything at all."""
    return not settings().read_only and actor().role in ("runner", "admin")


def why_not(verb: str, ids: Sequence[str] = (), needs: str = "runner") -> str:
    """Why whoever asks may not do that now, "" where at most the budget stands in the way.

    verb: as it is written down, such as "runs.stop"; ids: of what it changes; needs: the role.
    """
    try:
        check_writable()
        if (known := rules()) is not None:
            Asked(actor(), verb, needs, known, None, ids).permit(lambda: 0)
    except Refused as refusal:
        return str(refusal)
    return ""


def check_writable() -> None:
    """For what changes something and no `changes` guards.

    Raises:
        Refused: nobody changes anything through this process.
    """
    if settings().read_only:
        raise _read_only()


def _read_only() -> Refused:
    return Refused("this workbench is read-only", hint="run your own to search: see README.md")


def changes(
    needs: str = "runner", cost: Callable[..., int] | None = None
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """For a function that changes what is stored: it refuses whoever may not, and what it did is written down.

    Its first argument is the id, or ids, of what it changes; of what it makes anew it returns the id. needs: the role;
    a runner may change only what he or she started. cost: of the same arguments, the generations that are asked for.

    Raises:
        Refused: by the function.
    """

    def wrap(function: Callable[P, T]) -> Callable[P, T]:
        verb = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"

        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            check_writable()
            known = rules()
            if known is None:
                return function(*args, **kwargs)
            with Asked(actor(), verb, needs, known, kwargs.get("db"), args[0] if args else "") as one:
                one.permit(lambda: cost(*args, **kwargs) if cost else 0)
                made = function(*args, **kwargs)
                one.result = made
            return made

        guarded.__dict__["needs"] = needs
        return guarded

    return wrap


@dataclass
class Asked:
    """One change that somebody asks for."""

    who: Actor
    verb: str
    needs: str
    known: Rules
    db: Any
    first: Any
    result: Any = None

    @property
    def ids(self) -> list[str]:
        """Of what is to be changed; [] for what is made anew."""
        if self.verb in NEW:
            return []
        return [self.first] if isinstance(self.first, str) else [str(one) for one in self.first]

    def permit(self, cost: Callable[[], int]) -> None:
        """Raises Refused where it may not be."""

        role = self.who.role
        if role not in ROLES or ROLES.index(role) < ROLES.index(self.needs):
            called = f"your role is {role}" if role else "you have no role here"
            raise Refused(
                f"{self.verb} needs the role {self.needs}, and {called}", hint="ask whoever runs this workbench"
            )
        if role == "admin":
            return
        own = self._own(_kind(self.verb))
        if other := [one for one in self.ids if one not in own]:
            raise Refused(
                f"{other[0]} was started by somebody else", hint="ask that person, or whoever runs this workbench"
            )
        if self.verb in STARTS:
            self._limits(cost, self._own("runs") | self._own("studies"))

    def _own(self, kind: str) -> set[str]:
        """What this person made, of one kind: a study may be called as a figure is, and as one that was deleted."""
        from ttc_core.store import audit

        made, ended = ([verb for verb in verbs if _kind(verb) == kind] for verbs in (NEW, ENDS))
        return audit.started_by(self._database(), self.who.name, made, ended)

    def _limits(self, cost: Callable[[], int], own: set[str]) -> None:
        from ttc_core.store import audit

        most = {name: self.known.limits.get(name, 0) for name in LIMITS}
        if most["budget"] and (asked := cost()) > most["budget"]:
            raise Refused(f"{asked:,} generations are asked for, and {most['budget']:,} is the most at a time")
        if most["running"] and (running := audit.running(self._database(), own)) >= most["running"]:
            raise Refused(
                f"you have {running} searches and studies under way, which is the most", hint="wait, or stop one"
            )
        since = time.time() - HOUR
        if most["starts"] and audit.count(self._database(), self.who.name, STARTS, since) >= most["starts"]:
            raise Refused(f"you have started {most['starts']} within an hour, which is the most", hint="wait a while")

    def __enter__(self) -> Asked:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        """Write it down; an attempt that failed for another reason than access has changed nothing."""
        from ttc_core.store import audit

        if error is not None and not isinstance(error, Refused):
            return
        of = self.ids or ([str(self.result)] if self.result is not None and error is None else [""])
        for one in of:
            audit.record(self._database(), self.who.name, self.who.role, self.verb, one, error is None)

    def _database(self) -> Any:
        from ttc_core.store.database import database

        return database(self.db or settings().database_url)


def _kind(verb: str) -> str:
    module = verb.partition(".")[0]
    return KINDS.get(module, module)


def _fits(who: str, pattern: str) -> bool:
    if pattern == ANYONE:
        return True
    return bool(who) and fnmatchcase(who.lower(), pattern.lower())
