"""The study file: what is to be searched, in TOML. Every mistake is one sentence with file, line and key.

    name = "example"
    models = ["mini-s"]
    verifiers = ["mini-implicit"]          # as it is without this line; [""]: none
    budgets = { from = 4, to = 64 }        # powers of two; or a list
    seeds = [0]                            # or a number: so many
    datasets = [{ name = "mini-test", problems = 100 }]       # a count, or a list of ids; absent: all
    pool = 64                              # solutions a problem, shared by all methods that can use them
    keep_trees = "sample:3"                # all, none, or of so many problems
    max_cost = { generations = 1e6 }       # also tokens, flops; the study pauses there
    temperature = 1.0                      # that models sample at; without it each at its own
    priority = 0                           # to 1000; units of the study with the smallest are taken first
    block = 8                              # problems a work unit, which one worker does at a time
    share = true                           # searches that ask a model the same share its reply; no seconds are measured

    [[strategies]]
    name = "beam_search"
    set = { select = "weighted" }          # settings; grid: every combination of lists; zip: lists side by side
    grid = { width = [4, 0] }

A strategy may have models, verifiers and budgets of its own.
"""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from ttc_core import models, runs_checks
from ttc_core.errors import BadValue, TTCError, UserError
from ttc_core.studies_asked import BLOCK, Method, StudyFile
from ttc_core.toml_lines import line_of
from ttc_core.types import Problem, RunSpec

MAX_FILE = 1 << 20  # bytes
MAX_SETTINGS = 10_000  # combinations of one strategy, and methods in all
MAX_COST = 1e300
MAX_PRIORITY = 1000
MAX_UNITS = 1_000_000  # that a study is cut into; a plan lists them all
KEYS = {
    "name": str,
    "models": list,
    "verifiers": list,
    "budgets": (list, dict),
    "seeds": (list, int),
    "datasets": list,
    "strategies": list,
    "pool": int,
    "keep_trees": str,
    "max_cost": dict,
    "temperature": (int, float),
    "priority": int,
    "block": int,
    "share": bool,
}
STRATEGY_KEYS = {
    "name": str,
    "set": dict,
    "grid": dict,
    "zip": dict,
    "models": list,
    "verifiers": list,
    "budgets": (list, dict),
}
DATASET_KEYS = {"name": str, "problems": (list, int)}
COSTS = ("generations", "tokens", "flops")
_WORDS = {str: "text", list: "a list", dict: "a table", int: "a whole number", float: "a number", bool: "true or false"}


def read(path: Path, name: str | None = None) -> StudyFile:
    """The study that a file asks for. name: the study's, unless the file gives one; None for the file's own.

    Raises:
        UserError: one sentence with file, line and key.
    """
    try:
        if path.stat().st_size > MAX_FILE:
            raise UserError(f"{path}: a study file of more than {MAX_FILE:,} bytes is none")
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise UserError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}", hint="save the file as UTF-8") from error
    return parse(text, str(path), path.stem if name is None else name)


def parse(text: str, where: str = "study file", name: str = "study") -> StudyFile:
    """The same of a text; where: what messages call it, name: the study's, unless the text gives one.

    Raises:
        UserError: one sentence with file, line and key.
    """
    try:
        return _Reader(text, where).study(tomllib.loads(text), name)
    except ValueError as error:  # no TOML, or a number of thousands of digits
        raise UserError(f"{where}: {error}", hint="the file must be TOML") from error
    except RecursionError as error:
        raise UserError(f"{where}: brackets too deep") from error


