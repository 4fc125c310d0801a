"""What callers of the chat service's REST door get wrong: a 400 that names the field, each time."""

import json

import pytest

from tests.integration.chat_harness import HELLO, hosting, tiny
from tests.models.chat_folder import TEMPLATE, write_chat_model

NUMBERS = ("1", True, [], {})
"""Values that are no number."""
BOOLEANS = ("true", 1, [], {})
"""Values that are no boolean."""
TEXTS = (5, True, [], {})
"""Values that are no text."""

WRONG_TYPES = {
    "model": (*TEXTS, None),
    "messages": (5, "Hi", {}, None),
    "temperature": NUMBERS,
    "top_p": NUMBERS,
    "min_p": NUMBERS,
    "repetition_penalty": NUMBERS,
    "frequency_penalty": NUMBERS,
    "presence_penalty": NUMBERS,
    "top_k": (*NUMBERS, 1.5),
    "n": (*NUMBERS, 1.5),
    "seed": (*NUMBERS, 1.5),
    "max_tokens": (*NUMBERS, 1.5),
    "max_completion_tokens": (*NUMBERS, 1.5),
    "top_logprobs": (*NUMBERS, 1.5),
    "logprobs": BOOLEANS,
    "stream": BOOLEANS,
    "parallel_tool_calls": BOOLEANS,
    "stream_options": (5, "a", []),
    "stop": (5, True, {}),
    "logit_bias": (5, "a", []),
    "response_format": (5, "json", []),
    "tools": (5, "a", {}),
    "functions": (5, "a", {}),
    "tool_choice": (5, []),
    "function_call": (5, []),
    "reasoning_effort": TEXTS,
    "modalities": (5, "text", {}),
    "audio": (5, "a", []),
    "chat_template_kwargs": (5, "a", []),
    "documents": (5, "a", {}),
    "regex": TEXTS,
    "grammar": TEXTS,
    "choice": (5, "a", {}),
}
OUT_OF_RANGE = {
    "temperature": (-0.01, 2.01),
    "top_p": (-0.01, 1.01),
    "min_p": (-0.01, 1.01),
    "repetition_penalty": (0, -1, 101),
    "frequency_penalty": (-2.01, 2.01),
    "presence_penalty": (-2.01, 2.01),
    "top_k": (-2, 10**30),
    "n": (0, -1, 129, 10**30),
    "seed": (2**63, -(2**63) - 1, 10**30),
    "max_tokens": (0, -1, -(10**30)),
    "max_completion_tokens": (0, -1),
    "messages": ([],),
    "stop": ("", ["a", ""], list("abcde"), "a" * 1001, ["a" * 100_000] * 4),
    "logit_bias": (
        {"5": 101}, {"5": -101}, {"-1": 1}, {"a": 1}, {"": 1}, {"5.0": 1}, {"420": 1},
        {"99999999999": 1}, {str(token): 1 for token in range(10**5)},
    ),
    "regex": ("(", r"(?=a)b", r"(a)\1", "a^b", r"[^\s\S]", "(" * 10**4, "a" * 10**6),
    "grammar": ("", "nope", 'a: "b"', "start: b", "start: start", "start: @a", 'start: "\0"'),
    "choice": ([], [""], ["a", ""], ["a" * 10**6]),
    "tool_choice": ("auto", "required", "none"),
    "function_call": ("auto",),
    "reasoning_effort": ("", "huge"),
    "stream_options": ({}, {"include_usage": True}),
    "chat_template_kwargs": ({"messages": []}, {"tools": []}, {"add_generation_prompt": False}),
}  # fmt: skip

FIELDS = [
    (field, value, code)
    for code, wrong in (("invalid_type", WRONG_TYPES), ("invalid_value", OUT_OF_RANGE))
    for field, values in wrong.items()
    for value in values
]

