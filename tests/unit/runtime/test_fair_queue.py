"""The queue's policy, checked after every step of random schedules."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.runtime.fair_queue import Limits, Queue

BATCH_TOKENS = 128
MAX_PADDING = 0.1
LIMITS = Limits(BATCH_TOKENS, MAX_PADDING, waiting_requests=50, waiting_tokens=20_000)


def check_batch(batch, limits=LIMITS):
    """Assert that a batch keeps both limits; return its tokens."""
    lengths = [work.tokens for work in batch]
    padded = max(lengths) * len(lengths)
    assert len(batch) == 1 or padded <= limits.batch_tokens
    assert padded - sum(lengths) <= limits.max_padding * padded + 1e-9
    return sum(lengths)


def drain(queue):
    batches = []
    while batch := queue.next_batch():
        queue.check_integrity()
        check_batch(batch)
        batches.append(batch)
    return batches


def lengths_of(seeded, count, longest=60):
    return [seeded.randint(1, longest) for _ in range(count)]


def test_every_input_comes_out_once_whatever_is_added_batched_or_cancelled(seeded):
    for _ in range(30):
        queue = Queue(LIMITS)
        expected, seen, jobs = set(), [], []
        for step in range(60):
            action = seeded.choice(("add", "add", "batch", "cancel"))
            if action == "add":
                lengths = lengths_of(seeded, seeded.choice((1, 1, 2, 8, 40)), 200)
                if not queue.can_admit(sum(lengths)):
                    continue
                items = [(step, index) for index in range(len(lengths))]
                jobs.append(queue.add(items, lengths, seeded.choice("abc")))
                expected.update(items)
            elif action == "batch":
                batch = queue.next_batch()
                if batch:
                    check_batch(batch)
                seen += [work.item for work in batch]
            elif jobs:
                job = seeded.choice(jobs)
                expected -= {work.item for work in job.waiting}
                queue.cancel(job)
            queue.check_integrity()
        seen += [work.item for batch in drain(queue) for work in batch]

        assert len(seen) == len(set(seen))
        assert set(seen) >= expected
        assert queue.waiting_requests == queue.waiting_tokens == 0


class QueueMachine(RuleBasedStateMachine):
    """The same, with schedules that hypothesis looks for."""

    def __init__(self):
        super().__init__()
        self.queue = Queue(Limits(40, 0.25, waiting_requests=6, waiting_tokens=300))
        self.waiting = {}
        self.count = 0

    @rule(lengths=st.lists(st.integers(1, 60), min_size=1, max_size=8), key=st.sampled_from("ab"))
    def add(self, lengths, key):
        waiting_tokens = sum(work.tokens for job in self.waiting.values() for work in job.waiting)
        fits = len(self.waiting) < 6 and waiting_tokens + sum(lengths) <= 300
        assert self.queue.can_admit(sum(lengths)) == (fits or not self.waiting)
        if self.queue.can_admit(sum(lengths)):
            self.count += 1
            self.waiting[self.count] = self.queue.add(range(len(lengths)), lengths, key)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data):
        name = data.draw(st.sampled_from(sorted(self.waiting)))
        self.queue.cancel(self.waiting[name])
        assert not self.waiting[name].waiting

    @rule()
    def batch(self):
        batch = self.queue.next_batch()
        assert bool(batch) == bool(self.waiting)
        if batch:
            check_batch(batch, Limits(40, 0.25, 0, 0))

    @invariant()
    def is_sound(self):
        self.waiting = {name: job for name, job in self.waiting.items() if job.waiting}
        self.queue.check_integrity()


QueueMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, derandomize=True, database=None
)
TestQueueMachine = QueueMachine.TestCase


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=60))
def test_the_inputs_of_one_request_come_out_once_and_longest_first(lengths):
    queue = Queue(LIMITS)
    queue.add(range(len(lengths)), lengths, "a")

    batches = drain(queue)

    assert sorted(work.item for batch in batches for work in batch) == list(range(len(lengths)))
    leads = [batch[0].tokens for batch in batches]
    assert leads == sorted(leads, reverse=True)


def test_an_input_longer_than_a_batch_is_a_batch_of_its_own():
    queue = Queue(LIMITS)
    queue.add("abc", [500, 500, 3], "a")

    batches = [[work.item for work in batch] for batch in drain(queue)]

    assert batches == [["a"], ["b"], ["c"]]


def test_inputs_of_one_length_fill_a_batch_whoever_sent_them():
    queue = Queue(LIMITS)
    for key in "abcdefgh":
        queue.add([key], [16], key)

    batch = queue.next_batch()

    assert [work.item for work in batch] == list("abcdefgh")


def test_what_differs_too_much_in_length_waits_for_another_batch():
    queue = Queue(LIMITS)
    queue.add(["long", "short", "nearly as long"], [40, 5, 38], "a")

    batches = [{work.item for work in batch} for batch in drain(queue)]

    assert batches == [{"long", "nearly as long"}, {"short"}]


def test_an_empty_queue_takes_any_single_request_and_then_keeps_its_bounds():
    queue = Queue(Limits(128, 0.1, waiting_requests=2, waiting_tokens=100))
    empty_takes_it = queue.can_admit(10_000)
    queue.add(["huge"], [10_000], "a")
    full_takes_it = queue.can_admit(1)
    queue.next_batch()
    queue.add(["x"], [10], "a")

    assert empty_takes_it
    assert not full_takes_it
    assert queue.can_admit(90)
    assert not queue.can_admit(91)


def test_no_more_requests_wait_than_are_allowed():
    queue = Queue(Limits(128, 0.1, waiting_requests=2, waiting_tokens=100))
    queue.add(["x"], [1], "a")
    queue.add(["y"], [50], "b")

    assert not queue.can_admit(1)


def test_a_cancelled_request_leaves_nothing_behind():
    queue = Queue(LIMITS)
    job = queue.add(range(100), [7] * 100, "a")
    queue.add(["other"], [7], "a")
    queue.next_batch()

    queue.cancel(job)
    queue.cancel(job)

    queue.check_integrity()
    assert [work.item for batch in drain(queue) for work in batch] in ([], ["other"])


@pytest.mark.parametrize("key", ["a", "other"])
def test_a_small_request_waits_for_two_batches_at_most_behind_a_huge_one(seeded, key):
    queue = Queue(LIMITS)
    queue.add(range(2000), [60] * 2000, "a")
    for _ in range(100):
        queue.next_batch()
        queue.add(["small"], [seeded.choice((3, 20, 100))], key)

        batches = [queue.next_batch(), queue.next_batch()]

        assert any(work.item == "small" for batch in batches for work in batch)


def serve_in_a_loop(queue, callers, batches):
    """Callers that send one input again as soon as they are answered; yield every batch."""
    for key, length in callers:
        queue.add([None], [length], key)
    running = []
    for _ in range(batches):
        batch = queue.next_batch()
        queue.check_integrity()
        for work in running:
            if work.item is None:
                queue.add([None], [work.tokens], work.job.key)
        running = batch
        yield batch


@pytest.mark.parametrize("key", ["a", "other"])
@pytest.mark.parametrize("callers", [1, 2, 3, 5, 8])
def test_small_requests_without_end_do_not_hold_up_a_huge_one(callers, key):
    """Their lengths share no batch with the huge one's; there is always one that waits."""
    queue = Queue(LIMITS)
    huge = queue.add(range(1000), [60] * 1000, "a")
    small = [(key, length) for length in (3, 10, 18, 27, 36, 45, 90, 120)[:callers]]

    batches = list(serve_in_a_loop(queue, small, batches=600))

    tokens = sum(work.tokens for batch in batches for work in batch)
    of_huge = sum(work.tokens for batch in batches for work in batch if work.job is huge)
    sharing = callers + 1 if key == "a" else 2
    assert of_huge > 0.9 * tokens / sharing


def test_keys_share_the_engine_evenly_whatever_they_send(seeded):
    queue = Queue(Limits(BATCH_TOKENS, MAX_PADDING, 1000, 10**9))
    queue.add(range(3000), lengths_of(seeded, 3000, 60), "one large request")
    for _ in range(1000):
        queue.add([0], [seeded.randint(61, 120)], "many small ones")
    served = dict.fromkeys(("one large request", "many small ones"), 0)
    furthest = 0

    for _ in range(500):
        for work in queue.next_batch():
            served[work.job.key] += work.tokens
        large, small = served.values()
        furthest = max(furthest, abs(large - small))

    assert furthest <= 2 * BATCH_TOKENS


def test_a_newcomer_is_neither_owed_the_past_nor_charged_for_it():
    queue = Queue(LIMITS)
    queue.add(range(1000), [60] * 1000, "early")
    for _ in range(100):
        queue.next_batch()
    queue.add(range(1000), [100] * 1000, "late")

    keys = [queue.next_batch()[0].job.key for _ in range(40)]

    assert 10 <= keys.count("late") <= 30
    assert "late" in keys[:2]
    assert "early" in keys[:4]
