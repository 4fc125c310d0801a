"""Calls in what models write, well formed and not; however the text is cut, the events agree."""

import itertools
import json
import random

import pytest

from services.chat.engine.events import ContentDelta, ToolCallArguments, ToolCallStart
from services.chat.engine.tool_calls.formats import FORMATS
from services.chat.engine.tool_calls.tagged import typed
from tests.unit.chat.pieces_of_text import events_however_cut, joined, read, told

TOOLS = {
    "get_weather": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "where": {"type": "object"},
        },
    },
    "now": {"type": "object", "properties": {}},
}
CITY = '{"city": "Zürich"}'
HARD = '{"b": [1, {"}": "\\"]"}], "a": "</tool_call>", "c": "\\\\"}'

B, E = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"  # noqa: RUF001 - DeepSeek's letters
C, D = "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"  # noqa: RUF001
S = "<｜tool▁sep｜>"  # noqa: RUF001

WELL_FORMED = [
    # Words only.
    ("hermes", "Hello, <b>world</b>! 1 < 2 <tool", ["Hello, <b>world</b>! 1 < 2 <tool"]),
    ("hermes", " \n", [" \n"]),
    ("hermes", "", []),
    # Hermes and Qwen.
    (
        "hermes",
        f'<tool_call>\n{{"name": "get_weather", "arguments": {CITY}}}\n</tool_call>',
        [("get_weather", CITY)],
    ),
    (
        "hermes",
        (
            f'Let me see.\n\n<tool_call>{{"name":"get_weather","arguments":{CITY}}}</tool_call>\n'
            '<tool_call>{"name":"now","arguments":{}}</tool_call>\n'
        ),
        ["Let me see.", ("get_weather", CITY), ("now", "{}")],
    ),
    (
        "hermes",
        f'<tool_call>{{"name": "get_weather", "arguments": {HARD}}}</tool_call> Done.',
        [("get_weather", HARD), " Done."],
    ),
    # The order of keys, keys that nobody needs, arguments that are quoted, null or missing.
    (
        "hermes",
        f'<tool_call>{{"id": [1], "arguments": {HARD}, "name": "now"}}</tool_call>',
        [("now", HARD)],
    ),
    (
        "hermes",
        f'<tool_call>{{"name": "now", "parameters": {CITY}, "id": -1.5e3}}</tool_call>',
        [("now", CITY)],
    ),
    (
        "hermes",
        f'<tool_call>{{"name": "now", "arguments": {json.dumps(CITY)}}}</tool_call>',
        [("now", CITY)],
    ),
    ("hermes", '<tool_call>{"name": "now", "arguments": null}</tool_call>', [("now", "{}")]),
    ("hermes", '<tool_call>{"name": "now"}</tool_call>', [("now", "{}")]),
    # What models get wrong, and what is meant all the same.
    ("hermes", '<tool_call>{"name": "now", "arguments": {}}', [("now", "{}")]),
    ("hermes", '<tool_call>{"name": "now", "arguments": {}\n</tool_call>', [("now", "{}")]),
    (
        "hermes",
        '<tool_call>{"name": "a", "arguments": {}}\n{"name": "b", "arguments": {}}</tool_call>',
        [("a", "{}"), ("b", "{}")],
    ),
    (
        "hermes",
        '<tool_call>[{"name": "a", "arguments": {}}, {"name": "b"}]</tool_call>',
        [("a", "{}"), ("b", "{}")],
    ),
    # Llama 3.
    ("llama3", f'{{"name": "get_weather", "parameters": {CITY}}}', [("get_weather", CITY)]),
    (
        "llama3",
        (
            f'{{"type": "function", "name": "now", "parameters": {{}}}}; '
            f'{{"name": "get_weather", "parameters": {CITY}}}'
        ),
        [("now", "{}"), ("get_weather", CITY)],
    ),
    (
        "llama3",
        f'<|python_tag|>{{"name": "elsewhere", "parameters": {CITY}}}',
        [("elsewhere", CITY)],
    ),
    ("llama3", '{"name": "Ada", "age": 36}', ['{"name": "Ada", "age": 36}']),
    ("llama3", '{"name": "now", "age": 36}', ['{"name": "now", "age": 36}']),
    ("llama3", "{1, 2} is a set.", ["{1, 2} is a set."]),
    ("llama3", '<|python_tag|>print("hi")', ['<|python_tag|>print("hi")']),
    # Mistral, old and new.
    (
        "mistral",
        (
            f'[TOOL_CALLS] [{{"name": "get_weather", "arguments": {CITY}}}, '
            '{"name": "now", "arguments": {}, "id": "abcdef123"}]'
        ),
        [("get_weather", CITY), ("now", "{}")],
    ),
    (
        "mistral_args",
        f"One moment.[TOOL_CALLS]get_weather[ARGS]{CITY}[TOOL_CALLS]now{{}}",
        ["One moment.", ("get_weather", CITY), ("now", "{}")],
    ),
    (
        "mistral_args",
        f"[TOOL_CALLS]get_weather[CALL_ID]abcdef123[ARGS]{CITY}",
        [("get_weather", CITY)],
    ),
    # Phi 4, firefunction, Granite, Apriel.
    (
        "phi4",
        f'<|tool_call|>[{{"name": "get_weather", "arguments": {CITY}}}]<|/tool_call|>',
        [("get_weather", CITY)],
    ),
    (
        "phi4",
        f'functools[{{"name": "get_weather", "arguments": {CITY}}}, {{"name": "now"}}]',
        [("get_weather", CITY), ("now", "{}")],
    ),
    ("phi4", "Use functools.wraps here.", ["Use functools.wraps here."]),
    ("granite", '<|tool_call|>[{"name": "now", "arguments": {}}]', [("now", "{}")]),
    ("apriel", '<tool_calls>[{"name": "now", "arguments": {}}]</tool_calls>', [("now", "{}")]),
    # DeepSeek R1 and V3, then V3.1.
    (
        "deepseek_v3",
        (
            f"Sure.{B}{C}function{S}get_weather\n```json\n{CITY}\n```{D}\n"
            f"{C}function{S}now\n```json\n{{}}\n```{D}{E}"
        ),
        ["Sure.", ("get_weather", CITY), ("now", "{}")],
    ),
    (
        "deepseek_v31",
        f"{B}{C}get_weather{S}{CITY}{D}{C}function{S}{{}}{D}{E}",
        [("get_weather", CITY), ("function", "{}")],
    ),
    # Qwen3-Coder, Seed-OSS, GLM.
    (
        "qwen_coder",
        (
            "I look.\n<tool_call>\n<function=get_weather>\n<parameter=city>\nZürich\n\n1 < 2\n"
            "</parameter>\n"
            "<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>"
        ),
        ["I look.", ("get_weather", '{"city": "Zürich\\n\\n1 < 2", "days": 3}')],
    ),
    ("qwen_coder", "<function=now>\n</function>\n</tool_call>", [("now", "{}")]),
    (
        "seed_oss",
        (
            "<seed:tool_call>\n<function=get_weather>\n<parameter=days>3</parameter>\n</function>\n"
            "</seed:tool_call>"
        ),
        [("get_weather", '{"days": 3}')],
    ),
    (
        "glm",
        (
            "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>3</arg_value>\n"
            '<arg_key>where</arg_key>\n<arg_value>{"lat": 47}</arg_value>\n</tool_call>'
            "\n<tool_call>now</tool_call>"
        ),
        [("get_weather", '{"city": "3", "where": {"lat": 47}}'), ("now", "{}")],
    ),
    # gpt-oss.
    (
        "gpt_oss",
        (
            "<|channel|>analysis<|message|>Hm, 1 < 2.<|end|><|start|>assistant<|channel|>commentary"
            f" to=functions.get_weather <|constrain|>json<|message|>{CITY}<|call|>"
        ),
        [["thinks", "Hm, 1 < 2."], ("get_weather", CITY)],
    ),
    (
        "gpt_oss",
        (
            "<|channel|>commentary<|message|>I look. <|end|><|start|>assistant to=functions.now"
            "<|channel|>commentary json<|message|>{}<|call|><|start|>assistant<|channel|>final"
            "<|message|>It is late.<|return|>"
        ),
        ["I look. ", ("now", "{}"), "It is late."],
    ),
    ("gpt_oss", "Plain words.", ["Plain words."]),
]

