/* SPDX-License-Identifier: MIT */
/*
 * ingest.c - the thread that owns the writer.
 *
 * Invariants:
 * 1. Only the ingest thread touches the writer after px_ingest_start.
 * 2. A job's `done` is called exactly once, after the commit that holds its work, or with the
 * reason why there is none. Nothing is announced to the feed before its commit.
 * 3. A job that fails leaves no trace in the transaction it shared: a savepoint, and its changes
 * are cut off.
 * 4. The queue's lock is a leaf: no job, callback or SQL runs under it.
 *
 * Epochs: the upper bits are a session number that is stepped and committed at open, the lower 32
 * count within the session; so a number is never given twice, and handing one out costs no I/O.
 */
#include "ingest_i.h"

#include <assert.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"
#include "propexofs/log.h"

enum {
	QUEUE_MAX = 64, /* jobs waiting, urgent ones not counted */
	URGENT_MAX = 4096,
	TX_MS = 10,		   /* work in one transaction */
	HOUSE_MS = 2000,	   /* between looks at what may be deleted */
	RETAIN_STEP = 500,	   /* versions deleted in one transaction */
	BACKLOG_MAX = 50000,	   /* changes the kernel has not been told: a fill waits */
	TRIVIAL_KEEP_MS = 3600000, /* versions that differ only in updated_at and last_seen */
	CHECKPOINT_MS = 1000,
	CHECKPOINT_BUSY_MS = 100, /* when the log had grown by more than CHECKPOINT_BYTES */
	CHECKPOINT_BYTES = 4 << 20,
	APPLY_STEP = 8,	      /* deliveries applied before the next look at who waits */
	CROWD = 4,	      /* deliveries acknowledged together: more are on their way */
	CROWD_MS = 2,	      /* so long the next are waited for before any is applied, */
	CROWD_MOST_MS = 25,   /* unless none has been for that long */
	APPLY_TRIES = 3,      /* then a delivery is set aside */
	APPLY_PAUSE_MS = 500, /* before the next try of what failed */
};

/* Something that events ask of sync, kept until their commit. */
struct ask {
	enum { ASK_SYNCED, ASK_PARENTS } kind;
	int64_t iid;
	bool first, back;
	int model;
};

struct queue {
	struct px_job *head, **tail;
	size_t count;
};

struct px_ingest {
	struct px_writer *writer;
	struct px_feed *feed;
	struct px_board *board;
	char *store;
	int history_days;
	bool (*known)(void *arg, int64_t ino);
	void *known_arg;

	_Atomic int64_t epoch;
	struct px_unannounced *unannounced; /* ingest thread; NULL: nobody listens */

	pthread_t thread, checkpointer;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t arrived, room, stop_checkpoint;
	struct queue urgent, normal; /* guarded by: lock */
	bool closed;		     /* guarded by: lock */
	int64_t house_due_ms;	     /* ingest thread */
	bool worked;		     /* ingest thread: since memory was given back */
	bool store_failed;	     /* ingest thread: the last transaction could not be written */

	/* ingest thread */
	struct px_ingest_listener listener;
	struct ask *asks;
	size_t ask_count, ask_cap;
	bool ask_marked;
	bool inbox;	      /* there may be deliveries to apply */
	int64_t inbox_due_ms; /* not before */
	int64_t applied_ms;   /* when some were, last */
	int crowd;	      /* deliveries acknowledged by the last transaction */
};

static void push(struct queue *q, struct px_job *job)
{
	job->next = NULL;
	*q->tail = job;
	q->tail = &job->next;
	q->count++;
}

static struct px_job *pop(struct queue *q)
{
	struct px_job *job = q->head;

	if (job) {
		q->head = job->next;
		if (!q->head)
			q->tail = &q->head;
		q->count--;
		job->next = NULL;
	}
	return job;
}

static px_rc count_tries(struct px_ingest *in, struct px_err *err);

static px_rc begin_session(struct px_ingest *in, struct px_err *err)
{
	int64_t session = 0;
	px_rc rc = px_writer_begin(in->writer, err);

	if (rc)
		return rc;
	rc = px_writer_next_epoch(in->writer, &session, err);
	if (!rc)
		rc = count_tries(in, err);
	if (rc) {
		px_writer_rollback(in->writer);
		return rc;
	}
	atomic_store(&in->epoch, session << 32);
	return px_writer_commit(in->writer, err);
}

