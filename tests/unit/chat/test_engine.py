"""The engine on tiny decoders: what is served does not depend on how it is served."""

import itertools

import numpy as np
import pytest

from services.chat.engine.request import Sampling
from services.chat.engine.sequence import Reason
from services.chat.engine.text.pieces import Pieces
from services.runtime.errors import ContextLengthError, InvalidRequestError
from tests.models.decoder import oracle_greedy
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
from tests.unit.chat.tokenizers_of_tests import byte_level

HOT = {"temperature": 1.0, "top_p": 0.95, "top_k": 50}


def prompt_of(rng, length):
    return rng.integers(2, SHAPE.vocabulary, size=length).tolist()


@pytest.mark.parametrize("attention", ["grouped", "growing"])
def test_greedy_answers_are_those_of_the_oracle(tmp_path, rng, attention):
    engine = make_engine(open_runner(tmp_path, attention=attention))
    prompts = [prompt_of(rng, length) for length in (1, 2, 9, 30, 17, 8, 50)]

    answers = answer_all(engine, [ask(prompt) for prompt in prompts])

    for prompt, answer in zip(prompts, answers, strict=True):
        assert answer.tokens == oracle_greedy(SHAPE, WEIGHTS, prompt, 12)
        assert answer.finish.reason is Reason.LENGTH
        assert answer.finish.usage.answer_tokens == 12
        assert answer.finish.usage.prompt_tokens == len(prompt)


def test_an_answer_is_the_same_alone_and_in_a_crowd(tmp_path, rng):
    runner = open_runner(tmp_path)
    requests = [
        ask(prompt_of(rng, length), sampling=Sampling(seed=seed, **HOT), key=f"key{seed % 3}")
        for seed, length in enumerate((3, 40, 9, 22, 1, 17, 33, 8, 8, 60))
    ]

    crowd = answer_all(make_engine(runner), requests)

    alone = [answer_one(make_engine(runner), request) for request in requests]
    assert [answer.tokens for answer in crowd] == [answer.tokens for answer in alone]
    assert [answer.text for answer in crowd] == [answer.text for answer in alone]


@pytest.mark.parametrize("chunk", [1, 3, 7, 64])
def test_a_prompt_gives_the_same_in_chunks_of_any_size(tmp_path, rng, chunk):
    runner = open_runner(tmp_path)
    request = ask(prompt_of(rng, 41))

    answer = answer_one(make_engine(runner, chunk=chunk), request)

    assert answer.tokens == oracle_greedy(SHAPE, WEIGHTS, request.prompt, 12)


def test_the_same_seed_gives_the_same_answer_and_another_one_another(tmp_path, rng):
    runner = open_runner(tmp_path)
    prompt = prompt_of(rng, 9)

    def answer(seed):
        sampling = Sampling(seed=seed, temperature=2.0)
        return answer_one(make_engine(runner), ask(prompt, sampling=sampling)).tokens

    assert answer(1) == answer(1)
    assert len({tuple(answer(seed)) for seed in range(5)}) == 5


def test_without_a_seed_answers_differ(tmp_path, rng):
    engine = make_engine(open_runner(tmp_path))
    prompt = prompt_of(rng, 9)

    answers = answer_all(engine, [ask(prompt, sampling=Sampling(2.0)) for _ in range(4)])

    assert len({tuple(answer.tokens) for answer in answers}) == 4


def test_a_conversation_that_goes_on_reads_only_what_is_new(tmp_path, rng):
    runner = Watched(open_runner(tmp_path))
    engine = make_engine(runner, chunk=64)
    first = prompt_of(rng, 30)
    answer = answer_one(engine, ask(first))
    second = [*first, *answer.tokens, *prompt_of(rng, 10)]

    going_on = answer_one(engine, ask(second))

    # The last token of an answer is known, but nothing was computed from it.
    assert going_on.finish.usage.cached_tokens == 41
    assert runner.prefills == [30, 11]
    assert going_on.tokens == oracle_greedy(SHAPE, WEIGHTS, second, 12)


def test_a_prefix_is_shared_with_an_answer_that_is_still_growing(tmp_path, rng):
    runner = Watched(open_runner(tmp_path))
    engine = make_engine(runner, chunk=64)
    system = prompt_of(rng, 20)
    prompts = [[*system, *prompt_of(rng, 5)] for _ in range(3)]
    first = engine.add(ask(prompts[0]))
    outputs = engine.step(0)

    others = [engine.add(ask(prompt)) for prompt in prompts[1:]]
    answers = collect(outputs + run_all(engine))

    assert runner.copies == [20, 20]
    for job, prompt in zip([first, *others], prompts, strict=True):
        assert answers[job, 0].tokens == oracle_greedy(SHAPE, WEIGHTS, prompt, 12)
    assert [answers[job, 0].finish.usage.cached_tokens for job in others] == [20, 20]


