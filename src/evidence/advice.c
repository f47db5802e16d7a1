#include "evidence/advice.h"

#include <stdio.h>

static const double mostly = 0.5, errors_strain = 0.02, refused_strain = 0.01, wait_strain_ms = 5000;

const char *const advice_names[ADVICE_PLACES] = { "unknown", "local", "cloud", "hybrid" };

static double per_day(const struct advice_facts *f)
{
    return f->hours > 0 ? (double)f->requests * 24 / f->hours : 0;
}

bool advice_strained(const struct advice_side *s)
{
    return s->requests >= ADVICE_REQUESTS && (s->errors > errors_strain || s->refused > refused_strain || s->wait_p95_ms > wait_strain_ms);
}

/* ---- the rules ---- */

static bool no_rows(const struct advice_facts *f)
{
    return f->hours < ADVICE_HOURS || f->requests < ADVICE_REQUESTS;
}

static bool is_private(const struct advice_facts *f)
{
    return f->private_share >= mostly && f->local.there;
}

static bool private_nowhere(const struct advice_facts *f)
{
    return f->private_share >= mostly && !f->local.there;
}

static bool only_cloud(const struct advice_facts *f)
{
    return !f->local.there;
}

static bool strained_alone(const struct advice_facts *f)
{
    return !f->cloud.there && advice_strained(&f->local);
}

static bool only_local(const struct advice_facts *f)
{
    return !f->cloud.there;
}

static bool is_worse(const struct advice_facts *f)
{
    return f->judged && f->suite == VERDICT_WORSE;
}

static bool low_and_worse(const struct advice_facts *f)
{
    return per_day(f) < ADVICE_LOW_VOLUME && is_worse(f) && f->private_share <= 0;
}

static bool low_volume(const struct advice_facts *f)
{
    return per_day(f) < ADVICE_LOW_VOLUME && !is_worse(f);
}

static bool not_judged(const struct advice_facts *f)
{
    return !f->judged;
}

static bool worse_and_private(const struct advice_facts *f)
{
    return is_worse(f) && f->private_share > 0;
}

static bool strained(const struct advice_facts *f)
{
    return advice_strained(&f->local);
}

static bool cannot_tell(const struct advice_facts *f)
{
    return f->suite == VERDICT_CANNOT_TELL;
}

static bool always(const struct advice_facts *f)
{
    (void)f;
    return true;
}

/* why may name figures: %d requests a day, %p private in percent, %e errors and %r refused here in percent, %w s in line. */
static const struct rule {
    const char *name;
    bool (*holds)(const struct advice_facts *f);
    enum advice_place place;
    unsigned missing;
    const char *why, *changes;
} rules[] = {
    { "too_few_rows", no_rows, ADVICE_UNKNOWN, MISSING_ROWS, "Rows tell of %n requests in %h hours: too few for any advice.",
      "A day and more of its usual requests, at least 30." },
    { "private", is_private, ADVICE_LOCAL, 0, "%p of its requests are private: those may only be answered here.", "Fewer than half of its requests being private." },
    { "private_without_a_place", private_nowhere, ADVICE_LOCAL, MISSING_LOCAL, "%p of its requests are private, and no place of its chain is local: nobody may answer those.",
      "Fewer than half of its requests being private." },
    { "only_cloud", only_cloud, ADVICE_CLOUD, MISSING_LOCAL, "No place of its chain is local, so there is nothing to choose from.",
      "A local model in its chain that a suite calls not worse." },
    { "strained_alone", strained_alone, ADVICE_HYBRID, MISSING_CLOUD, "What is here does not keep up (%e errors, %r refused, %w in line at the 95th percentile), and its chain has no place elsewhere for the rest.",
      "Errors, refusals and waits back under 2 %, 1 % and 5 s; or more room here." },
    { "only_local", only_local, ADVICE_LOCAL, MISSING_CLOUD, "It is answered here and keeps up (%d requests a day), and its chain has no place elsewhere.",
      "Errors above 2 %, refusals above 1 % or 5 s in line; or a place elsewhere that a suite calls better." },
    { "low_volume_worse", low_and_worse, ADVICE_CLOUD, 0, "A suite calls the local model worse, and %d requests a day are too little volume for hybrid: stay simple.",
      "200 requests a day and more, private ones, or a local model that is not worse." },
    { "low_volume", low_volume, ADVICE_LOCAL, 0, "%d requests a day are too little volume for hybrid: stay simple, and answer them here.",
      "200 requests a day and more, or a suite that calls the local model worse." },
    { "not_judged", not_judged, ADVICE_UNKNOWN, 0, "%d requests a day are enough to choose, but no suite was put to both a local model and one elsewhere.",
      "A run of a suite of your own work with both." },
    { "worse_and_private", worse_and_private, ADVICE_HYBRID, 0, "A suite calls the local model worse, and %p of the requests are private: those here, the rest elsewhere.",
      "A local model that is not worse, or no private requests." },
    { "worse", is_worse, ADVICE_CLOUD, 0, "A suite calls the local model worse, and nothing of it is private.", "A local model that is not worse, or private requests." },
    { "strained", strained, ADVICE_HYBRID, 0, "What is here is not worse, but does not keep up (%e errors, %r refused, %w in line at the 95th percentile): the rest elsewhere.",
      "Errors, refusals and waits back under 2 %, 1 % and 5 s; or more room here." },
    { "cannot_tell", cannot_tell, ADVICE_LOCAL, 0, "It is answered here and keeps up; the suite is too small to tell whether elsewhere it would be better.",
      "More cases, of which the suite can tell." },
    { "good_enough", always, ADVICE_LOCAL, 0, "It is answered here, keeps up at %d requests a day, and a suite calls the local model not worse.",
      "A suite that calls it worse, errors above 2 %, refusals above 1 % or 5 s in line." },
};

