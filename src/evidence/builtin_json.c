/* json-bench: texts with facts in them, a schema, and the one JSON value that is right. A template is a function and a row; each is drawn nine times with other facts. Every
 * second case sends its schema, the others have it in their words alone: the first kind says how well a model fills a form, the second whether it keeps one. */
#include "evidence/builtin_int.h"

enum { ROUNDS = 9 };

struct form {
    struct str text, value; /* what is read; the right answer, JSON */
};

typedef struct form form_fn(struct drawing_up *u);

static int cents(struct drawing_up *u, int max)
{
    return dice_from(&u->dice, 101, max * 100);
}

static struct form invoice(struct drawing_up *u)
{
    const char *company = dice_word(&u->dice, words_companies);
    int number = dice_from(&u->dice, 1000, 9999), day = dice_from(&u->dice, 1, 28), month = dice_from(&u->dice, 1, 12), total = 0;
    size_t n = (size_t)dice_from(&u->dice, 2, 4), things[4];
    struct buf lines = { 0 }, items = { 0 };
    dice_pick(&u->dice, 10, n, things);
    for (size_t i = 0; i < n; i++) {
        int quantity = dice_from(&u->dice, 1, 9), price = cents(u, 80);
        total += quantity * price;
        buf_printf(&lines, "%d x %s at %d.%02d each\n", quantity, words_things[things[i]], price / 100, price % 100);
        buf_printf(&items, "%s{\"name\":\"%s\",\"quantity\":%d,\"price\":%d.%02d}", i ? "," : "", words_things[things[i]], quantity, price / 100, price % 100);
    }
    struct form f = {
        arena_printf(u->a, "%s\nInvoice %d of 2025-%02d-%02d\n%.*sTotal: %d.%02d", company, number, month, day, STR_ARG(buf_str(&lines)), total / 100, total % 100),
        arena_printf(u->a, "{\"vendor\":\"%s\",\"number\":%d,\"date\":\"2025-%02d-%02d\",\"items\":[%.*s],\"total\":%d.%02d}", company, number, month, day, STR_ARG(buf_str(&items)),
            total / 100, total % 100),
    };
    buf_free(&lines);
    buf_free(&items);
    return f;
}

static struct form contact(struct drawing_up *u)
{
    const char *name = dice_word(&u->dice, words_names), *city = dice_word(&u->dice, words_cities), *company = dice_word(&u->dice, words_companies);
    int number = dice_from(&u->dice, 100, 999);
    bool mail = dice_below(&u->dice, 2);
    struct str address = arena_printf(u->a, "%c%d@example.org", (char)(name[0] + 32), number);
    return (struct form){
        arena_printf(u->a, "Met %s of %s at the fair in %s.%s%.*s%s", name, company, city, mail ? " Write to " : " No e-mail address was given", STR_ARG(mail ? address : STR("")), "."),
        mail ? arena_printf(u->a, "{\"name\":\"%s\",\"company\":\"%s\",\"city\":\"%s\",\"email\":\"%.*s\"}", name, company, city, STR_ARG(address))
             : arena_printf(u->a, "{\"name\":\"%s\",\"company\":\"%s\",\"city\":\"%s\",\"email\":null}", name, company, city),
    };
}

static struct form ticket(struct drawing_up *u)
{
    static const struct {
        const char *text, *intent;
    } asks[] = {
        { "My card was charged twice for the %s.", "billing" },
        { "The %s does not switch on any more.", "defect" },
        { "How do I return the %s? I have changed my mind.", "return" },
        { "When does my %s arrive? The parcel is on its way.", "delivery" },
    };
    size_t i = dice_below(&u->dice, COUNTOF(asks));
    bool urgent = dice_below(&u->dice, 2);
    const char *thing = dice_word(&u->dice, words_things);
    struct buf text = { 0 };
    for (const char *p = asks[i].text; *p; p++)
        if (*p == '%' && p[1] == 's') {
            buf_add(&text, str_of(thing));
            p++;
        } else {
            buf_add_char(&text, *p);
        }
    buf_add(&text, urgent ? STR(" This is urgent, I need an answer today.") : STR(" There is no hurry, this is not urgent."));
    struct form f = { arena_copy(u->a, buf_str(&text)),
        arena_printf(u->a, "{\"intent\":\"%s\",\"product\":\"%s\",\"urgent\":%s}", asks[i].intent, thing, urgent ? "true" : "false") };
    buf_free(&text);
    return f;
}