def check_name(name: str) -> str:
    """The name of a study, if it can be one.

    Raises:
        BadValue: it cannot.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}", name):
        raise BadValue(f"the name {name!r} must be letters, digits, '-', '_' and '.'")
    return name


def check_cost(limits: Mapping[str, Any]) -> Mapping[str, float]:
    """What a study may spend, if it can be that.

    Raises:
        BadValue: no such cost, or no positive number.
    """
    for key, value in limits.items():
        if key not in COSTS:
            raise BadValue(f"max_cost has no {key!r}", hint=f"there is: {', '.join(COSTS)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < MAX_COST:
            raise BadValue(f"max_cost {key} must be a positive number, not {value!r}")
    return {key: float(value) for key, value in limits.items()}


def check_priority(value: int) -> None:
    """Raises BadValue where a study cannot have this priority."""
    if not 0 <= value <= MAX_PRIORITY:
        raise BadValue(f"priority must be a whole number from 0 to {MAX_PRIORITY:,}, not {value}")


class _Reader:
    """Turns the parsed file into a study, and knows the lines of its keys."""

    def __init__(self, text: str, where: str) -> None:
        self._text, self._where = text, where

    def wrong(self, message: str, table: str = "", number: int = 0, key: str = "", hint: str = "") -> NoReturn:
        """Refuse. table and number: of [[table]], from 1; number 0: of the file itself."""
        line = line_of(self._text, table, number, key)
        place = f", line {line}" if line else ""
        what = f"{table} {number}: " if number else ""
        raise BadValue(f"{self._where}{place}: {what}{message}", hint=hint)

    def study(self, doc: dict[str, Any], name: str) -> StudyFile:
        """All of it."""
        self._check(doc, KEYS, "", 0)
        for key in ("models", "datasets", "strategies"):
            if not doc.get(key):
                self.wrong(f"{key} must name at least one", key=key)
        name = doc.get("name", name)
        try:
            check_name(name)
        except BadValue as error:
            self.wrong(str(error), key="name")
        seeds = doc.get("seeds", [0])
        if isinstance(seeds, int):
            self._whole("seeds", [seeds], 1, MAX_UNITS)
            seeds = list(range(seeds))
        self._whole("seeds", seeds, 0, runs_checks.MAX_SEED)
        for key, most in (("pool", runs_checks.MAX_BUDGET), ("priority", MAX_PRIORITY), ("block", 1000)):
            self._whole(key, [doc.get(key, 1)], 0 if key != "block" else 1, most)
        study = StudyFile(
            name=name,
            text=self._text,
            problems=self._problems(doc["datasets"]),
            methods=(),
            seeds=tuple(dict.fromkeys(seeds)),
            pool=doc.get("pool", 0),
            keep=self._keep(doc.get("keep_trees", "none")),
            max_cost=self._max_cost(doc.get("max_cost", {})),
            temperature=doc.get("temperature"),
            priority=doc.get("priority", 0),
            block=doc.get("block", BLOCK),
            share=doc.get("share", False),
        )
        with models.held():
            methods = tuple(self._methods(doc, study))
        study = replace(study, methods=methods)
        if study.most_units > MAX_UNITS:
            self.wrong(f"{study.most_units:,} work units, of which {MAX_UNITS:,} are the most", hint="split the study")
        return study

    def _check(self, found: Mapping[str, Any], known: Mapping[str, Any], table: str, number: int) -> None:
        for key, value in found.items():
            if key not in known:
                self.wrong(f"unknown key {key!r}", table, number, key, hint=f"there is: {', '.join(known)}")
            wanted = known[key] if isinstance(known[key], tuple) else (known[key],)
            if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
                words = " or ".join(_WORDS[kind] for kind in wanted)
                self.wrong(f"{key} must be {words}, not {value!r}", table, number, key)
            if isinstance(value, int) and abs(value) > runs_checks.MAX_SEED:
                self.wrong(f"{key} is too large a number", table, number, key)
            if key in ("models", "verifiers") and not all(isinstance(one, str) for one in value):
                self.wrong(f"{key} must be a list of names", table, number, key)

    def _whole(self, key: str, values: Sequence[Any], least: int, most: int, table: str = "", number: int = 0) -> None:
        if not values:
            self.wrong(f"{key} must not be empty", table, number, key)
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                self.wrong(f"{key} must be whole numbers from {least} to {most:,}, not {value!r}", table, number, key)

    def _problems(self, datasets: Sequence[Any]) -> tuple[Problem, ...]:
        found: list[Problem] = []
        for number, one in enumerate(datasets, 1):
            table = {"name": one} if isinstance(one, str) else one
            if not isinstance(table, dict) or "name" not in table:
                self.wrong("a data set needs a name", "datasets", number)
            self._check(table, DATASET_KEYS, "datasets", number)
            try:
                there = runs_checks.problems(table["name"])
                wanted = table.get("problems", len(there))
                if isinstance(wanted, int):
                    self._whole("problems", [wanted], 1, len(there), "datasets", number)
                    found += there[:wanted]
                else:
                    found += [runs_checks.problem(table["name"], str(problem)) for problem in wanted]
            except BadValue:
                raise
            except UserError as error:
                self.wrong(str(error), "datasets", number, "problems" if "problems" in table else "name", error.hint)
        seen: set[tuple[str, str]] = set()
        for problem in found:
            if (problem.dataset, problem.id) in seen:
                self.wrong(f"problem {problem.id!r} is asked for twice", key="datasets")
            seen.add((problem.dataset, problem.id))
        if not found:
            self.wrong("datasets hold no problems", key="datasets")
        return tuple(found)

    def _keep(self, keep: str) -> int | None:
        if keep in ("all", "none"):
            return None if keep == "all" else 0
        if not re.fullmatch(r"sample:[0-9]{1,6}", keep):
            self.wrong(f"keep_trees must be 'all', 'none' or 'sample:K', not {keep!r}", key="keep_trees")
        return int(keep.removeprefix("sample:"))

    def _max_cost(self, limits: Mapping[str, Any]) -> Mapping[str, float]:
        try:
            return check_cost(limits)
        except BadValue as error:
            self.wrong(str(error), key="max_cost", hint=error.hint)

    def _budgets(self, value: Any, table: str, number: int) -> tuple[int, ...]:
        most = runs_checks.MAX_BUDGET
        if isinstance(value, dict):
            if set(value) != {"from", "to"}:
                self.wrong("budgets must be a list, or { from = 4, to = 64 }", table, number, "budgets")
            self._whole("budgets", list(value.values()), 1, most, table, number)
            value = [2**i for i in range(most.bit_length()) if value["from"] <= 2**i <= value["to"]]
        self._whole("budgets", value, 1, most, table, number)
        return tuple(sorted(set(value)))

    def _methods(self, doc: Mapping[str, Any], study: StudyFile) -> list[Method]:
        found: dict[tuple[str, ...], Method] = {}
        for number, one in enumerate(doc["strategies"], 1):
            table = {"name": one} if isinstance(one, str) else one
            if not isinstance(table, dict) or "name" not in table:
                self.wrong("a strategy needs a name", "strategies", number)
            self._check(table, STRATEGY_KEYS, "strategies", number)
            if "budgets" not in table and "budgets" not in doc:
                self.wrong("budgets must be given, here or for all strategies", "strategies", number)
            given = (table, "strategies", number) if "budgets" in table else (doc, "", 0)
            budgets = self._budgets(given[0]["budgets"], given[1], given[2])
            policies = table.get("models", doc["models"])
            verifiers = table.get("verifiers", doc.get("verifiers", [RunSpec.__dataclass_fields__["verifier"].default]))
            if not policies:
                self.wrong("models must name at least one", "strategies", number)
            several, judges = self._settings(table, number), verifiers or [""]
            if len(found) + len(policies) * len(judges) * len(several) > MAX_SETTINGS:
                self.wrong(f"more than {MAX_SETTINGS:,} methods", "strategies", number, hint="split the study")
            for model, verifier in itertools.product(policies, judges):
                for settings in several:
                    method = self._method(table, model, verifier, settings, budgets, study, number)
                    key = (method.model, method.verifier, method.label)
                    if key in found:
                        self.wrong(f"{method.label} is asked for twice", "strategies", number)
                    found[key] = method
        return list(found.values())

    def _settings(self, table: Mapping[str, Any], number: int) -> list[dict[str, Any]]:
        """All combinations of the grid with all places of the zip."""
        for kind in ("grid", "zip"):
            for key, values in table.get(kind, {}).items():
                if not isinstance(values, list) or not values:
                    self.wrong(f"{kind}.{key} must be a list of values", "strategies", number, kind)
        grid, zipped = table.get("grid", {}), table.get("zip", {})
        if len({len(values) for values in zipped.values()}) > 1:
            self.wrong("the lists of zip must be of one length", "strategies", number, "zip")
        if math.prod(map(len, grid.values())) * max(map(len, zipped.values()), default=1) > MAX_SETTINGS:
            self.wrong(f"more than {MAX_SETTINGS:,} combinations", "strategies", number, "grid")
        places = [dict(zip(zipped, values, strict=True)) for values in zip(*zipped.values(), strict=True)] or [{}]
        combined = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        return [{**table.get("set", {}), **one, **other} for one in combined for other in places]

    def _method(
        self,
        table: Mapping[str, Any],
        model: str,
        verifier: str,
        settings: Mapping[str, Any],
        budgets: tuple[int, ...],
        study: StudyFile,
        number: int,
    ) -> Method:
        first, name = study.problems[0], table["name"]
        spec = RunSpec("", name, budgets[0], study.seeds[0], settings, first.dataset, first.id)
        fields = {"model": model, "verifier": verifier, "temperature": study.temperature}
        try:
            spec = runs_checks.checked(RunSpec(**{**{f: getattr(spec, f) for f in spec.__slots__}, **fields}))
        except TTCError as error:
            said = str(error)
            kinds = [kind for kind in ("set", "grid", "zip") if any(key in said for key in table.get(kind, {}))]
            guilty = kinds[0] if kinds else "name"
            self.wrong(str(error), "strategies", number, guilty, error.hint)
        said = " ".join(f"{key}={_spelled(spec.params[key])}" for key in settings)
        return Method(model, verifier, name, spec.params, budgets, f"{name} {said}".strip(), spec.heat)


def _spelled(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
