"""Whether a process still exists: its number alone may belong to another machine, or to another process since."""

from __future__ import annotations

import functools
import os
import socket
import subprocess
import uuid
from pathlib import Path

HOST = socket.gethostname()  # for people; several machines may have the same


def started(pid: int) -> str | None:
    """Where and when the process `pid` of this machine started, as text; None if there is none (any more)."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # the name in parentheses may hold anything; field 22 counts from after it
            fields = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else f"{machine()} {fields[19]}"
    listed = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return f"{machine()} {listed.stdout.strip()}" if listed.stdout.strip() else None


def gone(pid: int, start: str) -> bool:
    """Whether the process `pid` that began at `start` (of `started`) exists no longer.

    False for those of other machines, other containers of this one, and other boots of it: nobody here can tell.
    """
    return start.startswith(f"{machine()} ") and started(pid) != start


def me() -> int:
    """This process's number."""
    return os.getpid()


@functools.cache
def machine() -> str:
    """What tells the place whose process numbers these are from all others: the boot of a kernel and its namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{uuid.getnode():x}"  # of the network's hardware; where there is none, a number for this process alone
