/* glovelite.c: the engine that glovelite.h describes. From top to bottom:
 *
 *   characters   UTF-8 -> code points -> without invisible ones -> composed (NFC), lower case
 *   tokens       words, symbols, or pieces of words -> ids
 *   spelling     an unknown word -> the id of its nearest spelling
 *   n-grams      runs of characters -> logits
 *   products     an id -> its row of the table times the kernels, cached
 *   prediction   products -> features -> logits -> probabilities -> labels
 *   loading      model.bin -> glovelite_model, everything checked
 *
 * runtime/text, runtime/ngrams.py and runtime/decision.py of glovelite define what is computed; this
 * file says how. docs/formats.md describes model.bin.
 */
#include "glovelite.h"

#include <math.h>
#include <string.h>

#include "glovelite_tables.h"

enum {
  PADDING_ID = 0,
  UNKNOWN_ID = 1,
  MAX_MARKS = 1024,              /* of a run; the rest is dropped, as no script has longer ones */
  MAX_PARTS = 4,                 /* of a character's canonical decomposition */
  MAX_RUN = 2 * MAX_MARKS + 8,   /* characters of a starter and its marks, decomposed */
  FILTER_BLOCK = 8,              /* filters are padded to a multiple by zeros, columns to one of */
  COLUMN_BLOCK = 16,             /* COLUMN_BLOCK: loops of constant length become vector code */
  MAX_TAPS = 64,
  MAX_LETTERS = 24, /* of words that are corrected */
  MAX_LETTER_BYTES = 4 * MAX_LETTERS,
  MAX_ALPHABET = 64,
  MAX_CORRECTIONS = 64, /* unknown words of a text that are looked up */
  MAX_NGRAM = 8,
  MAX_NGRAM_COLUMNS = 16
};

static const uint32_t END = 0xFFFFFFFFu; /* no character: the text is read */
static const uint32_t REPLACEMENT = 0xFFFDu;

/* ------------------------------------------------------------------------------------ characters */

/* Classes of characters, the low bits of a property. */
enum { OTHER, LETTER, UNSPACED, MARK, JOINER, APOSTROPHE, UNDERSCORE, SPACE, INVISIBLE, UNASSIGNED };
enum { CLASS_BITS = 15, CHANGES = 16 /* normalization may change the character */ };

/* A position in a text. `parts` are the decomposition of the next character that was read, `run`
 * is a composed character with the marks that did not compose, in the session's buffer. */
typedef struct {
  const unsigned char *next, *end;
  uint32_t before; /* the character before `next`, before any step */
  uint32_t marks;  /* length of the run of marks that ends at `next` */
  uint32_t parts[2 * MAX_PARTS], part_count;
  int stable; /* whether `parts` is one character that neither changes nor composes */
  uint32_t *run, run_next, run_end;
} reader;

