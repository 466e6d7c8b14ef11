"""The class before the class: every slot asked at once, over HTTP, to say how fast it really is."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import time

import httpx

from course_utils.classroom.asked import CHAT
from course_utils.classroom.capacity import ClassPlan
from course_utils.classroom.line import Line
from course_utils.classroom.upstream import RelayTransport
from course_utils.errors import ServerError

ROUNDS = 8
"""How often each slot of a small model is asked, as a class would ask it."""

LONG_TOKENS = 24
"""Tokens that each slot of a large model writes; reading the question is left out of its time."""

REHEARSAL_SECONDS = 900.0


async def rehearse(
    plan: ClassPlan, line: Line, url: str, key: str, trusted: ssl.SSLContext | None = None
) -> ClassPlan:
    """The plan with what the class server, which runs at ``url``, really gives with all slots busy.

    A model too small for memory to bind is asked as a class would ask it, and all its time counts.
    A large one writes a few tokens in each slot, and the time counts in which all of them write.
    trusted: the certificates that https:// trusts; by default the usual ones.

    Raises ServerError where a reply fails.
    """
    small = plan.together is None
    asked = plan.slots * (ROUNDS if small else 1)
    draw = random.Random(1)
    questions = [
        f"What is {draw.randint(100, 999)} + {draw.randint(100, 999)}?" for _ in range(asked)
    ]
    # The teacher alone is asking, so fair shares can wait.
    before = line.per_learner, line.longest_per_learner, line.longest
    line.per_learner = line.longest_per_learner = line.longest = asked
    try:
        async with httpx.AsyncClient(
            base_url=url,
            timeout=REHEARSAL_SECONDS,
            trust_env=False,
            # Learners' clients take none of this machine's time; this one takes little.
            transport=RelayTransport(trusted),
            headers={"Authorization": f"Bearer {key}"},
        ) as client:
            measure = _all if small else _window
            return await measure(client, plan, questions)
    finally:
        line.per_learner, line.longest_per_learner, line.longest = before


async def _all(client: httpx.AsyncClient, plan: ClassPlan, questions: list[str]) -> ClassPlan:
    """Everything counts, from the first question to the last word."""
    began = time.monotonic()
    replies = await asyncio.gather(
        *(client.post(CHAT, json=_body(question)) for question in questions)
    )
    seconds = time.monotonic() - began
    try:
        tokens = sum(reply.json()["usage"]["completion_tokens"] for reply in replies)
    except (ValueError, KeyError, TypeError):
        worst = max(replies, key=lambda reply: reply.status_code)
        raise _failed(worst.text) from None
    return plan.measured(tokens / seconds, tokens / len(questions))


async def _window(client: httpx.AsyncClient, plan: ClassPlan, questions: list[str]) -> ClassPlan:
    """What counts is from when the last reply has begun until the first is done."""
    began = time.monotonic()
    times = await asyncio.gather(*(_times(client, question) for question in questions))
    started, first_end = max(one[0] for one in times), min(one[-1] for one in times)
    written = sum(started < moment <= first_end for one in times for moment in one)
    if written >= plan.slots:
        return plan.measured(written / (first_end - started), plan.reply)
    everything = sum(len(one) for one in times)
    return plan.measured(everything / (time.monotonic() - began), plan.reply)


async def _times(client: httpx.AsyncClient, question: str) -> list[float]:
    """When each token of a streamed reply came, in seconds of one clock."""
    body = _body(question) | {"stream": True, "max_tokens": LONG_TOKENS, "ignore_eos": True}
    times = []
    async with client.stream("POST", CHAT, json=body) as response:
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            said = json.loads(line.removeprefix("data: "))
            if "error" in said:
                raise _failed(said)
            delta = said["choices"][0]["delta"] if said.get("choices") else {}
            if delta.get("content") or delta.get("reasoning_content"):
                times.append(time.monotonic())
    if not times:
        raise _failed(f"HTTP status {response.status_code}")
    return times


def _body(question: str) -> dict:
    message = {"role": "user", "content": question}
    return {"messages": [message], "temperature": 0.6, "seed": 1}


def _failed(said: object) -> ServerError:
    return ServerError(
        f"The class server does not answer its rehearsal: {str(said)[:200]}",
        "Try the model by itself first: make chat MODEL=...",
    )
