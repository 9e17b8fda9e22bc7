/* Classifies texts for the tests: driver MODEL CACHE_BYTES < texts > lines of JSON.
 *
 * A text is its length, as 4 bytes, and its bytes. The first line has the size of a buffer without
 * cache, or the status of a model that cannot be loaded; each other one a text's ids and prediction. */
#include <stdio.h>
#include <stdlib.h>

#include "glovelite.h"

static unsigned char *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  unsigned char *bytes;
  long length;
  if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (length = ftell(file)) < 0) exit(2);
  rewind(file);
  *size = (size_t)length;
  bytes = malloc(*size > 0 ? *size : 1);
  if (bytes == NULL || fread(bytes, 1, *size, file) != *size) exit(2);
  fclose(file);
  return bytes;
}

static void print_prediction(glovelite_session *session, const char *text, size_t length,
                             uint32_t *ids) {
  const glovelite_model *model = session->model;
  glovelite_prediction found;
  const size_t count = glovelite_encode(session, text, length, ids, model->max_tokens);
  size_t index;
  glovelite_predict(session, text, length, &found);
  printf("{\"ids\":[");
  for (index = 0; index < count; index++) printf("%s%u", index ? "," : "", ids[index]);
  printf("],\"probabilities\":[");
  for (index = 0; index < model->labels; index++) {
    printf("%s%.9g", index ? "," : "", (double)found.probabilities[index]);
  }
  printf("],\"given\":[");
  for (index = 0; index < found.given_count; index++) {
    printf("%s%u", index ? "," : "", found.given[index]);
  }
  printf("],\"label\":%u,\"probability\":%.9g,\"tokens\":%u,\"known\":%.17g,\"familiarity\":%.17g,",
         found.label, (double)found.probability, found.tokens, found.known, found.familiarity);
  printf("\"corrected\":%u,", found.corrected);
  printf("\"confidence\":%.17g,\"truncated\":%d,\"unfamiliar\":%d,\"abstained\":%d}\n",
         found.confidence, found.truncated, found.unfamiliar, found.abstained);
}

int main(int count, char **arguments) {
  glovelite_model model;
  glovelite_session session;
  glovelite_status status;
  size_t size, buffer_size;
  unsigned char *content, prefix[4];
  char *buffer;
  uint32_t *ids;
  if (count != 3) return 2;
  content = read_file(arguments[1], &size);
  status = glovelite_load(&model, content, size);
  if (status != GLOVELITE_OK) {
    printf("{\"status\":%d,\"message\":\"%s\"}\n", (int)status, glovelite_message(status));
    free(content);
    return 0;
  }
  buffer_size = glovelite_buffer_size(&model, (size_t)strtoul(arguments[2], NULL, 10));
  buffer = malloc(buffer_size);
  printf("{\"buffer\":%lu}\n", (unsigned long)glovelite_buffer_size(&model, 0));
  ids = malloc(model.max_tokens * sizeof *ids);
  if (buffer == NULL || ids == NULL) return 2;
  if (glovelite_start(&session, &model, buffer, buffer_size) != GLOVELITE_OK) return 2;
  while (fread(prefix, 1, sizeof prefix, stdin) == sizeof prefix) {
    const size_t length = prefix[0] | (size_t)prefix[1] << 8 | (size_t)prefix[2] << 16 |
                          (size_t)prefix[3] << 24;
    char *text = malloc(length > 0 ? length : 1); /* of its exact size, for AddressSanitizer */
    if (text == NULL || fread(text, 1, length, stdin) != length) return 2;
    print_prediction(&session, text, length, ids);
    free(text);
  }
  free(ids);
  free(buffer);
  free(content);
  return 0;
}
