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
    NULL,
};
