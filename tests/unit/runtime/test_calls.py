"""What a call's metadata says."""

import asyncio

import pytest

from services.runtime.calls import Call, current, enter, from_metadata


def call_of(**metadata):
    return from_metadata("/a.B/C", {k.replace("_", "-"): v for k, v in metadata.items()}, "new-id")


def test_a_call_without_metadata_has_a_new_id_and_no_wishes():
    call = call_of()

    assert call.request_id == "new-id"
    assert call.key == ""
    assert not call.strict
    assert call.first_answer_within_s is None
    assert call.usage is None


def test_the_metadata_is_read():
    call = call_of(
        x_request_id="abc",
        x_switchboard_key="key-1",
        x_switchboard_strict="True",
        x_stainless_read_timeout="2.5",
    )

    assert call.method == "/a.B/C"
    assert (call.request_id, call.key, call.strict) == ("abc", "key-1", True)
    assert call.first_answer_within_s == 2.5


@pytest.mark.parametrize("sent", ["é", "日本", "a\nb", "a\x7f", b"bytes"])
def test_a_request_id_that_no_header_may_carry_counts_as_not_sent(sent):
    assert call_of(x_request_id=sent).request_id == "new-id"


def test_a_long_request_id_is_cut():
    assert call_of(x_request_id="x" * 1000).request_id == "x" * 128


@pytest.mark.parametrize("sent", ["soon", "", "-1", "0", "nan", "inf", "1e999", b"5"])
def test_a_timeout_that_is_none_counts_as_not_sent(sent):
    assert call_of(x_stainless_read_timeout=sent).first_answer_within_s is None


@pytest.mark.parametrize("sent", ["false", "1", "yes", ""])
def test_only_true_is_strict(sent):
    assert not call_of(x_switchboard_strict=sent).strict


def test_every_task_has_a_call_of_its_own():
    async def serve(name):
        enter(Call("/a.B/C", name))
        await asyncio.sleep(0)
        return current().request_id

    async def both():
        return await asyncio.gather(serve("one"), serve("two"))

    assert asyncio.run(both()) == ["one", "two"]


def test_a_call_knows_how_long_it_has_taken():
    call = call_of()

    assert 0 <= call.elapsed_s < 60
