/* fake_engine.c - the process: command line, script, the phases of a load, signals.
 *
 * With -m it plays llama-server; without, an OpenAI-compatible host that is there at once. A managed fake finds its
 * script beside the model file (MODELFILE.script), because its environment is not the test's. */
#include "fake.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake fake = { .host = "127.0.0.1", .port = 8080, .n_ctx = 4096, .slots = 1, .keepalive_ms = 5000 };

static int signal_pipe[2];
static int64_t exit_at = INT64_MAX;

/* -- dying */

_Noreturn void fake_die(int sig)
{
    const struct rlimit none = {0};
    sigset_t all;
    setrlimit(RLIMIT_CORE, &none);
    signal(sig, SIG_DFL);
    sigemptyset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    kill(getpid(), sig);
    for (;;)
        pause();
}

/* -- failing to load: the lines of the real one, each cause twice as it prints them */

static const struct load_failure {
    const char *name;
    const char *lines[3];
} load_failures[] = {
    { "unknown_arch", { "llama_model_load: error loading model: unknown model architecture: 'gemma9'" } },
    { "unsupported_arch", { "unsupported model architecture: 'gptj'" } },
    { "missing_key", { "llama_model_load: error loading model: error loading model hyperparameters: key not found in model: "
                       "llama.attention.layer_norm_rms_epsilon" } },
    { "truncated", { "llama_model_load: error loading model: tensor 'output_norm.weight' data is not within the file bounds, "
                     "model is corrupted or incomplete" } },
    { "truncated_header", { "read: string length 20 exceeds remaining file size 18 bytes",
                            "gguf_init_from_reader: failed to read key-value pairs" } },
    { "empty", { "gguf_init_from_reader: failed to read magic" } },
    { "html", { "gguf_init_from_reader: invalid magic characters: '<!DO', expected 'GGUF'" } },
    { "version", { "gguf_init_from_reader: this GGUF file is version 99 but this software only supports up to version 3" } },
    { "missing", { "gguf_init_from_file: failed to open GGUF file '/x.gguf' (No such file or directory)" } },
    { "mmap", { "llama_model_load: error loading model: mmap failed: Cannot allocate memory" } },
    { "out_of_memory", { "ggml_aligned_malloc: insufficient memory (attempted to allocate 43948.12 MB)",
                         "failed to allocate buffer for kv cache", "failed to create_context with model" } },
    { "silent", { NULL } },
};

static _Noreturn void load_fails(const char *name)
{
    const struct load_failure *f = NULL;
    for (size_t i = 0; i < sizeof load_failures / sizeof *load_failures; i++)
        if (!strcmp(load_failures[i].name, name))
            f = &load_failures[i];
    if (!f) {
        llama_log('E', "fake", "no such load_fail: %s", name);
        abort();
    }
    for (int twice = 0; twice < 2; twice++)
        for (int i = 0; i < 3 && f->lines[i]; i++)
            llama_log('E', "llama_model_load:", "%s", f->lines[i]);
    if (f->lines[0]) {
        llama_log('E', "srv ", "   load_model: failed to load model, '%s'", fake.model ? fake.model : "");
        llama_log('E', "srv ", " llama_server: exiting due to model loading error");
    }
    exit(1);
}

static const char *program; /* as it was started */

/* Whether PROGRAM.knows, a name a line, has the name; without such a file all are known but nonesuch. */
static bool knows(const char *name, size_t n)
{
    char path[4096];
    size_t size;
    snprintf(path, sizeof path, "%s.knows", program);
    if (access(path, R_OK))
        return n != 8 || memcmp(name, "nonesuch", 8) != 0;
    char *text = file_read(path, &size), *line = text;
    bool found = false;
    for (size_t len; line && *line && !found; line += len + (line[len] == '\n')) {
        len = strcspn(line, "\n");
        found = len == n && !memcmp(line, name, n);
    }
    free(text);
    return found;
}

/* What a build says or is like lies beside it: PROGRAM.version (a line), PROGRAM.refuses (flags, one a line), PROGRAM.script (as a model's, read before that). */
static char *beside(const char *what)
{
    char path[4096];
    snprintf(path, sizeof path, "%s.%s", program, what);
    return access(path, R_OK) ? NULL : file_read(path, NULL);
}

static void refuse_flag(const char *name)
{
    char *text = beside("refuses"), *rest = text, *line;
    while ((line = strsep(&rest, "\n")))
        if (!strcmp(line, name)) {
            fprintf(stderr, "error: invalid argument: %s\n", name);
            exit(1);
        }
    free(text);
}