static void percent(char *out, size_t room, double share)
{
    if (share < 0)
        snprintf(out, room, "unknown");
    else
        snprintf(out, room, "%.*f %%", share > 0 && share < 0.1 ? 1 : 0, 100 * share);
}

static void put_figure(const struct advice_facts *f, char which, char *out, size_t room)
{
    double day = per_day(f);
    switch (which) {
    case 'd':
        snprintf(out, room, "%.*f", day < 10 ? 1 : 0, day);
        break;
    case 'n':
        snprintf(out, room, "%lld", (long long)f->requests);
        break;
    case 'h':
        snprintf(out, room, "%.1f", f->hours);
        break;
    case 'p':
        percent(out, room, f->private_share);
        break;
    case 'e':
        percent(out, room, f->local.errors);
        break;
    case 'r':
        percent(out, room, f->local.refused);
        break;
    case 'w':
        snprintf(out, room, "%.1f s", f->local.wait_p95_ms > 0 ? f->local.wait_p95_ms / 1000 : 0);
        break;
    }
}

static void fill_in(const struct advice_facts *f, const char *text, char *out, size_t room)
{
    size_t n = 0;
    for (; *text && n + 1 < room; text++) {
        char figure[32] = "";
        if (*text == '%' && text[1])
            put_figure(f, *++text, figure, sizeof figure);
        else
            figure[0] = *text;
        for (const char *p = figure; *p && n + 1 < room; p++)
            out[n++] = *p;
    }
    out[n] = 0;
}

static unsigned missing(const struct advice_facts *f)
{
    unsigned m = MISSING_ELECTRICITY;
    if (f->local.there && f->cloud.there)
        m |= !f->judged ? MISSING_SUITE : f->suite == VERDICT_CANNOT_TELL ? MISSING_CASES : 0;
    if (f->cloud.there && (f->price_input < 0 || f->price_output < 0))
        m |= MISSING_PRICE;
    return m;
}

void advice_give(const struct advice_facts *f, struct advice *out)
{
    const struct rule *r = rules;
    while (!r->holds(f)) /* the last does */
        r++;
    *out = (struct advice){ .place = r->place, .rule = r->name, .missing = r->missing | missing(f) };
    fill_in(f, r->why, out->why, sizeof out->why);
    snprintf(out->changes, sizeof out->changes, "%s", r->changes);
}

double advice_month(double hours, int64_t input, int64_t output, double price_input, double price_output)
{
    if (hours <= 0 || price_input < 0 || price_output < 0)
        return -1;
    return ((double)input * price_input + (double)output * price_output) / 1e6 / hours * 24 * 30;
}
