r"""Bad input, generated: bodies that are no JSON, that are JSON and wrong, and those that are just right, at every limit and for every field.

What a field takes is read from hob's own reference (/openapi.json): what it promises there is what it is held to. Whether a body is JSON is not hob's to say:
verdict() below is Python's parser, made strict, with the rules that DESIGN adds: no key twice in an object, no nesting past 64, no number past a double."""

import json
import math
import re
from typing import NamedTuple

DEPTH = 64
STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.S)
MODEL = "far"


class Input(NamedTuple):
    name: str
    path: str
    body: bytes
    codes: tuple = ()   # what it may be refused with; none: it is answered
    param: str = None   # the field that a refusal must name
    fine_but: str = None  # a field that no refusal may name: it is right, whatever else is not


PATHS = {"/v1/chat/completions": "ChatRequest", "/v1/completions": "CompletionRequest", "/v1/embeddings": "EmbeddingRequest", "/v1/rerank": "RerankRequest"}
BASES = {
    "/v1/chat/completions": {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]},
    "/v1/completions": {"model": MODEL, "prompt": "hi"},
    "/v1/embeddings": {"model": MODEL, "input": ["hi"]},
    "/v1/rerank": {"model": MODEL, "query": "hi", "documents": ["a", "b"]},
}
RICH = {
    "/v1/chat/completions": rb'''{"model":"far","messages":[{"role":"system","content":"s\u00fc\ud83d\ude00"},{"role":"user","content":[{"type":"text","text":"hi \"x\" \\ \/ \n"}]},
{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"1"}],
"temperature":0.7,"top_p":1e0,"max_tokens":16,"stop":["a","b"],"stream":false,"seed":42,"logit_bias":{"1":-1.5},"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"metadata":{"a":{"b":[1,2,{"c":null}]}}}''',
    "/v1/completions": rb'{"model":"far","prompt":["hi",[1,2,3]],"max_tokens":4,"echo":false,"logprobs":2,"temperature":-0.0,"stop":"x","user":"\u00e9"}',
    "/v1/embeddings": rb'{"model":"far","input":["hi","\ud83d\ude00"],"encoding_format":"float","dimensions":8,"user":"u"}',
    "/v1/rerank": rb'{"model":"far","query":"q","documents":["a",{"text":"b","more":[1]}],"top_n":1,"return_documents":true}',
}


# -- is it JSON?


class Twice(ValueError):
    pass


class Deep(ValueError):
    pass


def no_twice(pairs):
    if len({k for k, _ in pairs}) != len(pairs):
        raise Twice
    return dict(pairs)


def finite(text):
    x = float(text)
    if not math.isfinite(x):
        raise ValueError("past a double")
    return x


def whole(text):
    finite(text)
    return int(text[:400])


def constant(text):
    raise ValueError(text)


STRICT = json.JSONDecoder(object_pairs_hook=no_twice, parse_float=finite, parse_int=whole, parse_constant=constant)


def depth(body):
    """Of a text that may or may not be JSON: the deepest nesting outside of strings."""
    deepest = now = 0
    for b in STRINGS.sub(b"", body):
        if b in b"[{":
            now += 1
            deepest = max(deepest, now)
        elif b in b"]}":
            now -= 1
    return deepest


def verdict(body):
    """None when it is JSON as we take it, else the codes it may be refused with."""
    deep = depth(body) > DEPTH
    try:
        text = body.decode()
        value, end = STRICT.raw_decode(text, len(text) - len(text.lstrip(" \t\r\n")))
        if text[end:].strip(" \t\r\n"):
            return ("invalid_json",)
        json.dumps(value, ensure_ascii=False).encode()  # fails for half a surrogate pair
    except Twice:
        # the rest has not been looked at: it may be no JSON at all
        return ("bad_request", "invalid_json")
    except (ValueError, RecursionError, IndexError):
        return ("invalid_json", "bad_request") if deep else ("invalid_json",)
    return ("bad_request",) if deep else None


# -- building bodies of which one value is a text


def body_of(path, **fields):
    """A good body but for `fields`, whose values are JSON as text."""
    parts = {k: json.dumps(v).encode() for k, v in BASES[path].items()}
    parts |= {k: v if isinstance(v, bytes) else v.encode() for k, v in fields.items()}
    return b"{" + b",".join(json.dumps(k).encode() + b":" + v for k, v in parts.items()) + b"}"


