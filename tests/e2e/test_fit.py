"""hob fit: what a model would need, held against what the real engine allocates; figures, folders and far files."""

import functools
import http.server
import json
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import urllib.request

import engine_models
import gguf_files
import pytest
from helpers import FAKE, cli, environment, free_port, wait_for

MIB = 1024 * 1024
TERMS = ("weights_bytes", "extras_bytes", "kv_bytes", "compute_bytes", "cache_bytes", "process_bytes")


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="hobf", dir="/tmp") as d:
        yield pathlib.Path(d)


@pytest.fixture
def fit(place):
    """Asks; returns (exit code, the object)."""
    def go(*args, config=None, engine=str(FAKE), env=None):
        (place / "hob.yaml").write_text(json.dumps({"state": str(place / "st"), "engines": {"llama": {"path": engine}}, **(config or {})}))
        r = cli("fit", *map(str, args), "--json", env=environment(place, env), dir=place, timeout=60)
        assert r.returncode in (0, 4), r
        o = json.loads(r.stdout)
        assert o["schema"] == 1 and (r.returncode == 0) == any(row["fits"] for row in o["rows"])
        for row in o["rows"]:
            assert row["total_bytes"] > 0 and row["fits"] == (row["total_bytes"] <= o["room_bytes"])
            assert row["basis"] != "arithmetic on the file's header" or row["total_bytes"] == sum(row[t] for t in TERMS)
            assert row["verdict"] == ("does not fit" if not row["fits"] else "fits, but" if row["warnings"] else "fits")
        return r.returncode, o
    return go


# -- against the real engine


def test_keys_and_values_are_the_engines_own(real, fit):
    engine, model = real
    _, o = fit(model, "--context", "512,2k,8k", "--kv", "f16,q8_0", engine=engine)
    assert o["architecture"] == "llama" and len(o["rows"]) == 6 and o["largest_context"] == 8192
    for row in o["rows"]:
        told = engine_models.lay_out(engine, model, "-c", str(row["context"]), "-np", "1", "-b", "512", "-ub", "512", "-ctk", row["kv"], "-ctv", row["kv"])
        assert abs(row["kv_bytes"] / MIB - told["KV"]) < 0.01, row
        assert 0 < row["compute_bytes"] / MIB - told["compute"] < (0.3 if row["kv"] == "f16" else 1.5), row


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def measure(engine, model, context, kv):
    """Resident after a prompt."""
    port = free_port()
    p = subprocess.Popen([engine, "-m", model, "-c", str(context), "-np", "1", "-t", "1", "-b", "512", "-ub", "512", "-ctk", kv, "-ctv", kv, "-cram", "0",
                          "--port", str(port), "--no-ui", "--offline"], env={**os.environ, "LD_LIBRARY_PATH": os.path.dirname(engine)},
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def up():
            try:
                return urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).status == 200
            except OSError:
                return False
        wait_for("the engine", up, 30)
        body = json.dumps({"prompt": "word " * 300, "n_predict": 2}).encode()
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/completion", body), timeout=120).read()
        return resident(p.pid)
    finally:
        p.kill()
        p.wait()


@pytest.mark.parametrize("context,kv", [(512, "f16"), (8192, "q8_0")])
def test_the_total_is_near_what_is_resident(real, fit, context, kv):
    engine, model = real
    config = {"models": {"small": {"file": model, "context": context, "kv": kv, "cache": 0}}}
    measured = measure(engine, model, context, kv)
    for more in ([], ["--engine"]):
        _, o = fit("small", *more, config=config, engine=engine, env={"LD_LIBRARY_PATH": os.path.dirname(engine)})
        row, = o["rows"]
        assert row["source"] == ("engine" if more else "estimate") and row["context"] == context and row["kv"] == kv
        assert abs(row["total_bytes"] / measured - 1) < 0.25, (row, measured)


SMALL = {"embedding_length": 256, "feed_forward_length": 512, "attention.head_count": 4}
MLA = {"attention.kv_lora_rank": 256, "rope.dimension_count": 32, "attention.key_length": 288, "attention.value_length": 256,
       "attention.key_length_mla": 96, "attention.value_length_mla": 64, "attention.q_lora_rank": 64}
