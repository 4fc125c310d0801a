"""The events of a streamed chat, byte for byte."""

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from services.chat.engine.events import (
    ReasoningDelta,
    ToolCallArguments,
    ToolCallEnd,
    ToolCallStart,
)
from services.runtime.calls import Call
from services.runtime.errors import DeadlineError, InternalError
from tests.unit.chat.rest.scripted import (
    ScriptedModel,
    events,
    grown,
    place,
    post,
    visit,
)

HEAD = (
    '{"id":"ID","object":"chat.completion.chunk","created":0,"model":"the-model",'
    '"system_fingerprint":null,'
)
ROLE = '{"role":"assistant","content":""}'
USAGE = (
    '{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12,'
    '"prompt_tokens_details":{"cached_tokens":2,"audio_tokens":0},'
    '"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,'
    '"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}'
)


def stream(*steps, **body):
    return events(post(ScriptedModel(steps), stream=True, **body))


def chunk(delta, *, index=0, logprobs="null", finish="null", end=""):
    return (
        f'{HEAD}"choices":[{{"index":{index},"delta":{delta},'
        f'"logprobs":{logprobs},"finish_reason":{finish}}}]{end}}}'
    )


def said(text, **rest):
    return chunk(f'{{"content":"{text}"}}', **rest)


def test_a_stream_is_a_role_then_words_then_an_end():
    assert stream([grown("Hel")], [grown("lo")], [grown(finish="stop")]) == [
        chunk(ROLE),
        said("Hel"),
        said("lo"),
        chunk("{}", finish='"stop"'),
        "[DONE]",
    ]


def test_all_chunks_of_a_stream_have_one_id():
    messages = post(ScriptedModel([[grown("a")], [grown("b", finish="stop")]]), stream=True)

    frames = b"".join(message.data for message in messages).split(b"\n\n")[:-2]
    assert len({frame.partition(b'"object"')[0] for frame in frames}) == 1
    assert frames[0].startswith(b'data: {"id":"chatcmpl-')


def test_what_comes_at_a_time_leaves_in_one_message():
    steps = [[grown("a", finish="stop"), grown("b", choice=1)], [grown(choice=1, finish="length")]]

    messages = post(ScriptedModel(steps), stream=True, n=2)

    assert [message.data.count(b"data: ") for message in messages] == [5, 1, 1]


def test_each_choice_begins_with_its_role_and_ends_for_itself():
    steps = [
        [grown("a"), grown("b", choice=1)],
        [grown("c", choice=1, finish="length")],
        [grown("d", finish="stop")],
    ]

    assert stream(*steps, n=2) == [
        chunk(ROLE),
        said("a"),
        chunk(ROLE, index=1),
        said("b", index=1),
        said("c", index=1),
        chunk("{}", index=1, finish='"length"'),
        said("d"),
        chunk("{}", finish='"stop"'),
        "[DONE]",
    ]


def test_usage_comes_last_where_it_is_asked_for_and_is_null_before():
    options = {"include_usage": True, "include_obfuscation": True}

    assert stream([grown("a", finish="stop")], stream_options=options) == [
        chunk(ROLE, end=',"usage":null'),
        said("a", end=',"usage":null'),
        chunk("{}", finish='"stop"', end=',"usage":null'),
        f'{HEAD}"choices":[],"usage":{USAGE}}}',
        "[DONE]",
    ]


def test_calls_count_up_and_are_named_once():
    steps = [
        [grown("So.", ToolCallStart(0, "call_1", "add"), ToolCallArguments(0, '{"a"'))],
        [grown(ToolCallArguments(0, ":1}"), ToolCallEnd(0), ToolCallStart(1, "call_2", "now"))],
        [grown(ToolCallArguments(1, "{}"), ToolCallEnd(1), finish="tool_calls")],
    ]
    call = '{{"tool_calls":[{{"index":{},{}"function":{{{}}}}}]}}'

    assert stream(*steps) == [
        chunk(ROLE),
        said("So."),
        chunk(call.format(0, '"id":"call_1","type":"function",', '"name":"add","arguments":""')),
        chunk(call.format(0, "", '"arguments":"{\\"a\\""')),
        chunk(call.format(0, "", '"arguments":":1}"')),
        chunk(call.format(1, '"id":"call_2","type":"function",', '"name":"now","arguments":""')),
        chunk(call.format(1, "", '"arguments":"{}"')),
        chunk("{}", finish='"tool_calls"'),
        "[DONE]",
    ]


