"""A question as it is written, and on request with its formulas drawn.

Only what stands between the signs of a formula, and in it only commands that are known to do nothing but set type, is
given to KaTeX, which is part of the page. All else stays plain text, whoever wrote it.
"""

from __future__ import annotations

import re

import streamlit as st

from ttc_core.ui import words

LONGEST, MOST = 1000, 40  # characters of a formula, and formulas that are drawn
_FORMULA = re.compile(r"\$\$([^$]+)\$\$|\$(?!\s)([^$]+)(?<!\s)\$(?!\d)|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_COMMAND = re.compile(r"\\([A-Za-z]+|[^A-Za-z])")
_KNOWN = frozenset(
    """frac dfrac tfrac cfrac sqrt binom dbinom over choose cdot times div pm mp ast circ bullet oplus otimes
    le leq leqslant ge geq geqslant lt gt ne neq approx equiv sim simeq cong propto ll gg mid nmid parallel perp
    sum prod int iint oint lim limsup liminf max min sup inf gcd lcm det dim ker deg exp log ln lg arg mod bmod pmod
    sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi rho sigma tau
    upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
    left right big Big bigg Bigg bigl bigr Bigl Bigr lfloor rfloor lceil rceil langle rangle vert Vert lvert rvert
    text textbf textit textrm mathrm mathbf mathit mathbb mathcal mathfrak mathsf mathtt operatorname displaystyle
    overline underline overrightarrow overleftarrow widehat hat bar vec tilde dot ddot boxed overbrace underbrace
    angle triangle square degree prime infty emptyset varnothing partial nabla forall exists neg land lor
    in notin ni cup cap subset subseteq supset supseteq setminus to mapsto gets rightarrow leftarrow Rightarrow
    Leftarrow leftrightarrow Leftrightarrow iff implies therefore because ldots cdots vdots ddots dots
    quad qquad begin end hline limits nolimits stackrel overset underset substack not""".split()  # noqa: SIM905 (so it can be read)
)
_MORE = re.compile(r"[$`]|\\\\\s*\[")  # the end of a formula, of code, and how far apart two lines are
_SIGNS = frozenset(",;:!> {}%#&_|\\\n")


def parts(text: str) -> list[tuple[bool, str]]:
    """The text cut up: formulas that can be drawn, without their signs, and what lies between them as it is."""
    found, at = [], 0
    for one in _FORMULA.finditer(text):
        body = next(group for group in one.groups() if group is not None)
        if drawable(body):
            found += [(False, text[at : one.start()]), (True, " ".join(body.split()))]
            at = one.end()
    return [(formula, part) for formula, part in [*found, (False, text[at:])] if part.strip()]


def drawable(body: str) -> bool:
    """Whether a formula is short and has only commands that set type: none that links, loads, defines or moves."""
    commands = _COMMAND.findall(body)
    known = all(one in _KNOWN if one.isalpha() else one in _SIGNS for one in commands)
    line = " ".join(body.split())
    return known and line.isprintable() and 0 < len(line) <= LONGEST and not _MORE.search(line)


def show(text: str, key: str = "run-question") -> None:
    """Draw the question as plain text, or with its formulas where somebody asks for that."""
    cut = parts(text)
    formulas = sum(formula for formula, _ in cut)
    with st.container(key=key):
        if not (0 < formulas <= MOST and st.toggle("Draw formulas", key="formulas")):
            st.text(words.shown(text))
            return
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"{key}-drawn"):
            for formula, part in cut:
                if formula:
                    st.latex(part, width="content")
                else:
                    st.text(words.shown(part.strip()))
