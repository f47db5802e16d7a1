"""A new configuration while hob serves: what is the same goes on, what changed starts anew after its answers have ended, a wrong file changes nothing."""

import json
import pathlib
import re
import signal
import threading

import gates
import pytest
import raw
from helpers import FAKE, cli, content_of, wait_for
from test_keys import new_key


class Kitchen:
    """hob with a configuration that can be written anew."""

    def __init__(self, nursery, **config):
        self.nursery = nursery
        self.config = {"engines": {"llama": {"path": str(FAKE)}}, "models": {}, **config}
        self.hob = None

    def model(self, name, script="", **settings):
        self.config["models"].update(self.nursery.model(name, script, **settings))
        return self

    def start(self, wait="ready"):
        self.hob = self.nursery.hob(self.config, wait=wait)
        return self.hob

    def write(self, text=None):
        h = self.hob
        if text is None:
            text = json.dumps({"listen": "127.0.0.1:0", "state": str(h.state), **self.config}, indent=1)
        h.config_path.write_text(text)

    def cli(self, *args):
        return cli(*args, "-c", self.hob.config_path, env=self.hob.env, dir=self.hob.dir)

    def reload(self):
        self.write()
        got = self.ask()
        assert got.status == 200, got.body
        return got.json()

    def ask(self, timeout=20.0):
        return raw.call(str(self.hob.state / "hob.sock"), "POST", "/hob/v1/config/reload", b"", timeout=timeout)

    def pids(self):
        """Name to pid, of what runs."""
        ps = raw.call(str(self.hob.state / "hob.sock"), "GET", "/hob/v1/ps").json()
        return {b["model"]: b["pid"] for b in ps["backends"] if b["pid"]}


@pytest.fixture
def kitchen(nursery):
    return lambda **config: Kitchen(nursery, **config)


# -- what is said


