// sse.ts - server-sent events over fetch, by the rules of the HTML standard (9.2.6), one message at a time.

/** id: the one that this message itself carries; unlike EventSource's lastEventId it is not inherited. */
export interface SSEMessage { id: string | undefined; event: string; data: string }

/** Cuts a growing text into messages; `push` takes any piece of it. */
export class SSEParser {
  private rest = "";
  private data: string[] = [];
  private event = "";
  private id: string | undefined;
  private sawCR = false;

  push(piece: string): SSEMessage[] {
    const found: SSEMessage[] = [];
    if (this.sawCR && piece.startsWith("\n")) piece = piece.slice(1);
    if (piece) this.sawCR = piece.endsWith("\r");
    const lines = (this.rest + piece).split(/\r\n|\n|\r/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      const message = this.line(line);
      if (message) found.push(message);
    }
    return found;
  }

  private line(line: string): SSEMessage | undefined {
    if (line === "") {
      const message = this.data.length ? { id: this.id, event: this.event || "message", data: this.data.join("\n") } : undefined;
      this.data = [];
      this.event = "";
      this.id = undefined;
      return message;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return undefined; // a comment keeps the connection alive
    const name = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (name === "data") this.data.push(value);
    else if (name === "event") this.event = value;
    else if (name === "id" && !value.includes("\0")) this.id = value;
    return undefined;
  }
}

/** Messages of an answer's body until it ends. Throws what reading throws. */
export async function* messagesOf(answer: Response): AsyncGenerator<SSEMessage> {
  if (!answer.body) return;
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  const parser = new SSEParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
