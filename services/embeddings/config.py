"""Every setting of the embeddings service, with unit and default."""

from typing import Literal

from pydantic import ConfigDict, Field

from services.runtime.config import ModelSettings, ServiceSettings


class EmbeddingsModelSettings(ModelSettings):
    """An embedding model: a folder in the layout of sentence-transformers."""

    model_config = ConfigDict(extra="forbid")

    file: str = "onnx/model.onnx"
    """The graph, relative to the folder."""
    pooling: Literal["mean", "cls", "max", "last"] | None = None
    """How token states become one vector; for a folder that does not say."""
    normalize: bool | None = None
    """Whether vectors get unit length; unset: as the folder says."""
    max_tokens: int | None = Field(default=None, ge=1)
    """The longest input, special tokens included; unset: as the folder says."""
    provider: Literal["cuda", "cpu"] | None = None
    """What to run on; unset: CUDA where there is a device."""


class EmbeddingsSettings(ServiceSettings):
    """The table `[embeddings]`."""

    model_config = ConfigDict(extra="forbid")

    port: int = Field(default=50054, ge=0, le=65535)
    metrics_port: int = Field(default=9104, ge=0, le=65535)
    models: tuple[EmbeddingsModelSettings, ...] = ()
    workers: int = Field(default=0, ge=0)
    """Batches of one model that run at once; 0 takes one a core on the CPU and one on CUDA."""
    threads: int = Field(default=1, ge=0)
    """CPU threads of a batch; 0 takes one a core. Many batches of one thread each do more than
    few of many, and do not suffer when another process wants a core."""
    batch_tokens: int = Field(default=0, ge=0)
    """Tokens of a batch, padding included; 0 takes 256 on the CPU and 16384 on CUDA."""
    max_padding: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of a batch that may be padding."""
    waiting_requests: int = Field(default=1024, ge=1)
    """Requests that may wait for one model; more are told to try again (429)."""
    waiting_tokens: int = Field(default=2**20, ge=1)
    """Tokens that may wait for one model; more are told to try again (429)."""
    gpu_memory_bytes: int | None = Field(default=None, ge=2**20)
    """The most that one model's arena takes on the device; unset: no bound."""
