"""Tools, questions that need them, calls, and what is said of their results.

Read `parameters` (what tools take), `catalogue`, `plain` and `apps` (what tools there are),
`schemas` (how they are told), `questions`, `results` and `conversations`.
"""