static struct form event(struct drawing_up *u)
{
    size_t who[3], n = (size_t)dice_from(&u->dice, 2, 3);
    int day = dice_from(&u->dice, 10, 28), hour = dice_from(&u->dice, 10, 17), minutes = 15 * dice_from(&u->dice, 0, 3), lasts = 15 * dice_from(&u->dice, 1, 6);
    const char *city = dice_word(&u->dice, words_cities);
    struct buf names = { 0 }, list = { 0 };
    dice_pick(&u->dice, 16, n, who);
    for (size_t i = 0; i < n; i++) {
        buf_printf(&names, "%s%s", i == 0 ? "" : i + 1 == n ? " and " : ", ", words_names[who[i]]);
        buf_printf(&list, "%s\"%s\"", i ? "," : "", words_names[who[i]]);
    }
    struct form f = {
        arena_printf(u->a, "Planning meeting in %s on 2025-06-%d, starts %d:%02d, takes %d minutes. Present: %.*s.", city, day, hour, minutes, lasts, STR_ARG(buf_str(&names))),
        arena_printf(u->a, "{\"title\":\"Planning meeting\",\"place\":\"%s\",\"date\":\"2025-06-%d\",\"start\":\"%d:%02d\",\"minutes\":%d,\"present\":[%.*s]}", city, day, hour, minutes, lasts,
            STR_ARG(buf_str(&list))),
    };
    buf_free(&names);
    buf_free(&list);
    return f;
}

static struct form machine(struct drawing_up *u)
{
    const char *animal = dice_word(&u->dice, words_animals), *owner = dice_word(&u->dice, words_names), *colour = dice_word(&u->dice, words_colours);
    int last = dice_from(&u->dice, 2, 254), port = dice_from(&u->dice, 1024, 65000), memory = 1 << dice_from(&u->dice, 3, 7);
    return (struct form){
        arena_printf(u->a, "The machine %s (10.0.0.%d) has %d GB of memory and answers on the ports 22 and %d. It belongs to %s of the %s team.", animal, last, memory, port, owner, colour),
        arena_printf(u->a, "{\"host\":\"%s\",\"network\":{\"ip\":\"10.0.0.%d\",\"ports\":[22,%d]},\"memory_gb\":%d,\"owner\":{\"name\":\"%s\",\"team\":\"%s\"}}", animal, last, port, memory, owner,
            colour),
    };
}

static struct form readings(struct drawing_up *u)
{
    static const char *const units[] = { "C", "hPa", "lux", NULL };
    size_t n = (size_t)dice_from(&u->dice, 3, 5), who[5];
    struct buf text = { 0 }, list = { 0 };
    dice_pick(&u->dice, 8, n, who);
    for (size_t i = 0; i < n; i++) {
        int tenths = dice_from(&u->dice, 11, 999);
        const char *unit = dice_word(&u->dice, units);
        buf_printf(&text, "Sensor %s reads %d.%d %s. ", words_animals[who[i]], tenths / 10, tenths % 10, unit);
        buf_printf(&list, "%s{\"sensor\":\"%s\",\"value\":%d.%d,\"unit\":\"%s\"}", i ? "," : "", words_animals[who[i]], tenths / 10, tenths % 10, unit);
    }
    struct form f = { arena_copy(u->a, str_trim(buf_str(&text))), arena_printf(u->a, "[%.*s]", STR_ARG(buf_str(&list))) };
    buf_free(&text);
    buf_free(&list);
    return f;
}

static struct form payment(struct drawing_up *u)
{
    int amount = dice_from(&u->dice, 5, 900), four = dice_from(&u->dice, 1000, 9999), day = dice_from(&u->dice, 10, 28);
    const char *company = dice_word(&u->dice, words_companies);
    switch (dice_below(&u->dice, 3)) {
    case 0:
        return (struct form){ arena_printf(u->a, "Paid %d euros to %s by card, the card ends in %d.", amount, company, four),
            arena_printf(u->a, "{\"kind\":\"card\",\"payee\":\"%s\",\"amount\":%d,\"last4\":\"%d\"}", company, amount, four) };
    case 1:
        return (struct form){ arena_printf(u->a, "Transferred %d euros to %s, with the reference R-%d.", amount, company, four),
            arena_printf(u->a, "{\"kind\":\"transfer\",\"payee\":\"%s\",\"amount\":%d,\"reference\":\"R-%d\"}", company, amount, four) };
    default:
        return (struct form){ arena_printf(u->a, "Gave %d euros in cash to %s on 2025-03-%d.", amount, company, day),
            arena_printf(u->a, "{\"kind\":\"cash\",\"payee\":\"%s\",\"amount\":%d,\"date\":\"2025-03-%d\"}", company, amount, day) };
    }
}

