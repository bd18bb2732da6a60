"""Any OpenAI-compatible server: vLLM's, SGLang, llama.cpp, Ollama, hosted ones."""

from ttc_core.engines.openai_http.engine import OpenAIHTTP
from ttc_core.registry import engine

engine("openai_http")(OpenAIHTTP)

__all__ = ["OpenAIHTTP"]
