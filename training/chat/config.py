"""How the starter model is built and trained: numbers only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape of the decoder, in Qwen3's terms.

    Source: https://huggingface.co/docs/transformers/model_doc/qwen3
    """

    vocabulary: int = 4096
    width: int = 256
    layers: int = 8
    heads: int = 4
    kv_heads: int = 2
    head: int = 64
    """Width of one head."""
    hidden: int = 768
    """Width inside a feed-forward."""
    context_tokens: int = 1024
    rope_theta: float = 10_000.0
    norm_epsilon: float = 1e-6


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long the training goes, and how fast it learns."""

    steps: int = 33_300
    """As many as what ships has had."""
    warmup_steps: int = 100
    cooldown_steps: int = 14_000
    """The last steps, in which the rates fall to nothing; a longer training moves only these."""
    peak: float = 1.0
    """The share of the rates below between warm-up and cool-down; less for one that goes on."""
    batch_tokens: int = 6_144
    """The most of one step, rows times length, padding included."""
    muon_rate: float = 0.006
    adam_rate: float = 0.0006
    weight_decay: float = 0.02
    clip_norm: float = 1.0
    average_decay: float = 0.998
    """How much of the averaged weights stays at every step."""
    seed: int = 1

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            ValueError: There is no cool-down, it is longer than the training, or no rate.
        """
        if not 0 < self.cooldown_steps <= self.steps:
            raise ValueError(
                f"a cool-down of {self.cooldown_steps} steps; expected 1 to {self.steps}, as many"
                " as the whole training has"
            )
        if not 0 < self.peak <= 1:
            raise ValueError(f"a peak of {self.peak}; expected more than 0, and 1 at the most")
