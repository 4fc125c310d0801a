import asyncio
import threading
import time

import numpy as np
import pytest

from services.chat.engine.conversation import (
    Constraint,
    Continuation,
    Conversation,
    Tool,
    ToolChoice,
    Wishes,
)
from services.chat.engine.grammars import Grammars
from services.chat.engine.loop import Engine, Limits
from services.chat.engine.request import Sampling
from services.chat.models.choices import collect
from services.chat.models.model import INLINE_CHARACTERS, ChatModel, Parts
from services.chat.models.prompting import Prompting
from services.chat.models.thread import EngineThread
from services.runtime.errors import (
    ContextLengthError,
    DeadlineError,
    InternalError,
    InvalidRequestError,
    OverloadedError,
)
from services.runtime.registry import Description
from tests.models.chat_folder import TEMPLATE, chat_tokenizer
from tests.unit.chat.conversations import prompts_of
from tests.unit.chat.decoding import Scripted

PATIENCE_S = 20.0
CONTEXT_TOKENS = 256
VOCABULARY = 404
END = 2
HELLO = {"role": "user", "content": "Hello"}


class Writer(Scripted):
    """Says the same text to everybody, in tokens, and ends."""

    def __init__(self, text="Hello, you.", *, slots=2, fails=False):
        super().__init__(slots=slots, vocabulary=VOCABULARY, capacity=CONTEXT_TOKENS)
        self._tokens = [*chat_tokenizer().encode(text).ids, END]
        self._fails = fails
        self.gate = threading.Event()
        self.gate.set()

    def prefill(self, slot, tokens, start):
        super().prefill(slot, tokens, start)
        said = self._said(slot)
        logits = np.full((1, VOCABULARY), np.nan if self._fails else -9, np.float32)
        logits[0, self._tokens[min(said, len(self._tokens) - 1)]] += 50
        return logits

    def decode(self, rows):
        assert self.gate.wait(PATIENCE_S)
        return super().decode(rows)

    def _said(self, slot):
        """Return how much of the answer a slot holds: what follows the prompt's last token."""
        opening = chat_tokenizer().encode("<|im_start|>assistant\n").ids
        held = self.held[slot]
        ends = (n for n in range(len(held), 0, -1) if held[n - len(opening) : n] == opening)
        return len(held) - next(ends, len(held))


def make_model(runner, *, waiting=8, guides_calls=False):
    tokenizer = chat_tokenizer()
    prompting = Prompting(prompts_of(TEMPLATE), tokenizer, tags=None, call_format=None)
    limits = Limits(CONTEXT_TOKENS, VOCABULARY, frozenset({END}), chunk_tokens=64)
    parts = Parts(
        description=Description("cpu", 0, context_length=CONTEXT_TOKENS),
        prompting=prompting,
        grammars=Grammars(
            tokenizer,
            vocabulary=VOCABULARY,
            eos=frozenset({END}),
            call_format=prompting.call_format,
        ),
        advised=Sampling(temperature=0),
        thread=EngineThread(
            Engine(runner, prompting.pieces, limits),
            name="model",
            slots=runner.slots,
            waiting_requests=waiting,
        ),
        guides_calls=guides_calls,
    )
    return ChatModel("model", parts)


def play(scenario, runner=None, **limits):
    """Run a scenario with a model that answers by heart."""
    model = make_model(runner or Writer(), **limits)

    async def bounded():
        return await asyncio.wait_for(scenario(model), PATIENCE_S)

    try:
        return asyncio.run(bounded())
    finally:
        model.close()


def conversation(*messages, **fields):
    return Conversation(messages or (HELLO,), **fields)


async def answer(model, asked=None, **terms):
    """Return the choices of an answer, and what it took."""
    async with model.answer(asked or conversation(), key="", **terms) as answers:
        choices = await collect(answers)
    return choices, answers.usage


def test_a_conversation_is_answered():
    (choice,), usage = play(answer)

    assert choice.content == "Hello, you."
    assert choice.finish == "stop"
    assert usage.model == "model"
    assert usage.prompt_tokens == len(
        chat_tokenizer().encode("<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n").ids
    )
    assert usage.completion_tokens == len(chat_tokenizer().encode("Hello, you.").ids) + 1


def test_a_text_is_continued():
    async def scenario(model):
        asked = Continuation(("a", "b"), Wishes(choices=2, max_tokens=3), echo=True)
        async with model.go_on(asked, key="") as answers:
            return await collect(answers)

    choices = play(scenario)

    assert [choice.content[0] for choice in choices] == ["a", "a", "b", "b"]
    assert {choice.finish for choice in choices} == {"length"}


def test_tokens_are_counted_without_an_answer():
    async def scenario(model):
        counted = await model.count_tokens(conversation())
        return counted, (await answer(model))[1].prompt_tokens

    counted, prompt_tokens = play(scenario)

    assert counted == prompt_tokens


