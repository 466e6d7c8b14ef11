"""The door to ``course_utils.installation.selftest``."""

import sys

from course_utils.installation.selftest import main, selftest

__all__ = ["selftest"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
