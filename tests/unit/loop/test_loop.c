#include "loop/loop.h"

#include "base/str.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

/* A trace of what ran, in order. */
struct trace {
    struct loop *loop;
    char said[64];
    size_t n;
};

struct speaker {
    struct timer timer;
    struct later later;
    struct trace *trace;
    struct speaker *other;
    int64_t ran_at_ms;
    int times;
    char word;
};

static void speak(struct speaker *s)
{
    struct trace *t = s->trace;
    assert_true(t->n < sizeof t->said - 1);
    t->said[t->n++] = s->word;
    s->ran_at_ms = loop_now_ms(t->loop);
    s->times++;
}

static void on_speak(void *ctx)
{
    speak(ctx);
}

static void on_speak_and_stop(void *ctx)
{
    speak(ctx);
    loop_stop(((struct speaker *)ctx)->trace->loop);
}

static void on_cancel_other(void *ctx)
{
    struct speaker *s = ctx;
    speak(s);
    timer_cancel(&s->other->timer);
    later_cancel(&s->other->later);
}

static void on_ask_later(void *ctx)
{
    struct speaker *s = ctx;
    speak(s);
    loop_later(s->trace->loop, &s->other->later);
    loop_later(s->trace->loop, &s->other->later);
}

static void speaker_init(struct speaker *s, struct trace *t, char word, void (*fn)(void *ctx))
{
    *s = (struct speaker){ .trace = t, .word = word };
    timer_init(&s->timer, t->loop, fn, s);
    later_init(&s->later, fn, s);
}

static void test_timers_fire_in_order_whatever_order_they_were_set_in(void **state)
{
    struct trace t = { .loop = loop_new() };
    struct speaker s[4];
    static const int in_ms[] = { 30, 10, 20, 40 };
    for (int i = 0; i < 4; i++) {
        speaker_init(&s[i], &t, (char)('a' + i), i == 3 ? on_speak_and_stop : on_speak);
        timer_set(&s[i].timer, in_ms[i]);
    }
    loop_run(t.loop);
    assert_string_equal(t.said, "bcad");
    for (int i = 0; i < 4; i++)
        assert_false(timer_is_set(&s[i].timer));
    loop_free(t.loop);
}

static void test_a_timer_moved_back_keeps_its_place_and_fires_at_its_new_time(void **state)
{
    struct trace t = { .loop = loop_new() };
    struct speaker a, b, end;
    speaker_init(&a, &t, 'a', on_speak);
    speaker_init(&b, &t, 'b', on_speak);
    speaker_init(&end, &t, 'e', on_speak_and_stop);
    int64_t start = loop_now_ms(t.loop);
    timer_set(&a.timer, 5);
    int64_t key = a.timer.key_ms;
    timer_set(&a.timer, 30);
    assert_int_equal(a.timer.key_ms, key); /* lazily */
    timer_set(&b.timer, 50);
    timer_set(&b.timer, 10);               /* forward: at once */
    timer_set(&end.timer, 60);
    loop_run(t.loop);
    assert_string_equal(t.said, "bae");
    assert_true(a.ran_at_ms >= start + 30);
    assert_int_equal(a.times, 1);
    loop_free(t.loop);
}

static void test_a_cancelled_timer_or_later_does_not_run(void **state)
{
    struct trace t = { .loop = loop_new() };
    struct speaker a, b, end;
    speaker_init(&a, &t, 'a', on_cancel_other);
    speaker_init(&b, &t, 'b', on_speak);
    speaker_init(&end, &t, 'e', on_speak_and_stop);
    a.other = &b;
    timer_set(&a.timer, 1);
    timer_set(&b.timer, 1);
    timer_set(&end.timer, 10);
    loop_run(t.loop);
    assert_string_equal(t.said, "ae");
    loop_later(t.loop, &a.later);
    loop_later(t.loop, &b.later);
    loop_later(t.loop, &end.later);
    loop_run(t.loop);
    assert_string_equal(t.said, "aeae");
    loop_free(t.loop);
}

