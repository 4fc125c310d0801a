"""What callers of chat completions get for mistakes, through a real Envoy: the error object.

`tests/integration/test_chat_mistakes.py` has every field; here are those that the gateway may have
something to do with, and one of each kind.
"""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.e2e.test_bad_input import error_of
from tests.mesh import Mesh, running_mesh
from tests.models.chat_folder import TEMPLATE, write_chat_model

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
USER = {"role": "user", "content": "Hi"}
RAISING = TEMPLATE + "{{ raise_exception('Not like this.') if messages[0].content == 'no' }}"
A_SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"$ref": "#"}}}


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    folder = tmp_path_factory.mktemp("bad-input")
    good = write_chat_model(folder / "good", template=RAISING)
    broken = write_chat_model(folder / "broken")
    (broken / "onnx/model.onnx").write_bytes(b"no graph")
    tables = "".join(
        f'[[chat.models]]\nid = "{name}"\nfolder = "{path}"\n'
        for name, path in (("tiny", good), ("broken", broken))
    )
    with running_mesh(folder, "", chat=tables) as mesh:
        yield mesh


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "tiny", "messages": [USER], "max_tokens": 3, **fields}


def said(content: object, role: object = "user") -> dict[str, Any]:
    return body(messages=[{"role": role, "content": content}])


MISTAKES = [
    # what is no JSON
    (b"", None, None, "not valid JSON"),
    (b"{", None, None, "not valid JSON"),
    (b"[]", None, "invalid_type", "expected an object"),
    (b'{"model": "\xff"}', None, None, "not valid JSON"),
    (b'{"model": "tiny", "temperature": NaN}', None, None, "not valid JSON"),
    (b'{"model": "tiny", "stop": "\\ud83d"}', None, None, "not valid JSON"),
    (b'{"model": "tiny", "metadata": ' + b"[" * 10**5, None, None, "too deeply"),
    # types and ranges
    (body(model=5), "model", "invalid_type", "a string"),
    ({"messages": [USER]}, "model", "missing_required_parameter", "'model'"),
    ({"model": "tiny"}, "messages", "missing_required_parameter", "'messages'"),
    (body(messages="Hi"), "messages", "invalid_type", "an array"),
    (body(temperature="1"), "temperature", "invalid_type", "a number"),
    (body(temperature=2.1), "temperature", "invalid_value", "between 0 and 2"),
    (body(top_p=-1), "top_p", "invalid_value", "between 0 and 1"),
    (body(n=0), "n", "invalid_value", "between 1 and 128"),
    (body(n=129), "n", "invalid_value", "between 1 and 128"),
    (body(seed=2**63), "seed", "invalid_value", "9223372036854775807"),
    (body(max_tokens=0), "max_tokens", "invalid_value", ">= 1"),
    (body(stream="yes"), "stream", "invalid_type", "a boolean"),
    (body(stop=list("abcde")), "stop", "invalid_value", "the most is 4"),
    (body(stop=["a" * 100_000] * 4), "stop", "invalid_value", "1000 characters"),
    (body(logit_bias={"420": 1}), "logit_bias", "invalid_value", "0 to 419"),
    (body(top_logprobs=3), "top_logprobs", "invalid_value", "'logprobs' is true"),
    # messages
    (body(messages=[]), "messages", "invalid_value", "at least one"),
    (said("a", "robot"), "messages[0].role", "invalid_value", "'robot'. Supported values"),
    (said(None), "messages[0].content", "invalid_type", "a string or an array"),
    (said([{"type": "image_url"}]), "messages[0].content[0]", "invalid_value", "reads text only"),
    (
        body(messages=[USER, {"role": "tool", "content": "a", "tool_call_id": "c"}]),
        "messages[1].tool_call_id", "invalid_value", "no assistant message before it",
    ),
    (said("no"), "messages", None, "refuses these messages: Not like this."),
    (said("🚀 " * 600), "messages", "context_length_exceeded", "room for 512"),
    (said("word " * 200_000), "messages", "context_length_exceeded", "1000050 characters"),
    (said("word " * 3_000_000), "messages", "context_length_exceeded", "15000050 characters"),
    # formats and tools
    (body(response_format=A_SCHEMA), "response_format", "invalid_value", "without end"),
    (body(regex="("), "regex", "invalid_value", "unclosed group"),
    (body(choice=[]), "choice", "invalid_value", "at least one"),
    (
        body(tools=[{"type": "function", "function": {"name": "a" * 2048}}]),
        "tools[0].function.name", "invalid_value", "1 to 64",
    ),
    (body(tool_choice="required"), "tool_choice", "invalid_value", "when 'tools' are given"),
]  # fmt: skip

