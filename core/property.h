/* A name and its value, handed on to a library as they are (librdkafka's properties, a topic's configuration). */
#ifndef TR_CORE_PROPERTY_H
#define TR_CORE_PROPERTY_H

typedef struct tr_property {
	const char *key, *value;
} tr_property;

#endif
