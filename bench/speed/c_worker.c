/* Times the C engine, a round at a time: c_worker MODEL CACHE_BYTES OTHER_TEXTS TEXTS
 *
 * Files of texts hold the length of each, as 4 bytes, and its bytes. Prints the seconds from the
 * start, with the model mapped, to the first answer. Then, for every line read, it empties the
 * cache, classifies the other texts for half a second, then each text once, and prints the µs of
 * each as a JSON list. */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "glovelite.h"

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static unsigned char *map_file(const char *path, size_t *size) {
  struct stat status;
  void *bytes;
  int file = open(path, O_RDONLY);
  if (file < 0 || fstat(file, &status) != 0) exit(2);
  *size = (size_t)status.st_size;
  bytes = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, file, 0);
  if (bytes == MAP_FAILED) exit(2);
  close(file);
  return bytes;
}

static unsigned read_length(const unsigned char *bytes) {
  return (unsigned)bytes[0] | (unsigned)bytes[1] << 8 | (unsigned)bytes[2] << 16 |
         (unsigned)bytes[3] << 24;
}

/* Classify the texts of a file; print the µs of each if asked. */
static void classify(glovelite_session *session, const unsigned char *bytes, size_t size, int print) {
  size_t at = 0;
  while (at < size) {
    const unsigned length = read_length(bytes + at);
    glovelite_prediction found;
    const double start = now();
    glovelite_predict(session, (const char *)bytes + at + 4, length, &found);
    if (print) printf("%s%.3f", at > 0 ? "," : "[", 1e6 * (now() - start));
    at += 4 + length;
  }
  if (print) printf("]\n");
}

int main(int count, char **arguments) {
  const double start = now();
  static const char first[] = "a text";
  size_t size, buffer_size, other_size, texts_size;
  const unsigned char *content, *other, *texts;
  glovelite_model model;
  glovelite_session session;
  glovelite_prediction found;
  char line[8];
  void *buffer;
  if (count != 5) return 2;
  content = map_file(arguments[1], &size);
  if (glovelite_load(&model, content, size) != GLOVELITE_OK) return 2;
  buffer_size = glovelite_buffer_size(&model, (size_t)strtoul(arguments[2], NULL, 10));
  buffer = malloc(buffer_size);
  if (buffer == NULL || glovelite_start(&session, &model, buffer, buffer_size)) return 2;
  glovelite_predict(&session, first, sizeof first - 1, &found);
  printf("%.9f\n", now() - start);
  fflush(stdout);
  other = map_file(arguments[3], &other_size);
  texts = map_file(arguments[4], &texts_size);
  while (fgets(line, sizeof line, stdin) != NULL) {
    const double warm = now() + 0.5;
    glovelite_start(&session, &model, buffer, buffer_size);
    do classify(&session, other, other_size, 0);
    while (now() < warm);
    classify(&session, texts, texts_size, 1);
    fflush(stdout);
  }
  return 0;
}
