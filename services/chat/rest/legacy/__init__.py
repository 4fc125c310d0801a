"""`POST /v1/completions`, the older endpoint: prompts to go on with, without a chat template.

Read `body` (requests), `logprobs`, `completion` and `chunks` (answers).

Source: https://platform.openai.com/docs/api-reference/completions
"""