VALUES = {
    "boolean": ["true", "false"], "integer": ["1", "0", "-1", "7.0"], "fraction": ["0.5", "-1e-3"], "string": ['"x"', '""', '"1"', '"true"', '"null"'],
    "array": ["[]", "[1]", "[null]", "[[]]", '["x"]', "[{}]"], "object": ["{}", '{"a":1}', '{"type":"x"}', '{"__proto__":{}}'],
}
KINDS = {"boolean": ("boolean",), "integer": ("integer",), "number": ("integer", "fraction"), "string": ("string",), "array": ("array",),
         "object": ("object",)}


def alternatives(schema):
    """The kinds of JSON that a field's schema names."""
    if "anyOf" in schema:
        return set().union(*(alternatives(s) for s in schema["anyOf"]))
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {kind for t in types if t != "null" for kind in KINDS[t]}


def takes_words(schema):
    """Of texts it takes only some."""
    return "enum" in schema or any("enum" in s for s in schema.get("anyOf", ()))


def fields_of(reference):
    for path, shape in PATHS.items():
        for name, schema in reference["components"]["schemas"][shape]["properties"].items():
            yield path, name, schema


def wrong_types(reference):
    for path, name, schema in fields_of(reference):
        for kind, values in VALUES.items():
            if kind not in alternatives(schema):
                for v in values:
                    yield Input(f"{name} is {v}", path, body_of(path, **{name: v}), ("invalid_request",), name)
        if name in reference["components"]["schemas"][PATHS[path]]["required"]:
            yield Input(f"{name} is null", path, body_of(path, **{name: "null"}), ("invalid_request",), name)
            without = {k: v for k, v in BASES[path].items() if k != name}
            yield Input(f"{name} is missing", path, json.dumps(without).encode(), ("invalid_request",), name)
        elif name != "n":  # the host's own taste
            yield Input(f"{name} is null", path, body_of(path, **{name: "null"}))


ITEMS = {"messages": '{"role":"user","content":"a"}', "tools": '{"type":"function","function":{"name":"f%d"}}', "modalities": '"text"', "input": '"a"',
         "documents": '"a"', "lora": '"a"'}
MOST_BYTES = 4 << 20


def limits(reference):
    """Each documented range: just inside, on the limit, just outside."""
    for path, name, schema in fields_of(reference):
        def case(what, value, fine):
            return Input(f"{name}: {what}", path, body_of(path, **{name: value}), *(((), None, name) if fine else (("invalid_request",), name)))
        if name == "dimensions":
            continue  # what is in range may yet be more than a model has
        kinds = alternatives(schema)
        lo, hi = schema.get("minimum"), schema.get("maximum")
        if lo is not None:
            step = 1 if "fraction" not in kinds else 0.001
            for what, n, fine in (("min-1", lo - step, False), ("min", lo, True), ("min+1", lo + step, True), ("max-1", hi - step, True), ("max", hi, True),
                                  ("max+1", hi + step, False)):
                yield case(what, f"{n:.10g}" if isinstance(n, float) else str(n), fine)
                if step == 1 and abs(n) < 2 ** 53:
                    yield case(f"{what} as a fraction", f"{n}.0", fine)
                    yield case(f"{what} with an exponent", f"{n}e0", fine)
            if step == 1:
                yield case("not whole", f"{lo}.5", False)
        if "string" in kinds and name != "model" and schema.get("maxLength", 0) and schema["maxLength"] < MOST_BYTES:
            n = schema["maxLength"]
            fillers = ("a", "é", "😀") if not takes_words(schema) else ()
            for c in fillers:
                for size, fine in ((n - 1, True), (n, True), (n + 1, False)):
                    yield case(f"{size} times {c}", json.dumps(c * size, ensure_ascii=False), fine)
        if "string" in kinds and schema.get("minLength", 0) and "anyOf" not in schema:
            yield case("an empty string", '""', False)
        if "array" in kinds and schema.get("maxItems", 0) and "anyOf" not in schema:
            n, item = schema["maxItems"], ITEMS.get(name, '"a"')
            if n * len(item) < MOST_BYTES:
                for size, fine in ((n - 1, True), (n, True), (n + 1, False)):
                    yield case(f"{size} items", "[" + ",".join(item.replace("%d", str(i)) for i in range(size)) + "]", fine)
            if schema.get("minItems"):
                yield case("no items", "[]", False)


