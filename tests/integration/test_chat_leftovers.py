"""What is left in the process when the chat service's callers have gone: nothing."""

import asyncio
import gc
import threading

import psutil
import pytest

from tests.integration.chat_harness import HELLO, hosting, tiny, user
from tests.models.chat_folder import write_chat_model

KINDS = (
    "AnswerParser",
    "BestAnswers",
    "Call",
    "ChoiceWriter",
    "Continuing",
    "Conversation",
    "GrowingAnswers",
    "Job",
    "Mailbox",
    "Request",
    "Sequence",
    "TextStream",
)
"""What is made for one request."""

A_SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"enum": ["a", "b"]}}}
A_TOOL = {"type": "function", "function": {"name": "f"}}
REQUESTS = (
    {},
    {"stream": True},
    {"n": 3, "stream": True},
    {"stop": ["e"], "logprobs": True, "top_logprobs": 5},
    {"response_format": A_SCHEMA},
    {"tools": [A_TOOL], "tool_choice": "required"},
    {"regex": "[ab]+"},
    {"path": "completions", "prompt": ["a", "b"], "echo": True, "logprobs": 1},
    {"path": "completions", "best_of": 3},
)
MISTAKES = (
    {"temperature": 3},
    {"model": "nobody"},
    {"regex": "("},
    {"messages": [{"role": "user", "content": "a" * 2000}]},
    {"path": "completions", "prompt": ["a", [420]]},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_chat_model(tmp_path_factory.mktemp("leftovers"))


async def ask_everything(running, seed):
    """Send all requests and mistakes, and hang up in the middle of one."""
    for fields in REQUESTS:
        await running.post(**{"max_tokens": 10, "seed": seed, **fields})
    for fields in MISTAKES:
        await running.refusal(**fields)
    await running.create(messages=[user(HELLO[0]["content"])])
    call = running.ask(stream=True)
    await call.read()
    call.cancel()


def left():
    """Count what is there: objects by their kind, threads, open files."""
    gc.collect()
    names = [type(each).__name__ for each in gc.get_objects()]
    objects = {kind: names.count(kind) for kind in KINDS}
    return objects, threading.active_count(), psutil.Process().num_fds()


def test_hundreds_of_requests_leave_no_object_no_thread_and_no_file(folder):
    async def scenario(running):
        seen = []
        for callers in (4, 12):
            await asyncio.gather(*(ask_everything(running, seed) for seed in range(callers)))
            await running.until_empty()
            seen.append(left())
        return seen

    with hosting([tiny(folder)], waiting_requests=1000) as service:
        before, after = service.play(scenario)

    (objects, threads, files), (objects_before, threads_before, files_before) = after, before
    assert objects == objects_before
    assert threads <= threads_before
    assert files <= files_before