USER = {"role": "user", "content": "Hi"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
FUNCTION = {"name": "f"}
TOOL = {"type": "function", "function": FUNCTION}


def messages(*said):
    return {"messages": [USER, *said]}


def content(value, role="user"):
    return messages({"role": role, "content": value})


def calling(call):
    return messages({"role": "assistant", "tool_calls": [call]})


def format_of(**schema):
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def tools(*functions):
    return {"tools": [{"type": "function", "function": function} for function in functions]}


def choosing(choice):
    return {"tools": [TOOL], "tool_choice": choice}


SCHEMA = "response_format.json_schema"
ALLOWED = "tool_choice.allowed_tools"
MISSING, TYPE, VALUE, UNSUPPORTED = (
    "missing_required_parameter",
    "invalid_type",
    "invalid_value",
    "unsupported_value",
)

PLACES = [
    # messages
    (messages(5), "messages[1]", TYPE),
    (messages({}), "messages[1].role", MISSING),
    (messages({"role": 5}), "messages[1].role", TYPE),
    (messages({"role": "robot", "content": "a"}), "messages[1].role", VALUE),
    (messages({"role": "User", "content": "a"}), "messages[1].role", VALUE),
    (messages({"role": "user"}), "messages[1].content", MISSING),
    (messages({**USER, "name": 5}), "messages[1].name", TYPE),
    (content(None), "messages[1].content", TYPE),
    (content({}), "messages[1].content", TYPE),
    (content([]), "messages[1].content", VALUE),
    (content(["a"]), "messages[1].content[0]", TYPE),
    (content([{}]), "messages[1].content[0].type", MISSING),
    (content([{"type": "text"}]), "messages[1].content[0].text", MISSING),
    (content([{"type": "text", "text": 5}]), "messages[1].content[0].text", TYPE),
    (content([{"type": "image_url", "image_url": {}}]), "messages[1].content[0]", VALUE),
    (content(None, "assistant"), "messages[1].content", MISSING),
    (content([], "assistant"), "messages[1].content", VALUE),
    (messages({**CALLING, "tool_calls": 5}), "messages[1].tool_calls", TYPE),
    (calling({}), "messages[1].tool_calls[0].id", MISSING),
    (calling({**CALL, "id": 5}), "messages[1].tool_calls[0].id", TYPE),
    (calling({"id": "c"}), "messages[1].tool_calls[0].function", MISSING),
    (calling({**CALL, "type": "custom"}), "messages[1].tool_calls[0].type", UNSUPPORTED),
    (
        calling({**CALL, "function": {"name": "f", "arguments": {}}}),
        "messages[1].tool_calls[0].function.arguments",
        TYPE,
    ),
    (messages({**USER, "role": "assistant", "audio": {}}), "messages[1].audio", VALUE),
    # results without calls
    (messages({"role": "tool", "content": "a"}), "messages[1].tool_call_id", MISSING),
    (
        messages({"role": "tool", "content": "a", "tool_call_id": "c"}),
        "messages[1].tool_call_id",
        VALUE,
    ),
    (
        messages({"role": "tool", "content": "a", "tool_call_id": "c"}, CALLING),
        "messages[1].tool_call_id",
        VALUE,
    ),
    (
        messages(CALLING, {"role": "tool", "content": "a", "tool_call_id": "d"}),
        "messages[2].tool_call_id",
        VALUE,
    ),
    (messages(CALLING, {"role": "tool", "tool_call_id": "c"}), "messages[2].content", MISSING),
    (messages({"role": "function", "content": "a", "name": "f"}), "messages[1].name", VALUE),
    # formats
    ({"response_format": {}}, "response_format.type", MISSING),
    ({"response_format": {"type": "xml"}}, "response_format.type", VALUE),
    ({"response_format": {"type": "json_schema"}}, SCHEMA, MISSING),
    (format_of(), f"{SCHEMA}.name", MISSING),
    (format_of(name="a"), f"{SCHEMA}.schema", MISSING),
    (format_of(name="a b", schema={}), f"{SCHEMA}.name", VALUE),
    (format_of(name="a" * 2048, schema={}), f"{SCHEMA}.name", VALUE),
    (format_of(name="a", schema=[]), f"{SCHEMA}.schema", TYPE),
    (format_of(name="a", schema={}, strict="yes"), f"{SCHEMA}.strict", TYPE),
    ({"regex": "a", "choice": ["a"]}, "choice", VALUE),
    ({"regex": "a", "response_format": {"type": "json_object"}}, "regex", VALUE),
    # tools
    ({"tools": [5]}, "tools[0]", TYPE),
    ({"tools": [{}]}, "tools[0].type", MISSING),
    ({"tools": [{"type": "function"}]}, "tools[0].function", MISSING),
    ({"tools": [TOOL, {"type": "custom", "custom": {}}]}, "tools[1].type", UNSUPPORTED),
    (tools({}), "tools[0].function.name", MISSING),
    (tools({"name": ""}), "tools[0].function.name", VALUE),
    (tools({"name": "a" * 2048}), "tools[0].function.name", VALUE),
    (tools({"name": 'a"b'}), "tools[0].function.name", VALUE),
    (tools(FUNCTION, FUNCTION), "tools[1].function.name", VALUE),
    (tools({**FUNCTION, "parameters": []}), "tools[0].function.parameters", TYPE),
    (tools(*({"name": f"f{n}"} for n in range(129))), "tools", VALUE),
    (choosing("maybe"), "tool_choice", VALUE),
    (choosing({"type": "tool"}), "tool_choice.type", VALUE),
    (choosing({"type": "function"}), "tool_choice.function", MISSING),
    (choosing({"type": "function", "function": {"name": "g"}}), "tool_choice.function.name", VALUE),
    (choosing({"type": "allowed_tools"}), ALLOWED, MISSING),
    (
        choosing({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}),
        f"{ALLOWED}.tools",
        VALUE,
    ),
    ({"tools": [TOOL], "functions": [FUNCTION]}, "functions", VALUE),
    ({"functions": [FUNCTION, FUNCTION]}, "functions[1].name", VALUE),
    ({"functions": [FUNCTION], "function_call": {"name": "g"}}, "function_call.name", VALUE),
    # others
    ({"logit_bias": {"5": "1"}}, "logit_bias", TYPE),
    ({"stop": ["a", 5]}, "stop[1]", TYPE),
    ({"choice": ["a", 5]}, "choice[1]", TYPE),
    ({"documents": ["a"]}, "documents[0]", TYPE),
    ({"top_logprobs": 5}, "top_logprobs", VALUE),
    ({"top_logprobs": 21, "logprobs": True}, "top_logprobs", VALUE),
    ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens", VALUE),
    ({"modalities": ["text", "audio"]}, "modalities", UNSUPPORTED),
    ({"audio": {"voice": "a", "format": "mp3"}}, "audio", UNSUPPORTED),
    (
        {"stream": True, "stream_options": {"include_usage": "yes"}},
        "stream_options.include_usage",
        TYPE,
    ),
]

NO_NUMBER = {"type": "integer", "minimum": 5, "maximum": 1}
WITHOUT_END = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}
TOO_DEEP = {"type": "integer"}
for _ in range(49):
    TOO_DEEP = {"type": "object", "properties": {"a": TOO_DEEP}}

