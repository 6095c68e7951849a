"""Studies out of an archive and into research, complete and clean, in a way that others can check."""

__version__ = "0.1.0"
