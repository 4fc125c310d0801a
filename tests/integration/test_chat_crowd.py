"""Many callers of the chat service at once: nobody's answer depends on who else asks."""

import asyncio
import json

import grpc
import pytest

from tests.integration.chat_harness import HELLO, LONG, hosting, tiny
from tests.integration.harness import until
from tests.models.chat_folder import write_chat_model

WORDS = (
    "Hello!",
    "What is the weather?",
    "🚀 and 🏳️‍🌈",
    "日本",
    "a b c d e f g h",
    "Once upon a time",
)
REQUESTS = (
    {"temperature": 0, "max_tokens": 40},
    {"seed": 1, "max_tokens": 60},
    {"seed": 1, "temperature": 1.7, "max_tokens": 60},
    {"seed": 2, "top_p": 0.7, "top_k": 30, "max_tokens": 50},
    {"seed": 3, "n": 3, "max_tokens": 25},
    {"seed": 4, "stop": ["e"], "max_tokens": 60},
    {"seed": 5, "frequency_penalty": 1.5, "presence_penalty": 1, "max_tokens": 50},
    {"seed": 6, "repetition_penalty": 1.5, "max_tokens": 50},
    {"seed": 7, "logit_bias": {"70": 5}, "max_tokens": 30},
    {"seed": 8, "regex": "([ab]{3} ){5}[日本]+", "max_tokens": 50},
    {"seed": 9, "response_format": {"type": "json_object"}, "max_tokens": 50},
    {"seed": 10, "max_tokens": 1},
)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = write_chat_model(tmp_path_factory.mktemp("crowd"), shape=LONG)
    models = [tiny(folder), tiny(folder, "one", slots=1), tiny(folder, "patient")]
    with hosting(models, waiting_requests=1000, chunk_tokens=16) as hosted:
        yield hosted


def asking(*words):
    return [{"role": "user", "content": text} for text in words]


def test_an_answer_is_the_same_alone_and_in_a_crowd_at_once_and_as_a_stream(service, seeded):
    asked = [
        {**request, "messages": asking(seeded.choice(WORDS) * seeded.randint(1, 4))}
        for request in REQUESTS * 2
    ]

    async def scenario(running):
        alone = [(await running.post(model="one", **fields)).texts for fields in asked]
        whole = await asyncio.gather(*(running.post(**fields) for fields in asked))
        streamed = await asyncio.gather(*(running.post(**fields, stream=True) for fields in asked))
        await running.until_empty()
        return alone, [told.texts for told in whole], [told.texts for told in streamed]

    alone, whole, streamed = service.play(scenario)

    assert whole == alone
    assert streamed == alone
    assert len({str(texts) for texts in alone}) > len(REQUESTS)


def test_five_hundred_callers_share_eight_slots(service):
    async def scenario(running):
        answers = await asyncio.gather(
            *(running.post(seed=number, max_tokens=6, n=1 + number % 2) for number in range(500))
        )
        await running.until_empty()
        again = await running.post(seed=7, max_tokens=6, n=2)
        return answers, again

    answers, again = service.play(scenario)

    assert [len(answer.texts) for answer in answers] == [1 + number % 2 for number in range(500)]
    assert answers[7].texts == again.texts


def test_callers_beyond_the_queue_are_told_when_to_come_back(service):
    async def scenario(running):
        async def ask(number):
            try:
                return (await running.post(model="full", seed=number, max_tokens=9)).text
            except grpc.aio.AioRpcError as error:
                return error

        async with running.occupied("full", slots=2):
            answers = asyncio.gather(*(ask(number) for number in range(50)))
            await until(lambda: running.engine("full").waiting == 10)
            busy = running.busy("full")
        answers = await answers
        await running.until_empty("full")
        return busy, answers, [await ask(number) for number in range(50)]

    models = [tiny(service.running.section.models[0].folder, "full", slots=2)]
    with hosting(models, waiting_requests=10) as small:
        busy, answers, alone = small.play(scenario)

    refused = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert busy == 2
    assert 1 <= len(refused) <= 40
    for error in refused:
        told = dict(error.trailing_metadata())
        error_object = json.loads(told["x-openai-error"])["error"]
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert 1 <= int(told["retry-after"]) <= 120
        assert (error_object["type"], error_object["code"]) == ("requests", "overloaded")
    assert all(one in (two, *refused) for one, two in zip(answers, alone, strict=True))


