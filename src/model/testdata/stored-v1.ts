/**
 * One document of every kind as release 0.1 wrote it, version 1 of the encoding. Never changed: a release reads what the one
 * before it wrote.
 */
export const STORED_V1: readonly string[] = [
  '{"v":1,"kind":"host","id":"00000000-0000-4000-8000-000000000001","name":"h1","portIds":["00000000-0000-4000-8000-000000000005"],"tunnelZoneIds":["00000000-0000-4000-8000-000000000002"]}',
  '{"v":1,"kind":"tunnel-zone","id":"00000000-0000-4000-8000-000000000002","members":[{"address":"192.0.2.1","hostId":"00000000-0000-4000-8000-000000000001"}],"mtu":1500,"name":"underlay"}',
  '{"v":1,"kind":"bridge","id":"00000000-0000-4000-8000-000000000003","inboundFilterId":"00000000-0000-4000-8000-000000000008","isUp":true,"name":"web","portIds":["00000000-0000-4000-8000-000000000005"],"tenant":"blue"}',
  '{"v":1,"kind":"router","id":"00000000-0000-4000-8000-000000000004","isUp":true,"name":"edge","portIds":["00000000-0000-4000-8000-000000000006"],"routeIds":["00000000-0000-4000-8000-000000000007"],"tenant":"blue"}',
  '{"v":1,"kind":"port","id":"00000000-0000-4000-8000-000000000005","binding":{"generation":1763715000000,"hostId":"00000000-0000-4000-8000-000000000001","interfaceName":"veth0"},"bridgeId":"00000000-0000-4000-8000-000000000003","deviceKind":"bridge","isUp":true,"name":"vm1","tenant":"blue","vlan":7}',
  '{"v":1,"kind":"port","id":"00000000-0000-4000-8000-000000000006","addresses":["10.0.0.1/24","fd00::1/64"],"deviceKind":"router","isUp":false,"mac":"02:00:00:00:00:01","mtu":1500,"peerId":"00000000-0000-4000-8000-00000000000a","routerId":"00000000-0000-4000-8000-000000000004","tenant":"blue"}',
  '{"v":1,"kind":"route","id":"00000000-0000-4000-8000-000000000007","destination":"0.0.0.0/0","nextHop":{"gateway":"10.0.0.254","portId":"00000000-0000-4000-8000-000000000006","type":"port"},"routerId":"00000000-0000-4000-8000-000000000004","source":"0.0.0.0/0","weight":100}',
  '{"v":1,"kind":"chain","id":"00000000-0000-4000-8000-000000000008","name":"web-in","ruleIds":["00000000-0000-4000-8000-000000000009"],"tenant":"blue"}',
  '{"v":1,"kind":"rule","id":"00000000-0000-4000-8000-000000000009","action":{"chainId":"00000000-0000-4000-8000-00000000000b","type":"jump"},"chainId":"00000000-0000-4000-8000-000000000008","condition":{"destinationPorts":{"from":80,"to":443},"fragments":"header","inverted":["source"],"protocol":6,"source":"10.0.0.0/8"}}',
];