static void test_a_later_runs_once_and_the_loop_does_not_sleep_over_it(void **state)
{
    /* Asked for by a timer (before the poll), by a later (during the batch), with nothing else that could wake the loop. */
    struct trace t = { .loop = loop_new() };
    struct speaker a, b, c;
    speaker_init(&a, &t, 'a', on_ask_later);
    speaker_init(&b, &t, 'b', on_ask_later);
    speaker_init(&c, &t, 'c', on_speak_and_stop);
    a.other = &b;
    b.other = &c;
    timer_set(&a.timer, 1);
    loop_run(t.loop);
    assert_string_equal(t.said, "abc");
    loop_free(t.loop);
}

static void on_ask_again(void *ctx)
{
    struct speaker *s = ctx;
    s->times++;
    loop_later(s->trace->loop, &s->later);
}

static void test_a_later_that_asks_again_leaves_timers_their_turn(void **state)
{
    struct trace t = { .loop = loop_new() };
    struct speaker again, end;
    speaker_init(&again, &t, 'a', on_ask_again);
    speaker_init(&end, &t, 'e', on_speak_and_stop);
    loop_later(t.loop, &again.later);
    timer_set(&end.timer, 2);
    loop_run(t.loop);
    assert_string_equal(t.said, "e");
    assert_true(again.times > 1);
    later_cancel(&again.later);
    loop_free(t.loop);
}

static void count(void *ctx)
{
    ++*(int *)ctx;
}

static void test_ten_thousand_timers_set_moved_and_cancelled_at_random(void **state)
{
    enum { N = 10000 };
    struct loop *l = loop_new();
    struct timer *timers = calloc(N, sizeof *timers);
    assert_non_null(timers);
    int fired = 0, wanted = 0;
    srandom(1);
    for (int i = 0; i < N; i++) {
        timer_init(&timers[i], l, count, &fired);
        timer_set(&timers[i], 1 + random() % 20);
    }
    for (int i = 0; i < N; i++) {
        if (random() % 3 == 0)
            timer_cancel(&timers[i]);
        else if (random() % 2 == 0)
            timer_set(&timers[i], 1 + random() % 40);
        wanted += timer_is_set(&timers[i]);
    }
    struct trace t = { .loop = l };
    struct speaker end;
    speaker_init(&end, &t, 'e', on_speak_and_stop);
    timer_set(&end.timer, 50);
    loop_run(l);
    assert_int_equal(fired, wanted);
    free(timers);
    loop_free(l);
}

static void on_usr1(void *ctx, int signum)
{
    assert_int_equal(signum, SIGUSR1);
    loop_stop(ctx);
}

static void test_a_signal_arrives_on_the_loop(void **state)
{
    struct loop *l = loop_new();
    loop_on_signal(l, SIGUSR1, on_usr1, l);
    kill(getpid(), SIGUSR1);
    loop_run(l);
    loop_free(l);
}

struct errand {
    struct loop *loop;
    struct work work;
    int worked, done;
};

static void do_work(void *ctx)
{
    struct errand *e = ctx;
    e->worked++;
}

static void work_came_back(void *ctx)
{
    struct errand *e = ctx;
    assert_int_equal(e->worked, ++e->done);
    if (e->done == 3)
        loop_stop(e->loop);
    else
        loop_work(e->loop, &e->work); /* legal again from here on */
}

static void test_work_comes_back_to_the_loop_once_each_time(void **state)
{
    struct errand e = { .loop = loop_new() };
    work_init(&e.work, do_work, work_came_back, &e);
    loop_work(e.loop, &e.work);
    loop_run(e.loop);
    assert_int_equal(e.done, 3);
    loop_free(e.loop);
}

struct caller {
    struct loop *loop;
    struct wake *wake;
    pthread_t loop_thread;
    _Atomic int calls;
    int ran, seen;
};

static void *call_often(void *ctx)
{
    struct caller *c = ctx;
    for (int i = 0; i < 1000; i++) {
        c->calls++;
        wake_up(c->wake);
    }
    return NULL;
}

static void on_called(void *ctx)
{
    struct caller *c = ctx;
    assert_true(pthread_equal(pthread_self(), c->loop_thread));
    c->ran++;
    c->seen = c->calls;
    if (c->seen == 1000)
        loop_stop(c->loop);
}

