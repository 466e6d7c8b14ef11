"""Record the run that notebook 06 replays: the nano thinker, with its checksum and this machine."""

from __future__ import annotations

from course_utils.engines import QWQ, open_model
from course_utils.engines.transcript import record
from course_utils.paths import models_folder, repository_root

QUESTION = "What is 347 + 285?"


def main() -> None:
    path = models_folder() / "transcripts" / "nano-thinker.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    reply = record(open_model("nano-thinker"), path, QUESTION, QWQ.but(seed=0))
    print(
        f"{QUESTION} {reply.answer} ({reply.tokens} tokens, {reply.tokens_per_second:.0f} tokens "
        f"per second), written to {path.relative_to(repository_root())}"
    )


if __name__ == "__main__":
    main()
