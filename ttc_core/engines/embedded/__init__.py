"""The embedded engine: tiny Llama models in numpy, batch-invariant, every context computed once."""

from ttc_core.engines.embedded.engine import Embedded
from ttc_core.registry import engine

engine("embedded")(Embedded)

__all__ = ["Embedded"]
