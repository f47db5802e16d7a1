"""How well `auto` guesses, by the prompts in prompts/complexity.jsonl: only the half that nobody tunes on is looked at (complexity.c)."""
import json
import subprocess

from procs import CannotMeasure

ROUNDS = 5  # for the times; the counts are the same each time


def ask(build, root):
    tool = build / "bench" / "complexity"
    try:
        done = subprocess.run([tool, root / "bench" / "prompts" / "complexity.jsonl", "--json"], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=True)
        return json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as e:
        raise CannotMeasure(f"{tool}: {e}") from e


def measure_complexity(build, root):
    """({figure: {"hob": [...]}}, [a note])."""
    got = [ask(build, root) for _ in range(ROUNDS)]
    first = got[0]
    figures = {
        "auto_right_percent": {"hob": [100 * first["right"] / first["prompts"]]},
        "auto_heavy_as_fast_percent": {"hob": [100 * first["heavy_as_fast"] / first["heavy"]]},
        "auto_4k_us": {"hob": [g["ns_4k"] / 1000 for g in got]},
        "auto_4k_dense_us": {"hob": [g["ns_4k_dense"] / 1000 for g in got]},
    }
    rows = "; ".join(f"{label} {'/'.join(map(str, row))}" for label, row in zip(("fast", "primary", "heavy"), first["confusion"]))
    return figures, [f"auto, {first['prompts']} held-out prompts, found fast/primary/heavy: {rows}; language right {first['language_right']}"]
