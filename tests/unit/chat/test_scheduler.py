"""The scheduler on random schedules: fair, without starving anybody, and consistent."""

from __future__ import annotations

import collections

import pytest

from services.chat.engine.request import Request
from services.chat.engine.scheduler import Decode, Part, Prefill, Scheduler
from services.chat.engine.sequence import Job, Reason, Sequence
from services.chat.engine.slots import Slots


def job_of(prompt, answer=4, key="", choices=1, deadline_s=None):
    request = Request(tuple(prompt), choices=choices, key=key, deadline_s=deadline_s)
    job = Job(request)
    for choice in range(choices):
        most = len(prompt) + answer
        job.sequences.append(Sequence(job, choice, most, list(prompt)))
    return job


class Rehearsal:
    """A scheduler with a model that says 0 at every place."""

    def __init__(self, *, slots=3, chunk_tokens=4):
        self.scheduler = Scheduler(Slots(slots), chunk_tokens=chunk_tokens)
        self.served = collections.Counter()
        self.steps = []

    def add(self, prompt, **fields):
        job = job_of(prompt, **fields)
        self.scheduler.add(job)
        return job

    def step(self, now_s=0.0):
        for sequence in self.scheduler.expired(now_s):
            self.scheduler.finish(sequence, Reason.DEADLINE)
        list(self.scheduler.admit())
        self.scheduler.try_move()
        self.scheduler.check_integrity()
        step = self.scheduler.next_step()
        self.steps.append(step)
        match step:
            case Prefill(parts):
                assert sum(part.tokens for part in parts) <= self.scheduler._chunk_tokens
                ended = [part for part in parts if part.tokens == part.sequence.missing_tokens]
                growing = [part.sequence for part in ended]
                for part in parts:
                    self.served[part.sequence.job.request.key] += part.tokens
            case Decode(growing):
                assert all(sequence.missing_tokens == 1 for sequence in growing)
                self.served.update(sequence.job.request.key for sequence in growing)
            case None:
                return None
        self.scheduler.note(step)
        for sequence in list(growing):
            sequence.tokens.append(0)
            if not sequence.has_room:
                self.scheduler.finish(sequence, Reason.LENGTH)
        self.scheduler.check_integrity()
        return step

    def run(self):
        while self.step() is not None:
            pass


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_random_schedules_with_aborts_end_and_stay_consistent(seeded, slots):
    rehearsal = Rehearsal(slots=slots)
    jobs = []
    for now in range(600):
        if now < 400 and seeded.random() < 0.2:
            prompt = [seeded.randrange(3) for _ in range(seeded.randrange(1, 30))]
            deadline_s = now + seeded.randrange(1, 80) if seeded.random() < 0.3 else None
            jobs.append(
                rehearsal.add(
                    prompt,
                    answer=seeded.randrange(1, 9),
                    key=seeded.choice("abc"),
                    choices=seeded.randrange(1, 4),
                    deadline_s=deadline_s,
                )
            )
        if jobs and seeded.random() < 0.1:
            for sequence in seeded.choice(jobs).sequences:
                if sequence.reason is None:
                    rehearsal.scheduler.finish(sequence, Reason.CANCELLED)
        rehearsal.step(now)
        rehearsal.scheduler.check_integrity()
    rehearsal.run()

    assert all(job.is_finished for job in jobs)
    assert not rehearsal.scheduler.waiting
    assert not rehearsal.scheduler.running


def test_prompts_and_answers_take_turns():
    rehearsal = Rehearsal()
    rehearsal.add([1], answer=20)
    rehearsal.step()
    rehearsal.add([2] * 17, answer=1)

    for _ in range(9):
        rehearsal.step()

    kinds = [type(step) for step in rehearsal.steps[1:]]
    assert kinds == [Prefill, Decode] * 4 + [Decode]


