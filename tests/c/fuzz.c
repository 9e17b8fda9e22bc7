/* Loads damaged models for the tests: fuzz MODEL COUNT SEED; prints how many were refused.
 *
 * Most damages rewrite the checksum, so that the checks behind it are what is tested. A model that is
 * accepted classifies a few texts: a sanitizer sees what is read outside of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "glovelite.h"

enum { STATUSES = GLOVELITE_SMALL_BUFFER + 1, MAX_BUFFER = 1 << 26, FIRST_BYTES = 512 };

static uint32_t random_state;

static uint32_t draw(uint32_t limit) { /* xorshift */
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  random_state ^= random_state << 5;
  return random_state % limit;
}

static void write_uint32(unsigned char *bytes, uint32_t value) { memcpy(bytes, &value, sizeof value); }

static uint32_t read_uint32(const unsigned char *bytes) {
  uint32_t value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

static void write_checksum(unsigned char *bytes, uint32_t size) {
  uint32_t checksum = 2166136261u, at;
  for (at = 16; at + 4 <= size; at += 4) checksum = (checksum ^ read_uint32(bytes + at)) * 16777619u;
  write_uint32(bytes + 12, checksum);
}

/* Change bytes: half of the time of the header, the sections' table and the settings. */
static void damage(unsigned char *bytes, uint32_t size) {
  static const uint32_t hostile[] = {0, 1, 2, 3, 4, 7, 16, 255, 256, 65535, 65536, 1u << 20,
                                     1u << 24, 0x7FFFFFFFu, 0x80000000u, 0xFFFFFFF0u, 0xFFFFFFFFu};
  const uint32_t limit = draw(2) && size > FIRST_BYTES ? FIRST_BYTES : size;
  const uint32_t at = draw(limit), word = at / 4 * 4;
  switch (draw(5)) {
    case 0: bytes[at] ^= (unsigned char)(1u << draw(8)); break;
    case 1: bytes[at] = (unsigned char)draw(256); break;
    case 2: write_uint32(bytes + word, hostile[draw(sizeof hostile / sizeof *hostile)]); break;
    case 3: write_uint32(bytes + word, read_uint32(bytes + word) + draw(9) - 4); break;
    default: write_uint32(bytes + word, read_uint32(bytes + draw(size / 4) * 4)); break;
  }
}

/* Classify texts of several kinds, and read every label. */
static size_t use(const glovelite_model *model) {
  static const char *const texts[] = {
      "", "The film's great: don't miss it!", "don't l'amande \xe0\xa4\xa6\xe0\xa4\xbf\xe0\xa4\xa8 _a_b",
      "\xff\xc3\xe2\x82 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x82!?", "a small bird that sings in the tree"};
  const size_t size = glovelite_buffer_size(model, 5000);
  glovelite_session session;
  glovelite_prediction found;
  size_t index, read = 0;
  char *buffer;
  if (size > MAX_BUFFER || (buffer = malloc(size)) == NULL) return 0;
  if (glovelite_start(&session, model, buffer, size) == GLOVELITE_OK) {
    for (index = 0; index < sizeof texts / sizeof *texts; index++) {
      glovelite_predict(&session, texts[index], strlen(texts[index]), &found);
      read += strlen(glovelite_label(model, found.label));
    }
    for (index = 0; index < model->labels; index++) {
      read += strlen(glovelite_label(model, (uint32_t)index));
    }
  }
  free(buffer);
  return read;
}

int main(int count, char **arguments) {
  unsigned long statuses[STATUSES] = {0}, rounds, round;
  unsigned char *content;
  uint32_t size, index;
  FILE *file;
  long length;
  if (count != 4 || (file = fopen(arguments[1], "rb")) == NULL) return 2;
  if (fseek(file, 0, SEEK_END) != 0 || (length = ftell(file)) < 64) return 2;
  rewind(file);
  size = (uint32_t)length;
  if ((content = malloc(size)) == NULL || fread(content, 1, size, file) != size) return 2;
  fclose(file);
  rounds = strtoul(arguments[2], NULL, 10);
  random_state = (uint32_t)strtoul(arguments[3], NULL, 10) | 1u;
  for (round = 0; round < rounds; round++) {
    const uint32_t kept = draw(8) ? size : draw(size) + 1, changes = draw(4);
    unsigned char *bytes = malloc(kept);
    glovelite_model model;
    glovelite_status status;
    if (bytes == NULL) return 2;
    memcpy(bytes, content, kept);
    for (index = 0; index <= changes && kept > 64; index++) damage(bytes, kept / 4 * 4);
    if (draw(8) && kept > 64) {
      write_uint32(bytes + 8, kept);
      write_checksum(bytes, kept);
    }
    status = glovelite_load(&model, bytes, kept);
    if (status == GLOVELITE_OK) use(&model);
    statuses[status]++;
    free(bytes);
  }
  for (index = 0; index < STATUSES; index++) printf("%s%lu", index ? " " : "", statuses[index]);
  printf("\n");
  free(content);
  return 0;
}
