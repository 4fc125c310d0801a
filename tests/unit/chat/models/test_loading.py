import threading

import pytest
import tokenizers
from structlog.testing import capture_logs

from services.chat.config import ChatModelSettings, ChatSettings
from services.chat.models.loading import load_model
from services.runtime.artifacts import ArtifactError
from tests.models.chat_folder import SHAPE, chat_tokenizer, write_chat_model

SERVICE = ChatSettings(threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_chat_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def load():
    """Loads models, and closes them after the test."""
    loaded = []

    def loading(folder, service=SERVICE, **settings):
        told = ChatModelSettings(id="tiny", folder=folder, provider="cpu", **settings)
        loaded.append(load_model(told, service))
        return loaded[-1]

    yield loading
    for model in loaded:
        model.close()


def engine(model):
    return model._parts.thread._engine


def test_a_model_tells_what_it_is(folder, load):
    model = load(folder, slots=3)

    assert model.name == "tiny"
    assert model.description.provider == "cpu"
    assert model.description.context_length == SHAPE.context
    assert model.description.created > 0
    assert model.description.memory_bytes > (folder / "onnx/model.onnx").stat().st_size
    assert model.is_alive()
    assert engine(model)._runner.slots == 3


def test_a_shorter_context_takes_less_memory(folder, load):
    short, long = load(folder, context_tokens=64), load(folder)

    assert short.description.context_length == 64
    assert short.description.memory_bytes < long.description.memory_bytes


@pytest.mark.parametrize("told", [{}, {"guided_calls": False}, {"guided_calls": True}])
def test_calls_are_guided_where_the_table_says_so(folder, load, told):
    assert load(folder, **told)._parts.guides_calls is told.get("guided_calls", False)


@pytest.mark.parametrize(("told", "tokens"), [(0, 128), (7, 7)])
def test_prompts_are_read_in_chunks(folder, load, told, tokens):
    model = load(folder, ChatSettings(threads=1, chunk_tokens=told))

    assert engine(model)._limits.chunk_tokens == tokens


def test_an_answer_ends_with_the_tokens_of_its_config_and_with_that_of_its_template(tmp_path, load):
    folder = write_chat_model(tmp_path, eos=(0, 7))

    ends = engine(load(folder))._limits.eos

    assert ends == {0, 7, chat_tokenizer().token_to_id("<|im_end|>")}


@pytest.mark.parametrize("told", ['{"eos_token": {"content": "<|im_end|>"}}', "{}"])
def test_the_end_may_be_told_as_an_object_or_not_at_all(tmp_path, load, told):
    folder = write_chat_model(tmp_path, eos=(0,))
    (folder / "tokenizer_config.json").write_text(told)

    end = {chat_tokenizer().token_to_id("<|im_end|>")} if "content" in told else set()
    assert engine(load(folder))._limits.eos == {0} | end


def test_a_model_whose_answers_never_end_says_so_in_the_log(tmp_path, load):
    folder = write_chat_model(tmp_path, eos=())
    (folder / "tokenizer_config.json").unlink()
    (folder / "config.json").write_text((folder / "config.json").read_text().replace("eos", "no"))
    (folder / "generation_config.json").unlink()

    with capture_logs() as lines:
        model = load(folder)

    assert engine(model)._limits.eos == frozenset()
    assert any("no token ends an answer" in line["event"] for line in lines)


def test_a_model_without_a_chat_template_says_so_in_the_log(tmp_path, load):
    with capture_logs() as lines:
        load(write_chat_model(tmp_path, template=""))

    assert any("no chat template" in line["event"] for line in lines)


BROKEN = {
    "no tokenizer": lambda folder: (folder / "tokenizer.json").unlink(),
    "no graph": lambda folder: (folder / "onnx/model.onnx").unlink(),
    "no config": lambda folder: (folder / "config.json").unlink(),
    "a broken template": lambda folder: (folder / "chat_template.jinja").write_text("{% if %}"),
    "a broken graph": lambda folder: (folder / "onnx/model.onnx").write_bytes(b"\xff" * 100),
    "too few layers": lambda folder: (folder / "config.json").write_text(
        (folder / "config.json").read_text().replace('layers": 2', 'layers": 3')
    ),
    "a decoder of words": lambda folder: save_words(folder / "tokenizer.json"),
}


def save_words(path):
    tokenizer = tokenizers.Tokenizer.from_str(chat_tokenizer().to_str())
    tokenizer.decoder = tokenizers.decoders.WordPiece()
    tokenizer.save(str(path))


@pytest.mark.parametrize("harm", BROKEN.values(), ids=BROKEN)
def test_a_folder_that_cannot_be_served_is_named_and_leaves_no_thread(tmp_path, load, harm):
    folder = write_chat_model(tmp_path / "broken")
    harm(folder)
    before = threading.active_count()

    with pytest.raises(ArtifactError, match="broken"):
        load(folder)

    assert threading.active_count() == before


def test_closing_ends_the_threads(folder):
    before = threading.active_count()
    model = load_model(ChatModelSettings(id="tiny", folder=folder, provider="cpu"), SERVICE)
    assert threading.active_count() > before

    model.close()

    assert threading.active_count() == before
