"""Fitted policies: which strategy to run at which budget for a question of which predicted difficulty.

A policy is a file `data/policies/NAME.json` (Snell et al. 2024, arXiv 2408.03314, section 3: the compute-optimal
strategy, chosen in bins of predicted difficulty). `python -m ttc_core.lab policy` makes one; by hand:

    version      1
    model        the policy model and
    verifier     the verifier it was fitted with; it may be used with others, which it does not know
    probe        solutions sampled to predict a question's difficulty, at least 1
    aggregate    how a solution's step scores become one: last, min, prod or mean
    thresholds   rising mean scores that part the bins: a score below the first is in bin 0, the hardest
    budgets      rising generations; between two the smaller counts, below the first the first
    choices      for each budget, for each bin {"strategy": NAME, "params": {...}}; with "generations": at most so many
    at_once      for each budget one such choice, run without predicting, or null where predicting pays (optional)
    fitted       anything about how it was made (optional)

`choices` are looked up by the generations that are left after predicting, `at_once` by all there are.
"""

from __future__ import annotations

import bisect
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ttc_core import registry
from ttc_core.errors import BadValue, UnknownName, UserError
from ttc_core.selection import AGGREGATES
from ttc_core.settings import settings
from ttc_core.types import Candidate

VERSION = 1
T = TypeVar("T", int, float)
_KEYS = ("version", "model", "verifier", "probe", "aggregate", "thresholds", "budgets", "choices")
_OPTIONAL = ("at_once", "fitted")


@dataclass(frozen=True)
class Choice:
    """A strategy with the hyper-parameters that differ from its defaults. generations: at most, None: all there are."""

    strategy: str
    params: Mapping[str, Any]
    generations: int | None = None


@dataclass(frozen=True)
class Policy:
    """One policy file. choices: (budgets, bins), the hardest bin first; at_once: (budgets)."""

    name: str
    model: str
    verifier: str
    probe: int
    aggregate: str
    thresholds: tuple[float, ...]
    budgets: tuple[int, ...]
    choices: tuple[tuple[Choice, ...], ...]
    at_once: tuple[Choice | None, ...] = ()

    def bin(self, score: float | None) -> int:
        """Bin of a question from its mean score in [0, 1]; None (nothing could be scored) counts as hardest."""
        return 0 if score is None else bisect.bisect_right(self.thresholds, score)

    def choice(self, generations: int, bin_: int) -> Choice:
        """What to run with so many generations left in this bin."""
        return self.choices[self._row(generations)][bin_]

    def unpredicted(self, generations: int) -> Choice | None:
        """What to run at once with a budget of so many generations; None where predicting pays."""
        return self.at_once[self._row(generations)] if self.at_once else None

    def _row(self, generations: int) -> int:
        return max(0, bisect.bisect_right(self.budgets, generations) - 1)


def predicted(candidates: Sequence[Candidate]) -> float | None:
    """Predicted easiness of a question: the mean final score of its solutions, None without any that has one."""
    scores = [c.score for c in candidates if c.score is not None]
    return math.fsum(scores) / len(scores) if scores else None


def load(name: str) -> Policy:
    """The policy in `data/policies/NAME.json`.

    Raises:
        UnknownName: there is none of this name; BadValue: it cannot be read, naming the first place that is wrong.
    """
    folder = settings().data_dir / "policies"
    known = sorted(path.stem for path in folder.glob("*.json"))
    if name not in known:
        raise UnknownName(f"no policy is called {name!r}", hint=f"there is: {', '.join(known) or 'none'}")
    return parse(name, _read(folder / f"{name}.json"))


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadValue(f"the policy file {path.name} cannot be read: {error}") from error


def parse(name: str, document: Any) -> Policy:
    """The policy that a file's JSON describes.

    Raises:
        BadValue: naming the file and the first place that is wrong.
    """
    try:
        return _parse(name, document)
    except UserError as error:
        raise BadValue(f"the policy file {name}.json: {error}", hint=error.hint) from error


