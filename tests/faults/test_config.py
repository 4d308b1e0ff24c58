#!/usr/bin/env python3
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""A configuration that cannot work ends with 64 or 78 before anything is touched, and says where and what instead."""
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from trtest.case import PASSWORD, Case, main  # noqa: E402

NOWHERE = f"postgres://cdc:{PASSWORD}@127.0.0.1:1/none"


class Config(Case):
    LIMIT_SECONDS = 30

    def refused(self, text, exit_code, code, words="", hint="", command=("run",)):
        ended = self.job(text).command(*command, timeout=60)
        self.assert_fails(ended, exit_code, code, words, hint)
        self.assertFalse((self.folder / "state").exists(), "state was made before the configuration was understood")

    def test_unknown_key_names_the_nearest_with_line_and_column(self):
        self.refused(f"name: shop\nsource:\n  url: {NOWHERE}\n  tabels: [\"public.*\"]\nsink: {{url: stdout}}\n",
                     78, "TR103", ("tailrace.yaml:4:3", '"source.tabels"'), '"source.tables"')

    def test_unknown_section(self):
        self.refused(f"name: shop\nsorce: {{url: \"{NOWHERE}\"}}\n", 78, "TR103", ("tailrace.yaml:2:1", '"sorce"'), '"source"')

    def test_unknown_key_on_the_command_line(self):
        self.refused(f"source: {{url: \"{NOWHERE}\"}}\nsink: {{url: stdout}}\n", 78, "TR103", ("--set", "limits.memroy"), "limits.memory",
                     ("run", "--set", "limits.memroy=1MiB"))

    def test_bad_yaml(self):
        self.refused("name: shop\nsource: {url: [unclosed\nsink: x\n", 78, "TR104", "tailrace.yaml:")

    def test_byte_order_mark_is_no_text(self):
        job = self.job("\ufeffname: shop\nsource:\n  url: postgres://h/d\nsink: {url: stdout}\n")
        ended = job.command("lint")
        self.assertEqual(ended.code, 0, ended.out)

    def test_source_url_that_cannot_be_read_shows_no_password(self):
        """A password that is not percent-encoded ends up where libpq quotes it: as token, host or port."""
        part = PASSWORD[-8:]
        for url, detail in ((f"postgres://cdc:{PASSWORD}%ZZ@127.0.0.1:1/none", "percent-encoded"),
                            (f"postgres://cdc:{PASSWORD}@[::1/none", "IPv6"),
                            (f"postgres://cdc:x%@127.0.0.1:1/none?password={PASSWORD}%", "percent-encoded"),
                            (f"postgres://cdc:x@{PASSWORD}@127.0.0.1:1/none", "host"),
                            (f"postgres://cdc:{PASSWORD}/x@127.0.0.1:1/none", "port"),
                            (f"postgres://cdc:{PASSWORD}@127.0.0.1:99999/none", "port"),
                            (f"postgres://cdc:{PASSWORD}@127.0.0.1:1/none?nonsense={PASSWORD}", "parameter")):
            with self.subTest(detail=detail):
                ended = self.job(f"name: shop\nsource: {{url: \"{url}\"}}\nsink: {{url: stdout}}\nhttp: {{listen: \"\"}}\n"
                                 f"state: {{url: \"file:{self.folder}/state\"}}\n").once(timeout=60)
                self.assert_fails(ended, 78, "TR102", "source.url", "%40", detail)
                self.assertNotIn(part, ended.err)

    def test_key_twice(self):
        self.refused("name: shop\nname: shop2\n", 78, "TR102", ("tailrace.yaml:2:1", "name"), "Remove one")

    def test_value_of_another_kind(self):
        self.refused(f"source: {{url: \"{NOWHERE}\"}}\nsink: {{url: stdout}}\nlimits: {{memory: plenty}}\n",
                     78, "TR102", ("tailrace.yaml:3:", "limits.memory", "plenty"))

    def test_choice_that_does_not_exist(self):
        self.refused(f"source: {{url: \"{NOWHERE}\"}}\nsink: {{url: stdout}}\nevents: {{envelope: debezum}}\n",
                     78, "TR102", ("tailrace.yaml:3:", "events.envelope"), '"debezium"')

    def test_variable_that_is_not_set(self):
        self.refused(f"source: {{url: \"{NOWHERE}\"}}\nsink: {{url: \"${{TR_TEST_NOT_SET}}\"}}\n", 78, "TR102", ("tailrace.yaml:2:", "TR_TEST_NOT_SET"))

    def test_source_of_no_kind_shows_no_password(self):
        self.refused(f"source: {{url: \"oracle://u:{PASSWORD}@h/d\"}}\nsink: {{url: stdout}}\n", 78, "TR105", "oracle", "postgres")

    def test_sink_of_no_kind_shows_no_password(self):
        self.refused(f"source: {{url: \"{NOWHERE}\"}}\nsink: {{url: \"pulsar://u:{PASSWORD}@h\"}}\n", 78, "TR105", "pulsar", "kafka")

    def test_avro_on_kafka_without_a_registry(self):
        self.refused(f"source: {{url: \"{NOWHERE}\"}}\nsink: {{url: \"kafka://127.0.0.1:1\"}}\n", 78, "TR102", "events.registry.url", "--registry")

    def test_file_that_is_not_there(self):
        job = self.job("name: x\n")
        job.file.unlink()
        self.assert_fails(job.command("run"), 78, "TR102", "tailrace.yaml", "-c FILE", "No such file")

    def test_unknown_command_and_option(self):
        job = self.job("name: x\n")
        self.assert_fails(job.command("chek"), 64, "TR101", '"chek"', '"check"')
        self.assert_fails(job.command("run", "--onec"), 64, "TR101", "--onec", "--once")

    def test_two_pipelines_on_one_slot(self):
        entry = f"  - {{name: %s, source: {{url: \"{NOWHERE}\", slot: one}}}}\n"
        self.refused("sink: {url: stdout}\npipelines:\n" + entry % "a" + entry % "b", 78, "TR102", ('"a"', '"b"', "slot", '"one"'), "source.slot")

    def test_lint_says_the_same(self):
        ended = self.job("name: shop\nsource:\n  url: postgres://h/d\n  tabels: []\n").command("lint")
        self.assertEqual(ended.code, 78, ended.err)
        for piece in ("tailrace.yaml:4:3", '"source.tabels"', '"source.tables"'):
            self.assertIn(piece, ended.out)

    def test_http_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            config = self.config(NOWHERE, http={"listen": address})
            self.assert_fails(self.job(config).command("run"), 78, "TR905", address, "--http")


if __name__ == "__main__":
    main()
