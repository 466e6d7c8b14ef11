"""How does a 20 GB model file get here whole, however often the line drops?

``download(repository, filename)`` brings a file from a model hub: it goes on at the byte where it
was stopped, verifies the published checksum, and gives the file its name only then.
``download_model`` and ``model_path`` do it for the models of the catalogue.

Why not a library?  huggingface_hub 2 begins again after a restart and compares the length alone,
so it serves here for names, tokens and its cache; pooch verifies, and begins again as well;
programs that can do all of it, such as aria2, would have to be installed beside Python.
"""

from course_utils.download.fetch import describe_remote, download
from course_utils.download.hub import Checksum, RemoteFile, RetryPolicy
from course_utils.download.models import FoundFile, download_model, find_model_file, model_path
from course_utils.download.store import default_destination

__all__ = [
    "Checksum",
    "FoundFile",
    "RemoteFile",
    "RetryPolicy",
    "default_destination",
    "describe_remote",
    "download",
    "download_model",
    "find_model_file",
    "model_path",
]
