"""Who answers, and why: explanations, old names, roles by kind, rules, replicas - through the real binary, with fake hosts as places."""

import json

import pytest
from helpers import Fake, Hob, chat_body, cli

CHAT = "/v1/chat/completions"
IMAGE = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]


@pytest.fixture(scope="module")
def places():
    with Fake() as near, Fake() as twin, Fake() as far:
        yield near, twin, far


@pytest.fixture(scope="module")
def hob(places):
    near, twin, far = places
    config = {
        "hosts": {"near": {"url": near.url}, "twin": {"url": twin.url}, "far": {"url": far.url, "local": "no", "labels": ["metered"]}},
        "models": {
            "small": {"host": "near", "context": 1024},
            "large": {"host": "far", "input": ["text", "image"], "context": 100000},
            "eyes": {"host": "near", "input": ["text", "image"]},
            "plain": {"host": "near", "capabilities": []},
            "twins": {"host": "near", "replicas": ["other"]},
            "other": {"host": "twin"},
            "vectors": {"host": "near", "serves": ["embed"]},
            "judge": {"host": "near", "serves": ["rerank"]},
            "leaving": {"host": "near", "deprecated": "2099-01-31", "successor": "small"},
        },
        "tiers": {"fast": "small", "heavy": "large"},
        "roles": {
            "chat": {"model": "small", "fallback": ["large"]},
            "vision": "eyes",
            "embed": "vectors",
            "rerank": "judge",
            "task": {"model": "small", "background": True},
            "inside": {"model": "large", "fallback": ["small"], "local_only": True},
        },
        "aliases": {
            "gpt-4o": {"to": "chat", "deprecated": "2099-01-31"},
            "gpt-3": {"to": "small", "deprecated": "2001-01-31", "after": "refuse"},
            "gpt-2": {"to": "small", "deprecated": "2001-01-31"},
            "davinci": "auto",
        },
        "routes": [
            {"name": "lawyers", "when": {"header": "x-team: law*"}, "private": "on"},
            {"name": "pictures", "when": {"parts": "image", "role": "chat"}, "to": "vision"},
            {"name": "nightly", "when": {"class": "background", "role": "heavy"}, "remote": "on"},
        ],
    }
    with Hob(config) as h:
        yield h


def explained(hob, body, headers=None):
    r = hob.admin("POST", "/hob/v1/route/explain", json.dumps(body).encode(), headers or {})
    assert r.status == 200, r
    return r.json()


def names(entries):
    return [e["model"] for e in entries]


def asked(model=None, text="hi", **more):
    body = {"messages": [{"role": "user", "content": text}], **more}
    return body if model is None else {"model": model, **body}
