"""Large and difficult requests to the chat service hold nobody else up."""

import asyncio
import time

import grpc
import pytest

from tests.integration.chat_harness import LONG, hosting, tiny, user
from tests.models.chat_folder import write_chat_model

MOST_S = 2.0
"""So long the event loop may stand still: ten times what was seen, a fifth of what it once was."""

A_CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "a" * 8_000_000}}
LARGE = {
    "a prompt": {"messages": [{"role": "user", "content": "word " * 3_000_000}]},
    "messages": {"messages": [{"role": "user", "content": ""}] * 150_000},
    "parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * 100_000}]},
    "arguments": {"messages": [{"role": "assistant", "tool_calls": [A_CALL]}]},
    "documents": {"documents": [{"text": "a" * 1000}] * 8000},
    "variables": {"chat_template_kwargs": {"a": ["a"] * 1_000_000}},
    "a description": {
        "tools": [{"type": "function", "function": {"name": "f", "description": "a " * 4_000_000}}]
    },
    "biases": {"logit_bias": {str(token): 1 for token in range(200_000)}},
    "a stop string": {"stop": "a" * 8_000_000},
    "a pattern": {"regex": "(a|b)" * 1_000_000},
    "texts": {"choice": [f"{number:x}" * 3 for number in range(100_000)]},
    "a text": {"path": "completions", "prompt": "word " * 3_000_000},
    "tokens": {"path": "completions", "prompt": [5] * 2_000_000},
}
NASTY = {
    "a pattern that others try for ever": {"regex": "(a+)+b"},
    "a pattern with many ways": {"regex": "(a|a|b|c)*d(.*a.{14}b){3}"},
    "a pattern that counts": {"regex": "((a{1,100}){1,100}){1,100}"},
    "a pattern of many texts": {"regex": "|".join(f"w{number}" for number in range(20_000))},
    "a grammar without end": {"grammar": 'start: "a" start | "b" start'},
    "a grammar with many readings": {"grammar": 'start: s\ns: s s s | s s | "a" | "b" | ""'},
    "a grammar that doubles": {
        "grammar": "start: a0\n"
        + "\n".join(f"a{place}: a{place + 1}? a{place + 1}?" for place in range(40))
        + '\na40: "x"?'
    },
    "a schema with many properties": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "a",
                "schema": {"properties": {f"p{number}": {} for number in range(900)}},
            },
        }
    },
    "a hundred tools": {
        "model": "long",
        "tool_choice": "required",
        "tools": [
            {"type": "function", "function": {"name": f"f{number}"}} for number in range(128)
        ],
    },
}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("responsiveness")
    models = [
        tiny(write_chat_model(folder / "tiny")),
        tiny(write_chat_model(folder / "long", shape=LONG), "long"),
    ]
    with hosting(models) as hosted:
        yield hosted


class Clock:
    """Looks at the time again and again, as long as the event loop lets it."""

    def __init__(self):
        self.worst_s = 0.0
        """The longest time that it could not look."""

    async def run(self):
        last_s = time.perf_counter()
        while True:
            await asyncio.sleep(0.005)
            now_s = time.perf_counter()
            self.worst_s, last_s = max(self.worst_s, now_s - last_s), now_s


async def standstill(asked):
    """Return the longest time that the event loop stood still while something was asked."""
    clock = Clock()
    running = asyncio.create_task(clock.run())
    answer = await asyncio.gather(asked, return_exceptions=True)
    running.cancel()
    refusals = [each for each in answer if isinstance(each, grpc.aio.AioRpcError)]
    assert {error.code() for error in refusals} <= {grpc.StatusCode.INVALID_ARGUMENT}
    return clock.worst_s


@pytest.mark.parametrize("name", LARGE)
def test_a_large_request_holds_nobody_up(service, name):
    async def scenario(running):
        worst_s = await standstill(running.post(max_tokens=1, **LARGE[name]))
        await running.until_empty()
        return worst_s

    assert service.play(scenario) < MOST_S


def test_a_large_request_at_the_typed_door_holds_nobody_up(service):
    async def scenario(running):
        long = await standstill(running.create(messages=[user("word " * 3_000_000)]))
        many = await standstill(running.create(messages=[user("a")] * 100_000))
        await running.until_empty()
        return long, many

    assert max(service.play(scenario)) < MOST_S


@pytest.mark.parametrize("name", NASTY)
def test_others_are_served_while_an_answer_follows_what_is_difficult(service, name):
    async def scenario(running):
        async def ask_others():
            return [await running.post(seed=number, max_tokens=10) for number in range(10)]

        nasty, others = await asyncio.gather(
            running.post(**{"max_tokens": 100, "seed": 1, **NASTY[name]}), ask_others()
        )
        await running.until_empty()
        return nasty, others

    nasty, others = service.play(scenario)

    assert nasty.json["choices"][0]["finish_reason"] in {"stop", "length", "tool_calls"}
    assert len(others) == 10