/* A file of one key and no tensors asks whether its architecture is known: one that is misses the next key. The name is the last of it: the key is
 * "general.architecture", and a length stands before each text. */
static const char *probe_fault(const char *head, size_t n)
{
    static const char nothing[8];
    enum { NAME_AT = 24 + 8 + 20 + 4 + 8 };
    if (n < 24 || memcmp(head + 8, nothing, 8))
        return NULL;
    return n >= NAME_AT && !knows(head + NAME_AT, n - NAME_AT) ? "unknown_arch" : "missing_key";
}

/* What the file itself says: missing, empty or not a model. */
static const char *file_fault(const char *path)
{
    char head[128];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        return "missing";
    ssize_t n = S_ISREG(st.st_mode) ? read(fd, head, sizeof head) : 0;
    close(fd);
    if (n < 4)
        return "empty";
    if (memcmp(head, "GGUF", 4))
        return "html";
    return n < 24 ? "truncated_header" : probe_fault(head, (size_t)n);
}

/* -- the command line */

static bool takes_value(int argc, char **argv, int i)
{
    return i + 1 < argc && (argv[i + 1][0] != '-' || isdigit((unsigned char)argv[i + 1][1]));
}

static char *key_read(const char *path)
{
    size_t n;
    char *text = file_read(path, &n);
    if (!text) {
        llama_log('E', "fake", "error while handling argument \"--api-key-file\": error: failed to open file '%s'", path);
        exit(1);
    }
    text[strcspn(text, "\r\n")] = '\0';
    return text;
}

static void print_help(void)
{
    puts("usage: fake-engine [-m, --model FILE] [--host ADDR|X.sock] [--port N] [--api-key-file F] [--alias NAME] [-c N] [-np N]\n"
         "                   [--embeddings] [--reranking]\n"
         "                   [--script FILE]      other flags of llama-server are taken and ignored: --threads N, --batch-size N,\n"
         "                   --ubatch-size N, --threads-batch N, --flash-attn X, --no-repack, --cache-type-k T, --cache-type-v T");
    exit(0);
}

enum kind { KIND_TEXT, KIND_NUMBER, KIND_LONG, KIND_FLAG, KIND_KEY_FILE, KIND_SIGNAL, KIND_COPY, KIND_EAT };

static void set(enum kind kind, void *at, const char *value);

/* The flags that mean something here; a script is named by --script. */
static const char *script_path;
static const struct flag {
    const char *name, *other;
    enum kind kind;
    void *at;
} flags[] = {
    { "-m",             "--model",    KIND_TEXT,     &fake.model },
    { "--host",         NULL,         KIND_TEXT,     &fake.host },
    { "--port",         NULL,         KIND_NUMBER,   &fake.port },
    { "-a",             "--alias",    KIND_TEXT,     &fake.alias },
    { "-c",             "--ctx-size", KIND_LONG,     &fake.n_ctx },
    { "-np",            "--parallel", KIND_NUMBER,   &fake.slots },
    { "--api-key",      NULL,         KIND_TEXT,     &fake.key },
    { "--api-key-file", NULL,         KIND_KEY_FILE, &fake.key },
    { "--script",       NULL,         KIND_TEXT,     &script_path },
    { "--lora-scaled",  NULL,         KIND_TEXT,     &fake.loras },
    { "-md",            "--model-draft", KIND_TEXT,  &fake.draft },
    { "--spec-type",    NULL,         KIND_TEXT,     &fake.spec_type },
    { "-mm",            "--mmproj",   KIND_TEXT,     &fake.mmproj },
    { "--embedding",    "--embeddings", KIND_FLAG,   &fake.embeddings },
    { "--rerank",       "--reranking",  KIND_FLAG,   &fake.reranking },
};

/* value: NULL for one that stands alone. */
static void flag_take(const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if ((!value == (flags[i].kind == KIND_FLAG)) && (!strcmp(flags[i].name, name) || (flags[i].other && !strcmp(flags[i].other, name))))
            set(flags[i].kind, flags[i].at, value);
}

static char **arguments; /* as it was started */

/* FLAG=VALUE: what the command line says of it last; FLAG: it stands there at all. */
static bool args_say(const char *what)
{
    size_t n = strcspn(what, "=");
    const char *said = NULL;
    for (char **a = arguments; *a; a++)
        if (strlen(*a) == n && !memcmp(*a, what, n))
            said = a[1] ? a[1] : "";
    return said && (!what[n] || !strcmp(said, what + n + 1));
}

