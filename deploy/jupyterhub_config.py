"""A JupyterHub for a class, on one machine: `make hub`. deploy/README.md explains each choice.

Set COURSE_HUB_PASSWORD first: learners log in with a name that they choose and this password.
COURSE_HUB_PORT (8000) and COURSE_HUB_FOLDER (runs/hub: learners' files, the hub's state) may be
set too, and COURSE_MODEL to the address of a model server for all.
"""

import os
import shutil
import sys
from pathlib import Path

from course_utils.installation.merging import git_settings
from course_utils.installation.teaching import jupyter_paths
from course_utils.paths import models_folder, repository_root

c = get_config()  # noqa: F821 (JupyterHub gives it to this file)

COURSE = repository_root()
FOLDER = Path(os.environ.get("COURSE_HUB_FOLDER", COURSE / "runs" / "hub")).resolve()
HOMES = FOLDER / "learners"
PASSWORD = os.environ.get("COURSE_HUB_PASSWORD", "")

if len(PASSWORD) < 12:
    sys.exit("Set COURSE_HUB_PASSWORD to a password of 12 characters or more, then start again.")

HOMES.mkdir(parents=True, exist_ok=True)
FOLDER.chmod(0o700)

# Who: anybody who knows the password, under a name of their own.
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = PASSWORD
c.Authenticator.allow_all = True

# Where: loopback. Put a web server with TLS in front (deploy/README.md) before others may reach it.
c.JupyterHub.bind_url = f"http://127.0.0.1:{os.environ.get('COURSE_HUB_PORT', '8000')}"
c.JupyterHub.db_url = f"sqlite:///{FOLDER / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(FOLDER / "cookie-secret")
c.ConfigurableHTTPProxy.command = [
    str(COURSE / "deploy" / "node_modules" / ".bin" / "configurable-http-proxy")
]
c.ConfigurableHTTPProxy.pid_file = str(FOLDER / "proxy.pid")

# What starts: a process for each learner, all under the account that runs the hub.
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(HOMES / "{username}")
c.Spawner.cmd = [str(Path(sys.executable).parent / "jupyterhub-singleuser")]
c.Spawner.notebook_dir = str(HOMES / "{username}")
c.Spawner.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
c.Spawner.start_timeout = c.Spawner.http_timeout = 180
c.Spawner.environment = {
    "PYTHONPATH": str(COURSE),
    **jupyter_paths(),
    # nbgitpuller runs git, which then merges notebooks cell by cell.
    **git_settings(),
    # Learners share the cores: a model of a notebook must not take them all.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    **({"COURSE_MODEL": os.environ["COURSE_MODEL"]} if "COURSE_MODEL" in os.environ else {}),
}
# Written here for spawners that can hold somebody to it (containers, systemd). A simple process
# is not held to it.
c.Spawner.mem_limit = "2G"
c.Spawner.cpu_limit = 1.0


def give_notebooks(spawner):
    """Copy the notebooks that a learner lacks into their home; what is there is left alone.

    The models stay in one place for all, through links.
    """
    home = HOMES / spawner.user.name
    (home / "notebooks").mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    for notebook in sorted((COURSE / "notebooks").glob("*.ipynb")):
        target = home / "notebooks" / notebook.name
        if not target.exists():
            shutil.copyfile(notebook, target)
    for name, there in {"models": models_folder(), "docs": COURSE / "docs"}.items():
        if not os.path.lexists(home / name):
            (home / name).symlink_to(there, target_is_directory=True)


c.Spawner.pre_spawn_hook = give_notebooks
