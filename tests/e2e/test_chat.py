"""Chat completions through a real Envoy: plain HTTP, the official SDK and typed stubs."""

import contextlib
import json
from collections.abc import Iterator
from typing import Literal

import grpc
import openai
import pydantic
import pytest
from switchboard.chat.v1 import chat_pb2, chat_pb2_grpc

from tests.mesh import Mesh, running_mesh
from tests.models.chat_folder import SHAPE, chat_tokenizer, write_chat_model

HELLO = [{"role": "user", "content": "Hello! How are you?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather.",
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


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    folder = tmp_path_factory.mktemp("chat")
    model = write_chat_model(folder / "model")
    table = f'[[chat.models]]\nid = "org/tiny"\nfolder = "{model}"\naliases = ["tiny"]\n'
    with running_mesh(folder, "", chat=table) as mesh:
        yield mesh


@pytest.fixture
def client(mesh: Mesh) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{mesh.url}/v1", api_key="unused", max_retries=0) as client:
        yield client


@pytest.fixture
def stub(mesh: Mesh) -> Iterator[chat_pb2_grpc.ChatServiceStub]:
    with grpc.insecure_channel(f"127.0.0.1:{mesh.port}") as channel:
        yield chat_pb2_grpc.ChatServiceStub(channel)


def test_an_answer_is_whole(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        model="tiny", messages=HELLO, max_tokens=12, temperature=0
    )

    (choice,) = completion.choices
    assert completion.model == "org/tiny"
    assert completion.id.startswith("chatcmpl-")
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "length"
    assert completion.usage.completion_tokens == 12
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + 12


def test_a_stream_says_what_a_whole_answer_says(client: openai.OpenAI) -> None:
    asked = {"model": "tiny", "messages": HELLO, "max_tokens": 30, "seed": 5}
    whole = client.chat.completions.create(**asked)
    chunks = list(
        client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    )

    texts = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(texts) == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    assert chunks[0].choices[0].delta.role == "assistant"


def test_all_three_ways_give_the_same_answer(
    mesh: Mesh, client: openai.OpenAI, stub: chat_pb2_grpc.ChatServiceStub
) -> None:
    body = {"model": "tiny", "messages": HELLO, "max_tokens": 20, "seed": 7, "temperature": 0.7}
    by_json = mesh.post("/v1/chat/completions", body).json
    by_sdk = client.chat.completions.create(**body)
    asked = {
        "model": "tiny",
        "conversation": chat_pb2.Conversation(messages=[user("Hello! How are you?")]),
        "generation": chat_pb2.Generation(max_tokens=20, seed=7, temperature=0.7),
    }
    by_stub = stub.CreateChatCompletion(chat_pb2.CreateChatCompletionRequest(**asked), timeout=30)
    stream = stub.StreamChatCompletion(chat_pb2.StreamChatCompletionRequest(**asked), timeout=30)
    streamed = "".join(delta.content for message in stream for delta in message.choices)

    text = by_json["choices"][0]["message"]["content"]
    assert by_sdk.choices[0].message.content == text
    assert by_stub.choices[0].message.content[0].text == text
    assert streamed == text
    assert by_stub.usage.total_tokens == by_json["usage"]["total_tokens"]


def test_three_choices_are_three_answers(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        model="tiny", messages=HELLO, max_tokens=12, n=3, seed=1
    )

    texts = [choice.message.content for choice in completion.choices]
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    assert len(set(texts)) == 3


def test_the_same_seed_gives_the_same_answer_and_another_one_another(
    client: openai.OpenAI,
) -> None:
    def answer(seed: int) -> str | None:
        completion = client.chat.completions.create(
            model="tiny", messages=HELLO, max_tokens=16, seed=seed
        )
        return completion.choices[0].message.content

    assert answer(3) == answer(3)
    assert answer(3) != answer(4)


def test_log_probabilities_are_those_of_the_text(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        model="tiny", messages=HELLO, max_tokens=8, temperature=0, logprobs=True, top_logprobs=3
    )

    (choice,) = completion.choices
    tokens = choice.logprobs.content
    assert len(tokens) == 8
    assert all(len(token.top_logprobs) == 3 for token in tokens)
    assert all(token.logprob == token.top_logprobs[0].logprob for token in tokens)
    joined = b"".join(bytes(token.bytes) for token in tokens)
    assert joined.decode("utf-8", "replace") == choice.message.content


def test_a_pydantic_class_is_filled(client: openai.OpenAI) -> None:
    completion = client.chat.completions.parse(
        model="tiny", messages=HELLO, response_format=Person, seed=2
    )

    person = completion.choices[0].message.parsed
    assert isinstance(person, Person)
    assert completion.choices[0].finish_reason == "stop"


def test_required_tools_are_called_with_arguments_that_fit(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        model="tiny",
        messages=HELLO,
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
        seed=1,
    )

    (choice,) = completion.choices
    (call,) = choice.message.tool_calls
    arguments = json.loads(call.function.arguments)
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert call.function.name == "get_weather"
    assert arguments["city"] in {"Paris", "Berlin"}
    assert 1 <= arguments["days"] <= 7


def test_two_calls_are_streamed_side_by_side(client: openai.OpenAI) -> None:
    # A model with random weights calls as often as it likes: some seed likes twice.
    for seed in range(40):
        with (
            contextlib.suppress(openai.LengthFinishReasonError),
            client.chat.completions.stream(
                model="tiny",
                messages=HELLO,
                tools=[WEATHER],
                tool_choice="required",
                temperature=2,
                seed=seed,
            ) as stream,
        ):
            completion = stream.get_final_completion()
            calls = completion.choices[0].message.tool_calls
            if len(calls) == 2:
                break

    assert len(calls) == 2
    assert len({call.id for call in calls}) == 2
    assert all(json.loads(call.function.arguments)["days"] in range(1, 8) for call in calls)
    assert completion.choices[0].finish_reason == "tool_calls"


def test_a_tools_result_is_read_in_the_next_turn(client: openai.OpenAI) -> None:
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Paris", "days": 1}'},
    }
    messages = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Sunny."},
    ]

    completion = client.chat.completions.create(
        model="tiny", messages=messages, tools=[WEATHER], max_tokens=5
    )

    assert completion.usage.prompt_tokens > len(chat_tokenizer().encode("Sunny.").ids)