def test_the_makers_advice_counts_where_nothing_is_wished():
    async def scenario(model):
        async with model.answer(conversation(wishes=Wishes(top_p=0.5)), key="k") as answers:
            return answers._mailbox.requests

    (request,) = play(scenario)

    assert (request.sampling.temperature, request.sampling.top_p) == (0, 0.5)
    assert request.key == "k"


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        (conversation({"role": "user", "content": "🚀 " * CONTEXT_TOKENS}), "messages"),
        (conversation({"role": "user", "content": "a" * 10**5}), "messages"),
        (conversation(wishes=Wishes(logit_bias={VOCABULARY: 1.0})), "logit_bias"),
        (conversation(constraint=Constraint("regex", "(", param="regex")), "regex"),
        (
            conversation(
                tools=(Tool("f", None, {"$ref": "#/no"}, param="tools[0].schema"),),
                tool_choice=ToolChoice("required"),
            ),
            "tools[0].schema",
        ),
        (conversation(variables={"messages": []}), "chat_template_kwargs"),
    ],
)
def test_what_the_model_cannot_do_names_its_field(asked, param):
    async def scenario(model):
        with pytest.raises(InvalidRequestError) as refused:
            await answer(model, asked)
        return refused.value, (await answer(model))[0]

    refused, (after,) = play(scenario)

    assert refused.param == param
    assert after.content == "Hello, you."


@pytest.mark.parametrize("guides_calls", [False, True])
def test_calls_are_guided_where_the_settings_say_so(guides_calls):
    async def scenario(model):
        asked = conversation(tools=(Tool("f"),))
        async with model.answer(asked, key="") as answers:
            return answers._mailbox.requests[0].grammar is not None

    assert play(scenario, guides_calls=guides_calls) is guides_calls


def test_token_ids_that_there_are_not_are_refused_before_they_are_looked_up():
    async def scenario(model):
        for token in (-1, VOCABULARY, 2**32, 10**30):
            asked = Continuation(((5, token),), echo=True)
            async with model.go_on(asked, key="") as answers:
                with pytest.raises(InvalidRequestError, match="0 to 403") as refused:
                    await collect(answers)
            assert refused.value.param == "prompt"
        return len(model._parts.prompting.pieces._bytes)

    assert play(scenario) == 0


def test_what_is_long_is_read_in_a_thread_and_what_is_short_at_once():
    async def scenario(model):
        names = []
        write = model._parts.prompting.write

        async def name(asked):
            def noted(*args):
                names.append(threading.current_thread().name)
                return write(*args)

            is_long = asked.is_longer_than(INLINE_CHARACTERS)
            await model._aside(is_long, noted, asked, 10**6)

        for asked in (
            conversation(),
            conversation({"role": "user", "content": "a" * (INLINE_CHARACTERS + 1)}),
            conversation(*[{"role": "user", "content": ""}] * INLINE_CHARACTERS),
            conversation(tools=(Tool("f", "a" * INLINE_CHARACTERS),)),
            conversation(documents=({"text": "a" * INLINE_CHARACTERS},)),
            conversation(variables={"a": [["b"] * INLINE_CHARACTERS]}),
            conversation(
                {"role": "assistant", "tool_calls": [{
                    "id": "a", "function": {"name": "f", "arguments": "a" * INLINE_CHARACTERS}}]}
            ),
        ):  # fmt: skip
            await name(asked)
        return names

    first, *others = play(scenario)

    assert first == "MainThread"
    assert all(name.startswith("prompts-model") for name in others)


def test_a_full_queue_is_told_before_anything_is_read():
    runner = Writer(slots=1)

    async def scenario(model):
        async def one():
            async with model.answer(conversation(), key="") as answers:
                return await collect(answers)

        runner.gate.clear()
        others = [asyncio.create_task(one()) for _ in range(3)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert model._parts.thread.answers == 3
        with pytest.raises(OverloadedError):
            # A grammar that is wrong is not even looked at.
            await answer(model, conversation(constraint=Constraint("regex", "(")))
        with pytest.raises(OverloadedError):
            async with model.go_on(Continuation(("a",)), key=""):
                pass
        runner.gate.set()
        return await asyncio.gather(*others)

    assert len(play(scenario, runner, waiting=2)) == 3


def test_leaving_early_frees_the_slot():
    runner = Writer(slots=1)

    async def scenario(model):
        runner.gate.clear()
        async with model.answer(conversation(), key="") as answers:
            await anext(aiter(answers))
        runner.gate.set()
        return await answer(model)

    (choice,), _ = play(scenario, runner)

    assert choice.content == "Hello, you."


def test_an_answer_that_is_late_is_told_so():
    async def scenario(model):
        with pytest.raises(DeadlineError):
            await answer(model, deadline_s=time.monotonic() - 1)
        return await answer(model, deadline_s=time.monotonic() + 60)

    (choice,), _ = play(scenario)

    assert choice.finish == "stop"


def test_a_failure_is_told_without_detail():
    async def scenario(model):
        with pytest.raises(InternalError, match="Its log tells more"):
            await answer(model)

    play(scenario, Writer(fails=True))


def test_the_cost_is_known_however_an_answer_ends():
    async def scenario(model):
        asked = conversation({"role": "user", "content": "🚀 " * CONTEXT_TOKENS})
        async with model.answer(asked, key="") as answers:
            with pytest.raises(ContextLengthError):
                await collect(answers)
        return answers.usage

    usage = play(scenario)

    assert usage.prompt_tokens > CONTEXT_TOKENS
    assert usage.completion_tokens == 0
    assert usage.told()["output_tokens"] == 0


def test_a_closed_model_has_no_thread_left():
    before = threading.active_count()

    play(answer)

    assert threading.active_count() == before
