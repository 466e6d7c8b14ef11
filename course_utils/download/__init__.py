"""How does a 20 GB model file get here whole, however often the line drops?

``download(repository, filename)`` brings a file from a model hub: it goes on at the byte where it
was stopped, verifies the published checksum, and gives the file its name only then.
``read_range`` reads a few bytes of a file without the rest.  huggingface_hub 2 does neither (its
downloads start again after a restart), so it serves here for names, tokens and its cache.
"""

from .checksum import Checksum
from .fetch import download, download_model
from .hub import RemoteFile
from .lookup import describe_remote, find_downloaded, read_range
from .patience import RetryPolicy
from .request import default_destination

__all__ = [
    "Checksum",
    "RemoteFile",
    "RetryPolicy",
    "default_destination",
    "describe_remote",
    "download",
    "download_model",
    "find_downloaded",
    "read_range",
]
