"""Every error the workbench raises on purpose.

    TTCError
    ├── UserError            the caller asked for something impossible: exit code 2, one sentence
    │   ├── UnknownName      a strategy, model, data set, problem or run that is not there
    │   └── BadValue         a parameter out of range or of the wrong type
    ├── EngineError          a model could not answer (retryable by class)
    │   ├── EngineBusy       overloaded, rate-limited, timed out          retryable
    │   │   └── EngineSilent it has answered nothing for so long that it is taken to hang
    │   │       └── EngineGone its process has ended, its server is not there or lets nobody in
    │   └── EngineFault      broken reply, crashed or refused request     not retryable
    ├── BudgetExceeded       a strategy asked for more than its budget: a bug in the strategy
    ├── StrategyFault        a strategy broke its contract: a bug in the strategy
    └── StoreError           the database
        ├── StoreBusy        locked, connection lost                      retryable
        └── StoreFault       disk full, read-only, corrupt                not retryable

Each carries a sentence for people (`str(error)`), a `hint` saying what to do next (may be empty) and `retryable`.
"""

from __future__ import annotations


class TTCError(Exception):
    """Base of all errors raised on purpose."""

    retryable: bool = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UserError(TTCError):
    """The request cannot be carried out as asked; nothing was changed."""


class UnknownName(UserError):
    """A name that is not registered or stored."""


class BadValue(UserError):
    """A value of the wrong type or out of its range."""


class EngineError(TTCError):
    """A model did not answer; the candidate is excluded and counted, never treated as an answer."""


class EngineBusy(EngineError):
    """Overloaded, rate-limited or timed out."""

    retryable = True


class EngineSilent(EngineBusy):
    """It has answered nothing for longer than its deadline: the searches that wait for it end."""


class EngineGone(EngineSilent):
    """Its process has ended, or its server is not there or knows neither key nor model: the searches that wait for it
    end, to be tried again."""


class EngineFault(EngineError):
    """A broken reply or a refused request."""


class BudgetExceeded(TTCError):
    """A strategy asked for more generations than it was given."""


class StrategyFault(TTCError):
    """A strategy yielded something outside its contract."""


class StoreError(TTCError):
    """The database did not do what was asked."""


class StoreBusy(StoreError):
    """Locked or not reachable for the moment."""

    retryable = True


class StoreFault(StoreError):
    """Disk full, read-only file, corrupt database."""
