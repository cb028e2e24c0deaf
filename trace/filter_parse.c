// SPDX-License-Identifier: GPL-2.0-only
/*
 * A filter read from text (docs/tracing.md has the language).
 */
#include "compat/pure.h"
#include "trace/filter.h"

/* A piece of the text. */
struct token {
	const char *s;
	size_t len;
};

struct parser {
	const char *text, *end, *at;
	vtx_reason_name name;
	struct vtx_filter *filter;
	struct vtx_filter_error *error;
};

#define CONDITIONS "reason=, vcpu=, rip=, gpa=, port=, msr="

/* What a number may be at most. */
static const struct {
	u64 max;
	const char *text;
} limits[VTX_NR_FILTER_KEYS] = {
	[VTX_FILTER_VCPU] = { 254, "is too large: a vCPU's number is at most 254" },
	[VTX_FILTER_RIP] = { ~0ULL, "is too large: an address has 64 bits" },
	[VTX_FILTER_GPA] = { ~0ULL, "is too large: an address has 64 bits" },
	[VTX_FILTER_PORT] = { 0xffff, "is too large: a port is at most 0xffff" },
	[VTX_FILTER_MSR] = { 0xffffffff, "is too large: an MSR's index is at most 0xffffffff" },
};

/* ------------------------------------------------------------------ refusing */

#define QUOTED 32 /* characters of a word that are repeated */

/* The word may be anything: it is cut, and what cannot be printed becomes a question mark. */
static void quote(struct vtx_filter_text *text, struct token word)
{
	char shown[QUOTED + 1];
	size_t n = min_t(size_t, word.len, QUOTED);

	for (size_t i = 0; i < n; i++)
		shown[i] = word.s[i] >= 0x20 && word.s[i] < 0x7f ? word.s[i] : '?';
	shown[n] = 0;
	vtx_filter_put(text, "'");
	vtx_filter_put(text, shown);
	vtx_filter_put(text, word.len > n ? "...' " : "' ");
}

/* "line 2, column 6: 'word' what". Counted from 1; columns are bytes. */
static int refuse(struct parser *p, struct token word, const char *what)
{
	struct vtx_filter_text text = { .out = p->error->text, .size = sizeof(p->error->text) };
	unsigned int line = 1, column = 1;

	for (const char *s = p->text; s < word.s; s++) {
		column = *s == '\n' ? 1 : column + 1;
		line += *s == '\n';
	}
	vtx_filter_put(&text, "line ");
	vtx_filter_put_number(&text, line, 10);
	vtx_filter_put(&text, ", column ");
	vtx_filter_put_number(&text, column, 10);
	vtx_filter_put(&text, ": ");
	quote(&text, word);
	vtx_filter_put(&text, what);
	return -EINVAL;
}

int vtx_filter_too_long(size_t len, struct vtx_filter_error *error)
{
	struct vtx_filter_text text = { .out = error->text, .size = sizeof(error->text) };

	vtx_filter_put(&text, "a text of ");
	vtx_filter_put_number(&text, len, 10);
	vtx_filter_put(&text, " bytes is too long: at most ");
	vtx_filter_put_number(&text, VTX_FILTER_TEXT, 10);
	return -E2BIG;
}

/* ------------------------------------------------------------------ words */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool ends_rule(char c)
{
	return c == '\n' || c == ';' || c == '#';
}

static bool is(struct token word, const char *s)
{
	return word.len == strlen(s) && !memcmp(word.s, s, word.len);
}

/* The rule's next word. False: it has none. */
static bool next_word(struct parser *p, struct token *word)
{
	while (p->at < p->end && is_space(*p->at))
		p->at++;
	word->s = p->at;
	while (p->at < p->end && !is_space(*p->at) && !ends_rule(*p->at))
		p->at++;
	word->len = p->at - word->s;
	return word->len;
}

/* Cuts @word at the first @c and returns the part before it; all of it where there is none. *found: there was. */
static struct token cut(struct token *word, char c, bool *found)
{
	const char *at = memchr(word->s, c, word->len);
	struct token head = *word;

	*found = at;
	if (at) {
		head.len = at - word->s;
		word->s = at + 1;
		word->len -= head.len + 1;
	} else {
		word->s += word->len;
		word->len = 0;
	}
	return head;
}

/* ------------------------------------------------------------------ values */

enum number { NUMBER_GOOD, NUMBER_NONE, NUMBER_LARGE };

/* Decimal, or hexadecimal with 0x. */
static enum number number(struct token word, u64 *value)
{
	unsigned int base = 10;
	bool large = false;

	if (word.len > 2 && word.s[0] == '0' && (word.s[1] == 'x' || word.s[1] == 'X')) {
		base = 16;
		word.s += 2;
		word.len -= 2;
	}
	if (!word.len)
		return NUMBER_NONE;
	*value = 0;
	for (size_t i = 0; i < word.len; i++) {
		char c = word.s[i];
		unsigned int digit = 99;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (c | 0x20) - 'a' + 10;
		if (digit >= base)
			return NUMBER_NONE;
		large |= *value > (~0ULL - digit) / base;
		*value = *value * base + digit;
	}
	return large ? NUMBER_LARGE : NUMBER_GOOD;
}

