#include "service/cli.h"

const tr_command tr_commands[] = {
    {.name = "run", .arguments = "", .summary = "capture: the rows there are, then every change",
        .description = "Reads the initial snapshot, then streams, until it is stopped (SIGTERM, SIGINT: the position is saved, "
                       "exit 0). --once ends as soon as everything that was committed at start is durable.",
        .example = "  tailrace run -c tailrace.yaml\n"
                   "  tailrace run --source postgres://user@host/shop --tables 'public.*' --sink stdout\n",
        .flags = TR_CLI_CONFIG | TR_CLI_ONCE, .run = tr_cmd_run},
    {.name = "check", .arguments = "", .summary = "preflight: the file, the plan, the environment",
        .description = "Says for everything that would not work what it is, why it matters and what exactly mends it. Changes "
                       "nothing. The exit status is that of the worst finding.",
        .example = "  tailrace check -c tailrace.yaml\n  tailrace check -c tailrace.yaml --json | jq '.findings[]'\n",
        .flags = TR_CLI_CONFIG | TR_CLI_JSON | TR_CLI_NO_ENVIRONMENT, .run = tr_cmd_check},
    {.name = "lint", .arguments = "", .summary = "check the file alone, without any connection",
        .description = "Reads the configuration and says whether it is valid.",
        .example = "  tailrace lint -c tailrace.yaml\n", .flags = TR_CLI_CONFIG | TR_CLI_JSON, .run = tr_cmd_lint},
    {.name = "status", .arguments = "", .summary = "where each pipeline stands",
        .description = "From the durable state, and from the running process when it answers at http.listen. "
                       "--ready only asks the process: 0 when it makes progress or has nothing to do, 69 otherwise.",
        .example = "  tailrace status -c tailrace.yaml\n  tailrace status --ready\n",
        .flags = TR_CLI_CONFIG | TR_CLI_JSON | TR_CLI_PIPELINE | TR_CLI_READY,
        .keys = "name delivery source.url state.url sink.url sink.properties http.listen",
        .run = tr_cmd_status},
    {.name = "offsets", .arguments = "show|export|import FILE|set FILE|reset",
        .summary = "read, keep, move, replace or remove a stored position",
        .description = "show: for people. export: the record as JSON, on standard output. import: takes an exported record into "
                       "another store, or on another machine, where nothing is stored yet (else --force). set: takes a record "
                       "as exported, or a position alone, from FILE (- is standard input). reset: removes the record, so that "
                       "the next run starts as a new one; --drop drops slot and publication at the source, too. import, set and reset ask first and keep a copy of what was there. "
                       "They refuse while the pipeline runs; with its state in Kafka they take it over instead, and the one "
                       "that runs ends with 75.",
        .example = "  tailrace offsets show -c tailrace.yaml\n"
                   "  tailrace offsets export -c tailrace.yaml > before.json\n"
                   "  tailrace offsets import before.json -c tailrace.yaml --state kafka\n"
                   "  tailrace offsets set before.json -c tailrace.yaml --yes\n"
                   "  tailrace offsets reset --drop --name look --source postgres://user@host/shop\n",
        .flags = TR_CLI_CONFIG | TR_CLI_JSON | TR_CLI_PIPELINE | TR_CLI_YES | TR_CLI_FORCE | TR_CLI_DROP,
        .keys = "name delivery source.url source.slot source.publication source.create state.url sink.url sink.properties",
        .args_min = 1, .args_max = 2,
        .run = tr_cmd_offsets},
    {.name = "tail", .arguments = "[TABLE...]", .summary = "the published events, decoded, live",
        .description = "Reads what the sink holds (a Kafka topic or a directory) and shows each event as a person reads it. "
                       "TABLE is a glob on schema.table.",
        .example = "  tailrace tail -c tailrace.yaml public.orders\n"
                   "  tailrace tail -c tailrace.yaml --from-beginning --limit 10 --json\n",
        .flags = TR_CLI_CONFIG | TR_CLI_JSON | TR_CLI_PIPELINE | TR_CLI_TAIL,
        .keys = "name source.url events.topic_delimiter events.registry sink.url sink.properties", .args_max = TR_CLI_ARGS_MAX, .run = tr_cmd_tail},
    {.name = "import-debezium", .arguments = "FILE", .summary = "turn a Debezium connector's configuration into a file for tailrace",
        .description = "FILE is Connect's JSON ({\"name\",\"config\"} or the configuration alone) or a .properties file; - is "
                       "standard input. Writes YAML on standard output and names on standard error each property that has no "
                       "counterpart.",
        .example = "  tailrace import-debezium connector.json --set sink.url=kafka://broker:9092 > tailrace.yaml\n",
        .flags = TR_CLI_SET, .args_min = 1, .args_max = 1, .run = tr_cmd_import_debezium},
    {.name = "version", .arguments = "", .summary = "version, libraries, compiled-in parts",
        .description = "Versions of the program and of the libraries it runs with, and what it can talk to.",
        .example = "  tailrace version --json\n", .flags = TR_CLI_JSON, .run = tr_cmd_version},
    {.name = "docs", .arguments = "options|sample", .summary = "every key of the configuration: as a page, or as a file",
        .description = "options: docs/CONFIGURATION.md. sample: examples/full.yaml, every key with its default.",
        .example = "  tailrace docs options | less\n  tailrace docs sample > tailrace.yaml\n", .args_min = 1, .args_max = 1,
        .run = tr_cmd_docs},
};

const size_t tr_command_count = sizeof(tr_commands) / sizeof(tr_commands[0]);
