"""What servers written in Python are installed with, and how a program of theirs is run.

Invariant: nothing is run by its own name, because those programs hold the path of the folder in which they were
installed, and that one is renamed at the end.
"""

import sys

REQUIREMENTS = "requirements.txt"


def install(run):
    """Installs what `requirements.txt` says, apart from the packages of this machine."""
    run(sys.executable, "-m", "venv", "venv")
    pip = ["-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
    # Never built from its source, which takes minutes and tools.
    run("venv/bin/python", *pip, "install", "--only-binary", ":all:", "--requirement", REQUIREMENTS)


def program(installed):
    return installed / "venv" / "bin" / "python"
