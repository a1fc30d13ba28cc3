"""A browser's conversation with Streamlit's server, without a browser: https://docs.streamlit.io/develop/concepts/architecture"""

import httpx2
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

SECONDS = 30
WORDS = 600_000
FILE = b"word " * WORDS  # 3 MB: more than one message of a socket may have at Modal
TOO_LARGE = b"x" * 21_000_000


class PageError(Exception):
    """The page does not do what its visitor may expect."""


class Page:
    """A page that is open, and what has come of it."""

    def __init__(self, http: httpx2.Client, connection: ClientConnection) -> None:
        self.http = http
        self.connection = connection
        self.session = self.uploader = ""
        self.words = "none"

    def run(self, message: BackMsg) -> None:
        """Have the page run, until it says that it is done."""
        self.connection.send(message.SerializeToString())
        done = False
        while not done:
            heard = self.hear()
            if heard.HasField("new_session"):
                self.session = heard.new_session.initialize.session_id
            element = heard.delta.new_element
            if element.HasField("file_uploader"):
                self.uploader = element.file_uploader.id
            if element.HasField("metric") and element.metric.label == "Words":
                self.words = element.metric.body
            done = heard.HasField("script_finished")

    def hear(self) -> ForwardMsg:
        heard: ForwardMsg = ForwardMsg.FromString(self.connection.recv(SECONDS, decode=False))
        return heard

    def upload(self, content: bytes, status: int) -> BackMsg:
        """Put a file where the page says; returns what to tell the page of it."""
        wish, told = BackMsg(), BackMsg()
        wish.file_urls_request.file_names.append("words.txt")
        wish.file_urls_request.session_id = self.session
        self.connection.send(wish.SerializeToString())
        while not (heard := self.hear()).HasField("file_urls_response"):
            pass
        urls = heard.file_urls_response.file_urls[0]
        answer = self.http.put(
            urls.upload_url,
            files={"file": ("words.txt", content, "text/plain")},
            headers={"X-Xsrftoken": self.http.cookies["_streamlit_xsrf"]},
        )
        if answer.status_code != status:
            raise PageError(f"an upload is answered {answer.status_code}, not {status}")
        widget = told.rerun_script.widget_states.widgets.add(id=self.uploader)
        widget.file_uploader_state_value.uploaded_file_info.add(
            name="words.txt", size=len(content), file_id=urls.file_id, file_urls=urls
        )
        return told


def visit(url: str) -> int:
    """Open the page, upload a file, and see it counted. Returns the number of requests."""
    socket = url.replace("http", "ws", 1) + "/_stcore/stream"
    with (
        httpx2.Client(base_url=url, timeout=SECONDS) as http,
        connect(socket, subprotocols=["streamlit"]) as connection,  # type: ignore[list-item]
    ):
        http.get("/_stcore/health").raise_for_status()  # for its cookie
        page, first = Page(http, connection), BackMsg()
        first.rerun_script.query_string = ""
        page.run(first)
        if page.words != "0":
            raise PageError(f"an empty page counts {page.words} words")
        page.run(page.upload(FILE, 204))
        if page.words != str(WORDS):
            raise PageError(f"of {WORDS} words that were uploaded, {page.words} are counted")
        page.upload(TOO_LARGE, 413)
    return 4
