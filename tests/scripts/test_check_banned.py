"""scripts/check-banned: calls are found, prose and namesakes are not."""
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

ALLOWED = [
    "/* strcpy(a, b) is banned */",
    "// never system(x)",
    'puts("use popen(3)");',
    "puts(\"a \\\" quote, then gets(x)\");",
    "char c = '\"'; /* gets(x) */",
    "m->system(role);",
    "m.system (role);",
    "struct str system;",
    "my_strcpy(a, b);",
    "snprintf(b, sizeof b, f);",
]
CALLS = [
    ("strcpy(a, b);", "strcpy"),
    ("x = atoi (s);", "atoi"),
    ("char c = '\"'; gets(c);", "gets"),
    ('puts("/*"); strcat(a, b); /* " */', "strcat"),
    ("sprintf(a, f);", "sprintf"),
    ("vsprintf(a, f, v);", "vsprintf"),
    ("strtok(a, b);", "strtok"),
    ("p = alloca(n);", "alloca"),
    ("if (system(s)) {}", "system"),
    ("f = popen(s, m);", "popen"),
]


@pytest.mark.parametrize("line", ALLOWED)
def test_prose_and_namesakes_pass(run, tmp_path, line):
    path = tmp_path / "a.c"
    path.write_text(line + "\n")
    done = run("check-banned", path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("line, name", CALLS)
def test_call_is_found_at_its_line(run, tmp_path, line, name):
    path = tmp_path / "a.c"
    path.write_text("/* two\n lines */\n" + line + "\n")
    done = run("check-banned", path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{path}:3: {name} is banned: use ")


@pytest.mark.parametrize("flags, status", [("-Wvla -c", 0), ("-Wall -c", 1)])
def test_each_file_is_compiled_with_the_warning_on_vlas(run, tmp_path, flags, status):
    entry = {"directory": str(ROOT / "build"), "file": "../src/main.c", "command": f"cc {flags} ../src/main.c"}
    (tmp_path / "compile_commands.json").write_text(json.dumps([entry]))
    done = run("check-banned", tmp_path)
    assert done.returncode == status
    assert ("src/main.c: compiled without -Wvla" in done.stderr) == bool(status)
