"""What is a model, what does it cost, and can this file be run? All before it is loaded.

``catalogue``: the models that the course names.  ``architectures``: shapes and parameters, counted
from a config.  ``quantisation``, ``batching``, ``capacity``: bytes, memory and speed.
``gguf_header``, ``gguf_check`` and what they call: what a file says of itself, and whether
llama.cpp can run it.  ``standin``: a file with the shapes of a model and no weights.
"""