MALFORMED = [
    ("hermes", "<tool_call>", ["<tool_call>"]),
    ("hermes", "a \n<tool_call> b", ["a \n<tool_call> b"]),
    ("hermes", '<tool_call>{"name": "n', ['<tool_call>{"name": "n']),
    ("hermes", '<tool_call>{"name": "", "arguments": {}}', None),
    ("hermes", '<tool_call>{"arguments": {}}</tool_call>', None),
    ("hermes", '<tool_call>{"name": 7, "arguments": {}}</tool_call>', None),
    ("hermes", '<tool_call>{"name": "now", "arguments": [1]}</tool_call>', None),
    ("hermes", '<tool_call>{"name": "now", "arguments": "x"}</tool_call>', None),
    ("hermes", '<tool_call>{"name": "now", "arguments": "{} {}"}</tool_call>', None),
    ("hermes", "<tool_call>{name: now}</tool_call>", None),
    ("hermes", '<tool_call>{"na\\u12": 1}</tool_call>', None),
    (
        "hermes",
        'Use <tool_call> so:\n<tool_call>{"name": "now"}</tool_call>',
        ["Use <tool_call> so:", ("now", "{}")],
    ),
    (
        "hermes",
        '<tool_call>{"name": "now", "arguments": {}}} oops</tool_call>',
        [("now", "{}"), "} oops</tool_call>"],
    ),
    # A call that is cut short keeps what there is; a broken object is the caller's to judge.
    ("hermes", '<tool_call>{"name": "now", "arguments": {"a": "b', [("now", '{"a": "b')]),
    (
        "hermes",
        '<tool_call>{"name": "now", "arguments": {"a": oops}}</tool_call>',
        [("now", '{"a": oops}')],
    ),
    ("mistral", "[TOOL_CALLS]", None),
    ("mistral", "[TOOL_CALLS] []", None),
    ("mistral", "[TOOL_CALLS] what?", None),
    ("mistral", "[TOOL_CALLS]" + "n" * 300, None),
    ("mistral", '[TOOL_CALLS][{"name": "now"}, what?]', [("now", "{}"), ", what?]"]),
    ("deepseek_v3", f"{B}{C}function{S}now\n```yaml\na: 1```", None),
    ("deepseek_v31", f"{B}now", None),
    ("deepseek_v31", f"{B}{C}now{S}{{}}{D}!", [("now", "{}"), "!"]),
    ("qwen_coder", "<tool_call>\n<function=now>\n<parameter=a>\n1", None),
    ("qwen_coder", "<tool_call>\n<function=now>\nwhat?", None),
    (
        "qwen_coder",
        "<function=now><parameter=a>1</parameter><parameter=b>2",
        [("now", '{"a": "1"'), "<parameter=b>2"],
    ),
    ("glm", "<tool_call>now\n<arg_key>a</arg_key>b", None),
    ("gpt_oss", "<|channel|>final no message", None),
    (
        "gpt_oss",
        "<|channel|>commentary to=functions.now<|message|>not JSON<|call|>",
        ["not JSON"],
    ),
    (
        "gpt_oss",
        "<|channel|>commentary to=python<|message|>1 + 1<|call|>",
        ["1 + 1"],
    ),
]


