/* The schema, as it grew. A row that has been in a release is never changed: what is different comes as one more row. */
#include "store/store_int.h"

const char *const store_migrations[] = {
    "CREATE TABLE calibrations ("
    "  model TEXT NOT NULL, engine TEXT NOT NULL, settings TEXT NOT NULL,"
    "  estimated_bytes INTEGER NOT NULL, projected_bytes INTEGER NOT NULL, idle_bytes INTEGER NOT NULL, busy_bytes INTEGER NOT NULL,"
    "  short_bytes INTEGER NOT NULL, at_s INTEGER NOT NULL,"
    "  PRIMARY KEY (model, engine, settings)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE probes ("
    "  engine TEXT NOT NULL, architecture TEXT NOT NULL, known INTEGER NOT NULL, at_s INTEGER NOT NULL,"
    "  PRIMARY KEY (engine, architecture)) STRICT, WITHOUT ROWID;",
    /* A way: who asks for what and who answers. Few, and the same again and again. */
    "CREATE TABLE ways ("
    "  way INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, caller TEXT NOT NULL, class TEXT NOT NULL, role TEXT NOT NULL, tier TEXT NOT NULL,"
    "  asked TEXT NOT NULL, model TEXT NOT NULL, host TEXT NOT NULL, remote INTEGER NOT NULL,"
    "  UNIQUE (endpoint, caller, class, role, tier, asked, model, host, remote)) STRICT;"
    /* at: (ms since 1970) * 1024 when it was written, or one more than the last. NULL: unknown, or none. flags: requests_books.c */
    "CREATE TABLE requests ("
    "  at INTEGER PRIMARY KEY, came_ms INTEGER NOT NULL, way INTEGER NOT NULL, id BLOB NOT NULL, status INTEGER NOT NULL, fault INTEGER NOT NULL,"
    "  flags INTEGER NOT NULL, input INTEGER, output INTEGER, reasoning INTEGER, cached INTEGER, queue_us INTEGER, load_us INTEGER, ttft_us INTEGER,"
    "  total_us INTEGER, bytes_in INTEGER, bytes_out INTEGER, cost REAL, complexity REAL, reason TEXT, code TEXT, evidence TEXT, chain TEXT,"
    "  client_id TEXT, asked TEXT) STRICT;"
    "CREATE TABLE request_sums ("
    "  hour_s INTEGER NOT NULL, way INTEGER NOT NULL, requests INTEGER NOT NULL, faults INTEGER NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL,"
    "  cached INTEGER NOT NULL, cost REAL NOT NULL, unpriced INTEGER NOT NULL, verified INTEGER NOT NULL, agreed INTEGER NOT NULL,"
    "  fell_back INTEGER NOT NULL, last_ms INTEGER NOT NULL, PRIMARY KEY (hour_s, way)) STRICT, WITHOUT ROWID;"
    /* One row: up to where rows are in the sums, and about how many bytes those rows have. */
    "CREATE TABLE request_books (summed_at INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;"
    "INSERT INTO request_books VALUES (0, 0);",
    "CREATE TABLE host_days ("
    "  host TEXT NOT NULL, day INTEGER NOT NULL, tokens INTEGER NOT NULL, unpriced INTEGER NOT NULL, money REAL NOT NULL,"
    "  PRIMARY KEY (host, day)) STRICT, WITHOUT ROWID;",
    /* text: evidence/swap.h's. A step is never changed. */
    "CREATE TABLE swaps (swap INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL) STRICT;"
    "CREATE TABLE swap_steps ("
    "  at INTEGER PRIMARY KEY AUTOINCREMENT, swap INTEGER NOT NULL, time_ms INTEGER NOT NULL, actor TEXT NOT NULL, step TEXT NOT NULL, state TEXT NOT NULL,"
    "  role TEXT NOT NULL, reason TEXT NOT NULL, figures TEXT NOT NULL) STRICT;"
    "CREATE INDEX swap_steps_of ON swap_steps (swap, at);"
    /* Runs of suites, and of each what one model made of one case at one time. text: JSON, evidence's own. */
    "CREATE TABLE evals ("
    "  run INTEGER PRIMARY KEY AUTOINCREMENT, began_ms INTEGER NOT NULL, ended_ms INTEGER, suite TEXT NOT NULL, state TEXT NOT NULL, text TEXT NOT NULL) STRICT;"
    "CREATE TABLE eval_results ("
    "  run INTEGER NOT NULL, place TEXT NOT NULL, item TEXT NOT NULL, turn INTEGER NOT NULL, passed INTEGER, fault TEXT NOT NULL, score REAL NOT NULL,"
    "  text TEXT NOT NULL, PRIMARY KEY (run, place, item, turn)) STRICT, WITHOUT ROWID;",
    /* How long models were in memory: byte_seconds is what they had, times how long. */
    "CREATE TABLE model_hours ("
    "  model TEXT NOT NULL, hour_s INTEGER NOT NULL, hot_ms INTEGER NOT NULL, byte_seconds INTEGER NOT NULL, loads INTEGER NOT NULL, load_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (hour_s, model)) STRICT, WITHOUT ROWID;",
    /* Asks that are kept for suites, where the configuration says so. flags: captured.c; text: JSON, the api room's own */
    "CREATE TABLE captured ("
    "  at INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, role TEXT NOT NULL, id TEXT NOT NULL, caller TEXT NOT NULL,"
    "  model TEXT NOT NULL, host TEXT NOT NULL, flags INTEGER NOT NULL, input INTEGER, output INTEGER, print INTEGER NOT NULL, text TEXT NOT NULL) STRICT;"
    "CREATE INDEX captured_of ON captured (role, at);"
    "CREATE INDEX captured_until ON captured (until_ms);",
    /* What a model did under a role, kept by name. text: evidence/guards.h's. */
    "CREATE TABLE baselines (role TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;",
    /* An ask, answered by the model of its role and by the one that would take its place. What is not known, or was not asked for, is NULL; no text of either. */
    "CREATE TABLE shadow_pairs ("
    "  at INTEGER PRIMARY KEY AUTOINCREMENT, swap INTEGER NOT NULL, role TEXT NOT NULL, time_ms INTEGER NOT NULL, request TEXT NOT NULL, waited_ms INTEGER NOT NULL,"
    "  alike INTEGER, cost REAL, dropped INTEGER NOT NULL, cancelled INTEGER NOT NULL, unfit INTEGER NOT NULL,"
    "  old_code TEXT NOT NULL, old_fits INTEGER, old_thought INTEGER, old_empty INTEGER, old_cut INTEGER,"
    "  old_ttft_us INTEGER, old_total_us INTEGER, old_input INTEGER, old_output INTEGER, old_bytes INTEGER,"
    "  new_code TEXT NOT NULL, new_fits INTEGER, new_thought INTEGER, new_empty INTEGER, new_cut INTEGER,"
    "  new_ttft_us INTEGER, new_total_us INTEGER, new_input INTEGER, new_output INTEGER, new_bytes INTEGER) STRICT;"
    "CREATE INDEX shadow_pairs_of ON shadow_pairs (swap, role, at);",
    /* Who answers a role or tier from then on. model empty: the name is no more. swap 0: the configuration says so. */
    "CREATE TABLE served ("
    "  at INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL, role TEXT NOT NULL, model TEXT NOT NULL, swap INTEGER NOT NULL, why TEXT NOT NULL) STRICT;"
    "CREATE INDEX served_of ON served (role, at);",
    NULL,
};
