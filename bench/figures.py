"""What is printed: one row a figure, its limit, and whether it holds. Ratios are taken round by round, since the subjects of
one round met the same noise, and their median is what counts."""
import statistics

# key, title, reference of the ratio, limit of the ratio, limit of hob's own median
FIGURES = [
    ("request_cpu_us",     "CPU per request, us (32 connections)",     "nginx",  1.5,  None),
    ("requests_per_s",     "requests per s (32 connections)",          "nginx",  None, None),
    ("busy_p50_us",        "p50 at 32 connections, us",                "nginx",  None, None),
    ("busy_p99_us",        "p99 at 32 connections, us",                "nginx",  None, None),
    ("one_core_p50_us",    "p50 of one request, us (one core)",        "nginx",  None, None),
    ("added_p50_us",       "added p50, us (one core)",                 "nginx",  1.5,  None),
    ("added_p99_us",       "added p99, us (one core)",                 "nginx",  None, None),
    ("event_cpu_us",       "CPU per SSE event, us (500 streams)",      "nginx",  1.2,  None),
    ("event_added_p50_us", "added delay of an event p50, us",          "nginx",  None, None),
    ("event_added_p99_us", "added delay of an event p99, us",          "nginx",  None, None),
    ("idle_pss_mib",       "PSS idle, MiB",                            "nginx",  None, 10),
    ("streams_pss_mib",    "PSS with 500 streams, MiB",                "nginx",  None, 20),
    ("start_ms",           "start to first answer, ms",                "nginx",  None, 50),
    ("tokens_per_s",       "tokens per s, whole request",              "direct", 0.99, None),
    ("decode_per_s",       "tokens per s, first to last",              "direct", None, None),
]
MORE_IS_BETTER = {"requests_per_s", "tokens_per_s", "decode_per_s"}


def within(key, value, limit):
    return value >= limit if key in MORE_IS_BETTER else value <= limit


def ratios(samples, reference):
    """Of hob to the reference, one a round; rounds where the reference is nothing are left out."""
    return [h / r for h, r in zip(samples.get("hob", []), samples.get(reference, [])) if r > 0]


def judge(measured):
    """{key: {median: {subject: v}, ratio, ratio_min, ratio_max, limit, holds}} for all that was measured."""
    out = {}
    for key, _, reference, ratio_limit, own_limit in FIGURES:
        samples = measured.get(key)
        if not samples:
            continue
        row = {"median": {name: statistics.median(values) for name, values in samples.items() if values}}
        found = ratios(samples, reference)
        if found:
            row |= {"ratio": statistics.median(found), "ratio_min": min(found), "ratio_max": max(found), "to": reference}
        if own_limit is not None and "hob" in row["median"]:
            row |= {"limit": own_limit, "holds": within(key, row["median"]["hob"], own_limit)}
        elif ratio_limit is not None and found:
            row |= {"limit": ratio_limit, "limit_of": "ratio", "holds": within(key, row["ratio"], ratio_limit)}
        out[key] = row
    return out


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def limit_text(key, row):
    if "limit" not in row:
        return ""
    sign = ">=" if key in MORE_IS_BETTER else "<="
    factor = "x" if row.get("limit_of") == "ratio" else ""
    return f"{sign} {row['limit']}{factor} {'ok' if row['holds'] else 'OVER' if sign == '<=' else 'UNDER'}"


def table(rows, others):
    """The lines of the table; others are the subjects besides direct, nginx and hob."""
    names = ["direct", "nginx", *others, "hob"]
    out = [["", *names, "hob to", "(least-most)", "limit"]]
    for key, title, *_ in FIGURES:
        if key not in rows:
            continue
        row = rows[key]
        cells = [number(row["median"].get(name)) for name in names]
        ratio = f"{row['ratio']:.2f}x {row['to']}" if "ratio" in row else ""
        spread = f"({row['ratio_min']:.2f}-{row['ratio_max']:.2f})" if "ratio" in row else ""
        out.append([title, *cells, ratio, spread, limit_text(key, row)])
    widths = [max(len(line[i]) for line in out) for i in range(len(out[0]))]
    last = len(widths) - 1
    return ["  ".join(c.ljust(w) if i in (0, last) else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths))).rstrip()
            for line in out]
