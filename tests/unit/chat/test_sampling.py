"""Sampling against an oracle that sorts everything, in float64."""

from __future__ import annotations

import collections
import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chat.engine.request import Sampling
from services.chat.engine.sampling import blocks, sampler
from services.chat.engine.sampling.adjustments import Row, adjust
from services.chat.engine.sampling.fields import Whole
from services.chat.engine.sampling.logprobs import logprobs_of
from services.chat.engine.sampling.randomness import MOST_TOKENS, delays, key_of, least_delays
from services.chat.engine.sampling.sampler import try_sample
from tests.unit.chat.properties import same_examples

VOCABULARY = 50


def row(sampling=None, prompt=(1,), answer=(), seed=0, choice=0, mask=None):
    return Row(sampling or Sampling(), prompt, answer, seed, choice, mask)


def logits_of(rng, rows=1, size=VOCABULARY):
    return (3 * rng.normal(size=(rows, size))).astype(np.float32)


def slow_adjust(logits, row):
    """One token after the other."""
    sampling = row.sampling
    result = logits.astype(np.float64)
    counts = collections.Counter(row.answer)
    for token in range(len(logits)):
        if token in row.prompt or token in row.answer:
            factor = sampling.repetition_penalty
            result[token] = result[token] / factor if result[token] > 0 else result[token] * factor
        result[token] -= sampling.frequency_penalty * counts[token]
        result[token] -= sampling.presence_penalty * (counts[token] > 0)
        result[token] += sampling.logit_bias.get(token, 0)
        if row.mask is not None:
            word = row.mask[token // 32] if token // 32 < len(row.mask) else 0
            if not int(word) >> (token % 32) & 1:
                result[token] = -math.inf
    return result


def slow_probabilities(logits, sampling):
    """Temperature, top_k, top_p, min_p, each on all tokens; what is cut has none."""
    scaled = logits.astype(np.float64) / sampling.temperature
    alive = np.isfinite(scaled)
    if sampling.top_k:
        edge = sorted(scaled, reverse=True)[min(sampling.top_k, len(scaled)) - 1]
        alive &= scaled >= edge
    weights = np.where(alive, np.exp(scaled - scaled.max()), 0)
    shares = weights / weights.sum()
    if sampling.top_p < 1:
        reached = 0.0
        for token in sorted(range(len(shares)), key=lambda token: (-shares[token], token)):
            alive[token] &= reached < sampling.top_p or reached == 0
            reached += shares[token]
    alive &= shares >= sampling.min_p * shares.max()
    weights = np.where(alive, weights, 0)
    return weights / weights.sum()


def whole(logits, temperature=1.0):
    return Whole(logits, blocks.maxima(logits), temperature)


def draw(logits, sampling, key):
    return sampler.draw(whole(logits, sampling.temperature), sampling, key)


def slow_draw(probabilities, key):
    """Whoever arrives first, of all tokens."""
    tokens = np.arange(len(probabilities), dtype=np.uint32)
    with np.errstate(divide="ignore"):
        return (delays(key, tokens) / probabilities).argmin()


def keys(count):
    return [key_of(seed, 0, 0) for seed in range(count)]


@settings(same_examples, max_examples=300)
@given(
    seed=st.integers(0, 2**32),
    size=st.sampled_from([1, 2, 5, 50, 2000, 10_000]),
    temperature=st.sampled_from([0.01, 0.5, 1.0, 2.0]),
    top_k=st.sampled_from([0, 1, 3, 40, 5000]),
    top_p=st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.999, 1.0]),
    min_p=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
)
def test_the_token_is_the_first_to_arrive_of_those_of_the_oracle(
    seed, size, temperature, top_k, top_p, min_p
):
    logits = logits_of(np.random.default_rng(seed), size=size)[0]
    sampling = Sampling(temperature, top_k, top_p, min_p)
    expected = slow_probabilities(logits, sampling)

    for key in keys(8):
        assert draw(logits, sampling, key) == slow_draw(expected, key)


def test_equal_logits_at_the_edge_are_kept_by_top_k_and_cut_by_top_p():
    logits = np.zeros(8, np.float32)

    def drawn(sampling):
        return {draw(logits, sampling, key) for key in keys(200)}

    assert drawn(Sampling(top_k=3)) == set(range(8))
    assert drawn(Sampling(top_p=0.5)) == {0, 1, 2, 3}


def test_what_is_forbidden_is_never_drawn():
    logits = np.full(20_000, -np.inf, np.float32)
    logits[[600, 17_000]] = 0

    for sampling in (Sampling(), Sampling(top_p=0.99), Sampling(top_k=5), Sampling(min_p=0.1)):
        assert {draw(logits, sampling, key) for key in keys(64)} == {600, 17_000}


