"""Speculative decoding: several tokens for one reading of the weights, and not one of them changed.

To write a token a processor reads all weights.  To check five tokens it reads them once as well: it
computes all five in one step, with the logits after each.  So a cheap draft proposes some tokens,
and the model computes them together with the token that is due.  Then the decoding loop draws from
those logits, one after the other, exactly as it would have without a draft.  Where it draws what
was proposed, the next logits are there already; where it draws anything else, what was computed
after it is forgotten.

Leviathan et al. (2023, arXiv 2211.17192) and Chen et al. (2023, arXiv 2302.01318) keep a proposed
token with probability min(1, p/q), which accepts more where the draft also draws at random, q.  A
draft that proposes its likeliest token has q = 1, and the two rules are the same one.  Drawing as
usual has an advantage here: the same seed gives the same reply with and without a draft, whatever
the sampling settings are.
"""

from __future__ import annotations

import threading

from course_utils.engines.local.cache import KVCache
from course_utils.engines.local.drafting import Draft
from course_utils.engines.reply import Reply


class Lookahead:
    """The logits after a growing text, computed one token at a time or some tokens ahead.

    ``row``: the row of the last batch that holds the logits after the text.
    """

    def __init__(self, cache: KVCache, draft: Draft | None, most: int, reply: Reply):
        self.row = -1
        self._cache = cache
        self._draft = draft
        self._most = most
        self._reply = reply
        self._ahead: list[int] = []  # proposed tokens that are computed and not yet drawn

    def read(self, text: list[int], stopping: threading.Event | None = None) -> int:
        """Compute whatever of this text is not in the cache; gives the tokens that were."""
        self.row, self._ahead = -1, []
        return self._cache.read(text, stopping)

    def advance(self, text: list[int], stopping: threading.Event | None = None) -> None:
        """Compute the logits after the text, whose last token is new."""
        if self._draft is None:
            self._cache.append(text[-1], stopping)
            return
        if self._ahead and self._ahead[0] == text[-1]:
            del self._ahead[0]
            self.row += 1
            self._reply.accepted_tokens += 1
            return
        if self._ahead:  # the draft was wrong
            self._cache.keep(len(text) - 1)
        self.row, self._ahead = -1, []
        proposed = self._propose(text, stopping)
        if not proposed:
            self._cache.append(text[-1], stopping)
            return
        self._cache.extend([text[-1], *proposed], stopping)
        self.row, self._ahead = 0, proposed
        self._reply.drafted_tokens += len(proposed)

    def _propose(self, text: list[int], stopping: threading.Event | None) -> list[int]:
        context = self._cache.context
        room = min(self._most, context.batch - 1, context.size - len(text))
        return self._draft.propose(text, room, stopping) if room > 0 else []
