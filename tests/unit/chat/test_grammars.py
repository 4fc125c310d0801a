"""What masks allow: tokens as the model has them, an end where it may end, and nothing shared."""

import random
import threading

import numpy as np
import pytest
import tokenizers

from services.chat.engine.conversation import Constraint, Continuation, Conversation
from services.chat.engine.grammars import Grammars
from services.chat.engine.grammars.vocabulary import Vocabulary
from services.chat.engine.text.pieces import Pieces
from services.chat.engine.tool_calls.formats import FORMATS
from services.runtime.errors import InvalidRequestError
from tests.unit.chat.grammar_walks import ENDS, MESSAGES, THINK, Model, wanting
from tests.unit.chat.tokenizers_of_tests import REAL, byte_fallback, byte_level, real


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


def test_an_answer_that_nobody_restrains_is_free(model: Model) -> None:
    assert model.grammars.of_conversation(Conversation(MESSAGES)) is None
    assert model.grammars.of_continuation(Continuation(("Once",))) is None


def test_a_mask_has_a_bit_for_every_id_that_the_model_has(model: Model) -> None:
    grammar = model.grammar(wanting("regex", "(?s:.*)"))

    mask = grammar.mask()

    assert mask.dtype == np.uint32
    assert len(mask) == (model.vocabulary + 31) // 32
    assert max(model.allowed(grammar)) < model.tokenizer.get_vocab_size(), "padding is no token"


def test_all_tokens_that_end_an_answer_end_it_and_only_where_it_may_end(model: Model) -> None:
    grammar = model.grammar(wanting("choice", ["yes", "yes, sir"]))
    ends = list[bool]()
    for token in model.tokenizer.encode("yes, sir").ids:
        ends.append(model.eos <= {*model.allowed(grammar)})
        assert ends[-1] or not model.eos & {*model.allowed(grammar)}
        grammar.accept(token)

    assert {*model.allowed(grammar)} == model.eos, "nothing else is left"
    assert ends.count(True) == 1
    assert not ends[0]


def test_ids_of_ends_that_the_model_lacks_are_passed_over() -> None:
    tokenizer = byte_level()
    grammars = Grammars(
        tokenizer, vocabulary=320, eos=frozenset({0, 5000}), call_format=FORMATS["hermes"]
    )

    assert grammars.of_conversation(wanting("json_object")) is not None


def test_a_model_whose_answers_nothing_ends_is_not_restrained() -> None:
    grammars = Grammars(
        byte_level(), vocabulary=320, eos=frozenset(), call_format=FORMATS["hermes"]
    )

    assert grammars.of_conversation(Conversation(MESSAGES)) is None
    with pytest.raises(InvalidRequestError, match="no token of this model ends an answer"):
        grammars.of_conversation(wanting("json_object"))


def test_special_tokens_are_no_text(model: Model) -> None:
    grammar = model.grammar(wanting("regex", "(?s:.*)"))

    special = {model.tokenizer.token_to_id(mark) for mark in ("<tool_call>", "<|end|>")}

    assert not special & {*model.allowed(grammar)}


@pytest.mark.parametrize(
    "name",
    [
        "byte_level",
        "byte_fallback",
        *(pytest.param(name, marks=pytest.mark.needs_shared) for name in REAL),
    ],
)
def test_llguidance_and_the_engine_agree_on_the_bytes_of_every_token(name: str) -> None:
    ours = {"byte_level": byte_level, "byte_fallback": byte_fallback}
    tokenizer = ours[name]() if name in ours else real(name)
    size = tokenizer.get_vocab_size() + 3
    pieces = Pieces(tokenizer)

    tokens = Vocabulary(tokenizer, size=size, eos=frozenset({size - 1}), marks=()).tokens

    assert tokens.vocab_size == size
    for token in range(tokenizer.get_vocab_size()):
        if pieces.bytes_of(token):
            # A byte that UTF-8 never has is llguidance's sign of special tokens.
            expected = pieces.bytes_of(token).removeprefix(b"\xff")
            assert tokens.decode_bytes([token]) == expected, token


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", ["phi-2", "phi-3-mini", "whisper.tiny"])
def test_a_published_tokenizer_writes_what_it_is_held_to(name: str) -> None:
    published = Model(tokenizer=real(name), eos=["<|endoftext|>"])
    text = '{"größe": [1.5e3, null, "👩‍🚀 \\"quoted\\""], "b": {}}'

    grammar = published.grammar(wanting("json_object"))
    chosen = published.walk(published.grammar(wanting("choice", ["Zürich 👩‍🚀"])), random.Random(1))

    assert published.takes(grammar, text)
    assert chosen == "Zürich 👩‍🚀"


