"""What verifiers share: the steps of a text, text with marks, and probabilities from what a model gave there."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

from ttc_core import registry
from ttc_core.errors import BadValue, EngineFault
from ttc_core.models import ModelCard

OF_EVERY_CARD = ("name", "kind", "engine", "parameters", "about")


class OneModel:
    """What verifiers with the field `model` share: how they are loaded, and that they read that model alone."""

    model: str

    @classmethod
    def load(cls, card: ModelCard) -> Self:
        """From a table of models.toml."""
        made: Self = built(card)
        return made

    @property
    def models(self) -> tuple[str, ...]:
        """The model it reads."""
        return (self.model,)


def built(card: ModelCard) -> Any:
    """The verifier of a card's kind, with the fields of its table.

    Raises:
        UnknownName, BadValue: a field that it does not have, or with a wrong value, or no model named.
    """
    own = {key: value for key, value in card.card.items() if key not in OF_EVERY_CARD}
    made = registry.build("verifier", card.kind, {"name": card.name, **own})
    if not getattr(made, "model", "-"):
        raise BadValue(f"verifier {card.name!r} names no model", hint='add model = "NAME", one of the models')
    return made


def steps(text: str, delimiter: str) -> list[str]:
    """The steps of a text without delimiters and outer white space; empty ones are left out, but one is always there.

    >>> steps("a\\n\\n\\n\\nb", "\\n\\n")
    ['a', 'b']
    """
    found = [part.strip() for part in text.split(delimiter)] if delimiter else [text.strip()]
    return [part for part in found if part] or [""]


def above(text: str, delimiter: str) -> list[str]:
    """`steps` of what stands before a node: none where nothing does."""
    return steps(text, delimiter) if text.strip() else []


def marked(lead: str, before: Sequence[str], here: Sequence[str], glue: str = "") -> tuple[str, tuple[int, ...]]:
    """lead, then all pieces with `glue` between, and the marks: where each piece of `here` ends.

    >>> marked("Q ", ["a."], ["b.", "c."], " ")
    ('Q a. b. c.', (7, 10))
    """
    text, marks = lead, []
    for number, piece in enumerate((*before, *here)):
        text += (glue if number else "") + piece
        if number >= len(before):
            marks.append(len(text))
    return text, tuple(marks)


def without(text: str, tag: str) -> str:
    """The text with a space for each tag in it, so that a solution cannot ask to be scored where it likes."""
    while tag in text:
        text = text.replace(tag, " ")
    return text


def share(row: Sequence[float], index: int) -> float:
    """softmax(row)[index]. A row may lack a constant; minus infinity is a probability of zero.

    Raises:
        EngineFault: the row has other numbers, or no such column.
    """
    largest = max(row, default=math.nan)
    if not (math.isfinite(largest) and index < len(row) and not any(map(math.isnan, row))):
        raise EngineFault(f"the verifier's model gave {list(row)}, from which no probability can be made")
    weights = [math.exp(value - largest) for value in row]
    return weights[index] / math.fsum(weights)


def only(row: Sequence[float]) -> float:
    """The one value of a row.

    Raises:
        EngineFault: there are several, or none.
    """
    if len(row) != 1:
        raise EngineFault(f"the verifier's model gave {len(row)} labels where one is expected")
    return row[0]


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with {name} replaced by each value; braces in values, and others in the template, are plain text.

    >>> filled("{question} {x}", {"question": "{solution}", "solution": "no"})
    '{solution} {x}'
    """
    return re.sub("|".join(rf"{{{name}}}" for name in values), lambda found: values[found[0][1:-1]], template)


def squash(z: float) -> float:
    """1 / (1 + exp(-z)).

    Raises:
        EngineFault: z is not finite.
    """
    if not math.isfinite(z):
        raise EngineFault(f"the verifier's model gave {z}, from which no probability can be made")
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))
