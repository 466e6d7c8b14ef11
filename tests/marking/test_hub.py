"""The hub starts, a learner logs in, and notebook 00 runs in their browser; the rest is parsed."""

import ast
import contextlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.request

import pytest
import yaml

from course_utils.installation.teaching import teaching_python
from course_utils.network import free_port
from course_utils.paths import repository_root
from tests import jupyterlab_browser as lab

ROOT = repository_root()
DEPLOY = ROOT / "deploy"
PASSWORD = "a long password for the class"
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def start(tmp_path, **settings):
    """The hub's process on free ports, with its log in ``tmp_path``."""
    port, hub, proxy = free_port(), free_port(), free_port()
    command = [teaching_python(), "-m", "jupyterhub", "--config", DEPLOY / "jupyterhub_config.py"]
    command += [f"--JupyterHub.hub_port={hub}"]
    command += [f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{proxy}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command += ["--Spawner.args=--allow-root"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "COURSE_HUB_PORT": str(port),
        "COURSE_HUB_FOLDER": str(tmp_path / "hub"),
        "COURSE_HUB_PASSWORD": PASSWORD,
        **settings,
    }
    log = (tmp_path / "hub.log").open("w")
    process = subprocess.Popen(
        list(map(str, command)),
        stdout=log,
        stderr=log,
        env=environment,
        cwd=tmp_path,
        start_new_session=True,
    )
    return process, f"http://127.0.0.1:{port}"


@pytest.fixture
def hub(teacher, npm_packages, tmp_path):
    process, address = start(tmp_path)
    try:
        deadline = time.monotonic() + lab.PATIENCE_SECONDS
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/hub/health", timeout=5).close()
                break
            said = (tmp_path / "hub.log").read_text(encoding="utf-8")
            assert process.poll() is None and time.monotonic() < deadline, said[-3000:]
            time.sleep(0.5)
        yield address, tmp_path / "hub" / "learners"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_learner_logs_in_and_runs_notebook_00(hub):
    try:
        lab.chromium()
    except lab.NoBrowser as reason:
        pytest.skip(str(reason))
    address, homes = hub
    for name, values in lab.SETTINGS.items():
        file = homes / "ada" / ".jupyter" / "lab" / "user-settings" / name
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    with lab.browser() as context:
        page = context.new_page()
        page.goto(address)
        page.locator("#username_input").fill("ada")
        page.locator("#password_input").fill("not the password, surely")
        page.locator("#login_submit").click()
        page.get_by_text("Invalid username or password").wait_for()
        page.locator("#username_input").fill("ada")
        page.locator("#password_input").fill(PASSWORD)
        page.locator("#login_submit").click()
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        ready = re.compile(r"Python.*\| Idle")
        page.locator("#jp-main-statusbar", has_text=ready).wait_for()
        notebook = homes / "ada" / "notebooks" / "00_start_here.ipynb"
        lab.run_open_notebook(page, notebook)
        assert "checks passed" in page.locator(".jp-Notebook").inner_text()
    assert (homes / "ada" / "models").resolve() == ROOT / "models"
    assert homes.parent.stat().st_mode & 0o077 == 0


def test_a_hub_without_a_password_does_not_start(teacher, tmp_path):
    process, _ = start(tmp_path, COURSE_HUB_PASSWORD="short")
    assert process.wait(lab.PATIENCE_SECONDS) != 0
    assert "COURSE_HUB_PASSWORD" in (tmp_path / "hub.log").read_text(encoding="utf-8")


def test_the_littlest_jupyterhubs_file_names_what_it_knows():
    config = yaml.safe_load((DEPLOY / "tljh_config.yaml").read_text(encoding="utf-8"))
    assert config.keys() <= {"users", "limits", "services", "user_environment", "auth", "https"}
    assert re.fullmatch(r"\d+G", config["limits"]["memory"]) and config["limits"]["cpu"] >= 1
    assert config["auth"]["type"].rpartition(".")[2] in config["auth"]


def test_the_containers_are_made_from_environment_yml():
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8")
    commands = json.loads(text)["onCreateCommand"]
    assert "conda env create --file environment.yml" in commands
    assert set(re.findall(r"--name (\S+)", text)) == {ENVIRONMENT["name"]}
    assert f"/envs/{ENVIRONMENT['name']}/" in text
    repo2docker = ROOT / ".devcontainer" / "repo2docker" / "repo2docker_config.py"
    appendix = repo2docker.read_text(encoding="utf-8")
    ast.parse(appendix)
    # What conda's file says is left to do, and no package beside: those stand in one place.
    for line in ("--no-deps --no-build-isolation --editable .", "--group evaluation"):
        header = (ROOT / "environment.yml").read_text(encoding="utf-8")
        assert line in header and line in appendix and line in commands
    installs = re.findall(r"pip install ([^&\n\"]+)", appendix + commands)
    assert {part.strip(" \\") for part in installs} == {
        "--no-deps --no-build-isolation --editable .",
        "--group evaluation",
    }


def test_the_proxys_version_is_pinned_and_its_lock_names_no_registry():
    wanted = json.loads((DEPLOY / "package.json").read_text(encoding="utf-8"))["dependencies"]
    lock = json.loads((DEPLOY / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for name, version in wanted.items():
        assert lock[f"node_modules/{name}"]["version"] == version
    assert not any("resolved" in package for package in lock.values())
