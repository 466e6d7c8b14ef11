"""No key and no password shows anywhere: in no repr, message, log, traceback, file or page."""

import copy
import dataclasses
import io
import json
import logging
import os
import pickle
import traceback
from pathlib import Path

import pytest

from course_utils.engines import GREEDY, PLAIN, QWQ, Sampling, open_model
from course_utils.engines.server.errors import Server
from course_utils.engines.transcript import record
from course_utils.errors import CourseError, NotSupportedError
from course_utils.network.clients import proxy_for
from course_utils.secret import Secret, may_be_key, without_keys
from course_utils.teaching import save_conversation, stream_to_page

KEY = "sk-hunter2-0123456789abcdef"
PASSWORD = "hunter2"


@pytest.fixture
def shown(capsys):
    """Collects what can be seen; at the end no secret may be in it."""
    seen, log = [], io.StringIO()
    handler, root = logging.StreamHandler(log), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield seen.append
    root.removeHandler(handler)
    root.setLevel(before)
    printed = capsys.readouterr()
    everything = "\n".join([*map(str, seen), log.getvalue(), printed.out, printed.err])
    assert len(seen) > 0 and "127.0.0.1" in everything, "the test has seen something"
    assert PASSWORD not in everything


def show_error(shown, action) -> None:
    """Everything that can be seen of the error that an action ends with."""
    with pytest.raises(CourseError) as caught:
        action()
    error = caught.value
    shown(f"{error} {error!r} {error.args} {error._render_traceback_()}")
    shown("".join(traceback.format_exception(error)))


def show_engine(shown, engine) -> None:
    connection = engine._connection
    shown(f"{engine} {engine!r} {engine.info} {vars(engine)} {vars(connection)}")
    shown(dataclasses.asdict(engine.info))
    shown(f"{vars(connection._client)} {dict(connection._client.headers)}")
    show_holder(shown, connection.server)
    for whole in (connection, connection.server):
        with pytest.raises(NotSupportedError, match="cannot be pickled"):
            pickle.dumps(whole)


def show_holder(shown, holder) -> None:
    """Everything that Python tells of a dataclass that holds a secret."""
    for each in (holder, copy.copy(holder), copy.deepcopy(holder)):
        shown(f"{each} {each!r} {vars(each)} {dataclasses.asdict(each)}")
        shown(f"{dataclasses.astuple(each)} {json.dumps(vars(each), default=str)}")


def reply(request):
    request.start_stream()
    request.delta(content="42")
    request.delta(finish="stop")
    request.event("[DONE]")


@pytest.mark.parametrize("road", ["argument", "COURSE_API_KEY", "OPENAI_API_KEY"])
def test_the_key_that_a_server_gets_shows_nowhere(fake, shown, road, monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY if road == "OPENAI_API_KEY" else "")
    if road == "COURSE_API_KEY":
        monkeypatch.setenv(road, KEY)
    engine = open_model(fake.url, **({"api_key": KEY} if road == "argument" else {}), timeout=2)
    fake.on["/v1/chat/completions"] = reply
    stream = engine.chat("6 * 7?", PLAIN)
    shown(f"{stream!r} {list(stream)} {stream.reply!r}")
    assert fake.requests[-1].headers["Authorization"] == f"Bearer {KEY}"
    show_engine(shown, engine)

    # What is kept of a conversation, and what stands on the page.
    record(engine, tmp_path / "run.json", "6 * 7?", Sampling(seed=0))
    save_conversation([{"role": "user", "content": "6 * 7?"}], tmp_path / "talk.json")
    stream_to_page(engine.chat("6 * 7?", GREEDY), "6 * 7?")
    for path in tmp_path.iterdir():
        shown(path.read_text(encoding="utf-8"))

    # A server that repeats the key in its error, in every place where one can stand.
    echo = {"error": {"message": f"The key {KEY} (Bearer {KEY}) may not do this"}}
    for status in (400, 401, 402, 403, 404, 407, 413, 418, 429, 500, 503):
        fake.on["/v1/chat/completions"] = lambda request, status=status: request.json(echo, status)
        show_error(shown, engine.chat("6 * 7?", QWQ).finish)
    page = f"<html><body>{KEY}</body></html>"
    for status in (200, 403, 502):
        fake.on["/v1/chat/completions"] = lambda request, status=status: request.text(page, status)
        show_error(shown, engine.chat("6 * 7?").finish)
    for kind, body in (
        ("text/event-stream", f"data: {json.dumps(echo)}\n\n"),
        ("text/plain", f"nobody knows {KEY}"),
        ("application/json", json.dumps(echo)),
    ):
        fake.on["/v1/chat/completions"] = lambda request, body=body, kind=kind: request.text(
            body, 200, kind
        )
        show_error(shown, engine.chat("6 * 7?").finish)
    fake.on["/v1/models"] = lambda request: request.json(echo, 401)
    show_error(shown, lambda: open_model(fake.url, api_key=KEY))
    fake.close()
    show_error(shown, engine.chat("6 * 7?").finish)