@pytest.mark.parametrize("size", [1, 2, 50, 8191, 8192, 8193, 20_000, 151_936])
@pytest.mark.parametrize("spread", [0, 1, 4, 15])
def test_the_first_of_a_race_is_the_one_of_the_oracle(rng, size, spread):
    logits = (spread * rng.normal(size=size)).astype(np.float32)
    logits[rng.random(size) < 0.2] = -np.inf
    logits[-1] = 1
    field = whole(logits, 0.7)
    weights = np.exp((logits.astype(np.float64) - logits.max()) / 0.7)

    for key in keys(12):
        assert field.draw(key) == slow_draw(weights, key)


def test_a_draw_from_some_tokens_is_that_from_all_where_it_is_among_them(rng):
    field = whole(logits_of(rng, size=20_000)[0])
    for key in keys(100):
        token = field.draw(key)
        assert field.at_least(1e-9).draw(key) == token
        ahead = field.likelier(token)
        assert token not in ahead.ids
        assert not len(ahead.ids) or ahead.draw(key) in ahead.ids


@settings(same_examples, max_examples=100)
@given(
    seed=st.integers(0, 2**32),
    size=st.sampled_from([1, 50, 8191, 8192, 8193, 16_384, 40_000]),
    count=st.sampled_from([1, 2, 40, 9000]),
    spread=st.sampled_from([0.0, 1.0, 5.0]),
)
def test_what_blocks_tell_is_what_their_tokens_tell(seed, size, count, spread):
    logits = np.round(spread * np.random.default_rng(seed).normal(size=size), 1).astype(np.float32)
    largest = blocks.maxima(logits)
    falling = np.sort(logits)[::-1]
    edge = falling[min(count, size) - 1]

    assert len(largest) == min(size, blocks.BLOCKS)
    assert largest.max() == logits.max()
    everything = np.sort(blocks.tokens_of(np.arange(len(largest)), size))
    np.testing.assert_array_equal(everything, np.arange(size))
    assert all(logits[blocks.tokens_of(np.array([3 % size]), size)] <= largest[3 % size])
    expected = np.flatnonzero(logits >= edge)
    np.testing.assert_array_equal(blocks.at_least(logits, largest, edge), expected)
    np.testing.assert_array_equal(blocks.largest_tokens(logits, largest, count), expected)
    weights = np.exp(logits)
    assert blocks.total(weights) == pytest.approx(weights.sum(dtype=np.float64), rel=1e-6)


def test_noise_in_the_logits_hardly_ever_changes_what_is_drawn(rng):
    """Rows differ in their last bits between batches of different sizes."""
    logits = logits_of(rng, size=20_000)
    noisy = logits + rng.normal(scale=1e-3, size=logits.shape).astype(np.float32)

    changed = 0
    for seed in range(400):
        rows = [row(Sampling(1.0, top_p=0.95), seed=seed)]
        changed += try_sample(logits, rows) != try_sample(noisy, rows)

    assert changed <= 4


def test_tokens_come_as_often_as_they_are_likely(rng):
    logits = logits_of(rng, size=6)
    sampling = Sampling(temperature=1.5)
    counts = np.zeros(6)
    for seed in range(4000):
        (choice,) = try_sample(logits, [row(sampling, seed=seed)])
        counts[choice.token] += 1

    expected = slow_probabilities(logits[0], sampling)
    np.testing.assert_allclose(counts / 4000, expected, atol=0.03)


def test_delays_are_exponential_and_differ_by_seed_choice_place_and_token():
    sharers = [np.arange(25) + blocks.BLOCKS * place for place in (0, 1, 5, 17, 18, 40, 62, 63)]
    tokens = np.concatenate([np.arange(800), *sharers]).astype(np.uint32)
    all_keys = [key_of(s, c, p) for s in range(10) for c in range(10) for p in range(16)]
    numbers = np.stack([-np.expm1(-delays(key, tokens)) for key in all_keys])  # (keys, tokens)

    assert len(set(all_keys)) == 1600
    assert 0 < numbers.min() < numbers.max() < 1
    assert len(np.unique(numbers[:, :800])) > 0.98 * numbers[:, :800].size
    counts, _ = np.histogram(numbers, bins=20, range=(0, 1))
    assert abs(counts / numbers.size * 20 - 1).max() < 0.03
    for some in (numbers[:50, :800], numbers.T[:50], numbers.T[800:]):
        correlations = np.corrcoef(some)[~np.eye(len(some), dtype=bool)]
        assert abs(correlations).max() < 5 / math.sqrt(some.shape[1])


def test_the_first_of_a_block_comes_as_late_as_all_its_tokens_together_say():
    """The least of 64 exponential delays is exponential, too, and 64 times as early."""
    tokens = np.arange(7, MOST_TOKENS, blocks.BLOCKS, dtype=np.uint32)

    firsts = np.array([delays(key, tokens).min() for key in keys(4000)])
    places = collections.Counter(int(delays(key, tokens).argmin()) for key in keys(4000))

    assert len(tokens) == 64
    assert firsts.mean() * 64 == pytest.approx(1, abs=0.05)
    assert firsts.std() * 64 == pytest.approx(1, abs=0.05)
    assert len(places) == 64
    assert max(places.values()) < 2 * 4000 / 64


