"""What every worker begins with: modules, and what they read once, in the server that workers are forked from."""

from ..deid import residual_text
from . import conformance, second_reader, staging, validate_part

__all__ = ["conformance", "second_reader", "staging", "validate_part"]

residual_text.ordinary_words()
residual_text.technical_words()
residual_text.makers()
residual_text.safe_creators()