EXPERTS = {"expert_count": 8, "expert_used_count": 2, "expert_feed_forward_length": 128}
SWA = {"attention.sliding_window": 512, "attention.key_length": 64, "attention.value_length": 64}
GROWN = {
    "gemma3": {"block_count": 6, "attention.head_count_kv": 2, **SWA},
    "gemma4": {"block_count": 5, "attention.head_count_kv": [2, 2, 1, 2, 1], "attention.shared_kv_layers": 2, **SWA, "attention.key_length": 128,
               "attention.value_length": 128, "attention.key_length_swa": 64, "attention.value_length_swa": 64,
               "attention.sliding_window_pattern": [True, True, False, True, False], "embedding_length_per_layer_input": 0, "rope.dimension_count": 128,
               "rope.dimension_count_swa": 64},
    "deepseek2": {"block_count": 2, "attention.head_count_kv": 1, **MLA, **EXPERTS, "leading_dense_block_count": 1, "expert_shared_count": 1,
                  "expert_weights_scale": 1.0},
    "qwen3moe": {"block_count": 2, "attention.head_count_kv": 2, **EXPERTS},
    "mamba2": {"block_count": 2, "attention.head_count": 0, "ssm.conv_kernel": 4, "ssm.inner_size": 512, "ssm.state_size": 16, "ssm.time_step_rank": 16,
               "ssm.group_count": 2},
}


@pytest.mark.parametrize("architecture", GROWN)
def test_other_architectures_are_as_the_engine_has_them(real, fit, place, architecture):
    engine, _ = real
    path = engine_models.grow(engine, place, architecture, {**SMALL, **GROWN[architecture]})
    for slots in (1, 2):
        _, o = fit(path, "--context", 2048, "--slots", slots, engine=engine)
        told = engine_models.lay_out(engine, path, "-c", str(2048 * slots), "-np", str(slots), "-b", "512", "-ub", "512")
        row, = o["rows"]
        assert abs(row["kv_bytes"] / MIB - told["KV"] - told["RS"]) < 0.02, (row, told)
        assert 0.9 < row["compute_bytes"] / MIB / told["compute"] < 1.6, (row, told)
        assert o["architecture_known"]


def test_what_was_loaded_is_measured(real, fit, place, hob):
    engine, model = real
    config = {"engines": {"llama": {"path": engine}},
              "models": {"small": {"file": model, "context": 1024, "keep": "hot", "cache": 0}}}
    h = hob(config, wait="ready", seconds=60)

    def measured():
        _, o = fit("small", "--measured", "--state", h.state, config=config, engine=engine)
        return any(m["idle_bytes"] for m in o["measured"]) and o
    o = wait_for("a measurement", measured, 30)
    row, m = o["rows"][0], o["measured"][0]
    assert row["source"] == "measured" and m["same_settings"] and m["at"] > 0
    assert row["total_bytes"] >= m["idle_bytes"] > row["weights_bytes"] and abs(m["estimated_bytes"] / row["total_bytes"] - 1) < 0.25
    _, other = fit("small", "--context", "4k", "--state", h.state, config=config, engine=engine)
    assert other["rows"][0]["source"] == "estimate" and other["rows"][0]["basis"] != row["basis"]
    assert abs(other["rows"][0]["total_bytes"] - row["total_bytes"] - 3 * 1024 * 30 * 3 * 128 * 2) < 8 * MIB  # what it needs beyond is known


def test_nothing_measured_is_said(fit, place):
    path = gguf_files.write_gguf(place / "m.gguf", *gguf_files.llama())
    _, o = fit(path, "--measured")
    assert o["measured"] == [] and {r["source"] for r in o["rows"]} == {"estimate"}


# -- figures

MACHINE = ["--params", "70B", "--quant", "q4", "--layers", "80", "--kv-heads", "8", "--head-dim", "128", "--memory", "48GiB"]


def test_figures_choose_a_machine(fit):
    code, o = fit(*MACHINE, "--context", "32k")
    row, = o["rows"]
    assert code == 4 and not row["fits"] and 51.5e9 < row["total_bytes"] < 52.5e9 and row["kv_bytes"] == 32768 * 80 * 8 * 256 * 2
    code, o = fit(*MACHINE, "--context", "2k")
    assert code == 0 and o["rows"][0]["fits"] and 2048 < o["largest_context"] < 32768 and o["machine"] is None
    code, o = fit(*MACHINE, "--context", "2k,32k")
    assert code == 0 and [r["fits"] for r in o["rows"]] == [True, False]


