// SPDX-License-Identifier: GPL-2.0
/*
 * Where handshakes run: two kinds of work for each CPU.
 *
 * What is long, which is anything that signs or exchanges keys, runs on a thread of
 * the CPU with lock_sock(): packets go to the backlog, softirqs are on, and it can
 * be preempted; the thread's short slice lets others that wake up have the CPU soon.
 * What is short, the client's Finished, runs on a BH workqueue with bh_lock_sock().
 * tls_hs_is_long() decides.  Each kind has buffers of its own, which belong to the
 * work item: it never runs twice at a time.
 *
 * The thread serves users in turns, and the listeners of a user in turns, so that
 * nobody's handshakes wait for all of somebody else's (struct tls_hs_flow).
 *
 * In softirq a socket that a process owns is looked at again after a jiffy; owners
 * are rare there (ss -K, BPF iterators, the other kind of work).  A ClientHello that
 * has come before the pump takes its connection goes to the thread for that reason,
 * however short it is: the pump owns the socket when it finds it.
 *
 * Locks: tls_hs_prepare_lock, with nothing inside; then the socket lock of one
 * connection at a time.  The lists are lockless.
 */

#include <linux/cpuhotplug.h>
#include <linux/cred.h>
#include <linux/hash.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <net/tcp.h>
#include <uapi/linux/sched/types.h>

#include "drive.h"
#include "handshake.h"

/* One run of softirq work ends after so many connections, or with the one during
 * which so much time has passed, and lets others get a go.
 */
#define TLS_HS_BATCH		16
#define TLS_HS_BATCH_NS		(NSEC_PER_MSEC / 4)

/* The shortest that there is.  With the usual one a task that wakes up could wait
 * for most of a handshake, since a slice that has begun is protected.
 */
#define TLS_HS_SLICE_NS		(NSEC_PER_MSEC / 10)

/**
 * struct tls_hs_queue - connections that wait for work of one kind on one CPU
 * @list: newly queued
 * @batch: taken off @list, in order of arrival; only the work touches it
 * @buffers: of the work
 */
struct tls_hs_queue {
	struct llist_head list;
	struct llist_node *batch;
	struct tls_hs_buffers buffers;
};

/* Users, and listeners of a user, that are told apart; others share a turn. */
#define TLS_HS_USERS		64
#define TLS_HS_FLOWS		8

/**
 * struct tls_hs_flow - connections of one listener that wait for the thread
 * @first: the first one
 * @last: where to add the next one, if there is a first
 */
struct tls_hs_flow {
	struct llist_node *first;
	struct llist_node **last;
};

/**
 * struct tls_hs_flows - what waits for the thread; only the thread touches it
 * @users: bit for each user that has connections waiting
 * @turn: the user that comes next, or the first one after that
 * @listeners: for each user, a bit for each listener that has
 * @next: for each user, the listener that comes next
 * @flow: by user and listener
 */
struct tls_hs_flows {
	u64 users;
	u8 turn;
	u8 listeners[TLS_HS_USERS];
	u8 next[TLS_HS_USERS];
	struct tls_hs_flow flow[TLS_HS_USERS][TLS_HS_FLOWS];
};

/**
 * struct tls_hs_cpu - per-CPU state
 * @softirq: handled in softirq
 * @softirq_work: does that
 * @jobs: other work for the thread, which comes first
 * @flows: what is newly queued for the thread goes there
 * @thread: handled by the thread
 * @thread_work: does that
 * @worker: the thread; %NULL as long as the CPU has never been online since the
 *	first listener
 */
struct tls_hs_cpu {
	struct tls_hs_queue softirq;
	struct work_struct softirq_work;
	struct llist_head jobs;
	struct tls_hs_flows *flows;
	struct tls_hs_queue thread;
	struct kthread_work thread_work;
	struct kthread_worker *worker;
};

static DEFINE_PER_CPU(struct tls_hs_cpu, tls_hs_cpu);

