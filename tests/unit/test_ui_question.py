"""Formulas of a question: which are drawn, only on request, and nothing else of what is written."""

from __future__ import annotations

import pytest

from tests.hostile.payloads import OUTSIDE, SHORT, TEXTS
from tests.unit.test_ui_pages import finished, page, url  # noqa: F401 (a fixture)
from ttc_core.ui import question


def test_formulas_are_told_from_text():
    told = question.parts(r"If $x^2 = \frac{1}{4}$ and \(y > 0\), what is $$x \cdot y$$?")
    assert told == [
        (False, "If "), (True, r"x^2 = \frac{1}{4}"), (False, " and "), (True, "y > 0"), (False, ", what is "),
        (True, r"x \cdot y"), (False, "?"),
    ]  # fmt: skip


def test_money_is_no_formula():
    assert question.parts("It costs $5 to $10, or $ 3.") == [(False, "It costs $5 to $10, or $ 3.")]


@pytest.mark.parametrize("body", [
    r"\href{javascript:window.__pwned=1}{x}", r"\url{http://outside.invalid}", r"\includegraphics{http://x/a.png}",
    r"\htmlClass{a}{x}", r"\htmlStyle{position:fixed}{x}", r"\def\a{\a\a}\a", r"\newcommand{\a}{x}",
    r"\rule{9999em}{9em}", r"a \\[9999em] b", r"a \\ [9999em] b",
    r"\kern-9999em x", r"\hspace{99999em}", r"\raisebox{999em}{x}", r"\unicode{x}", r"\char`\$", "a`b", "x" * 1001, " ",
    "a\u202eb", "\ud800",
])  # fmt: skip
def test_what_could_do_more_than_set_type_stays_text(body):
    assert not question.drawable(body)
    assert question.parts(f"${body}$ and $x$")[0] == (False, f"${body}$ and ") or body == " "


@pytest.mark.parametrize("name", SHORT)
def test_between_the_signs_no_text_becomes_markdown(name):
    for formula, part in question.parts(f"${SHORT[name]}$ \\({SHORT[name]}\\)"):
        assert not formula or ("$" not in part and "\n" not in part and "`" not in part and "\\href" not in part)


def test_formulas_are_drawn_only_on_request_and_only_they(url):  # noqa: F811
    asked = f"{TEXTS['link']} What is $\\frac{{1}}{{2}} + x$? **bold** {TEXTS['remote image']} $\\href{{javascript:1}}$"
    finished(url, "maths", question=asked)
    at = page("solve", run="maths")
    assert asked in [t.value for t in at.text] and not at.latex
    at.toggle(key="formulas").set_value(True).run()
    assert not at.exception and [one.value for one in at.latex] == ["$$\n\\frac{1}{2} + x\n$$"]
    assert asked not in [t.value for t in at.text]
    assert any(OUTSIDE in t.value and "\\href" in t.value for t in at.text)
    assert all(OUTSIDE not in m.value and "bold" not in m.value for m in (*at.markdown, *at.caption))


def test_without_formulas_nothing_is_offered(url):  # noqa: F811
    finished(url, "plain", question="What is 1 + 1?")
    assert not [one for one in page("solve", run="plain").toggle if one.key == "formulas"]