def test_no_delay_is_below_the_least_of_its_block(rng):
    tokens = rng.integers(0, MOST_TOKENS, size=5000).astype(np.uint32)

    for key in keys(20):
        assert (delays(key, tokens) >= least_delays(key, tokens) * (1 - 1e-6)).all()


def test_every_place_of_an_answer_has_a_number_of_its_own():
    logits = np.zeros((1, VOCABULARY), np.float32)

    answers = [[0] * length for length in range(30)]
    choices = [try_sample(logits, [row(answer=answer)])[0].token for answer in answers]

    assert len(set(choices)) > 15


def test_seeds_may_be_negative_or_large():
    assert key_of(-1, 0, 0) == key_of(2**64 - 1, 0, 0)
    assert key_of(-1, 0, 0) != key_of(1, 0, 0)


@settings(same_examples, max_examples=100)
@given(
    seed=st.integers(0, 2**32),
    prompt=st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=8),
    answer=st.lists(st.integers(0, VOCABULARY - 1), max_size=8),
    repetition=st.sampled_from([1.0, 1.3, 0.7]),
    frequency=st.sampled_from([0.0, 0.5, -2.0]),
    presence=st.sampled_from([0.0, 1.5]),
    bias=st.dictionaries(
        st.integers(0, VOCABULARY - 1), st.sampled_from([-100.0, 3.0]), max_size=3
    ),
    words=st.none() | st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=2),
)
def test_adjustments_are_those_of_the_oracle(
    seed, prompt, answer, repetition, frequency, presence, bias, words
):
    logits = logits_of(np.random.default_rng(seed))[0]
    sampling = Sampling(
        repetition_penalty=repetition,
        frequency_penalty=frequency,
        presence_penalty=presence,
        logit_bias=bias,
    )
    mask = None if words is None else np.array(words, np.uint32)
    asking = row(sampling, prompt, answer, mask=mask)
    before = logits.copy()

    adjusted = adjust(logits, asking)

    np.testing.assert_allclose(adjusted, slow_adjust(logits, asking), atol=1e-4)
    np.testing.assert_array_equal(logits, before)


def test_without_adjustments_nothing_is_copied(rng):
    (logits,) = logits_of(rng)

    assert adjust(logits, row()) is logits
    assert adjust(logits, row(Sampling(0))) is logits


def test_the_likeliest_token_is_taken_at_temperature_zero(rng):
    logits = logits_of(rng, rows=5)

    choices = try_sample(logits, [row(Sampling(temperature=0))] * 4 + [row(Sampling(1e-40))])

    assert [choice.token for choice in choices] == logits.argmax(axis=1).tolist()


def test_a_row_is_chosen_alike_whatever_stands_beside_it(rng):
    logits = logits_of(rng, rows=6)
    rows = [
        row(Sampling(0)),
        row(Sampling(2.0), seed=5),
        row(Sampling(1.0, top_p=0.8), seed=6),
        row(Sampling(1.0, top_k=5, presence_penalty=1.0), answer=[3], seed=7),
        row(Sampling(0.7, min_p=0.1), seed=8, choice=3),
        row(Sampling(1.0), mask=np.array([12, 0], np.uint32)),
    ]

    together = try_sample(logits, rows)

    for place, each in enumerate(rows):
        assert try_sample(logits[[place]], [each]) == [together[place]]
    assert together[5].token in {2, 3}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_that_are_not_finite_give_no_token(rng, bad):
    logits = logits_of(rng, rows=3)
    logits[1, 9] = bad

    choices = try_sample(logits, [row(Sampling(seed=1))] * 3)

    assert [choice is None for choice in choices] == [False, True, False]


@pytest.mark.parametrize("top", [0, 1, 5, 20])
def test_log_probabilities_are_those_of_the_untouched_logits(rng, top):
    logits = logits_of(rng)
    sampling = Sampling(0, logit_bias={17: 100}, top_logprobs=top)
    exact = logits[0].astype(np.float64)
    exact -= np.log(np.exp(exact).sum())
    likeliest = np.argsort(-exact)[:top]

    (choice,) = try_sample(logits, [row(sampling)])

    assert choice.token == 17
    assert choice.logprobs.token == pytest.approx(exact[17], abs=1e-5)
    assert [token for token, _ in choice.logprobs.top] == likeliest.tolist()
    assert [value for _, value in choice.logprobs.top] == pytest.approx(exact[likeliest], abs=1e-5)


def test_more_log_probabilities_than_tokens_are_all_of_them():
    told = logprobs_of(np.array([0, 1, 1], np.float32), 0, 20)

    assert [token for token, _ in told.top] == [1, 2, 0]
    assert sum(math.exp(value) for _, value in told.top) == pytest.approx(1)


def test_every_field_of_sampling_is_told_to_the_oracle():
    """A new field wants a place in `slow_adjust` or `slow_probabilities`."""
    assert {field.name for field in dataclasses.fields(Sampling)} == {
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "repetition_penalty",
        "frequency_penalty",
        "presence_penalty",
        "logit_bias",
        "seed",
        "top_logprobs",
    }
