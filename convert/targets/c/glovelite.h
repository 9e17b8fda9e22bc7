/* glovelite.h: from UTF-8 text to label and probability, without an interpreter.
 *
 * The engine of text classifiers that `glovelite-convert c` wrote. It is C99, uses nothing but
 * string.h and math.h, never allocates memory, keeps no state of its own, and reads the model where
 * it is: in flash, in a mapped file, in an array. Labels and ids are those of glovelite in Python,
 * probabilities differ by rounding.
 *
 *     #include <stdio.h>
 *     #include <string.h>
 *     #include "glovelite.h"
 *     #include "model.h"
 *
 *     static float buffer[GLOVELITE_MODEL_BUFFER / sizeof(float)];
 *
 *     int main(void) {
 *       glovelite_model model;
 *       glovelite_session session;
 *       glovelite_prediction found;
 *       const char *text = "A moving, funny, beautifully acted film.";
 *       if (glovelite_load(&model, glovelite_model_bytes, glovelite_model_size)) return 1;
 *       if (glovelite_start(&session, &model, buffer, sizeof buffer)) return 1;
 *       glovelite_predict(&session, text, strlen(text), &found);
 *       printf("%s %.3f\n", glovelite_label(&model, found.label), found.probability);
 *       return 0;
 *     }
 *
 * THREADS. A model is constant once it is loaded: any number of threads may use one. A session and
 * its buffer belong to one thread at a time.
 *
 * MEMORY. `glovelite_buffer_size(&model, 0)` is the least that a session needs. What a buffer has
 * beyond is a cache: of the products of words with the model's kernels, which are most of the work,
 * and, where the model corrects misspelt words, a filter of known ones. With it, a text of words that
 * were seen before costs additions only. A cache changes no prediction, and is worth its memory where
 * many texts are classified: 1 to 4 MB.
 *
 * TRUST. `glovelite_load` checks everything that an offset or index in the file depends on, once. A
 * damaged or forged file is refused, or gives wrong predictions; nothing outside of the file and the
 * buffer is read or written. Text may be any bytes: what is not UTF-8 is read as U+FFFD, as Python's
 * `bytes.decode("utf-8", "replace")` does.
 *
 * TIME. It grows with the text until the model has read its first `max_tokens` tokens; character
 * n-grams with their own limit. The worst text, combining marks alone, takes some thousand steps a
 * character.
 *
 * MACROS. GLOVELITE_LATIN leaves out all letters but Latin ones: 27 kB less. Define it for
 * glovelite.c only where the texts are Latin; others then have no words.
 *
 * MACHINES. 32 or 64 bits, little-endian, float as in IEEE 754. Others are refused by
 * `glovelite_load`.
 */
#ifndef GLOVELITE_H
#define GLOVELITE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What functions return. */
typedef enum {
  GLOVELITE_OK = 0,
  GLOVELITE_NO_MODEL,    /* the bytes are no model.bin */
  GLOVELITE_NEWER,       /* the format is newer than this engine: take the engine beside the file */
  GLOVELITE_TRUNCATED,   /* the size is not the one in the header: bytes are missing, or too many */
  GLOVELITE_CHECKSUM,    /* bytes were changed: copy the file again */
  GLOVELITE_DAMAGED,     /* the parts of the file contradict each other */
  GLOVELITE_ALIGNMENT,   /* the bytes do not start at a multiple of 4 */
  GLOVELITE_MACHINE,     /* this machine is big-endian, or its float is not 32 bits */
  GLOVELITE_SMALL_BUFFER /* the buffer has less than glovelite_buffer_size(model, 0) bytes */
} glovelite_status;

/* A loaded model: where the parts of its file are. Filled by glovelite_load; the first members may
 * be read, all others are the engine's. */