def test_choices_of_one_request_go_their_own_ways(model: Model) -> None:
    new_grammar = model.grammars.of_conversation(wanting("choice", ["no", "yes"]))
    assert new_grammar is not None
    one, other = new_grammar(), new_grammar()

    one.accept(model.tokenizer.token_to_id("y"))

    assert model.tokenizer.token_to_id("n") in model.allowed(other)
    assert model.tokenizer.token_to_id("n") not in model.allowed(one)


@pytest.mark.parametrize("times", [1, 40])
def test_a_text_that_has_to_come_comes_in_the_usual_tokens(model: Model, times: int) -> None:
    text = "The quick brown fox jumps over the lazy dog. Zürich 👩‍🚀 {" * times
    grammar = model.grammar(wanting("choice", [text]))

    for token in model.tokenizer.encode(text).ids[:-3]:
        assert model.allowed(grammar) == [token]
        grammar.accept(token)


def test_half_characters_come_only_as_beginnings_of_whole_ones(model: Model) -> None:
    grammar = model.grammar(wanting("choice", ["🚀"]))
    ids = model.tokenizer.encode("🚀").ids
    assert len(ids) > 1, "the test wants a character of several tokens"

    for token in ids:
        assert not model.eos & {*model.allowed(grammar)}
        grammar.accept(token)

    assert model.eos <= {*model.allowed(grammar)}


def test_a_space_that_is_no_part_of_the_text_may_come_first() -> None:
    tokenizer = tokenizers.Tokenizer.from_str(byte_fallback().to_str())
    tokenizer.add_special_tokens(list(ENDS))
    model = Model(tokenizer=tokenizer)
    space = tokenizer.token_to_id("▁")

    grammar = model.grammar(wanting("choice", ["fox"]))

    assert space in model.allowed(grammar)
    grammar.accept(space)
    assert model.walk(grammar, random.Random(1)) == "fox"
    thinking = Model(tags=THINK, tokenizer=tokenizer)
    assert space not in thinking.allowed(thinking.grammar(wanting("choice", ["fox"])))


def test_continuations_are_restrained_without_thoughts() -> None:
    model = Model(tags=THINK)
    constraint = Constraint("choice", ["yes"])

    new_grammar = model.grammars.of_continuation(Continuation(("Well?",), constraint=constraint))

    assert new_grammar is not None
    assert model.allowed(new_grammar()) == [model.tokenizer.token_to_id("y")]


def test_an_answer_that_strays_from_its_grammar_has_no_tokens_left(model: Model) -> None:
    wanted = wanting("choice", ["yes"])
    grammar = model.grammar(wanted)

    grammar.accept(model.tokenizer.token_to_id("n"))

    assert not grammar.mask().any()
    assert model.grammar(wanted).mask().any()


@pytest.mark.needs_shared
def test_an_answer_fails_where_its_grammar_is_more_than_can_be_followed() -> None:
    """Its tokens run out; whoever asks the same again begins anew."""
    model = Model(tokenizer=real("phi-2"), eos=["<|endoftext|>"])
    wanted = wanting("regex", r"(\p{L}|\p{N}){1,500}[\w-]{0,500}")
    new_grammar = model.grammars.of_conversation(wanted)
    assert new_grammar is not None
    grammar = new_grammar()
    for _ in range(500):
        if not grammar.mask().any():
            break
        grammar.accept(model.tokenizer.token_to_id("a"))

    assert not grammar.mask().any()
    assert not new_grammar().mask().any(), "answers to one request share what is known"
    assert model.grammar(wanted).mask().any()


def test_grammars_are_compiled_by_many_threads_at_once(model: Model) -> None:
    failures = list[BaseException]()

    def compile_some(name: int) -> None:
        try:
            for number in range(30):
                wanted = wanting("choice", [f"{name % 2}-{number}"])
                assert model.walk(model.grammar(wanted), random.Random(1)) == f"{name % 2}-{number}"
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    threads = [threading.Thread(target=compile_some, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures
