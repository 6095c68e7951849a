"""One line of what a profile does."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ShownRule:
    """tag: `(gggg,eeee)`, x for any digit; a code for content items; for images what speaks for text; empty for a class
    of elements. action: PS3.15's code, compound ones as the table has them; for images K where they stay as they are,
    C where they are cleaned, X where they are kept back."""

    tag: str
    name: str
    action: str
    why: str
