"""Sampling where the logits are, as ONNX graphs: only token ids cross the bus.

Read `sampler` (what the engine asks), `wishes` (what rows ask for, as arrays), `choosing` (the
graphs), and what they are made of: `source`, `changes`, `masks`, `weights`, `drawing`, `hashing`
with `spread_bits`, `logprobs`; `nodes` writes them, `graphs` opens and runs them.
"""