SCHEMAS = [
    (False, "no value fulfils it"),
    ({"type": "nope"}, "nope"),
    (NO_NUMBER, "no value fulfils it"),
    ({"allOf": [{"type": "string"}, {"type": "number"}]}, "no value fulfils it"),
    ({"$ref": "#"}, "refers to itself without end"),
    (WITHOUT_END, "refers to itself without end"),
    ({"$ref": "#/$defs/a"}, "no schema at '#/$defs/a'"),
    ({"$ref": "https://example.com/a.json"}, "references begin with '#/'"),
    ({"properties": {f"p{n}": {} for n in range(1001)}}, "the most is 1000"),
    (TOO_DEEP, "nested more than 48 deep"),
]

COMPLETIONS = [
    ({"prompt": None}, "prompt", MISSING),
    ({"prompt": {}}, "prompt", TYPE),
    ({"prompt": 5}, "prompt", TYPE),
    ({"prompt": ""}, "prompt", VALUE),
    ({"prompt": []}, "prompt", VALUE),
    ({"prompt": [[]]}, "prompt", VALUE),
    ({"prompt": ["a", ""]}, "prompt", VALUE),
    ({"prompt": ["a", 1]}, "prompt", VALUE),
    ({"prompt": [1, [1]]}, "prompt", VALUE),
    ({"prompt": [True]}, "prompt[0]", TYPE),
    ({"prompt": [1.5]}, "prompt[0]", TYPE),
    ({"prompt": [[1, "a"]]}, "prompt[0][1]", TYPE),
    ({"prompt": [-1]}, "prompt", VALUE),
    ({"prompt": [420]}, "prompt", VALUE),
    ({"prompt": [10**30]}, "prompt", VALUE),
    ({"prompt": [[5], [5, 2**32]]}, "prompt", VALUE),
    ({"prompt": ["a"] * 2049}, "prompt", VALUE),
    ({"prompt": ["a"] * 17, "n": 128}, "prompt", VALUE),
    ({"prompt": [5] * 513, "max_tokens": 0, "echo": True}, "prompt", "context_length_exceeded"),
    ({"prompt": [5] * 512}, "prompt", "context_length_exceeded"),
    ({"prompt": "a" * 10**6}, "prompt", "context_length_exceeded"),
    ({"max_tokens": 0, "echo": False}, "max_tokens", VALUE),
    ({"max_tokens": -1}, "max_tokens", VALUE),
    ({"logprobs": 6}, "logprobs", VALUE),
    ({"logprobs": -1}, "logprobs", VALUE),
    ({"logprobs": True}, "logprobs", TYPE),
    ({"best_of": 0}, "best_of", VALUE),
    ({"best_of": 21}, "best_of", VALUE),
    ({"best_of": 1, "n": 2}, "best_of", VALUE),
    ({"best_of": 3, "stream": True}, "best_of", VALUE),
    ({"echo": "yes"}, "echo", TYPE),
    ({"suffix": "a"}, "suffix", UNSUPPORTED),
]

