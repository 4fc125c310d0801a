"""Log probabilities, computed on the device: `sampling.logprobs`."""

from collections.abc import Mapping

import numpy as np

from services.chat.engine.device_sampling.nodes import Nodes, Outputs
from services.chat.engine.device_sampling.source import Source, take_rows
from services.chat.engine.device_sampling.weights import total
from services.chat.engine.request import MAX_TOP_LOGPROBS
from services.chat.engine.sampling.logprobs import Logprobs
from services.runtime.onnx import Array


def write_logprobs(source: Source) -> bytes:
    """Return a graph that tells what log probabilities are made of.

    Its inputs are `logits`, `slots` and `tokens`, (rows, 1); its outputs are `logit`, of the token,
    `mass`, the sum of all weights, (rows, 1), and `top` and `ids`, the greatest logits.
    """
    nodes = Nodes()
    slots = nodes.input("slots", np.int64, ["rows", 1])
    tokens = nodes.input("tokens", np.int64, ["rows", 1])
    logits = take_rows(nodes, source, slots)
    top, ids = nodes.top(logits, min(MAX_TOP_LOGPROBS, source.vocabulary))
    weights = nodes.add("Exp", nodes.add("Sub", logits, nodes.column(top, 0)))
    outputs: Outputs = {
        "logit": (nodes.pick(logits, tokens), np.float32),
        "mass": (total(nodes, weights), np.float64),
        "top": (top, np.float32),
        "ids": (ids, np.int64),
    }
    return nodes.model(outputs)


def read_logprobs(told: Mapping[str, Array], place: int, top: int) -> Logprobs:
    """Return the log probabilities of one row.

    Args:
        told: What the graph returned, by name.
        place: Which row.
        top: How many of the likeliest to tell.
    """
    logits, ids = told["top"][place].tolist(), told["ids"][place].tolist()
    whole = logits[0] + float(np.log(told["mass"][place, 0]))
    likeliest = zip(ids[:top], logits[:top], strict=True)
    return Logprobs(
        told["logit"][place].item() - whole,
        tuple((token, logit - whole) for token, logit in likeliest),
    )
