"""A process that checks, opens and runs model files, one path a line, so that it may end.

Prints "ready" when it waits for a path, and how each file ended, as one line of JSON.
"""

from __future__ import annotations

import json
import sys

from course_utils.engines import PLAIN, open_model
from course_utils.errors import CourseError, ModelFileError


def run(path: str) -> dict[str, str]:
    try:
        with open_model(path, context=64) as engine:
            engine.tokenize("Hello 12\n")
            engine.complete("Hello 12", PLAIN.but(seed=0, max_tokens=2)).finish()
    except ModelFileError as error:
        return {"outcome": "refused", "why": str(error)}
    except CourseError as error:
        return {"outcome": "refused by llama.cpp", "why": str(error)}
    except Exception as error:
        return {"outcome": "bug", "why": f"{type(error).__name__}: {error}"}
    return {"outcome": "ran", "why": ""}


if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(line.rstrip("\n"))), flush=True)
