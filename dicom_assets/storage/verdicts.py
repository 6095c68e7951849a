"""What a reviewer can decide. Apart from decisions.py, so that the command for folders need not load Parquet."""

RELEASE, DISCARD = "release", "discard"
BETWEEN = "; "  #: decisions that count together


def releases(review: str) -> dict[str, list[str]]:
    """Reason -> rectangles to blank, of each release that counts. review: as StagedInstance has it."""
    decisions = (one.split(" ") for one in review.split(BETWEEN))
    return {reason: rectangles for verdict, reason, *rectangles in filter(_is_release, decisions)}


def _is_release(words: list[str]) -> bool:
    return words[0] == RELEASE and len(words) > 1
