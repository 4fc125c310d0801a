"""A real model of 260,000 weights tells the story that its makers recorded."""

import json
from pathlib import Path

import pytest
import tokenizers
from safetensors.numpy import load_file

from services.chat.config import ChatModelSettings
from services.chat.engine.decoder import open_decoder
from services.chat.engine.text.pieces import Pieces
from tests.models.decoder import Shape, llama_weights
from tests.models.decoder_folder import write_decoder
from tests.unit.chat.decoding import CPU, answer_one, ask, make_engine

STORIES = Path(__file__).parents[4] / "shared/data/models/stories260k"

pytestmark = [
    pytest.mark.needs_shared,
    pytest.mark.skipif(not STORIES.is_dir(), reason="needs the model beside the repository"),
]


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    """Its heads are 8 wide, too narrow for GroupQueryAttention."""
    config = json.loads((STORIES / "config.json").read_text())
    shape = Shape(
        vocabulary=config["vocab_size"],
        width=config["hidden_size"],
        inner_width=config["intermediate_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        head=config["hidden_size"] // config["num_attention_heads"],
        context=config["max_position_embeddings"],
        theta=config["rope_theta"],
        epsilon=config["rms_norm_eps"],
    )
    weights = llama_weights(load_file(STORIES / "model.safetensors"))
    folder = write_decoder(
        tmp_path_factory.mktemp("stories"), shape, weights, attention="growing", eos=2
    )
    return open_decoder(ChatModelSettings(id="stories", folder=folder), CPU).runner


@pytest.fixture(scope="module")
def pieces():
    return Pieces(tokenizers.Tokenizer.from_file(str(STORIES / "tokenizer.json")))


def test_it_tells_the_recorded_story_token_by_token(runner, pieces):
    expected = json.loads((STORIES / "expected_ids.json").read_text())
    story = (STORIES / "expected_greedy_200.txt").read_text()

    answer = answer_one(make_engine(runner, eos=[2], pieces=pieces), ask([1], max_tokens=200))

    assert [1, *answer.tokens] == expected
    assert answer.text.strip() == story.strip()


def test_it_goes_on_with_a_story_from_the_middle_of_a_prompt(runner, pieces):
    expected = json.loads((STORIES / "expected_ids.json").read_text())
    engine = make_engine(runner, eos=[2], pieces=pieces, chunk=32)

    answer = answer_one(engine, ask(expected[:100], max_tokens=101))

    assert answer.tokens == expected[100:]