static struct form stock(struct drawing_up *u)
{
    size_t n = (size_t)dice_from(&u->dice, 3, 5), things[5];
    struct buf text = { 0 }, map = { 0 };
    dice_pick(&u->dice, 10, n, things);
    for (size_t i = 0; i < n; i++) {
        int count = dice_from(&u->dice, 2, 60);
        buf_printf(&text, "%s%s: %d pieces", i ? "; " : "", words_things[things[i]], count);
        buf_printf(&map, "%s\"%s\":%d", i ? "," : "", words_things[things[i]], count);
    }
    struct form f = { arena_printf(u->a, "On the shelf: %.*s.", STR_ARG(buf_str(&text))), arena_printf(u->a, "{%.*s}", STR_ARG(buf_str(&map))) };
    buf_free(&text);
    buf_free(&map);
    return f;
}

static struct form review(struct drawing_up *u)
{
    static const struct {
        const char *text, *mood;
        int stars;
    } said[] = {
        { "I love it, it works perfectly", "positive", 5 },
        { "Good, with small flaws", "positive", 4 },
        { "It is neither good nor bad", "neutral", 3 },
        { "It broke after a week and I want my money back", "negative", 1 },
    };
    size_t i = dice_below(&u->dice, COUNTOF(said));
    const char *thing = dice_word(&u->dice, words_things), *name = dice_word(&u->dice, words_names);
    return (struct form){ arena_printf(u->a, "Review of the %s by %s (%d of 5 stars): \"%s.\"", thing, name, said[i].stars, said[i].text),
        arena_printf(u->a, "{\"product\":\"%s\",\"author\":\"%s\",\"stars\":%d,\"mood\":\"%s\"}", thing, name, said[i].stars, said[i].mood) };
}

static struct form person(struct drawing_up *u)
{
    const char *name = dice_word(&u->dice, words_names), *city = dice_word(&u->dice, words_cities);
    int age = dice_from(&u->dice, 19, 80), known = dice_from(&u->dice, 1, 3);
    struct str has_age = known & 1 ? arena_printf(u->a, " is %d years old", age) : STR(" does not tell their age"), city_value = arena_printf(u->a, "\"%s\"", city);
    struct str has_city = known & 2 ? arena_printf(u->a, " and lives in %s.", city) : STR(" and does not say where they live.");
    return (struct form){ arena_printf(u->a, "%s%.*s%.*s", name, STR_ARG(has_age), STR_ARG(has_city)),
        arena_printf(u->a, "{\"name\":\"%s\",\"age\":%.*s,\"city\":%.*s}", name, STR_ARG(known & 1 ? arena_printf(u->a, "%d", age) : STR("null")),
            STR_ARG(known & 2 ? city_value : STR("null"))) };
}

static struct form route(struct drawing_up *u)
{
    size_t stops[4], n = (size_t)dice_from(&u->dice, 3, 4);
    struct buf text = { 0 }, legs = { 0 };
    int total = 0;
    dice_pick(&u->dice, 10, n, stops);
    for (size_t i = 0; i + 1 < n; i++) {
        int km = dice_from(&u->dice, 40, 600);
        total += km;
        buf_printf(&text, "From %s to %s it is %d km. ", words_cities[stops[i]], words_cities[stops[i + 1]], km);
        buf_printf(&legs, "%s[\"%s\",\"%s\",%d]", i ? "," : "", words_cities[stops[i]], words_cities[stops[i + 1]], km);
    }
    struct form f = { arena_printf(u->a, "%.*sThe whole way is %d km.", STR_ARG(buf_str(&text)), total),
        arena_printf(u->a, "{\"legs\":[%.*s],\"total_km\":%d}", STR_ARG(buf_str(&legs)), total) };
    buf_free(&text);
    buf_free(&legs);
    return f;
}