def test_answers_move_together_when_others_have_ended(tmp_path, rng):
    runner = Watched(open_runner(tmp_path))
    engine = make_engine(runner, chunk=64)
    prompts = [prompt_of(rng, 6) for _ in range(5)]

    lengths = (20, 3, 3, 3, 20)
    answers = answer_all(
        engine, [ask(p, max_tokens=n) for p, n in zip(prompts, lengths, strict=True)]
    )

    assert runner.copies == [8]
    for prompt, answer, length in zip(prompts, answers, lengths, strict=True):
        assert answer.tokens == oracle_greedy(SHAPE, WEIGHTS, prompt, length)


@pytest.mark.parametrize("attention", ["grouped", "growing"])
def test_a_prompt_that_was_there_before_is_not_read_again(tmp_path, rng, attention):
    engine = make_engine(open_runner(tmp_path, attention=attention))
    request = ask(prompt_of(rng, 30))

    answers = [answer_one(engine, request) for _ in range(2)]

    assert answers[0].tokens == answers[1].tokens
    assert [answer.finish.usage.cached_tokens for answer in answers] == [0, 29]


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_several_choices_read_their_prompt_once(tmp_path, rng, slots):
    runner = Watched(open_runner(tmp_path, slots=slots))
    engine = make_engine(runner, chunk=64)
    sampling = Sampling(seed=7, temperature=2.0)
    request = ask(prompt_of(rng, 30), sampling=sampling, choices=4)

    job = engine.add(request)
    answers = collect(run_all(engine))

    assert runner.prefills == [30]
    assert job.is_finished
    texts = [tuple(answers[job, choice].tokens) for choice in range(4)]
    assert len(set(texts)) == 4
    assert answers[job, 0].finish.usage.cached_tokens == 0
    assert all(answers[job, choice].finish.usage.cached_tokens == 29 for choice in range(1, 4))


def test_greedy_choices_are_all_the_same(tmp_path, rng):
    engine = make_engine(open_runner(tmp_path))
    prompt = prompt_of(rng, 30)

    job = engine.add(ask(prompt, choices=3))
    answers = collect(run_all(engine))

    expected = oracle_greedy(SHAPE, WEIGHTS, prompt, 12)
    assert [answers[job, choice].tokens for choice in range(3)] == [expected] * 3


def test_random_crowds_with_aborts_stay_consistent_and_right(tmp_path, rng):
    runner = open_runner(tmp_path, slots=3)
    engine = make_engine(runner, chunk=5)
    opening = prompt_of(rng, 12)
    jobs, outputs = [], []
    for now in range(400):
        if now < 250 and rng.random() < 0.25:
            prompt = [*opening[: rng.integers(0, 13)], *prompt_of(rng, rng.integers(1, 20))]
            deadline = now + int(rng.integers(1, 60)) if rng.random() < 0.2 else None
            request = ask(
                prompt,
                max_tokens=int(rng.integers(0, 15)),
                prompt_logprobs=None if rng.random() < 0.8 else 1,
                choices=int(rng.integers(1, 4)),
                key=str(rng.integers(0, 3)),
                deadline_s=deadline,
            )
            jobs.append(engine.add(request))
        if jobs and rng.random() < 0.03:
            outputs += engine.cancel(jobs[rng.integers(0, len(jobs))])
        outputs += engine.step(now)
        engine.check_integrity()
    outputs += run_all(engine, 400)

    answers = collect(outputs)
    assert {reason for answer in answers.values() if (reason := answer.finish.reason)} == {
        Reason.LENGTH,
        Reason.CANCELLED,
        Reason.DEADLINE,
    }
    assert len(answers) == sum(job.request.choices for job in jobs)
    for (job, _), answer in answers.items():
        expected = oracle_greedy(SHAPE, WEIGHTS, job.request.prompt, len(answer.tokens))
        assert answer.tokens == expected
        if answer.finish.reason is Reason.LENGTH:
            assert len(answer.tokens) == job.request.max_tokens


def test_a_long_prompt_holds_up_an_answer_for_one_chunk_only(rng):
    engine = make_engine(Scripted(capacity=1000), chunk=10)
    short = engine.add(ask([5], max_tokens=30))
    engine.step(0)
    engine.add(ask(prompt_of(rng, 200), max_tokens=2))

    silent = 0
    while not short.is_finished:
        told = [output for output in engine.step(0) if output.job is short]
        silent = 0 if told else silent + 1
        assert silent <= 1


def test_the_end_token_ends_an_answer_and_is_no_text():
    engine = make_engine(Scripted(), eos=[44])

    answer = answer_one(engine, ask([40], max_tokens=50))

    pieces = Pieces(byte_level())
    assert answer.tokens == [41, 42, 43]
    assert answer.finish.reason is Reason.STOP
    assert answer.finish.usage.answer_tokens == 4
    assert answer.text == "".join(map(pieces.text_of, (41, 42, 43)))


