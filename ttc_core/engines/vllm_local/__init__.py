"""vLLM in this program: imported when a model is loaded, one event loop in a thread for each model."""

from ttc_core.engines.vllm_local.engine import VllmLocal
from ttc_core.registry import engine

engine("vllm_local")(VllmLocal)

__all__ = ["VllmLocal"]
