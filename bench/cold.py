"""From a request to its first token when the model is cold: through hob, against the same engine started by hand.

By hand is as lean as can be: the engine's program with the very arguments that hob gives it, and the request itself asked
again each millisecond until it is answered. Both ways alternate; the file is in the page cache for both.
"""
import contextlib
import http.client
import json
import os
import subprocess
import time

from procs import CannotMeasure, command_line, free_port, tree, wait_until_up
from tokens import UnixConnection, locate, option

HOB_CONF = """\
listen: 127.0.0.1:{port}
state: "{state}"
engines: {{llama: {{path: "{engine}"}}}}
models:
  small: {{file: "{model}", context: 512, slots: 1}}
"""
BODY = json.dumps({"model": "small", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0, "max_tokens": 1,
                   "stream": True})
PATIENCE_S = 60


def first_token(connection, key=""):
    """Asks; True once a piece of an answer has come, False when it is still loading."""
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    connection.request("POST", "/v1/chat/completions", BODY, headers)
    response = connection.getresponse()
    if response.status != 200:
        response.read()
        return False
    for line in response:
        if line.startswith(b"data: ") and b'"content":"' in line:
            return True
    return False


def unload(state):
    connection = UnixConnection(os.path.join(state, "hob.sock"), PATIENCE_S)
    with contextlib.closing(connection):
        connection.request("POST", "/hob/v1/models/unload", json.dumps({"model": "small"}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise CannotMeasure(f"hob did not unload the model: {answer.status}")


def through_hob(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        began = time.monotonic()
        if not first_token(connection):
            raise CannotMeasure("hob did not answer with a token")
        return (time.monotonic() - began) * 1e3


def engine_arguments(hob):
    for pid in tree(hob.pid):
        argv = command_line(pid)
        if option(argv, "--model") and option(argv, "--host"):
            return argv
    raise CannotMeasure("no engine runs below hob")


def with_socket(argv, path):
    argv = list(argv)
    argv[argv.index("--host") + 1] = path
    at = argv.index("--api-key-file")
    return argv[:at] + argv[at + 2:]


def by_hand(argv, path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    began = time.monotonic()
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while time.monotonic() - began < PATIENCE_S:
            connection = UnixConnection(path, PATIENCE_S)
            with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
                if first_token(connection):
                    return (time.monotonic() - began) * 1e3
            if child.poll() is not None:
                break
            time.sleep(0.001)
        raise CannotMeasure("the engine started by hand did not answer")
    finally:
        child.kill()
        child.wait()


def measure_cold(starter, root, rounds, progress):
    """{"cold_start_ms": {"direct": […], "hob": […]}}; which goes first changes from round to round."""
    engine, model = locate("engine", "HOB_LLAMA_SERVER", root), locate("model", "HOB_TEST_MODEL", root)
    folder = starter.scratch / "cold"
    folder.mkdir()
    port, state, path = free_port(), str(folder / "state"), str(folder / "raw.sock")
    samples = {"direct": [], "hob": []}
    with starter.spawn_hob(folder, None, HOB_CONF.format(port=port, state=state, engine=engine, model=model)) as hob:
        wait_until_up(hob, port)
        progress("cold: warming up")
        through_hob(port)
        argv = with_socket(engine_arguments(hob), path)
        by_hand(argv, path)
        for i in range(rounds):
            progress(f"cold: round {i + 1} of {rounds}")
            ways = [("hob", lambda: through_hob(port)), ("direct", lambda: by_hand(argv, path))]
            for name, way in ways if i % 2 == 0 else reversed(ways):
                unload(state)  # what hob loaded would compute beside the other
                samples[name].append(way())
    return {"cold_start_ms": samples}