def test_thoughts_are_told_apart_from_words():
    assert stream([grown(ReasoningDelta("Hm."), "Yes.", finish="stop")]) == [
        chunk(ROLE),
        chunk('{"reasoning_content":"Hm."}'),
        said("Yes."),
        chunk("{}", finish='"stop"'),
        "[DONE]",
    ]


def test_log_probabilities_come_once_with_the_first_chunk_of_their_growth():
    steps = [
        [grown(logprobs=[place("\ufffd", -1.0)])],
        [grown("a", ReasoningDelta("b"), logprobs=[place("c", -0.5, d=-2.0)], finish="stop")],
    ]
    held = '{"token":"\ufffd","logprob":-1.0,"bytes":[239,191,189],"top_logprobs":[]}'
    top = '{"token":"d","logprob":-2.0,"bytes":[100]}'
    place_of_c = f'{{"token":"c","logprob":-0.5,"bytes":[99],"top_logprobs":[{top}]}}'

    assert stream(*steps, logprobs=True) == [
        chunk(ROLE),
        said("", logprobs=f'{{"content":[{held}],"refusal":null}}'),
        said("a", logprobs=f'{{"content":[{place_of_c}],"refusal":null}}'),
        chunk('{"reasoning_content":"b"}'),
        chunk("{}", finish='"stop"'),
        "[DONE]",
    ]


def test_a_text_breaks_no_event():
    assert stream([grown('\r\n\n"\\\u2028😀')])[1] == said('\\r\\n\\n\\"\\\\\u2028😀')


def test_an_error_before_the_first_event_is_no_stream():
    with pytest.raises(DeadlineError):
        stream(DeadlineError("Too late."))


def test_an_error_in_a_stream_is_its_last_event():
    assert stream([grown("a")], DeadlineError("Too late."), [grown("b")])[2:] == [
        '{"error":{"message":"Too late.","type":"server_error","param":null,"code":"timeout"}}'
    ]


def test_what_nobody_expected_is_logged_and_told_without_detail():
    model = ScriptedModel([[grown("a")], TimeoutError("the secret")])

    with capture_logs() as logs:
        frames = events(post(model, Call("/a.B/C", "request-7"), stream=True))

    assert json.loads(frames[-1]) == InternalError().body()
    (line,) = logs
    assert (line["event"], line["request_id"]) == ("stream failed", "request-7")
    assert str(line["exc_info"]) == "the secret"


def test_a_silent_stream_says_that_it_lives_and_loses_nothing():
    async def read(messages):
        frames = [await anext(messages), await anext(messages)]
        waits[0].set()
        frames.append(await anext(messages))
        frames.append(await anext(messages))
        waits[1].set()
        return frames + [message async for message in messages]

    waits = [asyncio.Event(), asyncio.Event()]
    model = ScriptedModel([waits[0], [grown("a")], waits[1], [grown("b", finish="stop")]])
    messages = visit(model, read, stream=True, ping_after_s=0.02)

    assert events(messages) == [
        ": ping",
        ": ping",
        chunk(ROLE),
        said("a"),
        ": ping",
        said("b"),
        chunk("{}", finish='"stop"'),
        "[DONE]",
    ]


def test_an_error_behind_a_ping_is_told_in_the_stream():
    async def read(messages):
        frames = [await anext(messages)]
        wait.set()
        return frames + [message async for message in messages]

    wait = asyncio.Event()
    model = ScriptedModel([wait, DeadlineError("Too late.")])

    ping, error = events(visit(model, read, stream=True, ping_after_s=0.02))

    assert ping == ": ping"
    assert error.startswith('{"error":{"message":"Too late."')


def test_growth_that_nobody_reads_sends_nothing():
    assert stream([grown("a")], [grown(ToolCallEnd(0))])[2:] == ["[DONE]"]
