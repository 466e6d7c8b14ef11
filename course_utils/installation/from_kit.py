"""Installs the course from this stick, without a network: python3 install.py [FOLDER]

FOLDER is where the course will live; qwq-course in your home folder unless you name another.
"""

# In the kit this file is install.py: it stands alone, and needs nothing but Python.

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

KIT = Path(__file__).resolve().parent


def main():
    if any(argument in ("-h", "--help") for argument in sys.argv[1:]) or len(sys.argv) > 2:
        print(__doc__)
        return 0 if len(sys.argv) == 2 else 2
    made_for = json.loads((KIT / "kit.json").read_text(encoding="utf-8"))
    here = {
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "system": platform.system(),
        "machine": platform.machine(),
    }
    if here != made_for:
        found = shutil.which(f"python{made_for['python']}")
        if {**here, "python": made_for["python"]} == made_for and found:
            return subprocess.call([found, *sys.argv])
        print(f"This kit is for {describe(made_for)}; this is {describe(here)}.")
        print("What to do: install that Python, or have a kit made on a machine like this one.")
        return 1
    target = Path(sys.argv[1] if len(sys.argv) == 2 else Path.home() / "qwq-course").resolve()
    if not (target / "course_utils").exists():
        if target.exists() and any(target.iterdir()):
            print(f"{target} holds something else. What to do: name another folder.")
            return 1
        shutil.copytree(KIT / "course", target, dirs_exist_ok=True)
    sys.path.insert(0, str(target / "course_utils" / "installation"))
    import bootstrap

    environment = bootstrap.Environment(target / ".venv")
    try:
        if not environment.complete():
            install(environment, target)
    except bootstrap.llama_build.SetupError as error:
        print(f"\n{error.problem}\nWhat to do: {error.remedy}", file=sys.stderr)
        return 1
    status = subprocess.call(
        [str(environment.python), "-m", "course_utils.installation.selftest"], cwd=target
    )
    print(f"\nThe course is in {target}. Open it:")
    print(f"  {environment.python} -m jupyterlab notebooks/00_start_here.ipynb")
    return status


def install(environment, target):
    """Make the environment from the kit's wheels; nothing is looked for elsewhere."""
    print(f"Installing the course into {target}. This takes a few minutes.", flush=True)
    environment.make()
    wheels = sorted(str(path) for path in (KIT / "wheels").glob("*.whl"))
    offline = ["install", "--no-index", "--no-deps", "--quiet"]
    # pip itself may be among them, and newer than the one that runs: first the others.
    others = [wheel for wheel in wheels if not Path(wheel).name.startswith("pip-")]
    environment.pip("packages", [*offline, "--no-compile", *others])
    environment.pip(
        "the course itself", [*offline, "--no-build-isolation", "--editable", str(target)]
    )
    environment.mark_complete()


def describe(kind):
    return f"Python {kind['python']} on {kind['system']}, {kind['machine']}"


if __name__ == "__main__":
    sys.exit(main())
