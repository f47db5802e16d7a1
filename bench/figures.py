"""What is printed: one row a figure, its limit, and whether it holds. Ratios are taken round by round, since the subjects of
one round met the same noise, and their median is what counts."""
import statistics

# key, title, reference of the ratio, limit of the ratio, limit of hob's own median
FIGURES = [
    ("request_cpu_us",     "CPU per request, us (32 conns, rows on)",  "nginx",  2.5,  None),
    ("requests_per_s",     "requests per s (32 connections)",          "nginx",  None, None),
    ("busy_p50_us",        "p50 at 32 connections, us",                "nginx",  None, None),
    ("busy_p99_us",        "p99 at 32 connections, us",                "nginx",  None, None),
    ("one_core_p50_us",    "p50 of one request, us (one core)",        "nginx",  None, None),
    ("added_p50_us",       "added p50, us (one core, lazy rows)",      "nginx",  1.5,  None),
    ("added_p99_us",       "added p99, us (one core, lazy rows)",      "nginx",  None, None),
    ("waited_p50_us",      "added p50, us (one core, row waited for)", "nginx",  None, None),
    ("waited_p99_us",      "added p99, us (one core, row waited for)", "nginx",  None, None),
    ("row_wait_p50_ms",    "wait for a row p50, ms (5000 per s)",      None,     None, 1),
    ("row_wait_p99_ms",    "wait for a row p99, ms (calmer rounds)",   None,     None, 3),
    ("stolen_percent",     "taken by the hypervisor meanwhile, %",     None,     None, None),
    ("row_wait_all_p99_ms", "the same p99, of all rounds",             None,     None, None),
    ("row_commit_p99_ms",  "until its commit p99, ms (all rounds)",    None,     None, 3),
    ("paced_p50_us",       "p50 at 5000 per s, us",                    "nginx",  None, None),
    ("paced_p99_us",       "p99 at 5000 per s, us",                    "nginx",  None, None),
    ("refused_p50_ms",     "refused at 4x the slots p50, ms",          "nginx",  None, None),
    ("refused_p99_ms",     "refused at 4x the slots p99, ms",          None,     None, 50),
    ("refused_max_ms",     "the slowest of them, ms",                  None,     None, None),
    ("refused_late_p99_ms", "the client itself late p99, ms",          None,     None, None),
    ("refused_stolen_percent", "taken by the hypervisor meanwhile, %", None,     None, None),
    ("slots_goodput",      "done at 4x the slots, of the peak",        None,     None, 0.9),
    ("crowd_4x_goodput",   "done with 4x the callers a core serves, of the peak", None, None, 0.9),
    ("crowd_4x_p99_ms",    "their p99, ms",                            "nginx",  None, None),
    ("crowd_16x_goodput",  "done with 16x the callers, of the peak",   None,     None, 0.9),
    ("crowd_16x_p99_ms",   "their p99, ms",                            "nginx",  None, None),
    ("crowd_16x_refused",  "refused of them",                          None,     None, None),
    ("event_cpu_us",       "CPU per SSE event, us (500 streams)",      "nginx",  1.2,  None),
    ("event_added_p50_us", "added delay of an event p50, us",          "nginx",  None, None),
    ("event_added_p99_us", "added delay of an event p99, us",          "nginx",  None, None),
    ("body_1m_plain_cpu_ms",     "CPU of a 1 MB body, ms (prose)",      "nginx", None, None),
    ("body_1m_escapes_cpu_ms",   "CPU of a 1 MB body, ms (escapes)",    "nginx", None, None),
    ("body_8m_plain_cpu_ms",     "CPU of an 8 MB body, ms (prose)",     "nginx", None, 8),
    ("body_8m_escapes_cpu_ms",   "CPU of an 8 MB body, ms (escapes)",   "nginx", None, 8),
    ("body_1m_plain_added_ms",   "added p50, 1 MB body, ms (prose)",    "nginx", None, None),
    ("body_1m_escapes_added_ms", "added p50, 1 MB body, ms (escapes)",  "nginx", None, None),
    ("body_8m_plain_added_ms",   "added p50, 8 MB body, ms (prose)",    "nginx", None, None),
    ("body_8m_escapes_added_ms", "added p50, 8 MB body, ms (escapes)",  "nginx", None, None),
    ("idle_pss_mib",       "PSS idle, MiB",                            "nginx",  None, 10),
    ("streams_pss_mib",    "PSS with 500 streams, MiB",                "nginx",  None, 20),
    ("bodies_pss_mib",     "PSS after 8 MB bodies, MiB",               "nginx",  None, None),
    ("https_cpu_us",       "CPU per request to an https host, us",     "nginx",  None, None),
    ("https_pss_mib",      "PSS with an https host, MiB",              "nginx",  None, None),
    ("dead_first_p50_us",  "p50 behind a dead first choice, us",       "well",   None, None),
    ("dead_first_p99_us",  "p99 behind a dead first choice, us",       "well",   None, None),
    ("dead_first_added_ms", "added by it, its breaker open, ms",       None,     None, 2),
    ("start_ms",           "start to first answer, ms",                "nginx",  None, 50),
    ("kill_p50_ms",        "gateway killed to next answer p50, ms",    None,     None, None),
    ("kill_p99_ms",        "gateway killed to next answer p99, ms",    None,     None, 1000),
    ("kill_max_ms",        "the longest of them, ms",                  None,     None, 1000),
    ("tokens_per_s",       "tokens per s, whole request",              "direct", 0.99, None),
    ("cold_start_ms",      "request to first token, model cold, ms",   "direct", 1.05, None),
    ("affinity_ttft_ms",   "first token of a later turn, 2 replicas, ms", "scattered", None, None),
    ("affinity_cached",    "tokens of it that were in the cache",      "scattered", None, None),
    ("decode_per_s",       "tokens per s, first to last",              "direct", None, None),
    ("json_direct_at_once_percent", "JSON direct: fits at once, %", None, None, None),
    ("json_direct_fits_percent", "JSON direct: fits in the end, %", None, None, None),
    ("json_direct_tokens", "JSON direct: tokens written", None, None, None),
    ("json_direct_ms", "JSON direct: ms", None, None, None),
    ("json_reason_first_at_once_percent", "JSON reason first: fits at once, %", None, None, None),
    ("json_reason_first_fits_percent", "JSON reason first: fits in the end, %", None, None, None),
    ("json_reason_first_tokens", "JSON reason first: tokens written", None, None, None),
    ("json_reason_first_ms", "JSON reason first: ms", None, None, None),
    ("json_two_pass_at_once_percent", "JSON two pass: fits at once, %", None, None, None),
    ("json_two_pass_fits_percent", "JSON two pass: fits in the end, %", None, None, None),
    ("json_two_pass_tokens", "JSON two pass: tokens written", None, None, None),
    ("json_two_pass_ms", "JSON two pass: ms", None, None, None),
    ("auto_right_percent", "auto: right of the held-out half, %",      None,     None, 90),
    ("auto_heavy_as_fast_percent", "auto: heavy taken for fast, %",    None,     None, 2),
    ("auto_4k_us",         "auto: judging 4 KiB, us (English)",        None,     None, 20),
    ("auto_4k_dense_us",   "auto: judging 4 KiB, us (Chinese)",        None,     None, 20),
]
MORE_IS_BETTER = {"slots_goodput", "crowd_4x_goodput", "crowd_16x_goodput", "requests_per_s", "tokens_per_s", "decode_per_s", "auto_right_percent", "affinity_cached",
                  *(f"json_{mode}_{share}_percent" for mode in ("direct", "reason_first", "two_pass") for share in ("at_once", "fits"))}


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
    return aligned(out)