static void test_a_wake_runs_on_the_loop_after_the_last_call(void **state)
{
    struct caller c = { .loop = loop_new(), .loop_thread = pthread_self() };
    pthread_t thread;
    c.wake = wake_new(c.loop, on_called, &c);
    assert_int_equal(pthread_create(&thread, NULL, call_often, &c), 0);
    loop_run(c.loop);
    pthread_join(thread, NULL);
    assert_true(c.seen == 1000 && c.ran >= 1 && c.ran <= 1000);
    int ran = c.ran;
    wake_up(c.wake);
    wake_free(c.wake);
    loop_free(c.loop);
    assert_int_equal(c.ran, ran);
}

/* What is done aside waits for its gate, which is a pipe: so the test says when it comes back. */
struct errand_data {
    int gate[2];
    pthread_t thread;
};

static struct aside_seen {
    struct loop *loop;
    int done, given, dropped;
    pthread_mutex_t lock; /* of dropped */
} aside;

static void wait_at_gate(void *data)
{
    struct errand_data *d = data;
    char c;
    d->thread = pthread_self();
    assert_int_equal(read(d->gate[0], &c, 1), 1);
}

static void on_aside_done(void *ctx, void *data)
{
    struct errand_data *d = data;
    aside.done++;
    aside.given += d != NULL;
    if (d) {
        assert_false(pthread_equal(pthread_self(), d->thread));
        free(d);
        loop_stop(aside.loop);
    }
}

static void drop_aside(void *data)
{
    free(data);
    pthread_mutex_lock(&aside.lock);
    aside.dropped++;
    pthread_mutex_unlock(&aside.lock);
}

static void test_what_is_done_aside_comes_back_once_or_is_dropped_when_the_loop_ends_first(void **state)
{
    static const struct timespec moment = { .tv_nsec = 1000000 };
    for (int ends_first = 0; ends_first < 2; ends_first++) {
        aside = (struct aside_seen){ .loop = loop_new() };
        pthread_mutex_init(&aside.lock, NULL);
        struct errand_data *d = calloc(1, sizeof *d);
        assert_non_null(d);
        int gate[2];
        assert_int_equal(pipe(gate), 0);
        memcpy(d->gate, gate, sizeof gate);
        assert_int_equal(loop_aside(aside.loop, wait_at_gate, on_aside_done, drop_aside, d, NULL), 0);
        if (ends_first) {
            loop_free(aside.loop); /* does not wait for it */
            assert_int_equal(aside.done, 1);
            assert_int_equal(aside.given, 0);
        }
        assert_int_equal(write(gate[1], "x", 1), 1);
        if (ends_first) {
            for (int dropped = 0; !dropped; nanosleep(&moment, NULL)) {
                pthread_mutex_lock(&aside.lock);
                dropped = aside.dropped;
                pthread_mutex_unlock(&aside.lock);
            }
        } else {
            loop_run(aside.loop);
            loop_free(aside.loop);
            assert_int_equal(aside.given, 1);
            assert_int_equal(aside.dropped, 0);
        }
        close(gate[0]);
        close(gate[1]);
        pthread_mutex_destroy(&aside.lock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_fire_in_order_whatever_order_they_were_set_in),
        cmocka_unit_test(test_a_timer_moved_back_keeps_its_place_and_fires_at_its_new_time),
        cmocka_unit_test(test_a_cancelled_timer_or_later_does_not_run),
        cmocka_unit_test(test_a_later_runs_once_and_the_loop_does_not_sleep_over_it),
        cmocka_unit_test(test_a_later_that_asks_again_leaves_timers_their_turn),
        cmocka_unit_test(test_ten_thousand_timers_set_moved_and_cancelled_at_random),
        cmocka_unit_test(test_a_signal_arrives_on_the_loop),
        cmocka_unit_test(test_work_comes_back_to_the_loop_once_each_time),
        cmocka_unit_test(test_a_wake_runs_on_the_loop_after_the_last_call),
        cmocka_unit_test(test_what_is_done_aside_comes_back_once_or_is_dropped_when_the_loop_ends_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
