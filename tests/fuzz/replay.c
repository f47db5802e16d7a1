/* Runs a fuzz target once over each file of a folder, for builds without libFuzzer: what was found once stays found. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (!f || fstat(fileno(f), &st)) {
        perror(path);
        return -1;
    }
    /* Exactly as large as the input, so that the sanitizers see a read behind it. */
    size_t n = (size_t)st.st_size;
    uint8_t *bytes = malloc(n ? n : 1);
    int rc = bytes && fread(bytes, 1, n, f) == n ? 0 : -1;
    fclose(f);
    if (!rc) {
        fprintf(stderr, "%s\n", path); /* the last one named is the one that crashed */
        rc = LLVMFuzzerTestOneInput(bytes, n);
    }
    free(bytes);
    return rc;
}

static int replay_folder(const char *folder)
{
    int files = 0, rc = 0;
    DIR *d = opendir(folder);
    if (!d) {
        perror(folder);
        return 1;
    }
    for (const struct dirent *entry; !rc && (entry = readdir(d));) {
        char path[PATH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        rc = replay_file(path);
        files++;
    }
    closedir(d);
    if (files == 0)
        fprintf(stderr, "%s: no inputs\n", folder);
    return rc || files == 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    return replay_folder(argv[1]);
}
