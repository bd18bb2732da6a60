"""Step checking of the mini problems: which lines of a solution are right so far.

A mini problem carries a small computation graph: the value of every quantity and the equations that connect them,
`[operation, left, right, result]` with quantities named by their index. Several equations may lead to the same
quantity, which is how several correct ways to a result are expressed. A line of a solution is right if it is one of
the equations not used yet (operands of + and * in either order) and its operands are known by then. Pure functions,
no dependencies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

ANSWER_PREFIX = "Answer: "
COMMUTATIVE = frozenset("+*")
_EQUATION = re.compile(r"(\d+)(% of | mod | [-+*/] )(\d+) = (\d+)")
_OPERATIONS = {"% of ": "%", " mod ": "mod", " + ": "+", " - ": "-", " * ": "*", " / ": "/"}

_WRITTEN = {operation: written for written, operation in _OPERATIONS.items()}


def parse_line(line: str) -> tuple[str, int, int, int] | None:
    """Read an equation line.

    Arguments:
        line: one line of a solution without its newline, e.g. `12 * 7 = 84`.
    Returns:
        (operation, left, right, result), or None when the line is no equation.
    """
    match = _EQUATION.fullmatch(line)
    if match is None:
        return None
    return _OPERATIONS[match[2]], int(match[1]), int(match[3]), int(match[4])


def write_line(operation: str, left: int, right: int, result: int) -> str:
    """Write an equation as parse_line reads it."""
    return f"{left}{_WRITTEN[operation]}{right} = {result}"


def final_answer(text: str) -> str | None:
    """Return what the last answer line of a solution says, or None without one."""
    for line in reversed(text.split("\n")):
        if line.startswith(ANSWER_PREFIX):
            return line[len(ANSWER_PREFIX) :].strip()
    return None


class StepChecker:
    """Reads the lines of one solution in order and says of each whether everything so far is right."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        """Start a solution.

        Arguments:
            problem: a record of a mini problem file; `graph` and `answer` are read.
        """
        graph = problem["graph"]
        self._values: list[int] = list(graph["values"])
        self._unused: list[tuple[str, int, int, int]] = [
            (str(e[0]), int(e[1]), int(e[2]), int(e[3])) for e in graph["equations"]
        ]
        derived = {equation[3] for equation in self._unused}
        self._known = {i for i in range(len(self._values)) if i not in derived}
        self._answer = str(problem["answer"])
        self._finished = False
        self.right = True

    def read(self, line: str) -> bool:
        """Take the next line (without newline) and return whether the solution is right up to and with it."""
        self.right = self.right and not self._finished and self._is_right(line)
        return self.right

    def continuations(self) -> list[str]:
        """Return every line that would be right next; none once the solution is wrong or finished."""
        if not self.right or self._finished:
            return []
        lines = [f"{ANSWER_PREFIX}{self._answer}"]
        for operation, left, right, result in self._unused:
            if left in self._known and right in self._known:
                first, second = self._values[left], self._values[right]
                lines.append(write_line(operation, first, second, self._values[result]))
                if operation in COMMUTATIVE:
                    lines.append(write_line(operation, second, first, self._values[result]))
        return lines

    def remaining(self) -> list[tuple[str, int, int, int]]:
        """Return the equations, quantities by index, that would tell something not known yet."""
        return [equation for equation in self._unused if equation[3] not in self._known]

    def _is_right(self, line: str) -> bool:
        if line.startswith(ANSWER_PREFIX):
            self._finished = True
            return line[len(ANSWER_PREFIX) :] == self._answer
        parsed = parse_line(line)
        if parsed is None:
            return False
        matching = [equation for equation in self._unused if self._matches(equation, parsed)]
        if not matching:
            return False
        # Quantities computed from the same numbers in the same way are told apart by nobody: all are known now.
        self._known.update(equation[3] for equation in matching)
        self._unused.remove(matching[0])
        return True

    def _matches(self, equation: tuple[str, int, int, int], parsed: tuple[str, int, int, int]) -> bool:
        operation, left, right, result = equation
        if operation != parsed[0] or self._values[result] != parsed[3]:
            return False
        if left not in self._known or right not in self._known:
            return False
        operands = (self._values[left], self._values[right])
        swapped = operation in COMMUTATIVE and operands == (parsed[2], parsed[1])
        return operands == (parsed[1], parsed[2]) or swapped


def check_lines(problem: Mapping[str, Any], lines: Sequence[str]) -> list[bool]:
    """Say for each line of a solution whether the solution is right so far.

    Arguments:
        problem: a record of a mini problem file.
        lines: the lines of the solution in order, without newlines, the answer line included.
    Returns:
        One flag per line; once False, all later flags are False.
    """
    checker = StepChecker(problem)
    return [checker.read(line) for line in lines]
