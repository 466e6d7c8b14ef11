"""One model for a class: ``python -m course_utils.classroom serve``, or ``make class``."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from course_utils import command_line
from course_utils.classroom.capacity import (
    MOST_LEARNERS,
    MOST_SLOTS_ASKED,
    ClassPlan,
    plan_class,
)
from course_utils.classroom.invitations import line_to_paste, qr_for_terminal, write_cards
from course_utils.classroom.keys import KeyRing
from course_utils.classroom.model_server import ModelSettings, machine_of_server
from course_utils.command_line import DONE, whole
from course_utils.download import model_path
from course_utils.errors import MachineError
from course_utils.machine import this_machine, usable_cores
from course_utils.model_files.capacity import CACHED_BYTES
from course_utils.secret import Secret

DEFAULT_MODEL = "nano-thinker"
DEFAULT_PORT = 8080

MOST_SERVERS = 4
"""Model servers for a small model. What they stream is passed on by one process, which has its
hands full with so many."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status (0 done, 1 an error)."""
    options = _parser().parse_args(arguments)
    return command_line.run(
        lambda: options.run(options), "The class server has ended; the keys are kept."
    )


# ---- serve and plan ----------------------------------------------------------------------------


def _serve(options: argparse.Namespace) -> int:
    try:
        from course_utils.classroom import serving
    except ImportError as error:
        raise MachineError(
            f"The class server needs packages that are not installed ({error.name}).",
            "Run `python -m pip install --group classroom` (pip 25.1 or newer), or `make class`.",
        ) from None
    keys = KeyRing(options.keys)
    place = serving.Place(
        options.host, options.port, options.tls_certificate, options.tls_private_key
    )

    def ready(_gateway, plan: ClassPlan | None) -> None:
        if plan is not None:
            print(f"\n{plan}")
        _invite(keys, place, options)

    if options.upstream:
        remote = serving.Remote(
            options.upstream,
            options.slots or 16,
            Secret(os.environ.get("CLASS_UPSTREAM_KEY", "").strip()),
        )
        _make_keys(keys, options.learners)
        asyncio.run(serving.serve_remote(remote, options.learners, keys, place, on_ready=ready))
        return DONE
    plan = _planned(options)
    print(plan, flush=True)
    settings = model_settings(plan)
    _make_keys(keys, options.learners)
    print(f"Loading {settings.path.name} ...", flush=True)
    asyncio.run(
        serving.serve_planned(
            plan, settings, keys, place, rehearsing=not options.no_rehearsal, on_ready=ready
        )
    )
    return DONE


def model_settings(plan: ClassPlan) -> ModelSettings:
    """How the model server is to run what was planned. Raises ModelFileError without the file."""
    planned = plan.plan
    small = planned.bytes_per_token < CACHED_BYTES
    on_card = planned.card is not None
    shipped = planned.model.startswith("nano-")
    return ModelSettings(
        path=model_path(planned.model if shipped else planned.name),
        name=planned.model,
        slots=plan.slots,
        context=plan.context,
        kv_type=plan.kv_type,
        # Sharing out a step of a small model among cores costs more than it gains: each core has a
        # server of its own instead.
        threads=1 if small else usable_cores(),
        servers=min(usable_cores(), plan.slots, MOST_SERVERS) if small and not on_card else 1,
        batch=512 if small else 64,
        gpu_layers=planned.card.layers if on_card else 0,
    )


def _plan(options: argparse.Namespace) -> int:
    print(_planned(options))
    return DONE


def _planned(options: argparse.Namespace) -> ClassPlan:
    return plan_class(
        options.model or DEFAULT_MODEL,
        options.learners,
        machine=machine_of_server(this_machine()),
        context=options.context,
        slots=options.slots,
    )


def _make_keys(keys: KeyRing, learners: int) -> None:
    while len(keys.names) < learners:
        keys.add()


