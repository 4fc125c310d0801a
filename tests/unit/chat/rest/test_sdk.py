"""What the openai SDK reads from the frames: the parser that most callers have."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import openai
import pytest

from services.chat.engine.events import (
    ReasoningDelta,
    ToolCallArguments,
    ToolCallEnd,
    ToolCallStart,
)
from services.runtime.errors import DeadlineError
from tests.unit.chat.rest.scripted import HELLO, ScriptedModel, Step, grown, place, post

TOOLS = [{"type": "function", "function": {"name": name}} for name in ("add", "now")]
CALLS = [
    [grown("So.", ToolCallStart(0, "call_1", "add"), ToolCallArguments(0, '{"a"'))],
    [grown(ToolCallArguments(0, ":1}"), ToolCallEnd(0), ToolCallStart(1, "call_2", "now"))],
    [grown(ToolCallArguments(1, "{}"), ToolCallEnd(1), finish="tool_calls")],
]


class Door(BaseHTTPRequestHandler):
    """Answers every request by heart."""

    steps: list[Step]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        path = self.path.split("/")[2]
        messages = post(ScriptedModel(self.steps), path=path, **asked)
        self.send_response(200)
        self.send_header("content-type", messages[0].content_type)
        self.end_headers()
        for message in messages:
            self.wfile.write(message.data)

    def log_message(self, *_line: object) -> None:
        """Write no lines that nobody reads."""


@pytest.fixture
def steps() -> list[Step]:
    """What the model says; a test fills it."""
    return []


@pytest.fixture
def client(steps: list[Step]) -> Iterator[openai.OpenAI]:
    door = type("PromptedDoor", (Door,), {"steps": steps})
    with HTTPServer(("127.0.0.1", 0), door) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        with openai.OpenAI(api_key="any", base_url=url, max_retries=0) as client:
            yield client
        server.shutdown()
        thread.join()


def test_a_stream_adds_up_to_the_answer_told_at_once(
    client: openai.OpenAI, steps: list[Step]
) -> None:
    steps += [
        [grown("Hel", logprobs=[place("Hel", -1.0)])],
        [grown("lo", choice=1)],
        [grown("lo", finish="stop", logprobs=[place("lo", -2.0)])],
        [grown(choice=1, finish="stop")],
    ]
    asked = {"model": "model", "messages": [HELLO], "n": 2, "logprobs": True}

    at_once = client.chat.completions.create(**asked)
    with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
        for _ in stream:
            pass
        streamed = stream.get_final_completion()

    assert [choice.message.content for choice in streamed.choices] == ["Hello", "lo"]
    for one, other in zip(streamed.choices, at_once.choices, strict=True):
        assert one.message.content == other.message.content
        assert one.finish_reason == other.finish_reason
    assert streamed.choices[0].logprobs.content == at_once.choices[0].logprobs.content
    assert streamed.usage == at_once.usage


def test_calls_add_up(client: openai.OpenAI, steps: list[Step]) -> None:
    steps += CALLS

    with client.chat.completions.stream(model="model", messages=[HELLO], tools=TOOLS) as stream:
        for _ in stream:
            pass
        (choice,) = stream.get_final_completion().choices

    assert choice.message.content == "So."
    assert [
        (call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls
    ] == [("call_1", "add", '{"a":1}'), ("call_2", "now", "{}")]


def test_thoughts_are_read_from_their_own_field(client: openai.OpenAI, steps: list[Step]) -> None:
    steps += [[grown(ReasoningDelta("Hm."), "Yes.", finish="stop")]]

    answer = client.chat.completions.create(model="model", messages=[HELLO])

    assert answer.choices[0].message.model_extra["reasoning_content"] == "Hm."


def test_an_error_in_a_stream_is_raised(client: openai.OpenAI, steps: list[Step]) -> None:
    steps += [[grown("a")], DeadlineError("Too late.")]

    stream = client.chat.completions.create(model="model", messages=[HELLO], stream=True)

    with pytest.raises(openai.APIError, match=r"Too late\.") as told:
        list(stream)
    assert told.value.code == "timeout"


def test_the_older_endpoint_is_read_too(client: openai.OpenAI, steps: list[Step]) -> None:
    steps += [[grown("a", logprobs=[place("a", -1.0)])], [grown("b", finish="length")]]

    at_once = client.completions.create(model="model", prompt="Hello", logprobs=1)
    chunks = list(client.completions.create(model="model", prompt="Hello", stream=True))

    assert at_once.choices[0].text == "".join(chunk.choices[0].text for chunk in chunks) == "ab"
    assert at_once.choices[0].logprobs.token_logprobs == [-1.0]
    assert chunks[-1].choices[0].finish_reason == "length"
