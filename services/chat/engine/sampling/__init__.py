"""Logits to tokens.

Read `adjustments` (what callers add to logits), `candidates` (which tokens may be drawn),
`randomness` (the numbers that decide), `race` (how they do), `logprobs`, and `sampler` (all
together), in this order.
"""
