"""Tokens per second through hob against the same engine asked directly.

hob runs a real engine with a real model; we find the engine's unix socket and key where hob put them (its command line in
/proc) and ask the same prompt both ways in turns. Our own clock decides: from sending the request to the last event
(total), and from the first to the last piece of content (decode).
"""
import http.client
import json
import os
import pathlib
import socket
import subprocess
import time

from procs import CannotMeasure, command_line, free_port, read, tree, wait_until_up

MAX_TOKENS = 64
PROMPT = "Explain, step by step and in plain words, how a kitchen keeps its soup warm for late guests."

HOB_CONF = """\
listen: 127.0.0.1:{port}
engines: {{llama: {{path: "{engine}"}}}}
models:
  small: {{file: "{model}", context: 2048, slots: 1, keep: hot}}
roles:
  chat: {{model: small}}
"""


class NotAtHand(Exception):
    """No engine or no model here: this part is left out, which is no failure."""


def locate(what, variable, root):
    """A path from the environment, else from scripts/fetch, which prints it as its last line."""
    path = os.environ.get(variable)
    script = root / "scripts" / "fetch"
    if not path and script.exists():
        try:
            done = subprocess.run([str(script), what], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=300, cwd=root)
        except subprocess.TimeoutExpired:
            raise NotAtHand(f"scripts/fetch {what} took longer than 300 s") from None
        path = done.stdout.strip().splitlines()[-1] if not done.returncode and done.stdout.strip() else None
    if not path or not pathlib.Path(path).is_file():
        raise NotAtHand(f"no {what} at hand: set {variable}")
    return str(pathlib.Path(path).resolve())


# ---- The engine below hob ----

class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def option(argv, name):
    for i, word in enumerate(argv):
        if word == name and i + 1 < len(argv):
            return argv[i + 1]
        if word.startswith(name + "="):
            return word[len(name) + 1:]
    return None


def find_engine(hob, engine):
    """(a function that connects, the key) of the engine that runs below hob."""
    for pid in tree(hob.pid):
        argv = command_line(pid)
        host = option(argv, "--host")
        if not host or option(argv, "--model") is None and option(argv, "-m") is None:
            continue
        key_file = option(argv, "--api-key-file")
        if key_file:
            key = read(key_file).split("\n")[0].strip()
        else:
            env = dict(v.split("=", 1) for v in read(f"/proc/{pid}/environ").split("\0") if "=" in v)
            key = option(argv, "--api-key") or env.get("LLAMA_API_KEY", "")
        if host.endswith(".sock"):
            # A name relative to the engine's folder is reached through that folder.
            path = host if host.startswith("/") else f"/proc/{pid}/cwd/{host}"
            return (lambda: UnixConnection(path, 120)), key
        port = int(option(argv, "--port") or 8080)
        return (lambda: http.client.HTTPConnection(host, port, timeout=120)), key
    raise CannotMeasure(f"no engine with --host and a model runs below hob ({engine})")


# ---- One question ----

def ask(connect, key, model):
    """{tokens, total_s, decode_s, text} of one streamed answer."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": PROMPT}], "temperature": 0,
                       "max_tokens": MAX_TOKENS, "cache_prompt": False, "stream": True,
                       "stream_options": {"include_usage": True}})
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    text, tokens, times = "", 0, []
    connection = connect()
    try:
        connection.connect()
        began = time.monotonic()
        connection.request("POST", "/v1/chat/completions", body, headers)
        response = connection.getresponse()
        if response.status != 200:
            raise CannotMeasure(f"status {response.status}: {response.read(300).decode('utf-8', 'replace')}")
        done = False
        for line in response:
            if not line.startswith(b"data: "):
                continue
            now = time.monotonic()
            if line.startswith(b"data: [DONE]"):
                done = True
                continue
            event = json.loads(line[6:])
            tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
            for choice in event.get("choices", []):
                piece = choice.get("delta", {}).get("content")
                if piece:
                    text += piece
                    times.append(now)
        ended = time.monotonic()
    except (OSError, http.client.HTTPException, ValueError) as e:
        raise CannotMeasure(f"the answer broke off: {e}") from e
    finally:
        connection.close()
    if not done or not tokens or len(times) < 2:
        raise CannotMeasure(f"an incomplete answer: {tokens} tokens, {len(times)} pieces, [DONE] {done}")
    return {"tokens": tokens, "pieces": len(times), "total_s": ended - began, "decode_s": times[-1] - times[0], "text": text}


def rates(answer):
    return answer["tokens"] / answer["total_s"], (answer["pieces"] - 1) / answer["decode_s"]


# ---- The part ----

def measure_tokens(starter, root, pairs, progress):
    """{figure: {"direct": [...], "hob": [...]}}; which of the two is asked first changes from pair to pair."""
    engine, model = locate("engine", "HOB_LLAMA_SERVER", root), locate("model", "HOB_TEST_MODEL", root)
    port = free_port()
    folder = starter.scratch / "tokens"
    folder.mkdir()
    figures = {"tokens_per_s": {"direct": [], "hob": []}, "decode_per_s": {"direct": [], "hob": []}}
    texts = set()
    with starter.spawn_hob(folder, None, HOB_CONF.format(port=port, engine=engine, model=model)) as hob:
        progress("tokens: loading the model")
        wait_until_up(hob, port, "/readyz", seconds=120, pause_s=0.05)
        connect, key = find_engine(hob, engine)
        ways = [("direct", connect, key), ("hob", lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=120), "")]
        for i in range(-1, pairs):
            for name, way, its_key in ways if i % 2 == 0 else reversed(ways):
                progress(f"tokens: pair {i + 1} of {pairs}, {name}")
                try:
                    answer = ask(way, its_key, "small")
                except CannotMeasure as e:
                    raise CannotMeasure(f"{name}: {e}; the log ends: {hob.last_words()}") from e
                if i >= 0:  # the first pair only warms up
                    total, decode = rates(answer)
                    figures["tokens_per_s"][name].append(total)
                    figures["decode_per_s"][name].append(decode)
                    texts.add(answer["text"])
    if len(texts) != 1:
        progress(f"tokens: note: {len(texts)} different answers to one prompt at temperature 0")
    return figures