/* For what may sleep and belongs to no CPU: keyrings, freeing. */
struct workqueue_struct *tls_hs_wq;

static struct workqueue_struct *tls_hs_bh_wq;

/* Protects the preparation of buffers and threads. */
static DEFINE_MUTEX(tls_hs_prepare_lock);

static bool tls_hs_prepared;

static int tls_hs_cpuhp_state;

/* Seeds the hash of users, so that none can choose with whom it shares a turn.
 */
static u32 tls_hs_flow_seed;

/* Is it to be done in process context?  What comes after the answer is not
 * longer than what TCP does with a segment.
 *
 * The timer asks without the socket lock and may get what was true a moment
 * ago.  Softirq asks once more, with the lock, and the thread does all.
 */
static bool tls_hs_is_long(const struct tls_hs *hs)
{
	u32 flags = hs->conf->settings.flags;

	if (flags & TLS_HS_F_THREAD || READ_ONCE(hs->long_work))
		return true;
	return !READ_ONCE(hs->answered) && !(flags & TLS_HS_F_SOFTIRQ);
}

/* This CPU if it has a thread, else any that has. */
static struct tls_hs_cpu *tls_hs_cpu_with_thread(int cpu)
{
	struct tls_hs_cpu *c = &per_cpu(tls_hs_cpu, cpu);

	if (likely(READ_ONCE(c->worker)))
		return c;
	for_each_possible_cpu(cpu) {
		c = &per_cpu(tls_hs_cpu, cpu);
		if (READ_ONCE(c->worker))
			break;
	}
	return c;
}

/**
 * tls_hs_queue_job - let this CPU's thread do something, before any handshake
 * @job: what; it must not be queued already
 *
 * Context: any, after tls_hs_cpu_prepare().
 */
void tls_hs_queue_job(struct tls_hs_job *job)
{
	struct tls_hs_cpu *c = tls_hs_cpu_with_thread(get_cpu());

	if (llist_add(&job->node, &c->jobs))
		kthread_queue_work(c->worker, &c->thread_work);
	put_cpu();
}

static void tls_hs_queue_to(struct tls_hs *hs, bool thread)
{
	struct tls_hs_cpu *c;
	int cpu;

	if (test_and_set_bit(TLS_HS_QUEUED, &hs->flags))
		return;

	refcount_inc(&hs->refs);
	cpu = get_cpu();
	if (thread) {
		c = tls_hs_cpu_with_thread(cpu);
		if (llist_add(&hs->todo, &c->thread.list))
			kthread_queue_work(c->worker, &c->thread_work);
	} else {
		c = &per_cpu(tls_hs_cpu, cpu);
		if (llist_add(&hs->todo, &c->softirq.list))
			queue_work_on(cpu, tls_hs_bh_wq, &c->softirq_work);
	}
	put_cpu();
}

/**
 * tls_hs_queue - put a connection on this CPU's list of work
 * @hs: its handshake
 *
 * Nothing happens if it is on a list already.
 *
 * Context: any, the socket lock is held or the timer runs.
 */
void tls_hs_queue(struct tls_hs *hs)
{
	tls_hs_queue_to(hs, tls_hs_is_long(hs));
}

/**
 * tls_hs_queue_thread - same, on the list of the CPU's thread
 * @hs: its handshake
 *
 * The thread waits for who owns the socket.  Softirq could only look at it again
 * after a jiffy.
 *
 * Context: process, the socket lock is held.
 */
void tls_hs_queue_thread(struct tls_hs *hs)
{
	tls_hs_queue_to(hs, true);
}

/**
 * tls_hs_flow_of - whose turn a handshake belongs to
 * @hs: the handshake, which has its settings
 *
 * Context: any.
 * Return: the number of a user who makes settings, and of a listener of that user.
 */
