"""Both doors of the chat service, with a tiny model behind them: the same answers, cost and errors.

Each request is asked four times, at once and as a stream at either door.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from switchboard.chat.v1 import chat_pb2 as wire

from tests.integration.chat_harness import HELLO, hosting, tiny, user
from tests.integration.chat_readings import (
    cost,
    expected,
    joined,
    typed_joined,
    typed_reading,
)
from tests.integration.harness import openai_error
from tests.models.chat_folder import THINKING, write_chat_model

CITY = {
    "type": "object",
    "properties": {"city": {"enum": ["Paris", "Berlin"]}, "days": {"enum": [1, 2]}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOL = {"name": "get_weather", "description": "Tells the weather.", "parameters": CITY}
TOOLS = [{"type": "function", "function": TOOL}]
TYPED_TOOL = wire.Tool(
    name="get_weather", description="Tells the weather.", parameters_json=json.dumps(CITY)
)
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
}
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Hi,"}, {"type": "text", "text": "you"}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "Sunny."},
]
TYPED_CALL = wire.ToolCall(id="call_1", name="get_weather", arguments_json='{"city": "Paris"}')
TYPED_TURNS = [
    wire.Message(system=wire.SystemMessage(content=[wire.ContentPart(text="Be brief.")])),
    user("Hi,", "you"),
    wire.Message(assistant=wire.AssistantMessage(tool_calls=[TYPED_CALL])),
    wire.Message(
        tool=wire.ToolMessage(tool_call_id="call_1", content=[wire.ContentPart(text="Sunny.")])
    ),
]


@dataclass(frozen=True)
class Asked:
    """A request in the words of either door."""

    rest: dict[str, Any]
    generation: dict[str, Any] = field(default_factory=dict)
    conversation: dict[str, Any] = field(default_factory=dict)
    model: str = "tiny"

    @property
    def typed(self) -> dict[str, Any]:
        generation = wire.Generation(**self.generation)
        return {"model": self.model, "generation": generation, **self.conversation}


def alike(model: str = "tiny", **fields: Any) -> Asked:
    """A request whose fields have the same names at both doors."""
    return Asked(fields, fields, model=model)


def constrained(rest: dict[str, Any], **generation: Any) -> Asked:
    return Asked({**rest, "seed": 3}, {**generation, "seed": 3})


REQUESTS = {
    "greedy": alike(temperature=0, max_tokens=20),
    "a seed": alike(temperature=0.8, top_p=0.9, seed=7, max_tokens=20),
    "every way to choose": alike(
        temperature=1.3, top_p=0.8, top_k=50, min_p=0.01, repetition_penalty=1.2,
        frequency_penalty=0.5, presence_penalty=-0.7, seed=-(2**63), max_tokens=20,
    ),
    "biases": Asked(
        {"logit_bias": {"65": 5, "66": -99.5}, "seed": 1, "max_tokens": 15},
        {"logit_bias": {65: 5, 66: -99.5}, "seed": 1, "max_tokens": 15},
    ),
    "three answers": Asked(
        {"n": 3, "seed": 5, "max_tokens": 12}, {"choices": 3, "seed": 5, "max_tokens": 12}
    ),
    "stop strings": Asked(
        {"stop": ["e", "zz"], "seed": 5, "max_tokens": 60},
        {"stop": ["e", "zz"], "seed": 5, "max_tokens": 60},
    ),
    "log probabilities": Asked(
        {"logprobs": True, "top_logprobs": 3, "seed": 5, "max_tokens": 12},
        {"top_logprobs": 3, "seed": 5, "max_tokens": 12},
    ),
    "log probabilities of what was chosen only": Asked(
        {"logprobs": True, "seed": 5, "max_tokens": 12},
        {"top_logprobs": 0, "seed": 5, "max_tokens": 12},
    ),
    "turns, parts and a tool's result": Asked(
        {"messages": TURNS, "seed": 2, "max_tokens": 9},
        {"seed": 2, "max_tokens": 9},
        {"messages": TYPED_TURNS},
    ),
    "a call that is required": Asked(
        {"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": False, "seed": 1},
        {"seed": 1},
        {
            "tools": [TYPED_TOOL],
            "tool_choice": wire.ToolChoice(mode=wire.ToolChoice.MODE_REQUIRED),
            "parallel_tool_calls": False,
        },
    ),
    "tools that are not shown": Asked(
        {"tools": TOOLS, "tool_choice": "none", "seed": 1, "max_tokens": 9},
        {"seed": 1, "max_tokens": 9},
        {
            "tools": [TYPED_TOOL],
            "tool_choice": wire.ToolChoice(mode=wire.ToolChoice.MODE_NONE),
        },
    ),
    "a JSON schema": constrained(
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": CITY}}},
        json_schema=wire.JsonSchema(schema_json=json.dumps(CITY)),
    ),
    "a regular expression": constrained({"regex": "[ab]{3,9}🚀"}, regex="[ab]{3,9}🚀"),
    "a grammar": constrained(
        {"grammar": 'start: "a" start | "b"', "max_tokens": 40},
        lark='start: "a" start | "b"',
        max_tokens=40,
    ),
    "one of some texts": constrained(
        {"choice": ["yes", "no", "日本"]},
        text_choices=wire.TextChoices(values=["yes", "no", "日本"]),
    ),
    "thoughts": alike("thinker", seed=4, max_tokens=30),
    "variables of the template": Asked(
        {"chat_template_kwargs": {"bos_token": "x"}, "seed": 4, "max_tokens": 5},
        {"seed": 4, "max_tokens": 5},
        {"chat_template_kwargs_json": '{"bos_token": "x"}'},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("doors")
    models = [
        tiny(write_chat_model(folder / "tiny")),
        tiny(write_chat_model(folder / "thinker", template=THINKING), "thinker"),
    ]
    with hosting(models) as hosted:
        yield hosted


@pytest.mark.parametrize("asked", REQUESTS.values(), ids=REQUESTS)
def test_both_doors_answer_alike_at_once_and_as_a_stream(service, asked):
    async def scenario(running):
        fields = {"model": asked.model, **asked.rest}
        whole = await running.post(**fields)
        streamed = await running.post(**fields, stream=True, stream_options={"include_usage": True})
        typed = await running.create(**asked.typed)
        typed_stream = [message async for message in running.stream(**asked.typed)]
        return whole.json, streamed.events, typed, typed_stream

    whole, streamed, typed, typed_stream = service.play(scenario)

    choices = [expected(choice) for choice in whole["choices"]]
    assert joined(streamed) == choices
    assert [typed_reading(choice) for choice in typed.choices] == choices
    assert typed_joined(typed_stream) == choices
    usage = cost(whole["usage"])
    assert cost(streamed[-1]["usage"]) == usage
    for told in (typed.usage, typed_stream[-1].usage):
        assert (
            told.prompt_tokens, told.completion_tokens, told.reasoning_tokens, told.total_tokens
        ) == usage  # fmt: skip
    assert whole["model"] == typed.model == asked.model
    assert {message.model for message in typed_stream} == {asked.model}
    assert len({message.id for message in typed_stream}) == 1


MISTAKES = {
    "an unknown model": Asked({"model": "tinny"}, model="tinny"),
    "no messages": Asked({"messages": []}, {}, {"messages": []}),
    "a prompt that is too long": Asked(
        {"messages": [{"role": "user", "content": "🚀 " * 512}]},
        {},
        {"messages": [user("🚀 " * 512)]},
    ),
    "a prompt that is far too long": Asked(
        {"messages": [{"role": "user", "content": "a" * 10**5}]},
        {},
        {"messages": [user("a" * 10**5)]},
    ),
    "no answers": Asked({"n": 0}, {"choices": 0}),
    "too many answers": Asked({"n": 129}, {"choices": 129}),
    "no temperature": alike(temperature=2.1),
    "no top_p": alike(top_p=-0.1),
    "no top_k": alike(top_k=-2),
    "no min_p": alike(min_p=1.5),
    "no repetition_penalty": alike(repetition_penalty=0.0),
    "no frequency_penalty": alike(frequency_penalty=2.5),
    "no presence_penalty": alike(presence_penalty=-2.5),
    "a bias that is too strong": Asked({"logit_bias": {"5": 100.5}}, {"logit_bias": {5: 100.5}}),
    "a bias for no token": Asked({"logit_bias": {"420": 1}}, {"logit_bias": {420: 1}}),
    "five stop strings": alike(stop=list("abcde")),
    "an empty stop string": alike(stop=["a", ""]),
    "a stop string without end": alike(stop=["a" * 1001]),
    "a tool choice without tools": Asked(
        {"tool_choice": "required"},
        {},
        {"tool_choice": wire.ToolChoice(mode=wire.ToolChoice.MODE_REQUIRED)},
    ),
    "a result that nobody asked for": Asked(
        {"messages": [*HELLO, {"role": "tool", "tool_call_id": "c", "content": "a"}]},
        {},
        {"messages": [user("Hello"), wire.Message(tool=wire.ToolMessage(
            tool_call_id="c", content=[wire.ContentPart(text="a")]))]},
    ),
    "a pattern that is none": alike(regex="("),
    "a variable that is ours": Asked(
        {"chat_template_kwargs": {"messages": []}},
        {},
        {"chat_template_kwargs_json": '{"messages": []}'},
    ),
    "a schema that goes round": Asked(
        {"response_format": {
            "type": "json_schema", "json_schema": {"name": "a", "schema": {"$ref": "#"}}}},
        {"json_schema": wire.JsonSchema(schema_json='{"$ref": "#"}')},
    ),
    "no texts to choose from": Asked({"choice": []}, {"text_choices": wire.TextChoices()}),
    "an empty text to choose": Asked(
        {"choice": ["a", ""]}, {"text_choices": wire.TextChoices(values=["a", ""])}
    ),
}  # fmt: skip

OTHER_NAMES = {
    "json_schema.schema_json": "response_format",
    "text_choices.values": "choice",
}
"""Fields of the typed door that the REST door has under another name."""


@pytest.mark.parametrize("asked", MISTAKES.values(), ids=MISTAKES)
def test_both_doors_refuse_alike(service, asked):
    async def scenario(running):
        rest = await running.refusal(**{"model": asked.model, **asked.rest})
        rest_stream = await running.refusal(**{"model": asked.model, "stream": True, **asked.rest})
        whole = await _refusal(running.create(**asked.typed))
        stream = await _refusal(_drained(running.stream(**asked.typed)))
        await running.until_empty()
        return rest, rest_stream, whole, stream

    rest, rest_stream, whole, stream = service.play(scenario)

    assert rest == rest_stream
    assert rest["status"] == ("NOT_FOUND" if asked.model == "tinny" else "INVALID_ARGUMENT")
    assert whole == stream
    param = OTHER_NAMES.get(whole["param"], whole["param"])
    assert {**whole, "param": param, "message": ""} == {**rest, "message": ""}
    assert rest["param"]


def test_tokens_are_counted_as_an_answer_counts_them(service):
    async def scenario(running):
        asked = wire.Conversation(messages=TYPED_TURNS, tools=[TYPED_TOOL])
        counted = await running.typed.CountTokens(
            wire.CountTokensRequest(model="tiny", conversation=asked)
        )
        answered = await running.post(messages=TURNS, tools=TOOLS, max_tokens=1)
        return counted, answered.json["usage"]

    counted, usage = service.play(scenario)

    assert counted.prompt_tokens == usage["prompt_tokens"]
    assert counted.context_tokens == 512


def test_every_answer_tells_its_cost_in_a_trailer(service):
    async def scenario(running):
        rest = await running.post(max_tokens=5, seed=1)
        call = running.create(generation=wire.Generation(max_tokens=5, seed=1))
        await call
        return rest.trailing, dict(await call.trailing_metadata())

    for trailing in service.play(scenario):
        told = json.loads(trailing["x-switchboard-usage"])
        assert told["model"] == "tiny"
        assert told["output_tokens"] == 5
        assert told["input_tokens"] > told["cached_tokens"] >= 0
        assert trailing["x-request-id"]


async def _drained(call):
    return [message async for message in call]


async def _refusal(call):
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return {"status": error.code().name, **openai_error(error)}
    raise AssertionError("it was answered")
