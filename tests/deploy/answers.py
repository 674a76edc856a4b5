"""What the answer to the example's request must look like, whoever gives it. Starts nothing."""

import json
from typing import Any

from deploy.demo.desk.example import EXAMPLE_IDS


def answer_in(output: str) -> dict[str, Any]:
    """The answer that the demo printed among other lines."""
    answer: dict[str, Any]
    answer, _ = json.JSONDecoder().raw_decode(output[output.index('{\n  "success"') :])
    return answer


def curl_in(output: str) -> str:
    """The first command among other lines that can be pasted."""
    return output[output.index("curl ") :].split("\n\n")[0]


def check_example(answer: dict[str, Any]) -> None:
    """It has the shape of the example: every key, and details for each id."""
    assert answer.keys() == {"success", "message", "data", "timestamp"}
    data = answer["data"]
    assert data.keys() >= {"counts", "filterDetails", "summary", "computedAt", "timezone"}
    assert list(data["counts"]) == list(data["filterDetails"]) == list(EXAMPLE_IDS)
    for id_, details in data["filterDetails"].items():
        assert details["id"] == id_
        assert details.keys() - {"color"} == {"id", "name", "type"}
    assert data["filterDetails"]["3745"] == {"id": "3745", "name": "Open", "type": "status", "color": "#3B82F6"}
    assert data["filterDetails"]["7472"] == {"id": "7472", "name": "My Team", "type": "team"}
    assert data["summary"].keys() == {"totalOpen", "totalClosed", "slaBreached", "dueToday", "overdue"}
    assert data["summary"]["totalOpen"] + data["summary"]["totalClosed"] == data["counts"]["all"]
    assert min(data["counts"].values()) >= 0
    assert data["timezone"] == "Asia/Calcutta"
