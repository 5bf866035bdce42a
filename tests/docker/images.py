"""Images for the Docker tests: pulled where that works, else made here and kept by the hash of their content.

``python -m tests.docker.images`` makes them all and prints the variables that name them.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from stream.kafka import jars
from tests.docker.engine import Unavailable, docker, has, pulled, require, run

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
COMPOSE = ROOT / "docker-compose.yml"
SUITE = "bookworm"
PACKAGES = ("ca-certificates", "openjdk-17-jre-headless", "python3", "python3-venv", "wget")
TRUST = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT")
PROXY = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
TEMPLATES = Path("/usr/share/prometheus/alertmanager")
"""Where Debian's Alertmanager looks for what it can't start without."""
CERTIFICATES = ("/etc/ssl/certs", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates")


def default(variable: str) -> str:
    """Return the image that docker-compose.yml names for ``variable``."""
    found = re.search(rf"\$\{{{variable}:-([^}}]+)\}}", COMPOSE.read_text(encoding="utf-8"))
    if found is None:
        raise LookupError(f"{COMPOSE.name}: want a default for {variable}")
    return found[1]


def obtain() -> dict[str, str]:
    """Return the variables that name the images of docker-compose.yml, Grafana's left out.

    Raises:
        Unavailable: an image can neither be pulled nor made here.
    """
    require()
    made = {variable: named(variable, make) for variable, make in MAKERS.items()}
    return made | {"TIDEWATCH_IMAGE": service(made["TIDEWATCH_PYTHON_IMAGE"])}


def named(variable: str, make: Callable[[], str]) -> str:
    """Return the image that the environment or docker-compose.yml names, else one made here."""
    image = os.environ.get(variable) or default(variable)
    return image if pulled(image) else make()


def base() -> str:
    """Return a small Debian with Python and Java, made by debootstrap."""
    image = f"tidewatch-test-base:{key([SUITE, *PACKAGES])}"
    if has(image):
        return image
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        raise Unavailable("no image can be pulled, and making one wants debootstrap and root: see .ci/system")
    with tempfile.TemporaryDirectory(prefix="tidewatch-base-") as name:
        mirror = [one for one in [os.environ.get("TIDEWATCH_TEST_DEBIAN_MIRROR")] if one]
        run(["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, name, *mirror])
        for left in (Path(name) / "var/cache/apt/archives").glob("*.deb"):
            left.unlink()
        with subprocess.Popen(["tar", "-C", name, "-c", "."], stdout=subprocess.PIPE) as packed:
            docker("import", "--change", "CMD bash", "-", image, stdin=packed.stdout)
    return image


def kafka() -> str:
    """Return an image with the locked jars of the embedded Kafka, told like apache/kafka."""
    lock = ROOT / "stream" / "kafka"
    own = [HERE / "kafka" / "Dockerfile", HERE / "kafka" / "launch.py", lock / "log4j2.properties"]
    foundation = base()
    image = f"tidewatch-test-kafka:{key([foundation, *map(_read, own), _read(lock / 'kafka.lock')])}"
    if not has(image):
        with tempfile.TemporaryDirectory(prefix="tidewatch-kafka-image-") as name:
            context = Path(name)
            (context / "jars").mkdir()
            for jar in jars.obtain(jars.cache_directory(), jars.locked()):
                shutil.copy(jar, context / "jars")
            for file in own:
                shutil.copy(file, context)
            build(image, context, BASE=foundation)
    return image


def prometheus() -> str:
    """Return an image with this machine's own Prometheus."""
    return _program("prometheus", "prometheus")


def alertmanager() -> str:
    """Return an image with this machine's own Alertmanager."""
    return _program("alertmanager", "prometheus-alertmanager")


