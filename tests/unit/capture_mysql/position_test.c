/* Positions, identities, names of XA transactions and urls: no server is needed. */
#include <stdio.h>

#include "capture/mysql/connect.h"
#include "capture/mysql/position.h"
#include "core/text.h"
#include "tests/unit/test.h"

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define AT ",\"file\":\"binlog.000004\",\"pos\":1547"

static void check_kept(const char *text)
{
	tr_myc_position p = {0}, copy = {0};
	tr_err err = {0};
	tr_writer w;

	tr_writer_init(&w, 1 << 16);
	ck_assert_msg(tr_myc_position_read(&p, tr_slice_str(text), &err) == 0, "%s: %s", text, err.text);
	ck_assert_int_eq(tr_myc_position_copy(&copy, &p, &err), 0);
	tr_myc_position_write(&copy, &w);
	ck_assert_msg(tr_slice_eq(tr_writer_view(&w), tr_slice_str(text)), "%s\n%.*s", text, (int)w.len, (const char *)w.data);
	tr_writer_release(&w);
	tr_myc_position_release(&p);
	tr_myc_position_release(&copy);
}

START_TEST(positions_are_written_as_they_are_read)
{
	check_kept("{\"gtid_set\":\"" A ":1-77:tag:3\"" AT "}");
	check_kept("{\"gtid_set\":\"\"" AT "}");
	check_kept("{\"gtid\":\"0-1-100,1-2-7\"" AT "}");
	check_kept("{\"file\":\"binlog.000004\",\"pos\":99999999999}");
	check_kept("{\"gtid_set\":\"" A ":1-77\"" AT ",\"tx\":\"" A ":78\",\"index\":4711,\"filter\":9}");
	check_kept("{\"gtid\":\"0-1-2\"" AT ",\"xa\":[{\"xid\":\"0x61,0x,1\",\"gtid\":\"0-1-2\",\"after\":\"0-1-1\",\"file\":\"b.1\",\"pos\":4},"
		   "{\"xid\":\"0x62,0x,1\",\"file\":\"b.1\",\"pos\":9}]}");
	check_kept("{\"gtid_set\":\"\"" AT ",\"incremental\":{\"tables\":[{\"schema\":\"a\"}],\"rows\":1}}");
}
END_TEST

START_TEST(unknown_positions_are_refused)
{
	static const char *const texts[] = {"", "{}", "[]", "{\"lsn\":\"0/1\"}", "{\"gtid_set\":1}", "{\"gtid_set\":\"x\"}",
					    "{\"gtid\":\"0-1\"}", "{\"file\":\"\",\"pos\":4}", "{\"file\":\"a.1\",\"pos\":-1}",
					    "{\"file\":\"a.1\",\"pos\":4,\"index\":3}", "{\"file\":\"a.1\",\"pos\":4,\"other\":1}",
					    "{\"gtid_set\":\"\",\"gtid\":\"0-1-1\"}", "{\"file\":\"a.1\",\"pos\":4,\"xa\":[{}]}", "{\"file\":\"a.1\""};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		tr_myc_position p = {0};
		tr_err err = {0};

		ck_assert_msg(tr_myc_position_read(&p, tr_slice_str(texts[i]), &err) == -1 && err.code != TR_OK, "%s", texts[i]);
		tr_myc_position_release(&p);
	}
}
END_TEST

START_TEST(positions_are_compared_by_what_they_hold)
{
	static const struct {
		const char *a, *b;
		int order;
	} cases[] = {
	    {"{\"gtid_set\":\"" A ":1-5\"}", "{\"gtid_set\":\"" A ":1-5\"" AT "}", 0},
	    {"{\"gtid_set\":\"" A ":1-5\"}", "{\"gtid_set\":\"" A ":1-6\"}", -1},
	    {"{\"gtid_set\":\"" A ":1-5:7\"}", "{\"gtid_set\":\"" A ":1-6\"}", 2},
	    {"{\"gtid\":\"0-1-5\"}", "{\"gtid\":\"0-1-4\"}", 1},
	    {"{\"gtid\":\"0-1-5\"}", "{\"gtid\":\"0-1-5,1-1-1\"}", -1},
	    {"{\"gtid\":\"0-1-5\"}", "{\"gtid\":\"0-1-4,1-1-1\"}", 2},
	    {"{\"file\":\"b.000009\",\"pos\":9}", "{\"file\":\"b.000010\",\"pos\":4}", -1},
	    {"{\"file\":\"b.999999\",\"pos\":9}", "{\"file\":\"b.1000000\",\"pos\":4}", -1},
	    {"{\"file\":\"b.000009\",\"pos\":9}", "{\"file\":\"c.000010\",\"pos\":4}", 2},
	    {"{\"file\":\"b.1\",\"pos\":9}", "{\"file\":\"b.1\",\"pos\":9,\"tx\":\"b.1:9\",\"index\":2}", -1},
	    {"{\"file\":\"b.1\",\"pos\":9,\"tx\":\"b.1:9\",\"index\":3}", "{\"file\":\"b.1\",\"pos\":9,\"tx\":\"b.1:9\",\"index\":2}", 1},
	    {"{\"file\":\"b.1\",\"pos\":10}", "{\"file\":\"b.1\",\"pos\":9,\"tx\":\"b.1:9\",\"index\":2}", 1},
	    {"{\"file\":\"b.1\",\"pos\":10}", "{\"gtid\":\"0-1-5\"}", 2},
	    {"{}", "{\"gtid\":\"0-1-5\"}", 2},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int order = tr_myc_position_compare(tr_slice_str(cases[i].a), tr_slice_str(cases[i].b));
		int back = tr_myc_position_compare(tr_slice_str(cases[i].b), tr_slice_str(cases[i].a));

		ck_assert_msg(order == cases[i].order && back == (order == 2 ? 2 : -order), "%s %s: %d %d", cases[i].a, cases[i].b, order,
			      back);
	}
}
END_TEST

