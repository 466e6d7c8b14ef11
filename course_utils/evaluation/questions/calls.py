"""Can the model call the right function with the right arguments?

The functions are offered in the prompt as JSON; the request is in words.  Level 1 offers one
function, level 2 several, level 3 needs two calls or none, level 4 needs arguments worked out, and
at level 5 a parameter may be missing, which has to be asked for.  These are the single-turn kinds
of the Berkeley Function-Calling Leaderboard, and its "missing parameters" of version 3:
https://gorilla.cs.berkeley.edu/blogs/13_bfcl_v3_multi_turn.html
"""

from __future__ import annotations

import json
import re
from random import Random

from course_utils.engines.reply import Reply
from course_utils.engines.tool_calls import ToolCall
from course_utils.evaluation.function_calls import grade_function_calls
from course_utils.evaluation.graders import Grade, final_part

LEVELS = 5

ASK = (
    "These functions are available:\n{functions}\n"
    'Answer the request with a JSON list of calls, each as {{"name": …, "arguments": {{…}}}}, and '
    "nothing else. If no function fits, answer with [].\nRequest: {request}"
)

ASK_OR_CALL = (
    "These functions are available, and all their arguments are needed:\n{functions}\n"
    'Answer the request with a JSON list of calls, each as {{"name": …, "arguments": {{…}}}}, and '
    "nothing else. If the request leaves an argument open, do not guess it: ask for it in one "
    "short question, and call nothing.\nRequest: {request}"
)

FUNCTIONS = {
    "weather": {
        "description": "The forecast for a city.",
        "arguments": {"city": "text", "days": "number of days"},
    },
    "convert_currency": {
        "description": "What an amount of money is worth in another currency.",
        "arguments": {"amount": "number", "from": "three-letter code", "to": "three-letter code"},
    },
    "set_timer": {
        "description": "Ring after a time.",
        "arguments": {"seconds": "whole number", "label": "text"},
    },
    "book_table": {
        "description": "Book a table in a restaurant.",
        "arguments": {"restaurant": "text", "people": "whole number", "time": "hh:mm, 24 hours"},
    },
}
CITIES = ("Lisbon", "Oslo", "Nairobi", "Lima", "Kyoto", "Perth")
CURRENCIES = {"EUR": "euros", "JPY": "yen", "GBP": "pounds", "INR": "rupees"}
DISHES = ("rice", "eggs", "pasta", "beans")
RESTAURANTS = ("The Green Pan", "Luna", "Old Mill")


def make(random: Random, level: int) -> tuple[str, dict]:
    """Draw a question of this level, 1 to 5: its prompt and its key.

    The key has the expected ``calls``; where an argument is to be asked for, ``ask`` has words of
    which a right question holds one.
    """
    ask: list[str] = []
    if level == 3:
        request, calls = random.choice((_two, _none))(random)
    elif level == 5:
        # Some requests are complete, so that asking every time is no way to pass.
        request, calls, ask = random.choice((_complete, _without, _without))(random)
    else:
        request, calls = random.choice(_HARD if level == 4 else _EASY)(random)
    offered = {name for name, _ in calls}
    if level == 1:
        names = [name for name in FUNCTIONS if name in offered]
    else:
        names = random.sample(list(FUNCTIONS), len(FUNCTIONS))
    functions = "\n".join(json.dumps({"name": name, **FUNCTIONS[name]}) for name in names)
    prompt = (ASK_OR_CALL if level == 5 else ASK).format(functions=functions, request=request)
    return prompt, {"calls": calls} | ({"ask": ask} if ask else {})


def grade(key: dict, reply: str | Reply, sandbox=None) -> Grade:
    """Exactly the expected calls, in any order, compared by structure; or the right question."""
    if key.get("ask"):
        return _grade_question(key["ask"], reply)
    if not key["calls"] and "[]" not in final_part(reply):
        return Grade(False, None, "an empty list was asked for where no function fits")
    return grade_function_calls(reply, [ToolCall(n, a) for n, a in key["calls"]])


