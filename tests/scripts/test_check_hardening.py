"""scripts/check-hardening: a program built with all the flags passes, and each flag that is taken away is named."""
import platform
import shutil
import subprocess

import pytest

SOURCE = r"""
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#ifdef WRITABLE_CODE
__asm__(".section .wx,\"awx\",@progbits\n.byte 0\n.previous");
#endif
int a(int x) { return x + 1; }
int b(int x) { return x + 2; }
int c(int x) { return x + 3; }
int d(int x) { return x + 4; }
int main(int argc, char **argv)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%s", argv[0]);
    return read(0, text, (size_t)(n + argc)) < 0 ? a(1) : (int)strlen(text);
}
"""
FLAGS = ["-O2", "-fPIE", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2", "-fstack-protector-strong", "-fcf-protection=full",
         "-pie", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack", "-Wl,-z,separate-code"]
WEAKER = [
    # also given                                 what is then said
    (["-no-pie", "-fno-pie"],                    "not position-independent"),
    (["-Wl,-z,norelro"],                         "no RELRO segment"),
    (["-Wl,-z,lazy"],                            "lazy binding"),
    (["-Wl,-z,execstack"],                       "the stack may be executed"),
    (["-Wl,-z,noseparate-code"],                 "code shares a segment"),
    (["-DWRITABLE_CODE"],                        "both writable and executable"),
    (["-Wl,-rpath,/tmp"],                        "RPATH"),
    (["-fno-stack-protector"],                   "no stack protector"),
    (["-U_FORTIFY_SOURCE"],                      "no fortified call"),
    (["-fcf-protection=none"],                   "no landing pads"),
]

pytestmark = pytest.mark.skipif(platform.system() != "Linux" or platform.machine() != "x86_64" or not shutil.which("gcc"),
                                reason="the samples are for gcc on x86-64 Linux")


def build(tmp_path, extra=()):
    source, program = tmp_path / "a.c", tmp_path / "a"
    source.write_text(SOURCE)
    subprocess.run(["gcc", *FLAGS, *extra, "-o", program, source], check=True, capture_output=True)
    return program


def test_all_the_flags_pass(run, tmp_path):
    done = run("check-hardening", build(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("extra, said", WEAKER)
def test_a_missing_flag_is_named(run, tmp_path, extra, said):
    done = run("check-hardening", build(tmp_path, extra))
    assert done.returncode == 1 and said in done.stderr


def test_a_library_is_held_to_the_same(run, tmp_path):
    source, library = tmp_path / "a.c", tmp_path / "a.so"
    source.write_text(SOURCE.replace("int main", "int run"))
    flags = [f for f in FLAGS if f not in ("-fPIE", "-pie")] + ["-shared", "-fPIC", "-o", library, source]
    subprocess.run(["gcc", *flags], check=True, capture_output=True)
    done = run("check-hardening", library)
    assert (done.returncode, done.stderr) == (0, "")
    subprocess.run(["gcc", *flags, "-Wl,-z,lazy"], check=True, capture_output=True)
    assert "lazy binding" in run("check-hardening", library).stderr


def test_what_is_not_elf_is_said_and_passes(run, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"\xcf\xfa\xed\xfe")
    done = run("check-hardening", path)
    assert done.returncode == 0 and "not ELF" in done.stderr
