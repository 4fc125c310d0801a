"""Token by token, a text grows to what decoding it at once gives."""

import random
from collections.abc import Sequence

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models

from services.chat.engine.text.pieces import Pieces
from services.chat.engine.text.stream import TextStream
from services.runtime.artifacts import ArtifactError
from tests.unit.chat.properties import same_examples
from tests.unit.chat.test_stop_strings import cut
from tests.unit.chat.tokenizers_of_tests import (
    REAL,
    SPECIAL,
    TEXTS,
    byte_fallback,
    byte_level,
    real,
)

words = st.sampled_from([word for text in TEXTS for word in text.split()])
texts = st.lists(words | st.text(max_size=8), max_size=8).map(" ".join)


def stream(pieces: Pieces, ids: Sequence[int], stops: Sequence[str] = ()) -> tuple[str, str | None]:
    text = TextStream(pieces, stops)
    shown = "".join(map(text.push, ids)) + text.finish()
    return shown, text.stop


@same_examples
@given(ids=st.lists(st.integers(0, 330), max_size=40))
def test_random_tokens_give_the_text_that_decoding_at_once_gives(ids: list[int]) -> None:
    tokenizer = byte_level()

    assert stream(Pieces(tokenizer), ids) == (tokenizer.decode(ids), None)


@same_examples
@given(text=texts, stops=st.lists(words | st.text(min_size=1, max_size=3), max_size=4))
def test_a_text_ends_before_the_first_stop_string(text: str, stops: list[str]) -> None:
    ids = byte_level().encode(text).ids

    assert stream(Pieces(byte_level()), ids, stops) == cut(byte_level().decode(ids), stops)


@same_examples
@given(text=texts)
def test_half_characters_are_never_shown(text: str) -> None:
    ids = byte_level().encode(text).ids
    stream_of_text = TextStream(Pieces(byte_level()))

    shown = ""
    for token in ids:
        shown += stream_of_text.push(token)
        assert text.startswith(shown)
    assert shown + stream_of_text.finish() == text


@same_examples
@given(text=texts)
def test_the_bytes_of_the_tokens_are_the_bytes_of_the_text(text: str) -> None:
    pieces = Pieces(byte_level())

    joined = b"".join(map(pieces.bytes_of, byte_level().encode(text).ids))

    assert joined == text.encode()


def test_a_text_that_ends_within_a_character_says_so() -> None:
    pieces = Pieces(byte_level())
    ids = byte_level().encode("a🚀").ids

    assert stream(pieces, ids[:-1]) == ("a\ufffd", None)
    assert pieces.bytes_of(ids[-1]) == "🚀".encode()[-len(pieces.bytes_of(ids[-1])) :]
    assert pieces.text_of(ids[-1]).startswith("\ufffd")


def test_bytes_of_a_fallback_grow_to_characters() -> None:
    tokenizer = byte_fallback()
    ids = [tokenizer.token_to_id(f"<0x{byte:02X}>") for byte in "é🚀".encode()]
    text = TextStream(Pieces(tokenizer))

    assert [text.push(token) for token in ids] == ["", "é", "", "", "", "🚀"]
    assert tokenizer.decode(ids) == "é🚀"


@same_examples
@given(ids=st.lists(st.integers(0, 265), max_size=30))
def test_tokens_of_a_fallback_give_the_text_that_decoding_at_once_gives(ids: list[int]) -> None:
    tokenizer = byte_fallback()
    expected = tokenizer.decode(ids)

    shown, _ = stream(Pieces(tokenizer), ids)

    if "\ufffd" in expected:  # it writes one for each byte of a run that is wrong anywhere
        joined = b"".join(map(Pieces(tokenizer).bytes_of, (i for i in ids if i)))
        assert shown == joined.removeprefix(b" ").decode("utf-8", "replace")
    else:
        assert shown == expected


def test_the_space_before_the_first_word_is_dropped_as_in_decoding_at_once() -> None:
    tokenizer = byte_fallback()
    start, the, fox = map(tokenizer.token_to_id, ("<s>", "▁the", "▁fox"))

    assert stream(Pieces(tokenizer), [start, the, fox]) == ("the fox", None)
    assert Pieces(tokenizer).bytes_of(the) == b" the"


def test_special_tokens_are_hidden_unless_they_are_asked_for() -> None:
    end, call = map(byte_level().token_to_id, SPECIAL)
    (letter,) = byte_level().encode("x").ids

    assert stream(Pieces(byte_level()), [call, letter, end])[0] == "x"
    assert stream(Pieces(byte_level(), shown=["<|call|>"]), [call, letter, end])[0] == "<|call|>x"
    assert Pieces(byte_level()).text_of(end) == "<|end|>"


def test_an_id_beyond_the_vocabulary_is_no_text() -> None:
    """Graphs have more logits than there are tokens."""
    assert stream(Pieces(byte_level()), [10**6]) == ("", None)


@pytest.mark.parametrize(
    "decoder",
    [
        None,
        decoders.WordPiece(),
        decoders.CTC(),
        decoders.BPEDecoder(),
        decoders.Sequence([decoders.Replace("▁", " "), decoders.Strip(" ", 0, 1)]),
    ],
)
def test_a_decoder_that_cannot_be_taken_apart_is_refused(
    decoder: decoders.Decoder | None,
) -> None:
    tokenizer = tokenizers.Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))  # noqa: S106
    if decoder:
        tokenizer.decoder = decoder

    with pytest.raises(ArtifactError, match="decoder"):
        Pieces(tokenizer)


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", REAL)
@settings(same_examples, max_examples=60)
@given(data=st.data())
def test_real_tokenizers_give_the_text_that_decoding_at_once_gives(
    name: str, data: st.DataObject
) -> None:
    tokenizer = real(name)
    random_ids = st.lists(st.integers(0, tokenizer.get_vocab_size() + 1), max_size=30)
    ids = data.draw(texts.map(lambda text: tokenizer.encode(text).ids) | random_ids)
    expected = tokenizer.decode(ids)

    if name != "phi-3-mini" or "\ufffd" not in expected:
        assert stream(Pieces(tokenizer), ids) == (expected, None)


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", REAL)
def test_every_token_of_real_tokenizers_is_what_decoding_it_gives(name: str) -> None:
    tokenizer = real(name)
    pieces = Pieces(tokenizer)
    vocabulary = range(tokenizer.get_vocab_size())

    wrong = [t for t in vocabulary if stream(pieces, [t])[0] != tokenizer.decode([t])]

    assert wrong == []


@pytest.mark.needs_shared
def test_real_texts_are_cut_before_their_stop_strings(seeded: random.Random) -> None:
    tokenizer = real("phi-2")
    pieces = Pieces(tokenizer)
    text = "\n".join(TEXTS)
    ids = tokenizer.encode(text).ids
    for _ in range(200):
        begin = seeded.randrange(len(text) - 1)
        stop = text[begin : begin + seeded.randint(1, 12)]
        assert stream(pieces, ids, [stop, "never"]) == cut(text, [stop])