static struct form permissions(struct drawing_up *u)
{
    static const char *const rights[] = { "read", "write", "delete", "share" };
    size_t n = (size_t)dice_from(&u->dice, 1, 3), some[3];
    const char *name = dice_word(&u->dice, words_names);
    bool may[4] = { false };
    bool mfa = dice_below(&u->dice, 2);
    struct buf list = { 0 }, text = { 0 };
    dice_pick(&u->dice, 4, n, some);
    for (size_t i = 0; i < n; i++)
        may[some[i]] = true;
    for (size_t i = 0; i < 4; i++)
        if (may[i]) {
            buf_printf(&list, "%s\"%s\"", list.n ? "," : "", rights[i]);
            buf_printf(&text, "%s%s", text.n ? ", " : "", rights[i]);
        }
    struct form f = { arena_printf(u->a, "Account %s: allowed are: %.*s. Second factor: %s.", name, STR_ARG(buf_str(&text)), mfa ? "on" : "off"),
        arena_printf(u->a, "{\"account\":\"%s\",\"allowed\":[%.*s],\"second_factor\":%s}", name, STR_ARG(buf_str(&list)), mfa ? "true" : "false") };
    buf_free(&list);
    buf_free(&text);
    return f;
}

#define OBJECT(required, properties) "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" required "],\"properties\":{" properties "}}"
#define TEXT "{\"type\":\"string\"}"
#define WHOLE "{\"type\":\"integer\"}"
#define NUMBER "{\"type\":\"number\"}"
#define DATE "{\"type\":\"string\",\"pattern\":\"^[0-9]{4}-[0-9]{2}-[0-9]{2}$\"}"

/* clang-format off */
static const struct template {
    const char *name, *ask, *schema;
    form_fn *fn;
} templates[] = {
    { "invoice", "Extract the invoice.",
      OBJECT("\"vendor\",\"number\",\"date\",\"items\",\"total\"", "\"vendor\":" TEXT ",\"number\":" WHOLE ",\"date\":" DATE ",\"items\":{\"type\":\"array\",\"minItems\":1,\"items\":"
        OBJECT("\"name\",\"quantity\",\"price\"", "\"name\":" TEXT ",\"quantity\":" WHOLE ",\"price\":" NUMBER) "},\"total\":" NUMBER), invoice },
    { "contact", "Extract the person; email is null when none is given.",
      OBJECT("\"name\",\"company\",\"city\",\"email\"", "\"name\":" TEXT ",\"company\":" TEXT ",\"city\":" TEXT ",\"email\":{\"type\":[\"string\",\"null\"]}"), contact },
    { "ticket", "Sort the customer's message; product in the message's own words, without an article.",
      OBJECT("\"intent\",\"product\",\"urgent\"", "\"intent\":{\"enum\":[\"billing\",\"defect\",\"return\",\"delivery\"]},\"product\":" TEXT ",\"urgent\":{\"type\":\"boolean\"}"), ticket },
    { "event", "Extract the appointment; start as H:MM, present in the text's order.",
      OBJECT("\"title\",\"place\",\"date\",\"start\",\"minutes\",\"present\"", "\"title\":" TEXT ",\"place\":" TEXT ",\"date\":" DATE
        ",\"start\":{\"type\":\"string\",\"pattern\":\"^[0-9]{1,2}:[0-9]{2}$\"},\"minutes\":{\"type\":\"integer\",\"minimum\":1},\"present\":{\"type\":\"array\",\"items\":" TEXT ",\"minItems\":1}"), event },
    { "machine", "Extract the machine's data; ports in the text's order.",
      OBJECT("\"host\",\"network\",\"memory_gb\",\"owner\"", "\"host\":" TEXT ",\"network\":" OBJECT("\"ip\",\"ports\"", "\"ip\":" TEXT ",\"ports\":{\"type\":\"array\",\"items\":" WHOLE "}")
        ",\"memory_gb\":" WHOLE ",\"owner\":" OBJECT("\"name\",\"team\"", "\"name\":" TEXT ",\"team\":" TEXT)), machine },
    { "readings", "List all readings in the text's order.",
      "{\"type\":\"array\",\"items\":" OBJECT("\"sensor\",\"value\",\"unit\"", "\"sensor\":" TEXT ",\"value\":" NUMBER ",\"unit\":{\"enum\":[\"C\",\"hPa\",\"lux\"]}") "}", readings },
    { "payment", "Extract the payment.",
      "{\"anyOf\":[" OBJECT("\"kind\",\"payee\",\"amount\",\"last4\"", "\"kind\":{\"const\":\"card\"},\"payee\":" TEXT ",\"amount\":" NUMBER ",\"last4\":" TEXT) ","
        OBJECT("\"kind\",\"payee\",\"amount\",\"reference\"", "\"kind\":{\"const\":\"transfer\"},\"payee\":" TEXT ",\"amount\":" NUMBER ",\"reference\":" TEXT) ","
        OBJECT("\"kind\",\"payee\",\"amount\",\"date\"", "\"kind\":{\"const\":\"cash\"},\"payee\":" TEXT ",\"amount\":" NUMBER ",\"date\":" DATE) "]}", payment },
    { "stock", "Write how many there are of each thing: the thing's name is the key, the count the value.",
      "{\"type\":\"object\",\"minProperties\":1,\"additionalProperties\":{\"type\":\"integer\",\"minimum\":0}}", stock },
    { "review", "Extract the review; mood is the reviewer's.",
      OBJECT("\"product\",\"author\",\"stars\",\"mood\"", "\"product\":" TEXT ",\"author\":" TEXT ",\"stars\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":5},\"mood\":{\"enum\":[\"positive\",\"neutral\",\"negative\"]}"), review },
    { "person", "Extract the person; null is what the text does not tell.",
      OBJECT("\"name\",\"age\",\"city\"", "\"name\":" TEXT ",\"age\":{\"anyOf\":[" WHOLE ",{\"type\":\"null\"}]},\"city\":{\"anyOf\":[" TEXT ",{\"type\":\"null\"}]}"), person },
    { "route", "Extract the way: each leg is [from, to, kilometres].",
      OBJECT("\"legs\",\"total_km\"", "\"legs\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"array\",\"minItems\":3,\"maxItems\":3}},\"total_km\":" WHOLE), route },
    { "permissions", "Extract the account; allowed in the text's order.",
      OBJECT("\"account\",\"allowed\",\"second_factor\"", "\"account\":" TEXT ",\"allowed\":{\"type\":\"array\",\"uniqueItems\":true,\"items\":{\"enum\":[\"read\",\"write\",\"delete\",\"share\"]}},\"second_factor\":{\"type\":\"boolean\"}"), permissions },
};
/* clang-format on */