KEYS = (KEY, "hunter2a9f8e7d6c5b4a3f2e1d0", "class-hunter2")
"""One as providers write them, a random one, and one that only the environment knows."""

WRONG_PLACES = {
    "timeout": lambda key, url: open_model(url, timeout=key),
    "model": lambda key, url: open_model(url, model=key),
    "both": lambda key, url: open_model(url, model=key, api_key=key),
    "not a name": lambda key, url: open_model(url, model=[key]),
    "the model itself": lambda key, url: open_model(key),
    "a path": lambda key, url: open_model(Path(key)),
    "bytes": lambda key, url: open_model(key.encode()),
    "a list": lambda key, url: open_model([key]),
    "a missing file": lambda key, url: open_model(f"models/{key}"),
    "a quantisation": lambda key, url: open_model(f"qwq-32b:{key}"),
    "a server's option": lambda key, url: open_model("nano-thinker", model=key),
    "scheme": lambda key, url: open_model(f"{key}://127.0.0.1:9/v1"),
    "port": lambda key, url: open_model(f"http://127.0.0.1:{key}/v1"),
    "no scheme": lambda key, url: open_model(f"127.0.0.1:9/{key}"),
    "path": lambda key, url: open_model(f"{url}/{key}/v1"),
    "broken path": lambda key, url: open_model(f"{url}/<{key}>/v1"),
    "query": lambda key, url: open_model(f"{url}?api_key={key}"),
    "fragment": lambda key, url: open_model(f"{url}#{key}"),
    "user": lambda key, url: open_model(f"http://{key}@127.0.0.1:9/v1"),
    "password": lambda key, url: open_model(f"http://me:{key}@127.0.0.1:9/v1"),
    "wide user": lambda key, url: open_model(f"http://{key}\uff20127.0.0.1:9/v1"),
    "an option's name": lambda key, url: open_model(**{key: 1}),
    "a role": lambda key, url: open_model(url).chat([{"role": key, "content": "Hi"}]),
    "a content": lambda key, url: open_model(url).chat([{"role": "user", "content": [key]}]),
    "tools": lambda key, url: open_model(url).chat("Hi", tools=key),
    "a budget": lambda key, url: open_model(url).chat("Hi", thinking_budget=key),
    "temperature": lambda key, url: Sampling(temperature=key),
    "max_tokens": lambda key, url: Sampling(max_tokens=key),
    **{
        name: lambda key, url, name=name: open_model("nano-thinker", **{name: key})
        for name in ("context", "threads", "batch", "kernels", "kv_type", "repack", "gpu_layers")
    },
}


@pytest.mark.parametrize("place", WRONG_PLACES)
@pytest.mark.parametrize("key", KEYS, ids=["provider's", "random", "known"])
def test_a_key_in_a_wrong_place_is_not_repeated(fake, shown, place, key, monkeypatch):
    monkeypatch.setenv("COURSE_API_KEY", "class-hunter2")
    shown(fake.url)
    show_error(shown, lambda: WRONG_PLACES[place](key, fake.url))