static void args_read(int argc, char **argv)
{
    arguments = argv;
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (!strcmp(name, "--version")) {
            char *version = beside("version");
            fprintf(stderr, "version: %s\n", version ? version : "0.1.0-dev (build 1, commit fa4e000)");
            free(version); /* a build under the leak sanitizer would say it fails */
            exit(0);
        }
        if (!strcmp(name, "--help") || !strcmp(name, "-h"))
            print_help();
        if (!strcmp(name, "--no-such-flag") || name[0] != '-') {
            fprintf(stderr, "error: invalid argument: %s\n", name);
            exit(1);
        }
        refuse_flag(name);
        flag_take(name, takes_value(argc, argv, i) ? argv[++i] : NULL);
    }
}

/* -- the script: one `word [value]` a line */

static int signal_number(const char *name)
{
    static const struct { const char *name; int sig; } names[] = {
        { "SEGV", SIGSEGV }, { "ILL", SIGILL }, { "ABRT", SIGABRT }, { "KILL", SIGKILL }, { "BUS", SIGBUS },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i].name, name))
            return names[i].sig;
    return SIGSEGV;
}

/* Appends our pid to a file, so that a test can count starts; `first N` makes the rest of the script hold for the first
 * N starts only. */
static long count_start(const char *path)
{
    size_t n = 0;
    FILE *f = fopen(path, "a");
    if (f) {
        fprintf(f, "%ld\n", (long)getpid());
        fclose(f);
    }
    long lines = 0;
    char *text = file_read(path, &n);
    for (size_t i = 0; text && i < n; i++)
        lines += text[i] == '\n';
    free(text);
    return lines;
}

static const struct line {
    const char *word;
    enum kind kind;
    void *at;
} script_lines[] = {
    { "load_ms",        KIND_NUMBER, &fake.load_ms },
    { "load_fail",      KIND_COPY,   &fake.load_fail },
    { "load_crash",     KIND_SIGNAL, &fake.load_crash },
    { "load_hang",      KIND_FLAG,   &fake.load_hang },
    { "health_hang",    KIND_FLAG,   &fake.health_hang },
    { "health_fails",   KIND_NUMBER, &fake.health_fails },
    { "ignore_term",    KIND_FLAG,   &fake.ignore_term },
    { "crash_after_ms", KIND_NUMBER, &fake.crash_after_ms },
    { "keepalive_ms",   KIND_NUMBER, &fake.keepalive_ms },
    { "forgets",        KIND_FLAG,   &fake.forgets },
    { "loras_lost",     KIND_FLAG,   &fake.loras_lost },
    { "modalities",     KIND_COPY,   &fake.modalities },
    { "takes_tools",    KIND_COPY,   &fake.tools },
    { "eat_mib",        KIND_EAT,    NULL },
    { "log_lines",      KIND_NUMBER, &fake.log_lines },
    { "default",        KIND_COPY,   &fake.defaults },
    { "probe",          KIND_COPY,   &fake.probe_defaults },
};

static char *volatile eaten; /* the last one's place: nobody may find that it is of no use */

/* So much memory more, every page of it touched. */
static void eat(long mib)
{
    size_t n = (size_t)mib << 20;
    char *p = must_alloc(n);
    for (size_t i = 0; i < n; i += 4096)
        *(volatile char *)(p + i) = 1;
    eaten = p;
}

static void set(enum kind kind, void *at, const char *value)
{
    switch (kind) {
    case KIND_TEXT:
        *(const char **)at = value;
        break;
    case KIND_COPY:
        *(char **)at = must_dup(value, strlen(value));
        break;
    case KIND_NUMBER:
        *(int *)at = (int)strtol(value, NULL, 10);
        break;
    case KIND_LONG:
        *(long *)at = strtol(value, NULL, 10);
        break;
    case KIND_EAT:
        eat(strtol(value, NULL, 10));
        break;
    case KIND_FLAG:
        *(bool *)at = true;
        break;
    case KIND_KEY_FILE:
        *(const char **)at = key_read(value);
        break;
    case KIND_SIGNAL:
        *(int *)at = signal_number(value);
        break;
    }
}

/* false: the rest of the script does not hold for this start. */
static bool script_line(const char *word, const char *value, long *starts)
{
    if (!*word || *word == '#')
        return true;
    if (!strcmp(word, "starts")) {
        *starts = count_start(value);
        return true;
    }
    if (!strcmp(word, "when")) {
        char *text = must_dup(value, strlen(value)), *rest = text;
        const char *what = strsep(&rest, " "), *then = strsep(&rest, " ");
        bool holds = !args_say(what) || !then || script_line(then, rest ? rest : "", starts);
        free(text);
        return holds;
    }
    if (!strcmp(word, "first"))
        return *starts <= strtol(value, NULL, 10);
    for (size_t i = 0; i < sizeof script_lines / sizeof *script_lines; i++)
        if (!strcmp(script_lines[i].word, word)) {
            set(script_lines[i].kind, script_lines[i].at, value);
            return true;
        }
    llama_log('E', "fake", "script: what is '%s'?", word);
    abort();
}

