"""The engine with logits that stay where the decoder runs: the answers are those of NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from services.chat.config import ChatModelSettings
from services.chat.engine.decoder import open_decoder
from services.chat.engine.device_sampling.device_logits import DeviceLogits
from services.chat.engine.device_sampling.sampler import DeviceSampler
from services.chat.engine.folder import read_spec
from services.chat.engine.loop import Engine, Limits
from services.chat.engine.request import Sampling
from services.chat.engine.runner import Row
from services.chat.engine.sampler import HostSampler
from services.chat.engine.shared_cache import SharedCacheRunner
from services.chat.engine.text.pieces import Pieces
from services.runtime.onnx import SessionOptions, cuda_problem, open_session
from tests.models.decoder import oracle_greedy
from tests.models.decoder_folder import write_decoder
from tests.unit.chat.decoding import CPU, SHAPE, WEIGHTS, answer_all, ask, collect, run_all
from tests.unit.chat.tokenizers_of_tests import byte_level

FORMS = [{}, {"cache": "float16"}, {"is_head_pruned": True}, {"keeps_logits": True}]
SAMPLINGS = [
    Sampling(0),
    Sampling(1.0),
    Sampling(2.0, top_p=0.95, top_k=50),
    Sampling(0.7, min_p=0.05, top_logprobs=3),
    Sampling(2.0, top_p=0.99, repetition_penalty=1.2),
    Sampling(0, frequency_penalty=1.5, presence_penalty=0.5, top_logprobs=0),
    Sampling(1.5, top_k=300, logit_bias={7: 5.0, 9: -100.0}),
    Sampling(1.5, top_k=300, top_p=0.9),
]


class Alternating:
    """Allows 7 and 90 in turns."""

    def __init__(self):
        self._turns = itertools.cycle((7, 90))
        self._next = next(self._turns)

    def mask(self):
        words = np.zeros(10, np.uint32)
        words[self._next // 32] = np.uint32(1) << np.uint32(self._next % 32)
        return words

    def accept(self, token):
        assert token == self._next
        self._next = next(self._turns)


def open_tiny(folder, options=CPU, *, stay, records=False, **form):
    write_decoder(folder, SHAPE, WEIGHTS, **form)
    settings = ChatModelSettings(id="tiny", folder=folder, slots=5, cuda_graphs=records)
    return open_decoder(settings, options, keeps_logits=stay)


def engine_of(decoder):
    runner = decoder.runner
    limits = Limits(runner.capacity_tokens, runner.vocabulary, frozenset([3]), chunk_tokens=7)
    return Engine(runner, Pieces(byte_level()), limits, decoder.sampler)


def some_requests(rng, count):
    return [
        ask(
            rng.integers(2, SHAPE.vocabulary, size=rng.integers(1, 40)).tolist(),
            sampling=SAMPLINGS[number % len(SAMPLINGS)],
            max_tokens=int(rng.integers(0, 20)),
            fresh_seed=number,
            key=str(number % 3),
            grammar=Alternating if number % 5 == 4 else None,
            prompt_logprobs=2 if number % 7 == 6 else None,
        )
        for number in range(count)
    ]


def assert_same(told, expected):
    assert [answer.tokens for answer in told] == [answer.tokens for answer in expected]
    assert [answer.text for answer in told] == [answer.text for answer in expected]
    for answer, other in zip(told, expected, strict=True):
        assert answer.finish.reason is other.finish.reason
        assert answer.finish.usage == other.finish.usage
        assert answer.prompt_logprobs == other.prompt_logprobs
        for entry, wanted in zip(answer.logprobs, other.logprobs, strict=True):
            assert (entry is None) == (wanted is None)
            if entry is not None:
                assert entry.token == pytest.approx(wanted.token, abs=1e-5)
                assert [token for token, _ in entry.top] == [token for token, _ in wanted.top]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_crowd_gets_the_answers_of_the_host_sampler(tmp_path, rng, form):
    requests = some_requests(rng, 40)
    kept = open_tiny(tmp_path / "kept", stay=True, **form)
    returned = open_tiny(tmp_path / "returned", stay=False, **form)

    told = answer_all(engine_of(kept), requests)

    assert isinstance(kept.sampler, DeviceSampler)
    assert_same(told, answer_all(engine_of(returned), requests))


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_crowd_gets_the_same_answers_from_recorded_steps(tmp_path, rng, form):
    """The CPU records nothing, but has the inputs at the same place and of the same shape."""
    requests = some_requests(rng, 40)
    recorded = open_tiny(tmp_path / "recorded", stay=True, records=True, **form)
    returned = open_tiny(tmp_path / "returned", stay=False, **form)

    told = answer_all(engine_of(recorded), requests)

    assert_same(told, answer_all(engine_of(returned), requests))


def test_several_choices_get_the_answers_of_the_host_sampler(tmp_path, rng):
    prompt = rng.integers(2, SHAPE.vocabulary, size=20).tolist()
    request = ask(prompt, sampling=Sampling(2.0, seed=7), choices=8)
    tokens = []
    for stay in (True, False):
        engine = engine_of(open_tiny(tmp_path / str(stay), stay=stay))
        job = engine.add(request)
        answers = collect(run_all(engine))
        tokens.append([answers[job, choice].tokens for choice in range(8)])

    assert tokens[0] == tokens[1]
    assert len(set(map(tuple, tokens[0]))) == 8


def test_logits_are_kept_by_slot_and_scores_are_returned(tmp_path):
    runner = open_tiny(tmp_path, stay=True).runner

    assert runner.prefill(2, [5, 6, 7], 0) == DeviceLogits((2,))
    assert runner.decode([Row(2, 8, 3), Row(4, 8, 0)]) == DeviceLogits((2, 4))
    assert runner.score(1, [5, 6], 0).shape == (2, SHAPE.vocabulary)
    np.testing.assert_array_equal(runner.kept_logits.owner[4, 0], runner.score(3, [8], 0)[0])


def test_logits_of_whole_prompts_are_returned_where_the_head_was_not_found(tmp_path):
    spec = read_spec(write_decoder(tmp_path, SHAPE, WEIGHTS))
    session = open_session(spec.path, CPU)
    runner = SharedCacheRunner(session, spec, slots=2, capacity=20, keeps_logits=True)

    assert runner.prefill(0, [5, 6, 7], 0).shape == (1, SHAPE.vocabulary)
    assert runner.prefill(0, [8], 3) == DeviceLogits((0,))


def test_the_cpu_and_a_growing_cache_choose_on_the_host(tmp_path):
    plain = open_tiny(tmp_path / "plain", stay=None)
    growing = open_tiny(tmp_path / "growing", stay=True, attention="growing")

    assert isinstance(plain.sampler, HostSampler)
    assert isinstance(growing.sampler, HostSampler)


@pytest.mark.needs_gpu
@pytest.mark.skipif(cuda_problem() is not None, reason="there is no CUDA device")
class TestOnCuda:
    """Attention on CUDA wants caches of half precision."""

    @pytest.mark.parametrize("records", [False, True])
    def test_greedy_answers_are_those_of_the_cpu(self, tmp_path, rng, records):
        prompts = [rng.integers(2, SHAPE.vocabulary, size=n).tolist() for n in (1, 9, 30, 8, 50)]
        cuda, form = SessionOptions("cuda"), {"cache": "float16"}
        decoder = open_tiny(tmp_path, cuda, stay=None, records=records, **form)

        answers = answer_all(engine_of(decoder), [ask(prompt) for prompt in prompts])

        assert isinstance(decoder.sampler, DeviceSampler)
        for prompt, answer in zip(prompts, answers, strict=True):
            assert answer.tokens == oracle_greedy(SHAPE, WEIGHTS, prompt, len(answer.tokens))

    def test_answers_are_those_of_the_host_sampler(self, tmp_path, rng):
        requests = some_requests(rng, 40)
        told, expected = (
            answer_all(
                engine_of(
                    open_tiny(
                        tmp_path / str(stay),
                        SessionOptions("cuda"),
                        stay=stay,
                        cache="float16",
                    )
                ),
                requests,
            )
            for stay in (True, False)
        )

        assert_same(told, expected)
