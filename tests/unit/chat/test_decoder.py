"""Decoders of every form that exporters write, against the same network in plain numpy."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
import structlog

from services.chat.config import ChatModelSettings
from services.chat.engine.decoder import open_decoder
from services.chat.engine.folder import read_spec
from services.chat.engine.growing_cache import GrowingCacheRunner
from services.chat.engine.runner import Row
from services.chat.engine.shared_cache import SharedCacheRunner
from services.runtime.artifacts import ArtifactError
from services.runtime.onnx import OnnxSession, open_session
from tests.models.decoder import Shape, oracle_greedy, oracle_logits
from tests.models.decoder_folder import write_decoder
from tests.unit.chat.decoding import CPU, SHAPE, WEIGHTS, open_runner, open_shape

SHARED = list(itertools.product(("genai", "transformers"), ("lengths", "input"), (False, True)))


def prompt_of(rng, length):
    return rng.integers(2, SHAPE.vocabulary, size=length).tolist()


@pytest.mark.parametrize(("layout", "positions", "is_pruned"), SHARED)
def test_a_shared_cache_computes_what_the_oracle_does(tmp_path, rng, layout, positions, is_pruned):
    runner = open_runner(tmp_path, layout=layout, positions=positions, is_head_pruned=is_pruned)
    tokens = prompt_of(rng, 30)
    expected = oracle_logits(SHAPE, WEIGHTS, tokens)

    logits = [runner.prefill(2, tokens[:20], 0)]
    logits += [runner.decode([Row(2, tokens[place], place)]) for place in range(20, 30)]

    assert isinstance(runner, SharedCacheRunner)
    np.testing.assert_allclose(np.concatenate(logits), expected[19:], atol=1e-4, rtol=0)


@pytest.mark.parametrize("positions", ["lengths", "input"])
@pytest.mark.parametrize("is_pruned", [False, True])
def test_a_growing_cache_computes_what_the_oracle_does(tmp_path, rng, positions, is_pruned):
    runner = open_runner(
        tmp_path, attention="growing", positions=positions, is_head_pruned=is_pruned
    )
    tokens = prompt_of(rng, 30)
    expected = oracle_logits(SHAPE, WEIGHTS, tokens)

    logits = [runner.prefill(0, tokens[:12], 0), runner.prefill(0, tokens[12:20], 12)]
    logits += [runner.decode([Row(0, tokens[place], place)]) for place in range(20, 30)]

    assert isinstance(runner, GrowingCacheRunner)
    np.testing.assert_allclose(
        np.concatenate(logits), expected[[11, *range(19, 30)]], atol=1e-4, rtol=0
    )


def test_a_past_that_masks_do_not_know_of_is_read_behind_token_by_token(tmp_path, rng):
    with structlog.testing.capture_logs() as logs:
        runner = open_runner(tmp_path, attention="growing", sees_past=False)
    tokens = prompt_of(rng, 30)
    expected = oracle_logits(SHAPE, WEIGHTS, tokens)

    logits = [runner.score(0, tokens[:12], 0), runner.prefill(0, tokens[12:20], 12)]
    logits += [runner.score(0, tokens[20:28], 20), runner.prefill(0, tokens[28:], 28)]

    assert any("token by token" in line["event"] for line in logs)
    np.testing.assert_allclose(
        np.concatenate(logits), expected[[*range(12), 19, *range(20, 28), 29]], atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("context", [2, 3, 4])
@pytest.mark.parametrize("attention", ["grouped", "growing"])
def test_a_context_may_be_very_short(tmp_path, attention, context):
    runner = open_runner(tmp_path, attention=attention, context=context)

    assert runner.prefill(0, [5] * context, 0).shape == (1, SHAPE.vocabulary)


@pytest.mark.parametrize("attention", ["grouped", "growing"])
def test_a_cache_of_half_precision_is_as_near_as_that_allows(tmp_path, rng, attention):
    runner = open_runner(tmp_path, attention=attention, cache="float16")
    tokens = prompt_of(rng, 20)

    logits = runner.prefill(0, tokens, 0)

    expected = oracle_logits(SHAPE, WEIGHTS, tokens)[-1:]
    np.testing.assert_allclose(logits, expected, atol=0.05, rtol=0)


def test_rows_are_the_same_alone_and_in_a_ragged_batch(tmp_path, rng):
    runner = open_runner(tmp_path, slots=7)
    prompts = {slot: prompt_of(rng, length) for slot, length in {0: 3, 2: 25, 3: 11, 6: 17}.items()}
    answers = {slot: [] for slot in prompts}
    logits = {slot: runner.prefill(slot, prompt, 0)[0] for slot, prompt in prompts.items()}

    for _ in range(12):
        rows = []
        for slot, values in logits.items():
            start = len(prompts[slot]) + len(answers[slot])
            answers[slot].append(int(values.argmax()))
            rows.append(Row(slot, answers[slot][-1], start))
        logits = dict(zip(prompts, runner.decode(rows), strict=True))

    for slot, prompt in prompts.items():
        assert answers[slot] == oracle_greedy(SHAPE, WEIGHTS, prompt, 12)


def test_rows_that_idle_keep_their_tokens(tmp_path, rng):
    """A step writes behind them, also while their own prompt is read in parts."""
    runner = open_runner(tmp_path, slots=3)
    tokens = prompt_of(rng, 40)
    runner.prefill(0, tokens[:5], 0)
    runner.prefill(2, tokens[:7], 0)
    runner.prefill(1, tokens[:20], 0)
    for place in range(6):
        runner.decode([Row(0, 5, 5 + place), Row(2, 6, 7 + place)])

    logits = runner.prefill(1, tokens[20:], 20)

    expected = oracle_logits(SHAPE, WEIGHTS, tokens)[-1:]
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=0)


def test_a_copied_prefix_is_as_good_as_a_computed_one(tmp_path, rng):
    runner = open_runner(tmp_path)
    tokens = prompt_of(rng, 30)
    whole = runner.prefill(0, tokens, 0)

    runner.copy(0, 3, 21)
    runner.prefill(0, prompt_of(rng, 30), 0)
    for place in range(30, 35):
        runner.decode([Row(0, 5, place), Row(4, 5, place - 30)])

    np.testing.assert_array_equal(runner.prefill(3, tokens[21:], 21), whole)


class Device(OnnxSession):
    """The CPU, under the name of a device."""

    @property
    def provider(self):
        return "cuda"


@pytest.mark.parametrize("session_type", [OnnxSession, Device])
def test_any_rows_side_by_side_can_be_computed(tmp_path, session_type):
    spec = read_spec(write_decoder(tmp_path, SHAPE, WEIGHTS))
    session = session_type(open_session(spec.path, CPU)._session, "cpu")
    runner = SharedCacheRunner(session, spec, slots=5, capacity=8)
    expected = oracle_logits(SHAPE, WEIGHTS, [7])
    for first in range(5):
        for end in range(first + 1, 6):
            logits = runner.decode([Row(slot, 7, 0) for slot in range(first, end)])
            for row in logits:
                np.testing.assert_allclose(row, expected[0], atol=1e-4, rtol=0)

    counts = {count for _, count in runner._bound}
    assert counts == ({1, 2, 3, 4, 5} if session.provider == "cpu" else {1, 2, 4, 5})


@pytest.mark.parametrize("attention", ["grouped", "growing"])
def test_a_head_that_was_not_found_gives_what_is_asked_for_all_the_same(tmp_path, rng, attention):
    spec = read_spec(write_decoder(tmp_path, SHAPE, WEIGHTS, attention=attention))
    session = open_session(spec.path, CPU)
    tokens = prompt_of(rng, 20)
    expected = oracle_logits(SHAPE, WEIGHTS, tokens)
    runner = (
        SharedCacheRunner(session, spec, slots=2, capacity=20)
        if attention == "grouped"
        else GrowingCacheRunner(session, spec, capacity=20)
    )

    parts = [
        runner.prefill(0, tokens[:7], 0),
        runner.prefill(0, tokens[7:12], 7),
        runner.score(0, tokens[12:17], 12),
        runner.decode([Row(0, tokens[17], 17)]),
        runner.prefill(0, tokens[18:], 18),
    ]

    places = [6, 11, 12, 13, 14, 15, 16, 17, 19]
    np.testing.assert_allclose(np.concatenate(parts), expected[places], atol=1e-4, rtol=0)


@pytest.mark.parametrize("attention", ["grouped", "growing"])
@pytest.mark.parametrize("form", [{}, {"keeps_logits": True}, {"is_head_pruned": True}])
def test_a_prompt_is_scored_token_by_token_in_parts(tmp_path, rng, attention, form):
    runner = open_runner(tmp_path, attention=attention, **form)
    tokens = prompt_of(rng, 30)

    logits = [runner.score(0, tokens[:11], 0), runner.score(0, tokens[11:29], 11)]
    logits.append(runner.decode([Row(0, tokens[29], 29)]))

    expected = oracle_logits(SHAPE, WEIGHTS, tokens)
    np.testing.assert_allclose(np.concatenate(logits), expected, atol=1e-4, rtol=0)


def test_scores_stay_while_others_are_computed(tmp_path, rng):
    runner = open_runner(tmp_path)
    tokens = prompt_of(rng, 9)
    scores = runner.score(0, tokens, 0)
    before = scores.copy()

    runner.score(0, tokens[::-1], 0)

    np.testing.assert_array_equal(scores, before)


@pytest.mark.parametrize(("context", "length"), [(96, 60), (20, 16)])
def test_tokens_see_no_further_than_their_window(tmp_path, rng, context, length):
    """The export would have caches as long as the window; here they hold the whole context."""
    shape = dataclasses.replace(SHAPE, window=24)
    runner = open_shape(shape, tmp_path, context=context)
    tokens = prompt_of(rng, length)
    expected = oracle_logits(shape, WEIGHTS, tokens)

    logits = [runner.score(1, tokens[: length - 9], 0)]
    logits.append(runner.prefill(1, tokens[length - 9 : length - 5], length - 9))
    runner.copy(1, 3, length - 5)
    logits += [runner.decode([Row(3, tokens[n], n)]) for n in range(length - 5, length)]

    places = [*range(length - 9), *range(length - 6, length)]
    np.testing.assert_allclose(np.concatenate(logits), expected[places], atol=1e-4, rtol=0)


def test_rows_that_idle_with_all_their_room_taken_keep_what_can_be_shared(tmp_path, rng):
    runner = open_runner(tmp_path, slots=3, context=20)
    tokens = prompt_of(rng, 20)
    for slot in (0, 2):
        runner.prefill(slot, tokens[:5], 0)
    runner.prefill(1, tokens, 0)

    runner.decode([Row(0, 5, 5), Row(2, 6, 5)])

    expected = oracle_logits(SHAPE, WEIGHTS, tokens)[-1:]
    np.testing.assert_allclose(runner.prefill(1, tokens[19:], 19), expected, atol=1e-4, rtol=0)


def test_what_a_slot_held_before_does_not_matter(tmp_path, rng):
    """Not even numbers that are not finite: nothing that is masked is multiplied."""
    runner = open_runner(tmp_path, slots=3)
    for buffer in runner._cache._buffers.values():
        buffer.owner.fill(np.nan)
    tokens = prompt_of(rng, 20)
    expected = oracle_logits(SHAPE, WEIGHTS, tokens)

    logits = [runner.score(slot, tokens[:length], 0)[-1:] for slot, length in ((0, 15), (2, 3))]
    logits.append(runner.decode([Row(0, tokens[15], 15), Row(2, tokens[3], 3)]))

    np.testing.assert_allclose(np.concatenate(logits), expected[[14, 2, 15, 3]], atol=1e-4, rtol=0)


def test_weights_outside_the_graph_are_found_when_the_head_was_pruned(tmp_path, rng):
    runner = open_runner(tmp_path, are_weights_outside=True, head="scaled")
    tokens = prompt_of(rng, 9)
    expected = 30 * np.tanh(oracle_logits(SHAPE, WEIGHTS, tokens)[-1:] / 30)

    np.testing.assert_allclose(runner.prefill(0, tokens, 0), expected, atol=1e-4, rtol=0)


def test_a_graph_whose_past_grows_says_that_it_serves_one_sequence_at_a_time(tmp_path):
    with structlog.testing.capture_logs() as logs:
        runner = open_runner(tmp_path, attention="growing", slots=8)

    assert runner.slots == 1
    assert any("one sequence at a time" in line["event"] for line in logs)


def test_the_context_is_what_settings_and_model_allow(tmp_path):
    assert open_runner(tmp_path / "model").capacity_tokens == SHAPE.context
    assert open_runner(tmp_path / "told", context=20).capacity_tokens == 20
    with pytest.raises(ArtifactError, match="context is 96 tokens, but context_tokens is 97"):
        open_runner(tmp_path / "more", context=97)


def test_a_long_context_is_shortened_where_nobody_asks_for_it(tmp_path):
    shape = Shape(context=9000)
    write_decoder(tmp_path, shape)

    for told, expected in ((None, 8192), (9000, 9000)):
        settings = ChatModelSettings(id="tiny", folder=tmp_path, slots=1, context_tokens=told)
        assert open_decoder(settings, CPU).runner.capacity_tokens == expected


def test_a_graph_with_other_layers_than_the_folder_says_is_refused(tmp_path):
    write_decoder(tmp_path, SHAPE, WEIGHTS)
    config = json.loads((tmp_path / "config.json").read_text())
    settings = ChatModelSettings(id="tiny", folder=tmp_path)
    for layers, message in ((3, "lacks past_key_values.2.key"), (1, "nobody fills")):
        config["num_hidden_layers"] = layers
        (tmp_path / "config.json").write_text(json.dumps(config))
        with pytest.raises(ArtifactError, match=message):
            open_decoder(settings, CPU)


def test_a_graph_that_fails_on_its_first_token_is_refused(tmp_path):
    write_decoder(tmp_path, SHAPE, WEIGHTS)
    config = json.loads((tmp_path / "config.json").read_text())
    config["head_dim"] = 8
    (tmp_path / "config.json").write_text(json.dumps(config))

    with pytest.raises(ArtifactError, match="a run with one token fails"):
        open_decoder(ChatModelSettings(id="tiny", folder=tmp_path), CPU)
