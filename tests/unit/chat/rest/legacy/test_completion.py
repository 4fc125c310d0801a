"""The answers of the older endpoint, at once and as a stream."""

import math
import time

from services.chat.models.answers import TokenLogprob, TokenText
from tests.unit.chat.rest.scripted import ScriptedModel, events, grown, place, post, told

LISTS = {
    "tokens": ["Hi", " é", "!"],
    "token_logprobs": [None, -0.5, -9999.0],
    "top_logprobs": [None, {" é": -0.5, " e": -1.0}, {"?": -0.25, "!": -9999.0}],
    "text_offset": [0, 2, 4],
}
PLACES = [
    place("Hi", None),
    place(" é", -0.5, **{" é": -0.5, " e": -1.0}),
    place("!", -math.inf, **{"?": -0.25}),
]


def test_an_answer_has_every_field_in_its_place():
    steps = [[grown("a", choice=1, finish="length")], [grown("b", finish="stop")]]

    answer = told(post(ScriptedModel(steps), path="completions", n=2))

    assert answer.pop("id").startswith("cmpl-")
    assert abs(answer.pop("created") - time.time()) < 60
    assert answer.pop("usage")["total_tokens"] == 12
    assert answer == {
        "object": "text_completion",
        "model": "the-model",
        "system_fingerprint": None,
        "choices": [
            {"text": "b", "index": 0, "logprobs": None, "finish_reason": "stop"},
            {"text": "a", "index": 1, "logprobs": None, "finish_reason": "length"},
        ],
    }


def test_log_probabilities_are_four_lists():
    steps = [[grown("Hi é", logprobs=PLACES[:2])], [grown("!", logprobs=PLACES[2:], finish="stop")]]

    (choice,) = told(post(ScriptedModel(steps), path="completions"))["choices"]

    assert choice["logprobs"] == LISTS


def test_parts_of_one_character_stand_at_its_place():
    halves = [TokenLogprob(TokenText("\ufffd", bytes([byte]), -1.0)) for byte in "é".encode()]
    steps = [[grown("é!", logprobs=[*halves, place("!", -2.0)], finish="stop")]]

    (choice,) = told(post(ScriptedModel(steps), path="completions"))["choices"]

    assert choice["logprobs"]["text_offset"] == [0, 0, 1]
    assert choice["logprobs"]["top_logprobs"][0] == {"\ufffd": -1.0}


def chunk(text, *, index=0, logprobs="null", finish="null", end=""):
    return (
        '{"id":"ID","object":"text_completion","created":0,"model":"the-model",'
        f'"system_fingerprint":null,"choices":[{{"text":"{text}","index":{index},'
        f'"logprobs":{logprobs},"finish_reason":{finish}}}]{end}}}'
    )


def test_a_stream_is_texts_and_an_end():
    steps = [[grown("a"), grown("b", choice=1)], [grown("c", finish="stop")]]

    assert events(post(ScriptedModel(steps), path="completions", stream=True, n=2)) == [
        chunk("a"),
        chunk("b", index=1),
        chunk("c", finish='"stop"'),
        "[DONE]",
    ]


def test_a_stream_goes_on_counting_where_tokens_begin():
    steps = [[grown("Hi", logprobs=PLACES[:1])], [grown("!", logprobs=[place("!", -1.0)])]]

    frames = events(post(ScriptedModel(steps), path="completions", stream=True, logprobs=1))

    assert frames[:2] == [
        chunk(
            "Hi",
            logprobs='{"tokens":["Hi"],"token_logprobs":[null],"top_logprobs":[null],'
            '"text_offset":[0]}',
        ),
        chunk(
            "!",
            logprobs='{"tokens":["!"],"token_logprobs":[-1.0],"top_logprobs":[{"!":-1.0}],'
            '"text_offset":[2]}',
        ),
    ]


def test_usage_comes_last_where_it_is_asked_for():
    options = {"include_usage": True}
    model = ScriptedModel([[grown("a", finish="stop")]])

    frames = events(post(model, path="completions", stream=True, stream_options=options))

    assert frames[0] == chunk("a", finish='"stop"', end=',"usage":null')
    assert '"choices":[],"usage":{"prompt_tokens":5,' in frames[1]
    assert frames[2] == "[DONE]"