def _grade_question(words: list[str], reply: str | Reply) -> Grade:
    """No call, and a question that names what is missing."""
    called = grade_function_calls(reply, [])
    if not called:
        return called
    asked = final_part(reply)
    if "?" not in asked:
        return Grade(False, None, "nothing is asked")
    found = any(re.search(rf"\b{word}", asked, re.IGNORECASE) for word in words)
    return Grade(found, asked[:80], "it is asked for" if found else "something else is asked")


def _weather(random: Random) -> tuple[str, list]:
    city, days = random.choice(CITIES), random.randint(2, 9)
    request = f"What will the weather be like in {city} over the next {days} days?"
    return request, [["weather", {"city": city, "days": days}]]


def _money(random: Random) -> tuple[str, list]:
    source, target = random.sample(list(CURRENCIES), 2)
    amount = random.randint(5, 900)
    request = f"How much are {amount} {CURRENCIES[source]} in {CURRENCIES[target]}?"
    return request, [["convert_currency", {"amount": amount, "from": source, "to": target}]]


def _two(random: Random) -> tuple[str, list]:
    first, first_calls = _weather(random)
    second, second_calls = _money(random)
    return f"{first} And also: {second}", first_calls + second_calls


def _none(random: Random) -> tuple[str, list]:
    request = random.choice(
        (
            f"Who was the first mayor of {random.choice(CITIES)}?",
            f"Write a short poem about {random.choice(DISHES)}.",
            f"Play a song from {random.choice(CITIES)}.",
        )
    )
    return request, []


def _timer(random: Random) -> tuple[str, list]:
    minutes, half, dish = random.randint(2, 20), random.random() < 0.5, random.choice(DISHES)
    spoken = f"{minutes} and a half minutes" if half else f"{minutes} minutes"
    seconds = 60 * minutes + 30 * half
    request = f'Ring in {spoken}, please, with the label "{dish}".'
    return request, [["set_timer", {"seconds": seconds, "label": dish}]]


def _table(random: Random) -> tuple[str, list]:
    restaurant, friends = random.choice(RESTAURANTS), random.randint(2, 6)
    hour, minutes = random.randint(6, 9), random.choice(("15", "30", "45"))
    request = (
        f"Book a table at {restaurant} for {friends} friends and me "
        f"at {hour}:{minutes} in the evening."
    )
    arguments = {
        "restaurant": restaurant,
        "people": friends + 1,
        "time": f"{hour + 12}:{minutes}",
    }
    return request, [["book_table", arguments]]


def _complete(random: Random) -> tuple[str, list, list]:
    """A request with everything that its function needs."""
    return *random.choice((*_EASY, *_HARD))(random), []


def _without(random: Random) -> tuple[str, list, list]:
    """A request that leaves one argument open, and words of a question that asks for it."""
    city, restaurant = random.choice(CITIES), random.choice(RESTAURANTS)
    source, target = random.sample(list(CURRENCIES.values()), 2)
    amount, hour, people = random.randint(5, 900), random.randint(6, 9), random.randint(2, 8)
    dish = random.choice(DISHES)
    request, ask = random.choice(
        (
            (f"What will the weather be like in {city} over the next days?", ["days", "many"]),
            (f"Forecast the next {people} days, please.", ["city", "where", "place", "location"]),
            (f"What are {amount} {source} worth?", ["currency", "into", "in which", "in what"]),
            (f"How much is that in {target}?", ["amount", "how much", "how many", "currency"]),
            (f'Ring later, with the label "{dish}".', ["when", "second", "minute", "time", "long"]),
            (f"A table at {restaurant} for {people}, please.", ["time", "when", "hour"]),
            (f"Book us a table at {restaurant} for {hour + 12}:30.", ["many", "people", "guest"]),
            (f"A table for {people} at {hour + 12}:30, please.", ["restaurant", "where", "which"]),
        )
    )
    return request, [], ask


_EASY = (_weather, _money)
_HARD = (_timer, _table)
