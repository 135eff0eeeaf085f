import type { Command } from "commander";
import type { ApiClient, Outcome } from "../api-client/client.ts";
import type { ResourceOf } from "../api-schema/resources.ts";
import {
  type CommandContext,
  type CommandResult,
  called,
  DONE,
  example,
  type Run,
  type VerbModule,
} from "./command.ts";
import { announce } from "./object-commands.ts";

/** `weft bind PORT HOST INTERFACE`. */
export const bindVerb: VerbModule = {
  build(command, run) {
    command
      .argument("<port>")
      .argument("<host>")
      .argument("<interface>", "Linux interface on the host")
      .addHelpText("after", example("bind vm1 host1 veth0"))
      .action((port: string, host: string, interfaceName: string) =>
        run(async (context) => {
          const api = context.api();
          if (!api.ok) return api;
          const hostId = await api.value.names.idOf("host", host);
          if (!hostId.ok) return hostId;
          const bound = await onPort(context, port, {
            done: "bound",
            act: (client, id) => client.bind(id, { hostId: hostId.value, interfaceName }),
          });
          // The host takes its time, and may refuse the interface: that is not ours to wait for.
          if (bound.ok && !context.isJson)
            context.terminal.complain(`whether ${host} serves it: weft show port ${port}`);
          return bound;
        }),
      );
  },
};

/** `weft unbind PORT`. */
export const unbindVerb = onePort("unbind vm1", {
  done: "unbound",
  isThere: (port) => port.binding !== undefined,
  act: (client, id) => client.unbind(id),
});

/** `weft unlink PORT`. */
export const unlinkVerb = onePort("unlink web-edge", {
  done: "unlinked",
  isThere: (port) => port.peerId !== undefined,
  act: (client, id) => client.unlink(id),
});

/** `weft link PORT PEER`. */
export const linkVerb: VerbModule = {
  build(command, run) {
    command
      .argument("<port>")
      .argument("<peer>", "port of another device")
      .addHelpText("after", example("link web-edge edge-web"))
      .action((port: string, peer: string) =>
        run(async (context) => {
          const api = context.api();
          if (!api.ok) return api;
          const peerId = await api.value.names.idOf("port", peer);
          if (!peerId.ok) return peerId;
          return onPort(context, port, { done: "linked", act: (client, id) => client.link(id, peerId.value) });
        }),
      );
  },
};

/** `weft join ZONE HOST ADDRESS`. */
export const joinVerb: VerbModule = {
  build(command, run) {
    command
      .argument("<zone>")
      .argument("<host>")
      .argument("<address>", "the host's address on the underlay")
      .addHelpText("after", example("join underlay host1 192.0.2.1"))
      .action((zone: string, host: string, address: string) =>
        run((context) =>
          onMember(context, { zone, host }, (client, ids) =>
            client.addMember(ids.zoneId, { hostId: ids.hostId, address }),
          ),
        ),
      );
  },
};

/** `weft leave ZONE HOST`. */
export const leaveVerb: VerbModule = {
  build(command, run) {
    command
      .argument("<zone>")
      .argument("<host>")
      .addHelpText("after", example("leave underlay host1"))
      .action((zone: string, host: string) =>
        run((context) =>
          onMember(context, { zone, host }, (client, ids) => client.removeMember(ids.zoneId, ids.hostId)),
        ),
      );
  },
};

interface PortAction {
  readonly done: string;
  /** Whether there is anything to take away; without it there always is. */
  isThere?(port: ResourceOf<"port">): boolean;
  act(client: ApiClient, portId: string): Outcome<ResourceOf<"port">>;
}

function onePort(line: string, action: PortAction): VerbModule {
  return {
    build(command: Command, run: Run) {
      command
        .argument("<port>")
        .addHelpText("after", example(line))
        .action((port: string) => run((context) => onPort(context, port, action)));
    },
  };
}

async function onPort(context: CommandContext, port: string, { done, isThere, act }: PortAction): CommandResult {
  const api = context.api();
  if (!api.ok) return api;
  const id = await api.value.names.idOf("port", port);
  if (!id.ok) return id;
  const before = isThere === undefined ? undefined : await called(api.value.client.get("port", id.value));
  if (before?.ok === false) return before;
  const changed = await called(act(api.value.client, id.value));
  if (!changed.ok) return changed;
  if (context.isJson || before === undefined || isThere?.(before.value) !== false)
    return announce(context, "port", { object: changed.value, done });
  context.terminal.print(`port ${port} was not ${done === "unbound" ? "bound" : "linked"}`);
  return DONE;
}

async function onMember(
  context: CommandContext,
  { zone, host }: { readonly zone: string; readonly host: string },
  act: (
    client: ApiClient,
    ids: { readonly zoneId: string; readonly hostId: string },
  ) => Outcome<ResourceOf<"tunnel-zone">>,
): CommandResult {
  const api = context.api();
  if (!api.ok) return api;
  const zoneId = await api.value.names.idOf("tunnel-zone", zone);
  if (!zoneId.ok) return zoneId;
  const hostId = await api.value.names.idOf("host", host);
  if (!hostId.ok) return hostId;
  const changed = await called(act(api.value.client, { zoneId: zoneId.value, hostId: hostId.value }));
  return changed.ok ? announce(context, "tunnel-zone", { object: changed.value, done: "changed" }) : changed;
}
