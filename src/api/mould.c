/* What is before the text and what is behind it are compared, and the text looked through: a string that holds no quote and no backslash ends where the mould says. */
#include "api/mould.h"

#include "json/json.h"

void mould_free(struct mould *m)
{
    buf_free(&m->in);
    buf_free(&m->out);
    *m = (struct mould){ .tries = 0 };
}

void mould_make(struct mould *m, struct str in, size_t in_at, struct str out, size_t out_at, size_t bytes)
{
    m->in.n = m->out.n = 0;
    buf_add(&m->in, in);
    buf_add(&m->out, out);
    m->in_at = in_at;
    m->out_at = out_at;
    m->bytes = bytes;
}

/* What stands behind the text. */
static struct str tail(const struct buf *b, size_t at, size_t bytes)
{
    return str_from(buf_str(b), at + bytes);
}

bool mould_fits(struct mould *m, struct str in, struct str *text)
{
    struct str end = tail(&m->in, m->in_at, m->bytes);
    if (!m->in.n)
        return false;
    if (in.n < m->in_at + end.n || memcmp(in.p, m->in.p, m->in_at) || memcmp(in.p + in.n - end.n, end.p, end.n)) {
        m->tries += mould_wanted(m);
        return false;
    }
    m->tries = 0;
    *text = str_make(in.p + m->in_at, in.n - end.n - m->in_at);
    return text->n && json_means_itself(*text);
}

void mould_cast(const struct mould *m, struct str text, struct buf *out)
{
    buf_add(out, str_make(m->out.p, m->out_at));
    buf_add(out, text);
    buf_add(out, tail(&m->out, m->out_at, m->bytes));
}
