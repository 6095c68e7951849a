"""What a reviewer can decide. Apart from decisions.py, so that the command for folders need not load Parquet."""

RELEASE, DISCARD = "release", "discard"
