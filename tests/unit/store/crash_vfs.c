/* The disk of crash_vfs.h. A node is a file's content, an entry its name in the folder: one that was deleted and made anew is two nodes, of which a loss of power may leave either. */
#include "crash_vfs.h"

#include "base/err.h"
#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, MAX_ENTRIES = 16, MAX_NAME = 256, DIR_SYNCING = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL };

struct change {             /* since the last sync, in their order */
    struct change *next;
    int64_t at;             /* of a write; of a truncate the new size */
    size_t n;
    bool cuts;
    unsigned char bytes[];
};

struct node {
    unsigned char *safe;    /* what is on the disk for certain */
    size_t n, max;
    struct change *first, **end;
};

struct entry {
    char name[MAX_NAME];
    struct node *now, *safe; /* whom the name means; and if the power went with nothing left. NULL = there is no such file */
};

struct file {
    sqlite3_file base;      /* SQLite's */
    struct node *node;      /* NULL: a temporary file, which is nobody's business */
    char name[MAX_NAME];
    bool syncs_folder;      /* with its next sync */
    sqlite3_file *real;
};

static struct {
    pthread_mutex_t lock;
    sqlite3_vfs *real;
    uint64_t random;
    struct entry entries[MAX_ENTRIES];
    size_t nentries;
    struct node *nodes[1 << 12]; /* all that ever were */
    size_t nnodes;
    struct crash_fault fault;
    unsigned seen, fired;
    long changes, cut_at;   /* cut_at -1: never */
    bool cut;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *need(void *p)
{
    if (!p)
        die("out of memory");
    return p;
}

static uint64_t draw(void)
{
    disk.random ^= disk.random << 13;
    disk.random ^= disk.random >> 7;
    disk.random ^= disk.random << 17;
    return disk.random >> 11;
}

/* ---- nodes ---- */

static struct node *node_new(void)
{
    struct node *d = need(calloc(1, sizeof *d));
    d->end = &d->first;
    if (disk.nnodes == sizeof disk.nodes / sizeof *disk.nodes)
        die("too many files");
    return disk.nodes[disk.nnodes++] = d;
}

static void resize(struct node *d, size_t n)
{
    if (n > d->max) {
        d->max = n + n / 2;
        d->safe = need(realloc(d->safe, d->max));
    }
    if (n > d->n)
        memset(d->safe + d->n, 0, n - d->n);
    d->n = n;
}

static void note(struct node *d, int64_t at, const void *bytes, size_t n, bool cuts)
{
    struct change *c = need(malloc(sizeof *c + n));
    *c = (struct change){ .at = at, .n = n, .cuts = cuts };
    if (n)
        memcpy(c->bytes, bytes, n);
    *d->end = c;
    d->end = &c->next;
}

static bool is_left(enum crash_left left)
{
    return left == CRASH_ALL || (left == CRASH_SOME && draw() % 2);
}

static void reach(struct node *d, const struct change *c, enum crash_left left)
{
    if (c->cuts) {
        if (is_left(left))
            resize(d, (size_t)c->at);
        return;
    }
    for (size_t from = 0, to; from < c->n; from = to) {
        size_t at = (size_t)c->at + from;
        to = from + (SECTOR - at % SECTOR);
        to = to < c->n ? to : c->n;
        if (!is_left(left))
            continue;
        if (d->n < at + (to - from))
            resize(d, at + (to - from));
        memcpy(d->safe + at, c->bytes + from, to - from);
    }
}

/* What was written since the last sync comes to the disk, as far as `left` says, and is over. */
static void settle(struct node *d, enum crash_left left)
{
    struct change *next;
    for (struct change *c = d->first; c; c = next) {
        next = c->next;
        reach(d, c, left);
        free(c);
    }
    d->first = NULL;
    d->end = &d->first;
}

/* ---- entries ---- */

static struct entry *entry_of(const char *name)
{
    for (size_t i = 0; i < disk.nentries; i++)
        if (!strcmp(disk.entries[i].name, name))
            return &disk.entries[i];
    if (disk.nentries == MAX_ENTRIES)
        die("too many names");
    struct entry *t = &disk.entries[disk.nentries++];
    *t = (struct entry){ .now = NULL };
    snprintf(t->name, sizeof t->name, "%s", name);
    return t;
}

/* A file that was there before us, with something in it, is safe. */
static void take_over(struct entry *t, size_t n)
{
    t->now = node_new();
    int fd = n ? open(t->name, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    resize(t->now, n);
    if (read(fd, t->now->safe, n) != (ssize_t)n)
        die("cannot read %s", t->name);
    close(fd); /* nobody of this process has it open yet, whose locks this would drop */
    t->safe = t->now;
}

static void sync_folder(void)
{
    for (size_t i = 0; i < disk.nentries; i++)
        disk.entries[i].safe = disk.entries[i].now;
}

/* ---- what strikes ---- */

static bool ends(const char *name, const char *with)
{
    size_t n = strlen(name), m = strlen(with);
    return n >= m && !strcmp(name + n - m, with);
}

static bool strikes(enum crash_call call, const char *name)
{
    const struct crash_fault *f = &disk.fault;
    if (!f->code || f->call != call || !ends(name, f->of))
        return false;
    disk.seen++;
    bool now = f->once ? disk.seen == f->first : disk.seen >= f->first;
    disk.fired += now;
    return now;
}

/* A change is about to happen; true: the power goes with it. */
static bool cuts(void)
{
    if (disk.cut)
        return true;
    return disk.cut = ++disk.changes == disk.cut_at;
}

/* ---- calls on a file ---- */

static int file_close(sqlite3_file *f)
{
    struct file *x = (struct file *)f;
    return x->real->pMethods->xClose(x->real);
}

static int file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    struct file *x = (struct file *)f;
    pthread_mutex_lock(&disk.lock);
    bool fails = x->node && (disk.cut || strikes(CRASH_READ, x->name)), part = !disk.cut && disk.fault.part;
    int code = disk.cut ? SQLITE_IOERR_READ : disk.fault.code;
    pthread_mutex_unlock(&disk.lock);
    if (!fails)
        return x->real->pMethods->xRead(x->real, to, n, at);
    if (part)
        (void)x->real->pMethods->xRead(x->real, to, n / 2, at);
    return code;
}

static int file_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    struct file *x = (struct file *)f;
    if (!x->node)
        return x->real->pMethods->xWrite(x->real, from, n, at);
    pthread_mutex_lock(&disk.lock);
    int rc = SQLITE_IOERR_WRITE;
    bool over = disk.cut, fails = !over && strikes(CRASH_WRITE, x->name);
    if (fails) {
        n = disk.fault.part ? n / 2 : 0;
        rc = disk.fault.code;
    }
    if (!over && n) {
        note(x->node, at, from, (size_t)n, false);
        if (!cuts()) {
            int real = x->real->pMethods->xWrite(x->real, from, n, at);
            rc = fails ? rc : real;
        }
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct file *x = (struct file *)f;
    if (!x->node)
        return x->real->pMethods->xTruncate(x->real, size);
    pthread_mutex_lock(&disk.lock);
    int rc = SQLITE_IOERR_TRUNCATE;
    if (!disk.cut && strikes(CRASH_TRUNCATE, x->name)) {
        rc = disk.fault.code;
    } else if (!disk.cut) {
        note(x->node, size, NULL, 0, true);
        if (!cuts())
            rc = x->real->pMethods->xTruncate(x->real, size);
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

/* The real file is not synced: nobody pulls its plug. */
static int file_sync(sqlite3_file *f, int flags)
{
    struct file *x = (struct file *)f;
    int rc = SQLITE_OK;
    (void)flags;
    if (!x->node)
        return rc;
    pthread_mutex_lock(&disk.lock);
    if (cuts()) {
        rc = SQLITE_IOERR_FSYNC;
    } else if (strikes(CRASH_SYNC, x->name)) {
        rc = disk.fault.code;
        settle(x->node, CRASH_SOME);
    } else {
        settle(x->node, CRASH_ALL);
        if (x->syncs_folder)
            sync_folder();
        x->syncs_folder = false;
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    struct file *x = (struct file *)f;
    return x->real->pMethods->xFileSize(x->real, size);
}

static int file_lock(sqlite3_file *f, int level)
{
    struct file *x = (struct file *)f;
    return x->real->pMethods->xLock(x->real, level);
}

static int file_unlock(sqlite3_file *f, int level)
{
    struct file *x = (struct file *)f;
    return x->real->pMethods->xUnlock(x->real, level);
}

static int file_is_reserved(sqlite3_file *f, int *out)
{
    struct file *x = (struct file *)f;
    return x->real->pMethods->xCheckReservedLock(x->real, out);
}

static int file_control(sqlite3_file *f, int what, void *arg)
{
    struct file *x = (struct file *)f;
    return x->real->pMethods->xFileControl(x->real, what, arg);
}

static int file_sector(sqlite3_file *f)
{
    struct file *x = (struct file *)f;
    return x->real->pMethods->xSectorSize(x->real);
}

static int file_device(sqlite3_file *f)
{
    struct file *x = (struct file *)f;
    return x->real->pMethods->xDeviceCharacteristics(x->real);
}

static int file_shm_map(sqlite3_file *f, int page, int bytes, int extend, void volatile **out)
{
    struct file *x = (struct file *)f;
    pthread_mutex_lock(&disk.lock);
    bool fails = disk.cut || strikes(CRASH_SHM, x->name);
    int code = disk.cut ? SQLITE_IOERR_SHMMAP : disk.fault.code;
    pthread_mutex_unlock(&disk.lock);
    if (fails)
        *out = NULL;
    return fails ? code : x->real->pMethods->xShmMap(x->real, page, bytes, extend, out);
}

static int file_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    struct file *x = (struct file *)f;
    return x->real->pMethods->xShmLock(x->real, at, n, flags);
}

static void file_shm_barrier(sqlite3_file *f)
{
    struct file *x = (struct file *)f;
    x->real->pMethods->xShmBarrier(x->real);
}

static int file_shm_unmap(sqlite3_file *f, int deletes)
{
    struct file *x = (struct file *)f;
    return x->real->pMethods->xShmUnmap(x->real, deletes);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, .xClose = file_close, .xRead = file_read, .xWrite = file_write, .xTruncate = file_truncate, .xSync = file_sync, .xFileSize = file_size,
    .xLock = file_lock, .xUnlock = file_unlock, .xCheckReservedLock = file_is_reserved, .xFileControl = file_control, .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_device, .xShmMap = file_shm_map, .xShmLock = file_shm_lock, .xShmBarrier = file_shm_barrier, .xShmUnmap = file_shm_unmap,
};

/* ---- calls on the folder ---- */

/* Under the lock. */
static int open_named(struct file *x, const char *name, int flags, int *out_flags)
{
    struct entry *t = entry_of(name);
    struct stat st;
    bool there = !stat(name, &st), makes = !there && (flags & SQLITE_OPEN_CREATE);
    if (disk.cut)
        return SQLITE_IOERR;
    if (strikes(CRASH_OPEN, name))
        return disk.fault.code;
    if (!there)
        t->now = NULL; /* or somebody has renamed it */
    if (makes && cuts()) {
        t->now = node_new();
        return SQLITE_IOERR;
    }
    int rc = disk.real->xOpen(disk.real, name, x->real, flags, out_flags);
    if (rc)
        return rc;
    if (there && !t->now)
        take_over(t, (size_t)st.st_size);
    if (!t->now)
        t->now = node_new();
    x->node = t->now;
    x->syncs_folder = (flags & SQLITE_OPEN_CREATE) && (flags & DIR_SYNCING);
    return SQLITE_OK;
}

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
    struct file *x = (struct file *)f;
    (void)vfs;
    *x = (struct file){ .real = (sqlite3_file *)(void *)(x + 1) };
    x->real->pMethods = NULL;
    pthread_mutex_lock(&disk.lock);
    int rc;
    if (name) {
        snprintf(x->name, sizeof x->name, "%s", name);
        rc = open_named(x, name, flags, out_flags);
    } else {
        rc = disk.real->xOpen(disk.real, name, x->real, flags, out_flags);
    }
    pthread_mutex_unlock(&disk.lock);
    if (rc && x->real->pMethods)
        x->real->pMethods->xClose(x->real);
    x->base.pMethods = rc ? NULL : &methods;
    return rc;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    pthread_mutex_lock(&disk.lock);
    struct entry *t = entry_of(name);
    int rc = SQLITE_IOERR_DELETE;
    if (!disk.cut && strikes(CRASH_DELETE, name)) {
        rc = disk.fault.code;
    } else if (!disk.cut) {
        bool goes = cuts();
        t->now = NULL;
        if (!goes)
            rc = disk.real->xDelete(disk.real, name, 0);
        if (!goes && sync)
            sync_folder();
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    return disk.real->xAccess(disk.real, name, flags, out);
}

static int disk_full_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    return disk.real->xFullPathname(disk.real, name, n, out);
}

static int disk_randomness(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    return disk.real->xRandomness(disk.real, n, out);
}

static int disk_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return disk.real->xSleep(disk.real, us);
}

static int disk_time(sqlite3_vfs *vfs, double *out)
{
    (void)vfs;
    return disk.real->xCurrentTime(disk.real, out);
}

static int disk_time_ms(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    (void)vfs;
    return disk.real->xCurrentTimeInt64(disk.real, out);
}

static int disk_last_error(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    return disk.real->xGetLastError(disk.real, n, out);
}

static sqlite3_vfs crash_vfs = {
    .iVersion = 2, .zName = "crash", .xOpen = disk_open, .xDelete = disk_delete, .xAccess = disk_access, .xFullPathname = disk_full_path,
    .xRandomness = disk_randomness, .xSleep = disk_sleep, .xCurrentTime = disk_time, .xCurrentTimeInt64 = disk_time_ms, .xGetLastError = disk_last_error,
};

/* ---- for the test ---- */

void crash_vfs_begin(uint64_t seed)
{
    sqlite3_initialize();
    disk.real = sqlite3_vfs_find(NULL);
    disk.random = seed * 0x9e3779b97f4a7c15 | 1;
    disk.nentries = disk.nnodes = 0;
    disk.fault = (struct crash_fault){ .code = 0 };
    disk.seen = disk.fired = 0;
    disk.changes = 0;
    disk.cut_at = -1;
    disk.cut = false;
    crash_vfs.szOsFile = (int)sizeof(struct file) + disk.real->szOsFile;
    crash_vfs.mxPathname = MAX_NAME - 1;
    sqlite3_vfs_register(&crash_vfs, 1);
}

void crash_vfs_fail(const struct crash_fault *f)
{
    pthread_mutex_lock(&disk.lock);
    disk.fault = f ? *f : (struct crash_fault){ .code = 0 };
    if (f)
        disk.seen = disk.fired = 0;
    pthread_mutex_unlock(&disk.lock);
}

unsigned crash_vfs_fired(void)
{
    pthread_mutex_lock(&disk.lock);
    unsigned n = disk.fired;
    pthread_mutex_unlock(&disk.lock);
    return n;
}

void crash_vfs_cut_after(long changes)
{
    pthread_mutex_lock(&disk.lock);
    disk.cut_at = disk.changes + changes;
    disk.cut = disk.cut || !changes;
    pthread_mutex_unlock(&disk.lock);
}

bool crash_vfs_is_cut(void)
{
    pthread_mutex_lock(&disk.lock);
    bool cut = disk.cut;
    pthread_mutex_unlock(&disk.lock);
    return cut;
}

long crash_vfs_changes(void)
{
    pthread_mutex_lock(&disk.lock);
    long n = disk.changes;
    pthread_mutex_unlock(&disk.lock);
    return n;
}

static void leave(const struct entry *t, enum crash_left left)
{
    char shm[MAX_NAME + 8];
    snprintf(shm, sizeof shm, "%s-shm", t->name);
    unlink(shm);
    unlink(t->name);
    struct node *d = is_left(left) ? t->now : t->safe;
    if (!d)
        return;
    settle(d, left);
    int fd = open(t->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || (d->n && write(fd, d->safe, d->n) != (ssize_t)d->n))
        die("cannot write %s", t->name);
    close(fd);
}

void crash_vfs_end(enum crash_left left)
{
    for (size_t i = 0; i < disk.nentries; i++)
        leave(&disk.entries[i], left);
    crash_vfs_end_well();
}

void crash_vfs_end_well(void)
{
    sqlite3_vfs_register(disk.real, 1);
    sqlite3_vfs_unregister(&crash_vfs);
    for (size_t i = 0; i < disk.nnodes; i++) {
        settle(disk.nodes[i], CRASH_NOTHING);
        free(disk.nodes[i]->safe);
        free(disk.nodes[i]);
    }
    disk.nentries = disk.nnodes = 0;
}
