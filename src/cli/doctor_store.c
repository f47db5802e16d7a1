/* hob doctor, the store: can it be written, whose is it, and is it whole? What a running daemon says of it counts for more than what is seen from here. */
#include "cli/doctor.h"
#include "cli/table.h"
#include "store/look.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { FULL_BYTES = 1024 * 1024, NEARLY_FULL_BYTES = 64 * 1024 * 1024 };

/* Each says false when there is nothing to say. */

static bool is_foreign(struct doctor *d, const struct store_look *l)
{
    if (l->version > store_schema()) {
        doctor_say(d, NULL, HEALTH_FAIL, "%s is a newer hob's (its tables are of version %d, this one knows up to %d): with this program no row about a request is written", l->path,
            l->version, store_schema());
        doctor_fix(d, "use that hob, or another state folder (--state), or move the file away");
    } else if (l->version && l->version < store_schema() && d->daemon) {
        doctor_say(d, NULL, HEALTH_WARN, "%s is an older hob's, and that one serves (version %d, this program makes %d): commands of this one learn nothing from it", l->path,
            l->version, store_schema());
        doctor_fix(d, "`hob upgrade` has the daemon go on as this program, and takes the file along");
    } else {
        return false;
    }
    return true;
}

static bool is_unsound(struct doctor *d, const struct store_look *l, const struct err *e)
{
    if (!e->code)
        return false;
    doctor_say(d, NULL, l->broken && !d->daemon ? HEALTH_WARN : HEALTH_FAIL, "%s", e->text);
    if (l->broken && d->daemon)
        doctor_fix(d, "start hob again: it sets the file aside, and begins a new one");
    else
        doctor_fix(d, "%s", e->hint[0] ? e->hint : "look at the disk, and at who owns the file");
    return true;
}

static bool is_shut(struct doctor *d, const struct store_look *l)
{
    static const char *const parts[] = { "", "-wal", "-shm" };
    char path[sizeof l->path + 8];
    struct stat st;
    for (size_t i = 0; i < COUNTOF(parts); i++) {
        snprintf(path, sizeof path, "%s%s", l->path, parts[i]);
        if (stat(path, &st) || !access(path, W_OK) || errno == EROFS) /* of a disk that is read-only as a whole the disk is to blame */
            continue;
        doctor_say(d, NULL, HEALTH_FAIL, "%s may not be written to (it is user %u's, this is user %u): no row about a request is kept", path, (unsigned)st.st_uid,
            (unsigned)geteuid());
        doctor_fix(d, "give it back to the user that runs hob: chown %u '%s'; or chmod u+w", (unsigned)geteuid(), path);
        return true;
    }
    return false;
}

static bool is_disk_at_fault(struct doctor *d)
{
    struct statvfs disk;
    char left[32];
    struct str state = d->config->state;
    if (statvfs(state.p, &disk)) /* it is yet to be made */
        return false;
    int64_t free_bytes = disk.f_bavail > (uint64_t)INT64_MAX / (disk.f_frsize ? disk.f_frsize : 1) ? INT64_MAX : (int64_t)(disk.f_bavail * disk.f_frsize);
    if (disk.f_flag & ST_RDONLY) {
        doctor_say(d, NULL, HEALTH_FAIL, "the disk that %.*s is on is mounted read-only: no row about a request is kept", STR_ARG(state));
        doctor_fix(d, "see in the system's log why (a disk that fails is mounted so), or name another folder with `state:`");
    } else if (free_bytes < FULL_BYTES) {
        doctor_say(d, NULL, HEALTH_FAIL, "the disk that %.*s is on is full (%s left): rows about requests wait in memory, and are lost when hob ends", STR_ARG(state),
            show_bytes(free_bytes, left).p);
        doctor_fix(d, "make room: what waits is written by itself then");
    } else if (free_bytes < NEARLY_FULL_BYTES) {
        doctor_say(d, NULL, HEALTH_WARN, "the disk that %.*s is on is nearly full: %s left", STR_ARG(state), show_bytes(free_bytes, left).p);
        doctor_fix(d, "make room before it is: `rows.keep` and `rows.bytes` say how much is kept");
    } else {
        return false;
    }
    return true;
}

static bool daemon_complains(struct doctor *d)
{
    if (!d->store_failing && !d->held_rows)
        return false;
    if (d->store_failing) {
        doctor_say(d, NULL, HEALTH_FAIL, "the daemon cannot write (%lld rows wait in memory): %.*s", (long long)d->held_rows, STR_ARG(d->store_why));
        doctor_fix(d, "mend that, and what waits is written; what each error means is in doc/guide/troubleshooting.md");
    } else {
        doctor_say(d, NULL, HEALTH_WARN, "%lld rows of the daemon wait in memory: the disk could not take them, and is being tried again", (long long)d->held_rows);
        doctor_fix(d, "wait a moment and look again; do not stop hob before");
    }
    return true;
}

void doctor_store(struct doctor *d)
{
    struct store_look l;
    struct err e = { .code = ERR_OK };
    (void)!store_look(d->config->state, &l, &e);
    if (is_disk_at_fault(d) || is_shut(d, &l) || is_unsound(d, &l, &e) || is_foreign(d, &l) || daemon_complains(d))
        return;
    if (!l.there)
        doctor_say(d, NULL, HEALTH_OK, "nothing is remembered yet");
    else if (l.version && l.version < store_schema())
        doctor_say(d, NULL, HEALTH_OK, "hob.db is an older hob's (version %d); `hob serve` takes it to version %d", l.version, store_schema());
    else
        doctor_say(d, NULL, HEALTH_OK, l.whole ? "hob.db can be read, and is whole" : "hob.db can be read");
}
