import { parseBody } from "../api-schema/convert.ts";
import { type ApiError, apiError, type ErrorCode } from "../api-schema/errors.ts";
import { tunnelZoneRead, type ZoneMember, zoneMember } from "../api-schema/host-resource.ts";
import { bindRequest, linkRequest, portRead } from "../api-schema/port-resource.ts";
import type { Clock } from "../base/clock.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Binding, Id, Port } from "../model/objects.ts";
import type { ApiRequest, Endpoint } from "./endpoint.ts";
import { answerOf, targetOf } from "./object-endpoints.ts";
import type { Objects } from "./objects.ts";

/** Errors of every change of an object that is there. */
const changing: readonly ErrorCode[] = ["not-found", "version-mismatch", "conflict"];
const bindingErrors: readonly ErrorCode[] = ["linked-and-bound", "already-bound", "interface-taken"];
const shared = { method: "POST", tag: "ports", answer: portRead, status: 200 } as const;

/** Bind, unbind, link and unlink of ports. Each does nothing when it is so already. */
export function portEndpoints(objects: Objects, clock: Clock): readonly Endpoint[] {
  const change = async (request: ApiRequest, decide: (port: Port) => Result<Port, ApiError>) =>
    answerOf(
      await objects.change(targetOf("port", request), ({ object }) => {
        const next = decide(object);
        return next.ok ? ok({ object: next.value }) : next;
      }),
    );
  return [
    {
      ...shared,
      path: "/v1/ports/{id}/bind",
      operation: "bindPort",
      summary: "Binds a port to an interface of a host",
      body: bindRequest,
      errors: [...changing, ...bindingErrors, "dangling-reference", "missing-field"],
      handle: async (request) => {
        const body = parseBody(bindRequest, request.body);
        if (!body.ok) return body;
        const place = body.value as unknown as Pick<Binding, "hostId" | "interfaceName">;
        return change(request, (port) => bound(port, place, clock.wall()));
      },
    },
    {
      ...shared,
      path: "/v1/ports/{id}/unbind",
      operation: "unbindPort",
      summary: "Takes a port's binding away",
      errors: changing,
      handle: (request) => change(request, (port) => ok(without(port, "binding"))),
    },
    {
      ...shared,
      path: "/v1/ports/{id}/link",
      operation: "linkPorts",
      summary: "Links two ports of different devices, at both ends",
      body: linkRequest,
      errors: [...changing, "linked-and-bound", "already-linked", "peer-taken", "dangling-reference", "missing-field"],
      handle: async (request) => {
        const body = parseBody(linkRequest, request.body);
        return body.ok ? change(request, (port) => linked(port, String(body.value["peerId"]))) : body;
      },
    },
    {
      ...shared,
      path: "/v1/ports/{id}/unlink",
      operation: "unlinkPort",
      summary: "Takes a link away, at both ends",
      errors: changing,
      handle: (request) => change(request, (port) => ok(without(port, "peerId"))),
    },
  ];
}

/** The hosts of a tunnel zone, one by one. */
export function memberEndpoints(objects: Objects): readonly Endpoint[] {
  const zone = { tag: "tunnel-zones", answer: tunnelZoneRead, status: 200 } as const;
  type Members = readonly ZoneMember[];
  const change = async (request: ApiRequest, decide: (members: Members) => Result<Members, ApiError>) =>
    answerOf(
      await objects.change(targetOf("tunnel-zone", request), ({ object }) => {
        const members = decide(object.members);
        return members.ok ? ok({ object: { ...object, members: members.value } }) : members;
      }),
    );
  return [
    {
      ...zone,
      method: "POST",
      path: "/v1/tunnel-zones/{id}/members",
      operation: "addZoneMember",
      summary: "Puts a host into a tunnel zone, or changes its address there",
      body: zoneMember,
      errors: [...changing, "missing-field", "bad-value", "duplicate-item", "dangling-reference"],
      handle: async (request) => {
        const body = parseBody(zoneMember, request.body);
        if (!body.ok) return body;
        const member = body.value as unknown as ZoneMember;
        return change(request, (members) => ok([...members.filter(({ hostId }) => hostId !== member.hostId), member]));
      },
    },
    {
      ...zone,
      method: "DELETE",
      path: "/v1/tunnel-zones/{id}/members/{hostId}",
      operation: "removeZoneMember",
      summary: "Takes a host out of a tunnel zone",
      errors: changing,
      handle: (request) => {
        const gone = (request.params["hostId"] ?? "").toLowerCase();
        return change(request, (members) => {
          const rest = members.filter(({ hostId }) => hostId !== gone);
          const expected = "a host of the tunnel zone";
          return rest.length < members.length
            ? ok(rest)
            : err(apiError("not-found", { object: `host ${gone}`, expected }));
        });
      },
    },
  ];
}

/** Binding twice to the same place is one binding; every other one gets a generation that is newer than all before. */
function bound(port: Port, place: Pick<Binding, "hostId" | "interfaceName">, now: number): Result<Port, ApiError> {
  const object = `port ${port.id}`;
  if (port.peerId !== undefined)
    return err(apiError("linked-and-bound", { object, field: "binding", expected: "no link" }));
  const { binding } = port;
  if (binding?.hostId === place.hostId && binding.interfaceName === place.interfaceName) return ok(port);
  if (binding !== undefined) {
    const expected = `no binding; it has one to ${binding.interfaceName} of host ${binding.hostId}`;
    return err(apiError("already-bound", { object, expected }));
  }
  // Wall time also grows over an unbinding, which leaves no generation behind to count on from.
  return ok({ ...port, binding: { ...place, generation: Math.max(1, Math.floor(now)) } });
}

function linked(port: Port, peerId: Id): Result<Port, ApiError> {
  const object = `port ${port.id}`;
  if (port.binding !== undefined)
    return err(apiError("linked-and-bound", { object, field: "peerId", expected: "no binding" }));
  if (port.peerId === peerId) return ok(port);
  if (port.peerId !== undefined)
    return err(apiError("already-linked", { object, expected: `no link; it has one to ${port.peerId}` }));
  return ok({ ...port, peerId });
}

function without(port: Port, field: "binding" | "peerId"): Port {
  if (port[field] === undefined) return port;
  const { [field]: _gone, ...rest } = port;
  return rest as Port;
}
