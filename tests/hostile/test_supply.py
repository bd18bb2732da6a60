"""An audit that could not be made is never taken for one that found nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks import audit
from ttc_core.settings import REPOSITORY

FINE = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (1)"}
ANSWERS = {  # what pip-audit wrote: exit code, beginning of the last line
    "nothing is known of any": ([FINE, FINE], 0, "0 vulnerabilities in 2 of 2"),
    "something is known": ([FINE, BAD], 1, "1 vulnerabilities in 2 of 2"),
    "something is known, and not all were looked up": ([BAD, UNKNOWN], 1, "1 vulnerabilities in 1 of 2"),
    "not all were looked up": ([FINE, UNKNOWN], 3, "NOT AUDITED: PyPI gave no answer about 1"),
    "none was looked up": ([UNKNOWN, UNKNOWN], 3, "NOT AUDITED: PyPI gave no answer about any of 2"),
    "no packages": ([], 3, "NOT AUDITED"),
}


def asked(monkeypatch, capsys, said, *options):
    def run(*args, **more):
        if isinstance(said, Exception):
            raise said
        return subprocess.CompletedProcess(args, 0, said, "warning\nConnectionError: no route\n")

    monkeypatch.setattr(audit.subprocess, "run", run)
    monkeypatch.setattr(sys, "argv", ["audit", *options])
    code = audit.main()
    return code, capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("case", ANSWERS)
def test_exit_codes_tell_what_is_known(monkeypatch, capsys, case):
    found, code, last = ANSWERS[case]
    got, lines = asked(monkeypatch, capsys, json.dumps({"dependencies": found}))
    assert got == code and lines[-1].startswith(last)
    got, lines = asked(monkeypatch, capsys, json.dumps({"dependencies": found}), "--or-skip")
    assert got == (0 if code == audit.NOT_AUDITED else code)
    assert lines[-1].startswith("SKIPPED: the packages are NOT AUDITED" if code == 3 else last)


@pytest.mark.parametrize("said", ["", "nonsense", "{}", subprocess.TimeoutExpired("pip-audit", 1)], ids=repr)
def test_no_answer_is_no_audit(monkeypatch, capsys, said):
    code, [line] = asked(monkeypatch, capsys, said)
    assert code == audit.NOT_AUDITED and line.startswith("NOT AUDITED: ")


def test_without_pip_audit_nothing_is_audited():
    """It is not installed beside the program; `make audit` has it in an environment of its own."""
    made = subprocess.run([sys.executable, "-m", "benchmarks.audit"], cwd=REPOSITORY, capture_output=True, text=True)
    assert made.returncode == audit.NOT_AUDITED and "No module named pip_audit" in made.stdout


def test_ci_shows_that_it_was_skipped():
    """CI takes no other way to it, and does not hide what it says or how it ends."""
    lines = [line for line in (REPOSITORY / ".ci/run").read_text("utf-8").splitlines() if "audit" in line]
    assert lines == ["make audit AUDIT_ARGS=--or-skip"]
