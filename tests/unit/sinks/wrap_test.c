/* The schema of {key, value} containers. */
#include <jansson.h>

#include "sinks/file/wrap.h"
#include "tests/unit/test.h"

static void expect(const char *key, const char *value, const char *schema)
{
	tr_writer w;
	tr_err err;
	json_error_t why;

	tr_writer_init(&w, 1 << 16);
	ck_assert_msg(tr_wrap_schema(key, value, &w, &err) == 0, "%s", err.text);
	json_t *got = json_loads((const char *)w.data, 0, &why), *wanted = json_loads(schema, 0, &why);
	ck_assert(wanted != NULL);
	ck_assert_msg(json_equal(got, wanted), "%s\nis not\n%s", (const char *)w.data, schema);
	json_decref(got);
	json_decref(wanted);
	tr_writer_release(&w);
}

#define HEAD "{\"type\":\"record\",\"name\":\"TailraceChange\",\"fields\":[{\"name\":\"key\",\"type\":"
#define POINT "{\"type\":\"record\",\"name\":\"Point\",\"namespace\":\"io.x\",\"fields\":[{\"name\":\"x\",\"type\":\"double\"}]}"

START_TEST(puts_both_in_one_record)
{
	expect("\"long\"", "\"string\"", HEAD "\"long\"},{\"name\":\"value\",\"type\":[\"null\",\"string\"]}]}");
	expect(NULL, "\"string\"", HEAD "\"null\"},{\"name\":\"value\",\"type\":[\"null\",\"string\"]}]}");
	expect("\"long\"", NULL, HEAD "\"long\"},{\"name\":\"value\",\"type\":[\"null\"]}]}");
}
END_TEST

/* A type of both the key and the row (a decimal of any scale, a point) may be defined once only. */
START_TEST(names_a_type_the_second_time)
{
	expect("{\"type\":\"record\",\"name\":\"K\",\"namespace\":\"t\",\"fields\":[{\"name\":\"p\",\"type\":" POINT "}]}",
	    "{\"type\":\"record\",\"name\":\"V\",\"namespace\":\"t\",\"fields\":[{\"name\":\"p\",\"type\":[\"null\"," POINT
	    "]},{\"name\":\"q\",\"type\":{\"type\":\"array\",\"items\":\"io.x.Point\"}}]}",
	    HEAD "{\"type\":\"record\",\"name\":\"K\",\"namespace\":\"t\",\"fields\":[{\"name\":\"p\",\"type\":" POINT
	         "}]}},{\"name\":\"value\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"V\",\"namespace\":\"t\",\"fields\":[{\"name\":"
	         "\"p\",\"type\":[\"null\",\"io.x.Point\"]},{\"name\":\"q\",\"type\":{\"type\":\"array\",\"items\":\"io.x.Point\"}}]}]}]}");
}
END_TEST

TEST_MAIN("wrap", puts_both_in_one_record, names_a_type_the_second_time)
