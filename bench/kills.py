"""The gateway killed under load, again and again: how long until an answer comes again, its row written and all.

The crowd is the one of the tests (tests/fake/crowd.c): it asks on whatever becomes of it. Most lives are short, so that most kills meet what the last one left."""
import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import time

from procs import CannotMeasure, command_line, end_with_us, tree

BODY = json.dumps({"model": "bench", "messages": [{"role": "user", "content": "hello"}]})
PATIENCE_S = 15


def gateway_of(keeper):
    for pid in tree(keeper):
        with contextlib.suppress(OSError):
            if pid != keeper and "gateway" in command_line(pid):
                return pid
    raise CannotMeasure("hob has no gateway")


def answers(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("POST", "/v1/chat/completions", BODY, {"Content-Type": "application/json"})
        return connection.getresponse().status == 200
    return False


def back_after_ms(port, pid):
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    while not answers(port):
        if time.monotonic() - began > PATIENCE_S:
            raise CannotMeasure(f"hob did not come back within {PATIENCE_S} s")
        time.sleep(0.002)
    return (time.monotonic() - began) * 1e3


@contextlib.contextmanager
def crowd(bench, port):
    program = bench.build / "tests" / "fake" / "crowd"
    if not program.exists():
        raise CannotMeasure(f"{program} is missing: build with the tests (make)")
    argv = [str(program), "--port", str(port), "--conns", "24", "--models", "bench", "--mix", "plain=5,stream=4", "--think-ms", "10",
            "--ids", os.devnull]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, preexec_fn=end_with_us)
    try:
        yield
        if process.poll() is not None:
            raise CannotMeasure(f"the crowd ended with {process.returncode}")
    finally:
        process.kill()
        process.wait()


def measure_kills(bench):
    if "hob" not in bench.names:
        return {}
    subject, draw, ms = bench.starter.start("hob", bench.core), random.Random(1), []
    with subject.server, crowd(bench, subject.port):
        time.sleep(0.5)
        for i in range(bench.size["kills"]):
            bench.progress(f"kills: {i + 1} of {bench.size['kills']}")
            time.sleep(draw.uniform(0.02, 2.0 if draw.random() < 0.1 else 0.3))
            ms.append(back_after_ms(subject.port, gateway_of(subject.server.pid)))
    ms.sort()
    return {f"kill_{name}_ms": {"hob": [ms[int(q * (len(ms) - 1))]]} for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1))}
