"""One mesh for the tests that leave it as it is; a mesh of its own for each that does not."""

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.mesh import Mesh, running_mesh

MODEL = "all-MiniLM-L6-v2"
FOLDER = Path(__file__).parents[2] / "build" / "models" / MODEL


def model_table(file: str = "onnx/model_int8.onnx") -> str:
    """The settings of the model that ships."""
    return (
        f'[[embeddings.models]]\nid = "{MODEL}"\nfolder = "{FOLDER}"\nfile = "{file}"\n'
        'aliases = ["org/minilm"]\n'
    )


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A mesh that serves the model that ships."""
    with running_mesh(tmp_path_factory.mktemp("mesh"), model_table()) as mesh:
        yield mesh


@pytest.fixture
def own_mesh(tmp_path: Path) -> Iterator[Mesh]:
    """A mesh that a test may harm."""
    with running_mesh(tmp_path, model_table()) as mesh:
        yield mesh


@pytest.fixture
def client(mesh: Mesh) -> Iterator[openai.OpenAI]:
    """The official SDK, as its users make it."""
    with openai.OpenAI(base_url=f"{mesh.url}/v1", api_key="unused", max_retries=0) as client:
        yield client
