"""Prompts whose tokens are scored, and prompts that are only read."""

import numpy as np
import pytest

from services.chat.engine.outputs import PromptLogprobs
from services.chat.engine.sequence import Reason
from tests.models.decoder import oracle_greedy, oracle_logits
from tests.unit.chat.decoding import (
    SHAPE,
    WEIGHTS,
    Scripted,
    Watched,
    answer_all,
    answer_one,
    ask,
    collect,
    make_engine,
    open_runner,
    run_all,
)


def prompt_of(rng, length):
    return rng.integers(2, SHAPE.vocabulary, size=length).tolist()


def oracle_logprobs(prompt):
    """Log probabilities after each token of a prompt, (tokens, vocabulary)."""
    logits = oracle_logits(SHAPE, WEIGHTS, prompt)
    logits -= logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def check(prompt, logprobs, top):
    """Compare what was told of a prompt with the oracle."""
    first, *others = logprobs
    assert first is None
    for place, (entry, expected) in enumerate(
        zip(others, oracle_logprobs(prompt)[:-1], strict=True), 1
    ):
        assert entry.token == pytest.approx(expected[prompt[place]], abs=1e-4)
        assert [token for token, _ in entry.top] == np.argsort(-expected)[:top].tolist()


@pytest.mark.parametrize("attention", ["grouped", "growing"])
@pytest.mark.parametrize("is_head_pruned", [False, True])
@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_each_token_of_a_prompt_is_scored(tmp_path, rng, attention, is_head_pruned, chunk):
    runner = open_runner(tmp_path, attention=attention, is_head_pruned=is_head_pruned)
    prompt = prompt_of(rng, 30)

    answer = answer_one(make_engine(runner, chunk=chunk), ask(prompt, prompt_logprobs=3))

    check(prompt, answer.prompt_logprobs, 3)
    assert answer.tokens == oracle_greedy(SHAPE, WEIGHTS, prompt, 12)


def test_prompts_are_scored_beside_others(tmp_path, rng):
    engine = make_engine(open_runner(tmp_path, slots=3), chunk=5)
    prompts = [prompt_of(rng, length) for length in (1, 2, 30, 11, 12, 40, 6)]

    answers = answer_all(
        engine, [ask(p, prompt_logprobs=None if n % 3 == 2 else n) for n, p in enumerate(prompts)]
    )

    for n, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        assert answer.tokens == oracle_greedy(SHAPE, WEIGHTS, prompt, 12)
        if n % 3 == 2:
            assert answer.prompt_logprobs is None
        else:
            check(prompt, answer.prompt_logprobs, n)


def test_a_prompt_that_is_scored_shares_with_later_ones_but_not_with_earlier_ones(tmp_path, rng):
    engine = make_engine(open_runner(tmp_path))
    prompt = prompt_of(rng, 30)

    answers = [answer_one(engine, ask(prompt, prompt_logprobs=top)) for top in (None, 0, 0, None)]

    assert [answer.finish.usage.cached_tokens for answer in answers] == [0, 0, 0, 29]
    check(prompt, answers[2].prompt_logprobs, 0)


def test_several_choices_have_one_prompt(tmp_path, rng):
    runner = Watched(open_runner(tmp_path))
    engine = make_engine(runner, chunk=64)
    prompt = prompt_of(rng, 30)

    job = engine.add(ask(prompt, choices=3, prompt_logprobs=1))
    outputs = run_all(engine)

    assert isinstance(outputs[0], PromptLogprobs)
    assert sum(isinstance(output, PromptLogprobs) for output in outputs) == 1
    answers = collect(outputs)
    check(prompt, answers[job, 0].prompt_logprobs, 1)
    assert (runner.scores, runner.prefills) == ([30], [])
    assert [answers[job, n].finish.usage.cached_tokens for n in range(3)] == [0, 29, 29]


@pytest.mark.parametrize("length", [1, 2, 30, 96])
@pytest.mark.parametrize("top", [None, 2])
def test_a_prompt_may_be_read_and_not_answered(tmp_path, rng, length, top):
    engine = make_engine(open_runner(tmp_path))
    prompt = prompt_of(rng, length)

    job = engine.add(ask(prompt, max_tokens=0, choices=2, prompt_logprobs=top))
    answers = collect(run_all(engine))

    for choice in range(2):
        answer = answers[job, choice]
        assert (answer.tokens, answer.text) == ([], "")
        assert answer.finish.reason is Reason.LENGTH
        assert answer.finish.usage.answer_tokens == 0
    if top is not None:
        check(prompt, answers[job, 0].prompt_logprobs, top)


def test_a_prompt_that_fills_its_slot_disturbs_nobody(tmp_path, rng):
    """Rows between those that grow are computed too, and have to write somewhere."""
    engine = make_engine(open_runner(tmp_path, slots=3, context=24), chunk=64)
    full = prompt_of(rng, 24)
    prompts = [prompt_of(rng, 5), full, prompt_of(rng, 6)]

    for _ in range(2):
        answers = answer_all(engine, [ask(p, max_tokens=0 if p is full else 12) for p in prompts])
        for prompt in (prompts[0], prompts[2]):
            answer = answers[prompts.index(prompt)]
            assert answer.tokens == oracle_greedy(SHAPE, WEIGHTS, prompt, 12)

    shared = [*full[:20], *prompt_of(rng, 2)]
    assert answer_one(engine, ask(shared)).tokens == oracle_greedy(SHAPE, WEIGHTS, shared, 2)


def test_a_long_chunk_is_scored_in_runs_that_are_not_too_large(rng):
    runner = Watched(Scripted(capacity=1000))
    engine = make_engine(runner, chunk=300)

    answer_one(engine, ask(prompt_of(rng, 420), prompt_logprobs=0))

    assert runner.scores == [128, 128, 44, 120]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_prompt_with_numbers_that_are_not_finite_fails(bad):
    class Broken(Scripted):
        def logits_after(self, token):
            logits = super().logits_after(token)
            if token == 12:
                logits[5] = bad
            return logits

    engine = make_engine(Broken())

    broken, good = answer_all(
        engine, [ask(prompt, prompt_logprobs=1) for prompt in ([10, 12, 14], [20, 22, 24])]
    )

    assert broken.finish.reason is Reason.FAILED
    assert broken.prompt_logprobs is None
    assert len(good.prompt_logprobs) == 3


def test_a_token_that_cannot_come_is_told_as_such():
    class Forbidding(Scripted):
        def logits_after(self, token):
            logits = super().logits_after(token)
            logits[30] = -np.inf
            return logits

    answer = answer_one(make_engine(Forbidding()), ask([10, 30, 31], prompt_logprobs=1))

    assert answer.prompt_logprobs[1].token == -np.inf
    assert answer.finish.reason is Reason.LENGTH


def test_a_prompt_that_is_not_read_to_its_end_tells_nothing(rng):
    engine = make_engine(Scripted(capacity=1000), chunk=10)
    job = engine.add(ask(prompt_of(rng, 40), prompt_logprobs=0))
    late = engine.add(ask(prompt_of(rng, 40), prompt_logprobs=0, deadline_s=5.0))
    outputs = engine.step(0)

    outputs += [*engine.cancel(job), *engine.step(5.0)]

    assert [(output.job, output.reason) for output in outputs] == [
        (job, Reason.CANCELLED),
        (late, Reason.DEADLINE),
    ]