@pytest.mark.parametrize("args,word", [
    ([], "which model"), (["nobody"], "no model and no file"), (["/nowhere.gguf"], "no model and no file"), (["/etc"], "safetensors"),
    (MACHINE[:2], "--layers"), ([*MACHINE, "--quant", "q17"], "q17"), ([*MACHINE, "--context", "many"], "many"), ([*MACHINE, "--context", "4k,"], "--context"),
    ([*MACHINE, "--kv", "q9"], "q9"), ([*MACHINE, "--slots", "0"], "--slots"), ([*MACHINE, "--memory", "48Gigs"], "48Gigs"),
    ([*MACHINE, "--layers", "99999"], "layers"), ([*MACHINE, "--engine"], "--engine"), ([*MACHINE, "--params", "-70B"], "-70B"),
    ([*MACHINE, "--memory", "48"], "like 48GiB"), (["/nowhere.gguf", "--params", "7B"], "--params is for a model that has no file"),
])
def test_bad_input_is_one_clear_error(place, args, word):
    r = cli("fit", *args, env=environment(place), dir=place)
    assert r.returncode in (1, 2) and r.stdout == "" and word in r.stderr and r.stderr.count("\n") <= 2, r


def test_the_table_for_people(place):
    r = cli("fit", *MACHINE, "--context", "2k", "--kv", "q4_0", "--as", "code", env=environment(place), dir=place)
    assert r.returncode == 0 and r.stderr == ""
    assert "CONTEXT" in r.stdout and "fits, but" in r.stdout and "largest context that fits" in r.stdout and "held against 48.0 GiB" in r.stdout
    assert "q8_0 is the smallest" in r.stdout and "below Q5_K_M" in r.stdout


# -- files


def test_a_file_by_its_header_alone(fit, place):
    keys, tensors = gguf_files.llama(layers=4, embed=4096, heads=32, kv_heads=8, ff=14336, vocab=32000, kind="q4_K")
    path = gguf_files.write_gguf(place / "m.gguf", keys, tensors)
    _, o = fit(path, "--context", "4k,16k", "--memory", "64GiB")
    first, beyond = o["rows"]
    assert o["quant"] == "q4_K" and first["kv_bytes"] == 4096 * 4 * 8 * 256 * 2 and first["cache_bytes"] == 256 * MIB
    assert [w["code"] for w in beyond["warnings"]][-1] == "beyond_training" and o["largest_context"] == 8192


def test_a_machine_is_told_in_figures(fit, place):
    path = gguf_files.write_gguf(place / "m.gguf", *gguf_files.llama())
    _, o = fit(path, config={"budget": {"reserve": "1GiB"}})
    m = o["machine"]
    assert m["kind"] in ("ram", "vram", "unified") and m["what"] and m["reserve_bytes"] == 1024 * MIB
    assert o["room_bytes"] == max(0, m["total_bytes"] - m["used_bytes"] - m["reserve_bytes"]) and m["held_bytes"] == 0
    _, o = fit(path, config={"budget": {"memory": "300MiB"}})
    assert o["room_bytes"] == 300 * MIB


def test_what_our_own_models_hold_can_go(fit, place, managed):
    h = managed()
    other = gguf_files.write_gguf(place / "other.gguf", *gguf_files.llama())
    _, o = fit(other, "--state", h.state)
    m = o["machine"]
    assert m["held_bytes"] > 0 and o["room_bytes"] == max(0, m["total_bytes"] - m["used_bytes"] - m["reserve_bytes"])


def test_a_configured_model_brings_its_settings(fit, place):
    path = gguf_files.write_gguf(place / "m.gguf", *gguf_files.llama())
    projector = gguf_files.write_gguf(place / "p.gguf", {"general.architecture": "clip"}, {"v.a": ("f16", [1024, 512])})
    adapter = gguf_files.write_gguf(place / "l.gguf", {"general.architecture": "llama", "general.type": "adapter"}, {"a": ("f32", [256, 64])})
    model = {"file": path, "context": 2048, "slots": 3, "kv": "q8_0", "cache": "10MiB", "mmproj": projector, "draft": path, "lora": [{"file": adapter}]}
    _, bare = fit(path, "--context", 2048, "--slots", 3)
    _, o = fit("m", config={"models": {"m": model}, "roles": {"code": {"model": "m"}}})
    row, = o["rows"]
    assert (row["context"], row["slots"], row["kv"], row["cache_bytes"]) == (2048, 3, "q8_0", 10 * MIB)
    draft = bare["rows"][0]  # its own keys are f16, whatever the model's are
    assert row["extras_bytes"] == 1024 * 512 * 2 + 256 * 64 * 4 + draft["weights_bytes"] + draft["kv_bytes"] + draft["compute_bytes"]
    assert "coarse_for_role" in [w["code"] for w in row["warnings"]]
    _, by_role = fit("code", config={"models": {"m": model}, "roles": {"code": {"model": "m"}}})
    assert by_role["rows"][0]["total_bytes"] == row["total_bytes"]


