# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""A schema registry with Confluent's API."""
import json
import urllib.error
import urllib.parse
import urllib.request


class Registry:
    def __init__(self, url):
        self.url = url.rstrip("/")
        self.texts = {}  # id -> schema text: ids never change their meaning

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method, data=body and json.dumps(body).encode(),
                                         headers={"Content-Type": "application/vnd.schemaregistry.v1+json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def text(self, schema_id):
        if schema_id not in self.texts:
            self.texts[schema_id] = self.call("GET", f"/schemas/ids/{schema_id}")["schema"]
        return self.texts[schema_id]

    def subjects(self, wanted=lambda name: True):
        return sorted(s for s in self.call("GET", "/subjects") if wanted(s))

    def versions(self, subject):
        """[(version, id, text)] in the order of registration."""
        quoted = urllib.parse.quote(subject, safe="")
        found = []
        for version in self.call("GET", f"/subjects/{quoted}/versions"):
            entry = self.call("GET", f"/subjects/{quoted}/versions/{version}")
            found.append((entry["version"], entry["id"], entry["schema"]))
        return sorted(found)

    def compatibility(self, subject, level):
        """Sets the subject's own rule."""
        self.call("PUT", f"/config/{urllib.parse.quote(subject, safe='')}", {"compatibility": level})

    def delete(self, wanted):
        for subject in self.subjects(wanted):
            quoted = urllib.parse.quote(subject, safe="")
            self.call("DELETE", f"/subjects/{quoted}")
            try:
                self.call("DELETE", f"/subjects/{quoted}?permanent=true")
            except urllib.error.HTTPError as e:
                if e.code != 404:
                    raise
