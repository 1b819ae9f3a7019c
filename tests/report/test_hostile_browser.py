"""A browser opens a page of hostile texts: no script but its own runs, and nothing is asked for."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddim.report.document import Document, Paragraph, Part
from ddim.report.render import page

BROWSER = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="needs a browser: apt-get install -y chromium"),
]
RUN = "document.documentElement.dataset.ran = 1"


@pytest.fixture
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a server on this machine, and what it was asked for."""
    asked: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(client,), daemon=True).start()

    def answer(client: socket.socket) -> None:
        with client:
            asked.append(client.recv(200))
            client.sendall(b"HTTP/1.0 404 no\r\nContent-Length: 0\r\n\r\n")

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
    server.close()


def opened(path: Path) -> str:
    """The page's elements after it was loaded and its scripts had two seconds."""
    assert BROWSER is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    flags += [f"--user-data-dir={path.parent / 'profile'}", "--virtual-time-budget=2000"]
    command = [BROWSER, *flags, "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=40, check=True)
    return done.stdout


def hostile(url: str) -> str:
    """HTML that loads pictures, styles, frames and scripts from `url`, and runs scripts in line."""
    return (
        f"<img src={url}/i.png onerror='{RUN}'><script>{RUN}</script><script src={url}/s.js>"
        f"</script><iframe src={url}/f></iframe><link rel=stylesheet href={url}/c.css>"
        f"<style>@import url({url}/d.css); p {{ background: url({url}/b.png) }}</style>"
        f"<svg onload='{RUN}'></svg><form action={url}><button autofocus onfocus='{RUN}'></form>"
        f"<video src={url}/v><object data={url}/o></object><p style='background: url({url}/e)'>x"
    )


def test_texts_load_nothing_and_run_nothing(
    tmp_path: Path, listener: tuple[str, list[bytes]]
) -> None:
    url, asked = listener
    text = f"![p]({url}/p.png) ![q][r] {hostile(url)}\n\n[r]: {url}/q.png\n"
    blocks = [Paragraph(text), Paragraph(f"[c](javascript:{RUN.replace(' ', '')})")]
    document = Document(text, text, tmp_path, blocks, [Part(text, "x", blocks)], text)
    path = tmp_path / "index.html"
    path.write_text(page.render(document))
    assert "data-ran" not in opened(path).partition("<body")[0]
    assert asked == []


def test_the_policy_holds_even_if_a_text_became_html(
    tmp_path: Path, listener: tuple[str, list[bytes]]
) -> None:
    url, asked = listener
    whole = page.render(Document("t", "s", tmp_path, [Paragraph("here")], []))
    path = tmp_path / "index.html"
    path.write_text(whole.replace("<p>here</p>", hostile(url)))
    shown = opened(path)
    assert f"{url}/i.png" in shown  # it is there, and was not loaded
    assert "data-ran" not in shown.partition("<body")[0]
    assert b"".join(asked) == b""  # Chromium may connect ahead of time; it asks for nothing
    policy = whole.partition('http-equiv="Content-Security-Policy" content="')[2].partition('"')[0]
    path.write_text(whole.replace("<p>here</p>", hostile(url)).replace(policy, ""))
    assert "data-ran" in opened(path).partition("<body")[0]  # so the test can fail
    assert b"GET /" in b"".join(asked)
