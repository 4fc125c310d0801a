"""How properties are tried: the same examples in every run, however slow the machine is."""

from hypothesis import settings

same_examples = settings(derandomize=True, database=None, deadline=None)
