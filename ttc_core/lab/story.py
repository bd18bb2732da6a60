"""A story under construction: its sentences and the computation graph behind them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

from ttc_core.datasets.mini_steps import ANSWER_PREFIX, COMMUTATIVE, write_line

LARGEST = 9999
DEFAULT_ROUTE = 0.7
COMMUTED = 0.25


class Rejected(Exception):
    """The numbers drawn do not work out (a fraction, a negative or a huge value); draw again."""


def compute(operation: str, left: int, right: int) -> int:
    """Return the value of one equation.

    Raises:
        Rejected: if it is no whole number from 1 (0 for a remainder) to LARGEST.
    """
    if operation in ("/", "mod") and right < 2:
        raise Rejected
    if (operation == "/" and left % right) or (operation == "%" and left * right % 100):
        raise Rejected
    value = {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "/": lambda: left // right,
        "mod": lambda: left % right,
        "%": lambda: left * right // 100,
    }[operation]()
    if value > LARGEST or value < (0 if operation == "mod" else 1):
        raise Rejected
    return value


@dataclass
class Story:
    """Sentences plus graph; quantities are referred to by their index in `values`."""

    rng: random.Random
    size: int
    sentences: list[str] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    equations: list[tuple[str, int, int, int]] = field(default_factory=list)
    steps: int = 0

    def say(self, *choices: str) -> None:
        """Append one of the given sentences."""
        self.sentences.append(self.rng.choice(choices))

    def given(self, value: int) -> int:
        """Add a quantity that the text states (or everybody knows) and return its index."""
        self.values.append(value)
        return len(self.values) - 1

    def number(self, low: int, high: int | None = None) -> int:
        """Draw a number from low to high (default: the story's size)."""
        return self.rng.randint(low, max(low, self.size if high is None else high))

    def do(self, operation: str, left: int, right: int, counted: bool = True) -> int:
        """Add the equation `left operation right` and return the index of its result.

        Arguments:
            counted: whether it is on the usual way to the answer and so counts as a step.
        Raises:
            Rejected: if its value is not allowed.
        """
        result = self.given(compute(operation, self.values[left], self.values[right]))
        self.equations.append((operation, left, right, result))
        self.steps += counted
        return result

    def also(self, operation: str, left: int, right: int, result: int) -> None:
        """Add another way to a result, if its numbers are allowed."""
        try:
            value = compute(operation, self.values[left], self.values[right])
        except Rejected:
            return
        if value == self.values[result]:
            self.equations.append((operation, left, right, result))

    def times(self, count: int, each: int) -> int:
        """Multiply; doubling may also be written as a sum."""
        result = self.do("*", count, each)
        for one, other in ((count, each), (each, count)):
            if self.values[one] == 2:
                self.also("+", other, other, result)
        return result

    def percent(self, share: int, whole: int, more: bool) -> int:
        """Raise or lower `whole` by `share` percent; also in one step, as (100 +- share) percent of it."""
        part = self.do("%", share, whole)
        result = self.do("+" if more else "-", whole, part)
        rest = 100 + self.values[share] if more else 100 - self.values[share]
        self.also("%", self.given(rest), whole, result)
        return result

    def total(self, parts: Sequence[int]) -> int:
        """Add up two or more quantities; for up to four of them any grouping is a correct way."""
        result = parts[0]
        sums = {frozenset(parts[:1]): parts[0]}
        for count, part in enumerate(parts[1:], start=2):
            result = self.do("+", result, part)
            sums[frozenset(parts[:count])] = result
        if len(set(parts)) == len(parts) and 2 < len(parts) <= 4:
            self._other_groupings(list(parts), sums)
        return result

    def _other_groupings(self, parts: list[int], sums: dict[frozenset[int], int]) -> None:
        sums.update({frozenset([part]): part for part in parts})
        for count in range(2, len(parts) + 1):
            for group in combinations(parts, count):
                whole = frozenset(group)
                for left in (c for k in range(1, count) for c in combinations(group, k) if group[0] in c):
                    one, other = sums[frozenset(left)], sums[whole - frozenset(left)]
                    if whole not in sums:
                        sums[whole] = self.given(self.values[one] + self.values[other])
                    if not any(e[3] == sums[whole] and {e[1], e[2]} == {one, other} for e in self.equations):
                        self.equations.append(("+", one, other, sums[whole]))

    def route(self, goal: int) -> list[int]:
        """Choose one way to the goal: indices of equations, in a random order that computes before it uses."""
        ways: dict[int, list[int]] = {}
        for index, equation in enumerate(self.equations):
            ways.setdefault(equation[3], []).append(index)
        chosen: dict[int, int] = {}
        pending = [goal]
        while pending:
            quantity = pending.pop()
            if quantity in chosen or quantity not in ways:
                continue
            options = ways[quantity]
            usual = len(options) == 1 or self.rng.random() < DEFAULT_ROUTE
            chosen[quantity] = options[0] if usual else self.rng.choice(options[1:])
            pending += self.equations[chosen[quantity]][1:3]
        return self._ordered(chosen)

    def _ordered(self, chosen: dict[int, int]) -> list[int]:
        order: list[int] = []
        waiting = sorted(chosen.values())
        done = {i for i in range(len(self.values)) if i not in chosen}
        while waiting:
            ready = [i for i in waiting if self.equations[i][1] in done and self.equations[i][2] in done]
            following = ready[0] if self.rng.random() < DEFAULT_ROUTE else self.rng.choice(ready)
            waiting.remove(following)
            order.append(following)
            done.add(self.equations[following][3])
        return order

    def write(self, index: int) -> str:
        """Write one equation as a line, operands of + and * sometimes the other way round."""
        operation, left, right, result = self.equations[index]
        first, second = self.values[left], self.values[right]
        if operation in COMMUTATIVE and self.rng.random() < COMMUTED:
            first, second = second, first
        return write_line(operation, first, second, self.values[result])

    def solution(self, goal: int) -> str:
        """Write one correct solution: a line per equation and the answer line, each ended by a newline."""
        lines = [self.write(index) for index in self.route(goal)]
        return "\n".join([*lines, f"{ANSWER_PREFIX}{self.values[goal]}"]) + "\n"