NUMBERS = ["1e308", "-1e308", "1.7976931348623157e308", "1e309", "-1e309", "1e99999", "1e-400", "1e-99999", "-0", "-0.0", "0e0", "0E+0", "9007199254740993",
           "9223372036854775807", "9223372036854775808",
           "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616", "340282366920938463463374607431768211456",
           "1" + "0" * 400, "0." + "0" * 400 + "1", "1" * 5000, "2147483648",
           "-2147483649", "4294967296", "1e2147483648", "00", "01", "-01", "1.", ".5", "-.5", "+1", "1e", "1e+", "1E-", "--1", "1.2.3", "1e1e1", "0x10",
           "0b1", "0o7", "1_000", "1,000", "NaN", "nan", "-NaN", "Infinity", "-Infinity", "inf", "1f", "1L", "1n", "١", "½",
           "1 2", "- 1", "1 .5", "1e 5", "true1", "nul", "True", "None", "undefined", "'1'"]


def numbers(reference):
    for path, name, schema in fields_of(reference):
        if not alternatives(schema) & {"integer", "fraction"}:
            continue
        for n in NUMBERS:
            body = body_of(path, **{name: n})
            codes = verdict(body)
            if codes:
                yield Input(f"{name} is {n[:30]}", path, body, codes)
                continue
            x = float(n)
            fine = schema["minimum"] <= x <= schema["maximum"] and ("fraction" in alternatives(schema) or x == int(x))
            yield Input(f"{name} is {n[:30]}", path, body, () if fine else ("invalid_request",), None if fine else name, name if fine else None)


# No UTF-8 (or no Unicode): cut off, too long a form, surrogates, past the end, bytes that never occur.
NO_UTF8 = [b"\x80", b"\xbf", b"\xc0\x80", b"\xc0\xaf", b"\xc1\xbf", b"\xc2", b"\xc3\x28", b"\xe2\x82", b"\xe2\x28\xa1", b"\xe0\x80\x80", b"\xe0\x9f\xbf",
           b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\xbd\xed\xb8\x80",
           b"\xf0\x9f\x98", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80",
               b"\xfc\x84\x80\x80\x80\x80", b"\xfe", b"\xff", b"\xff\xfe", b"a\x80b"]
NO_TEXT = [rb"\ud800", rb"\udfff", rb"\ud83d\ud83d", rb"\ude00\ud83d", rb"\ud83dx", rb"\ud83d\n", rb"\uD800\u0041", rb"\u12", rb"\u", rb"\uzzzz",
           rb"\u00g0", rb"\x41", rb"\'", rb"\a", rb"\0", rb"\U00000041", b"\\", b"\n", b"\t", b"\r", b"\x00", b"\x1f", b"\x01",
           rb"\u{41}", rb"\ ", b"\\\n"]
FINE_TEXT = [rb"\u0000", rb"\ud83d\ude00", rb"\uffff", b"\x7f", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf", rb"\/", rb"\b\f",
             b"<script>", b"%n%s%n", b"${env:HOME}", b"{{7*7}}", b"'; DROP TABLE requests; --", b"<|im_start|>", rb"\r\nx-evil: 1", rb"\u202e"]


def texts(reference):
    long = b"a" * 140000  # a message's text past this size is not read by the parser; it must be looked at all the same
    for path, name, schema in fields_of(reference):
        if "string" not in alternatives(schema) or "enum" in schema:
            continue
        for t in NO_UTF8 + NO_TEXT + FINE_TEXT:
            if (name == "model" or takes_words(schema)) and t in FINE_TEXT:
                continue
            body = body_of(path, **{name: b'"a' + t + b'"'})
            codes = verdict(body)
            yield Input(f"{name} has {t!r}", path, body, codes or (), None, None if codes else name)
    chat = "/v1/chat/completions"
    for t in NO_UTF8 + NO_TEXT + FINE_TEXT:
        for what, body in (
                ("a key", body_of(chat)[:-1] + b',"a' + t + b'":1}'), ("a key inside", body_of(chat, metadata=b'{"a' + t + b'":1}')),
                ("a message", body_of(chat, messages=b'[{"role":"user","content":"a' + t + b'"}]')),
                ("a part", body_of(chat, messages=b'[{"role":"user","content":[{"type":"text","text":"' + t + b'"}]}]')),
                ("a long message, first", body_of(chat, messages=b'[{"role":"user","content":"' + t + long + b'"}]')),
                ("a long message, amid", body_of(chat, messages=b'[{"role":"user","content":"' + long + t + long + b'"}]')),
                ("a long message, last", body_of(chat, messages=b'[{"role":"user","content":"' + long + t + b'"}]')),
                ("a long key", body_of(chat, messages=b'[{"role":"user","content":"a","' + long + t + b'":1}]')),
                ("no string", body_of(chat)[:-1] + b',"a":' + t + b"}"), ("behind all", body_of(chat) + t), ("before all", t + body_of(chat))):
            codes = verdict(body)
            yield Input(f"{what} has {t!r}", chat, body, codes or ())