static int bound(struct parser *p, enum vtx_filter_key key, struct token word, u64 *value)
{
	switch (number(word, value)) {
	case NUMBER_NONE:
		return refuse(p, word, "is no number; expected 10, 0x10 or a range as 0x10-0x1f");
	case NUMBER_GOOD:
		if (*value <= limits[key].max)
			return 0;
		fallthrough;
	default:
		return refuse(p, word, limits[key].text);
	}
}

static int range(struct parser *p, enum vtx_filter_key key, struct token word, struct vtx_filter_rule *rule)
{
	struct vtx_filter_range *out;
	struct token whole = word, first;
	bool two;

	if (rule->nr_ranges[key] == VTX_FILTER_RANGES)
		return refuse(p, word, "is one value too many: a condition has at most 4");
	out = &rule->ranges[key][rule->nr_ranges[key]++];
	first = cut(&word, '-', &two);
	if (bound(p, key, first, &out->first))
		return -EINVAL;
	if (!two)
		out->last = out->first;
	else if (bound(p, key, word, &out->last))
		return -EINVAL;
	return out->first <= out->last ? 0 : refuse(p, whole, "is reversed: expected the smaller number first");
}

static int reason(struct parser *p, struct token word, struct vtx_filter_rule *rule)
{
	u64 n = VTX_FILTER_REASONS;

	if (is(word, "OTHER"))
		n = VTX_FILTER_OTHER;
	for (unsigned int i = 0; i < VTX_FILTER_OTHER && n == VTX_FILTER_REASONS; i++)
		if (p->name(i) && is(word, p->name(i)))
			n = i;
	if (n == VTX_FILTER_REASONS && word.len > 7 && !memcmp(word.s, "REASON_", 7)) {
		struct token digits = { word.s + 7, word.len - 7 };

		if (number(digits, &n) != NUMBER_GOOD || n >= VTX_FILTER_OTHER)
			n = VTX_FILTER_REASONS;
	}
	if (n == VTX_FILTER_REASONS)
		return refuse(p, word, "is no exit reason; expected a name as in the file exits, REASON_<number> or OTHER");
	rule->reasons[n / 64] |= 1ULL << (n % 64);
	return 0;
}

/* ------------------------------------------------------------------ conditions, rules */

static int condition(struct parser *p, struct token word, bool negated, struct vtx_filter_rule *rule)
{
	struct token whole = word, name, value;
	unsigned int key;
	bool more;

	name = cut(&word, '=', &more);
	for (key = 0; key < VTX_NR_FILTER_KEYS && !is(name, vtx_filter_keys[key]); key++)
		;
	if (key == VTX_NR_FILTER_KEYS)
		return refuse(p, name, "is no condition; expected " CONDITIONS " or not");
	if (!more)
		return refuse(p, name, "has no value; expected = behind it");
	if (rule->given >> key & 1)
		return refuse(p, name, "stands twice in this rule; expected its values in one list, A,B");
	rule->given |= 1 << key;
	rule->negated |= negated << key;
	do {
		value = cut(&word, ',', &more);
		if (!value.len)
			return refuse(p, whole, "lacks a value; expected one after = and after each comma");
		if (key == VTX_FILTER_REASON ? reason(p, value, rule) : range(p, key, value, rule))
			return -EINVAL;
	} while (more);
	return 0;
}

static int rule(struct parser *p, struct token word)
{
	struct vtx_filter *filter = p->filter;
	struct vtx_filter_rule *new;
	u8 action;

	if (is(word, "show"))
		action = VTX_FILTER_SHOW;
	else if (is(word, "stop"))
		action = VTX_FILTER_STOP;
	else
		return refuse(p, word, "begins no rule; expected show or stop");
	if (filter->nr_rules == VTX_FILTER_RULES) {
		refuse(p, word, "begins a rule too many: a filter has at most 16");
		return -E2BIG;
	}
	new = &filter->rules[filter->nr_rules++];
	new->action = action;
	filter->actions |= action;
	while (next_word(p, &word)) {
		struct token not = word;
		bool negated = is(word, "not");

		if (negated && !next_word(p, &word))
			return refuse(p, not, "ends the rule; expected " CONDITIONS " behind it");
		if (condition(p, word, negated, new))
			return -EINVAL;
	}
	return 0;
}

int vtx_filter_parse(struct vtx_filter *filter, const char *text, size_t len, vtx_reason_name name,
		     struct vtx_filter_error *error)
{
	struct parser p = { .text = text, .at = text, .end = text + len, .name = name, .filter = filter, .error = error };
	struct token word;
	int r;

	memset(filter, 0, sizeof(*filter));
	if (len > VTX_FILTER_TEXT)
		return vtx_filter_too_long(len, error);
	while (p.at < p.end) {
		if (next_word(&p, &word)) {
			r = rule(&p, word);
			if (r)
				return r;
		}
		/* Here the rule ends: a comment goes on to the end of the line. */
		if (p.at < p.end && *p.at == '#')
			while (p.at < p.end && *p.at != '\n')
				p.at++;
		if (p.at < p.end)
			p.at++;
	}
	return 0;
}