def test_a_split_model_counts_all_its_parts(fit, place):
    keys, tensors = gguf_files.llama(layers=6)
    whole = gguf_files.write_gguf(place / "whole.gguf", keys, tensors)
    parts = gguf_files.write_split(place, "big", keys, tensors, 3)
    _, a = fit(whole)
    _, b = fit(parts[1])
    assert a["rows"][0]["weights_bytes"] == b["rows"][0]["weights_bytes"] and a["params"] == b["params"]


def test_a_folder_of_safetensors(fit, place):
    config = {"model_type": "qwen3", "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "hidden_size": 256,
              "intermediate_size": 512, "vocab_size": 320, "max_position_embeddings": 4096, "torch_dtype": "bfloat16"}
    folder = gguf_files.write_safetensors(place / "mlx", config, {"model.embed_tokens.weight": ("BF16", [320, 256]), "model.norm.weight": ("BF16", [256])})
    _, o = fit(folder, "--context", "4k")
    assert o["architecture"] == "qwen3" and o["quant"] == "bf16" and o["rows"][0]["weights_bytes"] == 2 * 321 * 256
    assert o["rows"][0]["kv_bytes"] == 4096 * 2 * 2 * 128 * 2


# -- far files


class Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and parts of its files where the server may."""
    def do_GET(self):
        path = pathlib.Path(self.translate_path(self.path))
        if not path.is_file():
            return self.send_error(404)
        size, asked = path.stat().st_size, re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        ranged = asked and self.server.ranges
        first = int(asked[1]) if ranged else 0
        last = min(int(asked[2] or size - 1), size - 1) if ranged else size - 1
        self.send_response(206 if ranged else 200)
        if ranged:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        with path.open("rb") as f:
            f.seek(first)
            left = last - first + 1
            try:
                while left:
                    part = f.read(min(left, 65536))
                    self.wfile.write(part)
                    self.server.sent += len(part)
                    left -= len(part)
            except OSError:  # who has heard enough
                self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def web(place):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Ranges, directory=str(place)))
    server.ranges, server.sent, server.at = True, 0, f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_far_file_by_the_beginning_of_it(fit, place, web):
    keys, tensors = gguf_files.llama(layers=8, embed=2048, heads=16, kv_heads=4, ff=8192, vocab=32000)
    path = gguf_files.write_gguf(place / "far.gguf", {**keys, "tokenizer.ggml.tokens": [f"word{i}" for i in range(32000)]}, tensors)
    _, near = fit(path, "--context", "4k")
    _, far = fit(f"{web.at}/far.gguf", "--context", "4k")
    assert far["rows"][0]["weights_bytes"] == near["rows"][0]["weights_bytes"] > 200 * MIB and far["params"] == near["params"]
    assert far["rows"][0]["kv_bytes"] == near["rows"][0]["kv_bytes"]
    assert web.sent < 2 * MIB


def test_a_far_header_larger_than_a_part(fit, place, web):
    keys, tensors = gguf_files.llama()
    path = gguf_files.write_gguf(place / "far.gguf", {**keys, "tokenizer.ggml.tokens": ["a word that is rather long, so that many are more" * 2] * 70000}, tensors)
    _, near = fit(path)
    _, far = fit(f"{web.at}/far.gguf")
    assert far["rows"] == near["rows"] and far["context_train"] == 8192


def test_far_parts(fit, place, web):
    keys, tensors = gguf_files.llama(layers=6)
    parts = gguf_files.write_split(place, "big", keys, tensors, 3)
    _, near = fit(parts[0])
    _, far = fit(f"{web.at}/{os.path.basename(parts[2])}")
    assert far["rows"] == near["rows"] and far["params"] == near["params"]


def test_what_is_not_there_or_no_model(place, web):
    (place / "page.gguf").write_text("<!DOCTYPE html><p>Please log in" + " " * 100)
    keys, tensors = gguf_files.llama()
    gguf_files.write_gguf(place / "good.gguf", keys, tensors)
    for name, ranges, word in (("none.gguf", True, "404"), ("page.gguf", True, "GGUF"), ("good.gguf", False, "ranges")):
        web.ranges = ranges
        r = cli("fit", f"{web.at}/{name}", env=environment(place), dir=place)
        assert r.returncode == 1 and word in r.stderr and r.stdout == "", r
    web.ranges = True
    path = pathlib.Path(gguf_files.write_gguf(place / "cut.gguf", keys, tensors))
    os.truncate(path, path.stat().st_size - 1)
    r = cli("fit", f"{web.at}/cut.gguf", env=environment(place), dir=place)
    assert r.returncode == 1 and "cut short" in r.stderr, r
