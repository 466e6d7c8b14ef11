"""For repo2docker, which reads environment.yml by itself: what that file leaves to be done.

Untested: no container engine runs in our tests.  From the repository's root::

    jupyter-repo2docker --config .devcontainer/repo2docker/repo2docker_config.py .
"""

c = get_config()  # noqa: F821 (repo2docker gives it to this file)

c.Repo2Docker.appendix = """
RUN ${NB_PYTHON_PREFIX}/bin/python -m pip install --no-deps --no-build-isolation --editable . && \\
    ${NB_PYTHON_PREFIX}/bin/python -m pip install --group evaluation
"""
