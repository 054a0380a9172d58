/* SPDX-License-Identifier: GPL-2.0-or-later */
/* driver.c - runs a fuzz target without libFuzzer: over its seeds, their beginnings, and their bytes changed one by one
 *
 * Seeds are the files given, or those in tests/fuzz/seeds/NAME of the source tree for a program called fuzz-NAME.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHANGED_BYTES 4096  /* of a long seed only so many are changed and cut at */

/* A copy of exactly this size, so that a sanitizer sees each byte read beyond it. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_around(uint8_t *data, size_t size)
{
    static const uint8_t changes[] = { 0x01, 0x80, 0xff };

    run(data, size);
    for (size_t i = 0; i < size && i < CHANGED_BYTES; i++) {
        run(data, i);
        for (size_t j = 0; j < sizeof changes; j++) {
            data[i] ^= changes[j];
            run(data, size);
            data[i] ^= changes[j];
        }
    }
}

static int run_file(const char *path)
{
    static uint8_t data[1 << 20];
    FILE *file = fopen(path, "rb");
    size_t size;

    if (!file) {
        perror(path);
        return -1;
    }
    size = fread(data, 1, sizeof data, file);
    fclose(file);
    run_around(data, size);
    return 1;
}

static int run_folder(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    int count = 0;

    if (!folder) {
        perror(path);
        return -1;
    }
    while ((entry = readdir(folder))) {
        char file[8192];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (run_file(file) < 0) {
            closedir(folder);
            return -1;
        }
        count++;
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    const char *source = getenv("G_TEST_SRCDIR");
    const char *name = strstr(argv[0], "fuzz-");
    char folder[4096];
    int count = 0;

    for (int i = 1; i < argc; i++)
        if (run_file(argv[i]) < 0)
            return 1;
    if (argc > 1)
        return 0;
    for (const char *next = name; next && (next = strstr(next + 1, "fuzz-"));)
        name = next;
    if (!name)
        return 2;
    snprintf(folder, sizeof folder, "%s/tests/fuzz/seeds/%s", source ? source : ".", name + strlen("fuzz-"));
    count = run_folder(folder);
    printf("%d seeds\n", count);
    return count > 0 ? 0 : 1;
}