/* What every start reads of the store. */
static px_rc look_at(struct px_reader *r, struct px_err *err)
{
	struct px_integration *integrations = NULL;
	struct px_dir *dirs = NULL;
	size_t integration_count = 0, dir_count = 0;
	px_rc rc = px_reader_integrations(r, &integrations, &integration_count, err);

	if (!rc)
		rc = px_reader_dirs(r, 0, &dirs, &dir_count, err);
	px_integrations_free(integrations, integration_count);
	px_dirs_free(dirs, dir_count);
	return rc;
}

/* Damage shows when the store is opened, read or written for the first time. */
static px_rc open_session(
	struct px_ingest *in, const struct px_ingest_options *o, struct px_err *err)
{
	px_rc rc = px_writer_open(o->store, o->api_url, &in->writer, err);

	if (!rc)
		rc = look_at(px_writer_reader(in->writer), err);
	if (!rc)
		rc = begin_session(in, err);
	if (rc) {
		px_writer_close(in->writer);
		in->writer = NULL;
	}
	return rc;
}

static px_rc open_or_renew(
	struct px_ingest *in, const struct px_ingest_options *o, struct px_err *err)
{
	px_rc rc = open_session(in, o, err);
	char *aside = NULL;
	struct px_err why;

	if (rc != PX_ECORRUPT && (!rc || err->code != PX_ECORRUPT))
		return rc;
	why = *err;
	rc = px_store_set_aside(o->store, &aside, err);
	if (rc)
		return px_err_ctx(err, "store %s is damaged (%s) and cannot be moved aside",
			o->store, why.msg);
	px_warn("store", "%s was damaged (%s); moved to %s, filling again", o->store, why.msg,
		aside);
	free(aside);
	return open_session(in, o, err);
}

px_rc px_ingest_new(const struct px_ingest_options *o, struct px_ingest **ret, struct px_err *err)
{
	struct px_ingest *in = calloc(1, sizeof *in);
	px_rc rc;

	if (!in)
		return px_err_nomem(err);
	in->feed = o->feed;
	in->board = o->board;
	in->history_days = o->history_days;
	in->known = o->known;
	in->known_arg = o->known_arg;
	in->urgent.tail = &in->urgent.head;
	in->normal.tail = &in->normal.head;
	pthread_mutex_init(&in->lock, NULL);
	px_clock_cond_init(&in->arrived);
	px_clock_cond_init(&in->room);
	px_clock_cond_init(&in->stop_checkpoint);
	in->store = strdup(o->store);
	rc = in->store ? open_or_renew(in, o, err) : px_err_nomem(err);
	if (!rc && o->listens) {
		in->unannounced = px_unannounced_new(o->board, px_clock_wall_ms());
		if (!in->unannounced)
			rc = px_err_nomem(err);
	}
	if (rc) {
		px_ingest_free(in);
		return rc;
	}
	*ret = in;
	return PX_OK;
}

void px_ingest_set_known(struct px_ingest *in, bool (*known)(void *arg, int64_t ino), void *arg)
{
	assert(!in->started);
	in->known = known;
	in->known_arg = arg;
}

struct px_unannounced *px_ingest_unannounced(struct px_ingest *in)
{
	return in->unannounced;
}

int64_t px_ingest_epoch(struct px_ingest *in)
{
	return atomic_fetch_add(&in->epoch, 1) + 1;
}

void px_ingest_set_listener(struct px_ingest *in, const struct px_ingest_listener *listener)
{
	assert(!in->started);
	in->listener = *listener;
}

/* ---- asking ---- */

void px_ingest_ask_marked(struct px_ingest *in)
{
	in->ask_marked = true;
}

static void ask_add(struct px_ingest *in, struct ask ask)
{
	for (size_t i = 0; i < in->ask_count; i++)
		if (in->asks[i].kind == ask.kind && in->asks[i].iid == ask.iid &&
			in->asks[i].model == ask.model) {
			in->asks[i].first |= ask.first;
			in->asks[i].back |= ask.back;
			return;
		}
	if (in->ask_count == in->ask_cap) {
		size_t cap = in->ask_cap ? in->ask_cap * 2 : 16;
		struct ask *grown = realloc(in->asks, cap * sizeof *grown);

		/* what is not asked now is found by the next refresh */
		if (!grown)
			return;
		in->asks = grown;
		in->ask_cap = cap;
	}
	in->asks[in->ask_count++] = ask;
}

void px_ingest_ask_synced(struct px_ingest *in, int64_t iid, bool first, bool back)
{
	ask_add(in, (struct ask){.kind = ASK_SYNCED, .iid = iid, .first = first, .back = back});
}