def aligned(rows):
    """Lines of rows of cells: the first and the last column to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    last = len(widths) - 1
    return ["  ".join(c.ljust(w) if i in (0, last) else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip()
            for row in rows]


# ---- Two runs beside each other ----

SURE = 0.95   # of all pairs of an old and a new round, this many say the same
WORTH = 0.03  # and the medians are this far apart


def change(key, old, new):
    """"better", "worse" or "" of two lists of samples. Rounds are compared by rank, each old one with each new one: no
    distribution is assumed, and a round that something else disturbed counts for no more than any other."""
    if min(len(old), len(new)) < 3:
        return ""
    above = sum((n > o) + (n == o) / 2 for n in new for o in old) / (len(new) * len(old))
    was, now = statistics.median(old), statistics.median(new)
    if 1 - SURE < above < SURE or abs(now - was) < WORTH * abs(was):
        return ""
    return "better" if (now > was) == (key in MORE_IS_BETTER) else "worse"


def comparison(old, new):
    """The lines of the table of two runs' samples. Where a figure has a reference, its ratio decides whether it moved: what
    the machine was like that day is in both halves of it. Else hob's own samples decide; of memory always, on which a busy
    machine has no bearing."""
    out = [["", "old", "new", "new/old", "ratio old", "new", "to", "moved"]]
    for key, title, reference, *_ in FIGURES:
        a, b = old.get(key, {}), new.get(key, {})
        if not a.get("hob") or not b.get("hob"):
            continue
        was, now = statistics.median(a["hob"]), statistics.median(b["hob"])
        before, after = ratios(a, reference), ratios(b, reference)
        relative = len(before) >= 3 and len(after) >= 3 and not key.endswith("_mib")
        out.append([title, number(was), number(now), number(now / was) + "x" if was > 0 else "-",
                    number(statistics.median(before)) if relative else "-",
                    number(statistics.median(after)) if relative else "-", reference if relative else "",
                    change(key, before, after) if relative else change(key, a["hob"], b["hob"])])
    return aligned(out)
