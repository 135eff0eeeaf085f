/**
 * Throws inside every worker thread of the process of this network namespace whose inspector was opened by SIGUSR1, as a bug would.
 * Ends when they have been told.
 */
const targets = (await (await fetch("http://127.0.0.1:9229/json/list")).json()) as readonly {
  readonly webSocketDebuggerUrl: string;
}[];
const socket = new WebSocket(targets[0]?.webSocketDebuggerUrl ?? "");
let id = 0;

function send(method: string, params: object): void {
  id++;
  socket.send(JSON.stringify({ id, method, params }));
}

socket.addEventListener("open", () => send("NodeWorker.enable", { waitForDebuggerOnStart: false }));
socket.addEventListener("message", ({ data }) => {
  const { method, params } = JSON.parse(String(data)) as {
    readonly method?: string;
    readonly params: { readonly sessionId: string };
  };
  // The process does not end while somebody debugs it.
  if (method === "NodeWorker.receivedMessageFromWorker") socket.close();
  if (method !== "NodeWorker.attachedToWorker") return;
  const expression = "setImmediate(() => { throw new Error('a bug'); })";
  const message = JSON.stringify({ id: 1, method: "Runtime.evaluate", params: { expression } });
  send("NodeWorker.sendMessageToWorker", { sessionId: params.sessionId, message });
});
await new Promise((resolve) => {
  for (const end of ["close", "error"]) socket.addEventListener(end, resolve);
});
