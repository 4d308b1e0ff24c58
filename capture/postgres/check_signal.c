#include "capture/postgres/check.h"
#include "capture/postgres/signal.h"

static void missing(tr_pgc_checkup *k, const char *schema, const char *name)
{
	tr_finding *f = tr_pgc_finding(k, TR_FINDING_ERROR, TR_E_TABLE_MISSING);

	SAY(f->what, "the signal table does not exist");
	SAY(f->why, "commands such as incremental snapshots are rows of it (source.signal_table)");
	SAY(f->fix, "CREATE TABLE \"%s\".\"%s\" (id varchar(42) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048));",
	    schema, name);
	tr_pgc_found(k, f, "signal table %s.%s", schema, name);
}

static void unusable(tr_pgc_checkup *k, const char *schema, const char *name, const tr_pgc_signal_rights *r)
{
	tr_finding *f = tr_pgc_finding(k, TR_FINDING_ERROR, TR_E_SOURCE_PRIVILEGE);

	SAY(f->what, "role \"%s\" lacks%s%s%s", k->s->server.user, r->usage ? "" : " USAGE on its schema",
	    r->insert ? "" : " INSERT", r->select ? "" : " SELECT");
	SAY(f->why, "the windows of an incremental snapshot are marked by rows written there");
	tr_pgc_signal_grant(k->s, schema, name, r, f->fix, sizeof(f->fix));
	tr_pgc_found(k, f, "signal table %s.%s", schema, name);
}

int tr_pgc_check_signal(tr_pgc_checkup *k, tr_err *err)
{
	char schema[TR_PGC_NAME_MAX], name[TR_PGC_NAME_MAX];
	tr_pgc_signal_rights rights;
	tr_finding *f;

	if (!k->s->options->signal_table)
		return 0;
	if (tr_pgc_signal_rights_read(k->s, schema, name, &rights, err))
		return -1;
	if (!rights.exists) {
		missing(k, schema, name);
	} else if (!rights.usage || !rights.insert || !rights.select) {
		unusable(k, schema, name, &rights);
	} else if (rights.columns != 3 || k->s->server.standby) {
		f = tr_pgc_finding(k, TR_FINDING_WARNING, TR_E_SOURCE_SETTING);
		SAY(f->what, k->s->server.standby ? "the source is a standby" : "it has %zu columns instead of id, type and data",
		    rights.columns);
		SAY(f->why, "incremental snapshots cannot write their marks");
		SAY(f->fix, k->s->server.standby ? "connect to the primary for incremental snapshots"
						 : "make it with three columns: id varchar(42), type varchar(32), data varchar(2048)");
		tr_pgc_found(k, f, "signal table %s.%s", schema, name);
	} else {
		f = tr_pgc_finding(k, TR_FINDING_OK, TR_OK);
		SAY(f->what, "may be read and written");
		tr_pgc_found(k, f, "signal table %s.%s", schema, name);
	}
	return 0;
}
