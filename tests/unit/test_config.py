"""The app's configuration: names Streamlit knows, nothing listens or reports outside, text that can be read."""

from __future__ import annotations

import tomllib

import pytest

from ttc_core.settings import REPOSITORY

CONFIG = tomllib.loads((REPOSITORY / ".streamlit/config.toml").read_text("utf-8"))


def options() -> list[str]:
    found = []
    for section, values in CONFIG.items():
        for key, value in values.items():
            nested = value if isinstance(value, dict) else None
            found += [f"{section}.{key}.{inner}" for inner in nested] if nested else [f"{section}.{key}"]
    return found


def test_streamlit_knows_every_option():
    config = pytest.importorskip("streamlit.config")
    known = set(config._config_options_template)
    assert len(known) > 50
    assert set(options()) <= known


def test_nothing_listens_or_reports_outside():
    assert CONFIG["server"]["address"] == "127.0.0.1"
    assert CONFIG["server"]["allowedHosts"] == ["localhost", "127.0.0.1"]
    assert CONFIG["server"]["enableXsrfProtection"] is True
    assert CONFIG["server"]["maxUploadSize"] == 20
    assert CONFIG["browser"]["gatherUsageStats"] is False


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("text", ["textColor", "linkColor"])
@pytest.mark.parametrize("background", ["backgroundColor", "secondaryBackgroundColor"])
def test_text_can_be_read(mode, text, background):
    assert contrast(CONFIG["theme"][mode][text], CONFIG["theme"][mode][background]) >= 7


def test_black_on_white_is_the_known_contrast():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
