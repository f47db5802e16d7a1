"""What a service manager is told (systemd's protocol): a datagram socket stands in for it."""

import os
import signal
import socket
import time

import pytest
from helpers import SLOW, processes, wait_for


class Manager:
    """The other end of $NOTIFY_SOCKET."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1))
        self.socket.settimeout(10 * SLOW)
        self.address, self.heard = address, []

    def next(self):
        self.heard.append(self.socket.recv(4096).decode())
        return self.heard[-1]

    def until(self, words):
        while self.next() != words:
            pass
        return words

    def env(self, **more):
        return {"NOTIFY_SOCKET": self.address, **more}


@pytest.fixture(params=["file", "abstract"])
def manager(request, nursery):
    m = Manager(f"{'@' if request.param == 'abstract' else ''}{nursery.dir}/notify")
    yield m
    m.socket.close()


def environment_of(pid):
    with open(f"/proc/{pid}/environ", "rb") as f:
        return f.read().split(b"\0")


def test_it_is_told_from_start_to_end(manager, managed):
    hob = managed(hob={"env": manager.env()}, wait="listening")
    manager.until("READY=1")
    assert hob.get("/livez").status == 200
    manager.until("STATUS=loading m")
    manager.until("STATUS=ready: 1 of 1 models in memory")
    assert not any(v.startswith((b"NOTIFY_SOCKET", b"WATCHDOG")) for v in environment_of(hob.child().pid))
    hob.signal(signal.SIGTERM)
    manager.until("STOPPING=1")
    assert hob.wait_exit() == 0 and manager.heard.count("READY=1") == 1


def test_ready_does_not_wait_for_models(managed, nursery):
    m = Manager(f"{nursery.dir}/notify")
    hob = managed(script="load_ms 60000", hob={"env": m.env()}, wait="listening")
    m.until("READY=1")
    assert hob.get("/readyz").status == 503
    m.until("STATUS=loading m")
    m.socket.close()


def test_a_reload_is_told_with_its_time(managed, nursery):
    m = Manager(f"{nursery.dir}/notify")
    hob = managed(hob={"env": m.env()})
    m.until("STATUS=ready: 1 of 1 models in memory")
    for text in (hob.config_path.read_text(), "modles: [\n"):  # one that is taken, one that is refused
        hob.config_path.write_text(text)
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        hob.signal(signal.SIGHUP)
        words = m.next()
        assert words.startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert before <= int(words.rpartition("=")[2]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        m.until("READY=1")
    assert hob.chat("m", "hello").status == 200
    m.socket.close()


def test_a_reload_while_it_stops_is_not_told(managed, nursery):
    m = Manager(f"{nursery.dir}/notify")
    hob = managed(hob={"env": m.env()})
    m.until("STATUS=ready: 1 of 1 models in memory")
    with hob.open_chat("m", "[[words 5]] [[stall_after 2]]", stream=True) as c:
        s = c.stream(c.start())
        next(s), next(s)
        hob.signal(signal.SIGTERM)
        m.until("STOPPING=1")
        hob.signal(signal.SIGHUP)
        m.until("STATUS=stopping: running answers finish")
        wait_for("it has heard of both", lambda: "finishing 1 requests" in hob.stderr())
    assert hob.wait_exit() == 0
    m.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            assert not m.next().startswith(("RELOADING", "READY"))
    m.socket.close()


def test_the_watchdog_is_fed_also_by_the_gateway_that_follows(managed, nursery):
    m = Manager(f"{nursery.dir}/notify")
    hob = managed(hob={"env": m.env(WATCHDOG_USEC="200000")})
    m.until("WATCHDOG=1")
    first = hob.gateway()
    os.kill(first.pid, signal.SIGKILL)
    wait_for("it is gone", lambda: not first.alive())
    m.socket.setblocking(False)
    try:
        while True:
            m.next()
    except BlockingIOError:
        m.socket.settimeout(10 * SLOW)
    m.until("READY=1")
    m.until("WATCHDOG=1")
    m.socket.close()


def test_a_gateway_that_hangs_feeds_no_watchdog(managed, nursery):
    m = Manager(f"{nursery.dir}/notify")
    hob = managed(hob={"env": m.env(WATCHDOG_USEC="40000")})
    gateway = hob.gateway()
    os.kill(gateway.pid, signal.SIGSTOP)
    wait_for("it is stopped", lambda: any(p.pid == gateway.pid and p.state == "T" for p in processes()))
    m.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            m.next()
    m.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        m.next()
    os.kill(gateway.pid, signal.SIGCONT)
    m.socket.settimeout(10 * SLOW)
    m.until("WATCHDOG=1")
    m.socket.close()


def test_a_manager_that_is_not_there_is_no_hindrance(managed, nursery):
    hob = managed(hob={"env": {"NOTIFY_SOCKET": f"{nursery.dir}/nobody", "WATCHDOG_USEC": "1000000"}})
    assert hob.chat("m", "hello").status == 200
    assert hob.stderr().count("service manager cannot be told") == 1