/* Return the last index whose entry (key << 8 | value) has a key up to this one. */
static size_t find_change(const uint32_t *changes, size_t count, uint32_t key) {
  size_t low = 0;
  while (count - low > 1) {
    size_t middle = low + (count - low) / 2;
    if (changes[middle] >> 8 <= key) {
      low = middle;
    } else {
      count = middle;
    }
  }
  return low;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint32_t find_property(uint32_t code) {
  if (code < PROPERTY_END) {
    uint32_t block = property_index[code >> BLOCK_BITS];
    uint32_t place = (block << BLOCK_BITS) + (code & ((1u << BLOCK_BITS) - 1u));
    uint32_t pair = property_blocks[place >> 1];
    return property_kinds[place & 1u ? pair >> 4 : pair & 15u];
  }
  return property_changes[find_change(property_changes, COUNT(property_changes), code)] & 255u;
}

static uint32_t find_class(uint32_t code) { return find_property(code) & CLASS_BITS; }

static uint32_t combining_class(uint32_t code) {
  return class_changes[find_change(class_changes, COUNT(class_changes), code)] & 255u;
}

/* Whether a character is in the blocks of Thai, Lao, Burmese or Khmer, whose words zero-width spaces
 * separate. */
static int is_separated(uint32_t code) {
  return (code >= 0x0E01 && code <= 0x0EFF) || (code >= 0x1000 && code <= 0x109F) ||
         (code >= 0x1780 && code <= 0x17FF) || (code >= 0x19E0 && code <= 0x19FF) ||
         (code >= 0xA9E0 && code <= 0xA9FF) || (code >= 0xAA60 && code <= 0xAA7F);
}

/* Whether a character is a token of its own for models with punctuation. */
static int is_symbol(uint32_t code) {
  if (code < 0x2600) return code == '!' || code == '?';
  return (code <= 0x27BF && code != 0x2640 && code != 0x2642) || code == 0x2B50 ||
         (code >= 0x1F300 && code <= 0x1F3FA) || (code >= 0x1F400 && code <= 0x1FAFF);
}

/* Read a code point. What is not UTF-8 is U+FFFD, one for each longest start of a character. */
static uint32_t decode(const unsigned char **next, const unsigned char *end) {
  const unsigned char *at = *next;
  uint32_t code = *at++, low = 0x80, high = 0xBF, more;
  if (code < 0x80) {
    *next = at;
    return code;
  }
  if (code >= 0xC2 && code <= 0xDF) {
    more = 1;
    code &= 0x1F;
  } else if (code >= 0xE0 && code <= 0xEF) {
    more = 2;
    if (code == 0xE0) low = 0xA0;  /* shorter forms exist */
    if (code == 0xED) high = 0x9F; /* surrogates are no characters */
    code &= 0x0F;
  } else if (code >= 0xF0 && code <= 0xF4) {
    more = 3;
    if (code == 0xF0) low = 0x90;
    if (code == 0xF4) high = 0x8F; /* Unicode ends at U+10FFFF */
    code &= 0x07;
  } else {
    *next = at;
    return REPLACEMENT;
  }
  for (; more > 0; more--) {
    if (at == end || *at < low || *at > high) {
      *next = at;
      return REPLACEMENT;
    }
    code = code << 6 | (*at++ & 0x3Fu);
    low = 0x80;
    high = 0xBF;
  }
  *next = at;
  return code;
}

/* Skip zero-width spaces; return whether they separate words. */
static int skip_separators(reader *r, uint32_t before) {
  uint32_t after = END;
  while (r->next < r->end) {
    const unsigned char *next = r->next;
    after = decode(&next, r->end);
    if (after != 0x200B) break;
    r->next = next;
    after = END;
  }
  return is_separated(before) && after != END && is_separated(after);
}

/* Read a character without invisible ones; what is not assigned is a space, marks are limited. */
static uint32_t read_visible(reader *r) {
  while (r->next < r->end) {
    uint32_t code = decode(&r->next, r->end), before = r->before, class_;
    r->before = code;
    class_ = find_class(code);
    if (class_ == INVISIBLE) {
      if (code != 0x200B || !skip_separators(r, before)) continue;
      code = ' ';
    } else if (class_ == UNASSIGNED) {
      code = ' ';
    } else if (class_ == MARK) {
      if (r->marks == MAX_MARKS) continue;
      r->marks++;
      return code;
    }
    r->marks = 0;
    return code;
  }
  return END;
}

/* Return the decomposition of a character in one step, or NULL. */
static const decomposition_part *find_decomposition(uint32_t code) {
  size_t low = 0, high = COUNT(decompositions) / DECOMPOSITION_WIDTH;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const decomposition_part *found = &decompositions[middle * DECOMPOSITION_WIDTH];
    uint32_t key = DECOMPOSED_CODE(found);
    if (key == code) return found;
    if (key < code) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return NULL;
}

/* Put the full decomposition of a character before the parts that are there. */
static void add_parts(reader *r, uint32_t code) {
  uint32_t parts[MAX_PARTS], count = 0, index;
  const decomposition_part *found = find_decomposition(code);
  while (found != NULL && count < MAX_PARTS - 1) { /* only first parts have parts */
    uint32_t second = DECOMPOSED_SECOND(found);
    code = DECOMPOSED_FIRST(found);
    if (second != 0) parts[count++] = second;
    found = find_decomposition(code);
  }
  parts[count++] = code;
  memmove(&r->parts[count], r->parts, r->part_count * sizeof r->parts[0]);
  for (index = 0; index < count; index++) r->parts[index] = parts[count - 1 - index];
  r->part_count += count;
}

/* Read the next character's parts, unless there are some. */
static void fill_parts(reader *r) {
  uint32_t code;
  if (r->part_count > 0 || (code = read_visible(r)) == END) return;
  r->stable = code < 0x80 || !(find_property(code) & CHANGES);
  if (r->stable) {
    r->parts[r->part_count++] = code;
  } else {
    add_parts(r, code);
  }
}

static uint32_t take_part(reader *r) {
  uint32_t part = r->parts[0];
  r->part_count--;
  memmove(r->parts, &r->parts[1], r->part_count * sizeof r->parts[0]);
  return part;
}

/* Return what two characters compose to, or 0. */
static uint32_t compose(uint32_t first, uint32_t second) {
  size_t low = 0, high = COUNT(compositions);
  if (first >= 0x1100 && first < 0x1113 && second >= 0x1161 && second < 0x1176) {
    return 0xAC00 + ((first - 0x1100) * 21 + (second - 0x1161)) * 28; /* Hangul */
  }
  if (first >= 0xAC00 && first < 0xD7A4 && (first - 0xAC00) % 28 == 0 && second > 0x11A7 &&
      second < 0x11C3) {
    return first + (second - 0x11A7);
  }
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const decomposition_part *found =
        &decompositions[(size_t)compositions[middle] * DECOMPOSITION_WIDTH];
    uint32_t one = DECOMPOSED_FIRST(found), other = DECOMPOSED_SECOND(found);
    if (one == first && other == second) return DECOMPOSED_CODE(found);
    if (one < first || (one == first && other < second)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return 0;
}

/* Return the lower case of one character, after the replacements of U+0130, U+03C2 and U+2019. */
static uint32_t lower(uint32_t code) {
  size_t low = 0, high = COUNT(lower_runs) / 2;
  uint32_t run, stride, count, first;
  if (code < 0x80) return code >= 'A' && code <= 'Z' ? code + 32 : code;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (((uint32_t)lower_runs[2 * middle] & 0xFFFFFu) <= code) {
      low = middle;
    } else {
      high = middle;
    }
  }
  run = (uint32_t)lower_runs[2 * low];
  first = run & 0xFFFFFu;
  stride = (run >> 20 & 1u) + 1u;
  count = run >> 21;
  if (code < first || (code - first) % stride || (code - first) / stride >= count) return code;
  return (uint32_t)((int32_t)code + lower_runs[2 * low + 1]);
}

/* Compose a starter with the marks after it, from run[1] on, as far as they do. */
static uint32_t compose_marks(uint32_t *run, uint32_t count) {
  uint32_t kept = 1, index, last = 0;
  for (index = 1; index < count; index++) {
    uint32_t class_ = combining_class(run[index]), composed = 0;
    if (kept == 1 || last < class_) composed = compose(run[0], run[index]);
    if (composed) {
      run[0] = composed;
    } else {
      run[kept++] = run[index];
      last = class_;
    }
  }
  return kept;
}

/* Normalize a starter, or a mark without one, with all marks after it, into `run`. */
static void read_run(reader *r, uint32_t starter) {
  uint32_t *run = r->run, count = 1, has_starter = combining_class(starter) == 0;
  run[0] = starter;
  for (fill_parts(r); r->part_count > 0; fill_parts(r)) {
    uint32_t part = r->parts[0], class_ = r->stable ? 0 : combining_class(part);
    if (class_ > 0 && count < MAX_RUN) { /* sorted by class, equal ones as they come */
      uint32_t place = count++;
      while (place > !!has_starter && combining_class(run[place - 1]) > class_) {
        run[place] = run[place - 1];
        place--;
      }
      run[place] = part;
    } else {
      uint32_t composed = 0;
      if (!has_starter) break;
      count = compose_marks(run, count);
      if (count == 1) composed = compose(run[0], part);
      if (!composed) break;
      run[0] = composed;
    }
    take_part(r);
  }
  if (has_starter) {
    count = compose_marks(run, count);
    starter = run[0];
    run[0] = lower(starter);
    if (run[0] == 'i' && starter != 0x130 && count > 1 && run[1] == 0x307) { /* i with a dot */
      count--;
      memmove(&run[1], &run[2], (count - 1) * sizeof run[0]);
    }
    count = compose_marks(run, count);
  }
  r->run_next = 0;
  r->run_end = count;
}

/* Read the next normalized character. */
static uint32_t read_character(reader *r) {
  uint32_t code;
  if (r->run_next < r->run_end) return r->run[r->run_next++];
  if (r->part_count == 0 && r->next < r->end && *r->next < 0x80 &&
      (r->next + 1 == r->end || r->next[1] < 0x80)) { /* ASCII before ASCII is most of most text */
    code = *r->next++;
    r->before = code;
    r->marks = 0;
    return code >= 'A' && code <= 'Z' ? code + 32 : code;
  }
  fill_parts(r);
  if (r->part_count == 0) return END;
  if (r->stable) {
    code = take_part(r);
    if (r->next == r->end || *r->next < 0x80) return lower(code);
    fill_parts(r);
    if (r->part_count == 0 || r->stable) return lower(code);
    add_parts(r, code);
  }
  read_run(r, take_part(r));
  return r->run[r->run_next++];
}

static void start_reader(reader *r, const glovelite_session *s, const char *text, size_t length) {
  memset(r, 0, sizeof *r);
  r->next = (const unsigned char *)(length > 0 ? text : ""); /* no text may be NULL */
  r->end = r->next + length;
  r->before = END;
  r->run = s->characters;
}

/* ---------------------------------------------------------------------------------------- tokens */

/* How a token was found. */
typedef enum { NOT_FOUND, LISTED, HASHED, CORRECTED } finding;

typedef struct {
  uint32_t id;
  finding found;
} token;

/* The tokens of a text. For words, `word` holds the bytes of a word, or of its last part where the
 * word is longer than any that is listed. For pieces, it holds the next characters of a word. */
typedef struct {
  const glovelite_session *session;
  const glovelite_model *model;
  reader text;
  uint32_t character; /* the next one */
  unsigned char *word;
  uint32_t capacity, length; /* bytes */
  uint32_t checksum;         /* CRC-32 of the word */
  uint32_t *prefixes;        /* CRC-32 and end of each start of the window of pieces */
  uint32_t window;           /* characters in the window of pieces */
  int in_word, is_whole;     /* is_whole: `word` begins with the word's first byte */
  int has_parts, is_lost;    /* is_lost: the part does not fit into `word` */
  uint32_t part_start, part_checksum, part_characters, best_characters;
  token best;           /* of the parts that are known */
  uint32_t corrections; /* unknown words whose spelling was looked up */
} scanner;

static uint32_t update_checksum(uint32_t checksum, uint32_t byte) {
  return crc_table[(checksum ^ byte) & 255u] ^ checksum >> 8;
}

/* Write a character as UTF-8; return the number of bytes. */
static uint32_t encode(uint32_t code, unsigned char *bytes) {
  if (code < 0x80) {
    bytes[0] = (unsigned char)code;
    return 1;
  }
  if (code < 0x800) {
    bytes[0] = (unsigned char)(0xC0 | code >> 6);
    bytes[1] = (unsigned char)(0x80 | (code & 0x3F));
    return 2;
  }
  if (code < 0x10000) {
    bytes[0] = (unsigned char)(0xE0 | code >> 12);
    bytes[1] = (unsigned char)(0x80 | (code >> 6 & 0x3F));
    bytes[2] = (unsigned char)(0x80 | (code & 0x3F));
    return 3;
  }
  bytes[0] = (unsigned char)(0xF0 | code >> 18);
  bytes[1] = (unsigned char)(0x80 | (code >> 12 & 0x3F));
  bytes[2] = (unsigned char)(0x80 | (code >> 6 & 0x3F));
  bytes[3] = (unsigned char)(0x80 | (code & 0x3F));
  return 4;
}

static uint32_t read_slot(const glovelite_model *m, uint32_t slot) {
  return m->wide_index ? ((const uint32_t *)m->token_index)[slot]
                       : ((const uint16_t *)m->token_index)[slot];
}

/* Return the id of a listed token by its bytes and their CRC-32, or 0. */
static uint32_t find_listed(const glovelite_model *m, uint32_t checksum, const unsigned char *bytes,
                            uint32_t length) {
  uint32_t slot = checksum & (m->slots - 1), id;
  while ((id = read_slot(m, slot)) != 0) { /* loading has seen an empty slot */
    uint32_t start = m->token_starts[id];
    if (m->token_starts[id + 1] - start == length &&
        memcmp(m->token_text + start, bytes, length) == 0) {
      return id;
    }
    slot = (slot + 1) & (m->slots - 1);
  }
  return 0;
}

/* Return the id of a hashed word by its CRC-32, or 0. */
static uint32_t find_hashed(const glovelite_model *m, uint32_t checksum) {
  uint32_t low = 0, high = m->hashed;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (m->hashed_keys[middle] == checksum) return m->hashed_ids[middle];
    if (m->hashed_keys[middle] < checksum) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return 0;
}

/* Find a word or a part of one; its bytes are NULL if they are longer than any listed token. */
static token find_token(const glovelite_model *m, uint32_t checksum, const unsigned char *bytes,
                        uint32_t length) {
  token found = {UNKNOWN_ID, NOT_FOUND};
  uint32_t id = bytes == NULL ? 0 : find_listed(m, checksum, bytes, length);
  if (id != 0) {
    found.id = id;
    found.found = LISTED;
  } else if ((id = find_hashed(m, checksum)) != 0) {
    found.id = id;
    found.found = HASHED;
  }
  return found;
}

static void start_word(scanner *s) {
  s->length = s->part_start = s->part_characters = s->best_characters = 0;
  s->checksum = s->part_checksum = 0xFFFFFFFFu;
  s->has_parts = s->is_lost = 0;
  s->is_whole = 1;
  s->best.id = UNKNOWN_ID;
  s->best.found = NOT_FOUND;
}

static void append_byte(scanner *s, unsigned char byte) {
  s->checksum = update_checksum(s->checksum, byte);
  if (s->has_parts) s->part_checksum = update_checksum(s->part_checksum, byte);
  if (s->length == s->capacity) { /* no listed token is longer: keep only the last part */
    s->is_whole = 0;
    if (s->part_start == 0) {
      s->is_lost = 1;
      return;
    }
    s->length -= s->part_start;
    memmove(s->word, s->word + s->part_start, s->length);
    s->part_start = 0;
  }
  s->word[s->length++] = byte;
}

static void append_character(scanner *s, uint32_t code) {
  unsigned char bytes[4];
  uint32_t count = encode(code, bytes), index;
  for (index = 0; index < count; index++) append_byte(s, bytes[index]);
  s->part_characters++;
}

/* Remember the part that ends here if it is known and no shorter than the best. */
static void finish_part(scanner *s) {
  uint32_t checksum = s->has_parts ? s->part_checksum : s->checksum;
  token found = find_token(s->model, ~checksum, s->is_lost ? NULL : s->word + s->part_start,
                           s->length - s->part_start);
  if (found.found != NOT_FOUND && s->part_characters >= s->best_characters) {
    s->best = found;
    s->best_characters = s->part_characters;
  }
}

/* End a part at an apostrophe, and begin the next one. */
static void append_apostrophe(scanner *s) {
  finish_part(s);
  append_byte(s, '\'');
  s->has_parts = 1;
  s->is_lost = 0;
  if (!s->is_whole) s->length = 0;
  s->part_start = s->length;
  s->part_checksum = 0xFFFFFFFFu;
  s->part_characters = 0;
}

static token correct(const glovelite_session *s, const unsigned char *word, uint32_t length);

/* Return the token of the word that ends here: itself, else its longest known part, else its nearest
 * spelling. */
static token finish_word(scanner *s) {
  token found = find_token(s->model, ~s->checksum, s->is_whole ? s->word : NULL, s->length);
  if (found.found == NOT_FOUND && s->has_parts) {
    finish_part(s);
    found = s->best;
    if (found.found != NOT_FOUND) found.found = HASHED; /* as familiar as a hashed word */
  }
  if (found.found == NOT_FOUND && s->model->shortest > 0 && s->corrections < MAX_CORRECTIONS) {
    s->corrections++;
    if (s->is_whole) found = correct(s->session, s->word, s->length);
  }
  return found;
}

/* Read the rest of a word whose first letter is the current character. */
static token read_word(scanner *s) {
  uint32_t code = s->character, underscores = 0;
  start_word(s);
  for (;;) {
    uint32_t class_;
    append_character(s, code);
    while ((code = read_character(&s->text)), code - 'a' < 26u) { /* most letters of most text */
      append_byte(s, (unsigned char)code);
      s->part_characters++;
    }
    if (code == END) break;
    class_ = find_class(code);
    if (class_ == UNDERSCORE) { /* only between other characters of a word */
      underscores = 0;
      do {
        underscores++;
        code = read_character(&s->text);
        class_ = code == END ? OTHER : find_class(code);
      } while (class_ == UNDERSCORE);
      if (class_ != LETTER && class_ != MARK && class_ != JOINER) break;
      while (underscores-- > 0) append_character(s, '_');
    } else if (class_ == APOSTROPHE) { /* only before a letter */
      code = read_character(&s->text);
      if (code == END || find_class(code) != LETTER) break;
      append_apostrophe(s);
    } else if (class_ != LETTER && class_ != MARK && class_ != JOINER) {
      break;
    }
  }
  s->character = code;
  return finish_word(s);
}

/* Read a letter of a script without spaces between words, with its marks, or a symbol. */
static token read_letter(scanner *s, int with_marks) {
  uint32_t code = s->character, class_;
  start_word(s);
  do {
    append_character(s, code);
    code = read_character(&s->text);
    class_ = code == END ? OTHER : find_class(code);
  } while (with_marks && (class_ == MARK || class_ == JOINER));
  s->character = code;
  return finish_word(s);
}

static int next_word(scanner *s, token *found) {
  for (; s->character != END; s->character = read_character(&s->text)) {
    uint32_t class_ = find_class(s->character);
    if (class_ == LETTER) {
      *found = read_word(s);
      return 1;
    }
    if (s->model->punctuation && is_symbol(s->character)) {
      *found = read_letter(s, 0);
      return 1;
    }
    if (class_ == UNSPACED) {
      *found = read_letter(s, 1);
      return 1;
    }
  }
  return 0;
}

/* Fill the window of pieces with the rest of a word, as far as the longest piece reaches. */
static void fill_window(scanner *s) {
  const uint32_t longest = s->model->longest_piece;
  if (!s->in_word && s->window == 0) {
    while (s->character != END && find_class(s->character) == SPACE) {
      s->character = read_character(&s->text);
    }
    if (s->character == END) return;
    s->length = encode(0x2581, s->word); /* what begins a word */
    s->window = 1;
    s->in_word = 1;
  }
  while (s->in_word && s->window < longest) {
    if (s->character == END || find_class(s->character) == SPACE) {
      s->in_word = 0;
    } else {
      s->length += encode(s->character, s->word + s->length);
      s->window++;
      s->character = read_character(&s->text);
    }
  }
}

/* Find the longest piece that the window starts with, or its first character. */
static int next_piece(scanner *s, token *found) {
  uint32_t checksum = 0xFFFFFFFFu, at = 0, count = 0, id = 0, end;
  do {
    fill_window(s);
    if (s->window == 0 && s->character == END) return 0;
  } while (s->window == 0);
  while (at < s->length) {
    do checksum = update_checksum(checksum, s->word[at++]);
    while (at < s->length && (s->word[at] & 0xC0) == 0x80);
    s->prefixes[2 * count] = ~checksum;
    s->prefixes[2 * count + 1] = at;
    count++;
  }
  while (count > 1) {
    id = find_listed(s->model, s->prefixes[2 * count - 2], s->word, s->prefixes[2 * count - 1]);
    if (id != 0) break;
    count--;
  }
  end = s->prefixes[2 * count - 1];
  if (id != 0) {
    found->id = id;
    found->found = LISTED;
  } else {
    *found = find_token(s->model, s->prefixes[0], s->word, end);
  }
  s->window -= count;
  s->length -= end;
  memmove(s->word, s->word + end, s->length);
  return 1;
}

/* Return how much of a word is kept: what is longer is neither listed nor corrected. */
static uint32_t count_word_bytes(const glovelite_model *m) {
  if (m->pieces) return 4 * m->longest_piece + 4;
  return m->shortest > 0 && m->longest_token < MAX_LETTER_BYTES ? MAX_LETTER_BYTES : m->longest_token;
}

static void start_scanner(scanner *s, const glovelite_session *session, const char *text,
                          size_t length) {
  memset(s, 0, sizeof *s);
  s->session = session;
  s->model = session->model;
  s->word = session->word;
  s->capacity = count_word_bytes(session->model);
  s->prefixes = session->prefixes;
  start_reader(&s->text, session, text, length);
  s->character = read_character(&s->text);
}

static int next_token(scanner *s, token *found) {
  return s->model->pieces ? next_piece(s, found) : next_word(s, found);
}

/* -------------------------------------------------------------------------------------- spelling */

enum { HASHED_COST = 13, MAX_COST = 16, UNLIKELY_EDIT = 5, SIMILAR_LETTER = 2, LEAST_RARITY = 2 };

/* Letters beside each letter on an English keyboard, from a to z. */
static const char neighbors[26][5] = {
    "qsz", "vng", "xvd", "sfec", "wrd", "dgrv", "fhtb", "gjyn", "uok", "hkum", "jli", "kop", "njk",
    "bmh", "ipl", "ol",  "wa",   "etf", "adwx", "ryg",  "yij",  "cbf", "qes",  "zcs", "tuh", "asx"};

/* The search for the known word that costs least of those that one edit makes of a word. */
typedef struct {
  const glovelite_session *session;
  const unsigned char *word;
  uint32_t count, length;                /* letters, bytes */
  uint32_t letters[MAX_LETTERS];
  uint32_t starts[MAX_LETTERS + 1];      /* of the letters in `word` */
  uint32_t checksums[MAX_LETTERS + 1];   /* CRC-32 before each letter */
  uint32_t cost, id;                     /* of the best candidate */
} spelling_search;

/* Whether a word with this CRC-32 may be known: a filter leaves a few false ones. */
static int may_be_known(const glovelite_session *s, uint32_t checksum) {
  const uint32_t bit = checksum >> s->filter_shift;
  return s->filter == NULL || ((uint32_t)s->filter[bit >> 3] >> (bit & 7u) & 1u);
}

static uint32_t count_bits(uint32_t value) {
  uint32_t bits = 0;
  for (; value > 0; value >>= 1) bits++;
  return bits;
}

/* Return the CRC-32, before its last step, of the word in which bytes replace some letters. */
static uint32_t edit_checksum(const spelling_search *s, uint32_t at, uint32_t deleted,
                              const unsigned char *bytes, uint32_t count) {
  uint32_t checksum = s->checksums[at], index;
  for (index = 0; index < count; index++) checksum = update_checksum(checksum, bytes[index]);
  for (index = s->starts[at + deleted]; index < s->length; index++) {
    checksum = update_checksum(checksum, s->word[index]);
  }
  return checksum;
}

/* Rate the word in which bytes replace some letters, by its CRC-32. */
static void try_edit(spelling_search *s, uint32_t at, uint32_t deleted, const unsigned char *bytes,
                     uint32_t count, uint32_t cost, uint32_t checksum) {
  const glovelite_model *m = s->session->model;
  const uint32_t start = s->starts[at], rest = s->starts[at + deleted];
  unsigned char candidate[MAX_LETTER_BYTES + 4];
  uint32_t id;
  if (cost + LEAST_RARITY > s->cost || !may_be_known(s->session, ~checksum)) return;
  memcpy(candidate, s->word, start);
  memcpy(candidate + start, bytes, count);
  memcpy(candidate + start + count, s->word + rest, s->length - rest);
  id = find_listed(m, ~checksum, candidate, start + count + s->length - rest);
  if (id != 0) {
    cost += count_bits(id); /* ids are sorted by frequency */
  } else {
    cost += HASHED_COST;
    if (cost > s->cost || (id = find_hashed(m, ~checksum)) == 0) return;
  }
  if (cost < s->cost || (cost == s->cost && id < s->id)) {
    s->cost = cost;
    s->id = id;
  }
}

static int is_vowel(uint32_t letter) {
  return letter != 0 && letter < 0x80 && strchr("aeiouy", (int)letter) != NULL;
}

static uint32_t replacement_cost(uint32_t old, uint32_t letter) {
  if (is_vowel(old) && is_vowel(letter)) return SIMILAR_LETTER;
  if (old - 'a' < 26u && letter - 'a' < 26u && strchr(neighbors[old - 'a'], (int)letter) != NULL) {
    return SIMILAR_LETTER;
  }
  return UNLIKELY_EDIT;
}

/* Split a word into letters; return whether the model corrects words of these letters. */
static int split_letters(spelling_search *s) {
  const glovelite_model *m = s->session->model;
  const unsigned char *next = s->word, *end = s->word + s->length;
  uint32_t index;
  while (next < end) {
    const unsigned char *start = next;
    uint32_t letter, checksum;
    if (s->count == MAX_LETTERS) return 0;
    letter = decode(&next, end);
    for (index = 0; index < m->alphabet && m->letters[index] != letter; index++) continue;
    if (index == m->alphabet) return 0;
    s->letters[s->count++] = letter;
    s->starts[s->count] = (uint32_t)(next - s->word);
    checksum = s->checksums[s->count - 1];
    for (; start < next; start++) checksum = update_checksum(checksum, *start);
    s->checksums[s->count] = checksum;
  }
  return s->count >= m->shortest;
}

/* Try to delete each letter after the first, and to exchange it with the one before it. */
static void try_deletions(spelling_search *s) {
  unsigned char bytes[8];
  uint32_t at, count;
  for (at = 1; at < s->count; at++) {
    const uint32_t letter = s->letters[at], before = s->letters[at - 1];
    try_edit(s, at, 1, bytes, 0, letter == before ? 0 : UNLIKELY_EDIT,
             edit_checksum(s, at, 1, bytes, 0));
    count = encode(letter, bytes);
    count += encode(before, bytes + count);
    try_edit(s, at - 1, 2, bytes, count, 0, edit_checksum(s, at - 1, 2, bytes, count));
  }
}

/* Try to insert each letter of the alphabet after each letter, and to replace that by it.
 *
 * CRC-32 is linear: that of a word with a letter is that of the word with zeros in its place, xor what
 * the letter and as many zeros as bytes follow it give, which takes one step from place to place. */
static void try_letters(spelling_search *s) {
  static const unsigned char zeros[4] = {0};
  const glovelite_model *m = s->session->model;
  uint32_t inserted[MAX_LETTERS + 1], replaced[MAX_LETTERS + 1], width = 0, index, at;
  for (index = 0; index < m->alphabet; index++) {
    const uint32_t letter = m->letters[index];
    unsigned char bytes[4];
    const uint32_t count = encode(letter, bytes);
    uint32_t share = 0, following = 0, byte;
    for (at = s->count; count != width && at > 0; at--) {
      inserted[at] = edit_checksum(s, at, 0, zeros, count);
      replaced[at - 1] = edit_checksum(s, at - 1, 1, zeros, count);
    }
    width = count;
    for (byte = 0; byte < count; byte++) share = update_checksum(share, bytes[byte]);
    for (at = s->count; at > 0; at--) {
      const uint32_t old = s->letters[at - 1];
      for (; following < s->length - s->starts[at]; following++) share = update_checksum(share, 0);
      try_edit(s, at, 0, bytes, count, 0, inserted[at] ^ share);
      if (at == 1 || old == letter) continue;
      try_edit(s, at - 1, 1, bytes, count, replacement_cost(old, letter), replaced[at - 1] ^ share);
    }
  }
}

static token correct(const glovelite_session *session, const unsigned char *word, uint32_t length) {
  token found = {UNKNOWN_ID, NOT_FOUND};
  spelling_search s;
  memset(&s, 0, sizeof s);
  s.session = session;
  s.word = word;
  s.length = length;
  s.checksums[0] = 0xFFFFFFFFu;
  s.cost = MAX_COST;
  s.id = 0xFFFFFFFFu;
  if (!split_letters(&s)) return found;
  try_deletions(&s);
  try_letters(&s);
  if (s.id != 0xFFFFFFFFu) {
    found.id = s.id;
    found.found = CORRECTED;
  }
  return found;
}

/* Mark the CRC-32 of every known word in a session's filter. */
static void fill_filter(glovelite_session *s) {
  const glovelite_model *m = s->model;
  uint32_t id, index;
  memset(s->filter, 0, (size_t)1 << (32 - s->filter_shift - 3));
  for (id = 2; id < m->tokens + m->hashed; id++) {
    uint32_t checksum = 0xFFFFFFFFu, bit;
    if (id < m->tokens) {
      for (index = m->token_starts[id]; index < m->token_starts[id + 1]; index++) {
        checksum = update_checksum(checksum, m->token_text[index]);
      }
      checksum = ~checksum;
    } else {
      checksum = m->hashed_keys[id - m->tokens];
    }
    bit = checksum >> s->filter_shift;
    s->filter[bit >> 3] = (unsigned char)(s->filter[bit >> 3] | 1u << (bit & 7u));
  }
}

/* --------------------------------------------------------------------------------------- n-grams */

/* The n-grams that end at a character are hashed as it is read, each from one start. */
typedef struct {
  const glovelite_model *model;
  uint32_t hashes[MAX_NGRAM], starts; /* of n-grams that may grow, the longest first */
  int32_t *sums;
  uint32_t count;
} ngram_counter;

static uint32_t extend_hash(uint32_t hash, uint32_t code) { /* FNV-1a over code points */
  return (hash ^ code) * 16777619u;
}

static void count_ngram(ngram_counter *n, uint32_t hash) {
  const glovelite_model *m = n->model;
  const unsigned char *pairs;
  uint32_t column;
  hash = (hash ^ hash >> 16) * 0x85EBCA6Bu; /* MurmurHash3's last steps */
  hash = (hash ^ hash >> 13) * 0xC2B2AE35u;
  hash ^= hash >> 16;
  pairs = m->ngram_values + (size_t)(hash & (m->buckets - 1)) * ((m->ngram_columns + 1) / 2);
  for (column = 0; column < m->ngram_columns; column++) {
    uint32_t pair = pairs[column / 2];
    int32_t value = (int32_t)(column & 1 ? pair >> 4 : pair & 15u) - 8;
    n->sums[column] += value * ((value < 0 ? -value : value) + 1) / 2;
  }
  n->count++;
}

/* Read a character of a word, or the space before or after it. */
static void add_character(ngram_counter *n, uint32_t code, int is_first) {
  uint32_t index;
  if (n->starts == n->model->longest_ngram) {
    n->starts--;
    memmove(n->hashes, &n->hashes[1], n->starts * sizeof n->hashes[0]);
  }
  if (code != ' ') n->hashes[n->starts++] = 2166136261u;
  for (index = 0; index < n->starts && !is_first; index++) {
    n->hashes[index] = extend_hash(n->hashes[index], code);
    count_ngram(n, n->hashes[index]);
  }
  if (code == ' ') { /* no n-gram goes on behind a space */
    n->hashes[0] = extend_hash(2166136261u, code);
    n->starts = 1;
  }
}

/* Sum the weights of a text's n-grams; return how many it has. */
static uint32_t sum_ngrams(const glovelite_session *s, const char *text, size_t length) {
  const glovelite_model *m = s->model;
  const unsigned char *start = (const unsigned char *)(length > 0 ? text : "");
  const unsigned char *next = start, *end = start + length;
  ngram_counter n;
  reader r;
  uint32_t code, left = m->ngram_characters;
  int in_word = 0;
  while (next < end && left-- > 0) decode(&next, end);
  start_reader(&r, s, text, (size_t)(next - start));
  memset(&n, 0, sizeof n);
  n.model = m;
  n.sums = s->sums;
  memset(n.sums, 0, m->ngram_columns * sizeof n.sums[0]);
  while ((code = read_character(&r)) != END) {
    if (find_class(code) == SPACE) {
      if (in_word) add_character(&n, ' ', 0);
      in_word = 0;
    } else {
      if (!in_word && n.count == 0) add_character(&n, ' ', 1);
      add_character(&n, code, 0);
      in_word = 1;
    }
  }
  if (in_word) add_character(&n, ' ', 0);
  return n.count;
}

/* Return the number of logits that n-grams have. */
static uint32_t count_ngram_outputs(const glovelite_model *m) {
  return m->labels == 2 && !m->multi_label ? 1 : m->labels;
}

/* Return what the n-grams add to a logit. */
static double ngram_logit(const glovelite_session *s, uint32_t output, uint32_t count) {
  const glovelite_model *m = s->model;
  double root = sqrt(count), sum = 0;
  uint32_t column;
  if (m->ngram_mixing == NULL) {
    sum = s->sums[output] * (double)m->ngram_scales[output] / root;
  } else {
    for (column = 0; column < m->ngram_columns; column++) {
      double scaled = s->sums[column] * (double)m->ngram_scales[column] / root;
      sum += scaled * (double)m->ngram_mixing[column * count_ngram_outputs(m) + output];
    }
  }
  return sum + (double)m->ngram_bias[output];
}

/* Add the logits of a text's n-grams to the probabilities: softmax(log p + z) is the softmax of
 * logits + z, and so for the sigmoid. */
static void add_ngrams(const glovelite_session *s, const char *text, size_t length) {
  const glovelite_model *m = s->model;
  float *p = s->probabilities;
  uint32_t count = sum_ngrams(s, text, length), label;
  double largest = -1e300, sum = 0;
  if (count == 0) return;
  for (label = 0; label < m->labels; label++) {
    double clipped = p[label] > 1e-12f ? (double)p[label] : 1e-12, z = 0;
    if (clipped > 1) clipped = 1;
    if (m->multi_label) {
      double other = 1 - clipped > 1e-12 ? 1 - clipped : 1e-12;
      z = -ngram_logit(s, label, count);
      p[label] = (float)(1 / (1 + other / clipped * exp(z < 500 ? z : 500)));
    } else {
      if (count_ngram_outputs(m) > 1) z = ngram_logit(s, label, count);
      if (count_ngram_outputs(m) == 1 && label == 1) z = ngram_logit(s, 0, count);
      p[label] = (float)(log(clipped) + z);
      if (!((double)p[label] <= largest)) largest = (double)p[label];
    }
  }
  if (m->multi_label) return;
  for (label = 0; label < m->labels; label++) sum += exp((double)p[label] - largest);
  for (label = 0; label < m->labels; label++) p[label] = (float)(exp((double)p[label] - largest) / sum);
}

/* -------------------------------------------------------------------------------------- products */

static uint32_t pad(uint32_t count, uint32_t block) { return (count + block - 1) / block * block; }

static float expand_half(uint32_t half) {
  uint32_t bits = (half & 0x7FFFu) << 13;
  float value;
  memcpy(&value, &bits, sizeof value);
  value *= 0x1p112f; /* the difference of the exponents' offsets; exact, for small numbers too */
  if (bits >= 0x0F800000u) {
    bits |= 0x7F800000u;
    memcpy(&value, &bits, sizeof value);
  }
  return half & 0x8000u ? -value : value;
}

/* Write the row of an id as real numbers. */
static void read_row(const glovelite_model *m, uint32_t id, float *row) {
  const uint32_t columns = m->row_columns;
  uint32_t column;
  if (m->row_bits == 32) {
    memcpy(row, (const float *)(const void *)m->rows + (size_t)id * columns, columns * sizeof *row);
  } else if (m->row_bits == 16) {
    const uint16_t *halves = (const uint16_t *)(const void *)m->rows + (size_t)id * columns;
    for (column = 0; column < columns; column++) row[column] = expand_half(halves[column]);
  } else if (m->row_bits == 8) {
    const signed char *values = (const signed char *)m->rows + (size_t)id * columns;
    for (column = 0; column < columns; column++) row[column] = (float)values[column];
  } else { /* two values a byte, 16 * high + low: the first half of the row is low */
    const uint32_t half = (columns + 1) / 2;
    const signed char *pairs = (const signed char *)m->rows + (size_t)id * half;
    for (column = 0; column < half; column++) {
      int high = (pairs[column] + 136) / 16 - 8; /* rounds down */
      row[column] = (float)(pairs[column] - 16 * high);
      if (half + column < columns) row[half + column] = (float)high;
    }
  }
  if (m->row_scales != NULL) {
    for (column = 0; column < columns; column++) row[column] *= m->row_scales[id];
  }
}

#if defined(__GNUC__) && !defined(GLOVELITE_PLAIN)
/* GCC and Clang have vectors in C for every machine; without, GCC keeps the sums in memory. */
typedef float lanes __attribute__((vector_size(4 * sizeof(float))));

static lanes read_lanes(const float *values) {
  lanes read;
  memcpy(&read, values, sizeof read);
  return read;
}

/* Multiply a row with a block of the kernels' columns. */
static void multiply_block(const float *row, uint32_t dimensions, const float *kernel, float *sums) {
  lanes first = {0}, second = {0}, third = {0}, fourth = {0};
  uint32_t dimension;
  for (dimension = 0; dimension < dimensions; dimension++, kernel += COLUMN_BLOCK) {
    const lanes value = {row[dimension], row[dimension], row[dimension], row[dimension]};
    first += value * read_lanes(kernel);
    second += value * read_lanes(kernel + 4);
    third += value * read_lanes(kernel + 8);
    fourth += value * read_lanes(kernel + 12);
  }
  memcpy(sums, &first, sizeof first);
  memcpy(sums + 4, &second, sizeof second);
  memcpy(sums + 8, &third, sizeof third);
  memcpy(sums + 12, &fourth, sizeof fourth);
}

/* Return the sum of products of two rows, whose length is a multiple of FILTER_BLOCK. */
static float multiply_rows(const float *one, const float *other, uint32_t count) {
  lanes first = {0}, second = {0};
  uint32_t index;
  for (index = 0; index < count; index += FILTER_BLOCK) {
    first += read_lanes(one + index) * read_lanes(other + index);
    second += read_lanes(one + index + 4) * read_lanes(other + index + 4);
  }
  first += second;
  return (first[0] + first[1]) + (first[2] + first[3]);
}
#else
static void multiply_block(const float *row, uint32_t dimensions, const float *kernel, float *sums) {
  uint32_t dimension, column;
  for (column = 0; column < COLUMN_BLOCK; column++) sums[column] = 0;
  for (dimension = 0; dimension < dimensions; dimension++, kernel += COLUMN_BLOCK) {
    for (column = 0; column < COLUMN_BLOCK; column++) sums[column] += row[dimension] * kernel[column];
  }
}

static float multiply_rows(const float *one, const float *other, uint32_t count) {
  float sum = 0;
  uint32_t index;
  for (index = 0; index < count; index++) sum += one[index] * other[index];
  return sum;
}
#endif

/* Multiply a row with the kernels of all taps and filters. */
static void multiply(const glovelite_model *m, const float *row, float *products) {
  const float *kernel = m->kernel_values;
  uint32_t block;
  for (block = 0; block < m->columns; block += COLUMN_BLOCK) {
    multiply_block(row, m->row_columns, kernel, products + block);
    kernel += (size_t)m->row_columns * COLUMN_BLOCK;
  }
}

/* Copy products that are stored as they are, with the filters padded. */
static void spread(const glovelite_model *m, const float *row, float *products) {
  uint32_t kernel, tap;
  memset(products, 0, m->columns * sizeof *products);
  for (kernel = 0; kernel < m->kernels; kernel++) {
    const uint32_t filters = m->kernel_shapes[2 * kernel + 1];
    for (tap = 0; tap < m->kernel_shapes[2 * kernel]; tap++) {
      memcpy(products, row, filters * sizeof *row);
      row += filters;
      products += pad(filters, FILTER_BLOCK);
    }
  }
}

static void compute_products(const glovelite_session *s, uint32_t id, float *products) {
  read_row(s->model, id, s->row);
  (s->model->folded ? spread : multiply)(s->model, s->row, products);
}

/* The products of the last words, as many as the longest kernel has taps, the last one last. */
typedef struct {
  const float *rows[MAX_TAPS];
  uint32_t position;
} products_window;

static int is_in_window(const glovelite_session *s, const products_window *w, const float *products) {
  uint32_t tap;
  for (tap = 1; tap < s->model->max_taps; tap++) {
    if (w->rows[tap] == products) return 1;
  }
  return 0;
}

/* Return the products of an id, from the cache if they are there. Each id has two places, of which
 * the one that was not used last is given up. */
static const float *find_products(glovelite_session *s, const products_window *w, uint32_t id) {
  const uint32_t columns = s->model->columns;
  float *spare = s->recent_rows + (size_t)(w->position % s->model->max_taps) * columns;
  if (s->cache_sets > 0) {
    const uint32_t set = id % s->cache_sets;
    uint32_t *ids = s->cache_ids + 2 * (size_t)set, way = s->cache_turns[set];
    float *rows = s->cache_rows + 2 * (size_t)set * columns;
    if (ids[way] == id) return rows + way * columns;
    way ^= 1u;
    if (ids[way] != id) {
      float *place = rows + way * columns;
      if (is_in_window(s, w, place)) {
        compute_products(s, id, spare);
        return spare;
      }
      compute_products(s, id, place);
      ids[way] = id;
    }
    s->cache_turns[set] = (unsigned char)way;
    return rows + way * columns;
  }
  compute_products(s, id, spare);
  return spare;
}

/* Add up the windows that end at the last word, and keep each filter's maximum. */
static void pool(const glovelite_model *m, const products_window *w, float *features) {
  uint32_t kernel, tap, filter, index;
  size_t column = 0;
  for (kernel = 0; kernel < m->kernels; kernel++) {
    const uint32_t taps = m->kernel_shapes[2 * kernel];
    const uint32_t filters = pad(m->kernel_shapes[2 * kernel + 1], FILTER_BLOCK);
    const float *const *rows = &w->rows[m->max_taps - taps];
    for (filter = 0; filter < filters && w->position + 1 >= taps; filter += FILTER_BLOCK) {
      const float *first = rows[0] + column + filter;
      float sums[FILTER_BLOCK];
      memcpy(sums, first, sizeof sums);
      for (tap = 1; tap < taps; tap++) {
        const float *more = rows[tap] + column + tap * filters + filter;
        for (index = 0; index < FILTER_BLOCK; index++) sums[index] += more[index];
      }
      for (index = 0; index < FILTER_BLOCK; index++) {
        float *feature = &features[filter + index];
        *feature = sums[index] > *feature ? sums[index] : *feature;
      }
    }
    column += (size_t)taps * filters;
    features += filters;
  }
}

static void push_products(glovelite_session *s, products_window *w, const float *products) {
  const uint32_t taps = s->model->max_taps;
  memmove(w->rows, &w->rows[1], (taps - 1) * sizeof w->rows[0]);
  w->rows[taps - 1] = products;
  pool(s->model, w, s->features);
  w->position++;
}

/* ------------------------------------------------------------------------------------ prediction */

/* What is counted while a text is read. */
typedef struct {
  uint32_t tokens, unknown, corrected;
  double levels;
  int truncated;
} text_counts;

static double read_double(const unsigned char *bytes, uint32_t index) {
  double value;
  memcpy(&value, bytes + (size_t)index * sizeof value, sizeof value);
  return value;
}

static void count_token(const glovelite_model *m, token found, text_counts *counts) {
  counts->tokens++;
  counts->unknown += found.id == UNKNOWN_ID;
  counts->corrected += found.found == CORRECTED;
  if (m->levels == NULL) return;
  if (found.found == HASHED) {
    counts->levels += m->hashed_level;
  } else { /* a corrected word is as unfamiliar as an unknown one */
    counts->levels += (double)m->levels[found.found == CORRECTED ? UNKNOWN_ID : found.id];
  }
}

/* Add the weights of a single word. */
static void add_wide(const glovelite_session *s, uint32_t id) {
  const glovelite_model *m = s->model;
  const size_t start = (size_t)id * m->wide_columns;
  uint32_t column;
  for (column = 0; column < m->wide_columns; column++) {
    const size_t place = start + column;
    if (m->wide_bits == 8) {
      s->sums[column] += ((const signed char *)m->wide)[place];
    } else if (m->wide_bits == 16) {
      s->wide_sums[column] += expand_half(((const uint16_t *)(const void *)m->wide)[place]);
    } else {
      s->wide_sums[column] += ((const float *)(const void *)m->wide)[place];
    }
  }
}

/* Read a text up to the features of its model. */
static text_counts read_text(glovelite_session *s, const char *text, size_t length) {
  const glovelite_model *m = s->model;
  text_counts counts = {0, 0, 0, 0.0, 0};
  products_window window;
  scanner tokens;
  token found;
  uint32_t index;
  memset(&window, 0, sizeof window);
  memset(s->sums, 0, m->outputs * sizeof s->sums[0]);
  for (index = 0; index < m->wide_columns; index++) s->wide_sums[index] = 0;
  for (index = 0; index < m->features; index++) s->features[index] = -HUGE_VALF;
  start_scanner(&tokens, s, text, length);
  while (next_token(&tokens, &found)) {
    if (counts.tokens == m->max_tokens) {
      counts.truncated = 1;
      break;
    }
    count_token(m, found, &counts);
    add_wide(s, found.id);
    push_products(s, &window, find_products(s, &window, found.id));
  }
  for (index = 0; index < m->max_taps; index++) push_products(s, &window, s->padding_row);
  return counts;
}

/* Multiply the columns that many outputs share: first those of the features, then the wide ones. */
static void mix_columns(const glovelite_session *s) {
  const glovelite_model *m = s->model;
  float *wide = s->shared + m->feature_columns;
  uint32_t output, column;
  for (column = m->feature_columns; column < m->shared_columns; column++) s->shared[column] = 0;
  memcpy(wide, s->wide_sums, m->wide_columns * sizeof *wide);
  for (output = 0; output < m->outputs; output++) {
    const float *weights = m->mixing + (size_t)output * m->shared_columns;
    s->logits[output] = multiply_rows(s->shared, weights, m->shared_columns);
  }
}

/* Compute the logits of the features that were read. */
static void compute_logits(const glovelite_session *s, uint32_t tokens) {
  const glovelite_model *m = s->model;
  const float root = 1 / sqrtf(tokens > 1 ? (float)tokens : 1.0f);
  uint32_t feature, output, column;
  for (feature = 0; feature < m->features; feature++) {
    float value = s->features[feature] + m->feature_bias[feature];
    s->features[feature] = value > 0 ? value : 0;
  }
  for (column = 0; column < m->wide_columns; column++) {
    s->wide_sums[column] += (float)s->sums[column];
    if (m->wide_scales != NULL) s->wide_sums[column] *= m->wide_scales[column];
    s->wide_sums[column] *= root;
  }
  for (column = 0; column < m->feature_columns; column++) {
    const float *weights = m->logit_weights + (size_t)column * m->features;
    const float sum = multiply_rows(s->features, weights, m->features);
    if (m->mixing != NULL) {
      s->shared[column] = sum;
    } else {
      s->logits[column] = sum + (column < m->wide_columns ? s->wide_sums[column] : 0);
    }
  }
  if (m->mixing != NULL) mix_columns(s);
  for (output = 0; output < m->outputs; output++) s->logits[output] += m->logit_bias[output];
}

static void compute_probabilities(const glovelite_session *s) {
  const glovelite_model *m = s->model;
  float *p = s->probabilities, largest = s->logits[0], sum = 0;
  uint32_t output;
  if (m->softmax) {
    for (output = 1; output < m->outputs; output++) {
      if (s->logits[output] > largest) largest = s->logits[output];
    }
    for (output = 0; output < m->outputs; output++) {
      p[output] = expf(s->logits[output] - largest);
      sum += p[output];
    }
    for (output = 0; output < m->outputs; output++) p[output] /= sum;
  } else {
    for (output = 0; output < m->outputs; output++) p[output] = 1 / (1 + expf(-s->logits[output]));
    if (m->outputs < m->labels) { /* of two labels, the second one's */
      p[1] = p[0];
      p[0] = 1 - p[1];
    }
  }
}

/* List the labels of a text, the most probable first; return the probability that they are exactly
 * right if labels are independent. */
static double decide_labels(const glovelite_session *s, glovelite_prediction *prediction) {
  const glovelite_model *m = s->model;
  const float *p = s->probabilities;
  double all_right = 1;
  uint32_t label, count = 0;
  for (label = 0; label < m->labels; label++) {
    const double threshold = read_double(m->thresholds, label);
    if (threshold <= (double)p[label] && threshold < 1) {
      uint32_t place = count++;
      for (; place > 0 && p[s->labels[place - 1]] < p[label]; place--) {
        s->labels[place] = s->labels[place - 1];
      }
      s->labels[place] = label;
      all_right *= (double)p[label];
    } else {
      all_right *= 1 - (double)p[label];
    }
  }
  prediction->given_count = count;
  return all_right;
}

static double lower_confidence(const glovelite_model *m, double probability, double familiarity) {
  if (familiarity >= m->typical) return probability;
  return probability /
         (probability + (1 - probability) * exp(m->penalty * (m->typical - familiarity)));
}

void glovelite_predict(glovelite_session *s, const char *text, size_t length,
                       glovelite_prediction *prediction) {
  const glovelite_model *m = s->model;
  const text_counts counts = read_text(s, text, length);
  uint32_t label, best = 0;
  double certainty, threshold;
  compute_logits(s, counts.tokens);
  compute_probabilities(s);
  if (m->buckets > 0) add_ngrams(s, text, length);
  for (label = 1; label < m->labels; label++) {
    if (s->probabilities[label] > s->probabilities[best]) best = label;
  }
  prediction->label = best;
  prediction->probability = s->probabilities[best];
  prediction->probabilities = s->probabilities;
  prediction->given = s->labels;
  if (m->multi_label) {
    certainty = decide_labels(s, prediction);
  } else {
    certainty = (double)s->probabilities[best];
    s->labels[0] = best;
    prediction->given_count = 1;
  }
  prediction->tokens = counts.tokens;
  prediction->corrected = counts.corrected;
  prediction->truncated = counts.truncated;
  prediction->known = 0;
  prediction->familiarity = 0;
  if (counts.tokens > 0) {
    const uint32_t unknown = counts.unknown + counts.corrected;
    prediction->known = 1 - (double)unknown / (double)counts.tokens;
    prediction->familiarity = counts.levels / (double)counts.tokens;
  }
  prediction->confidence = lower_confidence(m, certainty, prediction->familiarity);
  prediction->unfamiliar = prediction->known < m->min_known;
  threshold = read_double(m->thresholds, m->multi_label ? m->labels : best);
  prediction->abstained =
      prediction->unfamiliar || prediction->confidence < threshold || threshold >= 1;
}

size_t glovelite_encode(glovelite_session *s, const char *text, size_t length, uint32_t *ids,
                        size_t capacity) {
  scanner tokens;
  token found;
  size_t count = 0;
  start_scanner(&tokens, s, text, length);
  while (count < s->model->max_tokens && next_token(&tokens, &found)) {
    if (count < capacity) ids[count] = found.id;
    count++;
  }
  return count;
}

/* --------------------------------------------------------------------------------------- loading */

/* Sections of the file, by number. */
enum {
  SETTINGS = 1, LABELS, TOKEN_STARTS, TOKENS, TOKEN_INDEX, LEVELS, HASHED_KEYS, HASHED_IDS, ROWS,
  ROW_SCALES, KERNEL_SHAPES, KERNELS, FEATURE_BIAS, LOGIT_WEIGHTS, LOGIT_BIAS, WIDE, WIDE_SCALES,
  THRESHOLDS, NGRAM_BIAS, NGRAM_SCALES, NGRAM_MIXING, NGRAM_VALUES, LETTERS, MIXING, SECTIONS
};
enum { HEADER_BYTES = 32, SECTION_BYTES = 16, ALIGNMENT = 16, CHECKED_FROM = 16 };
enum { INTEGER_SETTINGS = 18, REAL_SETTINGS = 4, FORMAT_VERSION = 1 };
enum { PIECES_TOKENIZER = 2, MULTI_LABEL = 1, SOFTMAX = 2, FOLDED = 4 };

typedef struct {
  const unsigned char *start;
  uint64_t size; /* 0 if there is no such section */
} section;

static uint32_t read_uint32(const unsigned char *bytes) {
  uint32_t value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

static glovelite_status check_machine(void) {
  const float one = 1.0f;
  const uint16_t number = 1;
  unsigned char bytes[sizeof one];
  memcpy(bytes, &number, sizeof number);
  if (bytes[0] != 1) return GLOVELITE_MACHINE;
  memcpy(bytes, &one, sizeof one);
  if (sizeof one != 4 || bytes[3] != 0x3F || bytes[2] != 0x80) return GLOVELITE_MACHINE;
  return GLOVELITE_OK;
}

/* Check the header and the checksum. */
static glovelite_status check_header(const unsigned char *bytes, size_t size) {
  uint32_t checksum = 2166136261u;
  size_t at;
  if (size < HEADER_BYTES || memcmp(bytes, "GLMB", 4) != 0) return GLOVELITE_NO_MODEL;
  if ((uintptr_t)bytes % 4 != 0) return GLOVELITE_ALIGNMENT;
  if (read_uint32(bytes + 4) > FORMAT_VERSION) return GLOVELITE_NEWER;
  if (read_uint32(bytes + 4) < FORMAT_VERSION) return GLOVELITE_DAMAGED;
  if (read_uint32(bytes + 8) != size || size % ALIGNMENT != 0) return GLOVELITE_TRUNCATED;
  for (at = CHECKED_FROM; at < size; at += 4) {
    checksum = (checksum ^ read_uint32(bytes + at)) * 16777619u;
  }
  return checksum == read_uint32(bytes + 12) ? GLOVELITE_OK : GLOVELITE_CHECKSUM;
}

/* Find the sections; return whether each is inside the file and there once. */
static int find_sections(const unsigned char *bytes, size_t size, section *sections) {
  const uint32_t count = read_uint32(bytes + 16);
  uint32_t index;
  if (count > SECTIONS || HEADER_BYTES + count * SECTION_BYTES > size) return 0;
  for (index = 0; index < count; index++) {
    const unsigned char *entry = bytes + HEADER_BYTES + index * SECTION_BYTES;
    const uint32_t kind = read_uint32(entry), start = read_uint32(entry + 4);
    const uint32_t length = read_uint32(entry + 8);
    if (kind == 0 || kind >= SECTIONS || sections[kind].start != NULL) return 0;
    if (start % ALIGNMENT != 0 || start > size || length > size - start) return 0;
    sections[kind].start = bytes + start;
    sections[kind].size = length;
  }
  return 1;
}

static int is_between(uint32_t value, uint32_t least, uint32_t most) {
  return value >= least && value <= most;
}

static int is_power_of_two(uint32_t value) { return value > 0 && (value & (value - 1)) == 0; }

/* Read the settings; return whether they are possible. */
static int read_settings(glovelite_model *m, const section *settings) {
  const unsigned char *bytes = settings->start;
  uint32_t n[INTEGER_SETTINGS], index;
  if (settings->size != 4 * INTEGER_SETTINGS + 8 * REAL_SETTINGS) return 0;
  for (index = 0; index < INTEGER_SETTINGS; index++) n[index] = read_uint32(bytes + 4 * index);
  m->pieces = n[0] == PIECES_TOKENIZER;
  m->punctuation = n[0] == 1;
  m->max_tokens = n[1];
  m->tokens = n[2];
  m->labels = n[3];
  m->outputs = n[4];
  m->multi_label = (n[5] & MULTI_LABEL) != 0;
  m->softmax = (n[5] & SOFTMAX) != 0;
  m->folded = (n[5] & FOLDED) != 0;
  m->row_bits = n[6];
  m->row_columns = n[7];
  m->kernels = n[8];
  m->wide_bits = n[9];
  m->hashed = n[10];
  m->slots = n[11];
  m->buckets = n[12];
  m->longest_ngram = n[13];
  m->ngram_characters = n[14];
  m->ngram_columns = n[15];
  m->shortest = n[16];
  m->alphabet = n[17];
  m->wide_index = m->tokens > 1u << 16;
  bytes += 4 * INTEGER_SETTINGS;
  m->min_known = read_double(bytes, 0);
  m->typical = read_double(bytes, 1);
  m->penalty = read_double(bytes, 2);
  m->hashed_level = read_double(bytes, 3);
  if (n[0] > PIECES_TOKENIZER || n[5] > 7) return 0;
  if (!is_between(m->max_tokens, 1, 1u << 16) || !is_between(m->tokens, 2, 1u << 24)) return 0;
  if (!is_between(m->labels, 2, 1u << 16)) return 0;
  if (m->outputs != m->labels && (m->outputs != 1 || m->labels != 2 || m->multi_label)) return 0;
  if (m->softmax != (!m->multi_label && m->outputs > 1)) return 0;
  if (m->row_bits != 4 && m->row_bits != 8 && m->row_bits != 16 && m->row_bits != 32) return 0;
  if (m->wide_bits != 0 && m->wide_bits != 8 && m->wide_bits != 16 && m->wide_bits != 32) return 0;
  if (!is_between(m->row_columns, 1, 1u << 20) || !is_between(m->kernels, 1, 256)) return 0;
  if (!is_power_of_two(m->slots) || m->slots > 1u << 26 || m->hashed > 1u << 24) return 0;
  if (m->shortest > MAX_LETTERS || m->alphabet > MAX_ALPHABET || (m->shortest > 0 && m->pieces)) {
    return 0;
  }
  if (m->buckets == 0) return 1;
  return is_power_of_two(m->buckets) && m->buckets <= 1u << 20 &&
         is_between(m->longest_ngram, 1, MAX_NGRAM) && is_between(m->ngram_characters, 1, 1u << 16) &&
         is_between(m->ngram_columns, 1, MAX_NGRAM_COLUMNS);
}

/* Count taps, columns and features of the kernels; return whether they are possible. */
static int read_shapes(glovelite_model *m, const section *shapes) {
  uint64_t columns = 0, features = 0, stored = 0;
  uint32_t kernel;
  if (shapes->size != 8 * (uint64_t)m->kernels) return 0;
  m->kernel_shapes = (const uint32_t *)(const void *)shapes->start;
  m->max_taps = 0;
  for (kernel = 0; kernel < m->kernels; kernel++) {
    const uint32_t taps = m->kernel_shapes[2 * kernel], filters = m->kernel_shapes[2 * kernel + 1];
    if (!is_between(taps, 1, MAX_TAPS) || !is_between(filters, 1, 1u << 16)) return 0;
    if (taps > m->max_taps) m->max_taps = taps;
    features += pad(filters, FILTER_BLOCK);
    columns += (uint64_t)taps * pad(filters, FILTER_BLOCK);
    stored += (uint64_t)taps * filters;
  }
  if (columns > 1u << 20 || (m->folded && stored != m->row_columns)) return 0;
  m->columns = pad((uint32_t)columns, COLUMN_BLOCK);
  m->features = (uint32_t)features;
  return 1;
}

/* Check that strings follow each other and end where their section does; return the longest. */
static int check_starts(const uint32_t *starts, uint32_t count, uint64_t size, uint32_t *longest) {
  uint32_t index;
  *longest = 0;
  if (starts[0] != 0 || starts[count] != size) return 0;
  for (index = 0; index < count; index++) {
    if (starts[index + 1] < starts[index]) return 0;
    if (starts[index + 1] - starts[index] > *longest) *longest = starts[index + 1] - starts[index];
  }
  return 1;
}

/* Find the labels, which end with NUL, and the tokens. */
static int read_strings(glovelite_model *m, const section *sections) {
  const section *labels = &sections[LABELS], *starts = &sections[TOKEN_STARTS];
  const uint64_t label_bytes = 4 * ((uint64_t)m->labels + 1);
  uint32_t label, longest, id, index;
  if (labels->size < label_bytes || starts->size != 4 * ((uint64_t)m->tokens + 1)) return 0;
  m->label_starts = (const uint32_t *)(const void *)labels->start;
  m->label_text = (const char *)labels->start + label_bytes;
  if (!check_starts(m->label_starts, m->labels, labels->size - label_bytes, &longest)) return 0;
  for (label = 0; label < m->labels; label++) {
    const uint32_t end = m->label_starts[label + 1];
    if (end == m->label_starts[label] || m->label_text[end - 1] != '\0') return 0;
  }
  m->token_starts = (const uint32_t *)(const void *)starts->start;
  m->token_text = sections[TOKENS].start;
  if (!check_starts(m->token_starts, m->tokens, sections[TOKENS].size, &m->longest_token)) return 0;
  if (m->longest_token == 0 || m->longest_token > 1u << 20) return 0;
  m->longest_piece = 1;
  for (id = 2; id < m->tokens && m->pieces; id++) {
    uint32_t characters = 0;
    for (index = m->token_starts[id]; index < m->token_starts[id + 1]; index++) {
      characters += (m->token_text[index] & 0xC0) != 0x80;
    }
    if (characters > m->longest_piece) m->longest_piece = characters;
  }
  return 1;
}

/* Find the index of tokens and the hashed words; return whether they hold ids that exist. */
static int read_indexes(glovelite_model *m, const section *sections) {
  const uint64_t width = m->wide_index ? 4 : 2;
  uint32_t index, empty = 0;
  if (sections[TOKEN_INDEX].size != width * m->slots) return 0;
  if (sections[HASHED_KEYS].size != 4 * (uint64_t)m->hashed) return 0;
  if (sections[HASHED_IDS].size != 2 * (uint64_t)m->hashed) return 0;
  if (sections[LETTERS].size != 4 * (uint64_t)m->alphabet) return 0;
  m->letters = (const uint32_t *)(const void *)sections[LETTERS].start;
  for (index = 0; index < m->alphabet; index++) {
    if (m->letters[index] > 0x10FFFF) return 0;
  }
  m->token_index = sections[TOKEN_INDEX].start;
  m->hashed_keys = (const uint32_t *)(const void *)sections[HASHED_KEYS].start;
  m->hashed_ids = (const uint16_t *)(const void *)sections[HASHED_IDS].start;
  for (index = 0; index < m->slots; index++) {
    const uint32_t id = read_slot(m, index);
    if (id == UNKNOWN_ID || id >= m->tokens) return 0;
    empty += id == 0;
  }
  for (index = 0; index < m->hashed; index++) {
    if (m->hashed_ids[index] < 2 || m->hashed_ids[index] >= m->tokens) return 0;
    if (index > 0 && m->hashed_keys[index] <= m->hashed_keys[index - 1]) return 0;
  }
  if (sections[LEVELS].size != 0 && sections[LEVELS].size != m->tokens) return 0;
  m->levels = sections[LEVELS].start;
  return empty > 0;
}

/* Find numbers whose count is known; a section that is not needed may be missing. */
static int read_floats(const section *found, uint64_t count, int needed, const float **values) {
  if (found->size == 0 && !needed) {
    *values = NULL;
    return 1;
  }
  *values = (const float *)(const void *)found->start;
  return found->size == 4 * count;
}

static int read_weights(glovelite_model *m, const section *sections) {
  const uint64_t row = ((uint64_t)m->row_columns * m->row_bits + 7) / 8;
  const uint64_t wide = (uint64_t)m->tokens * (m->wide_bits / 8);
  const uint64_t columns = wide > 0 ? sections[WIDE].size / wide : 0;
  const uint64_t kernels = m->folded ? 0 : (uint64_t)m->columns * m->row_columns;
  const uint64_t features = sections[LOGIT_WEIGHTS].size / (4 * (uint64_t)m->features);
  const int shares = sections[MIXING].size > 0;
  m->rows = sections[ROWS].start;
  m->wide = sections[WIDE].start;
  m->wide_columns = (uint32_t)columns;
  m->feature_columns = (uint32_t)features;
  m->shared_columns = shares ? pad((uint32_t)(features + columns), FILTER_BLOCK) : 0;
  m->thresholds = sections[THRESHOLDS].start;
  return sections[ROWS].size == row * m->tokens && sections[WIDE].size == wide * columns &&
         sections[THRESHOLDS].size == 8 * ((uint64_t)m->labels + 1) &&
         read_floats(&sections[ROW_SCALES], m->tokens, 0, &m->row_scales) &&
         read_floats(&sections[KERNELS], kernels, !m->folded, &m->kernel_values) &&
         read_floats(&sections[FEATURE_BIAS], m->features, 1, &m->feature_bias) &&
         features <= m->outputs && (shares || features == m->outputs) &&
         read_floats(&sections[LOGIT_WEIGHTS], features * m->features, 1, &m->logit_weights) &&
         read_floats(&sections[LOGIT_BIAS], m->outputs, 1, &m->logit_bias) &&
         read_floats(&sections[WIDE_SCALES], columns, 0, &m->wide_scales) &&
         columns <= m->outputs && (wide == 0 || columns > 0) &&
         (shares || columns == 0 || columns == m->outputs) &&
         read_floats(&sections[MIXING], (uint64_t)m->shared_columns * m->outputs, 0, &m->mixing);
}

static int read_ngrams(glovelite_model *m, const section *sections) {
  const uint64_t columns = m->ngram_columns, outputs = count_ngram_outputs(m);
  const uint64_t width = (columns + 1) / 2;
  m->ngram_values = sections[NGRAM_VALUES].start;
  if (m->buckets == 0) return sections[NGRAM_VALUES].size == 0;
  return columns <= outputs && sections[NGRAM_VALUES].size == width * m->buckets &&
         read_floats(&sections[NGRAM_BIAS], outputs, 1, &m->ngram_bias) &&
         read_floats(&sections[NGRAM_SCALES], columns, 1, &m->ngram_scales) &&
         read_floats(&sections[NGRAM_MIXING], columns * outputs, columns < outputs,
                     &m->ngram_mixing);
}

glovelite_status glovelite_load(glovelite_model *m, const void *content, size_t size) {
  section sections[SECTIONS];
  glovelite_status status = check_machine();
  memset(m, 0, sizeof *m);
  memset(sections, 0, sizeof sections);
  if (status == GLOVELITE_OK) status = check_header((const unsigned char *)content, size);
  if (status != GLOVELITE_OK) return status;
  if (!find_sections((const unsigned char *)content, size, sections) ||
      !read_settings(m, &sections[SETTINGS]) || !read_shapes(m, &sections[KERNEL_SHAPES]) ||
      !read_strings(m, sections) || !read_indexes(m, sections) || !read_weights(m, sections) ||
      !read_ngrams(m, sections)) {
    return GLOVELITE_DAMAGED;
  }
  return GLOVELITE_OK;
}

/* Take part of a buffer; only count its bytes if there is none. */
static void *take(unsigned char *buffer, size_t *used, size_t bytes) {
  void *part = buffer == NULL ? NULL : buffer + *used;
  *used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  return part;
}

/* Divide a buffer, or with NULL count its bytes, without the cache. */
static size_t divide(glovelite_session *s, const glovelite_model *m, unsigned char *buffer) {
  size_t used = 0;
  s->characters = take(buffer, &used, MAX_RUN * sizeof *s->characters);
  s->word = take(buffer, &used, count_word_bytes(m));
  s->prefixes = take(buffer, &used, m->pieces ? (m->longest_piece + 1) * 2 * sizeof *s->prefixes : 0);
  s->labels = take(buffer, &used, m->labels * sizeof *s->labels);
  s->probabilities = take(buffer, &used, m->labels * sizeof *s->probabilities);
  s->logits = take(buffer, &used, m->outputs * sizeof *s->logits);
  s->wide_sums = take(buffer, &used, m->outputs * sizeof *s->wide_sums);
  s->shared = take(buffer, &used, m->shared_columns * sizeof *s->shared);
  s->sums = take(buffer, &used, (m->outputs + MAX_NGRAM_COLUMNS) * sizeof *s->sums);
  s->row = take(buffer, &used, m->row_columns * sizeof *s->row);
  s->features = take(buffer, &used, m->features * sizeof *s->features);
  s->padding_row = take(buffer, &used, m->columns * sizeof *s->padding_row);
  s->recent_rows = take(buffer, &used, (size_t)m->max_taps * m->columns * sizeof *s->recent_rows);
  return used;
}

/* Bytes of the cache for two words. */
static size_t set_bytes(const glovelite_model *m) {
  return 2 * (m->columns * sizeof(float) + sizeof(uint32_t)) + 1;
}

/* Bytes of the filter of known words, if words are corrected: no more than a bit in eight is set. */
static size_t filter_bytes(const glovelite_model *m) {
  return m->shortest > 0 ? (size_t)1 << count_bits(m->tokens + m->hashed) : 0;
}

size_t glovelite_buffer_size(const glovelite_model *m, size_t cache_bytes) {
  const size_t most = ((size_t)m->tokens + 1) / 2 * set_bytes(m) + filter_bytes(m) + ALIGNMENT;
  glovelite_session unused;
  if (cache_bytes > most) cache_bytes = most;
  return divide(&unused, m, NULL) + ALIGNMENT +
         (cache_bytes > 0 ? cache_bytes + 3 * ALIGNMENT : 0);
}

glovelite_status glovelite_start(glovelite_session *s, const glovelite_model *m, void *buffer,
                                 size_t size) {
  const size_t shift = (ALIGNMENT - (uintptr_t)buffer % ALIGNMENT) % ALIGNMENT;
  unsigned char *bytes = (unsigned char *)buffer + shift;
  size_t used, rest;
  if (size < glovelite_buffer_size(m, 0)) return GLOVELITE_SMALL_BUFFER;
  s->model = m;
  used = divide(s, m, bytes);
  rest = size - shift - used;
  s->filter = NULL;
  s->filter_shift = 0;
  if (m->shortest > 0 && rest >= filter_bytes(m) + ALIGNMENT) {
    s->filter = take(bytes, &used, filter_bytes(m));
    s->filter_shift = 32 - 3 - (count_bits((uint32_t)filter_bytes(m)) - 1);
    rest = size - shift - used;
    fill_filter(s);
  }
  s->cache_sets = 0;
  if (rest >= 3 * ALIGNMENT + set_bytes(m)) {
    const size_t sets = (rest - 3 * ALIGNMENT) / set_bytes(m), most = ((size_t)m->tokens + 1) / 2;
    s->cache_sets = (uint32_t)(sets < most ? sets : most);
    s->cache_rows = take(bytes, &used, 2 * (size_t)s->cache_sets * m->columns * sizeof(float));
    s->cache_ids = take(bytes, &used, 2 * (size_t)s->cache_sets * sizeof *s->cache_ids);
    s->cache_turns = take(bytes, &used, s->cache_sets);
    memset(s->cache_ids, 0xFF, 2 * (size_t)s->cache_sets * sizeof *s->cache_ids);
    memset(s->cache_turns, 0, s->cache_sets);
  }
  compute_products(s, PADDING_ID, s->padding_row);
  return GLOVELITE_OK;
}

const char *glovelite_label(const glovelite_model *m, uint32_t label) {
  return label < m->labels ? m->label_text + m->label_starts[label] : "";
}

const char *glovelite_message(glovelite_status status) {
  switch (status) {
    case GLOVELITE_OK: return "no error";
    case GLOVELITE_NO_MODEL: return "this is no model.bin of glovelite";
    case GLOVELITE_NEWER: return "the model was written for a newer engine: take the one beside it";
    case GLOVELITE_TRUNCATED: return "the model has lost bytes, or has too many: copy it again";
    case GLOVELITE_CHECKSUM: return "the model's bytes were changed: copy it again";
    case GLOVELITE_DAMAGED: return "the parts of the model contradict each other: write it again";
    case GLOVELITE_ALIGNMENT: return "the model does not start at a multiple of 4 bytes";
    case GLOVELITE_MACHINE: return "this machine is big-endian, or its float is not of 32 bits";
    case GLOVELITE_SMALL_BUFFER: return "the buffer is smaller than glovelite_buffer_size says";
  }
  return "unknown status";
}
