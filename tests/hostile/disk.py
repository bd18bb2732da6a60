"""A disk that fails when it is told to, under SQLite alone and in this process: through the calls to the system that
SQLite's own file layer lets its tests replace (`xSetSystemCall` of the `unix` VFS)."""

from __future__ import annotations

import _sqlite3
import ctypes
import errno
import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_NAMES = "open delete access path dlopen dlerror dlsym dlclose random sleep now error now64 set get next"
_POINTERS = _NAMES.split(" ")
_AT = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64)
_SIGNATURES = {  # calls, in either spelling, with result and arguments
    "write": (("pwrite64", "pwrite"), ctypes.c_ssize_t, _AT),
    "read": (("pread64", "pread"), ctypes.c_ssize_t, _AT),
    "open": (("open",), ctypes.c_int, (ctypes.c_char_p, ctypes.c_int, ctypes.c_int)),
    "lock": (("fcntl",), ctypes.c_int, (ctypes.c_int, ctypes.c_int, ctypes.c_void_p)),
}
SHORT = -1  # in place of an error: half is written


class _VFS(ctypes.Structure):
    _fields_ = [("version", ctypes.c_int), ("size", ctypes.c_int), ("longest", ctypes.c_int),
                ("following", ctypes.c_void_p), ("name", ctypes.c_char_p), ("data", ctypes.c_void_p),
                *((name, ctypes.c_void_p) for name in _POINTERS)]  # fmt: skip


@dataclass
class Disk:
    """What one kind of call does. at: number of the first that fails (from 0), None for none; lasting: how many fail.

    error: of `errno`, or SHORT; seconds: how long a failing call takes, and with error 0 it then succeeds.
    """

    call: str
    error: int = errno.EIO
    at: int | None = None
    lasting: int = 1
    seconds: float = 0.0
    count: int = field(default=0, init=False)
    failed: int = field(default=0, init=False)

    def hit(self) -> bool:
        """Whether this call fails."""
        self.count += 1
        hit = self.at is not None and self.at < self.count <= self.at + self.lasting
        self.failed += hit
        return hit


def _takes(file: int, command: int, lock: int | None) -> bool:
    """Whether this `fcntl` takes a lock; giving one back fails on no system."""
    if command != fcntl.F_SETLK or lock is None:
        return False
    return ctypes.cast(lock, ctypes.POINTER(ctypes.c_short)).contents.value != fcntl.F_UNLCK


@contextmanager
def disk(call: str, **what: Any) -> Iterator[Disk]:
    """SQLite's files of this process lie on such a disk inside."""
    state = Disk(call, **what)
    library = ctypes.CDLL(_sqlite3.__file__)
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_VFS)
    vfs = library.sqlite3_vfs_find(b"unix")
    address = ctypes.cast(vfs, ctypes.c_void_p)
    get = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(vfs.contents.get)
    put = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(vfs.contents.set)
    spellings, result, arguments = _SIGNATURES[call]
    [name] = [s.encode() for s in spellings if get(address, s.encode())][:1]
    kind = ctypes.CFUNCTYPE(result, *arguments, use_errno=True)
    real = kind(get(address, name))

    def instead(*given: Any) -> int:
        if (call == "lock" and not _takes(*given)) or not state.hit():
            return int(real(*given))
        time.sleep(state.seconds)
        if state.error == SHORT:
            return int(real(given[0], given[1], given[2] // 2, given[3]))
        if state.error == 0:
            return int(real(*given))
        ctypes.set_errno(state.error)
        return -1

    replaced = kind(instead)
    if put(address, name, ctypes.cast(replaced, ctypes.c_void_p)):
        raise RuntimeError("this SQLite does not let its system calls be replaced")
    try:
        yield state
    finally:
        put(address, name, None)
