"""The stream of answers: an event that begins while the stream of the one before ends gets its answers."""

import pytest
from playwright.sync_api import expect

PATIENCE = 120_000  # ms; a bound against hanging, not a claim about speed
# a slow line: what the browser hears, or says, is late by a second
LATE = """
const send = window.fetch.bind(window);
const pause = () => new Promise((done) => setTimeout(done, 1000));
const isLate = (text) => %s;
window.fetch = async (resource, options) => {
  const address = resource.url ?? String(resource);
  const answer = await send(resource, options);
  if (address.includes("/queue/join") && %s) await pause();
  if (!address.includes("/queue/data")) return answer;
  const reader = answer.body.getReader();
  const body = new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) return controller.close();
      if (isLate(new TextDecoder().decode(value))) await pause();
      controller.enqueue(value);
    },
  });
  return new Response(body, answer);
};
"""
LINES = {
    "late ends of streams": LATE % ('text.includes("close_stream")', "false"),
    "late ends of events": LATE % ('text.includes("process_completed")', "false"),
    "late receipts": LATE % ("false", "true"),
}


@pytest.mark.parametrize("line", LINES)
def test_every_event_gets_its_answers(visit, url, line):
    someone = visit(url, script=LINES[line])
    page = someone.page
    someone.click_plane(0, 0)
    expect(page.locator("#songs audio")).to_be_attached(timeout=PATIENCE)
    for valence in (0.2, 0.4):  # each while the event before ends
        someone.new_take_after(lambda valence=valence: someone.click_plane(valence, 0.3))
    page.get_by_role("tab", name="Listen").click()
    page.locator("#examples button").first.click()
    expect(page.locator("#rebuilt audio")).to_have_count(2, timeout=PATIENCE)
