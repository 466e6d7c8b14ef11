"""A plugin for pytest: how long nbval waits for the next output of a cell that has been run.

Five seconds, and no option sets it (nbval#136, #231).  A machine that runs other tests beside it
takes longer now and then, and a notebook that is right would fail.
"""

SECONDS = 60


def pytest_collection_modifyitems(items: list) -> None:
    for item in items:
        if hasattr(item, "output_timeout"):
            item.output_timeout = SECONDS
