"""Decoders of every shape, exported by the model builder and served by the engine.

Weights are random. In fp32 the logits are those of transformers to the last bits; a graph with
rounded weights is compared with a plain session on itself.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers", reason="make test-parity installs the reference")
pytest.importorskip("onnx_ir", reason="make test-parity installs what the exporter needs")
pytest.importorskip("onnxruntime_genai", reason="make test-parity installs the exporter")

from services.chat.engine.request import Request, Sampling
from services.chat.engine.runner import Logits
from tests.parity.chat_exports import as_hugging_face, export, quantize_in_the_run
from tests.parity.chat_models import CONTEXT, FAMILIES, SHORT, VOCABULARY, WINDOW, Reference
from tests.parity.chat_plain import PlainSession
from tests.parity.chat_recording import Served, serve

pytestmark = [
    pytest.mark.parity,
    # torch and its friends warn about themselves; that is not what is tested here.
    pytest.mark.filterwarnings("default"),
]

STEPS = 64
ATOL = 1e-3
"""How far logits may be from those of transformers; their standard deviation is 3 to 5."""

Exported = Callable[[str], tuple[Reference, Path]]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The model of transformers and the folder of its export, each made once."""

    @functools.cache
    def make(family: str) -> tuple[Reference, Path]:
        reference = Reference(family)
        return reference, export(reference, tmp_path_factory.mktemp(family))

    return make


def prompt_of(rng: np.random.Generator, length: int) -> list[int]:
    tokens: list[int] = rng.integers(2, VOCABULARY, size=length).tolist()
    return tokens


def ask(prompt: Sequence[int], max_tokens: int = STEPS, **fields: int) -> Request:
    return Request(tuple(prompt), Sampling(temperature=0), max_tokens=max_tokens, **fields)