static void put_case(struct drawing_up *u, const struct template *t, int round, bool sent)
{
    struct form f = t->fn(u);
    struct str schema = str_of(t->schema);
    json_begin_object(&u->o);
    up_text(u, "id", arena_printf(u->a, "%s-%d", t->name, round + 1));
    up_json(u, "tags", arena_printf(u->a, "[\"%s\",\"%s\"]", t->name, sent ? "schema-sent" : "schema-in-words"));
    if (sent)
        up_text(u, "input", arena_printf(u->a, "%s Answer with JSON. Take names as the text has them.\n\n%.*s", t->ask, STR_ARG(f.text)));
    else
        up_text(u, "input", arena_printf(u->a, "%s Take names as the text has them. Answer with JSON alone, without a code fence, that meets this JSON Schema:\n%s\n\nText:\n%.*s", t->ask,
            t->schema, STR_ARG(f.text)));
    if (sent)
        up_json(u, "schema", schema);
    up_int(u, "max_tokens", 400);
    up_int(u, "temperature", 0);
    up_text(u, "thinking", STR("off"));
    up_json(u, "expect", arena_printf(u->a, "[{\"schema\":%.*s},{\"json\":\"$\",\"equals\":%.*s}]", STR_ARG(sent ? STR("true") : schema), STR_ARG(f.value)));
    up_text(u, "ideal", f.value);
    up_json(u, "wrong", STR("[\"{}\",\"[]\",\"I cannot do that.\"]"));
    json_end_object(&u->o);
}

void builtin_json_bench(struct drawing_up *u, const struct suite_choice *o)
{
    (void)o;
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < COUNTOF(templates); i++)
            put_case(u, &templates[i], round, ((size_t)round + i) % 2 == 0);
}