def count_ids(count: int) -> str:
    return "x" * count


@pytest.mark.parametrize(("name", "text", "expected"), WELL_FORMED)
def test_words_and_calls_are_told_apart_however_the_text_is_cut(
    name: str, text: str, expected: list[object], seeded: random.Random
) -> None:
    events = events_however_cut(lambda: FORMATS[name].new_parser(TOOLS, count_ids), text, seeded)

    assert told(events) == expected


@pytest.mark.parametrize(("name", "text", "expected"), MALFORMED)
def test_what_is_malformed_comes_back_to_the_letter(
    name: str, text: str, expected: list[object] | None, seeded: random.Random
) -> None:
    events = events_however_cut(lambda: FORMATS[name].new_parser(TOOLS, count_ids), text, seeded)

    assert told(events) == ([text] if expected is None else expected)


@pytest.mark.parametrize("name", FORMATS)
def test_calls_written_in_the_shape_of_a_format_are_read_by_it(
    name: str, seeded: random.Random
) -> None:
    shape = FORMATS[name].shape
    calls = [
        ("get_weather", {"city": 'Zü"ri\\ch\n{[', "days": 3}),
        ("now", {}),
        ("get_weather", {"where": {"b": [1, None, True], "a": {}}}),
    ]
    text = shape.text(calls if shape.can_repeat else calls[:1])

    events = events_however_cut(lambda: FORMATS[name].new_parser(TOOLS, count_ids), text, seeded)

    assert text.startswith(shape.trigger)
    read_back = [(name, json.loads(arguments)) for name, arguments in told(events)]
    assert read_back == (calls if shape.can_repeat else calls[:1])