u16 tls_hs_flow_of(const struct tls_hs *hs)
{
	u32 user = from_kuid(&init_user_ns, hs->conf->cred->uid);

	return hash_32(user ^ tls_hs_flow_seed, ilog2(TLS_HS_USERS)) *
		       TLS_HS_FLOWS +
	       hash_ptr(hs->lsn, ilog2(TLS_HS_FLOWS));
}

static void tls_hs_clear_queued(struct tls_hs *hs)
{
	clear_bit(TLS_HS_QUEUED, &hs->flags);
	/* Pairs with the test_and_set_bit() in tls_hs_queue(): who sees the bit
	 * set has made its news visible before we look.
	 */
	smp_mb__after_atomic();
}

static void tls_hs_run_softirq(struct tls_hs *hs, struct tls_hs_queue *queue)
{
	struct sock *sk = hs->sk;

	tls_hs_clear_queued(hs);
	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk)) {
		if (tls_hs_is_long(hs))
			tls_hs_queue(hs);
		else
			tls_hs_advance(hs, &queue->buffers);
	} else {
		/* Either we see that the owner has just ended it, or the owner
		 * sees this timer: both take the lock of the timer's base.
		 */
		tls_hs_arm(hs, jiffies + 1);
		if (tls_hs_is_over(hs))
			tls_hs_disarm(hs);
	}
	bh_unlock_sock(sk);
	tls_hs_put(hs);
}

static void tls_hs_run_thread(struct tls_hs *hs, struct tls_hs_queue *queue)
{
	struct sock *sk = hs->sk;

	tls_hs_clear_queued(hs);
	lock_sock(sk);
	tls_hs_advance(hs, &queue->buffers);
	release_sock(sk);
	tls_hs_put(hs);
}

static struct tls_hs *tls_hs_next(struct tls_hs_queue *queue)
{
	struct tls_hs *hs;

	if (!queue->batch) {
		queue->batch = llist_reverse_order(llist_del_all(&queue->list));
		if (!queue->batch)
			return NULL;
	}
	hs = llist_entry(queue->batch, struct tls_hs, todo);
	queue->batch = queue->batch->next;
	return hs;
}

/* Some of the connections of a queue, then let others run: softirq hands over to
 * ksoftirqd under load.
 */
static void tls_hs_softirq_work(struct work_struct *work)
{
	struct tls_hs_cpu *c = container_of(work, struct tls_hs_cpu,
					    softirq_work);
	struct tls_hs_queue *queue = &c->softirq;
	u64 start = ktime_get_mono_fast_ns();
	struct tls_hs *hs;
	int n;

	for (n = 0; n < TLS_HS_BATCH; n++) {
		hs = tls_hs_next(queue);
		if (!hs)
			return;
		tls_hs_run_softirq(hs, queue);
		if (ktime_get_mono_fast_ns() - start >= TLS_HS_BATCH_NS)
			break;
	}
	queue_work(tls_hs_bh_wq, &c->softirq_work);
}

/* Sort what is newly queued for the thread. */
static void tls_hs_sort(struct tls_hs_cpu *c)
{
	struct llist_node *list = llist_reverse_order(llist_del_all(&c->thread.list));
	struct tls_hs_flows *f = c->flows;
	struct tls_hs_flow *flow;
	struct tls_hs *hs, *next;

	llist_for_each_entry_safe(hs, next, list, todo) {
		u8 user = hs->flow / TLS_HS_FLOWS, lsn = hs->flow % TLS_HS_FLOWS;

		flow = &f->flow[user][lsn];
		if (!(f->listeners[user] & BIT(lsn)))
			flow->last = &flow->first;
		*flow->last = &hs->todo;
		flow->last = &hs->todo.next;
		hs->todo.next = NULL;
		f->listeners[user] |= BIT(lsn);
		f->users |= BIT_ULL(user);
	}
}

/* The first bit of a set at or after @from, or the first one at all. */
static unsigned int tls_hs_turn(u64 set, unsigned int from)
{
	u64 rest = set & ~(BIT_ULL(from) - 1);

	return __ffs64(rest ?: set);
}

