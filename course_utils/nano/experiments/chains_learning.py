"""How does a model learn from given text? Next-token prediction, on all tokens or on some.

Pretraining predicts every token; imitation (fine-tuning on worked solutions, on a model's own
right answers, or on a teacher's) predicts those of the solutions only.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.nano.experiments import chains_graph
from course_utils.nano.model import Transformer


class Learner:
    """Makes steps of AdamW on batches of one shape; ``rows`` and ``weights`` are examples of it.

    ``rows``: (n, T + 1) token numbers; ``weights``: (n, T) what the prediction of each token but
    the first counts.
    """

    def __init__(
        self, model: Transformer, rows: Tensor, weights: Tensor, weight_decay: float = 0.0
    ):
        self.model = model
        matrices = [p for p in model.parameters() if p.dim() == 2]
        others = [p for p in model.parameters() if p.dim() != 2]
        groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others}]
        self.optimizer = chains_graph.optimizer_for(model, groups, (0.9, 0.95))
        rows, weights = rows.to(model.device), weights.to(model.device)
        self.recorded = chains_graph.replayed(self.step, rows, weights)
        chains_graph.forget(self.optimizer)

    def step(self, rows: Tensor, weights: Tensor) -> Tensor:
        self.optimizer.zero_grad()
        logits = self.model(rows[:, :-1]).flatten(0, 1)
        each = F.cross_entropy(logits, rows[:, 1:].flatten(), reduction="none")
        loss = (each * weights.flatten()).sum() / weights.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.detach()

    def learn(self, rows: Tensor, weights: Tensor, rate: float) -> Tensor:
        """Make one step at a learning rate; its loss, which the next step overwrites."""
        chains_graph.set_rate(self.optimizer, rate)
        return self.recorded(rows.to(self.model.device), weights.to(self.model.device))

    def tensors(self) -> list[Tensor]:
        """All that a step changes."""
        averages = [t for state in self.optimizer.state.values() for t in state.values()]
        return [*self.model.state_dict().values(), *averages]

    def snapshot(self) -> list[Tensor]:
        return [tensor.clone() for tensor in self.tensors()]

    @torch.no_grad()
    def restore(self, snapshot: list[Tensor]) -> None:
        """Go back to where a snapshot was taken."""
        for tensor, kept in zip(self.tensors(), snapshot, strict=True):
            tensor.copy_(kept)