def test_a_conversation_that_goes_on_is_not_read_again(client: openai.OpenAI) -> None:
    first = client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": "A story that nobody else tells: " + "a b " * 60}],
        max_tokens=1,
    )
    again = client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": "A story that nobody else tells: " + "a b " * 60}],
        max_tokens=1,
    )

    cached = again.usage.prompt_tokens_details.cached_tokens
    assert cached == first.usage.prompt_tokens - 1


def test_a_wrong_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="tony", messages=HELLO)

    assert refused.value.code == "model_not_found"
    assert refused.value.param == "model"
    assert "Did you mean 'tiny'?" in refused.value.message


def test_a_prompt_that_is_too_long_says_so(client: openai.OpenAI) -> None:
    long = [{"role": "user", "content": "🚀 " * SHAPE.context}]

    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(model="tiny", messages=long, stream=stream)
        assert refused.value.code == "context_length_exceeded"
        assert refused.value.param == "messages"


def test_the_older_endpoint_goes_on_with_a_text(client: openai.OpenAI) -> None:
    completion = client.completions.create(
        model="tiny", prompt=["Once upon", "The quick"], max_tokens=5, echo=True, logprobs=2, n=2
    )

    assert [choice.index for choice in completion.choices] == [0, 1, 2, 3]
    assert completion.choices[0].text.startswith("Once upon")
    assert completion.choices[3].text.startswith("The quick")
    assert completion.choices[0].logprobs.token_logprobs[0] is None
    assert len(completion.choices[0].logprobs.tokens) == len(
        completion.choices[0].logprobs.text_offset
    )


def user(text: str) -> chat_pb2.Message:
    return chat_pb2.Message(user=chat_pb2.UserMessage(content=[chat_pb2.ContentPart(text=text)]))


def test_tokens_are_counted_as_the_model_reads_them(
    client: openai.OpenAI, stub: chat_pb2_grpc.ChatServiceStub
) -> None:
    counted = stub.CountTokens(
        chat_pb2.CountTokensRequest(
            model="tiny",
            conversation=chat_pb2.Conversation(messages=[user("Hello! How are you?")]),
        ),
        timeout=30,
    )
    completion = client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=1)

    assert counted.prompt_tokens == completion.usage.prompt_tokens
    assert counted.context_tokens == SHAPE.context