def test_what_has_changed_is_told(kitchen):
    k = kitchen().model("m")
    h = k.start()
    before = k.pids()
    got = k.reload()
    assert got["schema"] == 1 and got["file"] == str(h.config_path)
    assert got["kept"] == ["m"] and not (got["restarted"] or got["added"] or got["removed"] or got["changed"] or got["needs_restart"])
    assert got["summary"].endswith("is in force: nothing has changed") and got["summary"] in h.stderr()
    k.config.update(log="debug", queue={"limit": 7}, roles={"chat": "m"})
    k.config["models"]["m"]["idle"] = "1h"
    got = k.reload()
    assert got["kept"] == ["m"] and set(got["changed"]) == {"log", "queue.limit", "roles.chat", "models.m.idle", "models.m.queue.limit"}
    assert k.pids() == before
    done = k.cli("config", "reload")
    assert done.returncode == 0 and "nothing has changed" in done.stdout and not done.stderr
    done = k.cli("config", "reload", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["kept"] == ["m"]


def test_what_needs_a_new_start_is_said_each_time(kitchen):
    k = kitchen().model("m")
    h = k.start()
    config = json.dumps({"listen": "127.0.0.1:1", "state": str(h.state), **k.config})
    for _ in range(2):
        k.write(config)
        got = k.ask().json()
        assert got["needs_restart"] == ["listen"] and got["kept"] == ["m"]
        assert "only when hob is started anew: listen" in got["summary"]
    assert h.chat("m", "hello").status == 200


def test_hup_does_the_same(kitchen):
    k = kitchen().model("m")
    h = k.start()
    k.config["roles"] = {"code": "m"}
    k.write()
    assert h.chat("code", "hello").status == 404
    h.signal(signal.SIGHUP)
    wait_for("the role is there", lambda: h.chat("code", "hello").status == 200)
    assert re.search(r"is in force: 1 model kept; changed: roles\.code\n", h.stderr())


# -- what is wrong


@pytest.mark.parametrize("text, says", [
    ("models:\n  m: {fle: x}\n", ":2:7: unknown key 'fle', did you mean 'file'?"),
    ("models: [\n", ":2:1: not valid YAML"),
    ("roles: {chat: nobody}\n", ":1:15: unknown model 'nobody'"),
])
def test_a_wrong_file_changes_nothing(kitchen, text, says):
    k = kitchen().model("m")
    h = k.start()
    before = k.pids()
    k.write(text)
    got = k.ask()
    assert got.status == 500 and got.error()["code"] == "config" and f"{h.config_path}{says}" in got.error()["message"]
    assert f"the configuration stays as it was: {h.config_path}{says}" in h.stderr()
    assert k.pids() == before and h.chat("m", "hello").status == 200
    h.signal(signal.SIGHUP)
    wait_for("HUP says it too", lambda: h.stderr().count("stays as it was") == 2)
    assert h.chat("m", "hello").status == 200
    done = k.cli("config", "reload")
    assert done.returncode == 2 and says in done.stderr
    # the daemon's file is wrong, the one that finds the daemon is not
    done = cli("config", "reload", "--state", h.state, env=h.env, dir="/")
    assert done.returncode == 2 and says in done.stderr and not done.stdout
    assert k.reload()["kept"] == ["m"]


def test_an_empty_file_changes_nothing(kitchen):
    """An editor writes it in two steps: nothing that is served may stop between them."""
    k = kitchen().model("m")
    h = k.start()
    before = k.pids()
    for text in ("", "\n  \n"):
        k.write(text)
        got = k.ask()
        assert got.status == 500 and got.error()["code"] == "config" and f"{h.config_path} is empty" in got.error()["message"]
        done = cli("config", "reload", "--state", h.state, env=h.env, dir="/")
        assert done.returncode == 2 and "is empty" in done.stderr and "`{}`" in done.stderr
        assert k.pids() == before and h.chat("m", "hello").status == 200
    k.write("{}\n")
    assert k.ask().status == 200 and h.chat("m", "hello").status == 404


def test_a_file_that_is_gone_changes_nothing(kitchen):
    k = kitchen().model("m")
    h = k.start()
    h.config_path.unlink()
    got = k.ask()
    assert got.status == 500 and "No such file" in got.error()["message"]
    assert h.chat("m", "hello").status == 200


# -- settings


def test_settings_hold_for_the_next_request(kitchen):
    k = kitchen().model("m")
    h = k.start()
    before = k.pids()
    assert "_routing" in h.chat("m", "hello").json()
    k.config.update(routing_metadata="off", limits={"body": 1024})
    k.config["models"]["m"]["aliases"] = ["other"]
    k.reload()
    assert "_routing" not in h.chat("other", "hello").json()
    assert h.chat("m", "x" * 2000).status == 413
    assert k.pids() == before
    assert [m["id"] for m in h.get("/v1/models").json()["data"] if m["id"] == "other" or m["id"] == "m"]


# -- models that change, come and go


def started(path):
    return len(pathlib.Path(path).read_text().split()) if pathlib.Path(path).exists() else 0


def test_a_changed_model_starts_anew_and_the_others_do_not(kitchen):
    k = kitchen().model("a").model("b")
    h = k.start()
    before = k.pids()
    k.config["models"]["a"]["context"] = 2048
    got = k.reload()
    assert got["restarted"] == [{"model": "a", "because": "models.a.context"}] and got["kept"] == ["b"]
    assert h.chat("a", "hello").status == 200  # waits for the new one
    after = k.pids()
    assert after["b"] == before["b"] and after["a"] != before["a"]
    assert ps_of(k, "a")["context"] == 2048


def test_a_stream_ends_before_its_model_starts_anew(kitchen):
    k = kitchen().model("m")
    h = k.start()
    old = k.pids()["m"]
    with h.open_chat("m", "[[words 40]] [[gap_ms 20]]", stream=True) as c:
        r = c.start()
        k.config["models"]["m"]["slots"] = 3
        k.reload()
        assert k.pids()["m"] == old  # it is still answering
        waiting = threading.Thread(target=lambda: seen.append(h.chat("m", "hello")))
        seen = []
        waiting.start()
        assert len(content_of(c.stream(r)).split()) == 40
    waiting.join(20)
    assert seen[0].status == 200 and k.pids()["m"] != old


def test_an_answer_that_does_not_end_is_cut_after_drain(kitchen):
    k = kitchen(drain="200ms").model("m")
    h = k.start()
    old = k.pids()["m"]
    with h.open_chat("m", "[[words 9]] [[stall_after 3]]", stream=True) as c:
        r = c.start()
        k.config["models"]["m"]["slots"] = 3
        k.reload()
        events = list(c.stream(r))
        assert "error" in json.loads(events[-1][1])
    assert h.chat("m", "hello").status == 200 and k.pids()["m"] != old


def test_models_come_and_go(kitchen):
    k = kitchen().model("a").model("b")
    h = k.start()
    before = k.pids()
    del k.config["models"]["b"]
    k.model("c")
    got = k.reload()
    assert (got["kept"], got["added"], got["removed"]) == (["a"], ["c"], ["b"])
    assert h.chat("c", "hello").status == 200 and h.chat("b", "hello").status == 404
    wait_for("b is gone, a and c run", lambda: set(k.pids()) == {"a", "c"} and len(h.children()) == 2)
    assert k.pids()["a"] == before["a"]
    k.model("b")
    del k.config["models"]["a"]
    k.reload()
    assert h.chat("b", "hello").status == 200 and h.chat("a", "hello").status == 404


def test_a_model_that_is_gone_ends_its_answers_first(kitchen):
    k = kitchen().model("a").model("b")
    h = k.start()
    with h.open_chat("b", "[[words 30]] [[gap_ms 20]]", stream=True) as c:
        r = c.start()
        del k.config["models"]["b"]
        k.reload()
        assert h.chat("b", "hello").status == 404
        assert len(content_of(c.stream(r)).split()) == 30
    wait_for("its process is gone", lambda: len(h.children()) == 1)


def test_a_model_that_comes_back_while_it_goes(kitchen):
    """The old process has to end before one of the same name begins."""
    k = kitchen().model("m").model("other")
    h = k.start()
    old, model = k.pids()["m"], k.config["models"]["m"]
    with h.open_chat("m", "[[words 30]] [[gap_ms 20]]", stream=True) as c:
        r = c.start()
        del k.config["models"]["m"]
        k.reload()
        k.config["models"]["m"] = {**model, "context": 2048}
        k.reload()
        assert len(content_of(c.stream(r)).split()) == 30
    assert h.chat("m", "hello").status == 200 and k.pids()["m"] != old
    assert len(h.children()) == 2


def test_who_waits_for_a_model_that_is_gone_is_served_or_told(kitchen):
    k = kitchen(drain="300ms").model("a").model("b", slots=1)
    h = k.start()
    got = {}
    with h.open_chat("b", "[[words 9]] [[stall_after 3]]", stream=True) as c:
        r = c.start()
        waiting = threading.Thread(target=lambda: got.update(r=h.chat("b", "hello")))
        waiting.start()
        wait_for("it waits", lambda: ps_of(k, "b")["queue"]["depth"] == 1)
        del k.config["models"]["b"]
        k.reload()
        list(c.stream(r))
    waiting.join(20)
    assert got["r"].status in (200, 503), got["r"].body
    if got["r"].status == 503:
        assert "in the configuration no more" in got["r"].error()["message"]
    wait_for("its process is gone", lambda: len(h.children()) == 1)


def ps_of(k, model):
    ps = raw.call(str(k.hob.state / "hob.sock"), "GET", "/hob/v1/ps").json()
    return next(b for b in ps["backends"] if b["model"] == model)


def test_who_waits_for_a_model_that_changes_is_served_by_the_new_one(kitchen):
    k = kitchen().model("m", slots=1)
    h = k.start()
    got = []
    with h.open_chat("m", "[[words 30]] [[gap_ms 20]]", stream=True) as c:
        r = c.start()
        threads = [threading.Thread(target=lambda: got.append(h.chat("m", "hello"))) for _ in range(4)]
        for t in threads:
            t.start()
        wait_for("they wait", lambda: ps_of(k, "m")["queue"]["depth"] == 4)
        k.config["models"]["m"]["context"] = 2048
        k.reload()
        assert len(content_of(c.stream(r)).split()) == 30
    for t in threads:
        t.join(20)
    assert [g.status for g in got] == [200] * 4
    assert len(h.child("m").control.log().chats) == 4  # the fake's log is the new process's


def test_a_change_while_it_loads(kitchen, nursery):
    starts = nursery.dir / "starts"
    k = kitchen().model("m", f"starts {starts}\nload_ms 400", keep="demand")
    h = k.start(wait="listening")
    got = {}
    waiting = threading.Thread(target=lambda: got.update(r=h.chat("m", "hello")))
    waiting.start()
    wait_for("it loads", lambda: started(starts) == 1)
    k.config["models"]["m"]["context"] = 2048
    k.reload()
    waiting.join(20)
    assert got["r"].status == 200 and started(starts) == 2
    assert ps_of(k, "m")["context"] == 2048


def test_a_model_that_failed_is_tried_again_when_it_changes(kitchen):
    k = kitchen().model("m", "load_fail unsupported_arch", keep="demand")
    h = k.start(wait="listening")
    assert h.chat("m", "hello").status == 503
    (k.nursery.dir / "m.gguf.script").write_text("")
    k.config["models"]["m"]["context"] = 2048
    k.reload()
    assert h.chat("m", "hello").status == 200


def test_a_program_changes_its_engine(kitchen):
    k = kitchen().model("m")
    h = k.start()
    link = h.dir / "other-engine"
    link.symlink_to(FAKE)
    k.config["engines"]["other"] = {"path": str(link)}
    k.config["models"]["m"]["engine"] = "other"
    got = k.reload()
    assert got["restarted"][0]["because"] == "models.m.engine"
    assert h.chat("m", "hello").status == 200
    assert h.child("m").args[0] == str(link)


def test_keep_holds_at_once(kitchen):
    k = kitchen().model("m", keep="demand")
    h = k.start(wait="listening")
    k.config["models"]["m"]["keep"] = "hot"
    k.reload()
    wait_for("it is loaded without being asked for", lambda: "m" in k.pids())
    h.wait_ready()


def program(nursery, name):
    """A `command:` model of that name: the fake as any program."""
    script = nursery.dir / f"{name}.own.script"
    script.write_text("")
    return {"command": f"{FAKE} --port ${{port}} --script '{script}'", "slots": 2, "keep": "hot"}


def test_a_model_becomes_a_program_and_back(kitchen, nursery):
    k = kitchen().model("m")
    h = k.start()
    engine = k.config["models"]["m"]
    for _ in range(2):
        with h.open_chat("m", "[[words 20]] [[gap_ms 10]]", stream=True) as c:
            r = c.start()
            k.config["models"]["m"] = program(nursery, "m")
            assert k.reload()["restarted"][0]["model"] == "m"
            k.config["models"]["m"]["idle"] = "1h"
            assert k.reload()["kept"] == ["m"]  # what is in force says the same: it is on its way there
            assert len(content_of(c.stream(r)).split()) == 20
        assert h.chat("m", "hello").status == 200
        assert wait_for("the program alone runs", lambda: not h.children() and k.pids().get("m"))
        k.config["models"]["m"] = engine
        k.reload()
        assert h.chat("m", "hello").status == 200 and len(h.children()) == 1


def test_a_model_that_changes_and_is_gone_before_it_could(kitchen):
    k = kitchen().model("a").model("b")
    h = k.start()
    with h.open_chat("b", "[[words 30]] [[gap_ms 20]]", stream=True) as c:
        r = c.start()
        k.config["models"]["b"]["context"] = 2048
        k.reload()
        model = k.config["models"].pop("b")
        k.reload()
        assert len(content_of(c.stream(r)).split()) == 30
    wait_for("its process is gone", lambda: set(k.pids()) == {"a"} and len(h.children()) == 1)
    k.config["models"]["b"] = model
    k.reload()
    assert h.chat("b", "hello").status == 200


def test_the_last_of_several_changes_holds(kitchen):
    k = kitchen().model("m")
    h = k.start()
    with h.open_chat("m", "[[words 30]] [[gap_ms 20]]", stream=True) as c:
        r = c.start()
        for context in (1024, 2048, 3072):
            k.config["models"]["m"]["context"] = context
            k.reload()
        assert len(content_of(c.stream(r)).split()) == 30
    assert h.chat("m", "hello").status == 200
    assert ps_of(k, "m")["context"] == 3072 and len(h.children()) == 1


# -- hosts


def test_a_host_that_moved_is_asked_at_its_new_address(kitchen, nursery):
    one, two = nursery.fake(), nursery.fake()
    k = kitchen(hosts={"up": {"url": one.url}}, models={"far": {"host": "up"}})
    h = k.start(wait="listening")
    with h.open_chat("far", "[[words 30]] [[gap_ms 20]]", stream=True) as c:
        r = c.start()
        k.config["hosts"]["up"]["url"] = two.url
        got = k.reload()
        assert got["restarted"] == [{"model": "far", "because": "hosts.up.url"}]
        assert h.chat("far", "hello").status == 200  # at once: nobody waits for the stream
        assert len(two.log().chats) == 1
        assert len(content_of(c.stream(r)).split()) == 30
    assert len(one.log().chats) == 1


def test_a_model_moves_between_here_and_a_host(kitchen, nursery):
    up = nursery.fake()
    k = kitchen(hosts={"up": {"url": up.url}}).model("m")
    h = k.start()
    here = k.config["models"]["m"]
    for _ in range(2):
        k.config["models"]["m"] = {"host": "up"}
        k.reload()
        assert h.chat("m", "hello").get("x-hob-host") == "up"
        wait_for("no child is left", lambda: not h.children())
        k.config["models"]["m"] = here
        k.reload()
        assert h.chat("m", "hello").get("x-hob-host") == "local"


# -- under load


def test_fifty_reloads_under_load_lose_nothing(kitchen):
    """Two models, of which one changes each time; streams and short requests on both."""
    k = kitchen().model("still", slots=4).model("moving", slots=4)
    h = k.start()
    before = k.pids()
    stop, failed, answered = threading.Event(), [], []

    def ask(n):
        i = 0
        while not stop.is_set():
            i += 1
            model = ("still", "moving")[(n + i) % 2]
            stream = n % 3 == 0
            r = h.chat(model, f"[[words {12 if stream else 3}]] [[gap_ms {4 if stream else 0}]]", stream=stream, timeout=60)
            good = r.status == 200 and (not stream or r.events()[-1] == ("data", "[DONE]"))
            (answered if good else failed).append((model, r.status, r.body[-300:]))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    moving = set()
    for n in range(50):
        k.config["models"]["moving"]["context"] = 2048 + n
        got = k.reload()
        assert got["kept"] == ["still"] and [m["model"] for m in got["restarted"]] == ["moving"]
        done = len(answered)
        wait_for("some more answers", lambda: len(answered) > done or failed)
        moving.add(k.pids().get("moving"))
    stop.set()
    for t in threads:
        t.join(60)
    assert not failed, failed[:3]
    assert k.pids()["still"] == before["still"]
    assert h.chat("moving", "hello").status == 200 and k.pids()["moving"] != before["moving"]
    assert len(moving) > 5 and len(answered) > 100
    assert len(h.children()) == 2


@pytest.mark.torture
def test_a_storm_of_reloads_cuts_nothing(kitchen):
    """Right files, wrong ones, only keys, a model that comes and goes, while callers with a key never stop: 200 in the long form. `still` stays in its process."""
    k = kitchen().model("still", slots=4).model("guest", slots=2)
    h = k.start()
    keys = {name: new_key(h.dir, h.state, name) for name in ("me", "other", "third")}
    k.config["keys"] = [{"name": "me"}]
    k.reload()
    guest, before = k.config["models"]["guest"], k.pids()["still"]
    me = {"Authorization": f"Bearer {keys['me']}"}
    stop, failed, answered = threading.Event(), [], []

    def ask(n):
        i = 0
        while not stop.is_set():
            i += 1
            stream = (n + i) % 2 == 0
            try:
                r = h.chat("still", f"[[words {20 if stream else 3}]] [[gap_ms {5 if stream else 0}]]", headers=me, stream=stream, timeout=60)
            except Exception as e:
                failed.append(repr(e))
                return
            good = r.status == 200 and (not stream or r.events()[-1] == ("data", "[DONE]"))
            (answered if good else failed).append((r.status, r.body[-300:]))

    def ask_guest():
        """It is there, or it is not known: nothing else, and what has begun ends."""
        while not stop.is_set():
            r = h.chat("guest", "[[words 8]] [[gap_ms 5]]", headers=me, stream=True, timeout=60)
            good = r.status == 404 or (r.status == 200 and r.events()[-1] == ("data", "[DONE]"))
            (answered if good else failed).append(("guest", r.status, r.body[-300:]))

    def valid(n):
        k.config["queue"] = {"limit": 100 + n}

    def only_keys(n):
        k.config["keys"] = [{"name": name} for name in ("me", "other", "third")[:n % 3 + 1]]

    def removed(n):
        k.config["models"].pop("guest", None)

    def back(n):
        k.config["models"]["guest"] = guest

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(6)] + [threading.Thread(target=ask_guest)]
    for t in threads:
        t.start()
    rng, wrong = gates.rng("reloads"), 0
    times = gates.sized(16, 200)
    try:
        for n in range(times):
            change = [valid, None, only_keys, removed, back][n % 5] if n < 10 else rng.choice([valid, None, only_keys, removed, back])
            seen = len(answered)
            if change:
                change(n)
                got = k.reload()
                assert "still" in got["kept"] and not got["restarted"]
            else:
                k.write(json.dumps({"listen": "127.0.0.1:0", "state": str(h.state), **k.config}) + "\nnonsense: [\n")
                got = k.ask()
                wrong += 1
                assert got.status == 500 and re.search(r"hob\.yaml:[0-9]+:[0-9]+: .", got.error()["message"]), got.body
            wait_for("some more answers", lambda: len(answered) > seen + 2 or failed)
            assert not failed, failed[:3]
    finally:
        stop.set()
        for t in threads:
            t.join(60)
    assert not failed, failed[:3]
    assert k.pids()["still"] == before
    gates.record("reload", "reloads under load", times, "")
    gates.record("reload", "of them refused, with line and reason", wrong, "")
    gates.record("reload", "answers", len(answered), "")
    gates.record("reload", "failed requests and cut streams", len(failed), "= 0")


def test_many_reloads_at_once(kitchen):
    k = kitchen().model("m")
    h = k.start()
    before = k.pids()
    got = []
    k.config["roles"] = {"chat": "m"}
    k.write()
    threads = [threading.Thread(target=lambda: got.append(k.ask())) for _ in range(8)]
    for t in threads:
        t.start()
        h.signal(signal.SIGHUP)
    for t in threads:
        t.join(20)
    assert [g.status for g in got] == [200] * 8
    assert k.pids() == before and h.chat("chat", "hello").status == 200


def test_stopping_while_it_reloads(kitchen):
    k = kitchen().model("m")
    h = k.start()
    for _ in range(3):
        h.signal(signal.SIGHUP)
    assert h.stop() == 0