RAISING = TEMPLATE + (
    "{%- if messages[0].content == 'refuse' %}{{ raise_exception('Not like this.') }}{% endif %}"
    "{%- if messages[0].content == 'fail' %}{{ messages[7].content.nothing }}{% endif %}"
    "{%- if messages[0].content == 'divide' %}{{ 1 // 0 }}{% endif %}"
)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mistakes")
    models = [
        tiny(write_chat_model(folder / "tiny")),
        tiny(write_chat_model(folder / "raising", template=RAISING), "raising"),
        tiny(write_chat_model(folder / "plain", template=""), "plain"),
    ]
    with hosting(models) as hosted:
        yield hosted


def refused(service, body=None, **fields):
    """Return what is told of a mistake, after checks of its form and of what is left behind."""

    async def scenario(running):
        told = await running.refusal(body, **fields)
        await running.until_empty()
        return told

    told = service.play(scenario)
    assert told["status"] == "INVALID_ARGUMENT"
    assert told["type"] == "invalid_request_error"
    assert told["message"]
    return told


@pytest.mark.parametrize(("field", "value", "code"), FIELDS)
def test_a_field_that_is_wrong_is_named(service, field, value, code):
    told = refused(service, **{field: value})

    assert (told["param"], told["code"]) == (field, code)
    assert f"'{field}'" in told["message"]


@pytest.mark.parametrize(("fields", "param", "code"), PLACES)
def test_the_place_of_a_mistake_is_named(service, fields, param, code):
    told = refused(service, **fields)

    assert (told["param"], told["code"]) == (param, code)


@pytest.mark.parametrize(("schema", "words"), SCHEMAS, ids=range(len(SCHEMAS)))
def test_a_schema_that_cannot_be_kept_is_refused(service, schema, words):
    answer = refused(service, **format_of(name="a", schema=schema))
    calls = refused(
        service, **tools({"name": "f", "strict": True, "parameters": {"anyOf": [schema]}})
    )

    assert answer["param"] == "response_format"
    assert words in answer["message"]
    assert calls["param"] == "tools[0].function.parameters"
    assert calls["code"] == "invalid_function_parameters"


def test_a_schema_may_not_be_as_long_as_a_book(service):
    told = refused(service, **format_of(name="a", schema={"enum": ["a" * 300_000]}))

    assert told["param"] == "response_format"
    assert "the most is 262144" in told["message"]


