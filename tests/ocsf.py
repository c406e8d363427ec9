#!/usr/bin/env python3
"""Holds OCSF events, one a line on standard input, against the published schema of the version they say they have.

Every event must be valid by the JSON schema of its class with the profiles it names (ocsf-json-schema, which packages the
schemas of schema.ocsf.io; attributes that the class does not have are errors), and name activities, categories and types by
their captions. Findings are read by py-ocsf-models too. `make ocsf` installs both and runs this for every version.
"""

import json
import sys

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from py_ocsf_models.events.findings.detection_finding import DetectionFinding

# What a run must have seen, so that an empty export does not pass.
CLASSES = {0, 1007, 2004, 4001, 6002, 6003}

schemas, validators = {}, {}


def validator(event):
    version, profiles = event["metadata"]["version"], tuple(event["metadata"]["profiles"])
    key = (version, event["class_uid"], profiles)
    if key not in validators:
        if version not in schemas:
            schemas[version] = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
        name = schemas[version].lookup_class_name_from_uid(event["class_uid"])
        validators[key] = Draft202012Validator(schemas[version].get_class_schema(name, list(profiles)))
    return validators[key]


def mistakes(event):
    for error in validator(event).iter_errors(event):
        yield f"{'/'.join(map(str, error.absolute_path)) or '.'}: {error.message[:300]}"
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        yield "type_uid is not class_uid * 100 + activity_id"
    if event["class_uid"] == 2004:
        try:
            DetectionFinding.model_validate(event)
        except ValueError as error:
            yield f"py-ocsf-models: {error}"


def main():
    seen, broken = {}, 0
    for number, line in enumerate(sys.stdin, 1):
        event = json.loads(line)
        seen[event["class_uid"]] = seen.get(event["class_uid"], 0) + 1
        for mistake in mistakes(event):
            broken += 1
            print(f"{number}: class {event['class_uid']}: {mistake}")
    missing = CLASSES - seen.keys()
    counted = ", ".join(f"{count} of {uid}" for uid, count in sorted(seen.items()))
    print(f"{sorted(schemas)}: {sum(seen.values())} events ({counted}), {broken} mistakes, missing: {sorted(missing) or 'none'}")
    sys.exit(1 if broken or missing else 0)


main()
