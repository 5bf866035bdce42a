"""Makes .venv and installs the locked packages; does nothing when they are there. Run by make.

    python3 requirements/install.py base|demo|dev

Written so that an old Python can run it too and say in plain words which one is wanted. All it says goes to
stderr: the standard output belongs to what make runs next.
"""

import hashlib
import os
import subprocess
import sys

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PROGRAM = os.path.join(VENV, "bin", "python")
SETS = ("base", "demo", "dev")  # each holds the one before


def main(wanted):
    check_python()
    if is_installed(wanted):
        return
    if not is_same_python():
        say("making .venv with Python %d.%d" % sys.version_info[:2])
        import venv

        venv.EnvBuilder(with_pip=True, clear=True).create(VENV)
    say("installing requirements/%s.txt into .venv (the first time this takes a minute)" % wanted)
    pip("install", "--quiet", "--require-hashes", "-r", os.path.join("requirements", wanted + ".txt"))
    pip("install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
    with open(stamp(wanted), "w") as file:
        file.write(fingerprint(wanted))


def check_python():
    if sys.version_info < OLDEST:
        fail(
            "%s is Python %d.%d: want %d.%d or newer. Install one and run: make PYTHON=python3.13 ..."
            % ((sys.executable,) + tuple(sys.version_info[:2]) + OLDEST)
        )
    for module in ("venv", "ensurepip"):
        try:
            __import__(module)
        except ImportError:
            fail(
                "%s has no module '%s', so it can't make .venv."
                " On Debian and Ubuntu: apt-get install python%d.%d-venv"
                % ((sys.executable, module) + tuple(sys.version_info[:2]))
            )


def is_installed(wanted):
    """A larger set holds the smaller ones."""
    return is_same_python() and any(
        read(stamp(name)) == fingerprint(name) for name in SETS[SETS.index(wanted) :]
    )


def is_same_python():
    try:
        told = subprocess.check_output(
            [PROGRAM, "-c", "import pip, sys; print(sys.version)"], stderr=subprocess.DEVNULL, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return told.strip() == sys.version.strip()


def fingerprint(name):
    parts = [ROOT, sys.version]
    parts += [read(os.path.join(ROOT, path)) for path in ("pyproject.toml", "requirements/%s.txt" % name)]
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()


def stamp(name):
    return os.path.join(VENV, "installed-" + name)


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def pip(*arguments):
    command = [PROGRAM, "-m", "pip", "--disable-pip-version-check", "--no-input"] + list(arguments)
    if subprocess.call(command, cwd=ROOT, stdout=sys.stderr, stdin=subprocess.DEVNULL):
        fail("pip could not install; its words are above. Nothing else was changed; run make again.")


def say(text):
    sys.stderr.write("tidewatch: %s\n" % text)


def fail(text):
    say(text)
    sys.exit(1)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in SETS:
        fail("want one of: " + ", ".join(SETS))
    main(sys.argv[1])