void px_ingest_ask_parents(struct px_ingest *in, int64_t iid, int model)
{
	ask_add(in, (struct ask){.kind = ASK_PARENTS, .iid = iid, .model = model});
}

void px_ingest_inbox_filled(struct px_ingest *in)
{
	in->inbox = true;
	in->crowd++;
}

static void tell_listener(struct px_ingest *in, bool committed)
{
	for (size_t i = 0; i < in->ask_count && committed; i++) {
		const struct ask *a = &in->asks[i];

		if (a->kind == ASK_SYNCED && in->listener.synced)
			in->listener.synced(in->listener.arg, a->iid, a->first, a->back);
		if (a->kind == ASK_PARENTS && in->listener.parents)
			in->listener.parents(in->listener.arg, a->iid, a->model);
	}
	in->ask_count = 0;
	if (in->ask_marked && committed && in->listener.marked)
		in->listener.marked(in->listener.arg);
	in->ask_marked = false;
}

/* ---- the thread
 * ----------------------------------------------------------------------------------------- */

static void store_state(struct px_ingest *in, px_rc rc, const struct px_err *err)
{
	if (rc && !in->store_failed)
		px_error("store", "cannot write: %s", err->msg);
	if (!rc && in->store_failed)
		px_info("store", "writing again");
	if (in->board && (rc || in->store_failed))
		px_board_set_store_error(in->board, rc ? err->msg : NULL);
	in->store_failed = rc != 0;
}

static void run_one(struct px_ingest_tx *tx, struct px_job *job)
{
	size_t changes = tx->changes->count;
	px_rc rc = px_writer_mark(tx->writer, &job->err);

	if (!rc) {
		rc = job->run(tx, job, &job->err);
		if (!rc)
			rc = px_writer_release_mark(tx->writer, &job->err);
		if (rc)
			px_writer_rollback_to(tx->writer);
	}
	if (rc)
		px_changes_truncate(tx->changes, changes);
	job->rc = rc;
}

/* Waits until there is a job, house-keeping is due, or the end. */
static struct px_job *take(struct px_ingest *in, bool wait, bool *ret_closed)
{
	struct px_job *job;

	pthread_mutex_lock(&in->lock);
	while (wait && !in->urgent.head && !in->normal.head && !in->closed)
		if (px_clock_cond_wait(&in->arrived, &in->lock,
			    in->inbox && in->inbox_due_ms < in->house_due_ms ? in->inbox_due_ms
									     : in->house_due_ms))
			break;
	job = pop(&in->urgent);
	if (!job)
		job = pop(&in->normal);
	*ret_closed = in->closed;
	pthread_cond_broadcast(&in->room);
	pthread_mutex_unlock(&in->lock);
	return job;
}

static void finish(struct px_job *list, px_rc rc, const struct px_err *err)
{
	while (list) {
		struct px_job *next = list->next;

		list->next = NULL;
		if (rc && !list->rc) {
			list->rc = rc;
			list->err = *err;
		}
		list->done(list, list->rc, list->rc ? &list->err : NULL);
		list = next;
	}
}

/* Senders in a crowd wait for each other's acknowledgements, and cost a commit together or one
 * each. */
static void let_crowd_pass(struct px_ingest *in)
{
	int64_t now = px_clock_mono_ms();

	if (in->crowd >= CROWD && now < in->applied_ms + CROWD_MOST_MS &&
		in->inbox_due_ms < now + CROWD_MS)
		in->inbox_due_ms = now + CROWD_MS;
}

/* One transaction over the first job and those that are waiting behind it. */
static void transaction(struct px_ingest *in, struct px_job *job)
{
	struct px_err err = {0};
	struct px_job *done = NULL, **tail = &done;
	struct px_ingest_tx tx = {.in = in, .writer = in->writer, .changes = px_changes_new()};
	int64_t until = px_clock_mono_ms() + TX_MS;
	bool closed, any = false;
	px_rc rc = tx.changes ? px_writer_begin(in->writer, &err) : px_err_nomem(&err);

	in->crowd = 0;
	if (rc) {
		store_state(in, rc, &err);
		px_changes_free(tx.changes);
		finish(job, rc, &err);
		return;
	}
	tx.now_ms = px_writer_now_ns(in->writer) / 1000000;
	for (; job; job = px_clock_mono_ms() < until ? take(in, false, &closed) : NULL) {
		run_one(&tx, job);
		any |= !job->rc;
		if (job->rc == PX_EFULL || job->rc == PX_EIO)
			store_state(in, job->rc, &job->err);
		*tail = job;
		tail = &job->next;
	}
	rc = any ? px_writer_commit(in->writer, &err) : PX_OK;
	if (rc || !any)
		px_writer_rollback(in->writer);
	if (rc || any)
		store_state(in, rc, &err);
	if (!rc && any && in->feed)
		px_feed_publish(in->feed, tx.changes);
	else
		px_changes_free(tx.changes);
	tell_listener(in, !rc && any);
	finish(done, rc, &err);
	let_crowd_pass(in);
}

