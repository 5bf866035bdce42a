"""Receive pages, check their signature and print them: ``python receive_webhook.py [PORT]``.

The secret is that of the receiver in the owners file, here in ``MAPS_HOOK_SECRET``. A page may come twice, with
the same ``webhook-id``.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook

HOOK = Webhook(os.environ["MAPS_HOOK_SECRET"])


class Pages(BaseHTTPRequestHandler):
    """Answers 204 to what was signed with the secret, and 401 to everything else."""

    def do_POST(self) -> None:
        """Take one page."""
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            page = HOOK.verify(body, dict(self.headers))
        except Exception as fault:  # a header that is missing or malformed raises errors of its own
            self.log_error("refused: %s", fault)
            self.send_response(401)
        else:
            print(page["type"], json.dumps(page["data"], indent=2), flush=True)
            self.send_response(204)
        self.end_headers()


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    print(f"waiting for pages on http://127.0.0.1:{port}/", flush=True)
    HTTPServer(("127.0.0.1", port), Pages).serve_forever()
