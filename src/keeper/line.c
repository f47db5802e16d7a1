/* The buffered end of the wire. The kernel keeps descriptors in step with the byte they were sent with, but a read may return bytes from
 * before that byte together with it; so they queue up here, and each message that announces one takes the oldest. */
#include "keeper/line.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { READ_STEP = 16 * 1024, READ_STEPS = 4, KEEP_BYTES = 4 * 1024 };

static bool set_flag(int fd, int get, int set, int flag)
{
    int flags = fcntl(fd, get);
    return flags >= 0 && fcntl(fd, set, flags | flag) == 0;
}

void line_open(struct line *l, int sock, size_t out_max_bytes)
{
    *l = (struct line){ .sock = sock, .out_max_bytes = out_max_bytes };
    l->broken = !set_flag(sock, F_GETFL, F_SETFL, O_NONBLOCK) || !set_flag(sock, F_GETFD, F_SETFD, FD_CLOEXEC);
}

void line_close(struct line *l)
{
    if (l->sock >= 0)
        close(l->sock);
    for (size_t i = 0; i < l->n_fds_in; i++)
        close(l->fds_in[i]);
    for (size_t i = 0; i < l->n_fds_out; i++)
        close(l->fds_out[i].fd);
    buf_free(&l->in);
    buf_free(&l->out);
    *l = (struct line){ .sock = -1 };
}

static enum line_state break_off(struct line *l)
{
    l->broken = true;
    return LINE_BROKEN;
}

static void forget_taken(struct line *l)
{
    buf_drop(&l->in, l->taken);
    l->taken = 0;
    if (l->in.n == 0)
        buf_reset(&l->in, KEEP_BYTES);
}

enum line_state line_read(struct line *l)
{
    if (l->sock < 0)
        return LINE_EOF;
    if (l->broken)
        return LINE_BROKEN;
    forget_taken(l);
    for (int step = 0; step < READ_STEPS && l->in.n < WIRE_HEAD_BYTES + WIRE_MAX_BYTES; step++) {
        int fd;
        ptrdiff_t n = wire_recv(l->sock, buf_reserve(&l->in, READ_STEP), READ_STEP, &fd);
        if (fd >= 0) {
            if (l->n_fds_in == LINE_FDS) {
                close(fd);
                return break_off(l);
            }
            l->fds_in[l->n_fds_in++] = fd;
        }
        if (n == 0)
            return LINE_EOF;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? LINE_OPEN : errno == ECONNRESET ? LINE_EOF : break_off(l);
        l->in.n += (size_t)n;
    }
    return LINE_OPEN;
}

bool line_next(struct line *l, struct wire_head *head, struct str *body, int *fd)
{
    *fd = -1;
    if (l->broken || !wire_peek(str_from(buf_str(&l->in), l->taken), head, body, &l->broken))
        return false;
    if (head->fds) {
        if (l->n_fds_in == 0) {
            l->broken = true;
            return false;
        }
        *fd = l->fds_in[0];
        l->n_fds_in--;
        memmove(l->fds_in, l->fds_in + 1, l->n_fds_in * sizeof l->fds_in[0]);
    }
    l->taken += WIRE_HEAD_BYTES + head->body_bytes;
    return true;
}

size_t line_begin(struct line *l, enum wire_type type, uint32_t id)
{
    return wire_begin(&l->out, type, id);
}

void line_end(struct line *l, size_t begun_at)
{
    wire_end(&l->out, begun_at);
    if (l->sock < 0)
        buf_free(&l->out);
    else if (l->out.n > l->out_max_bytes)
        l->broken = true;
}

void line_end_fd(struct line *l, size_t begun_at, int fd)
{
    int copy = l->sock >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, WIRE_FD + 1) : -1;
    if (copy >= 0 && l->n_fds_out < LINE_FDS) {
        wire_mark_fd(&l->out, begun_at);
        l->fds_out[l->n_fds_out++] = (struct line_fd){ begun_at, copy };
    } else {
        if (copy >= 0)
            close(copy);
        l->broken = true;
    }
    line_end(l, begun_at);
}

/* Sends from `from` up to the next byte that has a descriptor of its own. */
static ptrdiff_t send_some(struct line *l, size_t from)
{
    bool carries = l->n_fds_out && l->fds_out[0].at == from;
    size_t next = carries ? 1 : 0;
    size_t to = next < l->n_fds_out ? l->fds_out[next].at : l->out.n;
    ptrdiff_t n = wire_send(l->sock, str_make(l->out.p + from, to - from), carries ? l->fds_out[0].fd : -1);
    if (n > 0 && carries) {
        close(l->fds_out[0].fd);
        l->n_fds_out--;
        memmove(l->fds_out, l->fds_out + 1, l->n_fds_out * sizeof l->fds_out[0]);
    }
    return n;
}

enum line_state line_flush(struct line *l)
{
    if (l->sock < 0)
        return LINE_EOF;
    if (l->broken)
        return LINE_BROKEN;
    size_t sent = 0;
    enum line_state state = LINE_OPEN;
    while (sent < l->out.n) {
        ptrdiff_t n = send_some(l, sent);
        if (n <= 0) {
            bool full = errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS;
            state = full ? LINE_OPEN : errno == EPIPE || errno == ECONNRESET ? LINE_EOF : break_off(l);
            break;
        }
        sent += (size_t)n;
    }
    buf_drop(&l->out, sent);
    for (size_t i = 0; i < l->n_fds_out; i++)
        l->fds_out[i].at -= sent;
    if (l->out.n == 0)
        buf_reset(&l->out, KEEP_BYTES);
    return state;
}