/* Whose turn it is. */
static struct tls_hs *tls_hs_next_in_turn(struct tls_hs_cpu *c)
{
	struct tls_hs_flows *f = c->flows;
	struct tls_hs_flow *flow;
	unsigned int user, lsn;
	struct tls_hs *hs;

	tls_hs_sort(c);
	if (!f->users)
		return NULL;
	user = tls_hs_turn(f->users, f->turn);
	lsn = tls_hs_turn(f->listeners[user], f->next[user]);
	f->turn = (user + 1) % TLS_HS_USERS;
	f->next[user] = (lsn + 1) % TLS_HS_FLOWS;

	flow = &f->flow[user][lsn];
	hs = llist_entry(flow->first, struct tls_hs, todo);
	flow->first = flow->first->next;
	if (!flow->first)
		f->listeners[user] &= ~BIT(lsn);
	if (!f->listeners[user])
		f->users &= ~BIT_ULL(user);
	return hs;
}

static void tls_hs_run_jobs(struct tls_hs_cpu *c)
{
	struct llist_node *jobs = llist_reverse_order(llist_del_all(&c->jobs));
	struct tls_hs_job *job, *next;

	llist_for_each_entry_safe(job, next, jobs, node)
		job->func(job);
}

static void tls_hs_thread_work(struct kthread_work *work)
{
	struct tls_hs_cpu *c = container_of(work, struct tls_hs_cpu,
					    thread_work);
	struct tls_hs *hs;

	might_sleep();
	do {
		tls_hs_run_jobs(c);
		hs = tls_hs_next_in_turn(c);
		if (hs)
			tls_hs_run_thread(hs, &c->thread);
		/* The thread need not ever sleep: its load is up to clients. */
		cond_resched_tasks_rcu_qs();
	} while (hs || !llist_empty(&c->jobs));
}

static void tls_hs_buffers_free(struct tls_hs_buffers *b)
{
	kvfree_sensitive(b->in, TLS_HS_IN_MAX);
	kvfree_sensitive(b->out, TLS_HS_OUT_MAX);
	kvfree_sensitive(b->scratch, tls_hs_scratch_size());
	*b = (struct tls_hs_buffers) {};
}

static void tls_hs_free_buffers(void)
{
	struct tls_hs_cpu *c;
	int cpu;

	for_each_possible_cpu(cpu) {
		c = &per_cpu(tls_hs_cpu, cpu);
		kvfree(c->flows);
		c->flows = NULL;
		tls_hs_buffers_free(&c->softirq.buffers);
		tls_hs_buffers_free(&c->thread.buffers);
	}
}

/* Zeroed: Rust requires that referenced memory is initialized. */
static bool tls_hs_buffers_alloc(struct tls_hs_buffers *b, int node)
{
	b->in = kvzalloc_node(TLS_HS_IN_MAX, GFP_KERNEL, node);
	b->out = kvzalloc_node(TLS_HS_OUT_MAX, GFP_KERNEL, node);
	b->scratch = kvzalloc_node(tls_hs_scratch_size(), GFP_KERNEL, node);
	return b->in && b->out && b->scratch;
}

/* A CPU has come online: give it a thread, or let its thread come back. */
static int tls_hs_cpu_online(unsigned int cpu)
{
	struct tls_hs_cpu *c = &per_cpu(tls_hs_cpu, cpu);
	const struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = SCHED_BATCH,
		.sched_runtime = TLS_HS_SLICE_NS,
	};
	struct kthread_worker *worker;

	if (c->worker) {
		set_cpus_allowed_ptr(c->worker->task, cpumask_of(cpu));
		return 0;
	}
	worker = kthread_run_worker_on_cpu(cpu, 0, "tls_hs/%u");
	if (IS_ERR(worker))
		return PTR_ERR(worker);
	sched_setattr_nocheck(worker->task, &attr);
	WRITE_ONCE(c->worker, worker);
	return 0;
}

