/*
 * The program's log on stderr: text on a terminal, JSON lines otherwise. Only deciding loops and commands log; libraries
 * return errors. Row data never appears. Thread-safe, one write per line.
 */
#ifndef TR_CORE_LOG_H
#define TR_CORE_LOG_H

#include "core/err.h"

typedef enum tr_log_level { TR_LOG_DEBUG, TR_LOG_INFO, TR_LOG_WARN, TR_LOG_ERROR } tr_log_level;
typedef enum tr_log_format { TR_LOG_AUTO, TR_LOG_TEXT, TR_LOG_JSON } tr_log_format;

void tr_log_setup(tr_log_format format, tr_log_level level);
/* `event` is a stable name such as "slot.created"; the message is for people. pipeline may be NULL. */
void tr_log(tr_log_level level, const char *pipeline, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Text, code, detail and hint of an error as one entry. */
void tr_log_err(tr_log_level level, const char *pipeline, const char *event, const tr_err *err);

#endif
