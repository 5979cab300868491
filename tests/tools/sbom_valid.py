"""sbom_valid.py FILE…: holds software bills of materials to the schema of CycloneDX 1.6, and their references to what is in them."""

import json
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

validator = JsonStrictValidator(SchemaVersion.V1_6)
failed = 0
for name in sys.argv[1:]:
    text = Path(name).read_text()
    problems = [str(problem) for problem in [validator.validate_str(text)] if problem]
    bom = json.loads(text)
    listed = [bom["metadata"]["component"]["bom-ref"], *(one["bom-ref"] for one in bom["components"])]
    if len(listed) != len(set(listed)):
        problems.append("a component is listed twice")
    for entry in bom["dependencies"]:
        problems += [f"{ref} is not listed" for ref in [entry["ref"], *entry["dependsOn"]] if ref not in listed]
    if set(listed) != {entry["ref"] for entry in bom["dependencies"]}:
        problems.append("the dependencies of some components are not told")
    print(f"{name}: {'valid' if not problems else 'NOT VALID'}")
    for problem in problems:
        print(f"  {problem}")
    failed += bool(problems)
sys.exit(failed > 0 or len(sys.argv) < 2)