@pytest.mark.parametrize("name", FORMATS)
def test_no_text_is_lost_whatever_a_model_writes(name: str, seeded: random.Random) -> None:
    """Random marks and scraps: every cut agrees, and what is no call comes back."""
    parts = [
        *FORMATS[name].marks,
        *FORMATS[name].shape.text([("now", {"a": 1})]).split(),
        '{"name": "now", "arguments": {',
        "}",
        "]",
        " ",
        "\n",
        "words",
        "<",
        '"',
    ]
    for _ in range(60):
        text = "".join(seeded.choices(parts, k=seeded.randint(1, 9)))
        whole = joined(read(FORMATS[name].new_parser(TOOLS, count_ids), [text]))
        letters = joined(read(FORMATS[name].new_parser(TOOLS, count_ids), list(text)))

        assert letters == whole, text
        if name != "gpt_oss" and not any(isinstance(event, ToolCallStart) for event in whole):
            assert "".join(event.text for event in whole) == text


def test_arguments_come_as_soon_as_they_are_there() -> None:
    parser = FORMATS["hermes"].new_parser(TOOLS, count_ids)

    assert parser.feed('Hi. <tool_call>{"name": "now", "arguments": ') == [ContentDelta("Hi.")]
    assert parser.feed('{"a') == [
        ToolCallStart(0, "call_" + "x" * 24, "now"),
        ToolCallArguments(0, '{"a'),
    ]
    assert parser.feed('": 1') == [ToolCallArguments(0, '": 1')]


def test_words_wait_only_while_they_may_become_a_mark() -> None:
    parser = FORMATS["hermes"].new_parser(TOOLS, count_ids)

    assert parser.feed("a <tool_") == [ContentDelta("a")]
    assert parser.feed("x b") == [ContentDelta(" <tool_x b")]
    assert parser.feed(" ") == []
    assert parser.feed("c") == [ContentDelta(" c")]


def test_an_answer_in_json_does_not_wait_for_its_end() -> None:
    parser = FORMATS["llama3"].new_parser(TOOLS, count_ids)

    assert parser.feed('{"answer": ') == [ContentDelta('{"answer":')]


def test_every_call_has_an_id_of_its_own() -> None:
    numbers = itertools.count()
    text = '<tool_call>{"name": "a"}</tool_call>' * 3

    parser = FORMATS["hermes"].new_parser(TOOLS, lambda count: f"{next(numbers):0{count}}")

    ids = [event.id for event in read(parser, [text]) if isinstance(event, ToolCallStart)]
    assert ids == [f"call_{number:024}" for number in range(3)]


def test_ids_are_random_and_as_the_family_wants_them() -> None:
    def first_id(name: str, text: str) -> str:
        start = read(FORMATS[name].new_parser(TOOLS), [text])[0]
        assert isinstance(start, ToolCallStart)
        return start.id

    one, other = (first_id("hermes", '<tool_call>{"name": "a"}') for _ in range(2))
    mistral = first_id("mistral", "[TOOL_CALLS]now{}")

    assert one != other
    assert len(one) == len("call_") + 24
    assert len(mistral) == 9
    assert mistral.isalnum()


@pytest.mark.parametrize(
    ("value", "schema", "written"),
    [
        ("3", {"type": "integer"}, "3"),
        ("3", {"type": "string"}, '"3"'),
        ("3", None, '"3"'),
        ("3", {}, '"3"'),
        ("three", {"type": "integer"}, '"three"'),
        ("True", {"type": "boolean"}, "true"),
        ("None", {"type": ["string", "null"]}, "null"),
        ("null", {"type": "string"}, '"null"'),
        ("NaN", {"type": "number"}, '"NaN"'),
        ('{"b": 1,\n"a": 2}', {"type": "object"}, '{"b": 1,\n"a": 2}'),
        ('{"b": 1}', {"$ref": "#/$defs/x"}, '{"b": 1}'),
        ("5", {"anyOf": [{"type": "integer"}, {"type": "null"}]}, "5"),
        (" a\n", {"type": "string"}, '" a\\n"'),
    ],
)
def test_a_tagged_value_has_the_type_of_its_schema(
    value: str, schema: object, written: str
) -> None:
    assert typed(value, schema) == written


def test_long_arguments_cost_time_by_their_length() -> None:
    """A grammar that read its text again and again would not end here."""
    fragment = '"k": "' + "v" * 50 + '", '
    parser = FORMATS["hermes"].new_parser(TOOLS, count_ids)

    events = parser.feed('<tool_call>{"name": "now", "arguments": {')
    for _ in range(20_000):
        events += parser.feed(fragment)

    assert len(events) == 20_002


@pytest.mark.parametrize("schema", [{"type": 3}, {"anyOf": 3}, {"type": [3, None]}, {"oneOf": [3]}])
def test_a_schema_that_is_none_leaves_values_as_text(schema):
    assert typed("5", schema) == '"5"'
