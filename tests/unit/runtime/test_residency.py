"""The policy of the memory, checked after every step of random schedules."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.runtime.residency import PATIENCE_S, SETTLING_S, Residency

LONG_S = 1000.0


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


class House:
    """A residency and whoever does what it says, at once unless the test does it itself."""

    def __init__(self, limit_bytes, **sizes):
        self.clock = Clock()
        self.sizes = sizes
        self.residency = Residency(limit_bytes, self.clock)
        self.places = {name: self.residency.add(at_start=False) for name in sizes}
        self.names = {place: name for name, place in self.places.items()}
        self.done = []

    def step(self):
        """Begin the next step; return what is done and with whom."""
        step = self.residency.next_step()
        self.residency.check_integrity()
        return step and (step.action, self.names[step.place])

    def finish(self, action, name):
        place = self.places[name]
        if action == "measure":
            self.residency.measured(place, self.sizes[name])
        elif action == "load":
            self.residency.loaded(place, self.sizes[name])
        elif action == "close":
            self.residency.closed(place)
        self.residency.check_integrity()

    def settle(self):
        """Do everything that is to be done now; return it, without the measuring."""
        done = []
        while step := self.step():
            self.finish(*step)
            done += [step] if step[0] != "measure" else []
        return done

    def want(self, *names):
        for name in names:
            self.residency.want(self.places[name])
        return self.settle()

    def use(self, *names):
        """Have models used by somebody who goes again."""
        for name in names:
            self.enter(name)
            self.leave(name)

    def enter(self, name):
        self.residency.enter(self.places[name])

    def leave(self, name):
        return self.residency.leave(self.places[name])

    def dismiss(self, name):
        self.residency.dismiss(self.places[name])

    def wait(self, seconds):
        self.clock.now_s += seconds
        return self.settle()

    def state(self, name):
        return self.places[name].state

    @property
    def ready(self):
        return {name for name in self.places if self.state(name) == "ready"}

    @property
    def held_bytes(self):
        return sum(place.held_bytes for place in self.places.values())


def test_without_a_limit_everything_is_loaded_and_nothing_is_measured():
    house = House(None, a=10**15, b=10**15)
    house.residency.want(house.places["a"])
    house.residency.want(house.places["b"])

    assert house.step() == ("load", "a")
    assert house.step() is None
    house.finish("load", "a")
    assert house.settle() == [("load", "b")]
    assert house.ready == {"a", "b"}


def test_the_model_that_was_used_longest_ago_makes_room():
    house = House(3, a=1, b=1, c=1, d=1)
    house.want("a", "b", "c")
    house.use("b", "c", "a")

    assert house.want("d") == [("close", "b"), ("load", "d")]
    assert house.ready == {"a", "c", "d"}


def test_as_many_leave_as_are_in_the_way_and_no_more():
    house = House(10, small=1, large=6, other=3, new=5)
    house.want("small", "large", "other")
    house.use("small", "large", "other")

    done = house.want("new")

    assert done == [("close", "large"), ("load", "new")]
    assert house.ready == {"small", "other", "new"}


def test_nobody_leaves_before_enough_may():
    house = House(10, idle=2, busy=8, new=10)
    house.want("idle", "busy")
    house.use("idle")
    house.enter("busy")

    assert house.want("new") == []
    assert house.ready == {"idle", "busy"}
    house.leave("busy")
    assert house.settle() == [("close", "idle"), ("close", "busy"), ("load", "new")]


def test_a_model_in_use_is_spared_for_a_while_then_takes_no_callers_and_leaves_with_the_last():
    house = House(1, a=1, b=1)
    house.want("a")
    house.enter("a")
    house.enter("a")
    house.clock.now_s = LONG_S

    assert house.want("b") == []
    assert house.residency.wait_s() == PATIENCE_S
    assert house.wait(PATIENCE_S - 0.1) == []
    assert house.state("a") == "ready"
    assert house.wait(0.2) == []
    assert house.state("a") == "unloading"
    assert not house.leave("a")
    assert house.settle() == []
    assert house.leave("a")
    assert house.settle() == [("close", "a"), ("load", "b")]


def test_an_idle_model_leaves_before_one_that_is_in_use_for_longer():
    house = House(3, old=1, busy=1, idle=1, new=2)
    house.want("old", "busy", "idle")
    for name in ("old", "busy"):
        house.enter(name)
    house.use("idle")
    house.want("new")

    assert house.wait(PATIENCE_S) == [("close", "idle")]
    assert (house.state("old"), house.state("busy")) == ("unloading", "ready")


def test_who_leaves_already_is_waited_for():
    house = House(2, leaving=1, idle=1, new=1)
    house.want("leaving", "idle")
    house.use("idle")
    house.enter("leaving")
    house.dismiss("leaving")

    assert house.want("new") == []
    house.leave("leaving")
    assert house.settle() == [("close", "leaving"), ("load", "new")]


def test_a_model_in_use_leaves_at_once_when_it_falls_idle():
    house = House(1, a=1, b=1)
    house.want("a")
    house.enter("a")

    assert house.want("b") == []
    assert house.leave("a")
    assert house.settle() == [("close", "a"), ("load", "b")]


def test_a_model_that_took_long_to_load_is_in_use_at_least_as_long():
    house = House(1, a=1, b=1)
    house.residency.want(house.places["a"])
    house.finish(*house.step())
    assert house.step() == ("load", "a")
    house.clock.now_s += 60.0
    house.finish("load", "a")
    house.enter("a")

    assert house.want("b") == []
    assert house.wait(59.0) == []
    assert house.state("a") == "ready"
    house.wait(1.0)
    assert house.state("a") == "unloading"


def test_a_model_waits_for_whoever_asked_for_it():
    house = House(1, a=1, b=1)
    house.want("a")

    assert house.want("b") == []
    assert house.wait(SETTLING_S - 0.1) == []
    house.use("a")
    assert house.settle() == [("close", "a"), ("load", "b")]
    house.want("a")
    assert house.residency.wait_s() == pytest.approx(SETTLING_S)
    assert house.wait(SETTLING_S) == [("close", "b"), ("load", "a")]


def test_a_model_that_was_loaded_by_hand_waits_for_nobody():
    house = House(1, a=1, b=1)
    house.residency.want(house.places["a"], by_hand=True)

    assert house.settle() == [("load", "a")]
    assert house.want("b") == [("close", "a"), ("load", "b")]


def test_loads_go_one_at_a_time_in_the_order_of_the_requests():
    house = House(1, a=1, b=1, c=1)
    for name in "cab":
        house.residency.want(house.places[name])
    loaded = []
    for _ in range(3):
        loaded += [name for action, name in house.settle() if action == "load"]
        house.use(loaded[-1])

    assert loaded == ["c", "a", "b"]


def test_a_request_for_a_model_is_news_only_once():
    house = House(1, a=1, b=1)

    assert house.residency.want(house.places["a"])
    assert not house.residency.want(house.places["a"])
    house.settle()
    assert not house.residency.want(house.places["a"])
    house.enter("a")
    house.dismiss("a")
    assert house.residency.want(house.places["a"])
    assert not house.residency.want(house.places["a"])


def test_models_of_the_start_make_nobody_leave_and_are_loaded_when_somebody_asks():
    residency = Residency(2)
    a, b, c = (residency.add(at_start=True) for _ in range(3))
    actions = []
    while step := residency.next_step():
        actions.append((step.action, step.place))
        if step.action == "measure":
            residency.measured(step.place, 1)
        elif step.action == "load":
            residency.loaded(step.place, 1)
        residency.check_integrity()

    assert [place for action, place in actions if action == "load"] == [a, b]
    assert actions[-1] == ("leave_out", c)
    assert (c.state, c.is_starting) == ("unloaded", False)
    residency.want(c)
    measured = residency.next_step()
    residency.measured(measured.place, 1)
    assert residency.next_step().action == "close"
    assert (a.state, b.state) == ("unloading", "ready")


def test_a_model_that_is_asked_for_while_it_leaves_is_loaded_again():
    house = House(1, a=1)
    house.want("a")
    house.enter("a")
    house.dismiss("a")

    assert house.want("a") == []
    house.leave("a")
    assert house.settle() == [("close", "a"), ("load", "a")]


@pytest.mark.parametrize("again", [False, True])
def test_a_model_that_is_dismissed_while_it_loads_leaves_when_it_is_loaded(again):
    house = House(1, a=1, b=1)
    house.residency.want(house.places["a"])
    house.finish(*house.step())
    assert house.step() == ("load", "a")
    house.dismiss("a")
    if again:
        house.residency.want(house.places["a"])
    house.residency.want(house.places["b"])
    assert house.step() is None

    house.finish("load", "a")

    assert house.state("a") == "unloading"
    assert house.settle()[:2] == [("close", "a"), ("load", "b")]
    assert house.state("a") == ("loading" if again else "unloaded")


def test_a_model_that_is_dismissed_while_it_is_measured_or_waits_is_not_loaded():
    house = House(1, a=1, b=1)
    house.residency.want(house.places["a"])
    house.residency.want(house.places["b"])
    assert house.step() == ("measure", "a")
    house.dismiss("a")
    house.dismiss("b")
    house.finish("measure", "a")

    assert house.settle() == []
    assert {house.state(name) for name in "ab"} == {"unloaded"}


def test_a_load_that_fails_is_over_and_the_next_one_begins():
    house = House(2, a=1, b=1)
    house.residency.want(house.places["a"])
    house.residency.want(house.places["b"])
    house.finish(*house.step())
    assert house.step() == ("load", "a")

    house.residency.failed(house.places["a"])

    assert house.state("a") == "failed"
    assert house.held_bytes == 0
    assert house.settle() == [("load", "b")]
    assert house.want("a") == [("load", "a")]


def test_a_model_that_failed_is_forgotten_when_it_is_dismissed():
    house = House(1, a=1)
    house.residency.want(house.places["a"])
    house.step()
    house.residency.failed(house.places["a"])

    house.dismiss("a")

    assert house.state("a") == "unloaded"


@pytest.mark.parametrize("load_s", [0.5, 20.0])
def test_two_models_that_are_always_in_use_serve_at_least_as_long_as_they_load(load_s):
    """Callers come every tenth of a second to each, and each call takes one."""
    house = House(1, a=1, b=1)
    served_s = dict.fromkeys("ab", 0.0)
    loading, calls = None, []
    for tick in range(20_000):
        house.clock.now_s = now = tick / 10
        for name, end in calls:
            if end <= now:
                house.leave(name)
        calls = [(name, end) for name, end in calls if end > now]
        for name in "ab":
            if house.state(name) == "ready":
                house.enter(name)
                calls.append((name, now + 1.0))
                served_s[name] += 0.1
            else:
                house.residency.want(house.places[name])
        if loading and now - loading[1] >= load_s:
            house.finish(*loading[0])
            loading = None
        while step := house.step():
            if step[0] == "load":
                loading = step, now
            else:
                house.finish(*step)

    assert sum(served_s.values()) > 2000 / 2 * 0.9
    assert min(served_s.values()) > 0.9 * max(served_s.values())


def play(seeded, limit_bytes, sizes):
    """Take random actions; check every state and that nobody is forgotten."""
    house = House(limit_bytes, **sizes)
    at_work, users = [], []
    for _ in range(300):
        name = seeded.choice(list(sizes))
        match seeded.choice(("want", "want", "enter", "enter", "leave", "finish", "wait", "out")):
            case "want":
                house.residency.want(house.places[name])
            case "enter" if house.state(name) == "ready":
                house.enter(name)
                users.append(name)
            case "leave" if users:
                house.leave(users.pop(seeded.randrange(len(users))))
            case "finish" if at_work:
                step = at_work.pop(seeded.randrange(len(at_work)))
                if step[0] != "close" and seeded.random() < 0.1:
                    house.residency.failed(house.places[step[1]])
                else:
                    house.finish(*step)
            case "wait":
                house.clock.now_s += seeded.choice((0.1, PATIENCE_S, SETTLING_S))
            case "out" if seeded.random() < 0.3:
                house.dismiss(name)
        house.residency.check_integrity()
        while step := house.step():
            assert step[0] != "close" or step[1] not in users
            at_work.append(step)
        assert sum(action in {"measure", "load"} for action, _ in at_work) <= 1
        assert house.held_bytes <= limit_bytes
        assert all(house.state(user) in {"ready", "unloading"} for user in users)
    return house, at_work, users


def test_random_schedules_keep_the_limit_and_cut_nobody_off(seeded):
    for _ in range(60):
        sizes = {name: seeded.randint(0, 10) for name in "abcde"}
        house, at_work, users = play(seeded, seeded.randint(10, 20), sizes)

        wanted = {name for name in sizes if house.state(name) == "loading"}
        wanted |= {name for name in sizes if house.places[name].is_wanted_again}
        for user in users:
            house.leave(user)
        for step in at_work:
            house.finish(*step)
        loaded = {name for name in wanted if house.state(name) == "ready"}
        for _ in range(20):
            loaded |= {name for action, name in house.wait(SETTLING_S) if action == "load"}
            assert house.held_bytes <= house.residency.limit_bytes
        assert loaded >= wanted


class ResidencyMachine(RuleBasedStateMachine):
    """The same, with schedules that hypothesis looks for."""

    def __init__(self):
        super().__init__()
        self.house = House(10, a=4, b=5, c=6, d=10)
        self.at_work = []
        self.users = []

    @rule(name=st.sampled_from("abcd"))
    def want(self, name):
        self.house.residency.want(self.house.places[name])

    @rule(name=st.sampled_from("abcd"))
    def dismiss(self, name):
        self.house.dismiss(name)

    @precondition(lambda self: self.house.ready)
    @rule(data=st.data())
    def enter(self, data):
        name = data.draw(st.sampled_from(sorted(self.house.ready)))
        self.house.enter(name)
        self.users.append(name)

    @precondition(lambda self: self.users)
    @rule(data=st.data())
    def leave(self, data):
        self.house.leave(self.users.pop(data.draw(st.integers(0, len(self.users) - 1))))

    @precondition(lambda self: self.at_work)
    @rule(data=st.data(), fails=st.booleans())
    def finish(self, data, fails):
        action, name = self.at_work.pop(data.draw(st.integers(0, len(self.at_work) - 1)))
        if fails and action != "close":
            self.house.residency.failed(self.house.places[name])
        else:
            self.house.finish(action, name)

    @rule(seconds=st.sampled_from([0.1, PATIENCE_S, SETTLING_S]))
    def wait(self, seconds):
        self.house.clock.now_s += seconds

    @rule()
    def step(self):
        while step := self.house.step():
            assert step[0] != "close" or step[1] not in self.users
            self.at_work.append(step)

    @invariant()
    def holds(self):
        self.house.residency.check_integrity()
        assert self.house.held_bytes <= 10


TestResidency = ResidencyMachine.TestCase
TestResidency.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, database=None
)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.integers(1, 30), st.data())
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_who_leaves_is_enough_and_none_too_many(sizes, new, data):
    names = [f"m{place}" for place in range(len(sizes))]
    limit = max(sum(sizes), new)
    house = House(limit, **dict(zip(names, sizes, strict=True)), new=new)
    house.want(*names)
    house.use(*data.draw(st.permutations(names)))

    gone = {name for action, name in house.want("new") if action == "close"}

    freed = sum(house.sizes[name] for name in gone)
    missing = sum(sizes) + new - limit
    assert house.ready == {*names, "new"} - gone
    assert freed >= missing
    assert all(freed - house.sizes[name] < missing for name in gone)
