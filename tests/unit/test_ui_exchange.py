"""One exchange on Home, on its page and in docs/science.md: the same intervals, and the same rule of who wins."""

from __future__ import annotations

import numpy as np

from ttc_core.analysis import documents, exchange
from ttc_core.ui import headline
from ttc_core.ui.component import ASSETS


def test_where_the_stars_are_the_page_interpolates_nothing():
    rng = np.random.default_rng(0)
    small, large = rng.random((40, 3)), rng.random(40)
    both = documents.Rivals([1.0, 4.0, 16.0], small, large, [0, 1] * 20, 2)
    exact = documents.standings(both, [3.0, 99.0], resamples=50)  # between two budgets of the grid, and beyond it
    at = exact["grid"].index(3.0)
    assert exact["grid"][-1] == 16
    stars = exchange.stars(both.budgets, small, large, both.bins, 1.5, [1.0], resamples=50)
    for star, of in zip(stars, exact["bins"], strict=True):
        assert star.budget == 3.0 and [of["gain"][end][at] for end in ("mean", "low", "high")] == list(star.gain)


def test_only_an_interval_that_leaves_0_out_tells_who_wins():
    gains = [(0.0, 0.0, 0.0), (0.1, 0.0, 0.2), (0.1, 0.01, 0.2), (-0.1, -0.2, -0.01), (0.0, -0.1, 0.1)]
    ends = ("mean", "low", "high")
    bins = [{"stars": [{"beyond": False, "gain": dict(zip(ends, gain, strict=True))}]} for gain in gains]
    _, told = headline.exchanged({"bins": bins, "larger": 14.0, "ratios": [{"ratio": 0.79}]}, "big")
    assert "better in bin 3, worse in bin 4 of 5 from easy to hard, undecided in the other 3" in told
    page = (ASSETS / "exchange" / "10_numbers.js").read_text(encoding="utf-8")
    assert "low > 0" in page and "high < 0" in page and "at least as good" not in page
