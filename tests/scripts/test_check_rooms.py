"""scripts/check-rooms: which includes it lets pass, and what it says of the others."""
import pytest

CASES = [
    # file                header                  what is said, None = allowed
    ("route/a.c",         "base/str.h",           None),
    ("route/a.c",         "route/a.h",            None),
    ("route/a.c",         "route/route_int.h",    None),
    ("proc/a.c",          "keeper/wire.h",        None),
    ("keeper/a.c",        "base/err.h",           None),
    ("keeper/a.c",        "keeper/wire.h",        None),
    ("main.c",            "cli/cli.h",            None),
    ("route/a.c",         "api/api.h",            "route may include only rooms above it, and api is below"),
    ("base/str.h",        "json/json.h",          "base may include only rooms above it, and json is below"),
    ("api/a.c",           "keeper/wire.h",        "only proc may include keeper/wire.h"),
    ("proc/a.c",          "keeper/ring.h",        "only proc may include keeper/wire.h"),
    ("keeper/a.c",        "loop/loop.h",          "keeper may include base and its own headers only"),
    ("api/a.c",           "http/http_int.h",      "http/http_int.h is private to http"),
    ("api/a.c",           "a.h",                  'write "api/a.h"'),
    ("api/a.c",           "../base/str.h",        "headers are named as room/file.h"),
    ("api/a.c",           "cellar/wine.h",        "cellar is no room"),
]


@pytest.mark.parametrize("file, header, said", CASES)
def test_include_follows_the_table(run, tmp_path, file, header, said):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'/* why */\n#include <stdio.h>\n  #  include "{header}"\n')
    done = run("check-rooms", tmp_path)
    assert done.returncode == (1 if said else 0)
    if said:
        assert f"{path}:3: " in done.stderr and said in done.stderr
    else:
        assert done.stderr == ""


def test_unknown_folder_is_named(run, tmp_path):
    (tmp_path / "cellar").mkdir()
    done = run("check-rooms", tmp_path)
    assert done.returncode == 1 and "cellar: no such room" in done.stderr


def test_every_room_that_meson_builds_is_in_the_table(run):
    done = run("check-rooms")
    assert done.returncode == 0, done.stderr
