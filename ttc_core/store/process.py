"""Whether a process still exists: its number alone may have been given to another one since."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

HOST = socket.gethostname()


def started(pid: int) -> str | None:
    """When the process `pid` of this host started, as text; None if there is none (any more)."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # the name in parentheses may hold anything; field 22 counts from after it
            fields = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else f"{_boot()}:{fields[19]}"
    listed = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.strip() or None


def alive(pid: int, start: str) -> bool:
    """Whether the process `pid` that began at `start` (of `started`) still exists on this host."""
    return started(pid) == start


def me() -> int:
    """This process's number."""
    return os.getpid()


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
