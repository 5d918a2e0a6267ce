/*
 * each.h - a macro applied to each argument of a row in calls.def.
 *
 *	LIST(M, (SESSION, BYTES))   becomes   M(0, SESSION), M(1, BYTES)
 */
#ifndef CAAS_PROTOCOL_EACH_H
#define CAAS_PROTOCOL_EACH_H

#define LIST(m, args) LIST_(LIST_COUNT_ args, m, LIST_STRIP_ args)

#define LIST_STRIP_(...) __VA_ARGS__
#define LIST_COUNT_(...) LIST_PICK_(__VA_ARGS__, 6, 5, 4, 3, 2, 1, 0)
#define LIST_PICK_(a, b, c, d, e, f, n, ...) n
#define LIST_(n, m, ...) LIST__(n, m, __VA_ARGS__)
#define LIST__(n, m, ...) LIST_##n(m, __VA_ARGS__)
#define LIST_1(m, a) m(0, a)
#define LIST_2(m, a, b) LIST_1(m, a), m(1, b)
#define LIST_3(m, a, b, c) LIST_2(m, a, b), m(2, c)
#define LIST_4(m, a, b, c, d) LIST_3(m, a, b, c), m(3, d)
#define LIST_5(m, a, b, c, d, e) LIST_4(m, a, b, c, d), m(4, e)
#define LIST_6(m, a, b, c, d, e, f) LIST_5(m, a, b, c, d, e), m(5, f)

#endif
