/*
 * The few things that MariaDB Connector/C and Oracle's libmysqlclient do differently. Refuses: policy; every function
 * returns 0 or -1 and leaves the reason in the connection (mysql_errno).
 */
#ifndef TR_CAPTURE_MYSQL_RAW_H
#define TR_CAPTURE_MYSQL_RAW_H

#include "capture/mysql/connect.h"

/* Options that differ: TLS, and that the login can be interrupted. Before tr_myc_raw_login. */
int tr_myc_raw_options(MYSQL *c, const tr_myc_url *url);
/* -1 also when wake is set or the time is over; *timed_out tells that it was. */
int tr_myc_raw_login(MYSQL *c, const tr_myc_url *url, const tr_myc_host *host, int timeout_ms, tr_myc_wake *wake,
		     bool *timed_out);
int tr_myc_raw_socket(MYSQL *c);
void tr_myc_raw_packet_max(MYSQL *c, size_t bytes);

/* Registers as a replica: SHOW REPLICAS shows server_id and `name`. Does nothing where the library cannot. */
int tr_myc_raw_register(MYSQL *c, uint32_t server_id, const char *name);

typedef struct tr_myc_raw_dump {
	uint32_t server_id;
	uint16_t flags;
	const char *file;
	uint64_t pos;
	bool by_gtid;     /* COM_BINLOG_DUMP_GTID with `gtids`, else COM_BINLOG_DUMP */
	tr_slice gtids;   /* the encoded set of what we have */
	void *reader;     /* the library's own, between begin and end */
} tr_myc_raw_dump;

int tr_myc_raw_dump_begin(MYSQL *c, tr_myc_raw_dump *d, tr_myc_wake *wake);
/* True when a packet, or a part of one, is at hand without asking the socket. */
bool tr_myc_raw_dump_pending(MYSQL *c, const tr_myc_raw_dump *d);
/* What to poll for reading. */
int tr_myc_raw_dump_fd(MYSQL *c, const tr_myc_raw_dump *d);
/* Takes one event, without the packet's head; waits for all of it. 1 an event, 2 the end of the log, 3 it is
 * larger than packet_max, -1. After 3 the connection is of no use. */
int tr_myc_raw_dump_take(MYSQL *c, tr_myc_raw_dump *d, tr_slice *event);
void tr_myc_raw_dump_end(MYSQL *c, tr_myc_raw_dump *d);

#endif
