"""What callers wrote and what cannot be enforced."""


class UnfitError(Exception):
    """Says why, as a sentence for the caller; never leaves the package."""
