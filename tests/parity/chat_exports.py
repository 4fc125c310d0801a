"""Model folders as exporters write them: ORT GenAI's model builder, and the layout of the hub.

Source: https://github.com/microsoft/onnxruntime-genai/tree/main/src/python/py/models
"""

import json
import shutil
from pathlib import Path

import onnx
import onnxruntime_genai.models.builder as model_builder
from onnxruntime.quantization import quantize_dynamic

from tests.parity.chat_models import Reference


def export(
    reference: Reference,
    folder: Path,
    *options: str,
    precision: str = "fp32",
    provider: str = "cpu",
) -> Path:
    """Write a model with the model builder and return its folder.

    Args:
        reference: The model.
        folder: A new folder.
        options: Further options of the builder, such as `block_size=32`.
        precision: `fp32`, `fp16`, `int8` or `int4`.
        provider: What the graph is made for: `cpu` or `cuda`.
    """
    checkpoint, graph = folder / "checkpoint", folder / "model"
    reference.save(checkpoint)
    where = ("", str(checkpoint), str(graph), precision, provider, str(folder / "cache"))
    told = model_builder.parse_extra_options(*where, list(options))
    for name, value in reference.family.for_builder.items():
        setattr(told["hf_details"]["hf_config"], name, value)
    model_builder.create_model(*where, **told)
    _undo_rotations(graph / "model.onnx", reference.family.unturned_layers)
    return graph


def as_hugging_face(exported: Path, folder: Path) -> Path:
    """Write the layout of Optimum and transformers.js around an exported graph; return its folder.

    Args:
        exported: What `export` returned.
        folder: A new folder.
    """
    (folder / "onnx").mkdir(parents=True)
    shutil.copy(exported.parent / "checkpoint/config.json", folder)
    for name in ("model.onnx", "model.onnx.data"):
        shutil.copy(exported / name, folder / "onnx")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 1}))
    return folder


def quantize_in_the_run(folder: Path) -> None:
    """Turn the graph of such a folder into one whose states become whole numbers in the run."""
    path = str(folder / "onnx/model.onnx")
    quantize_dynamic(path, path)


def _undo_rotations(path: Path, layers: tuple[int, ...]) -> None:
    """Turn no keys in some layers: the builder cannot leave that out (0.18.0)."""
    model = onnx.load(str(path), load_external_data=False)
    attentions = [node for node in model.graph.node if node.op_type == "GroupQueryAttention"]
    for layer in layers:
        node = attentions[layer]
        node.input[7:9] = ["", ""]  # cosines and sines
        next(each for each in node.attribute if each.name == "do_rotary").i = 0
    if layers:
        onnx.save(model, str(path))
