"""Small models of any architecture, made by asking the engine itself: it names the tensor that it misses, and then the shape it should have had.

    path = grow(engine, folder, "gemma3", {"block_count": 6, ...})      # keys without the architecture
    told = lay_out(engine, path, "-c", "4096", "-np", "1")              # what it allocates: {"KV": MiB, "RS": MiB, "compute": MiB}

Nothing in the files but zeros, which take no room."""

import os
import re
import subprocess
import threading

import gguf_files

QUIET = 8  # ends without a word that often in a row: then it has nothing to say
MISSING = re.compile(r"tensor '([^']+)' not found")
SHAPE = re.compile(r"tensor '([^']+)' has wrong shape; expected ([\d, ]+), got")


def listen(engine, path, *args, seconds=20.0):
    """What the engine says until it has laid everything out, or ends."""
    env = {**os.environ, "LD_LIBRARY_PATH": os.path.dirname(engine)}
    flags = ["-t", "1", "-lv", "4", "--port", "0", "--no-warmup", "-cram", "0", "--offline", "--no-ui", "-fit", "off"]
    p = subprocess.Popen([engine, "-m", path, *flags, *args], env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, errors="replace")
    timer = threading.Timer(seconds, p.kill)
    timer.start()
    said = []
    for line in p.stderr:
        said.append(line)
        if "compute buffer size" in line or "listening on" in line:
            break
    p.kill()
    p.wait()
    p.stderr.close()
    timer.cancel()
    return "".join(said)


def grow(engine, folder, architecture, keys):
    path, tensors, quiet = str(folder / f"{architecture}.gguf"), {}, 0
    own = {"vocab_size": 320, "context_length": 8192, "attention.layer_norm_rms_epsilon": 1e-5, "attention.layer_norm_epsilon": 1e-5, **keys}
    pairs = {"general.architecture": architecture, "tokenizer.ggml.model": "none", **{f"{architecture}.{k}": v for k, v in own.items()}}
    while quiet < QUIET:  # its last words are sometimes lost: then it is asked again
        gguf_files.write_gguf(path, pairs, tensors)
        said = listen(engine, path, "-c", "256", "-np", "1")
        missing, shape = MISSING.search(said), SHAPE.search(said)
        quiet = 0 if missing or shape else quiet + 1
        if "compute buffer size" in said:
            return path
        if missing:
            tensors[missing[1]] = ("f32", [1])
        elif shape:
            tensors[shape[1]] = ("f32", [int(n) for n in shape[2].split(",") if n.strip()])
    raise AssertionError(said[-2000:])


def lay_out(engine, path, *args):
    said = listen(engine, path, *args)
    found = re.findall(r"(KV|RS|compute) buffer size = +([\d.]+) MiB", said)
    assert found, said[-2000:]
    return {kind: sum(float(mib) for k, mib in found if k == kind) for kind in ("KV", "RS", "compute")}
