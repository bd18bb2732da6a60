"""The disk under the database fails: fault x moment x who asks. What is stored stays sound, and the work goes on."""

from __future__ import annotations

import contextlib
import errno
import functools
import tempfile
import time
from pathlib import Path

import pytest

from tests.conformance.harness import ScriptedBackend, spec
from tests.hostile.disk import SHORT, disk
from tests.unit.test_studies import BEAM, COSTS, add
from ttc_core import runs, studies
from ttc_core.bench.searches import POLICY, VERIFIER
from ttc_core.bench.searches import ScriptedBackend as StudyBackend
from ttc_core.errors import StoreError
from ttc_core.runs_driver import Driver
from ttc_core.settings import settings
from ttc_core.store import database as database_module
from ttc_core.store import leases, repository, upkeep
from ttc_core.store.database import database
from ttc_core.store.studies_made import NewMethod
from ttc_core.types import RunSpec

FAULTS = {  # what kind of call fails, and how
    "a write reports an error": ("write", errno.EIO),
    "the disk is full": ("write", errno.ENOSPC),
    "half a page is written": ("write", SHORT),
    "a read reports an error": ("read", errno.EIO),
    "no file can be opened": ("open", errno.EMFILE),
    "a lock is refused": ("lock", errno.EAGAIN),
    "a lock reports an error": ("lock", errno.ENOLCK),
}
SILENT = 0.2  # seconds
MOMENTS = (0.1, 0.7)  # of all such calls of an undisturbed run
ASKED = RunSpec("1 + 1?", "best_of_n", 4, params={"select": "majority"}, verifier="")


def worker(url):
    """A search from the claim to the outcome."""
    with Driver(database(url), role="worker", backend=ScriptedBackend()) as driver:
        driver.work(lambda: False, forever=False)


def study(url):
    """The same for a study."""
    studies.work("s", backend=StudyBackend(64), db=url)


def app(url):
    """What pages ask and start."""
    runs.start(ASKED, db=url)
    runs.listing(db=url)
    runs.stop("r", db=url)


PARTS = {"worker": worker, "study": study, "app": app}


def fresh(part, path):
    """A database with a search, or a study, that nobody has begun."""
    url = f"sqlite:///{path}"
    runs.ensure_database(db=url)
    if part == "study":
        beam = NewMethod(POLICY, VERIFIER, "beam_search", BEAM, "beam_search", [4])
        add(url, pooled=False, methods=[beam])
    else:
        repository.add(database(url), "r", spec("beam_search", 8, width=2))
    return url


def stored(part, url):
    """What is in the end there of it, costs in time left out."""
    if part == "study":
        return studies.progress("s", db=url).status, studies.outcomes("s", db=url).drop(
            columns=["run", *COSTS]
        ).to_dict()
    view = runs.get("r", db=url)
    return view.status, view.outcome, view.usage.generations, runs.nodes("r", db=url).nodes


@functools.cache
def calm(part, kind):
    """How many calls of a kind the part makes undisturbed, and what is stored then."""
    with tempfile.TemporaryDirectory() as folder:
        url = fresh(part, Path(folder) / "x.db")
        with disk(kind) as counted:
            PARTS[part](url)
        found = stored(part, url)
        database(url).close()
    return counted.count, found


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setenv("TTC_EXAMPLES", "0")
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(leases, "STALLED_SECONDS", SILENT)
    settings.cache_clear()
    yield
    settings.cache_clear()


def goes_on(part, url):
    """What is stored is sound, and the work ends as if nothing had been."""
    assert upkeep.check(database(url))["fine"]
    time.sleep(SILENT + 0.1)  # this process lives on; where it could not sign off, its silence has to tell
    if part == "app":
        repository.reopen(database(url), "r") if runs.get("r", db=url).status == "stopped" else None
        runs.delete([run.id for run in runs.listing(db=url).rows if run.id != "r"], db=url)
        worker(url)
        assert stored("app", url)[0] == "done"
    else:
        PARTS[part](url)
        assert stored(part, url) == calm(part, "write")[1]
    assert upkeep.check(database(url))["fine"]
    database(url).close()


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("part", PARTS)
def test_a_call_that_fails_once(tmp_path, part, fault, moment):
    kind, error = FAULTS[fault]
    place, hit = int(moment * calm(part, kind)[0]), False
    while not hit:  # how often the worker looks for work depends on how long it takes
        url = fresh(part, tmp_path / f"{place}.db")
        with disk(kind, error=error, at=place) as failing:
            # A sentence may end a worker; anything else is a fault of ours.
            with contextlib.suppress(StoreError):
                PARTS[part](url)
        place, hit = place // 2, failing.failed == 1
        goes_on(part, url)


@pytest.mark.parametrize(
    "fault", [fault for fault, (kind, error) in FAULTS.items() if error != SHORT and kind != "lock"]
)
@pytest.mark.parametrize("part", PARTS)
def test_a_disk_that_fails_from_the_middle_on(tmp_path, part, fault):
    kind, error = FAULTS[fault]
    place, told = calm(part, kind)[0], ""
    while not told:  # how often the worker looks depends on how long it takes; what is left may be its good-bye
        assert place
        place //= 2
        url = fresh(part, tmp_path / f"{place}.db")
        with disk(kind, error=error, at=place, lasting=10**9) as failing:
            try:
                PARTS[part](url)
            except StoreError as fault:
                told = str(fault)
        assert bool(told) <= (failing.failed > 0)
    goes_on(part, url)


@pytest.mark.parametrize("part", ["worker", "study"])
def test_a_slow_disk_is_waited_for(tmp_path, part):
    place = calm(part, "write")[0] // 2
    url = fresh(part, tmp_path / "x.db")
    with disk("write", error=0, at=place, lasting=3, seconds=0.4):
        began = time.monotonic()
        PARTS[part](url)
        assert time.monotonic() - began > 1.0
    assert stored(part, url) == calm(part, "write")[1]
    database(url).close()