def keys(reference):
    chat = "/v1/chat/completions"
    for path, name, _ in fields_of(reference):
        good = json.dumps(BASES[path].get(name)).encode()
        for key in (name, "\\u%04x%s" % (ord(name[0]), name[1:]), "%s\\u%04x" % (name[:-1], ord(name[-1]))):
            pair = b'"' + name.encode() + b'":' + good + b',"' + key.encode() + b'":' + good
            rest = {k: v for k, v in BASES[path].items() if k != name}
            body = b"{" + pair + b"".join(b',%s:%s' % (json.dumps(k).encode(), json.dumps(v).encode()) for k, v in rest.items()) + b"}"
            yield Input(f"{name} twice, as {key}", path, body, ("bad_request",), name)
    for inside, at in (('{"role":"user","content":"a","content":"b"}', "messages.0.content"),
                       ('{"role":"user","role":"user","content":"a"}', "messages.0.role"),
                       ('{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}', "messages.0.content.0.text"),
                       ('{"role":"user","content":"a","x":{"y":[{"z":1,"z":1}]}}', "messages.0.x.y.0.z"),
                           ('{"role":"user","content":"a","":1,"":2}', "messages.0.")):
        yield Input(f"twice: {at}", chat, body_of(chat, messages=f"[{inside}]"), ("bad_request",), at)
    for n in (16, 17, 18, 100, 5000):  # few keys are compared otherwise than many
        many = [f'"k{i}":{i}' for i in range(n)]
        yield Input(f"{n} keys", chat, body_of(chat, metadata="{" + ",".join(many) + "}"))
        yield Input(f"{n} keys, the last twice", chat, body_of(chat, metadata="{" + ",".join(many + many[-1:]) + "}"), ("bad_request",))
        yield Input(f"{n} keys, the first again", chat, body_of(chat, metadata="{" + ",".join(many + many[:1]) + "}"), ("bad_request",))
    for key in ("__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "__class__", "__init__", "$ref", "$where", "", " ", ".", "..",
                "../../etc", "a.b", "a[0]", "0", "-1", "null", "true", "\\u0000", "\\r\\nx-evil: 1", "chat_template", "id_slot", "n_discard", "lora_path",
                "slot_id", "api_key", "url", "base_url", "host", "x" * 255, "x" * 4096, "x" * 65536, "x" * 300000, "é" * 3000, "😀" * 1000, "%s%n"):
        for value in ("null", "1", '"x"', "{}", "[]", '{"__proto__":{"x":1}}'):
            yield Input(f"key {key[:20]!r} is {value}", chat, body_of(chat)[:-1] + f',"{key}":{value}}}'.encode())
        yield Input(f"key {key[:20]!r} in a message", chat, body_of(chat, messages=f'[{{"role":"user","content":"a","{key}":1}}]'))