/* ---- the inbox
 * ---------------------------------------------------------------------------------------------- */

/* Applies one delivery in the open transaction; what fails is undone and counted. */
static px_rc apply_one(
	struct px_ingest_tx *tx, const struct px_delivery *d, bool *ret_again, struct px_err *err)
{
	size_t changes = tx->changes->count;
	struct px_err why = {0};
	int attempts = d->attempts;
	px_rc rc = px_writer_mark(tx->writer, err);

	if (rc)
		return rc;
	rc = d->attempts >= APPLY_TRIES ? PX_EINVAL : px_apply_delivery(tx, d, &why);
	if (!rc)
		return px_writer_release_mark(tx->writer, err);
	px_writer_rollback_to(tx->writer);
	px_changes_truncate(tx->changes, changes);
	if (rc == PX_EFULL || rc == PX_EIO || rc == PX_ENOMEM) {
		/* not the delivery's fault: the whole transaction is tried again later */
		*err = why;
		return rc;
	}
	if (d->attempts < APPLY_TRIES)
		rc = px_writer_inbox_attempt(tx->writer, d->arrival, &attempts, err);
	else
		rc = PX_OK;
	if (!rc && attempts >= APPLY_TRIES) {
		const char *reason = *why.msg ? why.msg : "the program ended while applying it";

		px_warn("ingest", "delivery %lld is set aside: %s", (long long)d->arrival, reason);
		return px_apply_failed(tx, d, reason, err);
	}
	*ret_again = true;
	return rc;
}

static bool is_urgent(struct px_ingest *in)
{
	bool ret;

	pthread_mutex_lock(&in->lock);
	ret = in->urgent.head;
	pthread_mutex_unlock(&in->lock);
	return ret;
}

struct progress {
	int64_t at; /* arrival of the last that was tried */
	bool more;  /* there are others */
	bool again; /* some have to be tried again */
	bool apart; /* some had been tried before: committed before others are touched, so that what
		       kills the program is known by its tries */
};

/* The next few. */
static px_rc apply_step(struct px_ingest_tx *tx, struct progress *p, struct px_err *err)
{
	struct px_delivery *list = NULL;
	size_t count = 0;
	px_rc rc = px_reader_inbox(
		px_writer_reader(tx->in->writer), p->at, APPLY_STEP, &list, &count, err);

	for (size_t i = 0; i < count && !rc; i++) {
		p->at = list[i].arrival;
		p->apart |= list[i].attempts > 0;
		rc = apply_one(tx, &list[i], &p->again, err);
	}
	px_deliveries_free(list, count);
	p->more = count == APPLY_STEP;
	return rc;
}

/* Deliveries that were acknowledged, until others wait for their acknowledgement. */
static void apply_inbox(struct px_ingest *in)
{
	struct px_err err = {0};
	struct progress p = {0};
	int64_t until = px_clock_mono_ms() + TX_MS;
	struct px_ingest_tx tx = {.in = in, .writer = in->writer, .changes = px_changes_new()};
	px_rc rc = tx.changes ? px_writer_begin(in->writer, &err) : px_err_nomem(&err);

	if (rc) {
		store_state(in, rc, &err);
		px_changes_free(tx.changes);
		in->inbox_due_ms = px_clock_mono_ms() + APPLY_PAUSE_MS;
		return;
	}
	tx.now_ms = px_writer_now_ns(in->writer) / 1000000;
	do
		rc = apply_step(&tx, &p, &err);
	while (!rc && p.more && !p.apart && !is_urgent(in) && px_clock_mono_ms() < until);
	if (!rc)
		rc = px_writer_commit(in->writer, &err);
	if (rc)
		px_writer_rollback(in->writer);
	store_state(in, rc, &err);
	if (!rc && in->feed)
		px_feed_publish(in->feed, tx.changes);
	else
		px_changes_free(tx.changes);
	tell_listener(in, !rc);
	in->applied_ms = px_clock_mono_ms();
	in->inbox = rc || p.again || p.more;
	in->inbox_due_ms = rc || p.again ? px_clock_mono_ms() + APPLY_PAUSE_MS : 0;
}

