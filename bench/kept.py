"""Results that are kept: one small JSON file a run in bench/results/, tracked by git. They hold the samples of every round, so
that a later run can be told from noise; medians and limits are worked out again when they are read (figures.py)."""
import json
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent / "results"


def same_machine(a, b):
    return (a["cpu"], a["cores"]) == (b["cpu"], b["cores"])


def machine_of(result):
    """Without the distributor's part of the kernel's name: it says nothing of cost."""
    m = result["machine"]
    return m | {"kernel": re.match(r"[0-9.]*", m["kernel"]).group(), "load": round(m["load"], 2)}


def rounded(value):
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [float(f"{v:.5g}") for v in value]


def text_of(result):
    """One line a figure, so that a file can be read and a diff means something."""
    fields = {k: result[k] for k in ("date", "commit", "nginx", "build", "cpu_source", "size")}
    fields["machine"] = machine_of(result)
    lines = [f" {json.dumps(k)}: {json.dumps(v)}," for k, v in fields.items()]
    samples = [f"  {json.dumps(k)}: {json.dumps(rounded(v))}" for k, v in result["samples"].items()]
    return "{\n" + "\n".join(lines) + '\n "samples": {\n' + ",\n".join(samples) + "\n }\n}\n"


def write(result):
    m = result["machine"]
    words = f"{result['date'][:10]}-{result['commit'] or 'unknown'}-{m['cpu']}-{m['cores']}"
    path = FOLDER / (re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-") + ".json")
    FOLDER.mkdir(exist_ok=True)
    path.write_text(text_of(result))
    return path


def read(path):
    return json.loads(pathlib.Path(path).read_text())


def newest_like(result):
    """(path, result) of the newest kept one from a machine like this, or None; a run is not compared with itself."""
    found = [(path, read(path)) for path in FOLDER.glob("*.json")]
    found = [(p, r) for p, r in found if same_machine(r["machine"], result["machine"]) and r["date"] != result["date"]]
    return max(found, key=lambda pair: pair[1]["date"], default=None)
