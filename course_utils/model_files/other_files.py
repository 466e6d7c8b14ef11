"""Files that are no GGUF: told by their first bytes, with what to take instead.

Also: is there a file at all?
"""

from __future__ import annotations

import re
import stat
from pathlib import Path

from course_utils.errors import ModelFileError

# As many bytes as a tar archive needs to be known.
START_BYTES = 512

_CONVERT = (
    "Download the model in GGUF format, or convert it with llama.cpp's convert_hf_to_gguf.py."
)
_UNPACK = "Unpack it, and open the .gguf file inside; if there is none: " + _CONVERT


def finish(path: Path) -> str:
    """What to do about a file that ends too early."""
    if re.search(r"[-._](part|split)[-._]?\w+$", path.name):
        return (
            "This may be a piece of a larger file. Join all pieces in their order into one, for "
            "example with 'cat', and open that."
        )
    return "Finish the download, or download the file again."


_OTHER_FORMATS = (
    (0, b"FUGG", "a GGUF file with its bytes swapped", _CONVERT),
    (0, b"lmgg", "a model in llama.cpp's old GGML format", _CONVERT),
    (0, b"tjgg", "a model in llama.cpp's old GGJT format", _CONVERT),
    (0, b"fmgg", "a model in llama.cpp's old GGMF format", _CONVERT),
    (0, b"algg", "a LoRA adapter in llama.cpp's old format", "Take the model that it changes."),
    (0, b"PK\x03\x04", "a ZIP archive or PyTorch checkpoint", _UNPACK),
    (0, b"\x1f\x8b", "a gzip archive", _UNPACK),
    (0, b"BZh", "a bzip2 archive", _UNPACK),
    (0, b"\xfd7zXZ\0", "an xz archive", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (0, b"Rar!", "a RAR archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"\x89HDF", "an HDF5 file", _CONVERT),
    (0, b"\x93NUMPY", "a NumPy array", _CONVERT),
    (0, b"PAR1", "a Parquet table", "Look for the model's own file beside it."),
    (0, b"SQLite format 3", "a database", "Look for the model's own file beside it."),
    (4, b"TFL3", "a TensorFlow Lite model", _CONVERT),
    (0, b"\x08\x03\x12", "an ONNX model", _CONVERT),
    (0, b"%PDF", "a PDF document", "Look for the model's own file beside it."),
    (0, b"\x89PNG", "a picture", "Look for the model's own file beside it."),
    (0, b"\xff\xd8\xff", "a picture", "Look for the model's own file beside it."),
    (0, b"\x7fELF", "a program (perhaps a llamafile)", _CONVERT),
    (0, b"MZ", "a program (perhaps a llamafile)", _CONVERT),
    *((0, bytes((0x80, n)), "a pickled PyTorch checkpoint", _CONVERT) for n in range(2, 6)),
    (8, b"{", "a safetensors file", _CONVERT),
)


def refuse_other_formats(path: Path, start: bytes, size: int) -> None:
    """Raise ModelFileError, saying what the file is instead, unless it starts like a GGUF.

    ``start``: its first ``START_BYTES``; ``size``: all its bytes.
    """
    if start.startswith(b"GGUF"):
        return
    if not start:
        raise ModelFileError(f"{path} is empty: it has 0 bytes.", "Download the file again.")
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"version https://git-lfs", b"version https://hawser")):
        raise ModelFileError(
            f"{path} is a Git LFS pointer: a note of {size:,} bytes about a model kept elsewhere.",
            "Run 'git lfs pull' in its repository, or download the model itself.",
        )
    if text.startswith(b"# xet version"):
        raise ModelFileError(
            f"{path} is a Xet pointer: a note of {size:,} bytes about a model kept elsewhere.",
            "Download the model itself, for example with 'hf download'.",
        )
    if text.startswith(b"<"):
        raise ModelFileError(
            f"{path} is a web page, not a model. A page saying 'not found' or 'please log in' may "
            "have been saved under the model's name.",
            "Open the download address in a browser to see what it says, then download again.",
        )
    if text.startswith((b"{", b"[")):
        raise ModelFileError(
            f"{path} is a JSON text, not a model; it may be a server's error message.",
            "Open it in an editor to see what it says, then download the model again.",
        )
    if not start.strip(b"\0"):
        raise ModelFileError(
            f"{path} starts with zeros: its space was reserved, but its data never arrived.",
            finish(path),
        )
    if b"GGUF".startswith(start):
        raise ModelFileError(f"{path} is not complete: it ends after {size:,} bytes.", finish(path))
    for place, magic, kind, remedy in _OTHER_FORMATS:
        if start[place:].startswith(magic):
            raise ModelFileError(f"{path} is {kind}, not a GGUF model.", remedy)
    if size == len(start) and start.isascii() and start.decode().replace("\n", " ").isprintable():
        raise ModelFileError(
            f"{path} is a text, not a GGUF model. It says: {start[:200].decode().strip()!r}.",
            f"If a server wrote this instead of the model, do as it says. {_CONVERT}",
        )
    raise ModelFileError(
        f"{path} is not a GGUF model: it starts with {start[:4]!r}, not with b'GGUF'.", _CONVERT
    )


def size_of_file(path: Path) -> int:
    """The file's length in bytes. Raises ModelFileError where there is no ordinary file."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise ModelFileError(
                f"{path} cannot be read: permission denied.",
                "Check that you may read this file and open the folders above it.",
            ) from error
        nearby = _gguf_files(path.parent)
        raise ModelFileError(
            f"There is no file {path}.",
            f"Check the path. The folder has: {nearby}." if nearby else "Check the path.",
        ) from error
    if stat.S_ISDIR(status.st_mode):
        inside = _gguf_files(path)
        raise ModelFileError(
            f"{path} is a folder, not a model file.",
            f"Name one of the files in it: {inside}."
            if inside
            else "Give the path of a .gguf file; this folder has none.",
        )
    if not stat.S_ISREG(status.st_mode):
        raise ModelFileError(
            f"{path} is not an ordinary file, so it cannot be a model.",
            "Give the path of a .gguf file.",
        )
    return status.st_size


def _gguf_files(folder: Path, most: int = 8) -> str:
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.suffix == ".gguf")
    except (OSError, ValueError):
        return ""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
