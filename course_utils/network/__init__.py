"""HTTP clients, and plain words for what goes wrong with them.

Everything in the course that speaks to another computer opens its client here and explains its
faults here: the downloader, and the engine that talks to model servers.  So one rule says which
proxy and which certificates count, one place knows what httpx, ssl and the socket may raise, and
a message names the setting or the machine that is to blame.
"""

from course_utils.network.addresses import (
    checked_address,
    free_port,
    is_loopback,
    shown_address,
)
from course_utils.network.clients import open_client
from course_utils.network.faults import (
    NETWORK_ERRORS,
    Fault,
    explain,
    is_web_page,
    page_instead,
    redirect_fault,
)
from course_utils.network.words import harmless, is_markup, message_in, words_of

__all__ = [
    "NETWORK_ERRORS",
    "Fault",
    "checked_address",
    "explain",
    "free_port",
    "harmless",
    "is_loopback",
    "is_markup",
    "is_web_page",
    "message_in",
    "open_client",
    "page_instead",
    "redirect_fault",
    "shown_address",
    "words_of",
]
