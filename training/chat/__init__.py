"""How starter-chat is made: dialogues, a tokenizer, a decoder, an export, an evaluation.

The data: `lexicon` (words and phrases, as tables), `phrases` (patterns with alternatives), `noise`
(how people type), `author` (draws all of it), `dialogues` (one module a skill), `prompts` (the
chat template) and `corpus` (batches). The model: `config`, `tokenizer`, `model`, `optimizers`,
`train`; with `shipped` and `transplant` it goes on from the folder that ships, if need be with
another tokenizer. What comes of it: `huggingface`, `cards` and `export` (a folder that the chat
service reads), `heldout`, `rules`, `answers` and `evaluate`.
"""