/* What was being applied when the program was killed may be what killed it: each start counts as a
 * try. */
static px_rc count_tries(struct px_ingest *in, struct px_err *err)
{
	struct px_delivery *list = NULL;
	size_t count = 0;
	int attempts;
	px_rc rc = px_reader_inbox(px_writer_reader(in->writer), 0, APPLY_STEP, &list, &count, err);

	for (size_t i = 0; i < count && !rc; i++)
		if (list[i].attempts < APPLY_TRIES)
			rc = px_writer_inbox_attempt(in->writer, list[i].arrival, &attempts, err);
	px_deliveries_free(list, count);
	in->inbox = count > 0;
	return rc;
}

/* Deletes what retention allows, a small step at a time; says whether there is more. */
static bool keep_house(struct px_ingest *in)
{
	const int64_t ns_per_ms = 1000000;
	struct px_err err = {0};
	bool more = false;
	int64_t now, keep_ms = (int64_t)in->history_days * 86400000;
	px_rc rc = px_writer_begin(in->writer, &err);

	if (rc) {
		store_state(in, rc, &err);
		return false;
	}
	if (keep_ms < TRIVIAL_KEEP_MS)
		keep_ms = TRIVIAL_KEEP_MS;
	now = px_writer_now_ns(in->writer);
	rc = px_writer_retain(in->writer, now - keep_ms * ns_per_ms,
		now - TRIVIAL_KEEP_MS * ns_per_ms, RETAIN_STEP, in->known, in->known_arg, &more,
		&err);
	if (!rc)
		rc = px_writer_commit(in->writer, &err);
	if (rc) {
		px_writer_rollback(in->writer);
		more = false;
	}
	store_state(in, rc, &err);
	return more;
}

static void *ingest_main(void *arg)
{
	struct px_ingest *in = arg;
	bool closed = false;

	in->house_due_ms = px_clock_mono_ms() + HOUSE_MS;
	for (;;) {
		struct px_job *job = take(in, true, &closed);

		if (job)
			transaction(in, job);
		else if (closed)
			break;
		if (in->inbox && px_clock_mono_ms() >= in->inbox_due_ms)
			apply_inbox(in);
		in->worked |= job || in->inbox;
		if (!job && in->worked && !in->inbox) {
			/* what a burst took is in the heaps of all threads, and they keep it */
			(void)malloc_trim(0);
			in->worked = false;
		}
		if (!job || px_clock_mono_ms() >= in->house_due_ms) {
			bool more = keep_house(in);

			in->house_due_ms = px_clock_mono_ms() + (more ? 20 : HOUSE_MS);
		}
	}
	return NULL;
}

/* Checkpoints on a connection of their own, so that neither replies nor acknowledgements wait for
 * them. */
static void *checkpoint_main(void *arg)
{
	struct px_ingest *in = arg;
	struct px_checkpoint *c = NULL;
	struct px_err err = {0};
	bool stop = false;
	px_rc rc = px_checkpoint_open(in->store, &c, &err);

	if (rc) {
		px_warn("store", "checkpoints are left to the writer: %s", err.msg);
		return NULL;
	}
	while (!stop) {
		int64_t wal_bytes = 0, deadline;

		rc = px_checkpoint_run(c, &wal_bytes, &err);
		deadline = px_clock_mono_ms() +
			   (wal_bytes > CHECKPOINT_BYTES ? CHECKPOINT_BUSY_MS : CHECKPOINT_MS);
		if (rc && rc != PX_EBUSY)
			px_log_limited(PX_LOG_WARN, "store", "checkpoint: %s", err.msg);
		pthread_mutex_lock(&in->lock);
		while (!in->closed)
			if (px_clock_cond_wait(&in->stop_checkpoint, &in->lock, deadline))
				break;
		stop = in->closed;
		pthread_mutex_unlock(&in->lock);
	}
	px_checkpoint_close(c);
	return NULL;
}

px_rc px_ingest_start(struct px_ingest *in, struct px_err *err)
{
	int rc = pthread_create(&in->thread, NULL, ingest_main, in);

	if (rc)
		return px_err_sys(err, rc, "cannot start the ingest thread");
	rc = pthread_create(&in->checkpointer, NULL, checkpoint_main, in);
	in->started = true;
	if (rc) {
		in->checkpointer = in->thread;
		px_ingest_stop(in);
		return px_err_sys(err, rc, "cannot start the checkpoint thread");
	}
	return PX_OK;
}

