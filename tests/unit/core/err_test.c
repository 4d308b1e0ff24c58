#include "core/err.h"
#include "tests/unit/test.h"

#include <string.h>

START_TEST(set_and_return)
{
	tr_err err;

	ck_assert_int_eq(tr_err_set(&err, TR_E_SLOT_MISSING, "slot \"%s\" does not exist", "s"), -1);
	ck_assert_int_eq(tr_err_detail(&err, "position %d", 7), -1);
	ck_assert_int_eq(tr_err_hint(&err, "Do this."), -1);
	ck_assert_int_eq(err.code, TR_E_SLOT_MISSING);
	ck_assert_str_eq(err.text, "slot \"s\" does not exist");
	ck_assert_str_eq(err.detail, "position 7");
	ck_assert_str_eq(err.hint, "Do this.");
	ck_assert_int_eq(tr_err_prefix(&err, "pipeline \"%s\"", "shop"), -1);
	ck_assert_str_eq(err.text, "pipeline \"shop\": slot \"s\" does not exist");
	tr_err_set(&err, TR_E_BUG, "again: %s", err.text);
	ck_assert_str_eq(err.text, "again: pipeline \"shop\": slot \"s\" does not exist");
	ck_assert_str_eq(err.detail, "");
	ck_assert_str_eq(err.hint, "");
	tr_err_clear(&err);
	ck_assert_int_eq(err.code, TR_OK);
	ck_assert_str_eq(err.text, "");
}
END_TEST

START_TEST(nobody_wants_to_know)
{
	ck_assert_int_eq(tr_err_set(NULL, TR_E_BUG, "x"), -1);
	ck_assert_int_eq(tr_err_detail(NULL, "x"), -1);
	ck_assert_int_eq(tr_err_hint(NULL, "x"), -1);
	ck_assert_int_eq(tr_err_prefix(NULL, "x"), -1);
	tr_err_clear(NULL);
}
END_TEST

START_TEST(long_texts_are_cut)
{
	tr_err err;
	char huge[5000];

	memset(huge, 'x', sizeof(huge));
	huge[sizeof(huge) - 1] = '\0';
	tr_err_set(&err, TR_E_BUG, "%s", huge);
	tr_err_detail(&err, "%s", huge);
	tr_err_hint(&err, "%s", huge);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
	ck_assert_str_eq(err.text + sizeof(err.text) - 4, "...");
	ck_assert_uint_eq(strlen(err.detail), sizeof(err.detail) - 1);
	ck_assert_str_eq(err.detail + sizeof(err.detail) - 4, "...");
	ck_assert_uint_eq(strlen(err.hint), sizeof(err.hint) - 1);
	tr_err_prefix(&err, "table");
	ck_assert_ptr_eq(strstr(err.text, "table: xxx"), err.text);
	tr_err_prefix(&err, "%s", huge);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
}
END_TEST

START_TEST(catalogue)
{
	ck_assert_str_eq(tr_err_symbol(TR_E_SLOT_MISSING), "SLOT_MISSING");
	ck_assert_int_eq(tr_err_exit_code(TR_E_SLOT_MISSING), 65);
	ck_assert_int_eq(tr_err_reaction(TR_E_SLOT_MISSING), TR_REACT_STOP);
	ck_assert_int_eq(tr_err_reaction(TR_E_SOURCE_UNAVAILABLE), TR_REACT_RETRY);
	ck_assert_int_eq(tr_err_reaction(TR_E_RECORD_OVERSIZE), TR_REACT_POLICY);
	ck_assert_str_eq(tr_err_summary(TR_E_USAGE), "the command line cannot be understood");
	ck_assert_str_eq(tr_err_symbol(TR_OK), "OK");
	ck_assert_int_eq(tr_err_exit_code(TR_OK), 0);
	ck_assert_int_eq(tr_err_exit_code((tr_err_code)77777), 70);
	ck_assert_str_eq(tr_err_symbol((tr_err_code)77777), "UNKNOWN");
}
END_TEST

START_TEST(catalogue_is_sound)
{
	static const struct {
		int number, exit_code;
		const char *symbol, *summary;
	} rows[] = {
#define TR_ERROR(symbol, number, exit_code, reaction, summary) {number, exit_code, #symbol, summary},
#include "core/errors.def"
#undef TR_ERROR
	};
	static const int exits[] = {0, 64, 65, 69, 70, 74, 75, 77, 78};
	size_t count = sizeof(rows) / sizeof(rows[0]);

	for (size_t i = 0; i < count; i++) {
		bool known = false;
		for (size_t e = 0; e < sizeof(exits) / sizeof(exits[0]); e++)
			known |= rows[i].exit_code == exits[e];
		ck_assert_msg(known, "%s: exit status %d is not in the contract", rows[i].symbol, rows[i].exit_code);
		ck_assert_msg(rows[i].summary[0] >= 'a' || rows[i].summary[0] == '"', "%s", rows[i].summary);
		ck_assert_msg(strchr(".!", rows[i].summary[strlen(rows[i].summary) - 1]) == NULL, "%s", rows[i].summary);
		for (size_t j = 0; j < i; j++)
			ck_assert_msg(rows[i].number != rows[j].number, "%s and %s", rows[i].symbol, rows[j].symbol);
	}
}
END_TEST

TEST_MAIN("err", set_and_return, nobody_wants_to_know, long_texts_are_cut, catalogue, catalogue_is_sound)