def check(served: Served, reference: Reference, prompt: Sequence[int], answer: list[int]) -> None:
    """Compare an answer with what transformers says after each of its tokens."""
    tokens = [*prompt, *answer]
    expected = reference.logits(tokens)[len(prompt) - 1 : -1]
    assert answer == expected.argmax(axis=1).tolist()
    logits = served.logits_along(tokens, len(prompt))
    np.testing.assert_allclose(logits, expected, atol=ATOL, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_crowd_gets_the_answers_of_transformers(
    exported: Exported, rng: np.random.Generator, family: str
) -> None:
    reference, folder = exported(family)
    served = serve(folder)
    longest = served.recording.capacity_tokens - STEPS
    prompts = [prompt_of(rng, length) for length in (1, 20, longest, 7, 25, 30)]

    answers = served.answer(*[ask(prompt) for prompt in prompts])

    assert longest > WINDOW
    assert served.recording.widest == 4
    for prompt, answer in zip(prompts, answers, strict=True):
        assert len(answer) == STEPS
        check(served, reference, prompt, answer)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_shared_beginning_changes_nothing(
    exported: Exported, rng: np.random.Generator, family: str
) -> None:
    reference, folder = exported(family)
    served = serve(folder)
    system = prompt_of(rng, WINDOW + 6)
    prompts = [[*system, *prompt_of(rng, length)] for length in (2, 9, 4)]
    (first,) = served.answer(ask(prompts[0], 12))
    going_on = [*prompts[0], *first, *prompt_of(rng, 5)]

    answers = served.answer(ask(prompts[1], 12), ask(going_on, 12), ask(prompts[2], 12, choices=2))

    assert sum(tokens >= len(system) for tokens in served.cached_tokens) == 4
    for prompt, answer in zip((prompts[1], going_on, prompts[2], prompts[2]), answers, strict=True):
        check(served, reference, prompt, answer)


@pytest.mark.parametrize("family", FAMILIES)
def test_prompts_are_scored_as_by_transformers(
    exported: Exported, rng: np.random.Generator, family: str
) -> None:
    reference, folder = exported(family)
    served = serve(folder)
    prompt = prompt_of(rng, 80)

    served.answer(ask(prompt, 0, prompt_logprobs=0))

    logits, expected = served.logits_along(prompt, 1), reference.logits(prompt)[:-1]
    np.testing.assert_allclose(logits, expected, atol=ATOL, rtol=0)


def test_long_texts_are_turned_as_long_ones(exported: Exported, rng: np.random.Generator) -> None:
    reference, folder = exported("phi4-mini")
    served = serve(folder, context=CONTEXT)
    prompts = [prompt_of(rng, length) for length in (SHORT, 180, 120)]

    answers = served.answer(*[ask(prompt) for prompt in prompts])

    assert serve(folder).recording.capacity_tokens == SHORT
    for prompt, answer in zip(prompts, answers, strict=True):
        check(served, reference, prompt, answer)


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_the_layout_of_the_hub_gives_the_same(
    exported: Exported, tmp_path: Path, rng: np.random.Generator, family: str
) -> None:
    reference, folder = exported(family)
    served = serve(as_hugging_face(folder, tmp_path / "hub"))
    prompts = [prompt_of(rng, length) for length in (40, 3)]

    answers = served.answer(*[ask(prompt) for prompt in prompts])

    for prompt, answer in zip(prompts, answers, strict=True):
        check(served, reference, prompt, answer)


@dataclass(frozen=True, slots=True)
class Rounded:
    """How a model with rounded weights is exported, and how near it comes to a plain session."""

    options: Sequence[str] = ()
    """Of the builder."""
    precision: str = "fp32"
    provider: str = "cpu"
    is_quantized_in_the_run: bool = False
    can_go_on: bool = True
    """Whether a plain session runs it on a past. Shapes that the builder notes down are wrong there
    for MultiHeadAttention (0.18.0); the engine drops them."""
    alone: float = 1e-4
    """How far logits may be where both compute the same parts of a text."""
    in_a_crowd: float = 0.5
    """The same where the engine reads in chunks and computes several rows at once. States that
    become whole numbers in the run may come out one higher or lower, and their steps are coarse."""


HALF = {"alone": 0.03, "in_a_crowd": 0.06}
"""Logits up to 16 are 0.008 apart in fp16."""

ROUNDED = {
    "fp16": Rounded(precision="fp16", provider="cuda", **HALF),
    "fp16, the past grows": Rounded(precision="fp16", can_go_on=False, **HALF),
    "int8": Rounded(precision="int8"),
    "int4, blocks of 32": Rounded(["block_size=32"], "int4"),
    "int4, blocks of 128": Rounded(["block_size=128"], "int4"),
    "int4, the rest fp16": Rounded(precision="int4", provider="cuda", **HALF),
    "int4, rounded back in the graph": Rounded(["use_qdq=true"], "int4"),
    "int8, states too": Rounded(is_quantized_in_the_run=True, in_a_crowd=1.5),
    "only the last logits": Rounded(["prune_lm_head=true"]),
}


@pytest.fixture(scope="module", params=ROUNDED)
def rounded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Rounded, Path]:
    """One kind of rounded weights, and a model folder of it."""
    kind, folder = ROUNDED[request.param], tmp_path_factory.mktemp("rounded")
    exported = export(
        Reference("llama"),
        folder / "exported",
        *kind.options,
        precision=kind.precision,
        provider=kind.provider,
    )
    hub = as_hugging_face(exported, folder / "hub")
    if kind.is_quantized_in_the_run:
        quantize_in_the_run(hub)
    return kind, hub


def plain_logits(kind: Rounded, folder: Path, parts: Sequence[Sequence[int]]) -> Logits:
    """Return the logits of a plain session after every token of a text."""
    whole = [token for part in parts for token in part]
    return PlainSession(folder).logits(parts if kind.can_go_on else [whole])


def test_rounded_weights_give_what_a_plain_session_does(
    rounded: tuple[Rounded, Path], rng: np.random.Generator
) -> None:
    kind, folder = rounded
    served = serve(folder, chunk=64, slots=1)
    prompt = prompt_of(rng, 40)

    (answer,) = served.answer(ask(prompt))

    parts = [prompt, *[[token] for token in answer[:-1]]]
    expected = plain_logits(kind, folder, parts)
    logits = served.logits_along([*prompt, *answer], len(prompt))
    np.testing.assert_allclose(logits, expected[-STEPS:], atol=kind.alone, rtol=0)


def test_rounded_weights_give_nearly_the_same_in_a_crowd(
    rounded: tuple[Rounded, Path], rng: np.random.Generator
) -> None:
    kind, folder = rounded
    served = serve(folder)
    prompts = [prompt_of(rng, length) for length in (40, 3, 17, 1)]

    answers = served.answer(*[ask(prompt, prompt_logprobs=0) for prompt in prompts])

    for prompt, answer in zip(prompts, answers, strict=True):
        tokens = [*prompt, *answer]
        expected = plain_logits(kind, folder, [[token] for token in tokens[:-1]])
        logits = served.logits_along(tokens, 1)
        np.testing.assert_allclose(logits, expected, atol=kind.in_a_crowd, rtol=0)
