"""Files of published numbers that tests write."""

import json

import yaml


def write(folder, data, name="history.yaml"):
    path = folder / name
    text = json.dumps(data, default=str) if name.endswith("json") else yaml.safe_dump(data)
    path.write_text(text)
    return str(path)


def minimal():
    result = {"correct": 3, "problems": 10}
    return {
        "name": "small",
        "title": "Small",
        "date": "2024-02-29",
        "source": "a paper",
        "primary_metric": "gsm8k",
        "benchmarks": {"gsm8k": {}},
        "conditions": [{"name": "a"}, {"name": "b"}],
        "stages": [
            {
                "name": "sft",
                "kind": "sft",
                "results": {"gsm8k": {"a": result, "b": result | {"problems": 12}}},
            }
        ],
    }