void script_now(const char *line)
{
    long starts = 1;
    char *text = must_dup(line, strlen(line)), *value = text;
    const char *word = strsep(&value, " ");
    script_line(word, value ? value : "", &starts);
    free(text);
}

static void script_read(const char *path)
{
    char *text = path ? file_read(path, NULL) : NULL, *line, *rest = text;
    long starts = 1;
    bool holds = true;
    while (holds && (line = strsep(&rest, "\n"))) {
        char *value = line;
        const char *word = strsep(&value, " ");
        holds = script_line(word, value ? value : "", &starts);
    }
    free(text);
}

/* -- loading */

static void announce(void)
{
    if (fake.port && strncmp(fake.host, "/", 1) != 0 && !strstr(fake.host, ".sock"))
        llama_log('I', "srv ", " llama_server: listening on http://%s:%d", fake.host, fake.port);
    else
        llama_log('I', "srv ", " llama_server: listening on unix://%s", fake.host);
}

static int64_t load_ends_at; /* INT64_MAX once it has ended, or when it never will */

static void load_begin(void)
{
    const char *fault = fake.load_fail ? fake.load_fail : fake.model ? file_fault(fake.model) : NULL;
    if (fault && !fake.load_fail)
        fake.load_fail = fault;
    if (fake.model)
        llama_log('I', "srv ", "   load_model: loading model '%s'", fake.model);
    for (int i = 0; i < fake.log_lines; i++)
        llama_log('I', "srv ", "flood: line %d of what a talkative engine might say, to fill a pipe that nobody reads", i);
    load_ends_at = fake.load_hang ? INT64_MAX : now_ms() + fake.load_ms;
}

static void load_end(void)
{
    load_ends_at = INT64_MAX;
    if (fake.load_fail)
        load_fails(fake.load_fail);
    if (fake.load_crash)
        fake_die(fake.load_crash);
    fake.ready = true;
    fake.ready_at = now_ms();
    announce();
    if (fake.crash_after_ms)
        exit_at = fake.ready_at + fake.crash_after_ms;
}

/* -- SIGTERM, as the real one takes it */

static void on_signal(int sig)
{
    char byte = (char)sig;
    int saved = errno;
    if (write(signal_pipe[1], &byte, 1) < 0)
        abort();
    errno = saved;
}

static void terminate(void)
{
    int streams, busy = record_in_flight(&streams);
    if (fake.ignore_term)
        return;
    if (!fake.ready)
        fake_die(SIGTERM);
    if (fake.stopping) {
        fprintf(stderr, "Received second interrupt, terminating immediately.\n");
        exit(1);
    }
    fake.stopping = true;
    conn_stop_listening();
    if (!busy)
        exit(0);
    if (busy == 1 && streams == 1)
        exit_at = now_ms() + 200;
    /* Anything else in flight: it never exits by itself. */
}

static void signals_begin(void)
{
    struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    if (pipe(signal_pipe))
        abort();
    for (int i = 0; i < 2; i++) {
        fcntl(signal_pipe[i], F_SETFL, O_NONBLOCK);
        fcntl(signal_pipe[i], F_SETFD, FD_CLOEXEC);
    }
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void signals_take(void)
{
    char byte;
    while (read(signal_pipe[0], &byte, 1) == 1)
        terminate();
}

int main(int argc, char **argv)
{
    char model_script[4096], build_script[4096];
    program = argv[0];
    script_path = getenv("FAKE_SCRIPT");
    args_read(argc, argv);
    if (fake.model && snprintf(model_script, sizeof model_script, "%s.script", fake.model) < (int)sizeof model_script && !access(model_script, R_OK))
        script_path = model_script;
    if (!fake.key && getenv("LLAMA_API_KEY"))
        fake.key = getenv("LLAMA_API_KEY");
    signals_begin();
    if (snprintf(build_script, sizeof build_script, "%s.script", program) < (int)sizeof build_script && !access(build_script, R_OK))
        script_read(build_script);
    script_read(script_path);
    conn_listen();
    load_begin();
    for (;;) {
        int64_t now = now_ms();
        if (now >= load_ends_at)
            load_end();
        if (now >= exit_at) {
            if (fake.stopping)
                exit(0);
            fake_die(SIGSEGV);
        }
        conn_turn(load_ends_at < exit_at ? load_ends_at : exit_at, signal_pipe[0]);
        signals_take();
    }
}