START_TEST(xa_names_have_one_text)
{
	static const struct {
		const char *text, *xid, *rest;
	} cases[] = {{"X'6162',X'63',1", "0x6162,0x63,1", ""}, {" 'ab'", "0x6162,0x,1", ""}, {"'ab','c',7 ONE PHASE", "0x6162,0x63,7", "ONE PHASE"},
		     {"0x6162,0x,-2", "0x6162,0x,-2", ""}, {"x'6A'", "0x6a,0x,1", ""}, {"6162", NULL, ""}, {"X'616'", NULL, ""}, {"'ab", NULL, ""}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char xid[TR_MYC_XID_TEXT];
		tr_slice rest;

		ck_assert_int_eq(tr_myc_xid_parse(xid, tr_slice_str(cases[i].text), &rest), cases[i].xid != NULL);
		if (!cases[i].xid)
			continue;
		ck_assert_str_eq(xid, cases[i].xid);
		ck_assert(tr_slice_eq(rest, tr_slice_str(cases[i].rest)));
	}
}
END_TEST

START_TEST(identities_go_there_and_back)
{
	tr_myc_identity id = {.flavour = "mysql", .server_uuid = A, .server_id = 4000000000u, .gtid = true}, back;
	char text[512];

	tr_myc_identity_write(&id, text, sizeof(text));
	ck_assert(tr_myc_identity_read(tr_slice_str(text), &back));
	ck_assert_str_eq(back.server_uuid, A);
	ck_assert_uint_eq(back.server_id, 4000000000u);
	ck_assert(back.gtid);
	ck_assert(!tr_myc_identity_read(tr_slice_str("{\"system\":\"7\"}"), &back));
}
END_TEST

START_TEST(urls_are_read)
{
	tr_myc_url u;
	tr_err err = {0};

	ck_assert_int_eq(tr_myc_url_parse(&u, "mysql://c%40c:p%3aw@one:3307,[::1]:3308,two/shop?ssl-mode=verify_identity&ssl-ca=%2Fca.pem", &err), 0);
	ck_assert_str_eq(u.user, "c@c");
	ck_assert_str_eq(u.password, "p:w");
	ck_assert_uint_eq(u.host_count, 3);
	ck_assert_str_eq(u.hosts[0].name, "one");
	ck_assert_uint_eq(u.hosts[0].port, 3307);
	ck_assert_str_eq(u.hosts[1].name, "::1");
	ck_assert_uint_eq(u.hosts[1].port, 3308);
	ck_assert_uint_eq(u.hosts[2].port, 3306);
	ck_assert_str_eq(u.database, "shop");
	ck_assert_int_eq(u.ssl_mode, TR_MYC_SSL_VERIFY_IDENTITY);
	ck_assert_str_eq(u.ssl_ca, "/ca.pem");
	tr_myc_url_release(&u);
	setenv("MYSQL_PWD", "from outside", 1);
	ck_assert_int_eq(tr_myc_url_parse(&u, "mariadb://cdc@/?socket=/run/x&ssl-ca=a", &err), 0);
	ck_assert_str_eq(u.password, "from outside");
	ck_assert_str_eq(u.hosts[0].name, "localhost");
	ck_assert_str_eq(u.socket, "/run/x");
	ck_assert_ptr_null(u.database);
	ck_assert_int_eq(u.ssl_mode, TR_MYC_SSL_VERIFY_CA);
	tr_myc_url_release(&u);
	unsetenv("MYSQL_PWD");
}
END_TEST

START_TEST(malformed_urls_show_no_password)
{
	static const char *const urls[] = {"mysql:u:secret@h", "mysql://u:secret@h:port", "mysql://u:secret@h:99999", "mysql://u:secret@[::1",
					   "mysql://u:secret@h/?ssl-mode=sometimes", "mysql://u:secret@h/?passwd=secret", "mysql://u:sec%00ret@h"};

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		tr_myc_url u;
		tr_err err = {0};

		ck_assert_msg(tr_myc_url_parse(&u, urls[i], &err) == -1, "%s", urls[i]);
		ck_assert_int_eq(err.code, TR_E_CONFIG);
		ck_assert_ptr_null(strstr(err.text, "secret"));
		ck_assert_ptr_null(strstr(err.detail, "secret"));
		tr_myc_url_release(&u);
	}
}
END_TEST

TEST_MAIN("capture_mysql.position", positions_are_written_as_they_are_read, unknown_positions_are_refused,
	  positions_are_compared_by_what_they_hold, xa_names_have_one_text, identities_go_there_and_back, urls_are_read,
	  malformed_urls_show_no_password)
