"""Formulas of a question in a real browser: drawn on request by what is on this machine, whoever wrote them."""

from __future__ import annotations

import pytest

from tests.e2e.test_hostile import look
from tests.hostile.payloads import SHORT
from ttc_core import runs
from ttc_core.types import RunSpec
from ttc_core.ui import question

pytestmark = pytest.mark.e2e


def asked(served, database, text):
    return f"{served}/solve?run={runs.start(RunSpec(text, 'best_of_n', 1), db=database)}"


def test_formulas_are_drawn_on_request(served, open_page, database):
    page = open_page(asked(served, database, r"What is $\frac{1}{2} + x^2$? It costs $5 to $10."))
    page.get_by_text("What is $\\frac{1}{2} + x^2$?").first.wait_for()
    assert page.locator(".katex").count() == 0
    page.get_by_text("Draw formulas").click()
    page.locator(".katex .mfrac").wait_for()
    page.get_by_text("? It costs $5 to $10.", exact=True).wait_for()
    assert page.locator(".katex-display").count() == 1 and page.locator(".katex-error").count() == 0


def test_hostile_formulas_do_nothing(served, open_page, database):
    """`look` and the fixture see scripts, changed styles and whatever is asked of another machine."""
    text = "\n".join(f"${payload[:300]}$" for payload in SHORT.values()) + " $x^2$"
    assert 10 < sum(formula for formula, _ in question.parts(text)) <= question.MOST
    page = open_page(asked(served, database, text))
    page.get_by_text("Draw formulas").click()
    page.locator(".katex").first.wait_for()
    look(page)
    assert page.locator(".katex a, .katex img").count() == 0
