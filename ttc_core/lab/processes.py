"""Processes that train and measure side by side."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context, parent_process


def pool(processes: int, begin: Callable[[], None]) -> Executor:
    """Return what works side by side: processes, which start with `begin` when there is work, or this one alone."""
    if processes == 1:
        return ThreadPoolExecutor(1)
    return ProcessPoolExecutor(processes, get_context("spawn"), _begin, (begin,))


def _begin(begin: Callable[[], None]) -> None:
    """In a process of the pool: end with the one that started it, also when that is killed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    begin()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