def test_a_token_of_the_request_ends_its_answer():
    engine = make_engine(Scripted())

    answer = answer_one(engine, ask([40], max_tokens=50, stop_tokens=frozenset({43})))

    assert answer.tokens == [41, 42]
    assert answer.finish.reason is Reason.STOP


def test_a_stop_string_ends_an_answer_and_is_not_shown():
    pieces = Pieces(byte_level())
    text = "".join(map(pieces.text_of, range(41, 60)))
    stop = text[5:8]

    answer = answer_one(make_engine(Scripted()), ask([40], max_tokens=50, stops=(stop,)))

    assert answer.text == text[:5]
    assert answer.finish.reason is Reason.STOP


def test_what_a_stop_string_held_back_comes_with_the_end():
    pieces = Pieces(byte_level())
    text = "".join(map(pieces.text_of, range(41, 45)))
    stop = text[-2:] + "never"

    answer = answer_one(make_engine(Scripted()), ask([40], max_tokens=4, stops=(stop,)))

    assert answer.text == text
    assert len(answer.finish.text) == 2


@pytest.mark.parametrize("max_tokens", [None, 1000])
def test_an_answer_ends_where_the_context_does(max_tokens):
    engine = make_engine(Scripted(capacity=20))

    answer = answer_one(engine, ask(range(10, 25), max_tokens=max_tokens))

    assert len(answer.tokens) == 5
    assert answer.finish.reason is Reason.LENGTH


@pytest.mark.parametrize("attention", ["grouped", "growing"])
def test_a_full_context_can_be_used_to_its_last_token(tmp_path, rng, attention):
    engine = make_engine(open_runner(tmp_path, context=24, slots=2, attention=attention))
    prompts = [prompt_of(rng, 20), prompt_of(rng, 23), prompt_of(rng, 3)]

    answers = answer_all(engine, [ask(prompt, max_tokens=None) for prompt in prompts])

    for prompt, answer in zip(prompts, answers, strict=True):
        assert answer.tokens == oracle_greedy(SHAPE, WEIGHTS, prompt, 24 - len(prompt))


def test_a_prompt_that_leaves_no_room_is_refused():
    engine = make_engine(Scripted(capacity=20))

    with pytest.raises(ContextLengthError, match="has 20 tokens") as error:
        engine.add(ask(range(20)))

    assert error.value.param == "messages"
    assert engine.is_idle


@pytest.mark.parametrize("token", [300, -1])
def test_a_prompt_with_a_token_that_is_not_there_is_refused(token):
    with pytest.raises(InvalidRequestError, match="are 0 to 299"):
        make_engine(Scripted(vocabulary=300)).add(ask([1, token]))


def test_a_bias_for_a_token_that_is_not_there_is_refused():
    engine = make_engine(Scripted(vocabulary=300))

    with pytest.raises(InvalidRequestError, match="are 0 to 299") as error:
        engine.add(ask([1], sampling=Sampling(logit_bias={300: 1})))

    assert error.value.param == "logit_bias"


def test_cancelling_frees_the_slot_at_once():
    engine = make_engine(Scripted(slots=1))
    first = engine.add(ask([10], max_tokens=50))
    second = engine.add(ask([20], max_tokens=2))
    engine.step(0)

    (finish,) = engine.cancel(first)

    assert finish.reason is Reason.CANCELLED
    assert not engine.cancel(first)
    assert collect(run_all(engine))[second, 0].tokens == [21, 22]


def test_a_deadline_ends_what_waits_and_what_runs():
    engine = make_engine(Scripted(slots=1))
    running = engine.add(ask([10], max_tokens=50, deadline_s=10.0))
    waiting = engine.add(ask([20], max_tokens=50, deadline_s=10.0))
    engine.step(9.9)

    outputs = engine.step(10.0)

    assert {output.job for output in outputs} == {running, waiting}
    assert all(output.reason is Reason.DEADLINE for output in outputs)
    assert engine.is_idle


def test_numbers_that_are_not_finite_fail_one_answer_only():
    class Broken(Scripted):
        def logits_after(self, token):
            logits = super().logits_after(token)
            return logits * np.float32(np.nan) if token == 12 else logits

    engine = make_engine(Broken())

    bad, good = answer_all(engine, [ask([10], max_tokens=9), ask([20], max_tokens=9)])

    assert bad.finish.reason is Reason.FAILED
    assert bad.tokens == [11, 12]
    assert len(good.tokens) == 9


