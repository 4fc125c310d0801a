"""The device's sampler against NumPy's: the same graphs on the CPU and, where there is one, CUDA.

A weight is an exponential, and the last bits of exponentials differ between libraries. So a token
may differ where NumPy's own would if the logits were a millionth off; the tests say no more than
that where they meet such rows, and on the CPU they meet none.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import onnxruntime as ort
import pytest

from services.chat.engine.device_sampling.choosing import Kind
from services.chat.engine.device_sampling.device_logits import DeviceLogits
from services.chat.engine.device_sampling.sampler import MOST_ROWS, DeviceSampler
from services.chat.engine.device_sampling.wishes import first_wish
from services.chat.engine.request import Sampling
from services.chat.engine.sampling.adjustments import Row
from services.chat.engine.sampling.sampler import try_sample
from services.runtime.onnx import Buffer, OnnxSession, cuda_problem

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
NO_CUDA = pytest.mark.skipif(cuda_problem() is not None, reason="there is no CUDA device")
ON_CUDA = pytest.param("cuda", marks=[pytest.mark.needs_gpu, NO_CUDA])


@pytest.fixture(params=["cpu", ON_CUDA])
def provider(request):
    """Where the logits are."""
    return request.param


class Device:
    """Logits of some slots on a device, and a sampler beside them."""

    def __init__(self, logits, provider):
        self.logits = logits
        self.provider = provider
        self.opened = 0
        self._memory = self._allocate()
        self.sampler = DeviceSampler(self._memory, self._open)

    def put(self, logits):
        """Overwrite the logits."""
        self.logits = logits
        if self.provider == "cpu":
            self._memory.owner[:] = logits[:, None]
        else:
            self._memory.owner.update_inplace(np.ascontiguousarray(logits[:, None]))

    def choose(self, rows, slots=None):
        """Return what the device chooses, and what NumPy does."""
        slots = range(len(rows)) if slots is None else slots
        with np.errstate(invalid="ignore"):
            expected = try_sample(self.logits[[*slots]].astype(np.float32), rows)
        return self.sampler.try_sample(DeviceLogits(tuple(slots)), rows), expected

    def _allocate(self):
        values = self.logits[:, None].copy()
        if self.provider == "cpu":
            return Buffer(values, values.ctypes.data, values.shape, values.dtype, "cpu")
        value = ort.OrtValue.ortvalue_from_numpy(values, "cuda", 0)
        return Buffer(value, value.data_ptr(), values.shape, values.dtype, "cuda")

    def _open(self, content):
        self.opened += 1
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = 1
        settings.log_severity_level = 3
        if self.provider == "cuda":
            # Whatever CUDA cannot do fails here, where the CPU would do it otherwise.
            settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        session = ort.InferenceSession(content, settings, providers=[PROVIDERS[self.provider]])
        return OnnxSession(session, self.provider)


def row(sampling=None, prompt=(1,), answer=(), seed=0, choice=0, mask=None):
    return Row(sampling or Sampling(), prompt, answer, seed, choice, mask)


def words_of(tokens, vocabulary):
    """Return the mask that allows some tokens."""
    allowed = np.zeros(-(-vocabulary // 32) * 32, bool)
    allowed[list(tokens)] = True
    return np.packbits(allowed, bitorder="little").view("<u4")


def tokens_of(choices):
    return [choice and choice.token for choice in choices]


def some_sampling(rng, vocabulary):
    def one_of(*values):
        return values[rng.integers(len(values))]

    biased = rng.integers(0, vocabulary, size=one_of(0, 0, 3))
    return Sampling(
        temperature=one_of(0, 1e-5, 0.3, 1.0, 1.0, 2.0),
        top_k=one_of(0, 0, 1, 5, 40, 255, 256, 300, vocabulary - 1, vocabulary, vocabulary + 5),
        top_p=one_of(1.0, 1.0, 0.0, 0.1, 0.5, 0.95, 0.999),
        min_p=one_of(0.0, 0.0, 0.05, 0.5, 1.0),
        repetition_penalty=one_of(1.0, 1.0, 1.3, 0.7),
        frequency_penalty=one_of(0.0, 0.0, 0.5, -2.0),
        presence_penalty=one_of(0.0, 0.0, 1.5),
        logit_bias={int(token): one_of(-100.0, 3.0, 0.1) for token in biased},
        top_logprobs=one_of(None, None, 0, 5, 20),
    )


def some_row(rng, vocabulary):
    mask = None
    if rng.random() < 0.25:
        words = rng.integers(1, -(-vocabulary // 32) + 2)
        mask = rng.integers(1, 2**32, size=words, dtype=np.uint32)
    return row(
        some_sampling(rng, vocabulary),
        prompt=rng.integers(0, vocabulary, size=rng.integers(1, 9)).tolist(),
        answer=rng.integers(0, vocabulary, size=rng.integers(0, 9)).tolist(),
        seed=int(rng.integers(-(2**40), 2**40)),
        choice=int(rng.integers(0, 4)),
        mask=mask,
    )


def some_logits(rng, rows, vocabulary, dtype):
    """Return logits of every kind: flat and steep, with many equal ones, with forbidden tokens."""
    logits = rng.normal(size=(rows, vocabulary)) * rng.choice([0, 0.3, 1, 3, 8], size=(rows, 1))
    rounded = rng.random((rows, 1)) < 0.3
    logits = np.where(rounded, np.round(4 * logits) / 4, logits)
    forbidden = (rng.random((rows, vocabulary)) < 0.3) & (rng.random((rows, 1)) < 0.2)
    return np.where(forbidden, -np.inf, logits).astype(dtype)


def assert_alike(told, expected, logits, rows):
    """Check that choices are the same, or such as logits that are a millionth off would give."""
    for place, (choice, other) in enumerate(zip(told, expected, strict=True)):
        if choice is None or other is None:
            assert choice is other
            continue
        if choice.token != other.token:
            assert choice.token in nearby_tokens(logits[place], rows[place])
            continue
        assert (choice.logprobs is None) == (other.logprobs is None)
        if choice.logprobs is not None:
            assert choice.logprobs.token == pytest.approx(other.logprobs.token, abs=1e-5)
            assert [t for t, _ in choice.logprobs.top] == [t for t, _ in other.logprobs.top]
            values = [value for _, value in other.logprobs.top]
            assert [value for _, value in choice.logprobs.top] == pytest.approx(values, abs=1e-5)


def nearby_tokens(logits, row):
    rng = np.random.default_rng(0)
    logits = logits.astype(np.float32)
    noise = 1 + 1e-6 * rng.normal(size=(50, len(logits))).astype(np.float32)
    return {choice.token for choice in try_sample(logits * noise, [row] * 50)}


@pytest.mark.parametrize(
    ("vocabulary", "dtype", "rounds"),
    [
        (1, "float32", 2),
        (50, "float32", 20),
        (256, "float16", 20),
        (1003, "float32", 40),
        (1003, "float16", 40),
        (20_000, "float16", 6),
        (151_936, "float16", 1),
    ],
)
def test_tokens_are_those_of_numpy(provider, rng, vocabulary, dtype, rounds):
    device = Device(some_logits(rng, 24, vocabulary, dtype), provider)
    for _ in range(rounds):
        device.put(some_logits(rng, 24, vocabulary, dtype))
        slots = rng.permutation(24)
        rows = [some_row(rng, vocabulary) for _ in slots]

        told, expected = device.choose(rows, slots)

        assert_alike(told, expected, device.logits[slots], rows)


def test_every_field_of_sampling_is_tried():
    assert {field.name for field in dataclasses.fields(Sampling)} == {
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "repetition_penalty",
        "frequency_penalty",
        "presence_penalty",
        "logit_bias",
        "seed",  # the engine makes `Row.seed` of it
        "top_logprobs",
    }


def test_of_equal_logits_the_likeliest_is_the_one_with_the_lowest_id(provider):
    logits = np.zeros((3, 3000), np.float16)
    logits[1, [700, 2999, 300]] = 1
    logits[2, 2000:] = 2

    choices, _ = Device(logits, provider).choose([row(Sampling(0))] * 3)

    assert tokens_of(choices) == [0, 300, 2000]


@pytest.mark.parametrize("vocabulary", [8, 3000])
def test_equal_logits_at_the_edge_are_kept_by_top_k_and_cut_by_top_p(provider, vocabulary):
    logits = np.full((1, vocabulary), -np.inf, np.float32)
    logits[0, [1, 2, 5, 7]] = 1
    device = Device(logits, provider)

    def drawn(sampling):
        seeds = range(60)
        choices, expected = device.choose([row(sampling, seed=n) for n in seeds], [0] * len(seeds))
        assert choices == expected
        return {choice.token for choice in choices}

    assert drawn(Sampling(top_k=2)) == {1, 2, 5, 7}
    assert drawn(Sampling(top_p=0.5)) == {1, 2}
    assert drawn(Sampling(top_k=2, top_p=0.7)) == {1, 2, 5}
    assert drawn(Sampling(top_p=0.0)) == {1}


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(top_p=0.9),
        Sampling(top_p=0.5, min_p=0.001),
        Sampling(top_k=400),
        Sampling(top_k=30),
        Sampling(top_k=400, top_p=0.9),
        Sampling(top_k=30, top_p=0.9),
    ],
    ids=str,
)
def test_limits_that_leave_more_than_the_shortlist_are_kept(provider, rng, sampling):
    logits = (0.1 * rng.normal(size=(1, 3000))).astype(np.float16)
    logits[0, :500] = np.float16(0.4)  # as many are equal at the edges
    rows = [row(sampling, seed=seed) for seed in range(100)]

    choices, expected = Device(logits, provider).choose(rows, [0] * 100)

    assert tokens_of(choices) == tokens_of(expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("top_k", [0, 5])
def test_rows_that_are_not_finite_give_no_token(provider, rng, bad, temperature, top_k):
    logits = some_logits(rng, 3, 900, "float32")
    logits[1, slice(None) if bad == -np.inf else 9] = bad
    sampling = Sampling(temperature, top_k=top_k, top_logprobs=1)

    choices, expected = Device(logits, provider).choose([row(sampling)] * 3)

    assert [choice is None for choice in choices] == [False, True, False]
    assert tokens_of(choices) == tokens_of(expected)


def test_a_number_that_is_none_is_found_behind_a_mask(provider, rng):
    logits = some_logits(rng, 1, 90, "float32")
    logits[0, 50] = np.nan

    (choice,), _ = Device(logits, provider).choose([row(mask=words_of([3, 4], 90))])

    assert choice is None


@pytest.mark.parametrize("vocabulary", [31, 32, 33, 40, 1003])
@pytest.mark.parametrize("sampling", [Sampling(0), Sampling(2.0), Sampling(top_k=40)], ids=str)
def test_what_a_mask_forbids_is_never_chosen(provider, rng, vocabulary, sampling):
    logits = rng.normal(size=(4, vocabulary)).astype(np.float16)
    last = vocabulary - 1
    masks = [
        words_of([last], vocabulary),
        words_of([3, 7], vocabulary)[:1],
        np.full(vocabulary, 2**32 - 1, np.uint32),  # longer than the vocabulary
        None,
    ]

    choices, expected = Device(logits, provider).choose([row(sampling, mask=m) for m in masks])

    assert tokens_of(choices) == tokens_of(expected)
    assert choices[0].token == last
    assert choices[1].token in {3, 7}


def test_only_the_slots_that_are_asked_for_are_looked_at(provider, rng):
    logits = np.full((5, 700), np.nan, np.float32)
    logits[[4, 1]] = some_logits(rng, 2, 700, "float32")
    rows = [row(Sampling(0)), row(seed=3)]

    choices, expected = Device(logits, provider).choose(rows, [4, 1])

    assert None not in choices
    assert choices == expected


def test_a_row_is_chosen_alike_whatever_stands_beside_it(provider, rng):
    count = 2 * MOST_ROWS + 3
    device = Device(some_logits(rng, count, 800, "float32"), provider)
    rows = [some_row(rng, 800) for _ in range(count)]

    together, _ = device.choose(rows)

    for slot, each in enumerate(rows):
        assert device.choose([each], [slot])[0] == [together[slot]]


def test_log_probabilities_are_those_of_the_untouched_logits(provider, rng):
    logits = some_logits(rng, 1, 300, "float32")
    sampling = Sampling(0, logit_bias={17: 100}, top_logprobs=20)

    (choice,), (expected,) = Device(logits, provider).choose([row(sampling)])

    assert choice.token == 17
    assert [token for token, _ in choice.logprobs.top] == [t for t, _ in expected.logprobs.top]
    assert choice.logprobs.token == pytest.approx(expected.logprobs.token, abs=1e-5)


def test_more_log_probabilities_than_tokens_are_all_of_them(provider):
    logits = np.array([[0, 1, 1]], np.float32)

    (choice,), _ = Device(logits, provider).choose([row(Sampling(0, top_logprobs=20))])

    assert [token for token, _ in choice.logprobs.top] == [1, 2, 0]


def test_a_graph_is_opened_when_it_is_first_needed(provider, rng):
    device = Device(some_logits(rng, 2, 700, "float32"), provider)
    asked = [
        [Sampling(0)] * 2,
        [Sampling(0), Sampling(0, logit_bias={1: 1})],
        [Sampling(0), Sampling(top_k=3)],
        [Sampling(top_p=0.9, top_k=5), Sampling(top_k=3)],
        [Sampling(1.0), Sampling(2.0, min_p=0.1)],
        [Sampling(0, top_logprobs=1)] * 2,
    ]

    opened = []
    for each in asked:
        device.choose([row(sampling) for sampling in each])
        opened.append(device.opened)

    assert opened == [1, 2, 3, 3, 4, 5]


def test_logits_that_are_on_the_host_are_chosen_from_there(provider, rng):
    logits = some_logits(rng, 2, 60, "float32")
    device = Device(np.zeros((1, 60), np.float32), provider)
    rows = [row(seed=1), row(Sampling(0))]

    assert device.sampler.try_sample(logits, rows) == try_sample(logits, rows)
    assert not device.opened


@pytest.mark.parametrize(
    ("sampling", "kind"),
    [
        (Sampling(0, top_k=3), Kind.LIKELIEST),
        (Sampling(1.0, min_p=0.1), Kind.ANY),
        (Sampling(top_k=5000), Kind.ANY),
        (Sampling(top_p=0.9), Kind.SHORT),
        (Sampling(top_k=255, top_p=0.9), Kind.SHORT),
        (Sampling(top_k=256), Kind.WIDE),
        (Sampling(top_k=256, top_p=0.9), None),
    ],
    ids=str,
)
def test_the_shortest_way_is_taken(sampling, kind):
    assert first_wish(0, 0, row(sampling), 5000).kind is kind