def depths(reference):
    chat = "/v1/chat/completions"
    places = {  # where, and how deep it lies already
        "an unknown field": ("x", 1), "metadata": ("metadata", 1), "logit_bias": ("logit_bias", 1), "chat_template_kwargs": ("chat_template_kwargs", 1),
        "prediction": ("prediction", 1), "tool_choice": ("tool_choice", 1),
    }
    for where, (field, above) in places.items():
        for total in (63, 64, 65, 66, 100, 1000, 20000):
            n = total - above
            for what, text in (("arrays", "[" * n + "]" * n), ("objects", '{"a":' * (n - 1) + "{}" + "}" * (n - 1)),
                               ("both", '[{"a":' * (n // 2) + ("[]" if n % 2 else "1") + "}]" * (n // 2))):
                body = body_of(chat, **{field: text})
                if verdict(body) is None and field != "x" and text[0] == "[" and field != "logit_bias":
                    continue  # wrong types are wrong_types' business
                yield Input(f"{where}: {what} to a depth of {total}", chat, body, ("bad_request",) if depth(body) > DEPTH else ())
    for n in (63, 64, 65, 1000, 100000):
        for text in (b"[" * n + b"]" * n, b'{"a":' * n + b"1" + b"}" * n):
            yield Input(f"nothing but {n} levels", chat, text, ("bad_request",) if n > DEPTH else ("invalid_request",))
        yield Input(f"{n} levels without an end", chat, b"[" * n, ("invalid_json", "bad_request"))
        yield Input(f"{n} ends", chat, b"]" * n, ("invalid_json",))


MESSAGES = [
    # what `messages` is, and the field that is wrong in it
    ("[]", "messages"), ("[1]", "messages[0]"), ("[null]", "messages[0]"), ('["hi"]', "messages[0]"), ("[[]]", "messages[0]"), ("[{}]", "messages[0].role"),
    ('[{"content":"a"}]', "messages[0].role"), ('[{"role":null,"content":"a"}]', "messages[0].role"),
    ('[{"role":1,"content":"a"}]', "messages[0].role"), ('[{"role":"","content":"a"}]', "messages[0].role"),
    ('[{"role":"User","content":"a"}]', "messages[0].role"), ('[{"role":"user ","content":"a"}]', "messages[0].role"),
    ('[{"role":"user\\u0000","content":"a"}]', "messages[0].role"),
    ('[{"role":["user"],"content":"a"}]', "messages[0].role"), ('[{"role":{"user":1},"content":"a"}]', "messages[0].role"),
    ('[{"role":"user"}]', "messages[0].content"), ('[{"role":"user","content":1}]', "messages[0].content"),
    ('[{"role":"user","content":true}]', "messages[0].content"),
    ('[{"role":"user","content":{}}]', "messages[0].content"), ('[{"role":"user","content":{"text":"a"}}]', "messages[0].content"),
    ('[{"role":"user","content":[1]}]', "messages[0].content"), ('[{"role":"user","content":["a"]}]', "messages[0].content"),
    ('[{"role":"user","content":[null]}]', "messages[0].content"),
    ('[{"role":"user","content":[[]]}]', "messages[0].content"), ('[{"role":"user","content":[{}]}]', "messages[0].content"),
    ('[{"role":"user","content":[{"type":1}]}]', "messages[0].content"), ('[{"role":"user","content":[{"type":null,"text":"a"}]}]', "messages[0].content"),
    ('[{"role":"user","content":[{"type":"text"}]}]', "messages[0].content"), ('[{"role":"user","content":[{"type":"text","text":1}]}]',
        "messages[0].content"), ('[{"role":"user","content":[{"type":"text","text":null}]}]', "messages[0].content"),
        ('[{"role":"user","content":[{"text":"a"}]}]', "messages[0].content"),
    ('[{"role":"user","content":"a"},1]', "messages[1]"), ('[{"role":"user","content":"a"},{"role":"x","content":"a"}]', "messages[1].role"),
    ('[{"role":"user","content":"a"},{"role":"assistant"}]', "messages[1].content"), ("{}", "messages"), ('"hi"', "messages"), ("1", "messages"),
    ("true", "messages"),
]
TOOLS = [
    ("[1]", "tools[0]"), ("[null]", "tools[0]"), ('["f"]', "tools[0]"), ("[[]]", "tools[0]"), ('[{"type":"function"}]', "tools[0]"),
    ('[{"type":"function","function":{}}]', "tools[0]"), ('[{"type":"function","function":{"name":""}}]', "tools[0]"),
    ('[{"type":"function","function":{"name":1}}]', "tools[0]"),
    ('[{"type":"function","function":null}]', "tools[0]"), ('[{"type":"function","function":[]}]', "tools[0]"),
    ('[{"type":"function","function":"f"}]', "tools[0]"), ('[{"function":{"name":null}}]', "tools[0]"),
    ('[{"type":"function","function":{"name":"f"}},1]', "tools[1]"),
]


def structures(reference):
    chat = "/v1/chat/completions"
    for messages, param in MESSAGES:
        yield Input(f"messages {messages}", chat, body_of(chat, messages=messages), ("invalid_request",), param)
    for tools, param in TOOLS:
        yield Input(f"tools {tools}", chat, body_of(chat, tools=tools), ("invalid_request",), param)
    for choice in ('"required"', '"any"', '{"type":"function","function":{"name":"g"}}', '{"function":{"name":"f"}}'):
        yield Input(f"tool_choice {choice} without tools", chat, body_of(chat, tool_choice=choice), ("invalid_request",), "tool_choice")
    for item in ("1", "null", "{}", "true", "[[]]", '["a"]', "[1.5]", "[-1]", "[2147483648]", '""'):
        yield Input(f"input [{item}]", "/v1/embeddings", body_of("/v1/embeddings", input=f'["a",{item}]'), ("invalid_request",), "input[1]")
    for item in ("1", "null", "{}", "true", "[[]]", '["a"]', "[1.5]", "[-1]", "[2147483648]"):
        yield Input(f"prompt [{item}]", "/v1/completions", body_of("/v1/completions", prompt=f'["a",{item}]'), ("invalid_request",), "prompt[1]")
    for item in ("1.5", "-1", "2147483648", "null", '"a"', "[1]", "1e300"):
        yield Input(f"prompt [1, {item}]", "/v1/completions", body_of("/v1/completions", prompt=f"[1,{item}]"), ("invalid_request",), "prompt[1]")
        yield Input(f"input [1, {item}]", "/v1/embeddings", body_of("/v1/embeddings", input=f"[1,{item}]"), ("invalid_request",), "input[1]")
    for item in ("1", "null", "{}", "[]", '{"text":1}', '{"text":null}', '{"Text":"a"}', "true"):
        yield Input(f"documents [{item}]", "/v1/rerank", body_of("/v1/rerank", documents=f'["a",{item}]'), ("invalid_request",), "documents[1]")
    for format in ('"hex"', '"FLOAT"', '"float\\u0000"', '"base64 "'):
        yield Input(f"encoding_format {format}", "/v1/embeddings", body_of("/v1/embeddings", encoding_format=format), ("invalid_request",), "encoding_format")
    for path in PATHS:
        for body in (b"", b" ", b"\n", b"null", b"true", b"1", b'"x"', b"[]", b"[{}]", b"{", b"}", b"{}{}", b"{},", b"{}\0", b"\0{}", b"\xef\xbb\xbf{}",
                     b"{\"a\"}", b"{a:1}", b"{'a':1}", b"{\"a\":1,}", b"[1,]", b"{\"a\" 1}", b"{\"a\":}", b"{,}", b"//x\n{}", b"{}/**/", b"{\"a\":1/*x*/}",
                     b"#\n{}",
                     b"a=b&c=d", b"--x\r\nContent-Disposition: form-data\r\n\r\n", b"<xml/>", b"\x1f\x8b\x08\x00", b"\xff\xfe{\x00}\x00", b"\x00{\x00}",
                         b"model=far", b"---\nmodel: far\n", b"\x82\xa5model"):
            codes = verdict(body) if body.strip() else ("invalid_json",)
            yield Input(f"the body is {body[:20]!r}", path, body, codes or ("invalid_request",))


def cuts(reference):
    for path, body in RICH.items():
        yield Input("whole", path, body)
        for n in range(1, len(body)):
            yield Input(f"cut at {n}", path, body[:n], ("invalid_json",))


def mutations(rng, n):
    """Bytes put in, taken out, changed, doubled, moved. Python's parser says whether it still is JSON."""
    paths = list(RICH)
    interesting = b'{}[]",:\\0-+.eEu \n\x00\x1f\x7f\x80\xff\xc3\xed'
    for i in range(n):
        path = rng.choice(paths)
        body = bytearray(RICH[path])
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            at, how = rng.randrange(len(body)), rng.randrange(6)
            if how == 0:
                body[at] = rng.choice(interesting)
            elif how == 1:
                body[at] ^= 1 << rng.randrange(8)
            elif how == 2:
                del body[at:at + rng.choice((1, 1, 2, 8))]
            elif how == 3:
                body[at:at] = bytes([rng.choice(interesting)])
            elif how == 4:
                body[at:at] = body[at:at + rng.randrange(1, 40)]
            else:
                end = min(len(body), at + rng.randrange(1, 20))
                piece = body[at:end]
                del body[at:end]
                to = rng.randrange(len(body) + 1)
                body[to:to] = piece
        body = bytes(body)
        yield Input(f"mutation {i}", path, body, verdict(body) or ("?",))


FAMILIES = {"wrong types": wrong_types, "limits": limits, "numbers": numbers, "texts": texts, "keys": keys, "depths": depths, "structures": structures,
            "cuts": cuts}
