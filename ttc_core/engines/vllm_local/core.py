"""vLLM's asynchronous engine on an event loop in a thread of its own. The only file that imports vLLM."""

from __future__ import annotations

import asyncio
import atexit
import itertools
import os
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from ttc_core.engines.vllm_local.options import Options, check_free, give_memory_back, take_memory
from ttc_core.errors import EngineBusy, EngineError, EngineFault, EngineGone, UserError

T = TypeVar("T")
ENVIRONMENT = {  # what the user has set counts more
    "VLLM_NO_USAGE_STATS": "1",  # nobody is told what runs here
    "DO_NOT_TRACK": "1",
    "VLLM_HOST_IP": "127.0.0.1",  # else it asks the network for this machine's address
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",  # standard output belongs to the command line's document
    "VLLM_LOGGING_LEVEL": "WARNING",
}
ON_CPU = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}


def prepare() -> bool:
    """Set the environment and import vLLM; whether it is a build for processors.

    Raises:
        UserError: vLLM is not installed.
    """
    for key, value in ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    try:
        from vllm.platforms import current_platform
    except ImportError as error:
        raise UserError(
            f"the engine vllm_local needs vLLM, which cannot be imported: {error}",
            hint="make .venv-vllm/.installed makes an environment that has it; or serve the model and use openai_http",
        ) from error
    cpu = bool(current_platform.is_cpu())
    for key, value in ON_CPU.items() if cpu else ():
        os.environ.setdefault(key, value)
    return cpu


class Core:
    """One model. `run` starts a coroutine on the loop; the coroutines `generate` and `pool` await replies there."""

    def __init__(self, name: str, options: Options, places: int) -> None:
        """Load the model; returns when it can answer.

        Raises:
            UserError: no vLLM, or not enough memory; EngineFault: vLLM cannot load it.
        """
        self.name = name
        cpu = prepare()
        take_memory(name, options.memory)
        try:
            for free, total in () if cpu else _gpu_memory():
                check_free(name, options.memory, free, total)
            self.loop, self.gone = asyncio.new_event_loop(), False
            threading.Thread(target=self.loop.run_forever, name=f"vllm {name}", daemon=True).start()
            loading = self._load(options.arguments(cpu=cpu, places=places))
            asyncio.run_coroutine_threadsafe(loading, self.loop).result()
        except BaseException:
            give_memory_back(name)
            if hasattr(self, "loop"):
                self.loop.call_soon_threadsafe(self.loop.stop)
            raise
        self._lora = _adapter(options)
        self._ids = itertools.count()
        atexit.register(self.close)

    async def _load(self, arguments: dict[str, Any]) -> None:
        from vllm.config import PoolerConfig
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        if "pooler_config" in arguments:
            arguments["pooler_config"] = PoolerConfig(**arguments["pooler_config"])
        try:
            self._vllm: Any = AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
        except Exception as error:  # of many types; what went wrong in its processes is on standard error
            raise EngineFault(
                f"vLLM cannot load {self.name}: {_first_line(error)}",
                hint="see vLLM's messages above; a larger memory share or a smaller `longest` often helps",
            ) from error
        self.tokenizer: Any = self._vllm.get_tokenizer()
        self.longest = int(self._vllm.model_config.max_model_len)
        self.tasks = await self._vllm.get_supported_tasks()

    def run(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a coroutine; only to be called on the loop."""
        return self.loop.create_task(work)

    async def generate(self, tokens: Sequence[int], **sampling: Any) -> Any:
        """vLLM's final output for a prompt of token ids. sampling: of vLLM's SamplingParams.

        Raises:
            EngineError: it did not answer.
        """
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        params = SamplingParams(output_kind=RequestOutputKind.FINAL_ONLY, **sampling)
        return await self._last(self._vllm.generate, tokens, params)

    async def pool(self, tokens: Sequence[int], task: str) -> Any:
        """vLLM's pooled output for a prompt, without an activation.

        Raises:
            EngineError: it did not answer.
        """
        from vllm import PoolingParams

        return await self._last(self._vllm.encode, tokens, PoolingParams(task=task, use_activation=False))

    async def _last(self, ask: Any, tokens: Sequence[int], params: Any) -> Any:
        from vllm.inputs import tokens_input

        request = f"{self.name}-{next(self._ids)}"
        output = None
        try:
            async for newest in ask(tokens_input([*tokens]), params, request, lora_request=self._lora):
                output = newest
        except Exception as error:
            raise self._failure(error) from error
        if output is None:
            raise EngineFault(f"{self.name} answered nothing")
        return output

    def _failure(self, error: Exception) -> EngineError:
        from vllm.v1.engine.exceptions import EngineDeadError

        if isinstance(error, EngineDeadError):
            self.gone = True
            return EngineGone(f"vLLM's process of {self.name} has ended", hint="see its messages; it is loaded anew")
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        status = getattr(cause, "status_code", getattr(cause, "http_status", None))
        if status == 503:
            return EngineBusy(f"{self.name} is overloaded")
        return EngineFault(f"{self.name} did not answer: {_first_line(cause)}")

    def close(self) -> None:
        """End vLLM's processes and the thread."""
        atexit.unregister(self.close)
        give_memory_back(self.name)
        if self.loop.is_running():
            asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(timeout=30)
            self.loop.call_soon_threadsafe(self.loop.stop)

    async def _end(self) -> None:
        vllm, self._vllm = self._vllm, None
        vllm.shutdown(timeout=5)


def _gpu_memory() -> list[tuple[int, int]]:
    """(free, total) bytes of the first GPU, asked in a way that leaves it untouched by this process; [] if unknown."""
    from vllm.platforms import current_platform
    from vllm.third_party import pynvml

    if not current_platform.is_cuda():
        return []
    pynvml.nvmlInit()
    try:
        index = current_platform.device_id_to_physical_device_id(0)
        memory = pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(index))
        return [(int(memory.free), int(memory.total))]
    finally:
        pynvml.nvmlShutdown()


def _adapter(options: Options) -> Any:
    if not options.lora:
        return None
    from vllm.lora.request import LoRARequest

    return LoRARequest(options.lora, 1, str(options.adapter()))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