def test_answers_grow_together_while_no_prompt_is_read():
    rehearsal = Rehearsal(chunk_tokens=9)
    jobs = [rehearsal.add([1, 2, 3]) for _ in range(3)]

    rehearsal.step()
    rehearsal.step()

    assert rehearsal.steps[-1] == Decode([job.sequences[0] for job in jobs])


def test_a_short_prompt_passes_a_long_one_after_one_chunk():
    rehearsal = Rehearsal(slots=2)
    rehearsal.add([1] * 100, key="long")
    rehearsal.step()
    short = rehearsal.add([2, 2], key="short")

    rehearsal.step()

    assert rehearsal.steps[-1] == Prefill([Part(short.sequences[0], 2)])


def test_short_prompts_are_read_in_one_step_as_far_as_they_fit_in_whole():
    rehearsal = Rehearsal(slots=5, chunk_tokens=10)
    jobs = [rehearsal.add([token] * length) for token, length in enumerate((4, 7, 3, 20, 3))]

    rehearsal.step()

    expected = [
        Part(jobs[place].sequences[0], tokens) for place, tokens in ((0, 4), (2, 3), (4, 3))
    ]
    assert rehearsal.steps == [Prefill(expected)]


def test_prompts_of_one_key_take_turns():
    rehearsal = Rehearsal(slots=2)
    jobs = [rehearsal.add([token] * 20) for token in (1, 2)]

    for _ in range(6):
        rehearsal.step()

    assert [step.parts[0].sequence.job for step in rehearsal.steps] == jobs * 3


def test_slots_go_to_the_key_that_had_the_least():
    rehearsal = Rehearsal(slots=1)
    for _ in range(5):
        rehearsal.add([1] * 4, key="busy")
    rehearsal.step()
    quiet = rehearsal.add([2] * 4, key="quiet")

    while not quiet.is_finished:
        rehearsal.step()

    assert len(rehearsal.scheduler.waiting) == 4


def test_keys_that_both_have_work_get_like_shares():
    rehearsal = Rehearsal(slots=4)
    for _ in range(40):
        rehearsal.add([1] * 8, answer=8, key="many")
    for _ in range(8):
        rehearsal.add([2] * 8, answer=8, key="few")
    while any(s.job.request.key == "few" for s in rehearsal.scheduler.waiting):
        rehearsal.step()

    shares = rehearsal.served
    assert 0.6 < shares["few"] / shares["many"] < 1.7


def test_further_choices_wait_for_the_prompt_of_the_first_one():
    rehearsal = Rehearsal(slots=3)
    job = rehearsal.add([1] * 8, choices=3)

    rehearsal.step()
    assert [sequence.slot for sequence in job.sequences] == [0, None, None]
    rehearsal.step()
    rehearsal.step()
    assert [sequence.cached_tokens for sequence in job.sequences] == [0, 7, 7]


def test_further_choices_do_not_wait_for_a_first_one_that_has_gone():
    rehearsal = Rehearsal(slots=3)
    job = rehearsal.add([1] * 8, choices=2)
    rehearsal.scheduler.finish(job.sequences[0], Reason.CANCELLED)

    rehearsal.run()

    assert job.sequences[1].reason is Reason.LENGTH


def test_choices_that_wait_hold_up_nobody_behind_them():
    rehearsal = Rehearsal(slots=2)
    rehearsal.add([1] * 30, choices=3)
    other = rehearsal.add([2])

    list(rehearsal.scheduler.admit())

    assert other.sequences[0].slot == 1


def test_a_newcomer_does_not_make_up_for_what_it_never_asked_for():
    rehearsal = Rehearsal(slots=1)
    old = [rehearsal.add([1] * 4, key="old") for _ in range(9)]
    while not old[4].is_finished:
        rehearsal.step()
    newcomers = [rehearsal.add([2] * 4, key="new") for _ in range(3)]

    while not newcomers[2].is_finished:
        rehearsal.step()

    assert old[6].is_finished
    assert not old[8].is_finished