def _invite(keys: KeyRing, place, options: argparse.Namespace) -> None:
    """Say where the class is, and what each learner pastes."""
    print("\nEach learner writes one of these lines before the command that starts Jupyter:\n")
    for name in keys.names:
        line = line_to_paste(place.address, keys.key_of(name))
        print(f"  {name:<12} {line} make lab")
        if options.qr:
            print(qr_for_terminal(line))
    try:
        cards = write_cards(keys.path.with_name("cards.html"), place.address, keys, keys.names)
        print(f"\nTo print, with a QR code for each: {cards}")
    except MachineError as error:
        print(f"\n{error}")
    print(f"Your board: {place.address}/class/#{keys.teacher_key}")
    if place.open_to_the_network and place.certificate is None:
        print(
            "Keys and questions travel unencrypted here: use a network that you trust, or give "
            "--tls-certificate and --tls-private-key."
        )
    if not place.open_to_the_network:
        print("Only this machine can reach it; --host 0.0.0.0 opens it to the network.")
    print("Ctrl-C ends the class; the same command opens it again with the same keys.", flush=True)


# ---- keys --------------------------------------------------------------------------------------


def _add(options: argparse.Namespace) -> int:
    keys = KeyRing(options.keys)
    name = keys.add(options.name)
    _show(keys, name, options)
    return DONE


def _revoke(options: argparse.Namespace) -> int:
    KeyRing(options.keys).revoke(options.name)
    print(f"The key of {options.name} has been revoked; a running server notices at once.")
    return DONE


def _list(options: argparse.Namespace) -> int:
    keys = KeyRing(options.keys)
    for name in [options.name] if options.name else keys.names:
        _show(keys, name, options)
    return DONE


def _show(keys: KeyRing, name: str, options: argparse.Namespace) -> None:
    line = line_to_paste(options.address.rstrip("/").removesuffix("/v1"), keys.key_of(name))
    print(f"{name:<12} {line}")
    if options.qr:
        print(qr_for_terminal(line))


# ---- the command line --------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser(__doc__, prog="python -m course_utils.classroom")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="open the class")
    _add_plan(serve)
    _add_keys(serve)
    serve.add_argument("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    serve.add_argument(
        "--port", type=whole(1, 65535), default=DEFAULT_PORT, help="(default: %(default)s)"
    )
    serve.add_argument(
        "--upstream",
        metavar="ADDRESS",
        help="serve the model behind this OpenAI-compatible address instead of one of this "
        "machine; its key is read from the variable CLASS_UPSTREAM_KEY",
    )
    serve.add_argument("--tls-certificate", type=Path, metavar="FILE", help="serve https")
    serve.add_argument("--tls-private-key", type=Path, metavar="FILE")
    serve.add_argument("--no-rehearsal", action="store_true", help="do not measure the speed first")
    serve.add_argument("--qr", action="store_true", help="show a QR code for each learner")
    serve.set_defaults(run=_serve)

    plan = commands.add_parser("plan", help="say what each learner would get, and end")
    _add_plan(plan)
    plan.set_defaults(run=_plan)

    keys = commands.add_parser("keys", help="make, revoke and show learners' keys")
    actions = keys.add_subparsers(required=True, metavar="ACTION")
    for action, run, words in (
        ("add", _add, "make a key for one more learner"),
        ("revoke", _revoke, "take a learner's key back, at once"),
        ("list", _list, "show the lines that learners paste"),
    ):
        command = actions.add_parser(action, help=words)
        command.add_argument("name", nargs=None if action == "revoke" else "?")
        _add_keys(command)
        if action != "revoke":
            command.add_argument(
                "--address",
                default=f"http://127.0.0.1:{DEFAULT_PORT}",
                help="of the class server (default: %(default)s)",
            )
            command.add_argument("--qr", action="store_true", help="with a QR code")
        command.set_defaults(run=run)
    return parser


def _add_plan(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "model", nargs="?", help=f"a name of the catalogue, such as qwq-32b ({DEFAULT_MODEL})"
    )
    command.add_argument(
        "--learners", type=whole(1, MOST_LEARNERS), default=30, help="(default: %(default)s)"
    )
    command.add_argument(
        "--slots", type=whole(1, MOST_SLOTS_ASKED), help="replies that are written at a time"
    )
    command.add_argument("--context", type=whole(), help="tokens for each learner's conversation")


def _add_keys(command: argparse.ArgumentParser) -> None:
    command.add_argument("--keys", type=Path, metavar="FILE", help="where the keys are kept")


if __name__ == "__main__":
    sys.exit(main())