def test_a_key_in_the_path_of_an_address_works_and_does_not_show(fake, shown, tmp_path):
    """Some gateways are asked at an address that is the key."""
    models = fake.on.pop("/v1/models")
    fake.on[f"/gateway/{KEY}/v1/models"] = models
    fake.on[f"/gateway/{KEY}/v1/chat/completions"] = reply
    engine = open_model(fake.url.replace("/v1", f"/gateway/{KEY}/v1"))
    assert engine.chat("6 * 7?").finish().answer == "42"
    show_engine(shown, engine)
    record(engine, tmp_path / "run.json", "6 * 7?", Sampling(seed=0))
    shown((tmp_path / "run.json").read_text(encoding="utf-8"))
    fake.on.clear()
    show_error(shown, engine.chat("6 * 7?").finish)
    fake.close()
    show_error(shown, engine.chat("6 * 7?").finish)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "qwq-32b",
            "DeepSeek-R1-Distill-Qwen-32B-Q4_K_M.gguf",
            "Qwen/Qwen3-30B-Instruct-2507",
        ),
        *("bartowski/Qwen_QwQ-32B-GGUF", "hf.co/unsloth/QwQ-32B-GGUF:Q4_K_M", "gpt-4o-2024-08-06"),
        *("http://192.168.178.20:8080/v1", "mixtral-8x22b-instruct-v0.1.Q3_K_S-00001-of-00005"),
        *("The quick brown fox jumps over 13 lazy dogs.", "/home/ada/models/nano-thinker.gguf"),
    ],
)
def test_names_of_models_and_places_are_no_keys(name):
    assert without_keys(name) == name and not may_be_key(name)


def test_a_secret_is_given_to_nobody_but_who_asks_for_it():
    secret = Secret(KEY)
    assert secret.reveal() == KEY and secret == Secret(KEY) and hash(secret) == hash(Secret(KEY))
    assert secret != Secret("other") and secret and not Secret("")
    seen = [f"{secret} {secret!r} {secret!s} {secret:>30}", str([secret]), str({secret: secret})]
    seen += [str(getattr(secret, name)) for name in dir(secret) if not name.startswith("__")]
    assert PASSWORD not in "".join(seen)
    assert copy.copy(secret) is copy.deepcopy(secret) is secret
    with pytest.raises(NotSupportedError, match="COURSE_API_KEY"):
        pickle.dumps([secret])


def test_a_redirect_that_repeats_the_key_does_not_show_it(fake):
    there = f"http://elsewhere.example/{PASSWORD}?key={PASSWORD}"
    fake.on["/v1/models"] = lambda request: request.text("", 302, Location=there)
    with pytest.raises(CourseError, match=r"elsewhere\.example") as error:
        open_model(fake.url, api_key=PASSWORD)
    assert PASSWORD not in str(error.value)


def test_a_key_that_cannot_be_sent_is_not_shown(fake, shown):
    shown(fake.url)
    for key in (f"{KEY}\n{KEY}", f"{KEY} {KEY}", f"{KEY}\u00e9", KEY.encode()):
        show_error(shown, lambda key=key: open_model(fake.url, api_key=key))


@pytest.mark.parametrize(
    "address",
    [
        "http://me:hunter2@127.0.0.1:9/v1",
        "HTTP://me:hunter2@127.0.0.1:9",
        "htp://me:hunter2@127.0.0.1:9",
        "me:hunter2@127.0.0.1:9",
        "http://127.0.0.1:9/v1?key=hunter2",
        "http://me:hunter2@127.0.0.1:port/v1",
    ],
)
@pytest.mark.parametrize("road", ["argument", "COURSE_MODEL"])
def test_a_secret_inside_an_address_is_not_shown(shown, address, road, monkeypatch):
    shown("127.0.0.1")
    if road == "COURSE_MODEL":
        monkeypatch.setenv(road, address)
    show_error(shown, lambda: open_model(*([address] if road == "argument" else [])))


def test_the_password_of_a_proxy_is_not_shown(shown, monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for proxy in ("http://me:hunter2@127.0.0.1:9", "nonsense://me:hunter2@127.0.0.1"):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        show_error(shown, lambda: open_model("http://server.invalid/v1", timeout=2))
        show_holder(shown, proxy_for("http://server.invalid/v1"))


def test_what_knows_the_key_does_not_say_it():
    server = Server("http://localhost:8080/v1", "qwq", 1.0, Secret(KEY))
    assert PASSWORD not in repr(server) + str(server)
    assert PASSWORD not in server.quote(f"key {KEY} and {KEY.upper()}")
