"""What an operation answers, held against its shape in botocore's model: required members, types, nothing unknown."""

import json
from collections import Counter
from pathlib import Path

SHAPES = Path(__file__).resolve().parents[3] / "src/rules/aws/shapes.txt"
JSON_TYPES = {
    "string": str, "character": str, "blob": str, "timestamp": (int, float), "boolean": bool,
    "integer": int, "long": int, "float": (int, float), "double": (int, float),
}


def offered():
    """The operations that Forebay says it has."""
    lines = (line.split() for line in SHAPES.read_text().splitlines() if line.startswith("operation "))
    return {name for _, name, priority, *_ in lines if priority in "AB"}


def inventory():
    """All operations of the table: name to whether it wants a signature."""
    lines = (line.split() for line in SHAPES.read_text().splitlines() if line.startswith("operation "))
    return {name: proof == "signed" for _, name, _, proof, *_ in lines}


def differences(shape, value, path=""):
    """What of a raw JSON value its shape does not allow; one sentence each."""
    if shape.type_name == "structure":
        if getattr(shape, "is_document_type", False):
            return
        if not isinstance(value, dict):
            yield f"{path or 'the answer'} is no object"
            return
        for name in shape.required_members:
            if value.get(name) is None:
                yield f"{path}{name} is missing"
        for name, member in value.items():
            if name not in shape.members:
                yield f"{path}{name} is not in the model"
            elif member is None:
                yield f"{path}{name} is null"
            else:
                yield from differences(shape.members[name], member, f"{path}{name}.")
    elif shape.type_name == "list":
        if not isinstance(value, list):
            yield f"{path} is no list"
            return
        for index, element in enumerate(value):
            yield from differences(shape.member, element, f"{path}{index}.")
    elif shape.type_name == "map":
        if not isinstance(value, dict):
            yield f"{path} is no map"
            return
        for name, element in value.items():
            yield from differences(shape.key, name, f"{path}{name} (the key).")
            yield from differences(shape.value, element, f"{path}{name}.")
    else:
        wanted = JSON_TYPES[shape.type_name]
        # In Python a truth value is a number as well; in JSON it is not.
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            yield f"{path.rstrip('.')} is {value!r}, not of type {shape.type_name}"
        elif getattr(shape, "enum", None) and value not in shape.enum:
            yield f"{path.rstrip('.')} is {value!r}, none of {', '.join(shape.enum)}"


class Observed:
    """Every answer of the clients that are watched."""

    def __init__(self):
        self.answers = Counter()
        self.refusals = Counter()
        self.members = {}
        self.differences = {}

    def watch(self, client):
        client.meta.events.register("before-parse.cognito-identity-provider", self.look)

    def look(self, operation_model, response_dict, **_):
        name = operation_model.name
        if response_dict["status_code"] >= 300:
            self.refusals[name] += 1
            return
        self.answers[name] += 1
        body = response_dict["body"]
        value = json.loads(body) if body else {}
        shape = operation_model.output_shape
        found = self.differences.setdefault(name, set())
        if shape is None:
            found.update(f"{member} is not in the model" for member in value)
        else:
            self.members.setdefault(name, set()).update(value)
            found.update(differences(shape, value))

    def table(self):
        yield f"{'Operation':44} {'answers':>7} {'refusals':>8}  differences from the model"
        for name in sorted(self.answers | self.refusals):
            found = "; ".join(sorted(self.differences.get(name, ()))) or "none"
            yield f"{name:44} {self.answers[name]:7} {self.refusals[name]:8}  {found}"
