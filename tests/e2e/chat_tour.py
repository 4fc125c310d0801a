"""Builds a tiny chat model, starts a mesh with it, and shows the official SDK at work.

    .venv/bin/python -m tests.e2e.chat_tour

The model's weights are random: what it says means nothing, the forms in which it says it do.
"""

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import openai
import pydantic

from tests.mesh import running_mesh
from tests.models.chat_folder import write_chat_model

MODEL = "tiny"
HELLO: Any = [{"role": "user", "content": "Hello! How are you?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "enum": ["Paris", "Berlin"]},
                "days": {"type": "integer", "minimum": 1, "maximum": 7},
            },
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}


class Person(pydantic.BaseModel):
    """What a structured answer holds."""

    job: Literal["cook", "pilot"]
    age: int = pydantic.Field(ge=0, le=99)


def plain(client: openai.OpenAI) -> object:
    """One answer."""
    completion = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=8, seed=1)
    return completion.choices[0].message.content, completion.usage


def stream_with_usage(client: openai.OpenAI) -> object:
    """An answer while it grows."""
    chunks = list(
        client.chat.completions.create(
            model=MODEL,
            messages=HELLO,
            max_tokens=8,
            seed=1,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    texts = [choice.delta.content for chunk in chunks for choice in chunk.choices]
    return texts, chunks[-1].usage


def three_choices(client: openai.OpenAI) -> object:
    """Several answers."""
    completion = client.chat.completions.create(
        model=MODEL, messages=HELLO, max_tokens=8, n=3, seed=1
    )
    return [choice.message.content for choice in completion.choices]


def one_seed_twice(client: openai.OpenAI) -> object:
    """The same answer again."""
    answers = [
        client.chat.completions.create(
            model=MODEL, messages=HELLO, max_tokens=8, seed=5, temperature=1.2
        )
        for _ in range(2)
    ]
    first, second = (answer.choices[0].message.content for answer in answers)
    return first, second, first == second


def logprobs(client: openai.OpenAI) -> object:
    """How likely the tokens were."""
    completion = client.chat.completions.create(
        model=MODEL, messages=HELLO, max_tokens=2, temperature=0, logprobs=True, top_logprobs=2
    )
    told = completion.choices[0].logprobs
    assert told is not None
    return [
        (token.token, round(token.logprob, 3), [other.token for other in token.top_logprobs])
        for token in told.content or ()
    ]


def structured(client: openai.OpenAI) -> object:
    """An answer that fills a class."""
    completion = client.chat.completions.parse(
        model=MODEL, messages=HELLO, response_format=Person, seed=2
    )
    return completion.choices[0].message.parsed


def two_calls(client: openai.OpenAI) -> object:
    """Two tool calls in one streamed answer; the first seed with which the model makes two."""
    for seed in range(100):
        with (
            contextlib.suppress(openai.LengthFinishReasonError),
            client.chat.completions.stream(
                model=MODEL,
                messages=HELLO,
                tools=[WEATHER],
                tool_choice="required",
                temperature=2,
                seed=seed,
            ) as stream,
        ):
            calls = stream.get_final_completion().choices[0].message.tool_calls or []
            if len(calls) == 2:
                return [(call.id, call.function.name, call.function.arguments) for call in calls]
    return "no seed made two"


def wrong_model(client: openai.OpenAI) -> object:
    """A model that nobody serves."""
    return _refusal(lambda: client.chat.completions.create(model="tinny", messages=HELLO))


def too_long(client: openai.OpenAI) -> object:
    """A prompt that is longer than the model reads."""
    long: Any = [{"role": "user", "content": "word " * 600}]
    return _refusal(lambda: client.chat.completions.create(model=MODEL, messages=long))


def _refusal(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except openai.APIStatusError as error:
        return type(error).__name__, error.status_code, error.body


TOUR = (
    plain,
    stream_with_usage,
    three_choices,
    one_seed_twice,
    logprobs,
    structured,
    two_calls,
    wrong_model,
    too_long,
)


def main() -> None:
    """Walk through all of it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_chat_model(Path(scratch) / "model")
        table = f'[[chat.models]]\nid = "{MODEL}"\nfolder = "{folder}"\n'
        with (
            running_mesh(Path(scratch), "", chat=table) as mesh,
            openai.OpenAI(base_url=f"{mesh.url}/v1", api_key="unused", max_retries=0) as client,
        ):
            for show in TOUR:
                print(f"{show.__name__.replace('_', ' ')}:\n    {show(client)}")  # noqa: T201


if __name__ == "__main__":
    main()