typedef struct {
  uint32_t labels;      /* number of labels */
  uint32_t max_tokens;  /* how many tokens of a text are read */
  int multi_label;      /* whether a text has any number of labels, not exactly one */

  int pieces, punctuation, softmax, folded, wide_index;
  uint32_t tokens, outputs, row_bits, row_columns, kernels, wide_bits, wide_columns, hashed, slots;
  uint32_t feature_columns, shared_columns;
  uint32_t max_taps, columns, features, longest_token, longest_piece;
  uint32_t buckets, longest_ngram, ngram_characters, ngram_columns, shortest, alphabet;
  double min_known, typical, penalty, hashed_level;
  const uint32_t *label_starts, *token_starts, *hashed_keys, *kernel_shapes, *letters;
  const uint16_t *hashed_ids;
  const char *label_text;
  const unsigned char *token_text, *levels, *rows, *wide, *thresholds, *ngram_values;
  const void *token_index;
  const float *row_scales, *kernel_values, *feature_bias, *logit_weights, *logit_bias;
  const float *wide_scales, *mixing, *ngram_bias, *ngram_scales, *ngram_mixing;
} glovelite_model;

/* What one thread classifies with: a model and the parts of a buffer. All members are the
 * engine's. */
typedef struct {
  const glovelite_model *model;
  uint32_t *characters, *prefixes, *labels, *cache_ids, cache_sets, filter_shift;
  unsigned char *word, *cache_turns, *filter;
  int32_t *sums;
  float *probabilities, *logits, *row, *features, *wide_sums, *shared, *padding_row, *recent_rows, *cache_rows;
} glovelite_session;

/* The prediction for one text. Arrays stay until the session's next text. */
typedef struct {
  uint32_t label;             /* the most probable label, even if a multi-label model does not give
                                 it; glovelite_label has its name */
  float probability;          /* its probability, 0 to 1 */
  const float *probabilities; /* of every label; those of a multi-label model do not sum to 1 */
  const uint32_t *given;      /* the labels of the text, the most probable first: `label`, or for a
                                 multi-label model those that reach their thresholds */
  uint32_t given_count;       /* how many; 0 is possible for a multi-label model */
  uint32_t tokens;            /* how many tokens were read */
  uint32_t corrected;         /* how many of them as their nearest spelling */
  double known;               /* share of them that are known words, 0 to 1 */
  double familiarity;         /* how usual they are in the training text, 0 to 15 */
  double confidence;          /* probability (multi-label: that the labels are exactly right),
                                 lowered where the words are unlike those of training text */
  int truncated;              /* whether the text was longer than the model reads */
  int unfamiliar;             /* whether too few words are known to say much about the text */
  int abstained;              /* whether not to rely on it: unfamiliar, or too little confidence */
} glovelite_prediction;

/* Find the parts of a model.bin and check them, in about a millisecond for a megabyte. The bytes must
 * start at a multiple of 4 and stay where they are while the model is used. */
glovelite_status glovelite_load(glovelite_model *model, const void *content, size_t size);

/* Return the bytes of a buffer with a cache of at most this many bytes. */
size_t glovelite_buffer_size(const glovelite_model *model, size_t cache_bytes);

/* Prepare a session in a buffer, of any alignment. */
glovelite_status glovelite_start(glovelite_session *session, const glovelite_model *model,
                                 void *buffer, size_t size);

/* Classify the first `length` bytes at `text`, which may hold NUL. */
void glovelite_predict(glovelite_session *session, const char *text, size_t length,
                       glovelite_prediction *prediction);

/* Write up to `capacity` token ids of a text, as the model reads them (1: unknown), and return how
 * many it has, at most max_tokens. For tests, and for what else ids are good for. */
size_t glovelite_encode(glovelite_session *session, const char *text, size_t length, uint32_t *ids,
                        size_t capacity);

/* Return the name of a label in UTF-8, or "" for a number that no label has. */
const char *glovelite_label(const glovelite_model *model, uint32_t label);

/* Return a sentence about a status. */
const char *glovelite_message(glovelite_status status);

#ifdef __cplusplus
}
#endif
#endif
