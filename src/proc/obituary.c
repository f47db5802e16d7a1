/* A table of needles in the engine's stderr. llama-server (doc/internals/engine.md) logs `M.SS.mmm.uuu L tag func: text` with L one of I W E D, prints
 * the cause first and "failed to load model" last, and prints all of it twice; so the first line that is not I, W or D and holds a needle
 * is the cause. Rows are tried line by line, in their order. */
#include "proc/obituary.h"

#include <signal.h>
#include <stdio.h>

enum { SAYS_LEAST = 2 };

struct row {
    struct str needle;
    enum err_code code;
    const char *sentence; /* what it means; the evidence follows in brackets */
    const char *hint;
};

static const char incomplete_hint[] = "Fetch the file again and compare its size and SHA-256 with the source.";
static const char not_gguf_hint[] = "Check what was downloaded (a web page, perhaps?) and fetch the GGUF file again.";
static const char convert_hint[] = "Convert the model again with current tools, or fetch a newer GGUF of it.";
static const char memory_hint[] = "Lower `context` or `slots`, choose a smaller quantisation or `kv: q8_0`, or unload another model.";

static const struct row rows[] = {
    { STR("unknown model architecture"),       ERR_UNKNOWN_ARCHITECTURE, "The engine does not know this model's architecture",
      "Update llama-server, or choose a model that this one can run." },
    { STR("unsupported model architecture"),   ERR_UNKNOWN_ARCHITECTURE, "The engine knows this model's architecture but cannot run it",
      "Update llama-server, or choose a model that this one can run." },
    { STR("CLIP cannot be used as main model"), ERR_LOAD_FAILED, "This file is a picture projector, not a model",
      "Give it as `mmproj` of the model it belongs to." },
    { STR("is not within the file bounds"),    ERR_WEIGHTS_BROKEN, "The weights file is cut short", incomplete_hint },
    { STR("exceeds remaining file size"),      ERR_WEIGHTS_BROKEN, "The weights file is cut short in its header", incomplete_hint },
    { STR("failed to read key-value pairs"),   ERR_WEIGHTS_BROKEN, "The weights file is cut short in its header", incomplete_hint },
    { STR("failed to read magic"),             ERR_WEIGHTS_BROKEN, "The weights file is empty, or a folder", incomplete_hint },
    { STR("invalid magic characters"),         ERR_WEIGHTS_BROKEN, "The weights file is not GGUF", not_gguf_hint },
    { STR("but this software only supports"),  ERR_WEIGHTS_BROKEN, "The weights file has a GGUF version that the engine does not read",
      "Update llama-server, or fetch the file again." },
    { STR("GGUFv"),           ERR_WEIGHTS_BROKEN, "The weights file has a GGUF version that the engine no longer reads",
      convert_hint },
    { STR("key not found in model"),           ERR_WEIGHTS_BROKEN, "The weights file lacks a value that its architecture needs", convert_hint },
    { STR("found tensors with invalid data"),  ERR_WEIGHTS_BROKEN, "The weights file holds damaged tensors", incomplete_hint },
    { STR("failed to apply lora adapter"),     ERR_LOAD_FAILED, "The LoRA adapter cannot be used", "Check the model's `lora` setting." },
    { STR("expect general.type to be 'adapter'"), ERR_LOAD_FAILED, "The LoRA file is not an adapter", "Check the model's `lora` setting." },
    { STR("Failed to load CLIP model"),        ERR_LOAD_FAILED, "The picture projector cannot be loaded", "Check the model's `mmproj` setting." },
    { STR("clip_init: failed to load model"),  ERR_LOAD_FAILED, "The picture projector cannot be loaded", "Check the model's `mmproj` setting." },
    { STR("failed to open GGUF file"),         ERR_WEIGHTS_MISSING, "The engine cannot open the weights file",
      "Check the model's `file` setting and who may read the file." },
    { STR("mmap failed: Cannot allocate memory"), ERR_OUT_OF_MEMORY, "There is not enough memory to map the weights", memory_hint },
    { STR("insufficient memory"),              ERR_OUT_OF_MEMORY, "There is not enough memory", memory_hint },
    { STR("failed to allocate buffer for kv cache"), ERR_OUT_OF_MEMORY, "There is not enough memory for the KV cache", memory_hint },
    { STR("out of memory"),                    ERR_OUT_OF_MEMORY, "There is not enough memory", memory_hint },
    { STR("quantized V cache requires flash_attn"), ERR_LOAD_FAILED, "This KV type needs flash attention, which is off",
      "Set `kv: f16`, or turn flash attention on." },
    { STR("Unsupported cache type"),           ERR_LOAD_FAILED, "The engine does not know this KV type", "Check the model's `kv` setting." },
    { STR("couldn't bind HTTP server socket"), ERR_LOAD_FAILED, "The engine's address is taken",
      "Is another copy still running? It is tried again by itself." },
    { STR("invalid argument:"),                ERR_LOAD_FAILED, "The engine does not know an option it was given",
      "It is older or newer than hob expects: update llama-server." },
    { STR("error while handling argument"),    ERR_LOAD_FAILED, "The engine refuses the value of an option", "Check the model's settings." },
    { STR("common_chat_templates_init: error"), ERR_LOAD_FAILED, "The chat template cannot be read",
      "Fetch the model again, or convert it with current tools." },
    { STR("the supplied chat template is not supported"), ERR_LOAD_FAILED, "The chat template is not supported",
      "Fetch the model again, or convert it with current tools." },
    { STR("Permission denied"),                ERR_LOAD_FAILED, "The engine was refused a file, a program or a connection",
      "The sandbox opens what its command names: name more under the model's `paths:` (`PATH:rw` to write), or set `sandbox: network` or `off` for it." },
    /* SAYS_LEAST of them: they always come last. */
    { STR("failed to create_context with model"), ERR_OUT_OF_MEMORY, "The context could not be made, most likely for want of memory", memory_hint },
    { STR("failed to load model"),             ERR_LOAD_FAILED, "The engine could not load the model", "" },
};

