"""The embedded engine: tiny Llama models in numpy, batch-invariant, every context computed once."""

from ttc_core.engines.embedded.engine import Embedded
from ttc_core.models import ModelCard
from ttc_core.registry import engine


@engine("embedded")
def embedded(name: str, card: ModelCard, *, batch: int = 256) -> Embedded:
    """A Llama from a folder, in numpy on one thread."""
    return Embedded(name, card.folder, batch=batch, revises=card.revises)


__all__ = ["Embedded", "embedded"]