def test_a_hundred_and_twenty_eight_answers_come_out_of_eight_slots(service):
    async def scenario(running):
        whole, streamed = await asyncio.gather(
            running.post(n=128, seed=1, max_tokens=5),
            running.post(n=128, seed=1, max_tokens=5, stream=True),
        )
        first = await running.post(seed=1, max_tokens=5)
        await running.until_empty()
        return whole, streamed, first

    whole, streamed, first = service.play(scenario)

    assert whole.texts == streamed.texts
    assert len(set(whole.texts)) > 100
    assert whole.texts[0] == first.text
    assert whole.json["usage"]["prompt_tokens"] == first.json["usage"]["prompt_tokens"]


def test_many_prompts_are_continued_in_their_order(service):
    prompts = [f"{number} and" for number in range(60)]

    async def scenario(running):
        together = await running.post(path="completions", prompt=prompts, seed=3, n=2, echo=True)
        alone = [
            await running.post(path="completions", prompt=prompt, seed=3, n=2, echo=True)
            for prompt in prompts[:3]
        ]
        return together.texts, [text for told in alone for text in told.texts]

    together, alone = service.play(scenario)

    assert len(together) == 120
    assert all(text.startswith(f"{place // 2} and") for place, text in enumerate(together))
    assert together[:6] == alone


def test_the_best_answer_is_one_of_those_that_were_made(service):
    asked = {"path": "completions", "seed": 5, "max_tokens": 12}

    async def scenario(running):
        made = await running.post(**asked, n=6, logprobs=0)
        best = await running.post(**asked, n=2, best_of=6)
        told = await running.post(**asked, n=1, best_of=6, logprobs=0)
        return made.json, best.json, told.json

    made, best, told = service.play(scenario)

    def likelihood(choice):
        known = choice["logprobs"]["token_logprobs"]
        return sum(known) / len(known)

    ranked = sorted(made["choices"], key=likelihood, reverse=True)
    assert [choice["text"] for choice in best["choices"]] == [one["text"] for one in ranked[:2]]
    assert [choice["logprobs"] for choice in best["choices"]] == [None, None]
    assert told["choices"][0]["logprobs"] == ranked[0]["logprobs"]
    # All that were made cost.
    assert best["usage"]["completion_tokens"] == made["usage"]["completion_tokens"]


def test_a_caller_with_one_request_does_not_wait_behind_all_of_another_one(service):
    async def scenario(running):
        order = []
        thread = running.served("one")._parts.thread

        async def ask(key):
            metadata = (("x-switchboard-key", key),)
            await running.post(model="one", max_tokens=9, metadata=metadata)
            order.append(key)

        async with running.occupied("one"):
            callers = [asyncio.create_task(ask("greedy")) for _ in range(60)]
            await until(lambda: thread.answers >= 60)
            callers.append(asyncio.create_task(ask("modest")))
            await until(lambda: thread.answers >= 61 or "modest" in order)
        await asyncio.gather(*callers)
        return order

    # Whoever waits longer has been owed more, so "modest" is not the very first.
    assert service.play(scenario).index("modest") < 50


def test_a_prompt_that_was_read_is_not_read_again_and_says_so(service):
    long = [{"role": "user", "content": "a story that goes on " * 4}]

    async def scenario(running):
        first = await running.post(model="patient", messages=long, seed=1, max_tokens=9)
        again = await running.post(model="patient", messages=long, seed=1, max_tokens=9)
        other = await running.post(model="patient", messages=HELLO, seed=1, max_tokens=9)
        return first, again, other

    first, again, other = service.play(scenario)

    usage = again.json["usage"]
    assert first.json["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    assert usage["prompt_tokens_details"]["cached_tokens"] == usage["prompt_tokens"] - 1
    assert again.text == first.text
    assert other.json["usage"]["prompt_tokens_details"]["cached_tokens"] < 9
