#include "capture/postgres/large.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "capture/postgres/stream.h"
#include "core/clock.h"
#include "core/text.h"

#define XLOG_DATA_HEADER 25 /* 'w', three numbers of 64 bits; then pgoutput's message */
#define SLOT_FREE_MS 5000
#define NOT_KNOWN UINT64_MAX

/* Bytes that were received and read; NOT_KNOWN on other sockets than TCP's. */
static uint64_t received_bytes(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	int unread = 0;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
	    len < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received) || ioctl(fd, SIOCINQ, &unread) != 0)
		return NOT_KNOWN;
	return (uint64_t)info.tcpi_bytes_received - (uint64_t)unread;
}

bool tr_pgc_coming_too_long(tr_pgc_coming *m, const PGconn *c, uint64_t max_bytes)
{
	uint64_t now = received_bytes(PQsocket(c));

	if (max_bytes == 0 || now == NOT_KNOWN)
		return false;
	if (m->since == 0)
		m->since = now;
	return now > m->since && now - m->since > max_bytes;
}

int tr_pgc_large_error(const tr_pgc *s, const char *schema, const char *table, uint64_t bytes, tr_err *err)
{
	static const char safe[] = "Nothing was skipped, and everything before this transaction is safe.";
	uint64_t max = s->options->event_max_bytes;

	if (table)
		tr_err_set(err, TR_E_BATCH_LIMIT, "a row of table \"%s.%s\" is larger than limits.memory allows", schema, table);
	else
		tr_err_set(err, TR_E_BATCH_LIMIT, "an event of the log is larger than limits.memory allows");
	if (bytes > 0) {
		tr_err_detail(err, "it has %llu bytes as the server sends it; one may have a quarter of limits.memory, %llu bytes",
			      (unsigned long long)bytes, (unsigned long long)max);
		return tr_err_hint(err, "%s Set limits.memory to %lluMiB or more, or leave the table out of source.tables.", safe,
				   (unsigned long long)(bytes >> 18) + 4);
	}
	tr_err_detail(err, "one may have a quarter of limits.memory, %llu bytes; more had come, and the rest was not waited for",
		      (unsigned long long)max);
	return tr_err_hint(err, "%s Set limits.memory to more than four times the length of the row (in the table: SELECT "
				"max(octet_length(t::text)) FROM it t), or leave the table out of source.tables.",
			   safe);
}

int tr_pgc_large_message(tr_pgc *s, const char *data, int len, tr_err *err)
{
	const uint8_t *m = (const uint8_t *)data + XLOG_DATA_HEADER;
	const tr_pgc_relation *rel = NULL;

	if (len > XLOG_DATA_HEADER + 5 && memchr("IUD", m[0], 3))
		rel = tr_pgc_relation_find(&s->catalog, (uint32_t)m[1] << 24 | (uint32_t)m[2] << 16 | (uint32_t)m[3] << 8 | m[4]);
	return tr_pgc_large_error(s, rel ? rel->schema : NULL, rel ? rel->name : NULL, (uint64_t)len, err);
}

/* The walsender notices that we have gone when it writes next. */
static int wait_slot_free(tr_pgc *s, tr_err *err)
{
	int64_t end_us = tr_clock_mono_us() + SLOT_FREE_MS * 1000;
	tr_pgc_slot slot;

	do {
		if (tr_pgc_slot_read(s, &slot, err) || tr_pgc_wait(&s->wake, -1, 0, 50, err) < 0)
			return -1;
	} while (slot.active && tr_clock_mono_us() < end_us);
	return slot.active ? -1 : 0;
}

/* The largest row of the open transaction that is too large, by the slot itself, which this does not move. */
static int look_up(tr_pgc *s, uint64_t end_lsn, PGresult **out, tr_err *err)
{
	char upto[TR_PGC_LSN_TEXT], max[24];
	const char *params[] = {s->slot, upto, s->publication, max};

	tr_pgc_lsn_format(upto, end_lsn);
	tr_text_format(max, sizeof(max), "%llu", (unsigned long long)s->options->event_max_bytes);
	return tr_pgc_sql(s, "look for the large row",
			  "SELECT n.nspname, c.relname, m.len FROM (SELECT length(data) AS len, get_byte(data, 1)::bigint << 24"
			  " | get_byte(data, 2) << 16 | get_byte(data, 3) << 8 | get_byte(data, 4) AS id"
			  " FROM pg_logical_slot_peek_binary_changes($1, $2::pg_lsn, NULL, 'proto_version', '1',"
			  " 'publication_names', quote_ident($3)) WHERE length(data) > $4::bigint"
			  " AND get_byte(data, 0) IN (ascii('I'), ascii('U'), ascii('D')) ORDER BY 1 DESC LIMIT 1) m"
			  " JOIN pg_class c ON c.oid = m.id JOIN pg_namespace n ON n.oid = c.relnamespace",
			  4, params, out, err);
}

int tr_pgc_large_coming(tr_pgc *s, tr_err *err)
{
	PGresult *r = NULL;
	tr_err unknown = {0}; /* without an answer the error only says less */

	PQfinish(s->repl);
	s->repl = NULL;
	if (s->stream->in_txn && wait_slot_free(s, &unknown) == 0)
		look_up(s, s->stream->final_lsn + 1, &r, &unknown);
	if (PQntuples(r) == 1)
		tr_pgc_large_error(s, PQgetvalue(r, 0, 0), PQgetvalue(r, 0, 1), strtoull(PQgetvalue(r, 0, 2), NULL, 10), err);
	else
		tr_pgc_large_error(s, NULL, NULL, 0, err);
	PQclear(r);
	return -1;
}
