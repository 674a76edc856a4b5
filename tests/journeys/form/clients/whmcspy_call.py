"""whmcspy: POST with identifier and secret; booleans become `True` and `False`."""

import json
import os

from whmcspy import WHMCS  # type: ignore[import-not-found]  # fetched by the test that runs this

call = json.loads(os.environ["CALL"])
client = WHMCS(os.environ["API_URL"], call["identifier"], call["secret"])
print(json.dumps(client.call(call["action"], **call["parameters"])))