def _parse(name: str, document: Any) -> Policy:
    if not isinstance(document, dict):
        raise BadValue("it must be one JSON object")
    if missing := [key for key in _KEYS if key not in document]:
        raise BadValue(f"it lacks {missing[0]!r}")
    if unknown := [key for key in document if key not in (*_KEYS, *_OPTIONAL)]:
        raise BadValue(f"it has the unknown key {unknown[0]!r}")
    if document["version"] != VERSION:
        raise BadValue(f"it has version {document['version']!r}, this program reads version {VERSION}")
    if document["aggregate"] not in AGGREGATES:
        raise BadValue(f"aggregate must be one of {', '.join(AGGREGATES)}, not {document['aggregate']!r}")
    [probe] = _rising("probe", [document["probe"]], int, 1, math.inf)
    thresholds = _rising("thresholds", document["thresholds"], float, 0.0, 1.0)
    budgets = _rising("budgets", document["budgets"], int, 1, math.inf)
    if not budgets:
        raise BadValue("budgets must hold at least one budget")
    choices = _choices(document["choices"], len(budgets), len(thresholds) + 1)
    model, verifier = (_text(key, document[key]) for key in ("model", "verifier"))
    at_once = _at_once(document.get("at_once", []), len(budgets))
    known = (name, model, verifier, int(probe), document["aggregate"], thresholds, tuple(map(int, budgets)))
    return Policy(*known, choices, at_once)


def _rising(what: str, values: Any, kind: type[T], low: float, high: float) -> tuple[T, ...]:
    """`values` as numbers of the kind within [low, high], each larger than the one before."""
    if not isinstance(values, list):
        raise BadValue(f"{what} must be a list")
    for value in values:
        fits = type(value) is int if kind is int else isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or not low <= value <= high:
            word = "whole numbers" if kind is int else "numbers"
            limits = f"from {low:g}" + (f" to {high:g}" if high < math.inf else "")
            raise BadValue(f"{what} must be {word} {limits}, not {value!r}")
    if any(b <= a for a, b in itertools.pairwise(values)):
        raise BadValue(f"{what} must rise, not {values}")
    return tuple(map(kind, values))


def _choices(rows: Any, budgets: int, bins: int) -> tuple[tuple[Choice, ...], ...]:
    if not isinstance(rows, list) or len(rows) != budgets:
        raise BadValue(f"choices must be a list of {budgets} rows, one for each budget")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != bins:
            raise BadValue(f"choices[{number}] must be a list of {bins} choices, one for each bin")
    return tuple(tuple(_choice(f"choices[{i}][{j}]", c) for j, c in enumerate(row)) for i, row in enumerate(rows))


def _at_once(row: Any, budgets: int) -> tuple[Choice | None, ...]:
    if not isinstance(row, list) or len(row) not in (0, budgets):
        raise BadValue(f"at_once must be a list of {budgets} choices or nulls, one for each budget")
    return tuple(None if value is None else _choice(f"at_once[{i}]", value) for i, value in enumerate(row))


def _choice(where: str, value: Any) -> Choice:
    keys = set(value) - {"generations"} if isinstance(value, dict) else None
    if keys != {"strategy", "params"} or not isinstance(value["params"], dict):
        raise BadValue(f'{where} must be {{"strategy": NAME, "params": {{...}}}}')
    most = value.get("generations")
    if most is not None:
        [most] = _rising(f"{where}.generations", [most], int, 1, math.inf)
    name = _text(f"{where}.strategy", value["strategy"])
    try:
        if "policy" in [p.name for p in registry.params(registry.get("strategy", name))]:
            raise BadValue(f"{name} follows a policy itself")
        registry.build("strategy", name, value["params"])
    except UserError as error:
        raise BadValue(f"{where}: {error}", hint=error.hint) from error
    return Choice(name, value["params"], most)


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BadValue(f"{where} must be text, not {value!r}")
    return value