COMPLETION_MISTAKES = [
    ({"prompt": [-1], "echo": True}, "invalid_value", "0 to 419"),
    ({"prompt": [10**30], "echo": True}, "invalid_value", "0 to 419"),
    ({"prompt": [[]]}, "invalid_value", "none that is empty"),
    ({"prompt": ["a", 1]}, "invalid_value", "give one kind"),
    ({"prompt": ["a"] * 100, "n": 128}, "invalid_value", "the most of one request is 2048"),
    ({"prompt": [5] * 600}, "context_length_exceeded", "600 tokens"),
]


@pytest.mark.parametrize(("wrong", "param", "code", "words"), MISTAKES)
def test_a_mistake_is_a_400_that_names_its_field(
    mesh: Mesh, wrong: object, param: str | None, code: str | None, words: str
) -> None:
    answer = mesh.post(CHAT, wrong)

    error = error_of(answer)
    assert (answer.status, error["param"], error["code"]) == (400, param, code)
    assert words in (error["message"] or "")
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(("fields", "code", "words"), COMPLETION_MISTAKES)
def test_a_wrong_prompt_is_a_400_too(
    mesh: Mesh, fields: dict[str, Any], code: str, words: str
) -> None:
    answer = mesh.post(COMPLETIONS, {"model": "tiny", **fields})

    error = error_of(answer)
    assert (answer.status, error["param"], error["code"]) == (400, "prompt", code)
    assert words in (error["message"] or "")


def test_a_stream_that_is_refused_is_no_stream(mesh: Mesh) -> None:
    answer = mesh.post(CHAT, body(stream=True, temperature=5))

    assert answer.status == 400
    assert error_of(answer)["param"] == "temperature"


def test_the_sdk_raises_what_it_raises_for_the_hosted_service(mesh: Mesh) -> None:
    with (
        openai.OpenAI(base_url=f"{mesh.url}/v1", api_key="unused", max_retries=0) as client,
        pytest.raises(openai.BadRequestError) as refused,
    ):
        client.chat.completions.create(model="tiny", messages=[], stream=True)

    assert (refused.value.param, refused.value.code) == ("messages", "invalid_value")


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("nobody", 404, "model_not_found"),
        ("x" * 2048, 404, "model_not_found"),
        ("naïve 模型 🚀", 404, "model_not_found"),
        ("broken", 503, "model_failed"),
    ],
)
def test_a_model_that_is_not_there_is_no_400(mesh: Mesh, name: str, status: int, code: str) -> None:
    answer = mesh.post(CHAT, body(model=name))

    assert answer.status == status
    assert error_of(answer)["code"] == code


def test_a_broken_folder_is_told_in_the_directory_and_the_good_one_is_served(mesh: Mesh) -> None:
    models = {model["id"]: model for model in mesh.ask("GET", "/v1/models").json["data"]}

    assert models["tiny"]["state"] == "ready"
    assert models["broken"]["state"] == "failed"
    assert "model.onnx" in models["broken"]["state_detail"]
    assert mesh.post(CHAT, body()).status == 200


def test_a_body_over_the_limit_is_a_413(mesh: Mesh) -> None:
    answer = mesh.post(CHAT, said("x" * 20_000_000))

    assert answer.status == 413
    assert "16777216" in (error_of(answer)["message"] or "")


def test_unknown_fields_pass_unless_the_caller_is_strict(mesh: Mesh) -> None:
    lax = mesh.post(CHAT, body(colour="red", store=True))
    strict = mesh.post(CHAT, body(colour="red"), {"x-switchboard-strict": "true"})

    assert lax.status == 200
    assert (strict.status, error_of(strict)["param"]) == (400, "colour")


def test_after_all_of_this_nothing_is_left(mesh: Mesh) -> None:
    url = f"http://127.0.0.1:{mesh.ports['chat-metrics']}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()

    for name in ("switchboard_slots_busy", "switchboard_num_requests_waiting{"):
        assert [line for line in lines if line.startswith(name) and not line.endswith(" 0.0")] == []
    assert json.loads(mesh.post(CHAT, body()).body)["usage"]["completion_tokens"] <= 3