/* What a signal means when the words tell nothing. */
static const struct signal_row {
    int signal;
    enum err_code code;
    const char *sentence, *hint;
} signal_rows[] = {
    { SIGKILL, ERR_OUT_OF_MEMORY, "was killed from outside (signal 9); most often the system had run out of memory",
      "Look for \"Out of memory\" in the kernel's log; lower `context` or `slots`, or choose a smaller quantisation." },
    { SIGSEGV, ERR_LOAD_FAILED, "crashed (segmentation fault)", "Update llama-server; a build made for another CPU crashes like this." },
    { SIGBUS,  ERR_WEIGHTS_BROKEN, "crashed (bus error); most often its weights file was cut short while it was in use", incomplete_hint },
    { SIGILL,  ERR_LOAD_FAILED, "crashed: it uses instructions that this CPU does not have", "Install a llama-server built for this machine." },
    { SIGFPE,  ERR_LOAD_FAILED, "crashed (arithmetic fault)", "Update llama-server." },
    { SIGABRT, ERR_LOAD_FAILED, "gave up on an error of its own (abort)", "Its last words are in its log file; update llama-server." },
    { SIGTERM, ERR_LOAD_FAILED, "was asked to end by somebody else (signal 15)", "" },
    { SIGXCPU, ERR_LOAD_FAILED, "used up the processor time it may use", "Look at the limits (ulimit) hob runs under." },
};

/* `0.00.464.101 E srv  load_model: …`: the letter that says how bad, and the text behind it. 0: not such a line. */
static char level_of(struct str line, struct str *text)
{
    size_t i = 0;
    while (i < line.n && ((line.p[i] >= '0' && line.p[i] <= '9') || line.p[i] == '.'))
        i++;
    if (i == 0 || i + 2 >= line.n || line.p[i] != ' ' || line.p[i + 2] != ' ' || !memchr("IWED", line.p[i + 1], 4))
        return 0;
    *text = str_trim(str_from(line, i + 3));
    return line.p[i + 1];
}

