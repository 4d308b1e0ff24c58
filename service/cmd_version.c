#include <avro.h>
#include <jansson.h>
#include <microhttpd.h>
#include <sqlite3.h>
#include <yaml.h>

#include "generated/version.h"