def test_a_schema_that_ends_somewhere_may_refer_to_itself(service):
    tree = {
        "type": "object",
        "properties": {"leaf": {"enum": [1]}, "trees": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["leaf"],
        "additionalProperties": False,
    }

    async def scenario(running):
        return await running.post(**format_of(name="a", schema=tree), max_tokens=300, seed=1)

    (choice,) = service.play(scenario).json["choices"]
    if choice["finish_reason"] == "stop":
        assert json.loads(choice["message"]["content"])["leaf"] == 1


@pytest.mark.parametrize(("fields", "param", "code"), COMPLETIONS)
@pytest.mark.parametrize("echo", [False, True])
def test_the_older_endpoint_names_the_field_too(service, fields, param, code, echo):
    told = refused(service, path="completions", **{"echo": echo, **fields})

    assert (told["param"], told["code"]) == (param, code)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\x00\xff\xfe", "not valid JSON"),
        (b'{"model": "\xff"}', "not valid JSON"),
        (b'{"model": "tiny", "stop": "\\ud83d"}', "not valid JSON"),
        (b'{"model": "tiny", "temperature": NaN}', "not valid JSON"),
        (b'{"model": "tiny", "temperature": Infinity}', "not valid JSON"),
        (b'{"model": "tiny", "temperature": 1e400}', "out of range"),
        (b'{"model": "tiny", "logit_bias": {"5": 1e400}}', "out of range"),
        (b'{"model": "tiny", "logit_bias": ' + b"[" * 10**5, "expected an object"),
        (b'{"model": "tiny", "a": ' + b'{"a":' * 10**5, "nested too deeply"),
        (b"[]", "expected an object"),
        (b"5", "expected an object"),
    ],
)
@pytest.mark.parametrize("path", ["chat", "completions"])
def test_what_is_no_json_object_is_refused(service, body, words, path):
    assert words in refused(service, body, path=path)["message"]


def test_what_a_template_refuses_is_the_callers_mistake(service):
    told = refused(service, model="raising", messages=[{"role": "user", "content": "refuse"}])

    assert told["param"] == "messages"
    assert told["message"] == "The model's chat template refuses these messages: Not like this."


@pytest.mark.parametrize("word", ["fail", "divide"])
def test_a_template_that_fails_is_told_without_the_messages(service, word):
    told = refused(service, model="raising", messages=[{"role": "user", "content": word}])

    assert told["param"] == "messages"
    assert "cannot render these messages" in told["message"]
    assert word not in told["message"]


def test_a_model_without_a_template_only_goes_on_with_texts(service):
    told = refused(service, model="plain")

    async def scenario(running):
        return await running.post(path="completions", model="plain", max_tokens=3)

    assert told["param"] == "model"
    assert "POST /v1/completions" in told["message"]
    assert service.play(scenario).json["usage"]["completion_tokens"] <= 3


def test_a_grammar_that_cannot_be_followed_to_its_end_is_refused(service):
    problem = refused(service, grammar='start: "a" start', max_tokens=400)

    assert problem["code"] == "invalid_value"
    assert "Ask for something simpler" in problem["message"]


@pytest.mark.parametrize("name", ["", "nobody", "a\0b", "🚀", "x" * 2048])
def test_an_unknown_model_is_told_as_such(service, name):
    async def scenario(running):
        return await running.refusal(model=name)

    told = service.play(scenario)

    assert told["status"] == "NOT_FOUND"
    assert (told["param"], told["code"]) == ("model", "model_not_found")


def test_a_strict_caller_is_told_of_fields_that_nobody_knows(service):
    async def scenario(running):
        strict = (("x-switchboard-strict", "true"),)
        ignored = {"store": True, "user": "u", "metadata": {}, "service_tier": "auto"}
        loose = await running.post(max_tokens=1, colour="red", **ignored)
        known = await running.post(max_tokens=1, metadata=strict, store=True, user="u")
        return loose, known, await running.refusal(metadata=strict, colour="red")

    loose, known, told = service.play(scenario)

    assert loose.json["object"] == known.json["object"] == "chat.completion"
    assert (told["param"], told["code"]) == ("colour", "unknown_parameter")


def test_strange_texts_are_read_like_others(service):
    texts = ["", "\0", "\u200d", "🚀" * 50, "\u202e\ufeff", "<|im_end|>", "{{ 1 // 0 }}", "{% if"]

    async def scenario(running):
        answers = [
            await running.post(messages=[{"role": "user", "content": text}], max_tokens=2)
            for text in texts
        ]
        named = await running.post(messages=[{**HELLO[0], "name": "n" * 2048}], max_tokens=2)
        return [*answers, named]

    assert all(answer.json["usage"]["completion_tokens"] for answer in service.play(scenario))
