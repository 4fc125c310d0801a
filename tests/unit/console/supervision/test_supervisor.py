"""The supervisor with tiny programs."""

import asyncio
import re
from dataclasses import replace

import psutil

from console.supervision.backoff import Pacing
from console.supervision.keeper import Phase
from tests.unit.console.supervision.rehearsal import Watched, program, supervise

SLEEPS = "import time; print('here', flush=True); time.sleep(600)"
DIES = "print('here'); raise SystemExit(3)"
DEAF = "import signal; signal.signal(15, signal.SIG_IGN);" + SLEEPS
SAYS_BYE = """
import signal, sys, time
def end(*_):
    time.sleep(0.05); print("bye"); sys.exit(0)
signal.signal(15, end)
print("here")
time.sleep(600)
"""


def test_a_program_that_dies_is_started_again_while_the_others_go_on() -> None:
    async def scenario(watched: Watched) -> None:
        await watched.until("frail exited with status 3; it is started again in 0.08 s")
        watched.supervisor.interrupt()

    outcome = supervise([[program("frail", DIES), program("solid", SAYS_BYE)]], scenario)

    assert outcome.text.count("frail       | here") >= 4
    assert outcome.text.count("solid       | here") == 1


def test_the_delay_doubles_up_to_the_longest_one() -> None:
    async def scenario(watched: Watched) -> None:
        await watched.until("started again in 0.04 s", times=2)
        watched.supervisor.interrupt()

    outcome = supervise([[program("frail", DIES)]], scenario, Pacing(0.01, 0.04))

    delays = re.findall(r"again in (\S+) s", outcome.text)
    assert delays[:4] == ["0.01", "0.02", "0.04", "0.04"]


def test_a_process_that_a_signal_ended_is_told_by_the_signals_name() -> None:
    async def scenario(watched: Watched) -> None:
        await watched.until("was ended by SIGKILL; it is started again")
        watched.supervisor.interrupt()

    supervise([[program("victim", "import os; os.kill(os.getpid(), 9)")]], scenario)


def test_a_program_that_cannot_use_its_settings_is_not_started_again() -> None:
    async def scenario(watched: Watched) -> None:
        await watched.until("cannot use its settings")
        assert watched.supervisor.phases == {"wrong": Phase.OVER, "right": Phase.READY}
        watched.supervisor.interrupt()

    wrong = program("wrong", "import sys; print('port: no number'); sys.exit(2)")
    outcome = supervise([[wrong, program("right", SAYS_BYE)]], scenario)

    assert outcome.clean
    assert outcome.text.count("port: no number") == 1


def test_when_no_program_is_left_the_run_ends_and_is_not_clean() -> None:
    async def scenario(watched: Watched) -> None:
        pass

    outcome = supervise([[program("wrong", "raise SystemExit(2)")]], scenario)

    assert not outcome.clean


def test_a_command_that_does_not_exist_is_told_and_tried_again() -> None:
    async def scenario(watched: Watched) -> None:
        await watched.until("No such file or directory", "exited with status 127; it is started")
        watched.supervisor.interrupt()

    absent = replace(program("absent", ""), command=("/no/such/program",))
    supervise([[absent]], scenario)


def test_a_program_is_ready_when_its_probe_says_so() -> None:
    asked: list[bool] = []

    async def third_time() -> bool:
        asked.append(True)
        return len(asked) == 3

    async def scenario(watched: Watched) -> None:
        await watched.until("slow is ready after")
        assert watched.supervisor.phases == {"slow": Phase.READY}
        watched.supervisor.interrupt()

    supervise([[program("slow", SLEEPS, ready=third_time)]], scenario)

    assert len(asked) == 3


def test_a_stage_ends_before_the_next_one_is_asked_to() -> None:
    async def scenario(watched: Watched) -> None:
        await watched.until("first       | here", "second      | here", "third       | here")
        watched.supervisor.interrupt()

    stages = [[program(name, SAYS_BYE)] for name in ("first", "second", "third")]
    outcome = supervise(stages, scenario)

    assert outcome.clean
    assert re.findall(r"(\w+) +\| bye", outcome.text) == ["first", "second", "third"]
    assert not outcome.left


