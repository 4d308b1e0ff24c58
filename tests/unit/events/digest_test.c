/* What Java's MessageDigest and ObjectOutputStream gave for the same salts and values. */
#include "events/digest.h"
#include "tests/unit/test.h"

static void expect(const char *algorithm, const char *salt, tr_slice value, const char *java, const char *plain)
{
	const tr_digest *d = tr_digest_find(algorithm);
	char out[TR_DIGEST_HEX_MAX];
	tr_err err = {0};
	size_t len;

	ck_assert_msg(d != NULL, "%s", algorithm);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(tr_digest_hex(d, tr_slice_str(salt), i == 0, value, out, &len, &err), 0);
		ck_assert_msg(tr_slice_eq(tr_slice_of(out, len), tr_slice_str(i == 0 ? java : plain)), "%s: %.*s", algorithm, (int)len,
			      out);
	}
}

START_TEST(digits_are_javas)
{
	expect("SHA-256", "abc", tr_slice_str("secret"), "56e45bf09c392f712f5d5db97ebef5c8b0701f4a1b7bf4890eb0f1169b07044b",
	       "a42178b773273f5c9f24387fbea546af537d08b8c06b23631e44878b9ce47f49");
	expect("md5", "x", tr_slice_str("secret"), "4f7cf6425648766ea619be50ee953531", "94b4cdcb10029a32bb7d0d316e509274");
	expect("SHA", "x", tr_slice_str(""), "9724382a467a9c26b70f61dc2e743783895284ae", "11f6ad8ec52a2984abaafd7c3b516503785c2072");
	expect("SHA-512/256", "s", tr_slice_str("secret"), "8561e7102d08df58b43df9c8038585a7369c9f73f293123a471229a4e1b830f2",
	       "b4080138178fb6b3fb6e9579597a02e97fb27c5585bec24ea6453ab8e997ae7e");
}
END_TEST

/* Java's modified UTF-8: U+0000 in two bytes, U+1F600 in six; from 65536 bytes on the length takes eight. */
START_TEST(texts_that_java_writes_otherwise)
{
	static char many[65536];

	memset(many, 'x', sizeof(many));
	expect("SHA-512", "s", tr_slice_of("a\0\xc4\x8d\xf0\x9f\x98\x80" "b", 9),
	       "94a970b26ff7e73a23ceedd155cb0ffc7b52aa914a2b6e17f78297160f11c5cf39484e065a3095cb002be63e863df6c86c5c1498dcab7e5ad62ff930"
	       "dabc891e",
	       "ae615a9f1c61a3de650e1934bca6066d1f27b5b8e856c92544e1c6a5f1013fd8acbbbf90f2dff0496d132a725f48111c2a14f9a36158eab9dde55288"
	       "ab8d1f31");
	expect("SHA3-256", "s", tr_slice_of(many, 65535), "9ef8e0def061ddcb731f8833bdcb477c0863fdf4383caa1f30380af1dd790b48",
	       "5e6c8a67c327e0edb0fd436aa052daad9005bba511c90a907a22a6dcdc9344e3");
	expect("SHA-1", "s", tr_slice_of(many, 65536), "4322a834f9020c4f81f1cd7428461bbb777266c7",
	       "4073948b977288d3e08378bc37d2932416a11096");
}
END_TEST

/* Bytes that are no UTF-8, and a character that ends early: digested somehow, never read past. */
START_TEST(any_bytes_are_taken)
{
	char out[TR_DIGEST_HEX_MAX];
	tr_err err = {0};
	size_t len;

	for (size_t n = 0; n < 4; n++)
		ck_assert_int_eq(tr_digest_hex(tr_digest_find("MD5"), tr_slice_str(""), true, tr_slice_of("\xf0\x9f\xff", n), out, &len,
					       &err), 0);
	ck_assert_uint_eq(len, 32);
	ck_assert_ptr_null(tr_digest_find("CRC32"));
}
END_TEST

TEST_MAIN("digest", digits_are_javas, texts_that_java_writes_otherwise, any_bytes_are_taken)
