"""CERNSearchUploadAgent: it uploads MARCXML to the search engine of CERN."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import ParseError

from livesync.agents.http import Answer, HttpTarget, Login
from livesync.agents.marc import MarcAgent
from livesync.errors import AgentExecutionException
from scheduler.store.encryption import seal, unseal
from scheduler.values.extras import extra_needed

with extra_needed():
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

PATH = "/ImportXML"


class CERNSearchUploadAgent(MarcAgent):
    """Uploads batches to the search engine at *url*, as *username* with *password*.

    An answer in XML whose text is `true` accepts a batch.
    """

    SECRETS = ("_password",)

    def __init__(
        self,
        aid: str,
        name: str,
        description: str,
        updateTime: int,
        access: Any = None,
        url: str | None = None,
        username: str = "",
        password: str = "",
        *,
        batch_size: int = 1000,
    ) -> None:
        super().__init__(aid, name, description, updateTime, access, url, batch_size=batch_size)
        self._username = username
        self._password = seal(password)

    def _login(self) -> Login | None:
        if not self._username:
            return super()._login()
        return self._username, unseal(self._password)

    def _upload(self, target: HttpTarget, marcxml: bytes, number: int) -> None:
        body = urlencode({"xml": marcxml}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = target.post(body, headers, PATH)
        if not _says_true(answer):
            raise AgentExecutionException(
                f"upload failed: the search engine did not answer true, but {answer.status} and: "
                f"{target.quote(answer)}"
            )


def _says_true(answer: Answer) -> bool:
    try:
        text = "".join(fromstring(answer.content).itertext())
    except (ParseError, DefusedXmlException):
        return False
    return answer.status == 200 and text.strip() == "true"