def _program(name: str, program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise Unavailable(f"no image of {name} can be pulled, and no {program} is on PATH to make one from")
    foundation, recipe = base(), HERE / "prometheus" / "Dockerfile"
    image = f"tidewatch-test-{name}:{key([foundation, _read(recipe), _digest(Path(path))])}"
    if not has(image):
        with tempfile.TemporaryDirectory(prefix=f"tidewatch-{name}-image-") as context:
            shutil.copy(path, Path(context) / program)
            shutil.copy(recipe, context)
            templates = Path(context) / "templates"
            templates.mkdir()
            for template in TEMPLATES.glob("*.tmpl"):
                shutil.copy(template, templates)
            build(image, Path(context), BASE=foundation, PROGRAM=program)
    return image


def service(foundation: str) -> str:
    """Return the image of the committed Dockerfile, built on ``foundation`` without a network."""
    files = [
        ROOT / name for name in ("Dockerfile", ".dockerignore", "pyproject.toml", "requirements/base.txt")
    ]
    files += sorted(
        path for room in ("stream", "alerts") for path in (ROOT / room).rglob("*") if _is_source(path)
    )
    image = f"tidewatch-test-service:{key([foundation, *(f'{path}{_digest(path)}' for path in files)])}"
    if not has(image):
        with tempfile.TemporaryDirectory(prefix="tidewatch-service-image-") as name:
            context = Path(name)
            for file in [*files, *ROOT.glob("LICENSE"), *ROOT.glob("README.md")]:
                target = context / file.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target)
            shutil.copytree(wheels(foundation), context / "wheels")
            build(image, context, PYTHON_IMAGE=foundation, PIP_NO_INDEX="1")
    return image


def wheels(foundation: str) -> Path:
    """Return a folder with the locked packages, fetched once by the Python of ``foundation`` itself.

    The image is built without a network: this machine's way to its registry stays out of it.
    """
    locked = ROOT / "requirements" / "base.txt"
    folder = jars.cache_directory().parent / f"wheels-{key([foundation, _read(locked)])}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="wheels-", dir=folder.parent) as fetched:
        script = (
            "python3 -m venv /tmp/v && /tmp/v/bin/pip download -q --require-hashes -r /base.txt -d /wheels"
        )
        trusted = [part for path in _existing() for part in ("-v", f"{path}:{path}:ro")]
        told = [part for name in (*TRUST, *PROXY) if name in os.environ for part in ("-e", name)]
        owner = ["--user", f"{os.getuid()}:{os.getgid()}", "-e", "HOME=/tmp"]
        mounts = ["-v", f"{locked}:/base.txt:ro", "-v", f"{fetched}:/wheels"]
        docker(
            "run", "--rm", "--network=host", *owner, *trusted, *told, *mounts, foundation, "sh", "-c", script
        )
        shutil.copytree(fetched, folder)
    return folder


def build(image: str, context: Path, **arguments: str) -> None:
    """Build ``context`` as ``image`` and drop its older contents; the steps have no network."""
    told = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
    docker("build", "--quiet", "--network=none", "--force-rm", "-t", image, *told, str(context))
    name, _, tag = image.partition(":")
    for older in docker("image", "ls", "--format", "{{.Tag}}", name).split():
        if older != tag:
            with contextlib.suppress(RuntimeError):  # another run uses it now
                docker("image", "rm", f"{name}:{older}")


def key(parts: Iterable[str]) -> str:
    """Return a short name for content."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _existing() -> list[str]:
    return [path for path in ("/etc/pip.conf", *CERTIFICATES) if Path(path).exists()]


def _is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


MAKERS = {
    "TIDEWATCH_PYTHON_IMAGE": base,
    "TIDEWATCH_KAFKA_IMAGE": kafka,
    "TIDEWATCH_PROMETHEUS_IMAGE": prometheus,
    "TIDEWATCH_ALERTMANAGER_IMAGE": alertmanager,
}


if __name__ == "__main__":
    try:
        for variable, image in obtain().items():
            print(f"{variable}={image}")
    except Unavailable as reason:
        sys.exit(f"tidewatch: {reason}")
