"""How values lie in columns: any text, and lists of numbers packed tight."""

from __future__ import annotations

import functools
import itertools
import re
import struct
import sys
from array import array
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import String, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

# Model text may hold anything a Python string can. PostgreSQL has no NUL in text and neither database has lone
# surrogates, so these are written as DLE and four hex digits, and DLE itself likewise. All other text is stored as it
# is, which keeps it readable and lets LIKE find it.
_ESCAPE = "\x10"
_UNSTORABLE = re.compile("[\x00\x10\ud800-\udfff]")
_ESCAPED = re.compile("\x10([0-9a-f]{4})")
_LONG = 128  # in a mark: lengths of two bytes


def escape(text: str) -> str:
    """`text` as every database can hold it; `unescape` gives it back."""
    if _UNSTORABLE.search(text) is None:
        return text
    return _UNSTORABLE.sub(lambda found: f"{_ESCAPE}{ord(found[0]):04x}", text)


def unescape(text: str) -> str:
    """The inverse of `escape`."""
    if _ESCAPE not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def readable(text: str) -> str:
    """`text` as tables and files in UTF-8 can hold it: lone surrogates are written out, all else stays."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class AnyText(TypeDecorator[str]):
    """Text of any length and content."""

    impl: type[String] = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """To the database."""
        return None if value is None else escape(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        """From the database."""
        return _read(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], str | None]:
        """The same without SQLAlchemy's steps between: a tree has many texts."""
        return _read


def _read(value: str | None) -> str | None:
    return value if value is None or _ESCAPE not in value else unescape(value)


class AnyName(AnyText):
    """Names that other programs chose: any content too, in a column of short text."""

    impl = String
    cache_ok = True


def pack_tokens(tokens: Sequence[int]) -> bytes | None:
    """Token ids as one byte for the width in bytes (1, 2, 4 or 8) and then the ids, little-endian; None for ().

    Raises:
        OverflowError: an id is negative or needs more than 64 bits.
    """
    if not tokens:
        return None
    most = max(tokens)
    code = "B" if most < 1 << 8 else "H" if most < 1 << 16 else "I" if most < 1 << 32 else "Q"
    return bytes([struct.calcsize(f"<{code}")]) + _little(array(code, tokens)).tobytes()


def unpack_tokens(packed: bytes | None) -> tuple[int, ...]:
    """The inverse of `pack_tokens`."""
    if not packed:
        return ()
    if packed[0] == 1:
        return tuple(packed[1:])
    return _ids(packed[0], (len(packed) - 1) // packed[0]).unpack_from(packed, 1)


def pack_floats(*lists: Sequence[float]) -> bytes | None:
    """Several short lists of floats: a byte count of 2-byte lengths, then all values as doubles; None if all empty."""
    if not any(lists):
        return None
    flat = [value for values in lists for value in values]
    return struct.pack(f"<{len(lists)}H{len(flat)}d", *map(len, lists), *flat)


def unpack_floats(packed: bytes | None, lists: int) -> tuple[tuple[float, ...], ...]:
    """The inverse of `pack_floats` for so many lists."""
    if not packed:
        return ((),) * lists
    values, cut = _layout(packed[: 2 * lists])
    return cut(values.unpack_from(packed, 2 * lists))


def pack_marked(mark: int, *lists: Sequence[float]) -> bytes | None:
    """A mark below 128 and several lists of floats: mark, lengths, then all values as doubles; None for nothing at all.

    Lengths take a byte each, two where one of the lists is longer than 255: the mark's highest bit is set then.
    """
    lengths = list(map(len, lists))
    if not any(lengths) and not mark:
        return None
    long = max(lengths) > 255
    head = struct.pack(f"<B{len(lists)}{'H' if long else 'B'}", mark | _LONG * long, *lengths)
    return head + struct.pack(f"<{sum(lengths)}d", *itertools.chain(*lists))


def unpack_marked(packed: bytes | None, lists: int) -> tuple[Any, ...]:
    """The inverse of `pack_marked` for so many lists, two or more: the mark, and each list as a tuple."""
    if not packed:
        return (0, *((),) * lists)
    mark = packed[0]
    head = 1 + lists + lists * (mark >= _LONG)
    values, cut = _marked(packed[:head])
    return mark & ~_LONG, *cut(values.unpack_from(packed, head))


def pack_long(values: Sequence[float]) -> bytes | None:
    """One list of floats of any length, as doubles; None for ()."""
    return struct.pack(f"<{len(values)}d", *values) if values else None


def unpack_long(packed: bytes | None) -> tuple[float, ...]:
    """The inverse of `pack_long`."""
    return struct.unpack(f"<{len(packed) // 8}d", packed) if packed else ()


@functools.lru_cache(4096)
def _ids(width: int, count: int) -> struct.Struct:
    """How so many ids of so many bytes lie one after another."""
    return struct.Struct(f"<{count}{ {2: 'H', 4: 'I', 8: 'Q'}[width] }")


@functools.lru_cache(4096)
def _layout(head: bytes) -> tuple[struct.Struct, Callable[[tuple[float, ...]], tuple[tuple[float, ...], ...]]]:
    """How lists lie one after another, from their packed lengths, and what cuts them; trees have few different ones."""
    return _parts(struct.unpack(f"<{len(head) // 2}H", head))


@functools.lru_cache(4096)
def _marked(head: bytes) -> tuple[struct.Struct, Callable[[tuple[float, ...]], tuple[tuple[float, ...], ...]]]:
    """The same behind a mark."""
    return _parts(struct.unpack(f"<{(len(head) - 1) // 2}H", head[1:]) if head[0] & _LONG else tuple(head[1:]))


def _parts(
    lengths: Sequence[int],
) -> tuple[struct.Struct, Callable[[tuple[float, ...]], tuple[tuple[float, ...], ...]]]:
    ends = list(itertools.accumulate(lengths))
    slices = list(map(slice, [0, *ends], ends))
    cut = itemgetter(*slices) if len(slices) > 1 else lambda values: (values,)
    return struct.Struct(f"<{sum(lengths)}d"), cut


def _little(values: array[int]) -> array[int]:
    if sys.byteorder == "big":
        values.byteswap()
    return values