void px_ingest_stop(struct px_ingest *in)
{
	if (!in->started)
		return;
	pthread_mutex_lock(&in->lock);
	in->closed = true;
	pthread_cond_broadcast(&in->arrived);
	pthread_cond_broadcast(&in->room);
	pthread_cond_broadcast(&in->stop_checkpoint);
	pthread_mutex_unlock(&in->lock);
	pthread_join(in->thread, NULL);
	if (!pthread_equal(in->thread, in->checkpointer))
		pthread_join(in->checkpointer, NULL);
	in->started = false;
}

void px_ingest_free(struct px_ingest *in)
{
	if (!in)
		return;
	px_ingest_stop(in);
	px_unannounced_free(in->unannounced);
	px_writer_close(in->writer);
	pthread_cond_destroy(&in->stop_checkpoint);
	pthread_cond_destroy(&in->room);
	pthread_cond_destroy(&in->arrived);
	pthread_mutex_destroy(&in->lock);
	free(in->asks);
	free(in->store);
	free(in);
}

/* ---- submitting
 * ------------------------------------------------------------------------------------------- */

px_rc px_ingest_submit(struct px_ingest *in, struct px_job *job, bool wait)
{
	px_rc rc = PX_OK;

	pthread_mutex_lock(&in->lock);
	while (wait && !in->closed &&
		(in->normal.count >= QUEUE_MAX ||
			(in->feed && px_feed_backlog(in->feed) > BACKLOG_MAX)))
		(void)px_clock_cond_wait(&in->room, &in->lock, px_clock_mono_ms() + 20);
	if (in->closed)
		rc = PX_ECANCELED;
	else if (in->normal.count >= QUEUE_MAX)
		rc = PX_EFULL;
	else
		push(&in->normal, job);
	pthread_cond_signal(&in->arrived);
	pthread_mutex_unlock(&in->lock);
	return rc;
}

px_rc px_ingest_submit_urgent(struct px_ingest *in, struct px_job *job)
{
	px_rc rc = PX_OK;

	pthread_mutex_lock(&in->lock);
	if (in->closed)
		rc = PX_ECANCELED;
	else if (in->urgent.count >= URGENT_MAX)
		rc = PX_EFULL;
	else
		push(&in->urgent, job);
	pthread_cond_signal(&in->arrived);
	pthread_mutex_unlock(&in->lock);
	return rc;
}

/* A job that somebody waits for: the waiter keeps it, so `done` only wakes. */
struct waiting_job {
	struct px_job job;
	struct px_job *real;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool end;
	px_rc rc;
	struct px_err err;
};

static px_rc run_real(struct px_ingest_tx *tx, struct px_job *job, struct px_err *err)
{
	struct waiting_job *w = (struct waiting_job *)job;

	return w->real->run(tx, w->real, err);
}

static void wake(struct px_job *job, px_rc rc, const struct px_err *err)
{
	struct waiting_job *w = (struct waiting_job *)job;

	pthread_mutex_lock(&w->lock);
	w->rc = rc;
	if (rc)
		w->err = *err;
	w->end = true;
	pthread_cond_signal(&w->ended);
	pthread_mutex_unlock(&w->lock);
}

px_rc px_ingest_run(struct px_ingest *in, struct px_job *job, struct px_err *err)
{
	struct waiting_job w = {.job = {.run = run_real, .done = wake}, .real = job};
	px_rc rc;

	pthread_mutex_init(&w.lock, NULL);
	px_clock_cond_init(&w.ended);
	rc = px_ingest_submit(in, &w.job, true);
	if (rc) {
		px_err_set(err, rc, "the writer has stopped");
	} else {
		pthread_mutex_lock(&w.lock);
		while (!w.end)
			pthread_cond_wait(&w.ended, &w.lock);
		pthread_mutex_unlock(&w.lock);
		rc = w.rc;
		if (rc && err)
			*err = w.err;
	}
	pthread_cond_destroy(&w.ended);
	pthread_mutex_destroy(&w.lock);
	return rc;
}

px_rc px_tx_change(struct px_ingest_tx *tx, enum px_change_kind kind, int64_t iid, int64_t did,
	const char *name, int64_t old_ino, struct px_err *err)
{
	struct px_change c = {
		.kind = kind, .iid = iid, .did = did, .name = name, .old_ino = old_ino};

	return px_changes_add(tx->changes, &c) ? px_err_nomem(err) : PX_OK;
}