enum weight { TALK, MAYBE, ERROR }; /* MAYBE: no level, as before logging began, or of another engine: an error when a row knows it */

static enum weight weigh(struct str line, struct str *text)
{
    *text = str_trim(line);
    char level = level_of(*text, text);
    if (text->n == 0 || (level && level != 'E'))
        return TALK;
    bool loud = level == 'E' || str_starts(*text, STR("error")) || str_find(*text, STR("error:")) >= 0 || str_find(*text, STR("failed")) >= 0;
    return loud ? ERROR : MAYBE;
}

static const struct row *match(struct str text)
{
    for (size_t i = 0; i < COUNTOF(rows); i++)
        if (str_find(text, rows[i].needle) >= 0)
            return &rows[i];
    return NULL;
}

struct cause {
    const struct row *row; /* NULL: no row knows any line */
    bool vague;            /* only a row that says least */
    struct str evidence;   /* the row's line, or the first error line; may be empty */
};

/* The first line that a row knows, those that say least only when no other does. */
static struct cause find_cause(struct str words)
{
    struct cause found = { .row = NULL }, first = { .row = NULL };
    while (words.n) {
        struct str text, line = str_cut(words, '\n', &words);
        enum weight weight = weigh(line, &text);
        const struct row *r = weight == TALK ? NULL : match(text);
        if (r && r < &rows[COUNTOF(rows) - SAYS_LEAST])
            return (struct cause){ r, false, text };
        if (r && !found.row)
            found = (struct cause){ r, true, text };
        else if (!r && weight == ERROR && !first.evidence.n)
            first.evidence = text;
    }
    return first.evidence.n ? (struct cause){ found.row, true, first.evidence } : found;
}

/* One line for people: nothing that moves a terminal's cursor, and not longer than fits. */
static void cite(struct str evidence, char *out, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < evidence.n && n + 4 < room; i++)
        out[n++] = (unsigned char)evidence.p[i] < ' ' || evidence.p[i] == 127 ? ' ' : evidence.p[i];
    bool cut = n < evidence.n;
    while (cut && n && ((unsigned char)out[n - 1] & 0xc0) == 0x80) /* not in the middle of a character */
        n--;
    if (cut && n && (unsigned char)out[n - 1] >= 0xc0)
        n--;
    memcpy(out + n, cut ? "…" : "", cut ? 3 : 0);
    out[n + (cut ? 3 : 0)] = 0;
}

static enum err_code from_signal(const struct keeper_exit *x, const char *cited, struct err *e)
{
    for (size_t i = 0; i < COUNTOF(signal_rows); i++) {
        const struct signal_row *r = &signal_rows[i];
        if (r->signal != x->signal)
            continue;
        err_set(e, r->code, "The engine %s%s%s%s.", r->sentence, *cited ? " [" : "", cited, *cited ? "]" : "");
        err_hint(e, "%s", r->hint);
        return r->code;
    }
    return err_set(e, ERR_LOAD_FAILED, "The engine died of signal %d%s%s%s.", x->signal, *cited ? " [" : "", cited, *cited ? "]" : "");
}

enum err_code obituary_read(const struct keeper_exit *x, struct err *e)
{
    struct cause c = find_cause(x->last);
    char cited[160];
    cite(c.evidence, cited, sizeof cited);
    /* Words from before a crash may be old news, so the signal is the cause and they are cited; an abort comes of what was just said. */
    if (x->signal && (!c.row || c.vague || x->signal != SIGABRT))
        return from_signal(x, cited, e);
    if (c.row) {
        err_set(e, c.row->code, "%s [%s].", c.row->sentence, cited);
        err_hint(e, "%s", c.row->hint);
        return c.row->code;
    }
    if (*cited)
        return err_set(e, ERR_LOAD_FAILED, "The engine ended with exit code %d [%s].", x->exit_code, cited);
    err_set(e, ERR_LOAD_FAILED, "The engine ended with exit code %d and said nothing about why.", x->exit_code);
    err_hint(e, "Try once more (llama-server sometimes loses its last words), then run it by hand.");
    return ERR_LOAD_FAILED;
}
