"""How does an engine play an episode, in a form that can be looked at and changed?

The trace has the policy's actions as calls and the environment's observations as results, so that
what serves for tools (printing, the trace viewer, edited results) serves for environments too.
"""

from __future__ import annotations

from collections.abc import Sequence

from course_utils.agents.environment import Episode, respond
from course_utils.agents.trace import Trace
from course_utils.engines.protocol import Engine, Message
from course_utils.engines.sampling import GREEDY, Sampling


def watch(
    engine: Engine,
    episode: Episode,
    messages: Sequence[Message] | None = None,
    sampling: Sampling = GREEDY,
) -> Trace:
    """Let an engine play an episode to its end; the trace says what it did and was told.

    An action is the reply's answer; a thought before it is the policy's own affair.
    ``messages`` are a conversation to go on from, such as ``trace.edited(...)`` gives: the actions
    in it are played again on this fresh ``episode``, but the observations are left as they stand,
    so that the policy can be told something else than the truth.
    """
    opening = list(episode.messages)
    trace = Trace(list(messages or opening))
    observation = None
    for message in trace.messages[len(opening) :]:
        if message["role"] == "assistant":
            observation = episode.step(message["content"])
    while observation is None or not observation.done:
        trace.turns += 1
        reply = engine.chat(trace.messages, sampling).finish()
        trace.tokens += reply.tokens
        if reply.thinking:
            trace.add("thought", reply.thinking)
        trace.add("call", reply.answer)
        observation = respond(episode, reply.answer, whole=reply.stop_reason == "end")
        told: Message = {"role": "user", "content": observation.text}
        trace.messages += [reply.message(), told]
        trace.add("result", observation.text, outcome="ran", message=len(trace.messages) - 1)
    if observation.success:
        trace.stop("answered", "The episode ended in success.")
    else:
        trace.stop("no answer", "The episode ended without success.")
    return trace
