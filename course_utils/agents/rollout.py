"""What does a policy do in an environment? Play many episodes at once, and keep every token.

A rollout is one text: what the environment said and what the policy wrote, in turn, in QwQ's chat
format.  Only the policy's own tokens are to be trained, so each rollout says which those are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from tokenizers import Tokenizer
from torch.nn import functional as F

from course_utils.agents.environment import Episode, respond
from course_utils.engines.protocol import Message
from course_utils.nano import checks
from course_utils.nano.model import Transformer
from course_utils.nano.sample import check_memory, draw
from course_utils.nano.tokenizer import CONTROL_TOKENS, END, START, decode

CHAT_TEMPLATE = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}"""
"""The chat format of the agents: QwQ's, but the thought is not opened for them.

QwQ's template drops earlier thoughts, so that a conversation's text changes as it goes on.  With
nothing dropped, an episode is one text, which is read once and trained on as it was played.
"""


@dataclass
class Rollout:
    """One played episode.

    ``tokens``: the whole text.  ``own``: for each token, did the policy write it?  ``log_probs``:
    natural log of the probability with which it was drawn, 0 for the environment's tokens.
    ``turns``: (action, observation) in order.
    """

    tokens: list[int]
    own: list[bool]
    log_probs: list[float]
    turns: list[tuple[str, str]] = field(default_factory=list)
    success: bool = False

    def turn_numbers(self) -> list[int]:
        """For each token the turn, from 0, in which the policy wrote it; -1 for the environment's.

        The environment speaks between two turns, so a turn is a run of the policy's own tokens.
        """
        numbers, turn, before = [], -1, False
        for mine in self.own:
            turn += mine and not before
            numbers.append(turn if mine else -1)
            before = mine
        return numbers


def conversation(messages: Sequence[Message]) -> str:
    """The text of these messages."""
    return "".join(f"{START}{m['role']}\n{m['content']}{END}\n" for m in messages)


def opening(messages: Sequence[Message]) -> str:
    """The text before the policy's first action."""
    return conversation(messages) + f"{START}assistant\n"


def reply(observation: str) -> str:
    """The text between an action, which ended with ``<|im_end|>``, and the next."""
    return "\n" + opening([{"role": "user", "content": observation}])


@dataclass
class _Player:
    """A policy's place at one episode: its rollout, and what is under way."""

    episode: Episode
    rollout: Rollout
    said: list[int] = field(default_factory=list)  # the environment's tokens still to be read
    written: list[int] = field(default_factory=list)  # the policy's action so far
    done: bool = False


@torch.no_grad()
def play(
    model: Transformer,
    tokenizer: Tokenizer,
    episodes: Sequence[Episode],
    *,
    max_action_tokens: int = 8,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
    hole: bool = False,
) -> list[Rollout]:
    """Play all episodes side by side, one KV cache for all; temperature 0 takes likeliest tokens.

    All texts grow by as many tokens at a time: by what their environments have said, as far as
    that is known for all, and otherwise by one, which some policies draw while others read on.
    So a text needs no padding in its middle, however long its turns are.  Episodes that are done
    leave the batch.  One in which an action does not end within ``max_action_tokens``, or that
    would outgrow the model's context, ends there without success.
    Raises OptionError for options that do not say how to draw, MachineError where memory cannot
    hold so many episodes.
    """
    checks.whole("max_action_tokens", max_action_tokens, 1)
    checks.number("temperature", temperature, 0, 100)
    stop = tokenizer.token_to_id(END)
    starts = [tokenizer.encode(opening(e.messages)).ids for e in episodes]
    players = [
        _Player(episode, Rollout(list(start), [False] * len(start), [0.0] * len(start)))
        for episode, start in zip(episodes, starts, strict=True)
    ]
    longest = max(map(len, starts))
    padded = [[stop] * (longest - len(start)) + start for start in starts]
    tokens = torch.tensor(padded, device=model.device)
    padding = torch.tensor([longest - len(start) for start in starts], device=model.device)
    capacity = model.shape.context
    check_memory(model, len(starts), capacity)
    cache = model.cache(len(starts), capacity, padding if padding.any() else None)
    batch = list(players)  # who plays in each row
    while batch and cache.length + tokens.shape[1] <= capacity:
        logits = model(tokens, cache)[:, -1]
        known = min(len(player.said) for player in batch)
        if known:
            following = [_read(player, known) for player in batch]
        else:
            scores = F.log_softmax(logits.float() / (temperature or 1.0), dim=-1)
            drawn = draw(scores.exp(), generator) if temperature else scores.argmax(-1)
            log_probs = scores.gather(1, drawn[:, None])[:, 0].tolist()
            following = []
            for player, token, log_prob in zip(batch, drawn.tolist(), log_probs, strict=True):
                if player.said:
                    following.append(_read(player, 1))
                    continue
                following.append([token])
                player.written.append(token)
                _note(player.rollout, [token], True, log_prob)
                if token == stop or len(player.written) == max_action_tokens:
                    _act(player, tokenizer, hole)
        keep = [row for row, player in enumerate(batch) if not player.done]
        if len(keep) < len(batch):
            batch = [batch[row] for row in keep]
            following = [following[row] for row in keep]
            cache.select(torch.tensor(keep, dtype=torch.long, device=model.device))
        tokens = torch.tensor(following, device=model.device)
    for player in batch:  # what the environment said beyond the context was never read
        _cut(player.rollout, capacity)
    return [player.rollout for player in players]


def _read(player: _Player, count: int) -> list[int]:
    """The next tokens that the environment said; they are the policy's to read, not its own."""
    tokens, player.said = player.said[:count], player.said[count:]
    _note(player.rollout, tokens, False, 0.0)
    return tokens


def _note(rollout: Rollout, tokens: list[int], own: bool, log_prob: float) -> None:
    rollout.tokens += tokens
    rollout.own += [own] * len(tokens)
    rollout.log_probs += [log_prob] * len(tokens)


def _cut(rollout: Rollout, length: int) -> None:
    for column in (rollout.tokens, rollout.own, rollout.log_probs):
        del column[length:]


def _act(player: _Player, tokenizer: Tokenizer, hole: bool) -> None:
    """Hand the action to the environment, and keep what it answers."""
    text = decode(tokenizer, player.written)
    action = text.removesuffix(END)
    whole = text.endswith(END) and not any(mark in action for mark in CONTROL_TOKENS)
    observation = respond(player.episode, action, whole=hole or whole)
    player.rollout.turns.append((action, observation.text))
    player.written.clear()
    player.done = observation.done
    player.rollout.success = observation.done and observation.success
    if not observation.done:
        closed = "" if text.endswith(END) else END
        player.said = tokenizer.encode(closed + reply(observation.text)).ids
