"""How does a model run in this process? llama.cpp computes; the decoding loop is here to read.

``decoding`` is the heart: pick a token from the logits, hand it out, append it, and compute the
next logits.  ``engine`` says what an engine is, and everything else prepares for that loop or
looks at its results.
"""

from course_utils.engines.local.engine import LocalEngine
from course_utils.engines.local.options import LocalOptions

__all__ = ["LocalEngine", "LocalOptions"]
