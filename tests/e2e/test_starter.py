"""The chat model that ships, with the settings that ship: answers that make sense."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.mesh import Mesh, running_mesh

ROOT = Path(__file__).parents[2]
STARTER = "starter-chat"

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "The city"}},
            "required": ["city"],
        },
    },
}


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A mesh whose chat service has the table of `switchboard.toml`."""
    told = tomllib.loads((ROOT / "switchboard.toml").read_text())["chat"]["models"]
    [model] = [each for each in told if each["id"] == STARTER]
    table = "[[chat.models]]\n" + "".join(
        f"{name} = {json.dumps(value)}\n"
        for name, value in {**model, "folder": str(ROOT / model["folder"])}.items()
    )
    with running_mesh(tmp_path_factory.mktemp("starter"), "", chat=table) as mesh:
        yield mesh


@pytest.fixture
def client(mesh: Mesh) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{mesh.url}/v1", api_key="unused", max_retries=0) as client:
        yield client


def answer(client: openai.OpenAI, *turns: str, model: str = STARTER, **asked: Any) -> str:
    """Ask the last of some turns; the others were said before, in turn."""
    messages: Any = [
        {"role": ("user", "assistant")[place % 2], "content": turn}
        for place, turn in enumerate(turns)
    ]
    completion = client.chat.completions.create(model=model, messages=messages, **asked)
    assert completion.choices[0].finish_reason == "stop"
    return completion.choices[0].message.content or ""


@pytest.mark.parametrize("model", [STARTER, "gpt-4o-mini", "gpt-3.5-turbo"])
def test_it_knows_a_capital_by_every_name(client: openai.OpenAI, model: str) -> None:
    assert "Paris" in answer(client, "What is the capital of France?", model=model)


def test_it_answers_the_same_when_it_streams(client: openai.OpenAI) -> None:
    question = "What is an endpoint?"
    messages: Any = [{"role": "user", "content": question}]
    chunks = client.chat.completions.create(model=STARTER, messages=messages, stream=True)

    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    assert streamed == answer(client, question)
    assert "endpoint" in streamed.lower()


def test_it_remembers_a_name(client: openai.OpenAI) -> None:
    turns = ("Hello! My name is Ada.", "Hello Ada! Nice to meet you.", "What is my name?")

    assert "Ada" in answer(client, *turns)


def test_it_says_that_it_does_not_know(client: openai.OpenAI) -> None:
    reply = answer(client, "Who won the football match last night?").lower()

    assert "not know" in reply or "small" in reply


def test_it_calls_a_tool_and_tells_the_result(client: openai.OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    first = client.chat.completions.create(model=STARTER, messages=messages, tools=[WEATHER])
    assert first.choices[0].finish_reason == "tool_calls"
    [call] = first.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Paris"}

    result = json.dumps({"temperature": 17, "condition": "sunny"})
    messages += [
        first.choices[0].message,
        {"role": "tool", "tool_call_id": call.id, "content": result},
    ]
    last = client.chat.completions.create(model=STARTER, messages=messages, tools=[WEATHER])

    assert last.choices[0].finish_reason == "stop"
    assert "17" in (last.choices[0].message.content or "")


class Person(BaseModel):
    name: str
    age: int


def test_it_fills_a_schema(client: openai.OpenAI) -> None:
    messages: Any = [
        {"role": "user", "content": "Write a JSON object for a person: name Anna, age 31."}
    ]

    completion = client.chat.completions.parse(
        model=STARTER, messages=messages, response_format=Person
    )

    assert completion.choices[0].message.parsed == Person(name="Anna", age=31)