def test_a_deaf_program_is_killed_after_its_grace_and_the_end_is_not_clean() -> None:
    async def scenario(watched: Watched) -> None:
        await watched.until("here")
        watched.supervisor.interrupt()

    outcome = supervise([[program("deaf", DEAF, stop_grace_s=0.05)]], scenario)

    assert not outcome.clean
    assert "deaf has not ended within 0.05 s and is killed" in outcome.text
    assert not outcome.left


def test_a_second_interrupt_ends_everything_at_once() -> None:
    async def scenario(watched: Watched) -> None:
        await watched.until("deaf        | here", "behind      | here")
        watched.supervisor.interrupt()
        await asyncio.sleep(0.01)
        watched.supervisor.interrupt()

    outcome = supervise([[program("deaf", DEAF)], [program("behind", DEAF)]], scenario)

    assert "ending at once" in outcome.text
    assert not outcome.clean
    assert not outcome.left


def test_interrupts_in_one_breath_are_one() -> None:
    async def scenario(watched: Watched) -> None:
        await watched.until("here")
        watched.supervisor.interrupt()
        watched.supervisor.interrupt()

    outcome = supervise([[program("slow", SAYS_BYE)]], scenario, Pacing(one_breath_s=60.0))

    assert outcome.clean
    assert "bye" in outcome.text


def test_an_interrupt_during_the_pause_ends_the_pause() -> None:
    async def scenario(watched: Watched) -> None:
        await watched.until("started again in 600 s")
        watched.supervisor.interrupt()

    outcome = supervise([[program("frail", DIES)]], scenario, Pacing(600.0, 600.0))

    assert outcome.clean


def test_an_interrupt_before_the_first_process_runs_leaves_nothing() -> None:
    async def scenario(watched: Watched) -> None:
        watched.supervisor.interrupt()

    outcome = supervise([[program("late", SLEEPS)]], scenario)

    assert outcome.clean
    assert not outcome.left


def test_a_program_does_not_share_our_session_so_a_terminals_interrupt_passes_it_by() -> None:
    async def scenario(watched: Watched) -> None:
        await watched.until("session")
        watched.supervisor.interrupt()

    outcome = supervise([[program("apart", "import os; print('session', os.getsid(0))")]], scenario)

    session = int(re.findall(r"session (\d+)", outcome.text)[0])
    assert session != psutil.Process().pid
    assert str(session) not in {str(process.pid) for process in psutil.Process().parents()}


def test_what_a_dead_program_left_behind_is_killed() -> None:
    spawns = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-I", "-S", "-c", {SLEEPS!r}])
print("child", child.pid)
sys.exit(2)
"""

    async def scenario(watched: Watched) -> None:
        await watched.until("cannot use its settings")

    outcome = supervise([[program("parent", spawns)]], scenario)

    pid = int(re.findall(r"child (\d+)", outcome.text)[0])
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_each_start_finds_its_standard_input_anew_also_as_a_file() -> None:
    async def scenario(watched: Watched) -> None:
        await watched.until("reader      | {}", times=2)
        watched.supervisor.interrupt()

    reader = program("reader", "print(open('/dev/fd/0').read()); raise SystemExit(3)", stdin=b"{}")
    supervise([[reader]], scenario)


def test_a_program_starts_with_the_signals_as_they_are_by_default() -> None:
    async def scenario(watched: Watched) -> None:
        await watched.until("ignored")
        watched.supervisor.interrupt()

    # Python itself ignores SIGPIPE (13) and SIGXFSZ (25), so the mask is read from a shell.
    shell = replace(
        program("shell", ""),
        command=("/bin/sh", "-c", "echo ignored $(grep SigIgn /proc/$$/status); exec sleep 600"),
    )
    outcome = supervise([[shell]], scenario)

    told = re.search(r"ignored SigIgn:\s*([0-9a-f]+)$", outcome.text, re.MULTILINE)
    assert told
    ignored = {number for number in range(1, 32) if int(told[1], 16) >> (number - 1) & 1}
    assert not {13, 25} & ignored
