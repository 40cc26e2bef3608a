// One stream of answers for each visitor, which loses none.
//
// Gradio's server ends the stream of a session when none of its events is left, and the page opens another for the next
// event. Where an end and a beginning cross, as on a busy machine or a slow line, the answers of the new event are lost
// and the page waits for ever. So an event waits here until a stream that is ending has ended, and a stream that ended
// while events were left goes on in another one.
(() => {
  const LONGEST_WAIT = 2000; // ms: an end that never comes stops nobody
  const PREFIX = "data: ";
  const send = window.fetch.bind(window);
  const left = new Set(); // the events that were accepted and have not ended
  let ending = false; // whether the page is being told that its stream has ended
  let ended = Promise.resolve(); // when the page knows it
  let end = () => {};

  const wait = () => Promise.race([ended, new Promise((done) => setTimeout(done, LONGEST_WAIT))]);

  async function join(resource, options) {
    if (!left.size) await wait();
    const answer = await send(resource, options);
    if (answer.ok) left.add((await answer.clone().json()).event_id);
    if (ending) await wait();
    return answer;
  }

  async function* messages(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const whole = (rest + part.value).split("\n\n");
      rest = whole.pop();
      yield* whole;
    }
  }

  async function* answers(first, again) {
    for (let answer = first; ; answer = await again()) {
      let close = "";
      for await (const message of messages(answer.body)) {
        const { msg, event_id } = JSON.parse(message.slice(PREFIX.length));
        if (msg === "process_completed") left.delete(event_id);
        if (msg === "close_stream") close = message;
        else yield message;
      }
      if (close && left.size) continue;
      ending = true;
      if (close) yield close;
      return;
    }
  }

  async function stream(request) {
    // without the page's signal: the server drops the waiting events of a session whose stream is aborted
    const open = () => send(request.url, { headers: request.headers, credentials: request.credentials });
    ending = false;
    ended = new Promise((done) => (end = done));
    request.signal.addEventListener("abort", end); // what the page does once it knows
    const first = await open();
    const source = answers(first, open);
    const encoder = new TextEncoder();
    const body = new ReadableStream({
      async pull(controller) {
        const { done, value } = await source.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(`${value}\n\n`));
      },
    });
    return first.ok ? new Response(body, { status: first.status, headers: first.headers }) : first;
  }

  window.fetch = (resource, options) => {
    const { pathname } = new URL(resource.url ?? resource, window.location.href);
    if (pathname.endsWith("/queue/join")) return join(resource, options);
    if (pathname.endsWith("/queue/data")) return stream(resource);
    return send(resource, options);
  };
})();