def test_a_grammar_that_allows_nothing_ends_one_answer_only():
    class Lost:
        def __init__(self):
            self.words = np.full(10, 2**32 - 1, np.uint32)

        def mask(self):
            return self.words

        def accept(self, token):
            self.words[:] = 0 if token == 12 else 2**32 - 1

    engine = make_engine(Scripted())

    lost, good = answer_all(
        engine, [ask([10], max_tokens=9, grammar=Lost), ask([20], max_tokens=9, grammar=Lost)]
    )

    assert lost.finish.reason is Reason.UNWRITABLE
    assert lost.tokens == [11, 12]
    assert len(good.tokens) == 9


def test_what_a_failed_answer_computed_is_not_shared():
    class Broken(Scripted):
        is_broken = True

        def logits_after(self, token):
            return super().logits_after(token) * np.float32(np.nan if self.is_broken else 1)

    runner = Broken()
    engine = make_engine(runner)
    assert answer_one(engine, ask(range(10, 16))).finish.reason is Reason.FAILED
    runner.is_broken = False

    answer = answer_one(engine, ask(range(10, 16), max_tokens=2))

    assert answer.tokens == [16, 17]
    assert answer.finish.usage.cached_tokens == 0


def test_what_came_before_a_step_raised_is_told():
    class Failing(Scripted):
        def decode(self, rows):
            raise RuntimeError("the device is gone")

    engine = make_engine(Failing())
    late = engine.add(ask([10], deadline_s=1.0))
    other = engine.add(ask([20]))
    with pytest.raises(RuntimeError):
        engine.step(1.0)

    outputs = engine.fail()

    assert [(output.job, output.reason) for output in outputs] == [
        (late, Reason.DEADLINE),
        (other, Reason.FAILED),
    ]
    assert not engine.fail()


def test_what_a_step_made_before_it_raised_is_told():
    class Broken:
        def mask(self):
            return np.full(10, 2**32 - 1, np.uint32)

        def accept(self, token):
            raise RuntimeError("the grammar is lost")

    engine = make_engine(Scripted())
    first = engine.add(ask([10], max_tokens=1))
    second = engine.add(ask([20], max_tokens=5, grammar=Broken))
    third = engine.add(ask([30], max_tokens=1))
    with pytest.raises(RuntimeError):
        engine.step(0)

    answers = collect(engine.fail())

    assert (answers[first, 0].tokens, answers[first, 0].finish.reason) == ([11], Reason.LENGTH)
    assert (answers[second, 0].tokens, answers[second, 0].finish.reason) == ([21], Reason.FAILED)
    assert answers[third, 0].finish.reason is Reason.FAILED
    assert engine.is_idle
    assert answer_one(engine, ask([10], max_tokens=2)).tokens == [11, 12]


def test_a_step_that_raises_ends_everything_and_the_engine_goes_on():
    class Failing(Scripted):
        is_broken = False

        def decode(self, rows):
            if self.is_broken:
                raise RuntimeError("the device is gone")
            return super().decode(rows)

    runner = Failing(slots=2)
    engine = make_engine(runner)
    jobs = [engine.add(ask([10, 11, 12], max_tokens=9)) for _ in range(3)]
    for _ in range(3):
        engine.step(0)
    assert (engine.running, engine.waiting) == (2, 1)
    runner.is_broken = True
    with pytest.raises(RuntimeError):
        engine.step(0)

    outputs = engine.fail()
    runner.is_broken = False

    assert [(output.job, output.reason) for output in outputs] == [(j, Reason.FAILED) for j in jobs]
    again = answer_one(engine, ask([10, 11, 12], max_tokens=2))
    assert again.tokens == [13, 14]
    assert again.finish.usage.cached_tokens == 0


def test_a_grammar_restrains_each_choice_for_itself():
    class Alternating:
        """Allows 7 and 9 in turns."""

        def __init__(self):
            self.turns = itertools.cycle((7, 9))
            self.next = next(self.turns)

        def mask(self):
            words = np.zeros(10, np.uint32)
            words[self.next // 32] = np.uint32(1) << np.uint32(self.next % 32)
            return words

        def accept(self, token):
            assert token == self.next
            self.next = next(self.turns)

    engine = make_engine(Scripted())
    sampling = Sampling(seed=1)

    job = engine.add(ask([10], max_tokens=4, grammar=Alternating, choices=2, sampling=sampling))
    answers = collect(run_all(engine))

    assert [answers[job, choice].tokens for choice in range(2)] == [[7, 9, 7, 9]] * 2


def test_log_probabilities_come_with_each_token():
    engine = make_engine(Scripted())

    answer = answer_one(engine, ask([10], max_tokens=3, sampling=Sampling(0, top_logprobs=2)))

    assert [entry.top[0][0] for entry in answer.logprobs] == [11, 12, 13]
    assert all(len(entry.top) == 2 for entry in answer.logprobs)
