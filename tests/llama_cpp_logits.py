"""What llama.cpp computes for given tokens: the yardstick of the nano models in PyTorch."""

from __future__ import annotations

import numpy as np

from course_utils.engines.local.runtime import Batch, Context, Model


def llama_cpp_logits(path, texts: list[list[int]]):
    """(T, vocabulary) logits after every token of each text."""
    model = Model(path, repack=False, check_weights=True, on_progress=lambda share: None)
    context = Context(model, context=1024, threads=1, kv_type="f32")
    for ids in texts:
        batch = Batch(512)
        for position, token in enumerate(ids):
            batch.add(token, position, logits=True)
        context.clear()
        context.decode(batch)
        yield np.stack([context.logits(row).copy() for row in range(len(ids))])
        batch.close()
    context.close()
    model.close()
