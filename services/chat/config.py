"""Every setting of the chat service, with unit and default."""

from typing import Literal

from pydantic import ConfigDict, Field

from services.runtime.config import ModelSettings, ServiceSettings


class ChatModelSettings(ModelSettings):
    """A chat model: a folder of ONNX Runtime GenAI, or of Hugging Face's exporters."""

    model_config = ConfigDict(extra="forbid")

    file: str | None = None
    """The graph, relative to the folder; unset: the one that the folder has."""
    context_tokens: int | None = Field(default=None, ge=2)
    """The longest prompt and answer together; unset: the model's, up to 8192."""
    slots: int = Field(default=8, ge=1, le=256)
    """Sequences that are computed at the same time; each holds a cache of `context_tokens`."""
    provider: Literal["cuda", "cpu"] | None = None
    """What to run on; unset: CUDA where there is a device."""
    cuda_graphs: bool = False
    """Whether CUDA records the kernels of a step, to launch all at once; for small models."""
    tool_format: str | None = None
    """How the model calls tools, such as `hermes` or `llama3`; unset: as its template writes it."""
    guided_calls: bool = False
    """Whether calls name a tool that there is and keep to its schema, as far as a grammar can hold
    them to it, where no `strict` asks for that: for models too small to keep to it alone."""
    reasoning: bool = True
    """Whether thoughts are told apart from the answer, where the model's template has tags."""


class ChatSettings(ServiceSettings):
    """The table `[chat]`."""

    model_config = ConfigDict(extra="forbid")

    port: int = Field(default=50051, ge=0, le=65535)
    metrics_port: int = Field(default=9101, ge=0, le=65535)
    models: tuple[ChatModelSettings, ...] = ()
    threads: int = Field(default=0, ge=0)
    """CPU threads of a step; 0 takes one a core."""
    chunk_tokens: int = Field(default=0, ge=0)
    """Tokens of a prompt that are read in one step, while running answers wait; 0 takes 128 on the
    CPU and 1024 on CUDA."""
    waiting_requests: int = Field(default=256, ge=1)
    """Requests that may wait for one model; more are told to try again (429)."""
    gpu_memory_bytes: int | None = Field(default=None, ge=2**20)
    """The most that one model's arena takes on the device; unset: no bound."""
