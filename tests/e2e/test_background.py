"""A background role uses only what is in memory."""


def test_a_background_request_loads_nothing(managed):
    h = managed("m", keep="demand", wait="listening", config={"roles": {"task": {"model": "m", "background": True}}})
    r = h.chat("task", "hello")
    assert r.status == 503 and r.error()["code"] == "not_resident" and r.get("retry-after")
    assert not h.children()
    assert h.chat("m", "hello").status == 200
    assert h.chat("task", "hello").status == 200


def test_its_fallback_may_be_elsewhere(nursery):
    host = nursery.fake()
    h = nursery.managed("m", wait="listening", config={
        "hosts": {"up": {"url": host.url}}, "models": {**nursery.model("m", keep="demand"), "far": {"host": "up"}}, "roles": {"task": {"model": "m", "fallback": ["far"], "background": True}}})
    r = h.chat("task", "hello")
    assert r.status == 200 and r.get("x-hob-fallback") == "m->far" and not h.children()
