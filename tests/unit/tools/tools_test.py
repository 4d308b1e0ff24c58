#!/usr/bin/env python3
"""Plants faults in a small tree and expects tools/check_layers, check_style and gen_errors to find exactly them."""
import pathlib
import subprocess
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[3] / "tools"


class Tree(unittest.TestCase):
    def setUp(self):
        self.temp = tempfile.TemporaryDirectory()
        self.addCleanup(self.temp.cleanup)
        self.root = pathlib.Path(self.temp.name)

    def put(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def run_tool(self, tool, *args):
        done = subprocess.run([TOOLS / tool, "--root", self.root, *args], capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout.splitlines()

    def findings(self, tool):
        status, lines = self.run_tool(tool)
        self.assertEqual(status, 1 if len(lines) > 1 else 0)
        return lines[:-1]


class Layers(Tree):
    def include(self, path, *names):
        self.put(path, "".join(f"#include {name}\n" for name in names))
        return [line.split(": ")[1] for line in self.findings("check_layers")]

    def test_allowed(self):
        self.assertEqual(self.include("core/err.c", "<stdio.h>", '"core/err.h"'), [])
        self.assertEqual(self.include("events/avro/registry.c", "<curl/curl.h>", '"events/encoder.h"'), [])
        self.assertEqual(self.include("capture/postgres/stream.c", "<libpq-fe.h>", '"decoders/pgoutput/message.h"'), [])
        self.assertEqual(self.include("sinks/kafka/kafka.c", "<librdkafka/rdkafka.h>", '"sinks/sink.h"'), [])
        self.assertEqual(self.include("pipeline/commit.c", '"state/store.h"', '"capture/source.h"'), [])
        self.assertEqual(self.include("service/main.c", '"pipeline/pipeline.h"', '"generated/version.h"', '"service/page/x.h"'), [])
        self.assertEqual(self.include("tests/unit/x_test.c", '"capture/postgres/slot.h"', "<libpq-fe.h>"), [])

    def test_upwards(self):
        self.assertEqual(self.include("core/log.c", '"events/table.h"'), ["events/table.h"])

    def test_pipeline_knows_contracts_only(self):
        self.assertEqual(self.include("pipeline/commit.c", '"state/sqlite/sqlite.h"', '"service/config.h"', "<jansson.h>"),
                         ["state/sqlite/sqlite.h", "service/config.h", "jansson.h"])

    def test_siblings(self):
        self.assertEqual(self.include("sinks/file/file.c", '"sinks/kafka/client.h"', '"events/avro/plan.h"'),
                         ["sinks/kafka/client.h", "events/avro/plan.h"])

    def test_wrong_decoder(self):
        self.assertEqual(self.include("capture/mysql/stream.c", '"decoders/pgoutput/message.h"'),
                         ["decoders/pgoutput/message.h"])

    def test_decoders_know_no_library(self):
        self.assertEqual(self.include("decoders/pgoutput/tuple.c", "<libpq-fe.h>", "<zlib.h>"), ["libpq-fe.h", "zlib.h"])

    def test_libraries(self):
        self.assertEqual(self.include("events/avro/schema.c", "<curl/curl.h>"), ["curl/curl.h"])
        self.assertEqual(self.include("events/avro/schema.c", "  <librdkafka/rdkafka.h>"), ["librdkafka/rdkafka.h"])
        self.assertEqual(self.include("events/avro/schema.c", "<sqlite3.h>"), ["sqlite3.h"])
        self.assertEqual(self.include("events/avro/schema.c", "<mysql/mysql.h>"), ["mysql/mysql.h"])

    def test_names_from_the_root(self):
        self.assertEqual(self.include("core/err.c", '"err.h"'), ["err.h"])
        self.assertEqual(self.include("core/err.c", '"../core/err.h"'), ["../core/err.h"])

    def test_folder_in_no_room(self):
        self.assertEqual(self.include("misc/x.c", '"core/err.h"'), ["core/err.h"])


class Style(Tree):
    def test_long_function(self):
        body = "\tx();\n"
        self.put("core/a.c", "static int fine(void)\n{\n" + body * 120 + "}\n")
        self.put("core/b.c", "int too_long(int a,\n    int b)\n{\n" + body * 121 + "}\n")
        found = self.findings("check_style")
        self.assertEqual(len(found), 1)
        self.assertIn("core/b.c:2: too_long: 121 lines", found[0])

    def test_long_file(self):
        self.put("core/a.c", "\n" * 900)
        self.put("core/b.c", "\n" * 901)
        self.assertEqual([line.split(":")[0] for line in self.findings("check_style")], ["core/b.c"])

    def test_banned(self):
        self.put("core/a.c", 'x = atoi(y);\n/* strcpy(a, b) */\n// gets(x)\n"sprintf(";\nsnprintf(a, 1, "");\nstrtok_r(a);\n'
                             "sprintf (a, b);\nmy_strcpy(a);\n")
        self.assertEqual([line.split(": ")[0] for line in self.findings("check_style")], ["core/a.c:1", "core/a.c:7"])


class Generated(Tree):
    def test_stale_pages(self):
        self.put("core/errors.def", '/* 1xx usage */\nTR_ERROR(USAGE, 101, 64, STOP, "the \\"line\\" | is wrong")\n')
        self.put("core/metrics.def", 'TR_METRIC(A, "tailrace_a{op=\\"x\\"}", COUNTER, COUNT, "Things.")\n'
                                     'TR_METRIC(B, "tailrace_a{op=\\"y\\"}", COUNTER, COUNT, "Things.")\n')
        self.assertEqual(self.run_tool("gen_errors", "--check")[0], 1)
        self.assertEqual(self.run_tool("gen_errors"), (0, []))
        self.assertEqual(self.run_tool("gen_errors", "--check"), (0, []))
        self.assertIn('| TR101 | `USAGE` | the "line" \\| is wrong | stops | 64 |', (self.root / "docs/ERRORS.md").read_text())
        self.assertIn('| `tailrace_a` | `op="x"`, `op="y"` | counter |', (self.root / "docs/METRICS.md").read_text())
        self.put("core/errors.def", '/* 1xx usage */\nTR_ERROR(USAGE, 101, 64, STOP, "other")\n')
        self.assertEqual(self.run_tool("gen_errors", "--check"),
                         (1, ["docs/ERRORS.md does not match core/errors.def: run tools/gen_errors"]))

    def test_numbers_out_of_order(self):
        self.put("core/errors.def", 'TR_ERROR(B, 102, 64, STOP, "b")\nTR_ERROR(A, 101, 64, STOP, "a")\n')
        self.put("core/metrics.def", "")
        self.assertEqual(self.run_tool("gen_errors"), (1, ["core/errors.def: TR101 stands behind TR102: keep the numbers in order"]))

    def test_every_row_of_the_catalogue_is_understood(self):
        root = TOOLS.parent
        for catalogue, page, word in (("errors", "ERRORS", "TR_ERROR("), ("metrics", "METRICS", "TR_METRIC(")):
            text = (root / f"core/{catalogue}.def").read_text().split("*/", 1)[1]
            self.put(f"core/{catalogue}.def", (root / f"core/{catalogue}.def").read_text())
            self.put(f"count/{page}", str(text.count(word)))
        self.run_tool("gen_errors")
        pages = (self.root / "docs/ERRORS.md").read_text()
        self.assertEqual(pages.count("| TR"), int((self.root / "count/ERRORS").read_text()))
        pages = (self.root / "docs/METRICS.md").read_text()
        of_the_process = ("errors_total", "fleet_member", "fleet_pipelines_owned")
        rows = sum(max(1, line.count('="')) for line in pages.splitlines() if line.startswith("| `tailrace_") and
                   not line.startswith(tuple(f"| `tailrace_{name}`" for name in of_the_process)))
        self.assertEqual(rows, int((self.root / "count/METRICS").read_text()))


if __name__ == "__main__":
    unittest.main()
