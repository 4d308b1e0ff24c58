/*
 * Which of several instances has the pipeline, when its state lies in Kafka.
 *
 * Each run of a pipeline has a name of its own and signs every record with it: one at the start of each session, the ones that
 * carry positions, and one each TR_OWNER_SIGN_MS while there is nothing else. A run that ends takes its name off.
 *
 * The brokers' fence alone does not say who goes on. It also shuts out the only instance there is, when its transaction was open
 * for too long (it was stopped, or a disk was slow): the brokers abort that and raise the epoch. So whoever is refused as an older
 * producer asks the state for the name of its owner. Our own: nobody came, a new session begins. Another one, or none: that
 * instance came after us, and we end.
 *
 * Two that live cannot take the pipeline from each other for ever: only the first session of a run may take it from another
 * owner. A signature is written inside of a transaction, so of two that fence each other the one that signs first has it, and
 * the other one reads that. Who has just fenced us and has not signed yet is given GRACE_MS to do so; if that is not
 * enough it is fenced in turn, cannot sign, and ends: it never had the pipeline.
 *
 * A session that begins anew for any other reason (the source, or the brokers, were away) asks before its fence as well: it must
 * not shut out the instance that has come meanwhile.
 */
#include <sys/random.h>
#include <unistd.h>

#include "core/log.h"
#include "core/text.h"
#include "pipeline/internal.h"

#define GRACE_MS 3000
#define NAP_MS 50

/* Host names come from outside: they are cut before what is no letter, digit, dot or dash. */
void tr_owner_name(tr_pipeline *p)
{
	char host[65] = "";
	uint64_t number = 0;

	/* The pool is ready long before any service runs; without it the clock tells two runs apart as well. */
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number))
		number = (uint64_t)tr_clock_wall_ns() ^ ((uint64_t)getpid() << 48);
	gethostname(host, sizeof(host) - 1);
	host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")] = '\0';
	tr_text_format(p->instance, sizeof(p->instance), "%016llx@%s", (unsigned long long)number, host);
}

static int is_lost(tr_pipeline *p, const tr_writer *owner, tr_err *err)
{
	if (tr_slice_eq(tr_writer_view(owner), tr_slice_str(p->instance)))
		return 0;
	p->lost = true;
	tr_err_set(err, TR_E_SINK_FENCED, "another instance has taken over pipeline \"%s\"", p->config->name);
	if (owner->len > 0)
		tr_err_detail(err, "its state is signed by %.*s, this one is %s", (int)owner->len, (const char *)owner->data, p->instance);
	else
		tr_err_detail(err, "its state was reset or set, or one that has ended since took it; this one is %s", p->instance);
	return tr_err_hint(err, "It goes on from the last position that was saved; nothing is lost or doubled. See that only one "
	                        "instance runs this pipeline.");
}

static void give_grace(const tr_pipeline *p)
{
	for (int ms = 0; ms < GRACE_MS && !tr_pipeline_stopping(p); ms += NAP_MS)
		tr_clock_sleep_ms(NAP_MS);
}

int tr_owner_check_before(tr_pipeline *p, tr_err *err)
{
	tr_record_state now;
	int result;

	if (!p->owner)
		return 0;
	if (p->fenced)
		give_grace(p);
	tr_record_state_init(&now);
	result = p->store->ops->load(p->store, &now, err);
	if (result >= 0)
		result = is_lost(p, &now.owner, err);
	tr_record_state_release(&now);
	return result;
}

int tr_owner_check_after(tr_pipeline *p, tr_err *err)
{
	const tr_writer *owner = &p->record.owner;

	/* Without transactions the store knows by itself whether what it has written is the newest. */
	if (p->owner)
		return p->transactional ? is_lost(p, owner, err) : 0;
	if (tr_owner_signs(p) && owner->len > 0)
		tr_log(TR_LOG_INFO, p->config->name, "owner.takeover", "%.*s has not left this pipeline: if it still runs, it writes "
		       "nothing more, and ends within %d s", (int)owner->len, (const char *)owner->data, TR_OWNER_TAKEOVER_MS / 1000);
	return 0;
}

bool tr_owner_doubts(const tr_pipeline *p, tr_err *err)
{
	if (err->code != TR_E_SINK_FENCED || !p->transactional || !p->owner || p->lost)
		return false;
	tr_err_hint(err, "Another instance has begun, or a transaction was open for longer than transaction.timeout and the brokers ended "
	                 "it: the state is asked which. Nothing is lost or doubled.");
	return true;
}