static int tls_hs_prepare_cpus(void)
{
	struct tls_hs_cpu *c;
	int cpu, node, rc;

	get_random_bytes(&tls_hs_flow_seed, sizeof(tls_hs_flow_seed));
	for_each_possible_cpu(cpu) {
		node = cpu_to_node(cpu);
		c = &per_cpu(tls_hs_cpu, cpu);
		c->flows = kvzalloc_node(sizeof(*c->flows), GFP_KERNEL, node);
		if (!c->flows)
			return -ENOMEM;
		if (!tls_hs_buffers_alloc(&c->softirq.buffers, node) ||
		    !tls_hs_buffers_alloc(&c->thread.buffers, node))
			return -ENOMEM;
		c->softirq.buffers.in_softirq = true;
	}
	/* Runs for those that are online now. */
	rc = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "net/tls:handshake",
			       tls_hs_cpu_online, NULL);
	if (rc < 0)
		return rc;
	tls_hs_cpuhp_state = rc;
	return 0;
}

static void tls_hs_destroy_threads(void)
{
	struct tls_hs_cpu *c;
	int cpu;

	if (tls_hs_cpuhp_state)
		cpuhp_remove_state(tls_hs_cpuhp_state);
	tls_hs_cpuhp_state = 0;
	for_each_possible_cpu(cpu) {
		c = &per_cpu(tls_hs_cpu, cpu);
		if (c->worker)
			kthread_destroy_worker(c->worker);
		c->worker = NULL;
	}
}

/**
 * tls_hs_cpu_prepare - allocate the buffers and make the thread of each CPU, once
 *
 * Context: process, may sleep.
 * Return: 0 or an error.
 */
int tls_hs_cpu_prepare(void)
{
	int rc = 0;

	mutex_lock(&tls_hs_prepare_lock);
	if (!tls_hs_prepared) {
		rc = tls_hs_prepare_cpus();
		if (rc) {
			tls_hs_destroy_threads();
			tls_hs_free_buffers();
		}
		tls_hs_prepared = !rc;
	}
	mutex_unlock(&tls_hs_prepare_lock);
	return rc;
}

int __init tls_hs_cpu_init(void)
{
	struct tls_hs_cpu *c;
	int cpu;

	tls_hs_wq = alloc_workqueue("tls_hs", WQ_UNBOUND, 0);
	if (!tls_hs_wq)
		return -ENOMEM;
	tls_hs_bh_wq = alloc_workqueue("tls_hs_bh", WQ_BH | WQ_PERCPU, 0);
	if (!tls_hs_bh_wq) {
		destroy_workqueue(tls_hs_wq);
		return -ENOMEM;
	}

	for_each_possible_cpu(cpu) {
		c = &per_cpu(tls_hs_cpu, cpu);
		init_llist_head(&c->softirq.list);
		init_llist_head(&c->thread.list);
		init_llist_head(&c->jobs);
		INIT_WORK(&c->softirq_work, tls_hs_softirq_work);
		kthread_init_work(&c->thread_work, tls_hs_thread_work);
	}
	return 0;
}

/* No socket uses the ULP any more, but work and timers may still be pending. */
void tls_hs_cpu_exit(void)
{
	int i;

	/* Wait for timers that were running when their sockets were freed. */
	synchronize_rcu();
	destroy_workqueue(tls_hs_bh_wq);
	tls_hs_destroy_threads();
	/* The longest chain of what is freed by work after a grace period: a
	 * drain, its listener, the listener's settings, their keys.
	 */
	for (i = 0; i < 4; i++) {
		rcu_barrier();
		flush_workqueue(tls_hs_wq);
	}
	rcu_barrier();
	destroy_workqueue(tls_hs_wq);
	tls_hs_free_buffers();
}
