"""Where in a TOML file a key stands: the parser does not say."""

from __future__ import annotations

import re


def line_of(text: str, table: str, number: int, key: str) -> int:
    """The line, from 1, of `key =` in the table of this number; of the table's own head or list if it is not there."""
    seen, inside, head = 0, not number, 0
    for at, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if re.match(r"\[\[?\s*[^\[\]]+\]\]?\s*(#|$)", bare):
            name = bare.split("#")[0].strip(" []")
            seen += name == table and bool(number)
            inside = bool(number) and seen == number and name.split(".")[0] == table
            head = at if inside and name == table else head
            if key and name in (key, f"{table}.{key}") and (inside or not number):
                return at
        elif inside and key and re.match(rf"(\"?){re.escape(key)}\1\s*[.=]", bare):
            return at
        elif number and not seen and re.match(rf"{re.escape(table)}\s*=", bare):
            head = at  # an inline list of tables
    return head
