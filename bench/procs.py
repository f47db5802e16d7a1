"""Processes under measurement: started pinned to a core, measured as whole trees from /proc, stopped by pid.

A subject is a tree (hob: keeper, gateway, engines; nginx: master, worker), so CPU and memory are sums over everything
below the pid that was started. CPU is the scheduler's own count in ns (/proc/PID/task/*/schedstat); where a kernel lacks
it, utime + stime in clock ticks.
"""
import contextlib
import ctypes
import mmap
import os
import signal
import socket
import subprocess
import time


class CannotMeasure(Exception):
    """A figure could not be had; the sentence says why."""


# ---- Cores ----

def pick_cores():
    """(core of the subject, core of mock and client): two that share no execution units, where there are such."""
    cores = sorted(os.sched_getaffinity(0))
    try:
        with open(f"/sys/devices/system/cpu/cpu{cores[0]}/topology/thread_siblings_list") as f:
            siblings = cpu_list(f.read())
    except OSError:
        siblings = {cores[0]}
    others = [c for c in cores if c not in siblings] or cores[1:] or cores
    return cores[0], others[0]


def cpu_list(text):
    out = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        out.update(range(int(first), int(last or first) + 1))
    return out


@contextlib.contextmanager
def pinned(core):
    """What is started inside inherits the core from us: no taskset, and no moment of running elsewhere."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def move(pid, core):
    os.sched_setaffinity(pid, {core})


def prefer_us():
    """A better priority for all that is measured, where we may: other work on the machine then disturbs less."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)


# ---- Reading /proc ----

def read(path):
    with open(path, "rb") as f:
        return f.read().decode("utf-8", "replace")


def stat_fields(pid):
    """The fields of /proc/PID/stat from the third on; the name before them may hold anything, even brackets."""
    return read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def tree(root):
    """The pid and all that descends from it, root first."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                children.setdefault(int(stat_fields(name)[1]), []).append(int(name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_source():
    try:
        read("/proc/self/schedstat")
        return "schedstat"
    except OSError:
        return "stat"


CPU_SOURCE = cpu_source()


def cpu_ns(pids):
    total = 0
    try:
        for pid in pids:
            if CPU_SOURCE == "schedstat":
                tasks = os.listdir(f"/proc/{pid}/task")
                total += sum(int(read(f"/proc/{pid}/task/{t}/schedstat").split()[0]) for t in tasks)
            else:
                fields = stat_fields(pid)
                total += (int(fields[11]) + int(fields[12])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    except OSError as e:
        raise CannotMeasure(f"a process ended while it was measured ({e.strerror})") from e
    return total


def pss_mib(pids):
    total = 0
    for pid in pids:
        try:
            lines = read(f"/proc/{pid}/smaps_rollup").splitlines()
        except OSError as e:
            raise CannotMeasure(f"cannot read the memory of pid {pid} ({e.strerror})") from e
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def command_line(pid):
    return [a for a in read(f"/proc/{pid}/cmdline").split("\0") if a]


# ---- Starting and stopping ----

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)  # looked up here: nothing may be loaded between fork and exec
US = os.getpid()


def end_with_us(number=signal.SIGTERM):
    """For preexec_fn: the kernel sends the child this signal when we die, even of SIGKILL. It outlives the exec. TERM and
    not KILL, for a gateway that is killed may leave its own children behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != US:  # we died before the line above
        os._exit(1)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


STARTED = []     # every Server, so that none is forgotten when we are interrupted at a bad moment
COMPLAINTS = []  # what servers did that they should not, though it spoiled no figure


class Server:
    """A started program. As a context it is stopped at the end, however that end comes."""

    def __init__(self, argv, log, core=None, env=None, stdin=subprocess.DEVNULL, stdout=None):
        self.argv, self.log = argv, log
        stamp = mmap.mmap(-1, 8)  # shared with the child

        def last_before_exec():
            end_with_us()
            stamp[:] = time.monotonic_ns().to_bytes(8, "little")

        with open(log, "ab") as out, pinned(core):
            try:
                self.process = subprocess.Popen(argv, stdin=stdin, stdout=stdout or out, stderr=out, env=env,
                                                preexec_fn=last_before_exec)
            except OSError as e:
                raise CannotMeasure(f"cannot start {argv[0]}: {e.strerror}") from e
        self.began_ns = int.from_bytes(stamp[:], "little")  # the fork of a Python is none of the program's start
        STARTED.append(self)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def check(self):
        if self.process.poll() is not None:
            raise CannotMeasure(f"{os.path.basename(self.argv[0])} ended with {self.process.returncode}: {self.last_words()}")

    def last_words(self):
        with contextlib.suppress(OSError):
            lines = read(self.log).strip().splitlines()
            return " / ".join(lines[-3:]) or "it said nothing"
        return "no log"

    def stop(self, patience_s=10):
        """TERM, then KILL for whatever is left of the tree."""
        if self.process.poll() is not None:
            return
        pids = tree(self.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            COMPLAINTS.append(f"{os.path.basename(self.argv[0])} did not end within {patience_s} s of SIGTERM and was killed")
            for pid in pids:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(patience_s)


def stop_all():
    for server in STARTED:
        server.stop()


# ---- Waiting for a server ----

def http_status(port, path, timeout_s=1.0):
    """The status of one GET, or 0 when nobody listens (or answers) yet."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_s) as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            head = s.recv(64)
    except OSError:
        return 0
    return int(head[9:12]) if head.startswith(b"HTTP/1.") and head[9:12].isdigit() else 0


def wait_until_up(server, port, path="/livez", seconds=15, pause_s=0.0, accept=lambda status: status == 200):
    """Asks again and again, by default without a pause: the wait itself is measured (start time)."""
    deadline = time.monotonic() + seconds
    while not accept(http_status(port, path)):
        server.check()
        if time.monotonic() > deadline:
            raise CannotMeasure(f"{os.path.basename(server.argv[0])} was not ready ({path}) in {seconds} s: {server.last_words()}")
        if pause_s:
            time.sleep(pause_s)
